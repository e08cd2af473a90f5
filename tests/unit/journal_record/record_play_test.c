/* SPDX-License-Identifier: MIT
 *
 * record_play_test.c: what was dumped is what is played, whatever it is and however it is dumped.
 */
#include "journal/state.h"
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- All that an operation may be. ---- */

enum {
    SETTINGS = 40
};

static const stele_journal_setting two[] = {
        {{(const uint8_t *)"b", 1}, {(const uint8_t *)"2", 1}},
        {{(const uint8_t *)"a", 1}, {(const uint8_t *)"", 0}},
};

static const stele_journal_op kinds[] = {
        {.kind = STELE_JOURNAL_PUT,
                .timestamp = 5,
                .key = {(const uint8_t *)"key", 3},
                .value = {(const uint8_t *)"value", 5}},
        {.kind = STELE_JOURNAL_PUT,
                .timestamp = -7,
                .key = {(const uint8_t *)"key", 3},
                .subkey = {(const uint8_t *)"", 0},
                .value = {(const uint8_t *)"", 0}},
        {.kind = STELE_JOURNAL_PUT, .key = {(const uint8_t *)"", 0}},
        {.kind = STELE_JOURNAL_DELETE,
                .timestamp = INT64_MAX,
                .key = {(const uint8_t *)"a\0b", 3},
                .subkey = {(const uint8_t *)"sub", 3}},
        {.kind = STELE_JOURNAL_DELETE, .key = {(const uint8_t *)"k", 1}},
        {.kind = STELE_JOURNAL_CLEAR, .key = {(const uint8_t *)"tree", 4}},
        {.kind = STELE_JOURNAL_CONFIG, .settings = two, .setting_count = 2},
        {.kind = STELE_JOURNAL_CONFIG,
                .key = {(const uint8_t *)"key", 3},
                .settings = two,
                .setting_count = 1},
        {.kind = STELE_JOURNAL_CONFIG, .key = {(const uint8_t *)"key", 3}},
        {.kind = STELE_JOURNAL_CLEAR},
};

enum {
    KINDS = sizeof kinds / sizeof kinds[0]
};

struct expecting {
    const stele_journal_op *ops;
    size_t count;
    size_t at;
};

static const stele_journal_setting *find_setting(const stele_journal_op *op, stele_bytes name)
{
    for (size_t i = 0; i < op->setting_count; i++) {
        if (stele_bytes_equal(op->settings[i].name, name)) {
            return &op->settings[i];
        }
    }
    return NULL;
}

static stele_code expect(void *arg, const stele_journal_op *op, stele_error *err)
{
    struct expecting *x = arg;
    const stele_journal_op *want = &x->ops[x->at % x->count];

    (void)err;
    assert_int_equal(op->kind, want->kind);
    assert_true(op->timestamp == want->timestamp);
    CHECK_BYTES(op->key, want->key);
    CHECK_BYTES(op->subkey, want->subkey);
    CHECK_BYTES(op->value, want->value);
    assert_int_equal(op->setting_count, want->setting_count);
    for (size_t i = 0; i < op->setting_count; i++) {
        const stele_journal_setting *s = find_setting(want, op->settings[i].name);

        if (s == NULL) {
            fail_msg("setting %zu was not dumped", i);
            return STELE_EINVAL;
        }
        CHECK_BYTES(op->settings[i].value, s->value);
        assert_true(
                i == 0 || stele_bytes_compare(op->settings[i - 1].name, op->settings[i].name) < 0);
    }
    x->at++;
    return STELE_OK;
}

static void check_plays(struct kit *k, const stele_journal_op *ops, size_t count, size_t times)
{
    struct expecting x = {.ops = ops, .count = count};
    stele_journal_played played;

    CHECK_OK(stele_journal_play(k->journal, expect, &x, &played, &k->err), &k->err);
    assert_int_equal(x.at, times * count);
    assert_int_equal(played.ops, times * count);
    assert_int_equal(played.count, times * count);
    assert_int_equal(played.snapshot_ops, 0);
    assert_false(played.torn);
}

static void every_kind(void **state)
{
    (void)state;
    for (int durability = 0; durability < 3; durability++) {
        struct kit k;

        kit_begin(&k);
        k.opts.durability = (stele_journal_durability)durability;
        kit_record(&k);
        for (size_t i = 0; i < KINDS; i++) {
            CHECK_OK(stele_journal_dump(k.journal, &kinds[i], &k.err), &k.err);
        }
        CHECK_OK(stele_journal_dump_many(k.journal, kinds, KINDS, &k.err), &k.err);
        for (size_t i = 0; i < KINDS; i++) {
            CHECK_OK(stele_journal_dump_durable(k.journal, &kinds[i], &k.err), &k.err);
        }
        assert_int_equal(kit_stats(&k).count, 3 * KINDS);
        assert_int_equal(kit_stats(&k).dumps, 3 * KINDS);
        kit_stop(&k);
        check_plays(&k, kinds, KINDS, 3);
        kit_close(&k);
        kit_open(&k);
        check_plays(&k, kinds, KINDS, 3);
        kit_end(&k);
    }
}

static void many_settings(void **state)
{
    stele_journal_setting settings[SETTINGS];
    char names[SETTINGS][8];
    stele_journal_op op = {
            .kind = STELE_JOURNAL_CONFIG, .settings = settings, .setting_count = SETTINGS};
    struct kit k;

    (void)state;
    for (int i = 0; i < SETTINGS; i++) {
        (void)snprintf(names[i], sizeof names[i], "%d", i * 17 % SETTINGS);
        settings[i].name = stele_str(names[i]);
        settings[i].value = stele_str(names[SETTINGS - 1 - i]);
    }
    for (int i = 0; i < SETTINGS; i++) {
        settings[i].value = stele_str(names[SETTINGS - 1 - i]);
    }
    kit_begin(&k);
    kit_record(&k);
    CHECK_OK(stele_journal_dump(k.journal, &op, &k.err), &k.err);
    kit_stop(&k);
    check_plays(&k, &op, 1, 1);
    kit_end(&k);
}

/* ---- Times, sizes. ---- */

static stele_code keep_time(void *arg, const stele_journal_op *op, stele_error *err)
{
    (void)err;
    *(int64_t *)arg = op->timestamp;
    return STELE_OK;
}

static void the_time_of_the_call(void **state)
{
    stele_journal_op op = {
            .kind = STELE_JOURNAL_PUT, .timestamp = STELE_JOURNAL_NOW, .key = stele_str("k")};
    stele_journal_played played;
    int64_t before;
    int64_t time = 0;
    struct kit k;

    (void)state;
    kit_begin_sim(&k, NULL);
    kit_record(&k);
    before = k.w->env.wall_clock(k.w->env.arg);
    CHECK_OK(stele_journal_dump(k.journal, &op, &k.err), &k.err);
    assert_true(op.timestamp == STELE_JOURNAL_NOW);
    kit_stop(&k);
    CHECK_OK(stele_journal_play(k.journal, keep_time, &time, &played, &k.err), &k.err);
    assert_true(time > before && time < k.w->env.wall_clock(k.w->env.arg));
    assert_true(played.latest == time);
    kit_end(&k);
}

static stele_code check_big(void *arg, const stele_journal_op *op, stele_error *err)
{
    stele_bytes want = *(stele_bytes *)arg;

    (void)err;
    CHECK_BYTES(op->value, want);
    return STELE_OK;
}

static void the_largest(void **state)
{
    stele_journal_op op = {.kind = STELE_JOURNAL_PUT, .key = stele_str("k")};
    uint8_t *data = malloc(STELE_JOURNAL_OP_MAX);
    stele_journal_played played;
    struct kit k;

    (void)state;
    assert_non_null(data);
    memset(data, 'x', STELE_JOURNAL_OP_MAX);
    op.value = stele_bytes_of(data, STELE_JOURNAL_OP_MAX - 1);
    kit_begin(&k);
    kit_record(&k);
    CHECK_OK(stele_journal_dump(k.journal, &op, &k.err), &k.err);
    kit_stop(&k);
    CHECK_OK(stele_journal_play(k.journal, check_big, &op.value, &played, &k.err), &k.err);
    assert_int_equal(played.ops, 1);
    free(data);
    kit_end(&k);
}

/* ---- Again and again. ---- */

static void reopenings(void **state)
{
    (void)state;
    for (int variant = 0; variant < 6; variant++) {
        struct kit k;

        kit_begin_sim(&k, &(struct sim_disk_options){.no_trace = true, .file_max = 20 << 20});
        k.opts.durability = (stele_journal_durability)(variant % 3);
        k.opts.no_background = variant / 3 == 1;
        for (unsigned round = 0; round < 8; round++) {
            kit_record(&k);
            for (unsigned i = 0; i < 100 * round; i++) {
                CHECK_OK(kit_put(&k, (i * 7 + round) % KIT_KEYS, i + 1), &k.err);
            }
            for (unsigned i = 0; i < round; i++) {
                CHECK_OK(kit_delete(&k, i), &k.err);
            }
            if (round % 2 == 0) {
                kit_close(&k);
            } else {
                kit_stop(&k);
                assert_int_equal(kit_stats(&k).count, k.dumped);
                assert_int_equal(kit_stats(&k).logs, round);
            }
            kit_holds(&k);
        }
        /* A recording without operations leaves nothing. */
        kit_record(&k);
        assert_int_equal(kit_count_files(&k, "", ".log"), 8);
        kit_stop(&k);
        assert_int_equal(kit_count_files(&k, "", ".log"), 7);
        CHECK_OK(stele_journal_snapshot(k.journal, &k.err), &k.err);
        assert_int_equal(kit_count_files(&k, "", ".log"), 0);
        assert_int_equal(kit_count_files(&k, "", ".snap"), 1);
        kit_holds(&k);
        kit_end(&k);
    }
}

/* A log is not longer than a log may be: one that is full is ended, and another one begun. */
static void full_logs(void **state)
{
    enum {
        LOG_MAX = 4000
    };

    (void)state;
    for (int mode = 0; mode < 3; mode++) {
        stele_journal_op ops[60];
        char text[60][64];
        char name[128];
        struct kit k;

        for (unsigned i = 0; i < 60; i++) {
            ops[i] = kit_op(true, i, i + 1, text[i]);
        }
        kit_begin(&k);
        k.opts.durability = (stele_journal_durability)mode;
        kit_open(&k);
        k.journal->log_max = LOG_MAX;
        kit_record(&k);
        kit_fill(&k, 0, 499);
        assert_true(kit_stats(&k).logs > 4);
        assert_int_equal(kit_stats(&k).merges, 0);
        assert_int_equal(kit_stats(&k).count, 500);
        /* Several at once are in one log. */
        CHECK_OK(stele_journal_dump_many(k.journal, ops, 60, &k.err), &k.err);
        for (unsigned i = 0; i < 60; i++) {
            k.model.values[i] = i + 1;
        }
        k.dumped += 60;
        k.journal->log_max = 1000;
        CHECK_CODE(stele_journal_dump_many(k.journal, ops, 60, &k.err), STELE_ETOOBIG);
        kit_stop(&k);
        kit_find_file(&k, "", ".log", name);
        assert_true(tmpdir_size(&k.dir, name) <= LOG_MAX);
        kit_holds(&k);
        CHECK_OK(stele_journal_snapshot(k.journal, &k.err), &k.err);
        assert_int_equal(kit_count_files(&k, "", ".log"), 0);
        kit_holds(&k);
        kit_end(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_kind),
            cmocka_unit_test(many_settings),
            cmocka_unit_test(the_time_of_the_call),
            cmocka_unit_test(the_largest),
            cmocka_unit_test(reopenings),
            cmocka_unit_test(full_logs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
