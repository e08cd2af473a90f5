/* SPDX-License-Identifier: MIT
 *
 * lock_test.c: one owner, who is named, and readers beside each other.
 */
#include "base/error.h"
#include "base/thread.h"
#include "lib/check.h"
#include "lib/faulty.h"
#include "lib/tmpdir.h"
#include "vfs/vfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    struct tmpdir tmp;
    struct faulty faulty;
    struct sti_dir dir;
};

static int set_up(void **state)
{
    struct fixture *fix = calloc(1, sizeof *fix);
    stele_error err;
    stele_env env;

    assert_non_null(fix);
    tmpdir_make(&fix->tmp);
    faulty_init(&fix->faulty);
    stele_env_init(&env);
    env.vfs = &fix->faulty.wrap.vfs;
    CHECK_OK(sti_dir_open(&fix->dir, &env, fix->tmp.path, STELE_OPEN_READ, &err), &err);
    *state = fix;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fix = *state;

    sti_dir_close(&fix->dir);
    tmpdir_remove(&fix->tmp);
    free(fix);
    return 0;
}

static stele_code take(struct fixture *fix, struct sti_file *lock, bool exclusive, int64_t wait_ms,
        stele_error *err)
{
    return sti_lock_take(lock, &fix->dir, ".lock", exclusive, wait_ms, err);
}

static void check_pid_in_file(struct fixture *fix, long long pid)
{
    char expected[32];
    size_t len;
    uint8_t *data = tmpdir_read(&fix->tmp, ".lock", &len);

    (void)snprintf(expected, sizeof expected, "%lld\n", pid);
    CHECK_BYTES(stele_bytes_of(data, len), stele_str(expected));
    free(data);
}

static void check_busy(struct fixture *fix, const stele_error *err, const char *owner)
{
    char text[2 * TMPDIR_PATH_SIZE];

    (void)snprintf(text, sizeof text, "%s: locked by %s", fix->tmp.path, owner);
    CHECK_MESSAGE(err, text);
}

static void test_exclusive(void **state)
{
    struct fixture *fix = *state;
    struct sti_file a = {.raw = NULL};
    struct sti_file b = {.raw = NULL};
    char owner[64];
    stele_error err;

    tmpdir_write(&fix->tmp, ".lock", "a much longer text of before\n", 29);
    CHECK_OK(take(fix, &a, true, 0, &err), &err);
    check_pid_in_file(fix, (long long)getpid());
    CHECK_CODE(take(fix, &b, true, 0, &err), STELE_EBUSY);
    (void)snprintf(owner, sizeof owner, "process %lld", (long long)getpid());
    check_busy(fix, &err, owner);
    CHECK_CODE(take(fix, &b, false, 0, &err), STELE_EBUSY);
    check_busy(fix, &err, owner);
    CHECK_CODE(take(fix, &b, true, 25, NULL), STELE_EBUSY);
    assert_null(b.raw);
    sti_file_close(&a);
    CHECK_OK(take(fix, &b, true, 0, &err), &err);
    sti_file_close(&b);
}

/* The owner is another process, which also shows that its end is enough. */
static void test_owner_in_another_process(void **state)
{
    struct fixture *fix = *state;
    struct sti_file lock = {.raw = NULL};
    stele_error err;
    char owner[64];
    char ready = 0;
    int to_parent[2];
    int to_child[2];
    pid_t child;

    assert_int_equal(pipe(to_parent), 0);
    assert_int_equal(pipe(to_child), 0);
    child = fork();
    if (child == 0) {
        stele_code code = take(fix, &lock, true, 0, NULL);

        (void)close(to_child[1]);
        if (code != STELE_OK || write(to_parent[1], "r", 1) != 1 ||
                read(to_child[0], &ready, 1) != 0) {
            _exit(EXIT_FAILURE);
        }
        _exit(EXIT_SUCCESS); /* without giving it back */
    }
    (void)close(to_child[0]);
    assert_int_equal(read(to_parent[0], &ready, 1), 1);
    CHECK_CODE(take(fix, &lock, true, 0, &err), STELE_EBUSY);
    (void)snprintf(owner, sizeof owner, "process %lld", (long long)child);
    check_busy(fix, &err, owner);
    (void)close(to_child[1]); /* its signal to end */
    CHECK_OK(take(fix, &lock, true, STELE_FOREVER, &err), &err);
    check_pid_in_file(fix, (long long)getpid());
    sti_file_close(&lock);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    (void)close(to_parent[0]);
    (void)close(to_parent[1]);
}

static void test_unreadable_owner(void **state)
{
    static const char *const texts[] = {
            "", "\n", "someone\n", "12x4\n", "-5\n", "99999999999999999999"};
    struct fixture *fix = *state;
    struct sti_file a = {.raw = NULL};
    struct sti_file b = {.raw = NULL};
    stele_error err;

    CHECK_OK(take(fix, &a, true, 0, &err), &err);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        tmpdir_write(&fix->tmp, ".lock", texts[i], strlen(texts[i]));
        CHECK_CODE(take(fix, &b, true, 0, &err), STELE_EBUSY);
        check_busy(fix, &err, "another process");
    }
    /* open, lock, the question for readers, and then the read fails. */
    tmpdir_write(&fix->tmp, ".lock", "12\n", 3);
    faulty_fail(&fix->faulty, 3, EIO);
    CHECK_CODE(take(fix, &b, true, 0, &err), STELE_EBUSY);
    check_busy(fix, &err, "another process");
    sti_file_close(&a);
}

static void test_shared(void **state)
{
    struct fixture *fix = *state;
    struct sti_file a = {.raw = NULL};
    struct sti_file b = {.raw = NULL};
    struct sti_file c = {.raw = NULL};
    stele_error err;

    CHECK_OK(take(fix, &a, false, 0, &err), &err);
    assert_non_null(a.raw);
    assert_int_equal(tmpdir_size(&fix->tmp, ".lock"), 0);
    CHECK_OK(take(fix, &b, false, 0, &err), &err);
    /* The number of an earlier owner is not blamed. */
    tmpdir_write(&fix->tmp, ".lock", "1\n", 2);
    CHECK_CODE(take(fix, &c, true, 0, &err), STELE_EBUSY);
    check_busy(fix, &err, "another process that reads");
    sti_file_close(&a);
    CHECK_CODE(take(fix, &c, true, 0, &err), STELE_EBUSY);
    sti_file_close(&b);
    CHECK_OK(take(fix, &c, true, 0, &err), &err);
    check_pid_in_file(fix, (long long)getpid());
    sti_file_close(&c);
}

struct holder {
    struct sti_file lock;
    struct sti_thread thread;
};

static void *let_go(void *arg)
{
    struct holder *h = arg;

    if (sti_sleep_ms(30, NULL, NULL) == STELE_OK) {
        sti_file_close(&h->lock);
    }
    return NULL;
}

/* A time-out of minutes passes only because the lock becomes free. */
static void test_waits(void **state)
{
    struct fixture *fix = *state;
    static const int64_t waits[] = {STELE_FOREVER, 600000};
    stele_error err;

    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        struct holder h = {.lock = {.raw = NULL}};
        struct sti_file lock = {.raw = NULL};

        CHECK_OK(take(fix, &h.lock, true, 0, &err), &err);
        CHECK_OK(sti_thread_start(&h.thread, let_go, &h, &err), &err);
        CHECK_OK(take(fix, &lock, true, waits[i], &err), &err);
        sti_thread_join(&h.thread);
        sti_file_close(&lock);
    }
}

static void test_read_only_directory(void **state)
{
    static const int refusals[] = {EACCES, EROFS};
    struct fixture *fix = *state;
    struct sti_file lock = {.raw = NULL};
    stele_error err;

    /* The first attempt, without creation, finds nothing; the second fails. */
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        faulty_fail(&fix->faulty, 1, refusals[i]);
        CHECK_OK(take(fix, &lock, false, 0, &err), &err);
        assert_null(lock.raw);
        sti_file_close(&lock);
        faulty_fail(&fix->faulty, 0, refusals[i]);
        CHECK_CODE(take(fix, &lock, true, 0, &err), STELE_EPERM);
        assert_int_equal(err.sys_errno, refusals[i]);
    }
    faulty_fail(&fix->faulty, 1, EIO);
    CHECK_CODE(take(fix, &lock, false, 0, &err), STELE_EIO);
    /* A file that is there but must not be read is no reason to go without. */
    faulty_fail(&fix->faulty, 0, EACCES);
    CHECK_CODE(take(fix, &lock, false, 0, &err), STELE_EPERM);
    assert_false(tmpdir_exists(&fix->tmp, ".lock"));
}

/* open, lock, write, truncate: the first two report, and a full disk has no
 * room for the number but does not keep the owner out. */
static void test_failures(void **state)
{
    struct fixture *fix = *state;
    struct sti_file lock = {.raw = NULL};
    struct sti_file other = {.raw = NULL};
    stele_error err;

    faulty_fail(&fix->faulty, 0, EIO);
    CHECK_CODE(take(fix, &lock, true, 0, &err), STELE_EIO);
    faulty_fail(&fix->faulty, 1, EIO);
    CHECK_CODE(take(fix, &lock, true, 0, &err), STELE_EIO);
    CHECK_MESSAGE(&err, ".lock: cannot lock: Input/output error");
    assert_null(lock.raw);
    for (int i = 2; i < 4; i++) {
        tmpdir_write(&fix->tmp, ".lock", "12345678901\n", 12);
        faulty_fail(&fix->faulty, i, ENOSPC);
        CHECK_OK(take(fix, &lock, true, 0, &err), &err);
        fix->faulty.fail_at = -1;
        assert_int_equal(tmpdir_size(&fix->tmp, ".lock"), 0);
        CHECK_CODE(take(fix, &other, true, 0, &err), STELE_EBUSY);
        check_busy(fix, &err, "another process");
        sti_file_close(&lock);
    }
    CHECK_CODE(sti_lock_take(&lock, &fix->dir, "a/b", true, 0, &err), STELE_EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(test_exclusive),
            TEST(test_owner_in_another_process),
            TEST(test_unreadable_owner),
            TEST(test_shared),
            TEST(test_waits),
            TEST(test_read_only_directory),
            TEST(test_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
