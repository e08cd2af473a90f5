/* SPDX-License-Identifier: MIT
 *
 * commit_test.c: when commits are made, the hook before them, and those that fail.
 *
 * A file that may not grow (RLIMIT_FSIZE) stands for a disk that is broken: LMDB's write fails with
 * EFBIG. It is set in a child process.
 */
#include "kit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static stele_store_stats stat_now(struct kit *k)
{
    stele_store_stats stats;
    stele_error err;

    CHECK_OK(stele_store_stat(k->s, &stats, &err), &err);
    return stats;
}

static void test_commit_in_a_batch(void **state)
{
    struct kit *k = *state;
    stele_store_batch *b = kit_begin(k);
    stele_error err;

    kit_create(b, "b");
    kit_put(b, "b", "a", "1");
    CHECK_OK(stele_store_batch_commit(b, &err), &err);
    assert_int_equal(stat_now(k).keys, 1);
    assert_int_equal(stat_now(k).waiting_writes, 0);
    kit_check_now(k, "b", "a=1");
    kit_put(b, "b", "b", "2");
    kit_check_all(stele_store_batch_view(b), "b", "a=1 b=2");
    kit_check_now(k, "b", "a=1");
    CHECK_OK(stele_store_batch_commit(b, &err), &err);
    CHECK_OK(stele_store_batch_commit(b, &err), &err);
    kit_put(b, "b", "c", "3");
    stele_store_batch_abort(b);
    kit_check_now(k, "b", "a=1 b=2");
    b = kit_begin(k);
    kit_put(b, "b", "d", "4");
    CHECK_OK(stele_store_batch_commit_and_stop(b, &err), &err);
    assert_int_equal(stat_now(k).keys, 3);
    assert_int_equal(stat_now(k).commits, 3);
    kit_check_now(k, "b", "a=1 b=2 d=4");
}

/* Without a thread, the batch that reaches the limit commits. */
static void test_limit(void **state)
{
    struct kit *k = *state;
    stele_store_batch *b;

    kit_close(k);
    k->options.batch_limit = 4;
    kit_open(k);
    kit_put_one(k, "b", "a", "1");
    assert_int_equal(stat_now(k).commits, 0);
    b = kit_begin(k);
    kit_put(b, "b", "b", "2");
    kit_put(b, "b", "c", "3");
    kit_end(b);
    assert_int_equal(stat_now(k).commits, 1);
    assert_int_equal(stat_now(k).keys, 3);
    kit_put_one(k, "b", "d", "4");
    assert_int_equal(stat_now(k).commits, 1);
    assert_int_equal(stat_now(k).waiting_writes, 1);
}

static uint64_t fake_time;

static uint64_t fake_monotonic(void *arg)
{
    (void)arg;
    return fake_time;
}

static void test_interval(void **state)
{
    struct kit *k = *state;
    stele_env env;

    kit_close(k);
    stele_env_init(&env);
    env.monotonic_ns = fake_monotonic;
    fake_time = 1000;
    k->options.env = &env;
    k->options.batch_interval_ms = 50;
    kit_open(k);
    kit_put_one(k, "b", "a", "1");
    fake_time += UINT64_C(49000000);
    kit_put_one(k, "b", "b", "1");
    assert_int_equal(stat_now(k).commits, 0);
    fake_time += UINT64_C(2000000);
    kit_put_one(k, "b", "c", "1");
    assert_int_equal(stat_now(k).commits, 1);
    kit_close(k);
    k->options.env = NULL;
    kit_open(k);
    kit_check_now(k, "b", "a=1 b=1 c=1");
}

/* The thread does it by itself: the test waits as long as that takes. */
static void test_thread(void **state)
{
    struct kit *k = *state;
    stele_store_stats stats;

    kit_close(k);
    k->options.no_background = false;
    k->options.batch_interval_ms = 1;
    kit_open(k);
    for (unsigned i = 0; i < 5; i++) {
        kit_put_one(k, "b", "k", "v");
        do {
            usleep(200);
            stats = stat_now(k);
        } while (stats.waiting_writes > 0 || stats.commits < i + 1);
    }
    kit_close(k);
    k->options.batch_interval_ms = 1000000;
    k->options.batch_limit = 10;
    kit_open(k);
    for (unsigned i = 0; i < 10; i++) {
        kit_put_one(k, "b", "k", "v");
    }
    do {
        usleep(200);
        stats = stat_now(k);
    } while (stats.commits == 0);
}

/* A bucket with more entries than a commit removes goes bit by bit. */
static void test_garbage(void **state)
{
    struct kit *k = *state;
    stele_store_batch *b = kit_begin(k);
    uint64_t before;
    uint64_t after;
    stele_error err;

    kit_create(b, "b");
    for (int i = 0; i < 10000; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "%08d", i);
        kit_put(b, "b", key, "some value of some length");
    }
    kit_end(b);
    kit_commit(k);
    CHECK_OK(stele_store_size_in_use(k->s, &before, &err), &err);
    b = kit_begin(k);
    CHECK_OK(stele_store_batch_delete_bucket(b, stele_str("b"), &err), &err);
    kit_end(b);
    for (int i = 0; i < 5; i++) {
        kit_commit(k);
    }
    CHECK_OK(stele_store_size_in_use(k->s, &after, &err), &err);
    assert_true(after < before / 4);
    assert_int_equal(stat_now(k).buckets, 0);
}

/* ---- The hook. ---- */

struct hook {
    int calls;
    stele_code code;
    stele_code inside; /* of what it must not do */
};

static stele_code before_commit(void *arg, stele_store_batch *batch, stele_error *err)
{
    struct hook *h = arg;
    char text[16];

    h->calls++;
    (void)snprintf(text, sizeof text, "%d", h->calls);
    kit_create(batch, "hook");
    kit_put(batch, "hook", "calls", text);
    kit_check(stele_store_batch_view(batch), "hook", "calls", text);
    h->inside = stele_store_batch_end(batch, err);
    stele_store_batch_abort(batch);
    return h->code;
}

static void test_hook(void **state)
{
    struct kit *k = *state;
    struct hook hook = {.code = STELE_OK};
    stele_store_batch *b;
    stele_error err;

    kit_close(k);
    k->options.before_commit = before_commit;
    k->options.before_commit_arg = &hook;
    kit_open(k);
    kit_commit(k);
    assert_int_equal(hook.calls, 0);
    kit_put_one(k, "b", "a", "1");
    kit_commit(k);
    kit_commit(k);
    assert_int_equal(hook.calls, 1);
    CHECK_CODE(hook.inside, STELE_EINVAL);
    kit_check_now(k, "hook", "calls=1");
    b = kit_begin(k);
    kit_put(b, "b", "b", "2");
    CHECK_OK(stele_store_batch_commit(b, &err), &err);
    kit_check_all(stele_store_batch_view(b), "hook", "calls=2");
    hook.code = STELE_EPEER;
    kit_put(b, "b", "c", "3");
    CHECK_CODE(stele_store_batch_commit(b, &err), STELE_EPEER);
    CHECK_MESSAGE_HAS(&err, "before the commit");
    kit_put(b, "b", "d", "4");
    kit_end(b);
    kit_check_now(k, "hook", "calls=2");
    kit_check_now(k, "b", "a=1 b=2 c=3 d=4");
    assert_int_equal(stat_now(k).keys, 3);
    CHECK_CODE(stele_store_commit(k->s, &err), STELE_EPEER);
    hook.code = STELE_OK;
    kit_commit(k);
    assert_int_equal(stat_now(k).keys, 5);
    kit_close(k);
    k->options.before_commit = NULL;
    kit_open(k);
    kit_check_now(k, "hook", "calls=5");
    kit_check_now(k, "b", "a=1 b=2 c=3 d=4");
}

/* ---- Failures. ---- */

static void limit_files(rlim_t size)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void fail_in_child(struct kit *k)
{
    stele_store_batch *b = NULL;
    stele_store_read *r;
    stele_error err;

    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    kit_open(k);
    limit_files(4096);
    kit_put_one(k, "b", "b", "2");
    b = kit_begin(k);
    kit_put(b, "b", "c", "3");
    CHECK_CODE(stele_store_batch_commit(b, &err), STELE_EFAILED);
    CHECK_MESSAGE_HAS(&err, "2 waiting writes are lost");
    CHECK_CODE(stele_store_batch_put(b, stele_str("b"), stele_nil(), stele_nil(), &err),
            STELE_EFAILED);
    CHECK_CODE(stele_store_batch_end(b, &err), STELE_EFAILED);
    CHECK_CODE(stele_store_batch_begin(&b, k->s, NULL, &err), STELE_EFAILED);
    CHECK_CODE(stele_store_commit(k->s, &err), STELE_EFAILED);
    assert_true(stat_now(k).failed);
    r = kit_read(k);
    kit_check_all(r, "b", "a=1 b=2 c=3");
    stele_store_read_end(r);
    limit_files(RLIM_INFINITY);
    CHECK_CODE(stele_store_commit(k->s, &err), STELE_EFAILED);
    CHECK_CODE(stele_store_close(k->s, &err), STELE_EFAILED);
    CHECK_MESSAGE_HAS(&err, "2 waiting writes are lost");
    k->s = NULL;
}

static void test_poison(void **state)
{
    struct kit *k = *state;
    int status = -1;
    pid_t child;

    kit_put_one(k, "b", "a", "1");
    kit_close(k);
    child = fork();
    if (child == 0) {
        fail_in_child(k);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    kit_open(k);
    kit_check_now(k, "b", "a=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_commit_in_a_batch, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_limit, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_interval, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_thread, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_garbage, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_hook, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_poison, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
