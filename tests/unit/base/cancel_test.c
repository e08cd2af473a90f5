/* SPDX-License-Identifier: MIT
 *
 * cancel_test.c: a token wakes all who wait, and forgets who stopped.
 */
#include "base/alloc.h"
#include "base/thread.h"
#include "death.h"
#include "lib/check.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
    WAITERS = 4,
    ROUNDS = 300
};

static stele_cancel *new_token(void)
{
    stele_cancel *cancel = NULL;
    stele_error err;

    CHECK_OK(stele_cancel_new(&cancel, &err), &err);
    assert_non_null(cancel);
    return cancel;
}

static void test_token(void **state)
{
    stele_cancel *cancel = new_token();

    (void)state;
    assert_false(sti_cancel_triggered(NULL));
    assert_false(sti_cancel_triggered(cancel));
    assert_false(stele_cancel_triggered(NULL));
    assert_false(stele_cancel_triggered(cancel));
    stele_cancel_trigger(cancel);
    assert_true(stele_cancel_triggered(cancel));
    assert_true(sti_cancel_triggered(cancel));
    stele_cancel_trigger(cancel);
    assert_true(sti_cancel_triggered(cancel));
    stele_cancel_free(cancel);
    stele_cancel_trigger(NULL);
    stele_cancel_free(NULL);
}

static void test_no_token(void **state)
{
    struct sti_cancel_listener l;
    struct sti_mutex m;
    struct sti_cond c;
    stele_error err;

    (void)state;
    CHECK_OK(sti_mutex_init(&m, STI_RANK_STREAM_WAIT, &err), &err);
    CHECK_OK(sti_cond_init(&c, &err), &err);
    sti_cancel_listen(NULL, &l, &m, &c);
    sti_cancel_ignore(NULL, &l);
    sti_cond_destroy(&c);
    sti_mutex_destroy(&m);
}

struct waiter {
    struct sti_thread thread;
    stele_cancel *cancel;
    atomic_int *waiting;
};

/* A mutex and condition that are gone right after sti_cancel_ignore(): a
 * token that still used them would be found by the sanitizers. */
static void *wait_for_cancel(void *arg)
{
    struct waiter *w = arg;
    struct sti_cancel_listener l;
    struct sti_mutex *m = malloc(sizeof *m);
    struct sti_cond *c = malloc(sizeof *c);

    if (m == NULL || c == NULL || sti_mutex_init(m, STI_RANK_STREAM_WAIT, NULL) != STELE_OK ||
            sti_cond_init(c, NULL) != STELE_OK) {
        abort();
    }
    sti_cancel_listen(w->cancel, &l, m, c);
    atomic_fetch_add(w->waiting, 1);
    sti_mutex_lock(m);
    while (!sti_cancel_triggered(w->cancel)) {
        sti_cond_wait(c, m);
    }
    sti_mutex_unlock(m);
    sti_cancel_ignore(w->cancel, &l);
    sti_cond_destroy(c);
    sti_mutex_destroy(m);
    free(c);
    free(m);
    return NULL;
}

static void *trigger(void *arg)
{
    stele_cancel_trigger(arg);
    return NULL;
}

/* The test ends only if every waiter wakes. In the even rounds all of them
 * listen before the trigger; in the odd ones they race with it, and there is
 * a second trigger. */
static void test_wakes_all(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        stele_cancel *cancel = new_token();
        atomic_int waiting = 0;
        struct waiter waiters[WAITERS];
        struct sti_thread second;
        stele_error err;

        for (int i = 0; i < WAITERS; i++) {
            waiters[i].cancel = cancel;
            waiters[i].waiting = &waiting;
            CHECK_OK(
                    sti_thread_start(&waiters[i].thread, wait_for_cancel, &waiters[i], &err), &err);
        }
        while (round % 2 == 0 && atomic_load(&waiting) < WAITERS) {
            sti_thread_yield();
        }
        CHECK_OK(sti_thread_start(&second, trigger, cancel, &err), &err);
        stele_cancel_trigger(cancel);
        for (int i = 0; i < WAITERS; i++) {
            sti_thread_join(&waiters[i].thread);
        }
        sti_thread_join(&second);
        stele_cancel_free(cancel);
    }
}

struct meeting {
    stele_cancel *cancel;
    struct sti_mutex m;
    struct sti_cond c;
    struct sti_cancel_listener l;
    struct sti_thread triggering;
    atomic_bool ignored;
};

/* A listener is registered, its mutex held, and a trigger on its way: since
 * the flag is set in the same step that takes the listener out of the list,
 * the trigger has nothing left to do but wait for the mutex. */
static void meet(struct meeting *at) STI_ACQUIRES(at->m);

static void meet(struct meeting *at)
{
    stele_error err;

    at->cancel = new_token();
    atomic_init(&at->ignored, false);
    CHECK_OK(sti_mutex_init(&at->m, STI_RANK_STREAM_WAIT, &err), &err);
    CHECK_OK(sti_cond_init(&at->c, &err), &err);
    sti_cancel_listen(at->cancel, &at->l, &at->m, &at->c);
    sti_mutex_lock(&at->m);
    CHECK_OK(sti_thread_start(&at->triggering, trigger, at->cancel, &err), &err);
    while (!sti_cancel_triggered(at->cancel)) {
        sti_thread_yield();
    }
    /* Time for a trigger that is wrong to do its damage; a right one waits. */
    CHECK_OK(sti_sleep_ms(20, NULL, &err), &err);
}

static void part(struct meeting *at)
{
    sti_thread_join(&at->triggering);
    sti_cancel_ignore(at->cancel, &at->l);
    sti_cond_destroy(&at->c);
    sti_mutex_destroy(&at->m);
    stele_cancel_free(at->cancel);
}

/* One that has looked at the flag, but does not wait yet, is woken too: a
 * trigger that does not take the mutex would leave this test to its limit. */
static void test_no_lost_wake_up(void **state)
{
    struct meeting at;

    (void)state;
    meet(&at);
    sti_cond_wait(&at.c, &at.m);
    sti_mutex_unlock(&at.m);
    part(&at);
}

static void *ignore(void *arg)
{
    struct meeting *at = arg;

    sti_cancel_ignore(at->cancel, &at->l);
    atomic_store(&at->ignored, true);
    return NULL;
}

/* No listener is let go while the trigger is about to use its mutex. */
static void test_ignore_waits_for_the_trigger(void **state)
{
    struct meeting at;
    struct sti_thread ignoring;
    stele_error err;

    (void)state;
    meet(&at);
    CHECK_OK(sti_thread_start(&ignoring, ignore, &at, &err), &err);
    CHECK_OK(sti_sleep_ms(20, NULL, &err), &err);
    assert_false(atomic_load(&at.ignored));
    sti_mutex_unlock(&at.m);
    sti_thread_join(&ignoring);
    assert_true(atomic_load(&at.ignored));
    part(&at);
}

static void *come_and_go(void *arg)
{
    stele_cancel *cancel = arg;

    for (int i = 0; i < ROUNDS; i++) {
        struct sti_cancel_listener l;
        struct sti_mutex m;
        struct sti_cond c;

        if (sti_mutex_init(&m, STI_RANK_STREAM_WAIT, NULL) != STELE_OK ||
                sti_cond_init(&c, NULL) != STELE_OK) {
            abort();
        }
        sti_cancel_listen(cancel, &l, &m, &c);
        if (i % 3 == 0) {
            sti_thread_yield();
        }
        sti_cancel_ignore(cancel, &l);
        sti_cond_destroy(&c);
        sti_mutex_destroy(&m);
    }
    return NULL;
}

/* Listeners on the stack, removed in any order while a trigger runs. */
static void test_listeners_that_leave(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS / 10; round++) {
        stele_cancel *cancel = new_token();
        struct sti_thread threads[WAITERS];
        stele_error err;

        for (int i = 0; i < WAITERS; i++) {
            CHECK_OK(sti_thread_start(&threads[i], come_and_go, cancel, &err), &err);
        }
        for (int i = 0; i < round * 20; i++) {
            sti_thread_yield();
        }
        stele_cancel_trigger(cancel);
        for (int i = 0; i < WAITERS; i++) {
            sti_thread_join(&threads[i]);
        }
        stele_cancel_free(cancel);
    }
}

static void test_list_order(void **state)
{
    /* Each of the three leaves first, second or last. */
    static const int orders[][3] = {
            {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct sti_mutex m;
    struct sti_cond c;
    stele_error err;

    (void)state;
    CHECK_OK(sti_mutex_init(&m, STI_RANK_STREAM_WAIT, &err), &err);
    CHECK_OK(sti_cond_init(&c, &err), &err);
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        stele_cancel *cancel = new_token();
        struct sti_cancel_listener l[3];

        for (int k = 0; k < 3; k++) {
            sti_cancel_listen(cancel, &l[k], &m, &c);
        }
        for (int k = 0; k < 3; k++) {
            sti_cancel_ignore(cancel, &l[orders[i][k]]);
        }
        stele_cancel_trigger(cancel);
        /* After the trigger nobody is entered, and leaving is harmless. */
        sti_cancel_listen(cancel, &l[0], &m, &c);
        stele_cancel_free(cancel);
    }
    sti_cond_destroy(&c);
    sti_mutex_destroy(&m);
}

static void free_with_listener(void)
{
    static struct sti_cancel_listener l;
    static struct sti_mutex m;
    static struct sti_cond c;
    stele_cancel *cancel;

    if (stele_cancel_new(&cancel, NULL) == STELE_OK) {
        sti_cancel_listen(cancel, &l, &m, &c);
        stele_cancel_free(cancel);
    }
}

static void test_free_while_in_use(void **state)
{
    (void)state;
    assert_true(dies(free_with_listener));
}

static void test_sleep(void **state)
{
    stele_cancel *cancel = new_token();
    struct sti_thread thread;
    stele_error err;
    int64_t start = sti_monotonic_now_ns();

    (void)state;
    CHECK_OK(sti_sleep_ms(15, NULL, &err), &err);
    assert_true(sti_monotonic_now_ns() - start >= 15000000);
    CHECK_OK(sti_sleep_ms(0, NULL, &err), &err);
    CHECK_OK(sti_sleep_ms(1, cancel, &err), &err);
    /* Ends only because it is canceled. */
    CHECK_OK(sti_thread_start(&thread, trigger, cancel, &err), &err);
    CHECK_CODE(sti_sleep_ms(STELE_FOREVER, cancel, &err), STELE_ECANCELED);
    CHECK_MESSAGE_HAS(&err, "canceled");
    sti_thread_join(&thread);
    CHECK_CODE(sti_sleep_ms(STELE_FOREVER, cancel, &err), STELE_ECANCELED);
    CHECK_CODE(sti_sleep_ms(0, cancel, NULL), STELE_ECANCELED);
    stele_cancel_free(cancel);
}

#ifdef STI_TESTING

static bool always(void *arg)
{
    (void)arg;
    return true;
}

static void test_no_memory(void **state)
{
    stele_cancel *cancel = NULL;
    stele_error err;
    stele_code code;

    (void)state;
    sti_alloc_set_hook(always, NULL);
    code = stele_cancel_new(&cancel, &err);
    sti_alloc_set_hook(NULL, NULL);
    CHECK_CODE(code, STELE_ENOMEM);
    assert_null(cancel);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_token),
            cmocka_unit_test(test_no_token),
            cmocka_unit_test(test_wakes_all),
            cmocka_unit_test(test_listeners_that_leave),
            cmocka_unit_test(test_no_lost_wake_up),
            cmocka_unit_test(test_ignore_waits_for_the_trigger),
            cmocka_unit_test(test_list_order),
            cmocka_unit_test(test_free_while_in_use),
            cmocka_unit_test(test_sleep),
#ifdef STI_TESTING
            cmocka_unit_test(test_no_memory),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
