/* SPDX-License-Identifier: MIT
 *
 * commit.c: who commits, freezing the active table, and what comes after LMDB's commit.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "store/commit_apply.h"

enum {
    PACE_KIB_MIN = 256
};

/* ---- Freezing. ---- */

/* Take the right to write, before others who wait for it. True: it is that of a batch which waits
 * for this commit. */
static bool take_right(stele_store *s)
{
    bool lent;

    sti_mutex_lock(&s->write);
    s->freezing = true;
    while (s->writing && !s->lent) {
        s->writable_waiters++;
        sti_cond_wait(&s->writable, &s->write);
        s->writable_waiters--;
    }
    lent = s->lent;
    s->writing = true;
    sti_mutex_unlock(&s->write);
    return lent;
}

static void give_right(stele_store *s, bool lent)
{
    sti_mutex_lock(&s->write);
    s->freezing = false;
    s->writing = lent;
    sti_cond_broadcast(&s->writable);
    sti_mutex_unlock(&s->write);
}

static stele_code call_hook(stele_store *s, stele_error *err)
{
    stele_code code;

    if (s->options.before_commit == NULL) {
        return STELE_OK;
    }
    sti_batch_init(&s->hook_batch, s);
    code = s->options.before_commit(s->options.before_commit_arg, &s->hook_batch, err);
    if (code != STELE_OK) {
        sti_batch_rollback(&s->hook_batch);
        return sti_wrap(err, code, "before the commit");
    }
    (void)sti_batch_show(&s->hook_batch);
    return STELE_OK;
}

/* The right to write is ours. */
static void freeze(stele_store *s, struct sti_store_table *fresh, struct sti_store_view *view)
{
    struct sti_store_table *t = s->active;

    t->seq = atomic_load(&s->visible);
    t->next_bucket = s->next_bucket;
    t->wal_id = s->wal_expected == 0 ? 0 : s->wal_expected - 1;
    t->ticket = s->wal_ticket;
    sti_store_replace_view(s, view, fresh, t, s->buckets->commit.txn_id);
    sti_mutex_lock(&s->write);
    s->active = fresh;
    s->frozen = t;
    s->waiting_since = 0;
    sti_mutex_unlock(&s->write);
}

static stele_code freeze_active(stele_store *s, stele_error *err)
{
    struct sti_store_table *fresh = sti_store_table_new(err);
    struct sti_store_view *view = fresh == NULL ? NULL : sti_store_view_new(err);
    stele_code code = view == NULL ? STELE_ENOMEM : STELE_OK;
    bool lent;

    if (code != STELE_OK) {
        sti_free(fresh);
        return code;
    }
    lent = take_right(s);
    if (sti_table_size(&s->active->table).writes > 0) {
        code = call_hook(s, err);
        if (code == STELE_OK) {
            freeze(s, fresh, view);
            fresh = NULL;
            view = NULL;
        }
    }
    give_right(s, lent);
    (void)sti_store_reclaim(s);
    sti_free(view);
    sti_free(fresh);
    return code;
}

/* ---- Committing. ---- */

/* The map is too small: make it larger, once nobody looks at it. Without room for that nobody has
 * to wait. */
static stele_code grow(stele_store *s, stele_error *err)
{
    uint64_t size = 0;
    stele_code code = sti_lmdb_larger(s->data->lmdb, &size, err);

    if (code != STELE_OK) {
        return code;
    }
    if (!sti_store_drain(s)) {
        return sti_fail(err, STELE_ENOMEM,
                "the map of the file is full, and reads that stay open keep it from growing");
    }
    code = sti_lmdb_resize(s->data->lmdb, size, err);
    sti_store_undrain(s, code == STELE_EFAILED);
    return code;
}

/* A failure before LMDB's own commit leaves nothing in doubt, but only lack of memory can pass. */
static bool is_fatal(stele_code code, bool in_doubt)
{
    if (STI_MUTANT(STORE_FULL_DISK_POISONS) && code == STELE_ENOSPC) {
        return true;
    }
    return code != STELE_OK && code != STELE_ENOSPC && (in_doubt || code != STELE_ENOMEM);
}

/* *no_room: that is why it failed, on the disk or in the address space. */
static stele_code apply_frozen(stele_store *s, bool *no_room, stele_error *err)
{
    for (;;) {
        stele_error why = {.code = STELE_OK, .position = -1};
        bool in_doubt = false;
        stele_code code = sti_commit_apply(s, &in_doubt, &why);

        if (sti_lmdb_is_map_full(code, &why)) {
            code = grow(s, &why);
            if (code == STELE_OK) {
                continue;
            }
            *no_room = true;
            in_doubt = false;
        }
        *no_room = *no_room || code == STELE_ENOSPC;
        if (is_fatal(code, in_doubt)) {
            sti_store_poison(s, code, &why);
            return sti_store_usable(s, err);
        }
        if (code != STELE_OK && err != NULL) {
            *err = why;
        }
        return code;
    }
}

/* LMDB has the frozen table. */
static void take_over(stele_store *s, struct sti_store_view *view)
{
    struct sti_store_table *active;

    /* First of all, since it is gone with the last view that names it. */
    sti_mutex_lock(&s->write);
    if (s->frozen != NULL) {
        sti_store_keep_locked(s, s->frozen);
    }
    s->frozen = NULL;
    active = s->active;
    s->committed = s->buckets->commit.seq;
    s->commits[s->next_commit++ % STI_STORE_COMMITS] =
            (struct sti_store_commit){s->buckets->commit.txn_id, sti_env_monotonic_ns(&s->env)};
    atomic_store(&s->no_room, false);
    sti_mutex_unlock(&s->write);
    sti_store_publish(s, view, active, NULL, s->buckets->commit.txn_id);
    sti_store_count(&s->counts.commits, 1);
    sti_store_log_trim(s);
}

/* Remember how fast it was, for those who write faster. Of a small table the syncs say nothing. */
static void note_pace(stele_store *s, uint64_t ns)
{
    struct sti_table_size size = {0};
    uint64_t kib;

    if (s->frozen != NULL) {
        size = sti_table_size(&s->frozen->table);
    }
    kib = (size.bytes + size.writes * sizeof(struct sti_version)) >> 10;
    if (kib >= PACE_KIB_MIN) {
        sti_mutex_lock(&s->write);
        s->commit_pace = s->commit_pace == 0 ? ns / kib : (s->commit_pace * 3 + ns / kib) / 4;
        sti_mutex_unlock(&s->write);
    }
}

static stele_code commit_frozen(stele_store *s, stele_error *err)
{
    uint64_t begun = sti_env_monotonic_ns(&s->env);
    struct sti_store_view *view = sti_store_view_new(err);
    bool no_room = false;
    stele_code code = STELE_OK;

    if (STI_MUTANT(STORE_TRIM_BEFORE_COMMIT) && atomic_load(&s->wal) != NULL && s->frozen != NULL) {
        code = stele_wal_trim(atomic_load(&s->wal), s->frozen->wal_id, err);
    }
    if (code == STELE_OK) {
        code = view == NULL ? STELE_ENOMEM : apply_frozen(s, &no_room, err);
    }
    if (code == STELE_OK) {
        uint64_t ns = sti_env_monotonic_ns(&s->env) - begun;

        sti_store_count_time(s->counts.commit_times, ns);
        note_pace(s, ns);
        take_over(s, view);
        return STELE_OK;
    }
    sti_free(view);
    if (no_room) {
        atomic_store(&s->no_room, true);
        sti_store_count(&s->counts.full, 1);
    }
    return code;
}

stele_code sti_store_commit_once(stele_store *s, stele_error *err)
{
    /* That of an attempt which failed comes first. */
    stele_code code = s->frozen == NULL ? STELE_OK : commit_frozen(s, err);

    if (code == STELE_OK) {
        code = freeze_active(s, err);
    }
    if (code == STELE_OK && (s->frozen != NULL || s->garbage)) {
        code = commit_frozen(s, err);
    }
    return code;
}

/* ---- Who commits. ---- */

/* By whom nobody else does. */
static void attempt_locked(stele_store *s) STI_REQUIRES(s->write)
{
    stele_error why = {.code = STELE_OK, .position = -1};
    stele_code code;

    s->committing = true;
    s->attempts.begun++;
    sti_mutex_unlock(&s->write);
    code = sti_store_commit_once(s, &why);
    sti_mutex_lock(&s->write);
    s->committing = false;
    s->attempts.ended = s->attempts.begun;
    s->attempts.code = code;
    s->attempts.why = why;
    /* The thread tries again, whoever asked for this one. */
    s->again = code != STELE_OK && s->frozen != NULL;
    if (s->again) {
        sti_cond_signal(&s->wake);
    }
    sti_cond_broadcast(&s->done);
    sti_cond_broadcast(&s->writable);
}

/* An attempt that is under way may have begun before what is to be committed was there. */
static stele_code wait_locked(stele_store *s, uint64_t seq, stele_error *err) STI_REQUIRES(s->write)
{
    uint64_t need = s->attempts.begun + 1;
    bool collect = s->garbage;

    for (;;) {
        bool ended = s->attempts.ended >= need;

        if (s->committed >= seq && (!collect || ended)) {
            return STELE_OK;
        }
        if (atomic_load(&s->failed) != STELE_OK) {
            return STELE_EFAILED;
        }
        if (ended && STI_MUTANT(STORE_COMMIT_FAILURE_IGNORED)) {
            return STELE_OK;
        }
        if (ended && s->attempts.code != STELE_OK) {
            if (err != NULL) {
                *err = s->attempts.why;
            }
            return s->attempts.code;
        }
        if (s->committing) {
            sti_cond_wait(&s->done, &s->write);
        } else {
            attempt_locked(s);
        }
    }
}

stele_code sti_store_commit_upto(stele_store *s, uint64_t seq, bool lend, stele_error *err)
{
    stele_code code;

    sti_mutex_lock(&s->write);
    if (lend) {
        s->lent = true;
        sti_cond_broadcast(&s->writable);
    }
    code = wait_locked(s, seq, err);
    if (lend) {
        /* Somebody may still use what was lent: a commit that began after the one we needed. */
        while (s->committing && s->freezing) {
            sti_cond_wait(&s->done, &s->write);
        }
        s->lent = false;
    }
    sti_mutex_unlock(&s->write);
    return code == STELE_EFAILED ? sti_store_usable(s, err) : code;
}

stele_code stele_store_commit(stele_store *s, stele_error *err)
{
    stele_code code;

    if (s == NULL) {
        return sti_fail(err, STELE_EINVAL, "no store");
    }
    if (s->options.read_only) {
        return sti_fail(err, STELE_EREADONLY, "the store is open read-only");
    }
    code = sti_store_commit_upto(s, atomic_load(&s->visible), false, err);
    if (s->options.no_background) {
        sti_store_tell_readers(s);
    }
    return code == STELE_OK ? code : sti_wrap(err, code, "commit");
}
