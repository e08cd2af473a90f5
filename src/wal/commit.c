/* SPDX-License-Identifier: MIT
 *
 * commit.c: group commit.
 *
 * There are two buffers: one that callers add to, and one that a leader writes. Those who wait
 * for a ticket sleep on one of two conditions, by the parity of their batch: whoever ends a batch
 * wakes all of that batch, and one of the next, which leads then. So nobody is woken for
 * nothing.
 *
 * Whoever wants the file for itself comes before those who only wait: it writes what is pending
 * in their stead.
 *
 * Before it writes, a leader gathers: base/gather.h.
 */
#include "wal/commit.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/gather.h"
#include "base/mutant.h"

#include <inttypes.h>

enum {
    CAPACITY_MIN = 64 << 10,
    CAPACITY_KEPT = 8 << 20, /* a buffer that has become larger is given back after its write */
    FAILURES_MAX = 16
};

struct batch {
    uint8_t *data;
    size_t len;
    size_t capacity;
    size_t appends;
};

/* The appends whose tickets lie in this range failed. */
struct failure {
    uint64_t first;
    uint64_t last;
    stele_error why;
};

struct sti_commit {
    const struct sti_commit_ops *ops;
    void *arg;
    struct sti_mutex mutex;
    struct sti_cond turn[2];  /* waiters for tickets, by the parity of their batch */
    struct sti_cond unled;    /* those who want to lead for themselves */
    struct sti_cond unlocked; /* those who want to add */

    struct batch pending;
    struct batch spare;
    unsigned parity; /* of the pending batch */
    uint64_t given;  /* the last ticket */
    uint64_t taken;  /* the last one that a leader has taken to write */
    uint64_t done;
    bool leading;                          /* somebody writes, or has the file for itself */
    bool closed;                           /* nobody may add: somebody has the file for itself */
    size_t entering;                       /* how many want that */
    struct sti_gather gather;              /* those who wait for the pending batch */
    struct failure failures[FAILURES_MAX]; /* in order */
    size_t failure_count;
};

/* ---- Making. ---- */

stele_code sti_commit_new(
        struct sti_commit **out, const struct sti_commit_ops *ops, void *arg, stele_error *err)
{
    struct sti_commit *c = sti_calloc(1, sizeof *c);
    struct sti_cond *conds[4];
    size_t made = 0;
    stele_code rc;

    if (c == NULL) {
        return sti_fail_memory(err, sizeof *c);
    }
    c->ops = ops;
    c->arg = arg;
    rc = sti_mutex_init(&c->mutex, STI_RANK_WAL_COMMIT, err);
    if (rc != STELE_OK) {
        sti_free(c);
        return rc;
    }
    conds[0] = &c->turn[0];
    conds[1] = &c->turn[1];
    conds[2] = &c->unled;
    conds[3] = &c->unlocked;
    while (made < 4 && rc == STELE_OK) {
        rc = sti_cond_init(conds[made], err);
        made += rc == STELE_OK ? 1 : 0;
    }
    if (rc != STELE_OK) {
        while (made > 0) {
            sti_cond_destroy(conds[--made]);
        }
        sti_mutex_destroy(&c->mutex);
        sti_free(c);
        return rc;
    }
    *out = c;
    return STELE_OK;
}

void sti_commit_free(struct sti_commit *c)
{
    if (c == NULL) {
        return;
    }
    sti_assert(!c->leading);
    sti_cond_destroy(&c->turn[0]);
    sti_cond_destroy(&c->turn[1]);
    sti_cond_destroy(&c->unled);
    sti_cond_destroy(&c->unlocked);
    sti_mutex_destroy(&c->mutex);
    sti_free(c->pending.data);
    sti_free(c->spare.data);
    sti_free(c);
}

/* ---- Adding. ---- */

/* The mutex is hidden in the struct, where clang cannot follow it across these. */

void sti_commit_lock(struct sti_commit *c) STI_NO_TSA
{
    sti_mutex_lock(&c->mutex);
}

void sti_commit_unlock(struct sti_commit *c) STI_NO_TSA
{
    sti_mutex_unlock(&c->mutex);
}

void sti_commit_lock_to_add(struct sti_commit *c) STI_NO_TSA
{
    sti_mutex_lock(&c->mutex);
    while (c->closed) {
        sti_cond_wait(&c->unlocked, &c->mutex);
    }
}

uint8_t *sti_commit_reserve(struct sti_commit *c, size_t len, stele_error *err)
{
    struct batch *b = &c->pending;
    size_t capacity = b->capacity < CAPACITY_MIN ? CAPACITY_MIN : b->capacity;
    uint8_t *data;

    if (len > SIZE_MAX / 4 - b->len) {
        (void)sti_fail_memory(err, len);
        return NULL;
    }
    if (b->data != NULL && b->len + len <= b->capacity) {
        return b->data + b->len;
    }
    while (capacity < b->len + len) {
        capacity *= 2;
    }
    data = sti_realloc(b->data, capacity, 1);
    if (data == NULL) {
        (void)sti_fail_memory(err, capacity);
        return NULL;
    }
    b->data = data;
    b->capacity = capacity;
    return data + b->len;
}

uint64_t sti_commit_add(struct sti_commit *c, size_t len)
{
    struct batch *b = &c->pending;

    sti_assert(len <= b->capacity - b->len);
    c->given++;
    if (len == 0 && c->done == c->given - 1) {
        c->taken = c->given;
        c->done = c->given;
        return c->given;
    }
    b->len += len;
    b->appends += len > 0 ? 1 : 0;
    return c->given;
}

size_t sti_commit_pending(const struct sti_commit *c)
{
    return c->pending.len;
}

uint64_t sti_commit_last(const struct sti_commit *c)
{
    return c->given;
}

/* ---- Results. ---- */

/* Remember that all tickets behind those that are done failed. */
static void add_failure(struct sti_commit *c, const stele_error *why) STI_REQUIRES(c->mutex)
{
    struct failure *f;

    if (c->failure_count == FAILURES_MAX) {
        c->failures[1].first = c->failures[0].first;
        memmove(&c->failures[0], &c->failures[1], (FAILURES_MAX - 1) * sizeof c->failures[0]);
        c->failure_count--;
    }
    f = &c->failures[c->failure_count++];
    f->first = c->done + 1;
    f->last = c->given;
    f->why = *why;
    /* One after the other, as on a full disk, they need no room of their own. */
    if (c->failure_count > 1 && f[-1].last + 1 == f->first && f[-1].why.code == why->code) {
        f->first = f[-1].first;
        f[-1] = *f;
        c->failure_count--;
    }
}

static stele_code result(const struct sti_commit *c, uint64_t ticket, stele_error *err)
        STI_REQUIRES(c->mutex)
{
    for (size_t i = c->failure_count; i > 0; i--) {
        const struct failure *f = &c->failures[i - 1];

        if (ticket > f->last) {
            break;
        }
        if (ticket >= f->first) {
            if (err != NULL) {
                *err = f->why;
            }
            return f->why.code;
        }
    }
    return STELE_OK;
}

/* ---- Leading. ---- */

/* Without the mutex. */
static stele_code write_batch(struct sti_commit *c, const struct batch *b, size_t waiting,
        stele_error *why) STI_REQUIRES(c->mutex)
{
    int64_t begin;
    stele_code rc;

    if (b->len == 0) {
        return STELE_OK;
    }
    sti_mutex_unlock(&c->mutex);
    begin = sti_monotonic_now_ns();
    rc = c->ops->write(c->arg, b->data, b->len, why);
    sti_mutex_lock(&c->mutex);
    sti_gather_done(&c->gather, waiting, begin);
    return rc;
}

/* All that is pending fails with the batch that did. */
static void fail_pending(struct sti_commit *c, const stele_error *why) STI_REQUIRES(c->mutex)
{
    add_failure(c, why);
    c->pending.len = 0;
    c->pending.appends = 0;
    c->taken = c->given;
    c->done = c->given;
    (void)sti_gather_take(&c->gather);
    if (c->ops->failed != NULL) {
        c->ops->failed(c->arg, why->code);
    }
    sti_cond_broadcast(&c->turn[c->parity]);
}

/* As the leader: write the pending batch. Whoever waits for it is to be woken. */
static void write_pending(struct sti_commit *c) STI_REQUIRES(c->mutex)
{
    struct batch mine = c->pending;
    size_t waiting = sti_gather_take(&c->gather);
    stele_error why;
    stele_code rc;

    c->pending = c->spare;
    c->pending.len = 0;
    c->pending.appends = 0;
    c->spare = (struct batch){0};
    c->parity = 1 - c->parity;
    c->taken = c->given;
    rc = write_batch(c, &mine, waiting, &why);
    if (rc == STELE_OK) {
        if (c->ops->done != NULL && mine.len > 0) {
            c->ops->done(c->arg, mine.len, mine.appends);
        }
        c->done = STI_MUTANT(WAL_ACKS_NEXT_BATCH) ? c->given : c->taken;
    } else {
        fail_pending(c, &why);
    }
    if (mine.capacity <= CAPACITY_KEPT) {
        c->spare = mine;
    } else {
        sti_free(mine.data);
    }
}

static void step_down(struct sti_commit *c) STI_REQUIRES(c->mutex)
{
    c->leading = false;
    if (c->entering > 0) {
        sti_cond_signal(&c->unled);
    } else if (c->given > c->done) {
        sti_cond_signal(&c->turn[c->parity]);
    }
}

/* As the leader: wait for those who are about to add. False: another one leads. */
static bool gather(struct sti_commit *c) STI_REQUIRES(c->mutex)
{
    struct sti_cond *turn = &c->turn[c->parity];
    bool other = false;
    bool late = false;
    int64_t deadline;

    switch (sti_gather_begin(&c->gather, &deadline)) {
    case STI_GATHER_GO:
        return true;
    case STI_GATHER_YIELD:
        sti_mutex_unlock(&c->mutex);
        sti_thread_yield();
        sti_mutex_lock(&c->mutex);
        return true;
    case STI_GATHER_WAIT:
        break;
    }
    c->gather.gatherer = &other;
    while (!late && !other) {
        late = !sti_cond_wait_until(turn, &c->mutex, deadline);
    }
    if (!other) {
        c->gather.gatherer = NULL;
        sti_gather_missed(&c->gather);
    }
    return !other;
}

/* As the leader. Those who are woken find the mutex free. */
static void write_and_step_down(struct sti_commit *c) STI_REQUIRES(c->mutex)
{
    struct sti_cond *turn = &c->turn[c->parity];

    write_pending(c);
    step_down(c);
    sti_mutex_unlock(&c->mutex);
    sti_cond_broadcast(turn);
    sti_mutex_lock(&c->mutex);
}

static void lead(struct sti_commit *c) STI_REQUIRES(c->mutex)
{
    c->leading = true;
    if (gather(c)) {
        write_and_step_down(c);
    }
}

void sti_commit_enter(struct sti_commit *c)
{
    sti_mutex_lock(&c->mutex);
    c->entering++;
    while (c->leading) {
        sti_cond_wait(&c->unled, &c->mutex);
    }
    c->entering--;
    c->leading = true;
    c->closed = true;
    if (c->given > c->done) {
        write_pending(c);
        sti_cond_broadcast(&c->turn[1 - c->parity]);
    }
    sti_mutex_unlock(&c->mutex);
}

void sti_commit_leave(struct sti_commit *c)
{
    sti_mutex_lock(&c->mutex);
    sti_assert(c->closed);
    c->closed = false;
    sti_cond_broadcast(&c->unlocked);
    step_down(c);
    sti_mutex_unlock(&c->mutex);
}

/* ---- Waiting. ---- */

static stele_code wait_done(struct sti_commit *c, uint64_t ticket, int64_t deadline,
        const stele_cancel *cancel, stele_error *err) STI_REQUIRES(c->mutex)
{
    struct sti_cond *turn = ticket <= c->taken ? &c->turn[1 - c->parity] : &c->turn[c->parity];
    bool late = deadline != INT64_MAX && sti_monotonic_now_ns() >= deadline;

    if (c->done < ticket && ticket > c->taken) {
        c->gather.waiting++;
        if (sti_gather_takes_over(&c->gather)) {
            write_and_step_down(c);
        }
    }
    while (c->done < ticket) {
        bool canceled = sti_cancel_triggered(cancel);

        if (canceled || late) {
            c->gather.waiting -= ticket > c->taken ? 1 : 0;
            return canceled ? sti_fail(err, STELE_ECANCELED, "waiting was canceled")
                            : sti_fail(err, STELE_ETIMEDOUT, "not durable in time");
        }
        if (!c->leading && c->entering == 0) {
            lead(c);
        } else {
            late = !sti_cond_wait_until(turn, &c->mutex, deadline);
        }
    }
    return result(c, ticket, err);
}

stele_code sti_commit_wait(
        struct sti_commit *c, uint64_t ticket, const stele_wait *wait, stele_error *err)
{
    struct sti_cancel_listener listener[2];
    stele_cancel *cancel = wait != NULL ? wait->cancel : NULL;
    int64_t deadline = sti_wait_deadline(wait);
    stele_code rc;

    /* Which of the two it will sleep on is only known under the mutex. */
    sti_cancel_listen(cancel, &listener[0], &c->mutex, &c->turn[0]);
    sti_cancel_listen(cancel, &listener[1], &c->mutex, &c->turn[1]);
    sti_mutex_lock(&c->mutex);
    if (ticket == 0 || ticket > c->given) {
        rc = sti_fail(err, STELE_EINVAL, "no append has the ticket %" PRIu64, ticket);
    } else {
        rc = wait_done(c, ticket, deadline, cancel, err);
        /* It may have been woken to lead the next batch. */
        if (rc != STELE_OK && !c->leading && c->entering == 0 && c->given > c->done) {
            sti_cond_signal(&c->turn[c->parity]);
        }
    }
    sti_mutex_unlock(&c->mutex);
    sti_cancel_ignore(cancel, &listener[0]);
    sti_cancel_ignore(cancel, &listener[1]);
    return rc;
}

void sti_commit_flush(struct sti_commit *c)
{
    uint64_t last;

    sti_mutex_lock(&c->mutex);
    last = c->given;
    /* The results are kept for those who wait. */
    if (last > c->done) {
        (void)wait_done(c, last, INT64_MAX, NULL, NULL);
    }
    sti_mutex_unlock(&c->mutex);
}

uint64_t sti_commit_done(struct sti_commit *c)
{
    uint64_t done;

    sti_mutex_lock(&c->mutex);
    done = c->done;
    sti_mutex_unlock(&c->mutex);
    return done;
}
