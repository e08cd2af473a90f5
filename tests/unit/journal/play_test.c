/* SPDX-License-Identifier: MIT
 *
 * play_test.c: what a chain gives, up to which moment, and how its newest log may end.
 */
#include "journal/play.h"

#include "kit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct bench {
    struct tmpdir t;
    struct sti_dir dir;
    bool no_map;
    stele_journal_until until;
    /* What operate() got, and what it answers to the operation with this index. */
    uint64_t ops;
    char keys[256][16];
    uint64_t answer_at;
    stele_code answer;
    /* Done by operate() at that index. */
    void (*meddle)(struct bench *b);
    uint64_t meddle_at;
    stele_journal_played played;
    stele_error err;
};

static void set_up(struct bench *b)
{
    memset(b, 0, sizeof *b);
    tmpdir_make(&b->t);
    kit_dir(&b->dir, &b->t);
    b->until.count = UINT64_MAX;
    b->until.time = INT64_MAX;
    b->answer_at = UINT64_MAX;
    b->meddle_at = UINT64_MAX;
}

static void tear_down(struct bench *b)
{
    sti_dir_close(&b->dir);
    tmpdir_remove(&b->t);
}

static stele_code operate(void *arg, const stele_journal_op *op, stele_error *err)
{
    struct bench *b = arg;

    assert_true(b->ops < 256 && op->key.len < 16);
    memcpy(b->keys[b->ops], op->key.data, op->key.len);
    b->keys[b->ops][op->key.len] = '\0';
    if (b->ops == b->meddle_at) {
        b->meddle(b);
    }
    if (b->ops++ == b->answer_at) {
        (void)snprintf(err->message, sizeof err->message, "the caller's own");
        return b->answer;
    }
    return STELE_OK;
}

static stele_code play(struct bench *b)
{
    struct sti_journal_chain chain;
    stele_code rc = sti_journal_chain_load(&chain, &b->dir, STI_CHAIN_PLAYED, b->no_map, &b->err);

    b->ops = 0;
    memset(&b->played, 0xEE, sizeof b->played);
    if (rc == STELE_OK) {
        rc = sti_journal_play_chain(&chain, &b->until, operate, b, &b->played, &b->err);
        assert_int_equal(b->played.ops, b->ops);
    }
    sti_journal_chain_free(&chain);
    return rc;
}

/* The operations were the keys k1, k2 and so on. */
static void check_keys(const struct bench *b, uint64_t first, uint64_t last)
{
    assert_int_equal(b->ops, last + 1 - first);
    for (uint64_t n = first; n <= last; n++) {
        char key[32];

        (void)snprintf(key, sizeof key, "k%" PRIu64, n);
        assert_string_equal(b->keys[n - first], key);
    }
}

static void nothing(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b);
    CHECK_OK(play(&b), &b.err);
    check_keys(&b, 1, 0);
    assert_int_equal(b.played.count, 0);
    assert_true(b.played.latest == INT64_MIN);
    assert_string_equal(b.played.snapshot, "");
    assert_false(b.played.torn || b.played.fell_back);
    tear_down(&b);
}

static void in_order(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b);
    for (int how = 0; how < 2; how++) {
        b.no_map = how == 1;
        kit_whole_log(&b.t, 5, 1, 7); /* superseded */
        kit_whole_snap(&b.t, 10, 7);
        kit_whole_log(&b.t, 20, 8, 20);
        tmpdir_write(&b.t, "25.log", "", 0); /* never begun */
        kit_whole_log(&b.t, 30, 21, 30);
        tmpdir_write(&b.t, "35.log", "", 0); /* prepared */
        CHECK_OK(play(&b), &b.err);
        check_keys(&b, 1, 30);
        assert_int_equal(b.played.snapshot_ops, 7);
        assert_int_equal(b.played.count, 30);
        assert_int_equal(b.played.latest, 30);
        assert_string_equal(b.played.snapshot, "10.snap");
        assert_false(b.played.torn || b.played.fell_back);
    }
    /* The snapshot is damaged: back to the logs. */
    tmpdir_flip(&b.t, "10.snap", 8 * 80);
    CHECK_OK(play(&b), &b.err);
    check_keys(&b, 1, 30);
    assert_int_equal(b.played.snapshot_ops, 0);
    assert_string_equal(b.played.snapshot, "");
    assert_true(b.played.fell_back);
    tear_down(&b);
}

/* Every moment, by count and by time (each operation's is its number). */
static void until(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b);
    kit_whole_snap(&b.t, 10, 7);
    kit_whole_log(&b.t, 20, 8, 20);
    kit_whole_log(&b.t, 30, 21, 30);
    for (uint64_t moment = 0; moment < 40; moment++) {
        for (int how = 0; how < 2; how++) {
            uint64_t last = moment < 30 ? moment : 30;

            b.until.count = how == 0 ? moment : UINT64_MAX;
            b.until.time = how == 1 ? (int64_t)moment : INT64_MAX;
            if (moment < 7) {
                CHECK_CODE(play(&b), STELE_ENOTFOUND);
                CHECK_MESSAGE_HAS(&b.err, "10.snap: the moment is earlier");
                CHECK_MESSAGE_HAS(&b.err, "7 operations, the latest of time 7");
                assert_int_equal(b.ops, 0);
            } else {
                CHECK_OK(play(&b), &b.err);
                check_keys(&b, 1, last);
                assert_int_equal(b.played.count, last);
                assert_int_equal(b.played.latest, last);
            }
        }
    }
    /* Both hold. */
    b.until.count = 25;
    b.until.time = 22;
    CHECK_OK(play(&b), &b.err);
    check_keys(&b, 1, 22);
    b.until.time = 28;
    CHECK_OK(play(&b), &b.err);
    check_keys(&b, 1, 25);
    tear_down(&b);
}

/* The caller ends it well, or fails, in the snapshot and in the logs. */
static void the_caller_ends_it(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b);
    kit_whole_snap(&b.t, 10, 7);
    kit_whole_log(&b.t, 20, 8, 20);
    for (uint64_t at = 0; at < 20; at++) {
        b.answer_at = at;
        b.answer = STELE_END;
        CHECK_OK(play(&b), &b.err);
        check_keys(&b, 1, at + 1);
        assert_int_equal(b.played.count, at < 7 ? 0 : at + 1);
        b.answer = STELE_ECONFLICT;
        /* One that failed was not operated. */
        {
            struct sti_journal_chain chain;

            CHECK_OK(sti_journal_chain_load(&chain, &b.dir, STI_CHAIN_VERIFIED, false, &b.err),
                    &b.err);
            b.ops = 0;
            CHECK_CODE(sti_journal_play_chain(&chain, NULL, operate, &b, &b.played, &b.err),
                    STELE_ECONFLICT);
            CHECK_MESSAGE(&b.err, "the caller's own");
            assert_int_equal(b.played.ops, at);
            assert_int_equal(b.played.count, at < 7 ? 0 : at);
            sti_journal_chain_free(&chain);
        }
    }
    tear_down(&b);
}

/* ---- How the newest log ends. ---- */

/* Cut at every byte: what is whole is played, the rest is told. */
static void torn_at_every_byte(void **state)
{
    struct kit_file f;
    struct bench b;
    size_t whole;

    (void)state;
    set_up(&b);
    kit_log(&f, 20, 1);
    for (int i = 0; i < 5; i++) {
        char key[8];

        (void)snprintf(key, sizeof key, "k%d", i + 1);
        kit_put(&f, key, "value");
    }
    whole = f.len;
    for (size_t len = 0; len <= whole; len++) {
        uint64_t ops = 0;
        uint64_t end = STI_WAL_HEADER_SIZE;

        for (size_t i = 0; i < 5; i++) {
            uint64_t behind = i == 4 ? whole : f.positions[i + 1];

            end = behind <= len ? behind : end;
            ops += behind <= len ? 1 : 0;
        }
        tmpdir_write(&b.t, "20.log", f.bytes, len);
        b.no_map = len % 2 == 0;
        CHECK_OK(play(&b), &b.err);
        check_keys(&b, 1, ops);
        assert_int_equal(b.played.torn, len != 0 && len != end);
        if (b.played.torn) {
            assert_string_equal(b.played.torn_file, "20.log");
            assert_int_equal(b.played.torn_position, len < STI_WAL_HEADER_SIZE ? 0 : end);
            assert_in_range(b.played.torn_bytes, 1, len);
        }
        /* Zeros behind it, as blocks that are there ahead. */
        tmpdir_append(&b.t, "20.log", (const uint8_t[64]){0}, 64);
        CHECK_OK(play(&b), &b.err);
        check_keys(&b, 1, ops);
    }
    free(f.bytes);
    tear_down(&b);
}

/* A frame behind says that the place was durable. */
static void damaged(void **state)
{
    struct kit_file f;
    struct bench b;

    (void)state;
    set_up(&b);
    kit_whole_log(&b.t, 10, 1, 3);
    kit_log(&f, 20, 4);
    kit_put(&f, "k4", "value");
    kit_put(&f, "k5", "value");
    kit_put(&f, "k6", "value");
    tmpdir_write(&b.t, "20.log", f.bytes, f.len);
    tmpdir_flip(&b.t, "20.log", 8 * (f.positions[1] + 30));
    CHECK_CODE(play(&b), STELE_ECORRUPT);
    check_keys(&b, 1, 4);
    assert_string_equal(b.err.file, "20.log");
    assert_int_equal(b.err.position, f.positions[1]);
    CHECK_MESSAGE_HAS(&b.err, "operation 5 is damaged");
    assert_int_equal(b.played.count, 4);
    /* The last one alone cannot be told from one that was torn. */
    tmpdir_write(&b.t, "20.log", f.bytes, f.len);
    tmpdir_flip(&b.t, "20.log", 8 * (f.positions[2] + 30));
    CHECK_OK(play(&b), &b.err);
    check_keys(&b, 1, 5);
    assert_true(b.played.torn);
    /* The header. */
    tmpdir_write(&b.t, "20.log", f.bytes, f.len);
    tmpdir_flip(&b.t, "20.log", 8 * 9);
    CHECK_CODE(play(&b), STELE_ECORRUPT);
    check_keys(&b, 1, 3);
    CHECK_MESSAGE_HAS(&b.err, "20.log: at 0: the header is damaged");
    free(f.bytes);
    tear_down(&b);
}

/* Whatever is wrong with a log that is not the newest, operations are missing. */
static void missing(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b);
    kit_whole_log(&b.t, 10, 1, 3);
    kit_whole_log(&b.t, 20, 5, 6);
    CHECK_CODE(play(&b), STELE_ECORRUPT);
    check_keys(&b, 1, 3);
    CHECK_MESSAGE_HAS(&b.err, "10.log");
    CHECK_MESSAGE_HAS(&b.err, "operations 4 to 4 are missing behind the end");
    kit_whole_log(&b.t, 10, 1, 4);
    CHECK_OK(play(&b), &b.err);
    check_keys(&b, 1, 6);
    for (uint64_t size = tmpdir_size(&b.t, "10.log") - 80; size > STI_WAL_HEADER_SIZE; size--) {
        tmpdir_cut(&b.t, "10.log", size);
        CHECK_CODE(play(&b), STELE_ECORRUPT);
        assert_string_equal(b.err.file, "10.log");
        CHECK_MESSAGE_HAS(&b.err, "damaged, or missing");
    }
    tear_down(&b);
}

/* Between files: what precedes the gap is played. */
static void missing_behind_a_snapshot(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b);
    kit_whole_snap(&b.t, 10, 3);
    kit_whole_log(&b.t, 20, 5, 6);
    CHECK_CODE(play(&b), STELE_ECORRUPT);
    check_keys(&b, 1, 3);
    assert_int_equal(b.played.count, 3);
    assert_string_equal(b.err.file, "20.log");
    CHECK_MESSAGE_HAS(&b.err, "operations 4 to 4 are missing before it");
    /* Up to there nothing is missing. */
    kit_whole_log(&b.t, 15, 4, 4);
    b.until.count = 4;
    CHECK_OK(play(&b), &b.err);
    check_keys(&b, 1, 4);
    tmpdir_cut(&b.t, "15.log", 0);
    CHECK_CODE(play(&b), STELE_ECORRUPT);
    check_keys(&b, 1, 3);
    b.until.count = 3;
    CHECK_CODE(play(&b), STELE_ECORRUPT);
    tear_down(&b);
}

/* ---- Beside a recorder. ---- */

/* It goes on while the first operation is played: none of that is damage. */
static void record_more(struct bench *b)
{
    struct kit_file f;

    kit_log(&f, 20, 1);
    kit_put(&f, "k1", "value");
    kit_put(&f, "k2", "value");
    kit_put(&f, "k3", "value");
    kit_put(&f, "k4", "value");
    tmpdir_write(&b->t, "20.log", f.bytes, f.len);
    free(f.bytes);
}

static void beside_a_recorder(void **state)
{
    struct kit_file f;
    struct bench b;

    (void)state;
    set_up(&b);
    kit_log(&f, 20, 1);
    kit_put(&f, "k1", "value");
    kit_write(&f, &b.t);
    b.meddle = record_more;
    b.meddle_at = 0;
    CHECK_OK(play(&b), &b.err);
    check_keys(&b, 1, 1);
    assert_false(b.played.torn);
    b.meddle_at = UINT64_MAX;
    CHECK_OK(play(&b), &b.err);
    check_keys(&b, 1, 4);
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(nothing),
            cmocka_unit_test(in_order),
            cmocka_unit_test(until),
            cmocka_unit_test(the_caller_ends_it),
            cmocka_unit_test(torn_at_every_byte),
            cmocka_unit_test(damaged),
            cmocka_unit_test(missing),
            cmocka_unit_test(missing_behind_a_snapshot),
            cmocka_unit_test(beside_a_recorder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
