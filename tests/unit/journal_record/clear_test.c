/* SPDX-License-Identifier: MIT
 *
 * clear_test.c: forgetting everything, in every state that allows it, and what a crash leaves.
 */
#include "kit.h"

#include <errno.h>

static void forget_model(struct kit *k)
{
    memset(&k->model, 0, sizeof k->model);
    k->dumped = 0;
}

static void build(struct kit *k)
{
    kit_record(k);
    kit_fill(k, 1, 50);
    CHECK_OK(stele_journal_snapshot(k->journal, &k->err), &k->err);
    kit_fill(k, 40, 90);
    kit_stop(k);
    kit_record(k);
    kit_fill(k, 91, 120);
}

static void when_recording(void **state)
{
    (void)state;
    for (int durability = 0; durability < 3; durability++) {
        struct kit k;

        kit_begin(&k);
        k.opts.durability = (stele_journal_durability)durability;
        build(&k);
        CHECK_OK(stele_journal_clear(k.journal, &k.err), &k.err);
        forget_model(&k);
        assert_true(stele_journal_is_recording(k.journal));
        assert_int_equal(kit_count_files(&k, "", ".log"), 1);
        assert_int_equal(kit_count_files(&k, "", ".snap"), 0);
        assert_int_equal(kit_stats(&k).count, 0);
        assert_int_equal(kit_stats(&k).snapshots, 0);
        kit_holds(&k);
        kit_fill(&k, 5, 9);
        CHECK_OK(stele_journal_sync(k.journal, &k.err), &k.err);
        kit_holds(&k);
        CHECK_OK(stele_journal_snapshot(k.journal, &k.err), &k.err);
        CHECK_OK(stele_journal_clear(k.journal, &k.err), &k.err);
        CHECK_OK(stele_journal_clear(k.journal, &k.err), &k.err);
        forget_model(&k);
        kit_fill(&k, 7, 8);
        kit_close(&k);
        kit_holds(&k);
        kit_end(&k);
    }
}

static void when_stopped(void **state)
{
    struct kit k;

    (void)state;
    kit_begin(&k);
    build(&k);
    kit_stop(&k);
    tmpdir_write(&k.dir, "quarantine-1.log-00000000000000000032", "x", 1);
    tmpdir_write(&k.dir, "foreign", "x", 1);
    tmpdir_write(&k.dir, "77.unfinished", "x", 1);
    CHECK_OK(stele_journal_clear(k.journal, &k.err), &k.err);
    forget_model(&k);
    assert_false(stele_journal_is_recording(k.journal));
    /* The lock, what recovery had cut, and what is none of ours. */
    assert_int_equal(kit_count_files(&k, "", ""), 3);
    kit_holds(&k);
    kit_record(&k);
    kit_fill(&k, 1, 3);
    kit_close(&k);
    kit_holds(&k);
    kit_end(&k);
}

/* A journal that cannot be played any more can be cleared. */
static void when_damaged(void **state)
{
    struct kit k;
    char name[128];

    (void)state;
    kit_begin(&k);
    build(&k);
    kit_close(&k);
    kit_find_file(&k, "", ".snap", name);
    tmpdir_flip(&k.dir, name, 8 * 40);
    CHECK_CODE(kit_play(&k, &k.model), STELE_ECORRUPT);
    kit_open(&k);
    CHECK_OK(stele_journal_clear(k.journal, &k.err), &k.err);
    forget_model(&k);
    kit_holds(&k);
    kit_end(&k);
}

/* ---- What a crash leaves. ---- */

/* Cleared is durable; before that the journal is as it was, or empty. */
static void power_cuts(void **state)
{
    (void)state;
    for (uint64_t at = 1;; at++) {
        struct kit_model *model = test_malloc(sizeof *model);
        struct kit k;
        uint64_t hits;

        kit_begin_sim(&k, NULL);
        k.opts.limit = 1 << 20;
        build(&k);
        CHECK_OK(stele_journal_sync(k.journal, &k.err), &k.err);
        kit_fault(&k, SIM_CALLS_ALL, at - 1, EIO, true);
        if (stele_journal_clear(k.journal, &k.err) == STELE_OK) {
            forget_model(&k);
        }
        hits = sim_disk_fault_hits(k.w->disk);
        kit_power_cut(&k, at % 2 == 0);
        CHECK_OK(kit_play(&k, model), &k.err);
        if (k.played.count != 0) {
            kit_holds(&k);
        } else {
            forget_model(&k);
            kit_holds(&k);
        }
        kit_record(&k);
        kit_fill(&k, 1, 5);
        kit_close(&k);
        kit_holds(&k);
        kit_end(&k);
        test_free(model);
        if (hits == 0) {
            assert_true(at > 10);
            break;
        }
    }
}

/* While recording, and a call fails: it goes on in a journal that is one or the other, or fails for
 * good. */
static void calls_fail(void **state)
{
    (void)state;
    for (uint64_t at = 0;; at++) {
        struct kit k;
        uint64_t hits;
        stele_code rc;

        kit_begin_sim(&k, NULL);
        k.opts.limit = 1 << 20;
        build(&k);
        kit_fault(&k, SIM_CALLS_ALL & ~(unsigned)SIM_CALL_PREFAULT, at, EIO, false);
        rc = stele_journal_clear(k.journal, &k.err);
        hits = sim_disk_fault_hits(k.w->disk);
        kit_no_fault(&k);
        if (rc == STELE_OK || kit_stats(&k).count == 0) {
            forget_model(&k);
        }
        if (!kit_stats(&k).failed) {
            kit_fill(&k, 7, 12);
            kit_holds(&k);
            kit_close(&k);
            kit_holds(&k);
        } else {
            assert_true(rc != STELE_OK);
        }
        kit_end(&k);
        if (hits == 0) {
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(when_recording),
            cmocka_unit_test(when_stopped),
            cmocka_unit_test(when_damaged),
            cmocka_unit_test(power_cuts),
            cmocka_unit_test(calls_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
