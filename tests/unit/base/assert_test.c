/* SPDX-License-Identifier: MIT
 *
 * assert_test.c: what must hold ends the program when it does not.
 */
#include "base/assert.h"

#include "death.h"
#include "lib/check.h"

static void fail_assert(void)
{
    volatile int three = 3;

    sti_assert(three == 4);
}

static void pass_assert(void)
{
    volatile int three = 3;

    sti_assert(three == 3);
}

static void reach_unreachable(void)
{
    sti_unreachable();
}

static void fail_debug_assert(void)
{
    volatile int three = 3;

    sti_debug_assert(three == 4);
}

static void test_assert(void **state)
{
    (void)state;
    assert_true(dies(fail_assert));
    assert_false(dies(pass_assert));
    assert_true(dies(reach_unreachable));
}

static void test_debug_assert_depends_on_the_build(void **state)
{
    (void)state;
#ifdef NDEBUG
    assert_false(dies(fail_debug_assert));
#else
    assert_true(dies(fail_debug_assert));
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_assert),
            cmocka_unit_test(test_debug_assert_depends_on_the_build),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
