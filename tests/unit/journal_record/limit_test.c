/* SPDX-License-Identifier: MIT
 *
 * limit_test.c: logs over the limit are merged, beside the recording or by it.
 */
#include "kit.h"

#include <errno.h>

enum {
    PUTS = 1000,
    LIMIT = 1024
};

static void fill_and_delete(struct kit *k)
{
    for (unsigned i = 0; i < PUTS; i++) {
        CHECK_OK(kit_put(k, i, i + 1), &k->err);
    }
    for (unsigned i = 0; i < PUTS; i += 3) {
        CHECK_OK(kit_delete(k, i), &k->err);
    }
    assert_int_equal(k->dumped, 1334);
}

/* Whatever the thread does meanwhile, when the recording stops the limit holds. */
static void one_snapshot_and_one_log(void **state)
{
    (void)state;
    for (int variant = 0; variant < 6; variant++) {
        struct kit k;
        stele_journal_stats s;

        kit_begin(&k);
        k.opts.durability = (stele_journal_durability)(variant % 3);
        k.opts.no_background = variant / 3 == 1;
        k.opts.limit = LIMIT;
        kit_record(&k);
        fill_and_delete(&k);
        /* The last merge is a while ago. */
        for (unsigned i = 0; i < 3; i++) {
            CHECK_OK(kit_put(&k, PUTS + i, 1), &k.err);
        }
        kit_stop(&k);
        s = kit_stats(&k);
        assert_int_equal(s.snapshots, 1);
        assert_true(s.logs <= 1);
        assert_true(s.log_size <= LIMIT + 200);
        assert_true(s.merges > 0);
        assert_int_equal(s.merge_failures, 0);
        assert_int_equal(kit_count_files(&k, "", ".snap"), 1);
        assert_int_equal(kit_count_files(&k, "", ".log"), s.logs);
        assert_int_equal(kit_count_files(&k, "", ".unfinished"), 0);
        kit_holds(&k);
        kit_close(&k);
        kit_holds(&k);
        kit_end(&k);
    }
}

/* Without a thread it is certain when: at the dump that finds the limit exceeded. */
static void at_once_without_a_thread(void **state)
{
    struct kit k;
    uint64_t merges = 0;

    (void)state;
    kit_begin_sim(&k, &(struct sim_disk_options){.no_trace = true});
    k.opts.limit = LIMIT;
    kit_record(&k);
    for (unsigned i = 0; i < PUTS; i++) {
        uint64_t before = kit_stats(&k).log_size;
        stele_journal_stats s;

        CHECK_OK(kit_put(&k, i, i + 1), &k.err);
        s = kit_stats(&k);
        if (s.merges > merges) {
            assert_true(before <= LIMIT);
            assert_int_equal(s.log_ops, 0);
            assert_int_equal(s.snapshot_count, i + 1);
            assert_int_equal(s.snapshot_ops, i + 1);
            assert_int_equal(s.logs, 1);
            assert_int_equal(kit_count_files(&k, "", ".log"), 1);
        }
        assert_true(s.log_size <= LIMIT);
        merges = s.merges;
    }
    assert_true(merges > 20);
    kit_holds(&k);
    kit_end(&k);
}

/* All logs behind the snapshot count, those of earlier recordings as well. */
static void earlier_logs_count(void **state)
{
    struct kit k;

    (void)state;
    kit_begin_sim(&k, &(struct sim_disk_options){.no_trace = true});
    for (unsigned i = 0; i < 5; i++) {
        kit_record(&k);
        kit_fill(&k, 100 * i, 100 * i + 9);
        kit_close(&k);
    }
    assert_int_equal(kit_count_files(&k, "", ".log"), 5);
    k.opts.limit = LIMIT;
    kit_record(&k);
    assert_int_equal(kit_count_files(&k, "", ".log"), 1);
    assert_int_equal(kit_count_files(&k, "", ".snap"), 1);
    assert_int_equal(kit_stats(&k).merges, 1);
    kit_holds(&k);
    kit_fill(&k, 900, 950);
    kit_holds(&k);
    kit_end(&k);
}

static void the_limit_changes(void **state)
{
    struct kit k;

    (void)state;
    kit_begin_sim(&k, &(struct sim_disk_options){.no_trace = true});
    kit_record(&k);
    kit_fill(&k, 0, 299);
    assert_int_equal(kit_stats(&k).merges, 0);
    CHECK_OK(stele_journal_limit(k.journal, LIMIT, &k.err), &k.err);
    assert_int_equal(kit_stats(&k).merges, 0);
    kit_fill(&k, 300, 300);
    assert_int_equal(kit_stats(&k).merges, 1);
    CHECK_OK(stele_journal_limit(k.journal, 0, &k.err), &k.err);
    kit_fill(&k, 301, 500);
    assert_int_equal(kit_stats(&k).merges, 1);
    kit_holds(&k);
    kit_end(&k);
}

/* A merge that fails is told, and tried again when there is more to merge; nothing is lost. */
static void a_merge_fails(void **state)
{
    stele_journal_stats s;
    struct kit k;

    (void)state;
    kit_begin_sim(&k, &(struct sim_disk_options){.no_trace = true});
    k.opts.limit = LIMIT;
    kit_record(&k);
    kit_fill(&k, 0, 9);
    /* Only merges list the directory. */
    kit_fault(&k, SIM_CALL_LIST, 0, EIO, true);
    kit_fill(&k, 10, 59);
    kit_no_fault(&k);
    s = kit_stats(&k);
    assert_int_equal(s.merges, 0);
    assert_true(s.merge_failures >= 2 && s.merge_failures < 20);
    assert_false(s.failed);
    assert_int_equal(s.log_ops, 60);
    assert_non_null(strstr(sim_world_log(k.w), "merge"));
    kit_holds(&k);
    kit_fill(&k, 60, 99);
    s = kit_stats(&k);
    assert_true(s.merges > 0);
    assert_int_equal(kit_count_files(&k, "", ".log"), 1);
    assert_int_equal(kit_count_files(&k, "", ".snap"), 1);
    kit_holds(&k);
    kit_end(&k);
}

static void snapshots_when_asked(void **state)
{
    struct kit k;
    char first[128];
    char second[128];

    (void)state;
    kit_begin(&k);
    kit_open(&k);
    CHECK_OK(stele_journal_snapshot(k.journal, &k.err), &k.err);
    assert_int_equal(kit_count_files(&k, "", ".snap"), 0);
    kit_record(&k);
    CHECK_OK(stele_journal_snapshot(k.journal, &k.err), &k.err);
    assert_int_equal(kit_count_files(&k, "", ".snap"), 0);
    kit_fill(&k, 1, 100);
    CHECK_OK(stele_journal_snapshot(k.journal, &k.err), &k.err);
    assert_int_equal(kit_count_files(&k, "", ".log"), 1);
    kit_find_file(&k, "", ".snap", first);
    /* Nothing new: it stays. */
    CHECK_OK(stele_journal_snapshot(k.journal, &k.err), &k.err);
    kit_find_file(&k, "", ".snap", second);
    assert_string_equal(first, second);
    kit_stop(&k);
    CHECK_OK(stele_journal_snapshot(k.journal, &k.err), &k.err);
    kit_find_file(&k, "", ".snap", second);
    assert_string_equal(first, second);
    assert_int_equal(kit_count_files(&k, "", ".log"), 0);
    kit_holds(&k);
    kit_record(&k);
    kit_fill(&k, 50, 60);
    kit_stop(&k);
    CHECK_OK(stele_journal_snapshot(k.journal, &k.err), &k.err);
    assert_int_equal(kit_stats(&k).snapshots, 1);
    assert_int_equal(kit_stats(&k).logs, 0);
    assert_int_equal(kit_stats(&k).snapshot_ops, 100);
    assert_int_equal(kit_stats(&k).snapshot_count, 111);
    kit_holds(&k);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(one_snapshot_and_one_log),
            cmocka_unit_test(at_once_without_a_thread),
            cmocka_unit_test(earlier_logs_count),
            cmocka_unit_test(the_limit_changes),
            cmocka_unit_test(a_merge_fails),
            cmocka_unit_test(snapshots_when_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
