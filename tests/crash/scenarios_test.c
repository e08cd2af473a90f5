/* SPDX-License-Identifier: MIT
 *
 * scenarios_test.c: the promises that the mutants break hold without them.
 */
#include "crash/stream_scenarios.h"
#include "lib/check.h"

static void every_promise_holds(void **state)
{
    size_t count;
    const struct scenario *list = stream_scenarios(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        if (!list[i].holds()) {
            fail_msg("%s", list[i].name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_promise_holds)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
