/* SPDX-License-Identifier: MIT
 *
 * chain_test.c: which files make up a journal, whatever else is in its directory.
 */
#include "journal/chain.h"

#include "base/alloc.h"
#include "kit.h"
#include "lib/wrap.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct bench {
    struct tmpdir t;
    struct sti_dir dir;
    struct sti_journal_chain chain;
    stele_error err;
};

static void set_up(struct bench *b)
{
    memset(b, 0, sizeof *b);
    tmpdir_make(&b->t);
    kit_dir(&b->dir, &b->t);
}

static void tear_down(struct bench *b)
{
    sti_journal_chain_free(&b->chain);
    sti_dir_close(&b->dir);
    tmpdir_remove(&b->t);
}

static stele_code load(struct bench *b, enum sti_journal_depth depth)
{
    sti_journal_chain_free(&b->chain);
    return sti_journal_chain_load(&b->chain, &b->dir, depth, false, &b->err);
}

/* At either depth it is this snapshot (0: none), and so many logs. */
static void check_chain(struct bench *b, uint64_t snap, uint64_t count, size_t logs, size_t old)
{
    for (int depth = STI_CHAIN_VERIFIED; depth <= STI_CHAIN_SHALLOW; depth++) {
        CHECK_OK(load(b, (enum sti_journal_depth)depth), &b->err);
        assert_int_equal(b->chain.snap.number, snap);
        assert_int_equal(b->chain.end.count, count);
        assert_int_equal(b->chain.log_count, logs);
        assert_int_equal(b->chain.old_count, old);
        assert_true(snap != 0 || b->chain.end.latest == INT64_MIN);
    }
}

static void check_corrupt(struct bench *b, const char *file, const char *text)
{
    for (int depth = STI_CHAIN_VERIFIED; depth <= STI_CHAIN_SHALLOW; depth++) {
        CHECK_CODE(load(b, (enum sti_journal_depth)depth), STELE_ECORRUPT);
        assert_string_equal(b->err.file, file);
        CHECK_MESSAGE_HAS(&b->err, text);
        assert_null(b->chain.logs);
    }
}

static void empty_and_foreign(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b);
    check_chain(&b, 0, 0, 0, 0);
    assert_int_equal(b.chain.highest, 0);
    tmpdir_write(&b.t, "notes.txt", "x", 1);
    tmpdir_write(&b.t, "quarantine-99.log-00000000000000000000", "x", 1);
    tmpdir_write(&b.t, ".lock", "", 0);
    check_chain(&b, 0, 0, 0, 0);
    assert_int_equal(b.chain.highest, 0);
    tear_down(&b);
}

static void logs_alone(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b);
    kit_whole_log(&b.t, 10, 1, 5);
    kit_whole_log(&b.t, 20, 6, 6);
    kit_whole_log(&b.t, 9, 1, 0); /* nothing was recorded; it sorts first */
    check_chain(&b, 0, 0, 3, 0);
    assert_int_equal(b.chain.begun_count, 3);
    assert_int_equal(b.chain.highest, 20);
    assert_int_equal(b.chain.logs[0].number, 9);
    assert_true(sti_journal_chain_limit(&b.chain, 0) == 1);
    assert_true(sti_journal_chain_limit(&b.chain, 1) == 6);
    assert_true(sti_journal_chain_limit(&b.chain, 2) == UINT64_MAX);
    /* The newest is not mapped: it may become shorter. */
    assert_non_null(b.chain.logs[1].seg->map);
    assert_null(b.chain.logs[2].seg->map);
    tear_down(&b);
}

static void a_snapshot_and_logs(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b);
    kit_whole_snap(&b.t, 15, 5);
    check_chain(&b, 15, 5, 0, 0);
    kit_whole_log(&b.t, 20, 6, 9);
    kit_whole_log(&b.t, 30, 10, 12);
    check_chain(&b, 15, 5, 2, 0);
    assert_false(b.chain.verified);
    /* Superseded files, and one that was never finished. */
    kit_whole_log(&b.t, 10, 1, 5);
    kit_whole_log(&b.t, 15, 1, 5);
    kit_whole_snap(&b.t, 5, 0);
    tmpdir_write(&b.t, "31.unfinished", "x", 1);
    check_chain(&b, 15, 5, 2, 4);
    assert_true(b.chain.verified);
    assert_int_equal(b.chain.highest, 31);
    assert_int_equal(b.chain.old[0].number, 5);
    assert_int_equal(b.chain.old[0].kind, STI_JOURNAL_NAME_SNAP);
    assert_int_equal(b.chain.old[1].number, 10);
    assert_int_equal(b.chain.old[3].kind, STI_JOURNAL_NAME_UNFINISHED);
    /* Of two snapshots it is the newest. */
    kit_whole_snap(&b.t, 25, 9);
    check_chain(&b, 25, 9, 1, 6);
    tear_down(&b);
}

/* Logs that have no header yet are there, and are told apart from those that were begun. */
static void prepared_logs(void **state)
{
    struct bench b;
    char zeros[100] = {0};

    (void)state;
    set_up(&b);
    tmpdir_write(&b.t, "5.log", zeros, sizeof zeros);
    check_chain(&b, 0, 0, 1, 0);
    assert_int_equal(b.chain.begun_count, 0);
    kit_whole_log(&b.t, 10, 1, 5);
    tmpdir_write(&b.t, "20.log", "", 0);
    check_chain(&b, 0, 0, 3, 0);
    assert_int_equal(b.chain.begun_count, 2);
    assert_null(b.chain.logs[1].seg->map);
    kit_whole_log(&b.t, 30, 6, 7);
    check_chain(&b, 0, 0, 4, 0);
    assert_int_equal(b.chain.begun_count, 4);
    assert_true(sti_journal_chain_limit(&b.chain, 1) == 6);
    tear_down(&b);
}

static void operations_are_missing(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b);
    kit_whole_log(&b.t, 10, 3, 5);
    check_corrupt(&b, "10.log", "operations 1 to 2 are missing");
    kit_whole_snap(&b.t, 5, 1);
    check_corrupt(&b, "10.log", "operations 2 to 2 are missing");
    kit_whole_snap(&b.t, 5, 3);
    check_corrupt(&b, "10.log", "begins with operation 3");
    kit_whole_snap(&b.t, 5, 2);
    check_chain(&b, 5, 2, 1, 0);
    kit_whole_log(&b.t, 20, 2, 5);
    check_corrupt(&b, "20.log", "begins with operation 2");
    tear_down(&b);
}

static void falls_back(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b);
    kit_whole_snap(&b.t, 15, 5);
    kit_whole_log(&b.t, 20, 6, 9);
    kit_whole_log(&b.t, 30, 10, 12);
    kit_whole_snap(&b.t, 25, 9);
    kit_whole_snap(&b.t, 28, 9);
    /* A byte in the midst of each, which only reading it whole shows. */
    tmpdir_flip(&b.t, "25.snap", 8 * 100);
    check_chain(&b, 28, 9, 1, 3);
    assert_int_equal(b.chain.bad_count, 0);
    tmpdir_flip(&b.t, "28.snap", 8 * 100);
    check_chain(&b, 15, 5, 2, 0);
    assert_int_equal(b.chain.bad_count, 2);
    assert_int_equal(b.chain.bad[0].number, 25);
    assert_int_equal(b.chain.bad[1].number, 28);
    assert_string_equal(b.chain.bad_why.file, "28.snap");
    /* To none at all, if the logs begin with the first operation. */
    kit_whole_log(&b.t, 10, 1, 5);
    tmpdir_flip(&b.t, "15.snap", 8 * 40);
    check_chain(&b, 0, 0, 3, 0);
    assert_int_equal(b.chain.bad_count, 3);
    /* Not where something is missing in between. */
    tmpdir_flip(&b.t, "20.log", 8 * 40);
    check_corrupt(&b, "28.snap", "no older snapshot");
    kit_whole_log(&b.t, 20, 6, 8);
    check_corrupt(&b, "28.snap", "no older snapshot");
    kit_whole_log(&b.t, 20, 7, 9);
    check_corrupt(&b, "28.snap", "no older snapshot");
    tear_down(&b);
}

/* Behind the damaged snapshot there is nothing, as after a merge while nobody records: what is
 * older has to end just where it ends. */
static void stands_in(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b);
    kit_whole_snap(&b.t, 15, 5);
    kit_whole_log(&b.t, 20, 6, 9);
    kit_whole_snap(&b.t, 25, 9);
    tmpdir_flip(&b.t, "25.snap", 8 * 100);
    check_chain(&b, 15, 5, 1, 0);
    /* Its log is gone already, or it is another one. */
    kit_whole_log(&b.t, 20, 6, 8);
    check_corrupt(&b, "25.snap", "no older snapshot");
    kit_whole_log(&b.t, 20, 6, 10);
    check_corrupt(&b, "25.snap", "no older snapshot");
    (void)sti_dir_unlink(&b.dir, "20.log", NULL, NULL);
    check_corrupt(&b, "25.snap", "no older snapshot");
    (void)sti_dir_unlink(&b.dir, "15.snap", NULL, NULL);
    tmpdir_flip(&b.t, "25.snap", 8 * (tmpdir_size(&b.t, "25.snap") - 1));
    check_corrupt(&b, "25.snap", "no older snapshot");
    /* What a clear put there must not bring back what was cleared. */
    kit_whole_log(&b.t, 20, 1, 9);
    check_chain(&b, 0, 0, 1, 0);
    kit_whole_snap(&b.t, 25, 0);
    check_chain(&b, 25, 0, 0, 1);
    tmpdir_flip(&b.t, "25.snap", 8 * 60);
    check_corrupt(&b, "25.snap", "no older snapshot");
    /* Without a header nobody knows, unless a log goes on behind it. */
    kit_whole_snap(&b.t, 25, 9);
    tmpdir_flip(&b.t, "25.snap", 8 * 9);
    check_corrupt(&b, "25.snap", "no older snapshot");
    kit_whole_log(&b.t, 30, 10, 10);
    check_chain(&b, 0, 0, 2, 0);
    tear_down(&b);
}

/* A snapshot that is damaged, whose logs are gone. */
static void nothing_to_fall_back_to(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b);
    kit_whole_snap(&b.t, 15, 5);
    kit_whole_log(&b.t, 20, 6, 9);
    tmpdir_flip(&b.t, "15.snap", 8 * 40);
    CHECK_CODE(load(&b, STI_CHAIN_VERIFIED), STELE_ECORRUPT);
    assert_string_equal(b.err.file, "15.snap");
    /* With nothing else there its header and end alone are looked at. */
    CHECK_OK(load(&b, STI_CHAIN_SHALLOW), &b.err);
    assert_false(b.chain.verified);
    tmpdir_flip(&b.t, "15.snap", 8 * 40);
    tmpdir_cut(&b.t, "15.snap", tmpdir_size(&b.t, "15.snap") - 1);
    check_corrupt(&b, "15.snap", "no older snapshot");
    tear_down(&b);
}

/* More logs than a process may have files: they are given back. */
static void many_logs(void **state)
{
    enum {
        MANY = 1500
    };

    struct bench b;
    size_t open = 0;

    (void)state;
    set_up(&b);
    for (uint64_t i = 0; i < MANY; i++) {
        kit_whole_log(&b.t, 100 + i, 1 + i, 1 + i);
    }
    check_chain(&b, 0, 0, MANY, 0);
    for (size_t i = 0; i < MANY; i++) {
        open += b.chain.logs[i].seg->file.raw != NULL ? 1 : 0;
        assert_true(i == MANY - 1 || b.chain.logs[i].seg->map != NULL);
    }
    assert_int_equal(open, 1);
    /* Prepared logs behind it do not make it any other. */
    sti_journal_chain_free(&b.chain);
    for (uint64_t i = 0; i < 100; i++) {
        char name[STELE_JOURNAL_NAME_SIZE];

        kit_name(name, ".log", 5000 + i);
        tmpdir_write(&b.t, name, "", 0);
    }
    check_chain(&b, 0, 0, MANY + 100, 0);
    assert_int_equal(b.chain.begun_count, MANY);
    assert_non_null(b.chain.logs[MANY - 1].seg->file.raw);
    assert_null(b.chain.logs[MANY - 1].seg->map);
    tear_down(&b);
}

/* ---- While a recorder merges. ---- */

/* Right before `at`-th file is opened the recorder does its work: all at once. */
struct meddler {
    struct wrap_vfs wrap;
    const struct tmpdir *t;
    int at;
    int opens;
};

static void drop(const struct tmpdir *t, const char *name)
{
    char path[TMPDIR_PATH_SIZE];

    tmpdir_path(t, name, path);
    (void)unlink(path);
}

static int meddle(struct wrap_vfs *w, const struct wrap_call *call)
{
    struct meddler *m = (struct meddler *)w;

    if (call->op == WRAP_OPEN && m->opens++ == m->at) {
        kit_whole_log(m->t, 40, 10, 12);
        kit_whole_snap(m->t, 35, 9);
        drop(m->t, "15.snap");
        drop(m->t, "20.log");
        drop(m->t, "30.log");
    }
    return 0;
}

static void beside_a_recorder(void **state)
{
    (void)state;
    for (int at = 0; at < 4; at++) {
        struct bench b;
        struct meddler m = {.at = at};
        stele_env env;

        set_up(&b);
        sti_dir_close(&b.dir);
        wrap_init(&m.wrap, meddle);
        m.t = &b.t;
        stele_env_init(&env);
        env.vfs = &m.wrap.vfs;
        CHECK_OK(sti_dir_open(&b.dir, &env, b.t.path, STELE_OPEN_READ, &b.err), &b.err);
        kit_whole_snap(&b.t, 15, 5);
        kit_whole_log(&b.t, 20, 6, 7);
        kit_whole_log(&b.t, 30, 8, 9);
        CHECK_OK(load(&b, STI_CHAIN_VERIFIED), &b.err);
        /* Files that were open are what they were. */
        if (at < 3) {
            assert_int_equal(b.chain.snap.number, 35);
            assert_int_equal(b.chain.log_count, 1);
        } else {
            assert_int_equal(b.chain.snap.number, 15);
            assert_int_equal(b.chain.log_count, 2);
        }
        tear_down(&b);
    }
}

/* ---- Without memory. ---- */

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
    struct bench b;
    int total;

    (void)state;
    set_up(&b);
    kit_whole_snap(&b.t, 15, 5);
    kit_whole_log(&b.t, 20, 6, 7);
    kit_whole_log(&b.t, 30, 8, 9);
    kit_whole_snap(&b.t, 35, 9);
    tmpdir_flip(&b.t, "35.snap", 8 * 40);
    sti_alloc_set_hook(fails, &n);
    CHECK_OK(load(&b, STI_CHAIN_VERIFIED), &b.err);
    total = n.calls;
    for (int i = 0; i < total; i++) {
        n = (struct nth){0, i};
        CHECK_CODE(load(&b, STI_CHAIN_VERIFIED), STELE_ENOMEM);
    }
    sti_alloc_set_hook(NULL, NULL);
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(empty_and_foreign),
            cmocka_unit_test(logs_alone),
            cmocka_unit_test(a_snapshot_and_logs),
            cmocka_unit_test(prepared_logs),
            cmocka_unit_test(operations_are_missing),
            cmocka_unit_test(falls_back),
            cmocka_unit_test(stands_in),
            cmocka_unit_test(nothing_to_fall_back_to),
            cmocka_unit_test(many_logs),
            cmocka_unit_test(beside_a_recorder),
            cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
