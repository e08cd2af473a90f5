/* SPDX-License-Identifier: MIT
 *
 * lock_test.c: one process records, others play beside it.
 */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a child: try to record, and tell the code by the exit status. */
static int child_records(struct kit *k)
{
    stele_journal *j = NULL;
    char pid[32];
    stele_code rc = stele_journal_open(&j, k->dir.path, NULL, &k->err);

    (void)snprintf(pid, sizeof pid, "process %ld", (long)getppid());
    if (rc != STELE_OK) {
        return 1;
    }
    rc = stele_journal_record(j, &k->err);
    if (rc == STELE_OK) {
        return stele_journal_close(j, NULL) == STELE_OK ? 0 : 2;
    }
    if (rc != STELE_EBUSY || strstr(k->err.message, pid) == NULL) {
        return 3;
    }
    if (stele_journal_snapshot(j, NULL) != STELE_EBUSY ||
            stele_journal_clear(j, NULL) != STELE_EBUSY) {
        return 4;
    }
    (void)stele_journal_close(j, NULL);
    return 10;
}

static int in_child(struct kit *k, int (*run)(struct kit *k))
{
    int status = 0;
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(run(k));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void one_recorder(void **state)
{
    stele_journal *second = NULL;
    struct kit k;

    (void)state;
    kit_begin(&k);
    kit_record(&k);
    kit_fill(&k, 1, 5);
    assert_int_equal(in_child(&k, child_records), 10);
    /* In the same process as well. */
    CHECK_OK(stele_journal_open(&second, k.dir.path, NULL, &k.err), &k.err);
    CHECK_CODE(stele_journal_record(second, &k.err), STELE_EBUSY);
    kit_fill(&k, 6, 9);
    kit_holds(&k);
    kit_stop(&k);
    assert_int_equal(in_child(&k, child_records), 0);
    CHECK_OK(stele_journal_record(second, &k.err), &k.err);
    CHECK_CODE(stele_journal_record(k.journal, &k.err), STELE_EBUSY);
    CHECK_OK(stele_journal_close(second, &k.err), &k.err);
    kit_holds(&k);
    kit_end(&k);
}

/* ---- A reader while one records. ---- */

struct reading {
    uint64_t last; /* the largest value that was put */
};

/* The largest value is the count of operations, whatever part of them a snapshot stands for. */
static stele_code read_one(void *arg, const stele_journal_op *op, stele_error *err)
{
    struct reading *r = arg;
    char text[32] = {0};
    uint64_t value;

    (void)err;
    memcpy(text, op->value.data, op->value.len < 31 ? op->value.len : 31);
    value = strtoull(text, NULL, 10);
    r->last = value > r->last ? value : r->last;
    return STELE_OK;
}

/* Plays again and again, and never sees less than before, nor anything wrong. */
static int child_plays(struct kit *k)
{
    stele_journal *j = NULL;
    uint64_t count = 0;
    uint64_t last = 0;

    if (stele_journal_open(&j, k->dir.path, NULL, &k->err) != STELE_OK) {
        return 1;
    }
    while (!tmpdir_exists(&k->dir, "enough") || count == 0) {
        struct reading r = {0};
        stele_journal_played played;
        stele_code rc = stele_journal_play(j, read_one, &r, &played, &k->err);

        if (rc != STELE_OK) {
            (void)fprintf(stderr, "%s\n", k->err.message);
            return 2;
        }
        if (played.count < count || r.last < last || r.last != played.count) {
            (void)fprintf(stderr, "%llu after %llu, %llu after %llu\n",
                    (unsigned long long)played.count, (unsigned long long)count,
                    (unsigned long long)r.last, (unsigned long long)last);
            return 3;
        }
        count = played.count;
        last = r.last;
    }
    return stele_journal_close(j, NULL) == STELE_OK ? 0 : 4;
}

static void a_reader_beside_the_recorder(void **state)
{
    (void)state;
    for (int mode = 0; mode < 3; mode++) {
        unsigned ops = mode == 0 ? 1500 : 20000; /* each of the former waits for the disk */
        int status = 0;
        struct kit k;
        pid_t pid;

        kit_begin(&k);
        k.opts.limit = 20000;
        k.opts.durability = (stele_journal_durability)mode;
        k.opts.interval_ms = mode == 1 ? 1 : 0;
        (void)fflush(NULL);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            _exit(child_plays(&k));
        }
        kit_record(&k);
        for (unsigned i = 0; i < ops; i++) {
            CHECK_OK(kit_put(&k, i % 100, i + 1), &k.err);
            if (i % (ops / 4) == ops / 8) {
                kit_stop(&k);
                kit_record(&k);
            }
        }
        kit_stop(&k);
        tmpdir_write(&k.dir, "enough", "", 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_true(kit_stats(&k).merges > 0);
        kit_holds(&k);
        kit_end(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(one_recorder),
            cmocka_unit_test(a_reader_beside_the_recorder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
