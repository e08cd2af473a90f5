/* SPDX-License-Identifier: MIT
 *
 * failed_test.c: a write or a sync that failed ends the recording of the handle for good.
 */
#include "kit.h"

#include <errno.h>

/* All that records is refused, and says why; stopping works. */
static void check_poisoned(struct kit *k)
{
    for (int i = 0; i < 2; i++) {
        char text[64];
        stele_journal_op op = kit_op(true, 3, 4, text);

        CHECK_CODE(kit_put(k, 1, 2), STELE_EFAILED);
        CHECK_MESSAGE_HAS(&k->err, "reopen");
        CHECK_CODE(stele_journal_dump_durable(k->journal, &op, &k->err), STELE_EFAILED);
        CHECK_CODE(stele_journal_dump_many(k->journal, &op, 1, &k->err), STELE_EFAILED);
        CHECK_CODE(stele_journal_sync(k->journal, &k->err), STELE_EFAILED);
        CHECK_CODE(stele_journal_snapshot(k->journal, &k->err), STELE_EFAILED);
        CHECK_CODE(stele_journal_clear(k->journal, &k->err), STELE_EFAILED);
        assert_true(kit_stats(k).failed);
        assert_true(stele_journal_is_recording(k->journal));
        /* That the disk works again proves nothing. */
        kit_no_fault(k);
    }
    CHECK_CODE(stele_journal_stop(k->journal, &k->err), STELE_EFAILED);
    assert_false(stele_journal_is_recording(k->journal));
    CHECK_CODE(stele_journal_record(k->journal, &k->err), STELE_EFAILED);
    assert_true(kit_stats(k).failed);
}

/* All that was acknowledged is there, and of what was not, a prefix. */
static void check_reopens(struct kit *k, unsigned acknowledged, unsigned sent)
{
    struct kit_model *got = test_malloc(sizeof *got);

    CHECK_OK(kit_play(k, got), &k->err);
    assert_true(k->played.count >= acknowledged && k->played.count <= sent);
    for (unsigned i = 1; i <= k->played.count; i++) {
        assert_int_equal(got->values[i], 1000000 + i * 7);
    }
    k->model = *got;
    k->dumped = k->played.count;
    kit_close(k);
    kit_record(k);
    kit_fill(k, 500, 510);
    CHECK_OK(stele_journal_sync(k->journal, &k->err), &k->err);
    kit_holds(k);
    kit_close(k);
    kit_holds(k);
    test_free(got);
}

static void each(void **state)
{
    static const struct {
        unsigned calls;
        int error;
    } faults[] = {
            {SIM_CALL_WRITE, EIO},
            {SIM_CALL_SYNC, EIO},
            {SIM_CALL_SYNC, ENOSPC},
            {SIM_CALL_WRITE, EROFS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        for (int reverts = 0; reverts < 2; reverts++) {
            const struct sim_disk_options disk = {
                    .sync_failure_reverts = reverts == 1, .no_trace = true};
            struct kit k;
            stele_code rc;

            kit_begin_sim(&k, &disk);
            k.opts.limit = 1 << 20;
            kit_record(&k);
            kit_fill(&k, 1, 20);
            kit_fault(&k, faults[i].calls, 0, faults[i].error, false);
            rc = kit_put(&k, 21, 1000000 + 21 * 7);
            assert_true(rc == STELE_EIO || (faults[i].error == EROFS && rc != STELE_OK));
            check_poisoned(&k);
            check_reopens(&k, 20, 21);
            kit_end(&k);
        }
    }
}

/* Where dumps return at once, it is the next one, or the sync, that hears of it. */
static void buffered(void **state)
{
    (void)state;
    for (int mode = 1; mode < 3; mode++) {
        for (int error = 0; error < 2; error++) {
            const struct sim_disk_options disk = {.no_trace = true};
            struct kit k;

            kit_begin_sim(&k, &disk);
            k.opts.limit = 1 << 20;
            k.opts.durability = (stele_journal_durability)mode;
            kit_record(&k);
            kit_fill(&k, 1, 20);
            CHECK_OK(stele_journal_sync(k.journal, &k.err), &k.err);
            kit_fill(&k, 21, 30);
            /* Also a disk that is full after all: what is lost was acknowledged. */
            kit_fault(&k, SIM_CALL_WRITE, 0, error == 0 ? EIO : ENOSPC, false);
            CHECK_CODE(stele_journal_sync(k.journal, &k.err), STELE_EIO);
            check_poisoned(&k);
            check_reopens(&k, 20, 30);
            kit_end(&k);
        }
    }
}

static void stop_and_close(void **state)
{
    (void)state;
    for (int close = 0; close < 2; close++) {
        const struct sim_disk_options disk = {.no_trace = true};
        struct kit k;

        kit_begin_sim(&k, &disk);
        k.opts.limit = 1 << 20;
        k.opts.durability = STELE_JOURNAL_STOP;
        kit_record(&k);
        kit_fill(&k, 1, 20);
        kit_fault(&k, SIM_CALL_SYNC, 0, EIO, true);
        if (close == 0) {
            CHECK_CODE(stele_journal_stop(k.journal, &k.err), STELE_EIO);
            assert_false(stele_journal_is_recording(k.journal));
            kit_no_fault(&k);
            CHECK_OK(stele_journal_stop(k.journal, &k.err), &k.err);
            CHECK_CODE(stele_journal_record(k.journal, &k.err), STELE_EFAILED);
            check_reopens(&k, 0, 20);
        } else {
            stele_journal *journal = k.journal;

            k.journal = NULL;
            CHECK_CODE(stele_journal_close(journal, &k.err), STELE_EIO);
            kit_no_fault(&k);
        }
        kit_end(&k);
    }
}

/* The end of a log, at a merge. */
static void a_merge(void **state)
{
    (void)state;
    for (uint64_t at = 0;; at++) {
        struct kit k;
        stele_code rc;
        uint64_t hits;

        kit_begin_sim(&k, &(struct sim_disk_options){.no_trace = true});
        k.opts.limit = 1 << 20;
        kit_record(&k);
        kit_fill(&k, 1, 20);
        kit_fault(&k, SIM_CALLS_ALL & ~(unsigned)SIM_CALL_PREFAULT & ~(unsigned)SIM_CALL_MAP, at,
                EIO, false);
        rc = stele_journal_snapshot(k.journal, &k.err);
        hits = sim_disk_fault_hits(k.w->disk);
        kit_no_fault(&k);
        if (hits == 0) {
            CHECK_OK(rc, &k.err);
            kit_end(&k);
            break;
        }
        if (kit_stats(&k).failed) {
            check_poisoned(&k);
            check_reopens(&k, 20, 20);
        } else {
            kit_fill(&k, 21, 30);
            kit_holds(&k);
            CHECK_OK(stele_journal_snapshot(k.journal, &k.err), &k.err);
            assert_int_equal(kit_count_files(&k, "", ".log"), 1);
            assert_int_equal(kit_count_files(&k, "", ".snap"), 1);
            kit_close(&k);
            kit_holds(&k);
        }
        kit_end(&k);
    }
}

/* Beginning: it can be tried again. */
static void record(void **state)
{
    (void)state;
    for (uint64_t at = 0;; at++) {
        struct kit k;
        stele_code rc;
        uint64_t hits;

        kit_begin_sim(&k, &(struct sim_disk_options){.no_trace = true});
        k.opts.limit = 1 << 20;
        kit_record(&k);
        kit_fill(&k, 1, 20);
        kit_close(&k);
        kit_open(&k);
        kit_fault(&k, SIM_CALLS_ALL & ~(unsigned)SIM_CALL_PREFAULT & ~(unsigned)SIM_CALL_MAP, at,
                EIO, false);
        rc = stele_journal_record(k.journal, &k.err);
        hits = sim_disk_fault_hits(k.w->disk);
        kit_no_fault(&k);
        if (rc != STELE_OK) {
            assert_false(stele_journal_is_recording(k.journal));
            kit_holds(&k);
            kit_record(&k);
        }
        kit_fill(&k, 21, 30);
        kit_holds(&k);
        kit_end(&k);
        if (hits == 0) {
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(each),
            cmocka_unit_test(buffered),
            cmocka_unit_test(stop_and_close),
            cmocka_unit_test(a_merge),
            cmocka_unit_test(record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
