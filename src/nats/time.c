/* SPDX-License-Identifier: MIT
 *
 * time.c: the system's clock, and waiting by it.
 *
 * The public interface of a cancel token can be asked, but wakes nobody, so that who waits with one
 * looks every few milliseconds.
 */
#include "nats/state.h"

#include <errno.h>
#include <time.h>

enum {
    LOOK_EVERY_NS = 10000000
};

int64_t sti_nats_now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

bool sti_nats_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    bool made;

    if (pthread_condattr_init(&attr) != 0) {
        return false;
    }
    made = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
           pthread_cond_init(cond, &attr) == 0;
    (void)pthread_condattr_destroy(&attr);
    return made;
}

bool sti_nats_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_ns)
{
    struct timespec t = {.tv_sec = (time_t)(deadline_ns / 1000000000),
            .tv_nsec = (long)(deadline_ns % 1000000000)};

    if (deadline_ns == INT64_MAX) {
        (void)pthread_cond_wait(cond, lock);
        return true;
    }
    return pthread_cond_timedwait(cond, lock, &t) != ETIMEDOUT;
}

int64_t sti_nats_deadline(const stele_wait *wait)
{
    int64_t now = sti_nats_now_ns();

    if (wait == NULL || wait->timeout_ms < 0 || wait->timeout_ms > (INT64_MAX - now) / 1000000) {
        return INT64_MAX;
    }
    return now + wait->timeout_ms * 1000000;
}

stele_code sti_nats_await(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_ns,
        const stele_cancel *cancel)
{
    int64_t now = sti_nats_now_ns();
    int64_t until = deadline_ns;

    if (stele_cancel_triggered(cancel)) {
        return STELE_ECANCELED;
    }
    if (now >= deadline_ns) {
        return STELE_ETIMEDOUT;
    }
    if (cancel != NULL && deadline_ns - now > LOOK_EVERY_NS) {
        until = now + LOOK_EVERY_NS;
    }
    (void)sti_nats_cond_wait(cond, lock, until);
    return STELE_OK;
}
