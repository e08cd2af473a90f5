/* SPDX-License-Identifier: MIT
 *
 * target_test.c: a play does not take longer than its target, as far as merging can help. The clock
 * is the simulated one: an operation takes as long as the test says.
 */
#include "kit.h"

enum {
    LIVE = 100,
    OP_US = 1000 /* that an operation takes */
};

static stele_code slowly(void *arg, const stele_journal_op *op, stele_error *err)
{
    (void)op;
    (void)err;
    sim_world_advance(arg, OP_US);
    return STELE_OK;
}

/* Have the handle know how long an operation takes. */
static void measure(struct kit *k)
{
    stele_journal_played played;

    CHECK_OK(stele_journal_play(k->journal, slowly, k->w, &played, &k->err), &k->err);
    assert_true(played.ops >= 1000);
}

static void merges_in_time(void **state)
{
    const struct sim_disk_options disk = {.no_trace = true, .file_max = 20 << 20};
    stele_journal_stats s;
    struct kit k;

    (void)state;
    kit_begin_sim(&k, &disk);
    k.opts.durability = STELE_JOURNAL_STOP;
    k.opts.replay_target_ms = 1500;
    kit_record(&k);
    for (unsigned i = 0; i < 1200; i++) {
        CHECK_OK(kit_put(&k, i % LIVE, i + 1), &k.err);
    }
    /* Nothing is known yet, so these few are no matter. */
    s = kit_stats(&k);
    assert_int_equal(s.merges, 0);
    assert_int_equal(s.replay_ms, 0);
    kit_stop(&k);
    measure(&k);
    s = kit_stats(&k);
    assert_true(s.replay_ms >= 1200 && s.replay_ms < 1300);
    kit_record(&k);
    for (unsigned i = 0; i < 10000; i++) {
        CHECK_OK(kit_put(&k, i % LIVE, i + 1), &k.err);
        s = kit_stats(&k);
        assert_true(s.replay_ms <= 1501);
    }
    assert_true(s.merges >= 5 && s.merges < 20);
    CHECK_OK(stele_journal_sync(k.journal, &k.err), &k.err);
    kit_holds(&k);
    kit_end(&k);
}

/* Where nearly all of it lives, merging would not make it shorter: it is not done again and again.
 */
static void cannot_help(void **state)
{
    const struct sim_disk_options disk = {.no_trace = true, .file_max = 20 << 20};
    struct kit k;

    (void)state;
    kit_begin_sim(&k, &disk);
    k.opts.durability = STELE_JOURNAL_STOP;
    k.opts.replay_target_ms = 10;
    kit_record(&k);
    kit_fill(&k, 0, 1009);
    kit_stop(&k);
    measure(&k);
    kit_record(&k);
    assert_int_equal(kit_stats(&k).merges, 1);
    for (unsigned i = 0; i < 900; i++) {
        CHECK_OK(kit_put(&k, i + 250, i + 1), &k.err);
    }
    assert_true(kit_stats(&k).merges >= 2 && kit_stats(&k).merges <= 4);
    CHECK_OK(stele_journal_sync(k.journal, &k.err), &k.err);
    kit_holds(&k);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(merges_in_time),
            cmocka_unit_test(cannot_help),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
