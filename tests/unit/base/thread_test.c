/* SPDX-License-Identifier: MIT
 *
 * thread_test.c: mutexes with ranks, conditions with deadlines, threads.
 */
#include "base/thread.h"

#include "death.h"
#include "lib/check.h"

#include <signal.h>

static struct sti_mutex low;
static struct sti_mutex low_too;
static struct sti_mutex high;

static int set_up(void **state)
{
    stele_error err;

    (void)state;
    CHECK_OK(sti_mutex_init(&low, STI_RANK_STREAM_WRITE, &err), &err);
    CHECK_OK(sti_mutex_init(&low_too, STI_RANK_STREAM_WRITE, &err), &err);
    CHECK_OK(sti_mutex_init(&high, STI_RANK_LEAF, &err), &err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sti_mutex_destroy(&low);
    sti_mutex_destroy(&low_too);
    sti_mutex_destroy(&high);
    return 0;
}

static void rising(void)
{
    sti_mutex_lock(&low);
    sti_mutex_lock(&high);
    sti_mutex_unlock(&low);
    sti_mutex_unlock(&high);
    sti_mutex_lock(&low_too);
    sti_mutex_lock(&high);
    sti_mutex_unlock(&high);
    sti_mutex_unlock(&low_too);
}

static void falling(void)
{
    sti_mutex_lock(&high);
    sti_mutex_lock(&low);
    sti_mutex_unlock(&low);
    sti_mutex_unlock(&high);
}

static void equal(void)
{
    sti_mutex_lock(&low);
    sti_mutex_lock(&low_too);
    sti_mutex_unlock(&low_too);
    sti_mutex_unlock(&low);
}

/* Below a rank that was not the last one taken. */
static void falling_behind(void)
{
    sti_mutex_lock(&low);
    sti_mutex_lock(&high);
    sti_mutex_unlock(&low);
    sti_mutex_lock(&low_too);
    sti_mutex_unlock(&low_too);
    sti_mutex_unlock(&high);
}

#ifndef NDEBUG

static void unlock_alone(void) STI_NO_TSA
{
    sti_mutex_unlock(&low);
}
#endif

static void test_ranks(void **state)
{
    (void)state;
    assert_false(dies(rising));
#ifndef NDEBUG
    assert_true(dies(falling));
    assert_true(dies(equal));
    assert_true(dies(falling_behind));
    assert_true(dies(unlock_alone));
#else
    assert_false(dies(falling));
    assert_false(dies(equal));
    assert_false(dies(falling_behind));
#endif
}

enum {
    ADDERS = 4,
    ADDITIONS = 20000
};

struct counter {
    struct sti_mutex lock;
    struct sti_cond done;
    long value;
    int adders_left;
};

static void *add(void *arg)
{
    struct counter *c = arg;

    for (int i = 0; i < ADDITIONS; i++) {
        sti_mutex_lock(&c->lock);
        c->value++;
        sti_mutex_unlock(&c->lock);
        if (i % 1000 == 0) {
            sti_thread_yield();
        }
    }
    sti_mutex_lock(&c->lock);
    c->adders_left--;
    sti_cond_signal(&c->done);
    sti_mutex_unlock(&c->lock);
    return NULL;
}

static void test_mutex_and_condition(void **state)
{
    struct counter c = {.value = 0, .adders_left = ADDERS};
    struct sti_thread threads[ADDERS];
    stele_error err;

    (void)state;
    CHECK_OK(sti_mutex_init(&c.lock, STI_RANK_LEAF, &err), &err);
    CHECK_OK(sti_cond_init(&c.done, &err), &err);
    for (int i = 0; i < ADDERS; i++) {
        CHECK_OK(sti_thread_start(&threads[i], add, &c, &err), &err);
    }
    sti_mutex_lock(&c.lock);
    while (c.adders_left > 0) {
        assert_true(sti_cond_wait_until(&c.done, &c.lock, INT64_MAX));
    }
    assert_int_equal(c.value, ADDERS * ADDITIONS);
    sti_mutex_unlock(&c.lock);
    for (int i = 0; i < ADDERS; i++) {
        sti_thread_join(&threads[i]);
    }
    sti_cond_destroy(&c.done);
    sti_mutex_destroy(&c.lock);
}

struct gate {
    struct sti_mutex lock;
    struct sti_cond opened;
    bool open;
    int passed;
};

static void *pass(void *arg)
{
    struct gate *g = arg;

    sti_mutex_lock(&g->lock);
    while (!g->open) {
        sti_cond_wait(&g->opened, &g->lock);
    }
    g->passed++;
    sti_mutex_unlock(&g->lock);
    return NULL;
}

static void test_broadcast(void **state)
{
    struct gate g = {.open = false};
    struct sti_thread threads[ADDERS];
    stele_error err;

    (void)state;
    CHECK_OK(sti_mutex_init(&g.lock, STI_RANK_LEAF, &err), &err);
    CHECK_OK(sti_cond_init(&g.opened, &err), &err);
    for (int i = 0; i < ADDERS; i++) {
        CHECK_OK(sti_thread_start(&threads[i], pass, &g, &err), &err);
    }
    sti_mutex_lock(&g.lock);
    assert_int_equal(g.passed, 0);
    g.open = true;
    sti_cond_broadcast(&g.opened);
    sti_mutex_unlock(&g.lock);
    for (int i = 0; i < ADDERS; i++) {
        sti_thread_join(&threads[i]);
    }
    assert_int_equal(g.passed, ADDERS);
    sti_cond_destroy(&g.opened);
    sti_mutex_destroy(&g.lock);
}

/* Waiting ends at the deadline and not before; how long after is not ours. */
static void test_deadline(void **state)
{
    struct sti_cond never;
    stele_error err;
    int64_t until;

    (void)state;
    CHECK_OK(sti_cond_init(&never, &err), &err);
    sti_mutex_lock(&low);
    assert_false(sti_cond_wait_until(&never, &low, 0));
    assert_false(sti_cond_wait_until(&never, &low, -5));
    assert_false(sti_cond_wait_until(&never, &low, INT64_MIN));
    until = sti_monotonic_now_ns() + 20000000;
    while (sti_cond_wait_until(&never, &low, until)) {
    }
    assert_true(sti_monotonic_now_ns() >= until);
    sti_mutex_unlock(&low);
    sti_cond_destroy(&never);
}

static void test_wait_deadline(void **state)
{
    stele_wait wait = {.timeout_ms = STELE_FOREVER, .cancel = NULL};
    int64_t before;
    int64_t deadline;

    (void)state;
    assert_true(sti_wait_deadline(NULL) == INT64_MAX);
    assert_true(sti_wait_deadline(&wait) == INT64_MAX);
    wait.timeout_ms = INT64_MAX;
    assert_true(sti_wait_deadline(&wait) == INT64_MAX);
    wait.timeout_ms = INT64_MAX / 1000000; /* the product fits, the sum does not */
    assert_true(sti_wait_deadline(&wait) == INT64_MAX);
    wait.timeout_ms = 1500;
    before = sti_monotonic_now_ns();
    deadline = sti_wait_deadline(&wait);
    assert_true(deadline >= before + 1500000000LL);
    assert_true(deadline <= sti_monotonic_now_ns() + 1500000000LL);
    wait.timeout_ms = 0;
    assert_true(sti_wait_deadline(&wait) <= sti_monotonic_now_ns());
}

static void *blocked_signals(void *arg)
{
    sigset_t *set = arg;

    (void)pthread_sigmask(SIG_BLOCK, NULL, set);
    return NULL;
}

/* A thread of the library runs no handlers, and starting one changes nothing
 * for the thread of the program. */
static void test_signals_are_blocked(void **state)
{
    struct sti_thread thread;
    stele_error err;
    sigset_t inside;
    sigset_t outside;

    (void)state;
    (void)sigemptyset(&inside);
    CHECK_OK(sti_thread_start(&thread, blocked_signals, &inside, &err), &err);
    sti_thread_join(&thread);
    assert_int_equal(sigismember(&inside, SIGINT), 1);
    assert_int_equal(sigismember(&inside, SIGTERM), 1);
    assert_int_equal(sigismember(&inside, SIGUSR1), 1);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &outside);
    assert_int_equal(sigismember(&outside, SIGUSR1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_ranks),
            cmocka_unit_test(test_mutex_and_condition),
            cmocka_unit_test(test_broadcast),
            cmocka_unit_test(test_deadline),
            cmocka_unit_test(test_wait_deadline),
            cmocka_unit_test(test_signals_are_blocked),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
