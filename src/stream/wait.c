/* SPDX-License-Identifier: MIT
 *
 * wait.c: consumers that wait for the next publish.
 *
 * A consumer that found nothing counts itself among the waiters, looks once
 * more, and sleeps. A publisher moves the next offset, and looks for waiters
 * after that; the two fences make sure that one of them sees the other.
 */
#include "base/error.h"
#include "stream/state.h"

enum {
    LIVE_POLL_MS = 20,
    NS_PER_MS = 1000000
};

void sti_stream_wake(stele_stream *s)
{
    /* Pairs with the fence in wait_for_more(). */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&s->waiters, memory_order_relaxed) > 0) {
        sti_mutex_lock(&s->wait_lock);
        sti_cond_broadcast(&s->wait_cond);
        sti_mutex_unlock(&s->wait_lock);
    }
}

/* What a blocking consumer asks for again and again. */
struct blocking {
    stele_bytes key;
    bool by_key;
    int64_t offset;
    int64_t count_max;
    stele_messages *out;
    int64_t next;
};

static stele_code ask(stele_stream *s, struct blocking *b, stele_error *err)
{
    return b->by_key ? stele_stream_consume_by_key(
                               s, b->key, b->offset, b->count_max, b->out, &b->next, err)
                     : stele_stream_consume(s, b->offset, b->count_max, b->out, &b->next, err);
}

/* Sleep until the next offset is above `seen`, or something else happens. */
static stele_code wait_for_more(
        stele_stream *s, int64_t seen, const stele_wait *wait, int64_t deadline, stele_error *err)
{
    stele_cancel *cancel = wait != NULL ? wait->cancel : NULL;
    stele_code rc = STELE_OK;

    sti_mutex_lock(&s->wait_lock);
    for (;;) {
        int64_t until = deadline;

        /* Pairs with the fence in sti_stream_wake(). */
        atomic_thread_fence(memory_order_seq_cst);
        if (atomic_load(&s->closing)) {
            rc = sti_fail(err, STELE_ECLOSED, "the stream was closed");
            break;
        }
        if (sti_cancel_triggered(cancel)) {
            rc = sti_fail(err, STELE_ECANCELED, "waiting was canceled");
            break;
        }
        if (atomic_load_explicit(&s->next, memory_order_acquire) > seen) {
            break;
        }
        if (s->mode == STI_MODE_LIVE) {
            int64_t poll = sti_monotonic_now_ns() + (int64_t)LIVE_POLL_MS * NS_PER_MS;

            until = poll < until ? poll : until;
        }
        if (!sti_cond_wait_until(&s->wait_cond, &s->wait_lock, until)) {
            if (until != deadline) {
                break; /* Time to look at the files of a live stream. */
            }
            rc = sti_fail(err, STELE_ETIMEDOUT, "nothing was published in time");
            break;
        }
    }
    sti_mutex_unlock(&s->wait_lock);
    return rc;
}

static stele_code block(
        stele_stream *s, struct blocking *b, const stele_wait *wait, stele_error *err)
{
    int64_t deadline = sti_wait_deadline(wait);
    stele_code rc;

    for (;;) {
        int64_t seen = atomic_load_explicit(&s->next, memory_order_acquire);

        rc = ask(s, b, err);
        if (rc != STELE_OK || stele_messages_count(b->out) > 0) {
            return rc;
        }
        /* From the newest on: what is published from now on. By key: not again what had none. */
        b->offset = b->next;
        rc = wait_for_more(s, seen, wait, deadline, err);
        if (rc != STELE_OK) {
            return rc;
        }
    }
}

static stele_code block_counted(stele_stream *s, struct blocking *b, const stele_wait *wait,
        int64_t *next_offset, stele_error *err)
{
    struct sti_cancel_listener listener;
    stele_cancel *cancel = wait != NULL ? wait->cancel : NULL;
    stele_code rc;

    if (s == NULL || b->out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no stream, or no container for its messages");
    }
    sti_mutex_lock(&s->wait_lock);
    if (atomic_load(&s->closing)) {
        sti_mutex_unlock(&s->wait_lock);
        return sti_fail(err, STELE_ECLOSED, "the stream was closed");
    }
    (void)atomic_fetch_add(&s->waiters, 1);
    sti_mutex_unlock(&s->wait_lock);
    sti_cancel_listen(cancel, &listener, &s->wait_lock, &s->wait_cond);
    rc = block(s, b, wait, err);
    sti_cancel_ignore(cancel, &listener);
    if (rc == STELE_OK && next_offset != NULL) {
        *next_offset = b->next;
    }
    sti_mutex_lock(&s->wait_lock);
    (void)atomic_fetch_sub(&s->waiters, 1);
    sti_cond_broadcast(&s->wait_cond);
    sti_mutex_unlock(&s->wait_lock);
    return rc;
}

stele_code stele_stream_consume_wait(stele_stream *s, int64_t offset, int64_t count_max,
        const stele_wait *wait, stele_messages *out, int64_t *next_offset, stele_error *err)
{
    struct blocking b = {.offset = offset, .count_max = count_max, .out = out};

    return block_counted(s, &b, wait, next_offset, err);
}

stele_code stele_stream_consume_by_key_wait(stele_stream *s, stele_bytes key, int64_t offset,
        int64_t count_max, const stele_wait *wait, stele_messages *out, int64_t *next_offset,
        stele_error *err)
{
    struct blocking b = {
            .key = key, .by_key = true, .offset = offset, .count_max = count_max, .out = out};

    return block_counted(s, &b, wait, next_offset, err);
}
