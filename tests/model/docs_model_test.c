/* SPDX-License-Identifier: MIT
 *
 * docs_model_test.c: random operations on a database and on a plain map beside it.
 *
 * Changes here and by others, in any order; types that come and change; reopened; made anew of a
 * backup; and searches by every kind of key between them. After each phase everything is compared,
 * made anew, which has to change nothing, and damaged, which has to be found.
 */
#include "model/docs_model_run.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    PHASES = 3,
    FULL_PHASES = 100,
    PHASE_OPERATIONS = 1000,
    FULL_OPERATIONS = 3000, /* in each */
    DAMAGES = 12            /* in a phase */
};

/* To be told if the phase fails; 0: none runs. */
static uint64_t phase_seed;

static void test_operations(void **state)
{
    bool full = getenv("STELE_FULL") != NULL;
    const char *seed = getenv("STELE_SEED");
    struct run *r = docs_run_begin();

    (void)state;
    for (int i = 0; i < (full ? FULL_PHASES : PHASES); i++) {
        uint64_t now = (uint64_t)i + (seed == NULL ? 20 : (uint64_t)strtoull(seed, NULL, 10));

        if (!full) {
            print_message("seed %" PRIu64 "\n", now);
        }
        phase_seed = now;
        docs_run_phase(r, now, full ? FULL_OPERATIONS : PHASE_OPERATIONS, DAMAGES);
    }
    phase_seed = 0;
    print_message("docs model: operations %" PRIu64 ", refused %" PRIu64
                  ", entries that came late %" PRIu64 ", found by searches %" PRIu64
                  ", conflicts %" PRIu64 ", damaged and mended %" PRIu64 "\n",
            r->operations, r->refused, r->late, r->found, r->conflicts, r->damaged);
    assert_true(r->refused > 0 && r->late > 0 && r->conflicts > 0 && r->damaged > 0);
    docs_run_end(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_operations)};
    int rc = cmocka_run_group_tests(tests, NULL, NULL);

    if (phase_seed != 0) {
        print_error("again with STELE_SEED=%" PRIu64 "\n", phase_seed);
    }
    return rc;
}
