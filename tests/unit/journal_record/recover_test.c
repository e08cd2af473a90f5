/* SPDX-License-Identifier: MIT
 *
 * recover_test.c: what a crash leaves is mended by the next recording, and played the same before
 * and after.
 */
#include "kit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    OPS = 6
};

/* Everything but the lock, as a later test of the same files finds it. */
static uint8_t *last_log(struct kit *k, char *name, size_t *len)
{
    kit_find_file(k, "", ".log", name);
    return tmpdir_read(&k->dir, name, len);
}

/* Positions of the frames of a sealed log, and behind the last operation. */
static size_t frames(const uint8_t *bytes, size_t len, size_t *at, size_t max)
{
    size_t count = 0;

    for (size_t i = 32; i + 24 <= len && count < max;) {
        uint32_t word = (uint32_t)bytes[i + 4] | (uint32_t)bytes[i + 5] << 8 |
                        (uint32_t)bytes[i + 6] << 16 | (uint32_t)bytes[i + 7] << 24;

        at[count++] = i;
        i += 24 + (word & 0x3fffffffU);
    }
    return count;
}

static void model_of(struct kit *k, unsigned ops)
{
    memset(&k->model, 0, sizeof k->model);
    for (unsigned i = 1; i <= ops; i++) {
        k->model.values[i] = 1000000 + i * 7;
    }
    k->dumped = ops;
}

/* On the simulated disk, since there are many. */
static void begin_small(struct kit *k)
{
    kit_begin_sim(k, &(struct sim_disk_options){.no_trace = true});
    k->opts.limit = 1 << 20; /* large files take time there */
}

static void check_and_go_on(struct kit *k, unsigned whole, bool torn)
{
    model_of(k, whole);
    kit_holds(k);
    assert_int_equal(k->played.torn, torn);
    kit_record(k);
    assert_int_equal(kit_count_files(k, "quarantine-", ""), torn ? 1 : 0);
    kit_holds(k);
    assert_false(k->played.torn);
    kit_fill(k, whole + 1, whole + 3);
    kit_holds(k);
    kit_close(k);
    kit_holds(k);
    assert_false(k->played.torn);
}

/* A log of which a crash left only so many bytes. */
static void cut_at_every_byte(void **state)
{
    size_t at[OPS + 2];
    char name[128];
    uint8_t *bytes;
    struct kit k;
    size_t len;

    (void)state;
    kit_begin(&k);
    kit_record(&k);
    kit_fill(&k, 1, OPS);
    kit_close(&k);
    bytes = last_log(&k, name, &len);
    assert_int_equal(frames(bytes, len, at, OPS + 2), OPS + 1);
    kit_end(&k);
    for (size_t size = 0; size <= len; size++) {
        unsigned whole = 0;
        bool torn;

        while (whole < OPS && at[whole + 1] <= size) {
            whole++;
        }
        torn = size > 32 ? size != at[whole] && size != len : size > 0 && size < 32;
        begin_small(&k);
        kit_write_file(&k, name, bytes, size);
        check_and_go_on(&k, whole, torn);
        kit_end(&k);
    }
    free(bytes);
}

/* The same with zeros behind, as blocks that are there ahead leave them. */
static void zeros_behind_every_byte(void **state)
{
    size_t at[OPS + 2];
    char name[128];
    uint8_t *bytes;
    struct kit k;
    size_t len;

    (void)state;
    kit_begin(&k);
    kit_record(&k);
    kit_fill(&k, 1, OPS);
    kit_close(&k);
    bytes = last_log(&k, name, &len);
    assert_int_equal(frames(bytes, len, at, OPS + 2), OPS + 1);
    kit_end(&k);
    for (size_t size = 0; size <= len; size++) {
        size_t total = len + 5000;
        uint8_t *padded = calloc(1, total);
        unsigned whole = 0;
        size_t used = size;
        bool torn;

        assert_non_null(padded);
        memcpy(padded, bytes, size);
        while (used > 0 && padded[used - 1] == 0) {
            used--;
        }
        while (whole < OPS && at[whole + 1] <= size) {
            whole++;
        }
        /* The seal of a log of six operations ends in zeros that are there anyway. */
        torn = used > 32 ? used > at[whole] && !(whole == OPS && size == len)
                         : used > 0 && size < 32;
        if (whole == OPS && size > at[OPS] && memcmp(padded, bytes, len) == 0) {
            torn = false;
        }
        begin_small(&k);
        kit_write_file(&k, name, padded, total);
        check_and_go_on(&k, whole, torn);
        kit_end(&k);
        free(padded);
    }
    free(bytes);
}

/* A frame behind says that the place was durable: nothing of it was torn by a crash. */
static void damage_is_no_torn_tail(void **state)
{
    size_t at[OPS + 2];
    char name[128];
    uint8_t *bytes;
    struct kit k;
    size_t len;

    (void)state;
    kit_begin(&k);
    kit_record(&k);
    kit_fill(&k, 1, OPS);
    kit_close(&k);
    bytes = last_log(&k, name, &len);
    assert_int_equal(frames(bytes, len, at, OPS + 2), OPS + 1);
    for (unsigned i = 0; i < OPS - 1; i++) {
        struct kit_model *got = test_malloc(sizeof *got);
        uint8_t *after;
        size_t after_len;

        tmpdir_write(&k.dir, name, bytes, len);
        tmpdir_flip(&k.dir, name, 8 * (at[i] + 30));
        after = tmpdir_read(&k.dir, name, &after_len);
        CHECK_CODE(kit_play(&k, got), STELE_ECORRUPT);
        assert_int_equal(k.played.ops, i);
        assert_int_equal(k.err.position, (int64_t)at[i]);
        kit_open(&k);
        CHECK_CODE(stele_journal_record(k.journal, &k.err), STELE_ECORRUPT);
        CHECK_MESSAGE_HAS(&k.err, name);
        assert_int_equal(k.err.position, (int64_t)at[i]);
        CHECK_CODE(stele_journal_snapshot(k.journal, &k.err), STELE_ECORRUPT);
        kit_close(&k);
        /* Nothing has changed. */
        {
            size_t now_len;
            uint8_t *now = tmpdir_read(&k.dir, name, &now_len);

            assert_int_equal(now_len, after_len);
            assert_memory_equal(now, after, now_len);
            assert_int_equal(kit_count_files(&k, "", ".log"), 1);
            assert_int_equal(kit_count_files(&k, "quarantine", ""), 0);
            free(now);
        }
        free(after);
        test_free(got);
    }
    free(bytes);
    kit_end(&k);
}

/* Two snapshots, as a crash between a merge and its removals leaves them; the newer one damaged. */
static void a_bad_snapshot_falls_back(void **state)
{
    char snap[128];
    char log[128];
    char newer[128];
    uint8_t *old_snap;
    uint8_t *old_log;
    size_t snap_len;
    size_t log_len;
    struct kit k;

    (void)state;
    for (int damage = 0; damage < 3; damage++) {
        kit_begin(&k);
        kit_record(&k);
        kit_fill(&k, 1, 20);
        CHECK_OK(stele_journal_snapshot(k.journal, &k.err), &k.err);
        kit_fill(&k, 15, 30);
        kit_stop(&k);
        kit_find_file(&k, "", ".snap", snap);
        kit_find_file(&k, "", ".log", log);
        old_snap = tmpdir_read(&k.dir, snap, &snap_len);
        old_log = tmpdir_read(&k.dir, log, &log_len);
        CHECK_OK(stele_journal_snapshot(k.journal, &k.err), &k.err);
        kit_find_file(&k, "", ".snap", newer);
        assert_string_not_equal(newer, snap);
        kit_close(&k);
        tmpdir_write(&k.dir, snap, old_snap, snap_len);
        tmpdir_write(&k.dir, log, old_log, log_len);
        kit_holds(&k);
        assert_string_equal(k.played.snapshot, newer);
        assert_false(k.played.fell_back);
        if (damage == 0) {
            tmpdir_flip(&k.dir, newer, 8 * 70);
        } else if (damage == 1) {
            tmpdir_cut(&k.dir, newer, tmpdir_size(&k.dir, newer) - 1);
        } else {
            /* Then nothing tells what it stood for. */
            tmpdir_write(&k.dir, newer, "", 0);
            CHECK_CODE(kit_play(&k, &k.model), STELE_ECORRUPT);
            kit_open(&k);
            CHECK_CODE(stele_journal_record(k.journal, &k.err), STELE_ECORRUPT);
            free(old_snap);
            free(old_log);
            kit_end(&k);
            break;
        }
        kit_holds(&k);
        assert_string_equal(k.played.snapshot, snap);
        assert_true(k.played.fell_back);
        kit_record(&k);
        assert_int_equal(kit_count_files(&k, "quarantine-", ""), 1);
        assert_int_equal(kit_count_files(&k, "", ".snap"), 1);
        kit_fill(&k, 31, 35);
        kit_holds(&k);
        assert_false(k.played.fell_back);
        CHECK_OK(stele_journal_snapshot(k.journal, &k.err), &k.err);
        assert_int_equal(kit_count_files(&k, "", ".log"), 1);
        kit_holds(&k);
        free(old_snap);
        free(old_log);
        kit_end(&k);
    }
}

/* What is superseded or unfinished goes, what is none of ours stays. */
static void leftovers(void **state)
{
    char snap[128];
    char log[128];
    uint8_t *old_log;
    size_t log_len;
    struct kit k;

    (void)state;
    kit_begin(&k);
    kit_record(&k);
    kit_fill(&k, 1, 20);
    kit_stop(&k);
    kit_find_file(&k, "", ".log", log);
    old_log = tmpdir_read(&k.dir, log, &log_len);
    CHECK_OK(stele_journal_snapshot(k.journal, &k.err), &k.err);
    kit_find_file(&k, "", ".snap", snap);
    kit_close(&k);
    tmpdir_write(&k.dir, log, old_log, log_len);
    tmpdir_write(&k.dir, "12.unfinished", "half", 4);
    tmpdir_write(&k.dir, "quarantine-1.log-00000000000000000032.tmp", "half", 4);
    tmpdir_write(&k.dir, "01.log", "foreign", 7);
    tmpdir_write(&k.dir, "notes.txt", "foreign", 7);
    kit_holds(&k);
    kit_record(&k);
    assert_false(tmpdir_exists(&k.dir, log));
    assert_true(tmpdir_exists(&k.dir, snap));
    assert_false(tmpdir_exists(&k.dir, "12.unfinished"));
    assert_false(tmpdir_exists(&k.dir, "quarantine-1.log-00000000000000000032.tmp"));
    assert_true(tmpdir_exists(&k.dir, "01.log"));
    assert_true(tmpdir_exists(&k.dir, "notes.txt"));
    kit_fill(&k, 21, 22);
    kit_holds(&k);
    free(old_log);
    kit_end(&k);
}

/* ---- The clock. ---- */

static stele_time the_time;

static stele_time set_clock(void *arg)
{
    (void)arg;
    return the_time;
}

/* Names rise all the same, and what was dumped later is played later. */
static void a_clock_set_back(void **state)
{
    static const stele_time times[] = {
            2000000000000000, 1000000000000000, 5, 0, -77, 3000000000000000, 1000000000000000};
    struct kit k;

    (void)state;
    kit_begin_sim(&k, NULL);
    k.w->env.wall_clock = set_clock;
    k.opts.limit = 4096;
    for (unsigned i = 0; i < sizeof times / sizeof times[0]; i++) {
        the_time = times[i];
        kit_record(&k);
        for (unsigned j = 0; j < 60; j++) {
            CHECK_OK(kit_put(&k, j % 7, 1000 * i + j + 1), &k.err);
        }
        if (i % 3 == 2) {
            CHECK_OK(stele_journal_snapshot(k.journal, &k.err), &k.err);
        }
        kit_holds(&k);
        kit_close(&k);
        kit_holds(&k);
    }
    kit_open(&k);
    CHECK_OK(stele_journal_clear(k.journal, &k.err), &k.err);
    memset(&k.model, 0, sizeof k.model);
    k.dumped = 0;
    kit_record(&k);
    kit_fill(&k, 1, 3);
    kit_holds(&k);
    kit_end(&k);
}

/* A file with the largest number that there is leaves none for the next. */
static void no_number_is_left(void **state)
{
    struct kit k;

    (void)state;
    kit_begin(&k);
    tmpdir_write(&k.dir, "9223372036854775806.log", "", 0);
    kit_open(&k);
    CHECK_CODE(stele_journal_record(k.journal, &k.err), STELE_ETOOBIG);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(cut_at_every_byte),
            cmocka_unit_test(zeros_behind_every_byte),
            cmocka_unit_test(damage_is_no_torn_tail),
            cmocka_unit_test(a_bad_snapshot_falls_back),
            cmocka_unit_test(leftovers),
            cmocka_unit_test(a_clock_set_back),
            cmocka_unit_test(no_number_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
