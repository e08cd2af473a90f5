/* SPDX-License-Identifier: MIT
 *
 * durability_test.c: what survives a power cut in each mode, and what does not.
 *
 * The simulated disk loses all that was not synced; so what was not made durable must be gone, or
 * the test would not notice a mode that promises too much work.
 */
#include "kit.h"

static void begin(struct kit *k, stele_journal_durability durability)
{
    kit_begin_sim(k, NULL);
    k->opts.durability = durability;
    k->opts.limit = 1 << 20;
    kit_record(k);
}

static uint64_t cut_and_count(struct kit *k)
{
    struct kit_model *got = test_malloc(sizeof *got);
    uint64_t count;

    kit_power_cut(k, false);
    CHECK_OK(kit_play(k, got), &k->err);
    count = k->played.count;
    for (unsigned i = 1; i <= count && i < KIT_KEYS; i++) {
        assert_int_equal(got->values[i], 1000000 + i * 7);
    }
    test_free(got);
    return count;
}

/* The next one is behind what has survived. */
static void go_on(struct kit *k, unsigned next)
{
    memset(&k->model, 0, sizeof k->model);
    for (unsigned i = 1; i < next; i++) {
        k->model.values[i] = 1000000 + i * 7;
    }
    k->dumped = next - 1;
    kit_record(k);
    kit_fill(k, next, next + 2);
    kit_close(k);
    kit_holds(k);
    kit_end(k);
}

static void each(void **state)
{
    struct kit k;

    (void)state;
    begin(&k, STELE_JOURNAL_EACH);
    kit_fill(&k, 1, 40);
    assert_int_equal(kit_stats(&k).syncs, 40);
    assert_int_equal(cut_and_count(&k), 40);
    go_on(&k, 41);
}

static void stop(void **state)
{
    struct kit k;

    (void)state;
    begin(&k, STELE_JOURNAL_STOP);
    kit_fill(&k, 1, 40);
    assert_int_equal(kit_stats(&k).syncs, 0);
    assert_int_equal(cut_and_count(&k), 0);
    go_on(&k, 1);

    begin(&k, STELE_JOURNAL_STOP);
    kit_fill(&k, 1, 40);
    kit_stop(&k);
    assert_int_equal(cut_and_count(&k), 40);
    go_on(&k, 41);
}

static void sync_when_asked(void **state)
{
    (void)state;
    for (int mode = 0; mode < 3; mode++) {
        char text[64];
        struct kit k;

        begin(&k, (stele_journal_durability)mode);
        CHECK_OK(stele_journal_sync(k.journal, &k.err), &k.err);
        kit_fill(&k, 1, 10);
        CHECK_OK(stele_journal_sync(k.journal, &k.err), &k.err);
        CHECK_OK(stele_journal_sync(k.journal, &k.err), &k.err);
        assert_int_equal(kit_stats(&k).syncs, mode == 0 ? 10 : 1);
        kit_fill(&k, 11, 20);
        {
            stele_journal_op op = kit_op(true, 21, 1000000 + 21 * 7, text);

            CHECK_OK(stele_journal_dump_durable(k.journal, &op, &k.err), &k.err);
        }
        kit_fill(&k, 22, 30);
        assert_int_equal(cut_and_count(&k), mode == 0 ? 30 : 21);
        go_on(&k, mode == 0 ? 31 : 22);
    }
}

/* Written for want of memory, and not synced: a sync makes it durable all the same. */
static void written_before_the_sync(void **state)
{
    static uint8_t data[600 << 10];
    stele_journal_op op = {.kind = STELE_JOURNAL_PUT, .key = stele_str("1")};
    char text[64];
    struct kit k;
    stele_journal_op last = kit_op(true, 2, 5, text);

    (void)state;
    memset(data, '0', sizeof data);
    op.value = stele_bytes_of(data, sizeof data);
    for (int with_sync = 0; with_sync < 2; with_sync++) {
        begin(&k, STELE_JOURNAL_STOP);
        CHECK_OK(stele_journal_limit(k.journal, 0, &k.err), &k.err);
        CHECK_OK(stele_journal_dump(k.journal, &op, &k.err), &k.err);
        CHECK_OK(stele_journal_dump(k.journal, &op, &k.err), &k.err);
        /* Over a megabyte is pending: it was written. */
        assert_int_equal(kit_stats(&k).syncs, 0);
        if (with_sync == 0) {
            CHECK_OK(stele_journal_dump_durable(k.journal, &last, &k.err), &k.err);
        } else {
            CHECK_OK(stele_journal_sync(k.journal, &k.err), &k.err);
        }
        assert_int_equal(kit_stats(&k).syncs, 1);
        kit_power_cut(&k, false);
        kit_open(&k);
        assert_int_equal(kit_stats(&k).count, 3 - (unsigned)with_sync);
        kit_end(&k);
    }
}

/* Without a thread an interval ends with the first dump behind it. */
static void interval(void **state)
{
    struct kit k;

    (void)state;
    kit_begin_sim(&k, NULL);
    k.opts.durability = STELE_JOURNAL_INTERVAL;
    k.opts.interval_ms = 50;
    kit_record(&k);
    kit_fill(&k, 1, 10);
    assert_int_equal(kit_stats(&k).syncs, 0);
    sim_world_advance(k.w, 60000);
    kit_fill(&k, 11, 11);
    assert_int_equal(kit_stats(&k).syncs, 1);
    kit_fill(&k, 12, 15);
    assert_int_equal(kit_stats(&k).syncs, 1);
    assert_int_equal(cut_and_count(&k), 11);
    go_on(&k, 12);
}

/* With one, it comes by itself. */
static void interval_with_a_thread(void **state)
{
    struct kit k;

    (void)state;
    kit_begin_sim(&k, NULL);
    k.opts.no_background = false;
    k.opts.durability = STELE_JOURNAL_INTERVAL;
    k.opts.interval_ms = 1;
    kit_record(&k);
    for (unsigned i = 1; i <= 3; i++) {
        kit_fill(&k, i, i);
        while (kit_stats(&k).syncs < i) {
            /* However long that takes. */
        }
    }
    assert_int_equal(cut_and_count(&k), 3);
    k.opts.no_background = true;
    go_on(&k, 4);
}

/* A merge makes durable what it ends, in every mode. */
static void a_merge(void **state)
{
    (void)state;
    for (int mode = 0; mode < 3; mode++) {
        struct kit k;

        begin(&k, (stele_journal_durability)mode);
        kit_fill(&k, 1, 30);
        CHECK_OK(stele_journal_snapshot(k.journal, &k.err), &k.err);
        kit_fill(&k, 31, 35);
        assert_int_equal(cut_and_count(&k), mode == 0 ? 35 : 30);
        go_on(&k, mode == 0 ? 36 : 31);
    }
}

/* Nothing of what was lost comes back behind what is dumped next. */
static void what_was_torn_stays_away(void **state)
{
    (void)state;
    for (int mode = 0; mode < 3; mode++) {
        struct kit k;
        unsigned next;

        begin(&k, (stele_journal_durability)mode);
        kit_fill(&k, 1, 30);
        kit_power_cut(&k, mode == 2);
        {
            struct kit_model *got = test_malloc(sizeof *got);

            CHECK_OK(kit_play(&k, got), &k.err);
            next = (unsigned)k.played.count + 1;
            test_free(got);
        }
        go_on(&k, next);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(each),
            cmocka_unit_test(stop),
            cmocka_unit_test(sync_when_asked),
            cmocka_unit_test(written_before_the_sync),
            cmocka_unit_test(interval),
            cmocka_unit_test(interval_with_a_thread),
            cmocka_unit_test(a_merge),
            cmocka_unit_test(what_was_torn_stays_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
