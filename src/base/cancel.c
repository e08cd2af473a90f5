/* SPDX-License-Identifier: MIT
 *
 * cancel.c: a token that wakes whoever waits.
 *
 * A waiter registers the mutex and the condition it is going to wait on, then
 * takes its mutex and waits as long as sti_cancel_triggered() is false. The
 * trigger sets the flag and then broadcasts each condition while it holds the
 * mutex that belongs to it: a waiter either has not yet looked at the flag,
 * and will see it, or is inside the wait, and is woken.
 *
 * The mutexes of waiters rank below the token's, so the trigger must not take
 * one while it holds the token's. It removes the first listener from the
 * list, remembers it in `waking`, and lets go of the token before it takes the
 * listener's mutex. sti_cancel_ignore() waits as long as its listener is the
 * one in `waking`; once it has returned, nothing points at the listener, its
 * mutex or its condition. That wait ends: the trigger holds nothing while it
 * asks for the listener's mutex, and whoever calls sti_cancel_ignore() must
 * not hold that one.
 *
 * The first call of the trigger does all the work, so `waking` has one
 * owner. A listener that comes after it is not entered into the list: it
 * finds the flag set before it waits.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/thread.h"

#include <stdatomic.h>

struct stele_cancel {
    struct sti_mutex lock;
    struct sti_cond woken;              /* `waking` has become NULL */
    struct sti_cancel_listener *first;  /* STI_GUARDED_BY(lock) */
    struct sti_cancel_listener *waking; /* STI_GUARDED_BY(lock) */
    atomic_bool triggered;              /* set under the lock, read without */
};

stele_code stele_cancel_new(stele_cancel **out, stele_error *err)
{
    stele_cancel *cancel = sti_calloc(1, sizeof *cancel);
    stele_code code;

    if (cancel == NULL) {
        return sti_fail_memory(err, sizeof *cancel);
    }
    code = sti_mutex_init(&cancel->lock, STI_RANK_CANCEL, err);
    if (code == STELE_OK) {
        code = sti_cond_init(&cancel->woken, err);
        if (code != STELE_OK) {
            sti_mutex_destroy(&cancel->lock);
        }
    }
    if (code != STELE_OK) {
        sti_free(cancel);
        return code;
    }
    atomic_init(&cancel->triggered, false);
    *out = cancel;
    return STELE_OK;
}

void stele_cancel_free(stele_cancel *cancel)
{
    if (cancel == NULL) {
        return;
    }
    sti_assert(cancel->first == NULL); /* a call still waits with this token */
    sti_cond_destroy(&cancel->woken);
    sti_mutex_destroy(&cancel->lock);
    sti_free(cancel);
}

/* Take `l` out of the list; under the lock of the token. */
static void unlink_listener(stele_cancel *cancel, struct sti_cancel_listener *l)
{
    if (l->prev != NULL) {
        l->prev->next = l->next;
    } else {
        cancel->first = l->next;
    }
    if (l->next != NULL) {
        l->next->prev = l->prev;
    }
    l->next = NULL;
    l->prev = NULL;
}

void stele_cancel_trigger(stele_cancel *cancel)
{
    if (cancel == NULL) {
        return;
    }
    sti_mutex_lock(&cancel->lock);
    if (!atomic_load_explicit(&cancel->triggered, memory_order_relaxed)) {
        /* Pairs with the load in sti_cancel_triggered(). */
        atomic_store_explicit(&cancel->triggered, true, memory_order_release);
        while (cancel->first != NULL) {
            struct sti_cancel_listener *l = cancel->first;
            struct sti_mutex *m = l->m;

            unlink_listener(cancel, l);
            cancel->waking = l;
            sti_mutex_unlock(&cancel->lock);

            sti_mutex_lock(m);
            sti_cond_broadcast(l->c);
            sti_mutex_unlock(m);

            sti_mutex_lock(&cancel->lock);
            cancel->waking = NULL;
            sti_cond_broadcast(&cancel->woken);
        }
    }
    sti_mutex_unlock(&cancel->lock);
}

void sti_cancel_listen(stele_cancel *cancel, struct sti_cancel_listener *l, struct sti_mutex *m,
        struct sti_cond *c)
{
    l->next = NULL;
    l->prev = NULL;
    l->m = m;
    l->c = c;
    if (cancel == NULL) {
        return;
    }
    sti_mutex_lock(&cancel->lock);
    if (!atomic_load_explicit(&cancel->triggered, memory_order_relaxed)) {
        l->next = cancel->first;
        if (l->next != NULL) {
            l->next->prev = l;
        }
        cancel->first = l;
    }
    sti_mutex_unlock(&cancel->lock);
}

void sti_cancel_ignore(stele_cancel *cancel, struct sti_cancel_listener *l)
{
    if (cancel == NULL) {
        return;
    }
    sti_mutex_lock(&cancel->lock);
    while (cancel->waking == l) {
        sti_cond_wait(&cancel->woken, &cancel->lock);
    }
    if (l->prev != NULL || cancel->first == l) {
        unlink_listener(cancel, l);
    }
    sti_mutex_unlock(&cancel->lock);
}

bool sti_cancel_triggered(const stele_cancel *cancel)
{
    /* Acquire, so that what the canceling thread did before it triggered is
     * visible to the one that gives up. */
    return cancel != NULL && atomic_load_explicit(&cancel->triggered, memory_order_acquire);
}

bool stele_cancel_triggered(const stele_cancel *cancel)
{
    return sti_cancel_triggered(cancel);
}

stele_code sti_sleep_ms(int64_t ms, stele_cancel *cancel, stele_error *err)
{
    const stele_wait wait = {.timeout_ms = ms, .cancel = cancel};
    int64_t deadline = sti_wait_deadline(&wait);
    struct sti_cancel_listener listener;
    struct sti_mutex lock;
    struct sti_cond cond;
    bool canceled;
    stele_code code = sti_mutex_init(&lock, STI_RANK_CANCEL - 1, err);

    if (code != STELE_OK) {
        return code;
    }
    code = sti_cond_init(&cond, err);
    if (code != STELE_OK) {
        goto out;
    }
    sti_cancel_listen(cancel, &listener, &lock, &cond);
    sti_mutex_lock(&lock);
    do {
        canceled = sti_cancel_triggered(cancel);
    } while (!canceled && sti_cond_wait_until(&cond, &lock, deadline));
    sti_mutex_unlock(&lock);
    sti_cancel_ignore(cancel, &listener);
    sti_cond_destroy(&cond);
    if (canceled) {
        code = sti_fail(err, STELE_ECANCELED, "canceled while sleeping");
    }
out:
    sti_mutex_destroy(&lock);
    return code;
}
