/* SPDX-License-Identifier: MIT
 *
 * batch.c: the right to write, and how batches begin and end.
 */
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "store/state.h"

#define STALL_BYTES ((uint64_t)64 << 20) /* of the active table, while another one waits */
#define DUE_BYTES   ((uint64_t)16 << 20) /* commit without waiting for the limit */

/* Where writes come faster than they are committed, batches are spaced, the more the fuller the
 * active table is: many short waits instead of a long one. Bursts up to SLOW_BYTES are not;
 * EVEN_BYTES above it they come as fast as they are committed, and with twice that half as fast. */
#define SLOW_BYTES  ((uint64_t)20 << 20)
#define EVEN_BYTES  ((uint64_t)8 << 20)
#define PACE_MAX_NS ((uint64_t)10000000)

enum {
    WRITE_BYTES = 128, /* what a write takes beside its key and value, about */
    FULL_TABLES = 4    /* so many times batch_limit may wait for room on the disk */
};

/* ---- Failure. ---- */

stele_code sti_store_usable(stele_store *s, stele_error *err)
{
    stele_error why;
    uint64_t lost;

    if (atomic_load(&s->failed) == STELE_OK) {
        return STELE_OK;
    }
    sti_mutex_lock(&s->write);
    why = s->failure;
    lost = s->lost;
    sti_mutex_unlock(&s->write);
    return sti_fail(err, STELE_EFAILED, "%llu waiting writes are lost: %.300s",
            (unsigned long long)lost, why.message);
}

static uint64_t waiting_writes(const stele_store *s)
{
    uint64_t n = s->active == NULL ? 0 : sti_table_size(&s->active->table).writes;

    return n + (s->frozen == NULL ? 0 : sti_table_size(&s->frozen->table).writes);
}

void sti_store_poison(stele_store *s, stele_code code, const stele_error *why)
{
    sti_mutex_lock(&s->write);
    if (atomic_load(&s->failed) == STELE_OK) {
        s->lost = waiting_writes(s);
        s->failure = *why;
        atomic_store(&s->failed, code);
    }
    sti_cond_broadcast(&s->writable);
    sti_cond_broadcast(&s->done);
    sti_mutex_unlock(&s->write);
}

/* ---- The right to write. ---- */

/* Whether the active table takes more. */
static stele_code has_room(const stele_store *s, bool *room, stele_error *err)
{
    struct sti_table_size size = sti_table_size(&s->active->table);

    *room = true;
    if (s->frozen == NULL) {
        return STELE_OK;
    }
    if (atomic_load(&s->no_room) &&
            (size.writes >= (uint64_t)FULL_TABLES * s->options.batch_limit ||
                    size.memory > STALL_BYTES)) {
        return sti_fail(err, STELE_ENOSPC, "%llu writes wait for room on the disk",
                (unsigned long long)waiting_writes(s));
    }
    /* Without a thread nobody would make room but the batch itself. */
    *room = size.memory <= STALL_BYTES || (s->options.no_background && !s->committing);
    return STELE_OK;
}

static uint64_t load_of(uint64_t writes, uint64_t bytes)
{
    return bytes + writes * WRITE_BYTES;
}

/* When the next batch may begin, after one that added so much: `load` of `active`. */
static int64_t next_begin(const stele_store *s, uint64_t load, uint64_t added)
{
    uint64_t over = load - SLOW_BYTES;
    uint64_t ns = (added >> 10) * s->commit_pace;

    ns = ns * (over >> 10) / (EVEN_BYTES >> 10);
    return sti_monotonic_now_ns() + (int64_t)(ns < PACE_MAX_NS ? ns : PACE_MAX_NS);
}

/* By who gives the right back. */
static void pace_locked(stele_store *s, const struct sti_table_size *size) STI_REQUIRES(s->write)
{
    const struct sti_table_mark *start = &s->batch.start;
    uint64_t load = load_of(size->writes, size->bytes);

    s->next_begin = 0;
    if (s->frozen != NULL && s->has_committer && load > SLOW_BYTES && !atomic_load(&s->no_room)) {
        s->next_begin = next_begin(
                s, load, load_of(size->writes - start->writes, size->bytes - start->bytes));
    }
}

/* Until when a batch has to wait for its turn, if it has to. */
static bool is_paced_locked(const stele_store *s, int64_t deadline, int64_t *until)
        STI_REQUIRES(s->write)
{
    *until = s->next_begin < deadline ? s->next_begin : deadline;
    return s->next_begin != 0 && s->frozen != NULL && sti_monotonic_now_ns() < *until;
}

static stele_code wait_for_right_locked(stele_store *s, const stele_wait *wait, stele_error *err)
        STI_REQUIRES(s->write)
{
    int64_t deadline = sti_wait_deadline(wait);
    bool room = true;

    for (;;) {
        stele_code code = STELE_OK;
        int64_t until = deadline;
        bool paced = false;
        bool again;

        if (atomic_load(&s->failed) != STELE_OK) {
            return STELE_EFAILED;
        }
        if (!s->writing && !s->freezing) {
            code = has_room(s, &room, err);
            paced = code == STELE_OK && room && is_paced_locked(s, deadline, &until);
            if (code != STELE_OK || (room && !paced)) {
                return code;
            }
            s->due = true;
            sti_cond_signal(&s->wake);
        }
        if (wait != NULL && sti_cancel_triggered(wait->cancel)) {
            return sti_fail(err, STELE_ECANCELED, "canceled while waiting for another batch");
        }
        s->writable_waiters++;
        again = sti_cond_wait_until(&s->writable, &s->write, paced ? until : deadline);
        s->writable_waiters--;
        if (!again && !paced) {
            return sti_fail(err, STELE_ETIMEDOUT, "another batch is still open");
        }
    }
}

static stele_code take_right(stele_store *s, const stele_wait *wait, stele_error *err)
{
    struct sti_cancel_listener listener;
    stele_cancel *cancel = wait == NULL ? NULL : wait->cancel;
    stele_code code = STELE_OK;

    if (cancel != NULL) {
        sti_cancel_listen(cancel, &listener, &s->write, &s->writable);
    }
    sti_mutex_lock(&s->write);
    if (s->writing || s->freezing || s->frozen != NULL || atomic_load(&s->failed) != STELE_OK) {
        uint64_t begun = sti_env_monotonic_ns(&s->env);

        code = wait_for_right_locked(s, wait, err);
        sti_store_count_time(s->counts.batch_waits, sti_env_monotonic_ns(&s->env) - begun);
    } else {
        sti_store_count_time(s->counts.batch_waits, 0);
    }
    if (code == STELE_OK) {
        s->writing = true;
        s->batch_open = true;
    }
    sti_mutex_unlock(&s->write);
    if (cancel != NULL) {
        sti_cancel_ignore(cancel, &listener);
    }
    return code == STELE_EFAILED ? sti_store_usable(s, err) : code;
}

/* Give it back. `wrote`: there are writes that wait now. True if they should be committed. */
static bool give_right(stele_store *s, bool wrote)
{
    struct sti_table_size size = sti_table_size(&s->active->table);
    bool due = false;

    sti_mutex_lock(&s->write);
    s->writing = false;
    s->batch_open = false;
    pace_locked(s, &size);
    if (wrote && s->waiting_since == 0) {
        s->waiting_since = sti_store_now(s);
        sti_cond_signal(&s->wake);
    }
    due = wrote && (size.writes >= s->options.batch_limit || size.bytes >= DUE_BYTES);
    if (due && !s->due) {
        s->due = true;
        sti_cond_signal(&s->wake);
    }
    if (s->options.no_background && s->waiting_since != 0) {
        due = due || sti_store_now(s) - s->waiting_since >=
                             (int64_t)s->options.batch_interval_ms * 1000000;
    }
    if (s->writable_waiters > 0) {
        sti_cond_broadcast(&s->writable);
    }
    sti_mutex_unlock(&s->write);
    return due;
}

/* ---- Begin, end. ---- */

void sti_batch_init(struct stele_store_batch *batch, stele_store *s)
{
    /* Relaxed: who has the right to write stored it, or was told by a lock. */
    batch->s = s;
    batch->seq = atomic_load_explicit(&s->visible, memory_order_relaxed) + 1;
    batch->start = sti_table_mark(&s->active->table);
    batch->view.s = s;
    batch->view.slot = NULL;
    batch->view.seq = batch->seq;
    batch->view.own = true;
    batch->view.name.number = 0;
}

void sti_batch_rollback(struct stele_store_batch *batch)
{
    stele_store *s = batch->s;

    sti_read_stop(&batch->view);
    if (sti_table_size(&s->active->table).writes > batch->start.writes &&
            !STI_MUTANT(STORE_ABORT_KEEPS)) {
        sti_table_rollback(&s->active->table, &batch->start);
        if (!STI_MUTANT(STORE_ABORT_KEEPS_NAMES)) {
            memset(s->names, 0, sizeof s->names);
        }
    }
}

bool sti_batch_show(struct stele_store_batch *batch)
{
    stele_store *s = batch->s;

    sti_read_stop(&batch->view);
    if (sti_table_size(&s->active->table).writes == batch->start.writes) {
        return false;
    }
    /* Pairs with the load in stand(). */
    atomic_store_explicit(&s->visible, batch->seq, memory_order_release);
    return true;
}

stele_code stele_store_batch_begin(
        stele_store_batch **out, stele_store *s, const stele_wait *wait, stele_error *err)
{
    stele_code code;

    if (out == NULL || s == NULL) {
        return sti_fail(err, STELE_EINVAL, "no store, or no place for the batch");
    }
    if (s->options.read_only) {
        return sti_fail(err, STELE_EREADONLY, "the store is open read-only");
    }
    code = take_right(s, wait, err);
    if (code != STELE_OK) {
        return sti_wrap(err, code, "begin a batch");
    }
    sti_batch_init(&s->batch, s);
    *out = &s->batch;
    return STELE_OK;
}

stele_store_read *stele_store_batch_view(stele_store_batch *batch)
{
    return batch == NULL ? NULL : &batch->view;
}

void stele_store_batch_abort(stele_store_batch *batch)
{
    /* That of before_commit is not its to end. */
    if (batch != NULL && batch == &batch->s->batch) {
        sti_batch_rollback(batch);
        (void)give_right(batch->s, false);
    }
}

/* A batch that its owner ends. before_commit's is not one. */
static stele_code check_batch(const stele_store_batch *batch, stele_error *err)
{
    if (batch == NULL || batch != &batch->s->batch) {
        return sti_fail(err, STELE_EINVAL, "no batch, or one that may not be ended");
    }
    return STELE_OK;
}

/* Without a thread, who ends a batch does its work. A disk without room is no failure of the
 * batch, which waits on. */
static stele_code commit_if_due(stele_store *s, bool due, stele_error *err)
{
    stele_code code;

    if (!due || !s->options.no_background) {
        return STELE_OK;
    }
    code = sti_store_commit_upto(s, atomic_load(&s->visible), false, err);
    sti_store_tell_readers(s);
    return code == STELE_EFAILED ? code : STELE_OK;
}

stele_code stele_store_batch_end(stele_store_batch *batch, stele_error *err)
{
    stele_code code = check_batch(batch, err);
    stele_store *s;
    bool wrote;

    if (code != STELE_OK) {
        return code;
    }
    s = batch->s;
    code = sti_store_usable(s, err);
    if (code != STELE_OK) {
        stele_store_batch_abort(batch);
        return sti_wrap(err, code, "end a batch");
    }
    wrote = sti_batch_show(batch);
    sti_store_count(&s->counts.batches, 1);
    code = commit_if_due(s, give_right(s, wrote), err);
    return code == STELE_OK ? code : sti_wrap(err, code, "end a batch");
}

/* ---- Durable ends. ---- */

static stele_code commit_and_go_on(stele_store_batch *batch, stele_error *err)
{
    stele_store *s = batch->s;
    stele_code code = sti_store_usable(s, err);

    if (code != STELE_OK) {
        return code;
    }
    (void)sti_batch_show(batch);
    code = sti_store_commit_upto(s, atomic_load(&s->visible), true, err);
    sti_batch_init(batch, s);
    return code;
}

stele_code stele_store_batch_commit(stele_store_batch *batch, stele_error *err)
{
    stele_code code = check_batch(batch, err);

    code = code == STELE_OK ? commit_and_go_on(batch, err) : code;
    return code == STELE_OK ? code : sti_wrap(err, code, "commit a batch");
}

stele_code stele_store_batch_commit_and_stop(stele_store_batch *batch, stele_error *err)
{
    stele_code code = check_batch(batch, err);
    stele_store *s;

    if (code != STELE_OK) {
        return code;
    }
    s = batch->s;
    code = sti_store_usable(s, err);
    if (code != STELE_OK) {
        stele_store_batch_abort(batch);
        return sti_wrap(err, code, "commit a batch");
    }
    (void)give_right(s, sti_batch_show(batch));
    sti_store_count(&s->counts.batches, 1);
    code = sti_store_commit_upto(s, atomic_load(&s->visible), false, err);
    return code == STELE_OK ? code : sti_wrap(err, code, "commit a batch");
}

/* What was logged is durable once its ticket is; what the log has no memory for, once it is
 * committed. It is seen already: so of what else may pass, too, there is said that it waits. */
static stele_code finish_durable(
        stele_store *s, bool logged, stele_wal_ticket ticket, uint64_t seq, stele_error *err)
{
    stele_error why = {.code = STELE_OK, .position = -1};
    stele_code code = logged ? sti_store_log_wait(s, ticket, &why) : STELE_ENOMEM;

    if (code == STELE_ENOMEM && logged && STI_MUTANT(STORE_SEEN_IS_REFUSED)) {
        return code;
    }
    if (code == STELE_ENOMEM) {
        code = sti_store_commit_upto(s, seq, false, &why);
    }
    if (code == STELE_OK) {
        sti_store_count(&s->counts.durable_batches, 1);
        return STELE_OK;
    }
    if (err != NULL) {
        *err = why;
    }
    return code == STELE_ENOSPC || code == STELE_EFAILED
                   ? code
                   : sti_wrap(err, STELE_ENOSPC, "it is seen, and waits");
}

stele_code stele_store_batch_end_durable(stele_store_batch *batch, stele_error *err)
{
    stele_code code = check_batch(batch, err);
    stele_wal_ticket ticket = 0;
    stele_error why;
    stele_store *s;
    uint64_t begun;
    uint64_t seq;
    bool due;

    if (code != STELE_OK) {
        return code;
    }
    s = batch->s;
    begun = sti_env_monotonic_ns(&s->env);
    code = sti_store_usable(s, &why);
    if (STI_MUTANT(STORE_VISIBLE_BEFORE_LOG)) {
        atomic_store(&s->visible, batch->seq);
    }
    code = code == STELE_OK ? sti_store_log_append(batch, &ticket, &why) : code;
    if (code != STELE_OK && code != STELE_ENOSPC && code != STELE_ETOOBIG) {
        stele_store_batch_abort(batch);
        if (err != NULL) {
            *err = why;
        }
        return sti_wrap(err, code, "end a batch durably");
    }
    due = give_right(s, sti_batch_show(batch));
    seq = atomic_load(&s->visible);
    sti_store_count(&s->counts.batches, 1);
    if (code == STELE_ENOSPC) {
        if (err != NULL) {
            *err = why;
        }
        return sti_wrap(err, code, "end a batch durably");
    }
    code = finish_durable(s, code == STELE_OK, ticket, seq, err);
    code = code == STELE_OK ? commit_if_due(s, due, err) : code;
    sti_store_count_time(s->counts.durable_waits, sti_env_monotonic_ns(&s->env) - begun);
    return code == STELE_OK ? code : sti_wrap(err, code, "end a batch durably");
}
