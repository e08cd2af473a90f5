/* SPDX-License-Identifier: MIT
 *
 * snap_test.c: merging files into a snapshot.
 */
#include "journal/snap.h"

#include "base/alloc.h"
#include "kit.h"
#include "lib/faulty.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const uint64_t seed[2] = {3, 4};

struct bench {
    struct tmpdir t;
    struct sti_dir dir;
    struct sti_journal_chain chain;
    struct sti_journal_end end;
    stele_error err;
};

static void set_up(struct bench *b, const stele_env *env)
{
    memset(b, 0, sizeof *b);
    tmpdir_make(&b->t);
    CHECK_OK(sti_dir_open(&b->dir, env, b->t.path, STELE_OPEN_READ, &b->err), &b->err);
}

static void tear_down(struct bench *b)
{
    sti_journal_chain_free(&b->chain);
    sti_dir_close(&b->dir);
    tmpdir_remove(&b->t);
}

static stele_code merge(struct bench *b, uint64_t number, enum sti_journal_depth depth, bool no_map)
{
    stele_code rc;

    sti_journal_chain_free(&b->chain);
    rc = sti_journal_chain_load(&b->chain, &b->dir, depth, no_map, &b->err);
    return rc != STELE_OK
                   ? rc
                   : sti_journal_snap_merge(&b->dir, &b->chain, number, seed, &b->end, &b->err);
}

/* ---- What comes out. ---- */

static void check_snap(const struct bench *b, const char *name, const struct kit_file *want)
{
    size_t len;
    uint8_t *bytes = tmpdir_read(&b->t, name, &len);

    CHECK_BYTES(stele_bytes_of(bytes, len), stele_bytes_of(want->bytes, want->len));
    free(bytes);
}

static void put_at(struct kit_file *f, const char *key, const char *value, int64_t timestamp)
{
    stele_journal_op op = {.kind = STELE_JOURNAL_PUT,
            .timestamp = timestamp,
            .key = stele_str(key),
            .value = stele_str(value)};

    kit_op(f, &op);
}

static void delete_at(struct kit_file *f, const char *key, int64_t timestamp)
{
    stele_journal_op op = {
            .kind = STELE_JOURNAL_DELETE, .timestamp = timestamp, .key = stele_str(key)};

    kit_op(f, &op);
}

/* A snapshot and two logs, and what they come to, byte for byte; from maps, or with pread, and
 * whether or not the snapshot was verified before. */
static void merges(void **state)
{
    (void)state;
    for (int how = 0; how < 4; how++) {
        struct kit_file f;
        struct bench b;

        set_up(&b, NULL);
        kit_snap(&f, 10, 7);
        put_at(&f, "a", "1", 100);
        put_at(&f, "b", "2", 5);
        kit_end(&f);
        kit_write(&f, &b.t);
        kit_log(&f, 20, 8);
        put_at(&f, "b", "3", 60);
        put_at(&f, "c", "4", 50);
        delete_at(&f, "a", 40);
        kit_seal(&f);
        kit_zeros(&f, 1000);
        kit_write(&f, &b.t);
        kit_log(&f, 30, 11);
        put_at(&f, "", "5", 30);
        kit_seal(&f);
        kit_write(&f, &b.t);
        kit_log(&f, 40, 12);
        put_at(&f, "d", "not yet", 900);
        kit_write(&f, &b.t);
        CHECK_OK(merge(&b, 31, how < 2 ? STI_CHAIN_VERIFIED : STI_CHAIN_SHALLOW, how % 2 == 0),
                &b.err);
        assert_int_equal(b.end.ops, 3);
        assert_int_equal(b.end.count, 11);
        assert_int_equal(b.end.latest, 100);
        kit_snap(&f, 31, 11);
        put_at(&f, "", "5", 30);
        put_at(&f, "b", "3", 60);
        put_at(&f, "c", "4", 50);
        f.latest = 100;
        kit_end(&f);
        check_snap(&b, "31.snap", &f);
        free(f.bytes);
        assert_false(tmpdir_exists(&b.t, "31.unfinished"));
        /* The old ones are still there. */
        assert_true(tmpdir_exists(&b.t, "10.snap") && tmpdir_exists(&b.t, "20.log"));
        sti_journal_chain_free(&b.chain);
        CHECK_OK(
                sti_journal_chain_load(&b.chain, &b.dir, STI_CHAIN_SHALLOW, false, &b.err), &b.err);
        assert_int_equal(b.chain.snap.number, 31);
        assert_int_equal(b.chain.log_count, 1);
        tear_down(&b);
    }
}

/* From logs alone; with everything gone in the end. */
static void to_nothing(void **state)
{
    struct kit_file f;
    struct bench b;

    (void)state;
    set_up(&b, NULL);
    tmpdir_write(&b.t, "5.log", "", 0); /* never begun */
    kit_log(&f, 20, 1);
    put_at(&f, "a", "1", 10);
    delete_at(&f, "a", 20);
    kit_seal(&f);
    kit_write(&f, &b.t);
    CHECK_OK(merge(&b, 21, STI_CHAIN_VERIFIED, false), &b.err);
    assert_int_equal(b.end.ops, 0);
    assert_int_equal(b.end.count, 2);
    assert_int_equal(b.end.latest, 20);
    tear_down(&b);
}

static void empty(void **state)
{
    struct kit_file f;
    struct bench b;

    (void)state;
    set_up(&b, NULL);
    kit_whole_log(&b.t, 20, 1, 5);
    CHECK_OK(sti_journal_snap_empty(&b.dir, 30, &b.err), &b.err);
    kit_snap(&f, 30, 0);
    kit_end(&f);
    check_snap(&b, "30.snap", &f);
    free(f.bytes);
    CHECK_OK(sti_journal_chain_load(&b.chain, &b.dir, STI_CHAIN_VERIFIED, false, &b.err), &b.err);
    assert_int_equal(b.chain.snap.number, 30);
    assert_int_equal(b.chain.end.count, 0);
    assert_int_equal(b.chain.log_count, 0);
    tear_down(&b);
}

/* Operations longer than what is written at a time. */
static void large(void **state)
{
    enum {
        LARGE = 700 << 10
    };

    uint8_t *bytes = calloc(1, LARGE + 64);
    struct kit_file f;
    struct bench b;

    (void)state;
    assert_non_null(bytes);
    set_up(&b, NULL);
    kit_log(&f, 20, 1);
    for (uint8_t i = 0; i < 30; i++) {
        stele_journal_op op = {.kind = STELE_JOURNAL_PUT,
                .key = stele_bytes_of(&i, 1),
                .value = stele_bytes_of(bytes + 64, i % 3 == 0 ? (size_t)LARGE : (size_t)i)};
        uint8_t *encoded = malloc(LARGE + 64);

        assert_non_null(encoded);
        kit_raw(&f, encoded, sti_journal_op_encode(encoded, &op, NULL));
        free(encoded);
    }
    kit_seal(&f);
    kit_write(&f, &b.t);
    CHECK_OK(merge(&b, 21, STI_CHAIN_VERIFIED, false), &b.err);
    assert_int_equal(b.end.ops, 30);
    free(bytes);
    tear_down(&b);
}

/* ---- What is refused, and leaves nothing. ---- */

static void check_refused(struct bench *b, uint64_t number, const char *file, uint64_t position)
{
    CHECK_CODE(merge(b, number, STI_CHAIN_SHALLOW, false), STELE_ECORRUPT);
    assert_string_equal(b->err.file, file);
    assert_int_equal(b->err.position, position);
    assert_false(tmpdir_exists(&b->t, "41.snap"));
    assert_false(tmpdir_exists(&b->t, "41.unfinished"));
}

static void damage(void **state)
{
    struct kit_file f;
    struct bench b;
    uint64_t place;

    (void)state;
    set_up(&b, NULL);
    kit_whole_snap(&b.t, 10, 5);
    kit_whole_log(&b.t, 20, 6, 9);
    kit_log(&f, 40, 10);
    put_at(&f, "x", "y", 1);
    place = f.len;
    kit_write(&f, &b.t);
    /* The last one has no end. */
    check_refused(&b, 41, "40.log", place);
    /* The first one does not reach up to it. */
    kit_whole_log(&b.t, 20, 6, 8);
    CHECK_CODE(merge(&b, 30, STI_CHAIN_SHALLOW, false), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&b.err, "operations 9 to 9 are missing behind the end");
    kit_whole_log(&b.t, 20, 6, 9);
    tmpdir_flip(&b.t, "20.log", 8 * 40);
    check_refused(&b, 30, "20.log", 32);
    tmpdir_flip(&b.t, "20.log", 8 * 40);
    tmpdir_flip(&b.t, "10.snap", 8 * 40);
    check_refused(&b, 30, "10.snap", 32);
    /* A header that was there once. */
    kit_whole_snap(&b.t, 10, 5);
    kit_whole_log(&b.t, 40, 10, 12);
    tmpdir_flip(&b.t, "40.log", 0);
    check_refused(&b, 41, "40.log", 0);
    tear_down(&b);
}

/* Each operation of the disk fails in turn: an error, and no file more than before. */
static void disk_failures(void **state)
{
    bool reached = true;
    int failed = 0;

    (void)state;
    for (int at = 0; reached; at++) {
        struct faulty faulty;
        stele_code rc;
        struct bench b;
        stele_env env;

        faulty_init(&faulty);
        stele_env_init(&env);
        env.vfs = &faulty.wrap.vfs;
        set_up(&b, &env);
        kit_whole_log(&b.t, 20, 1, 9);
        kit_whole_log(&b.t, 30, 10, 12);
        CHECK_OK(
                sti_journal_chain_load(&b.chain, &b.dir, STI_CHAIN_SHALLOW, false, &b.err), &b.err);
        faulty_fail(&faulty, at, at % 2 == 0 ? ENOSPC : EIO);
        rc = sti_journal_snap_merge(&b.dir, &b.chain, 31, seed, &b.end, &b.err);
        reached = faulty.ops > at;
        failed += rc != STELE_OK ? 1 : 0;
        faulty_fail(&faulty, -1, 0);
        assert_true(rc == STELE_OK || rc == STELE_EIO || rc == STELE_ENOSPC);
        assert_true(tmpdir_exists(&b.t, "31.snap") == (rc == STELE_OK));
        assert_false(tmpdir_exists(&b.t, "31.unfinished"));
        assert_true(tmpdir_exists(&b.t, "20.log") && tmpdir_exists(&b.t, "30.log"));
        tear_down(&b);
    }
    assert_true(failed >= 7);
}

struct nth {
    int calls;
    int fail_at;
};

static bool fails(void *arg)
{
    struct nth *n = arg;

    return n->calls++ == n->fail_at;
}

static void without_memory(void **state)
{
    struct nth n = {0, -1};
    int failed = 0;
    struct bench b;

    (void)state;
    set_up(&b, NULL);
    kit_whole_log(&b.t, 20, 1, 9);
    kit_whole_log(&b.t, 30, 10, 12);
    for (int i = 0; n.calls > n.fail_at; i++) {
        stele_code rc;

        sti_journal_chain_free(&b.chain);
        CHECK_OK(sti_journal_chain_load(&b.chain, &b.dir, STI_CHAIN_SHALLOW, i % 2 == 0, &b.err),
                &b.err);
        n = (struct nth){0, i};
        sti_alloc_set_hook(fails, &n);
        rc = sti_journal_snap_merge(&b.dir, &b.chain, 31, seed, &b.end, &b.err);
        sti_alloc_set_hook(NULL, NULL);
        assert_true(rc == STELE_OK || rc == STELE_ENOMEM);
        assert_true(tmpdir_exists(&b.t, "31.snap") == (rc == STELE_OK));
        assert_false(tmpdir_exists(&b.t, "31.unfinished"));
        (void)sti_dir_unlink(&b.dir, "31.snap", NULL, NULL);
        failed += rc == STELE_OK ? 0 : 1;
    }
    assert_true(failed > 8);
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(merges),
            cmocka_unit_test(to_nothing),
            cmocka_unit_test(empty),
            cmocka_unit_test(large),
            cmocka_unit_test(damage),
            cmocka_unit_test(disk_failures),
            cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
