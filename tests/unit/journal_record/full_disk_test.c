/* SPDX-License-Identifier: MIT
 *
 * full_disk_test.c: a full disk costs the call that met it, and nothing else.
 */
#include "kit.h"

#include <errno.h>

/* From the at-th call on that asks for new space all fail, for every one of a dump that needs more
 * room, merges included: the journal is as before, and goes on when there is room. */
static void no_space_at_every_call(void **state)
{
    (void)state;
    for (int mode = 0; mode < 3; mode++) {
        for (uint64_t at = 0;; at++) {
            unsigned done = 0;
            uint64_t hits;
            struct kit k;

            kit_begin_sim(&k, &(struct sim_disk_options){.no_trace = true});
            k.opts.durability = (stele_journal_durability)mode;
            k.opts.limit = 3000;
            kit_record(&k);
            kit_fill(&k, 0, 19);
            kit_fault(&k, SIM_CALL_CREATE | SIM_CALL_ALLOCATE, at, ENOSPC, true);
            for (unsigned i = 20; i < 200; i++) {
                stele_code rc = kit_put(&k, i, i + 1);

                assert_true(rc == STELE_OK || rc == STELE_ENOSPC);
                done += rc == STELE_OK ? 1 : 0;
            }
            hits = sim_disk_fault_hits(k.w->disk);
            assert_false(kit_stats(&k).failed);
            CHECK_OK(stele_journal_sync(k.journal, &k.err), &k.err);
            kit_holds(&k);
            kit_no_fault(&k);
            kit_fill(&k, 300, 400);
            CHECK_OK(stele_journal_snapshot(k.journal, &k.err), &k.err);
            kit_close(&k);
            assert_int_equal(kit_count_files(&k, "", ".snap"), 1);
            kit_holds(&k);
            kit_end(&k);
            assert_true(done > 0);
            if (hits == 0) {
                break;
            }
        }
    }
}

/* Waits for durability: what a write could not take is put back. */
static void writes_without_space(void **state)
{
    (void)state;
    for (int allocates = 0; allocates < 2; allocates++) {
        const struct sim_disk_options disk = {
                .no_trace = true, .file_max = 64 << 20, .no_allocate = allocates == 0};
        struct kit k;

        kit_begin_sim(&k, &disk);
        kit_record(&k);
        kit_fill(&k, 1, 20);
        for (int round = 0; round < 3; round++) {
            kit_fault(&k, SIM_CALL_WRITE, 0, ENOSPC, true);
            for (int i = 0; i < 3; i++) {
                CHECK_CODE(kit_put(&k, 99, 1), STELE_ENOSPC);
            }
            kit_holds(&k);
            CHECK_OK(stele_journal_sync(k.journal, &k.err), &k.err);
            kit_no_fault(&k);
            kit_fill(&k, 30 + 10 * (unsigned)round, 35 + 10 * (unsigned)round);
            kit_holds(&k);
        }
        assert_false(kit_stats(&k).failed);
        kit_close(&k);
        kit_holds(&k);
        kit_end(&k);
    }
}

/* A small disk, filled up: stopping, clearing and going on need no more than what is there. */
static void a_disk_that_fills_up(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        const struct sim_disk_options disk = {.no_trace = true,
                .file_max = 64 << 20,
                .capacity = 200 << 10,
                .no_allocate = variant / 2 == 1};
        unsigned i = 0;
        stele_code rc = STELE_OK;
        struct kit k;

        kit_begin_sim(&k, &disk);
        kit_record(&k);
        while (rc == STELE_OK) {
            rc = kit_put(&k, i % KIT_KEYS, i + 1);
            i++;
        }
        CHECK_CODE(rc, STELE_ENOSPC);
        assert_true(k.dumped > 1000);
        assert_false(kit_stats(&k).failed);
        kit_holds(&k);
        CHECK_CODE(stele_journal_snapshot(k.journal, &k.err), STELE_ENOSPC);
        kit_holds(&k);
        if (variant % 2 == 0) {
            kit_stop(&k);
            kit_holds(&k);
        }
        CHECK_OK(stele_journal_clear(k.journal, &k.err), &k.err);
        memset(&k.model, 0, sizeof k.model);
        k.dumped = 0;
        kit_holds(&k);
        if (variant % 2 == 0) {
            kit_record(&k);
        }
        kit_fill(&k, 1, 500);
        kit_holds(&k);
        kit_close(&k);
        kit_holds(&k);
        kit_end(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(no_space_at_every_call),
            cmocka_unit_test(writes_without_space),
            cmocka_unit_test(a_disk_that_fills_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
