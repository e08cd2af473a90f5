/* SPDX-License-Identifier: MIT
 *
 * defrag.c: a new generation that has the content of the current one, and takes its place.
 *
 * state.h says how, and why a crash does no harm. Until `current` is replaced a failure leaves
 * nothing but files to remove. What is under way belongs to the caller's thread.
 */
#include "store/defrag.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"
#include "store/commit_apply.h"
#include "store/deadline.h"

enum {
    ROUNDS = 8 /* of catching up, before commits are held up for the rest */
};

#define REST_BYTES ((uint64_t)16 << 20) /* of tables that are applied while commits are held up */

struct defrag {
    stele_store *s;
    struct sti_deadline deadline;
    struct sti_generation next;
    stele_store_read *read;      /* what is copied; NULL: that is done */
    struct sti_store_data *data; /* the new one, until it is current */
    struct sti_buckets *buckets; /* its own */
    struct sti_store_view *view; /* to be published */
    bool stays;                  /* `current` names it, perhaps: it may not be removed */
    uint64_t before;
    uint64_t after;
};

/* ---- Waiting. ---- */

static stele_code go_on(void *arg, stele_error *err)
{
    struct defrag *d = arg;
    stele_store *s = d->s;
    stele_code code = sti_deadline_look(&d->deadline, err);
    bool too_much;

    code = code == STELE_OK ? sti_store_usable(s, err) : code;
    if (code != STELE_OK) {
        return code;
    }
    if (d->read != NULL && atomic_load(&s->draining)) {
        return sti_fail(err, STELE_EBUSY, "the map of the file has to grow");
    }
    sti_mutex_lock(&s->write);
    too_much = s->kept.too_much;
    sti_mutex_unlock(&s->write);
    return too_much ? sti_fail(err, STELE_EBUSY, "writes come faster than they can be copied")
                    : STELE_OK;
}

/* Wait for the end of a commit. */
static stele_code wait_locked(stele_store *s, const struct defrag *d, stele_error *err)
        STI_REQUIRES(s->write)
{
    stele_code code = sti_deadline_look(&d->deadline, err);

    if (code == STELE_OK) {
        (void)sti_cond_wait_until(&s->done, &s->write, d->deadline.at);
    }
    return code;
}

static void give_right(struct defrag *d)
{
    stele_store *s = d->s;

    sti_mutex_lock(&s->write);
    s->committing = false;
    sti_cond_broadcast(&s->done);
    sti_cond_broadcast(&s->writable);
    sti_mutex_unlock(&s->write);
}

/* Nobody else commits from now on. */
static stele_code take_right(struct defrag *d, stele_error *err)
{
    stele_store *s = d->s;
    stele_code code = STELE_OK;

    sti_mutex_lock(&s->write);
    while (code == STELE_OK && s->committing) {
        code = wait_locked(s, d, err);
    }
    if (code == STELE_OK) {
        s->committing = true;
    }
    sti_mutex_unlock(&s->write);
    if (code != STELE_OK) {
        return code;
    }
    code = sti_store_usable(s, err);
    if (code != STELE_OK) {
        give_right(d);
    }
    return code;
}

/* The thread commits for us, so that we can stop waiting for it. */
static stele_code commit_first(struct defrag *d, stele_error *err)
{
    stele_store *s = d->s;
    uint64_t seq = atomic_load(&s->visible);
    stele_code code = STELE_OK;
    uint64_t need;

    if (!s->has_committer) {
        return sti_store_commit_upto(s, seq, false, err);
    }
    sti_mutex_lock(&s->write);
    need = s->attempts.begun + 1;
    while (code == STELE_OK && s->committed < seq && atomic_load(&s->failed) == STELE_OK) {
        if (s->attempts.ended >= need && s->attempts.code != STELE_OK) {
            code = s->attempts.code;
            if (err != NULL) {
                *err = s->attempts.why;
            }
            break;
        }
        s->sweep = true;
        sti_cond_signal(&s->wake);
        code = wait_locked(s, d, err);
    }
    sti_mutex_unlock(&s->write);
    return code == STELE_OK ? sti_store_usable(s, err) : code;
}

/* ---- The copy. ---- */

/* A read of what is committed; every commit from here on is kept. By who commits. */
static stele_code begin_copy(struct defrag *d, struct sti_buckets **from, stele_error *err)
{
    stele_store *s = d->s;
    struct sti_lmdb_stat stat;
    stele_code code = stele_store_read_begin(&d->read, s, err);

    if (code == STELE_OK) {
        code = sti_buckets_load(from, d->read->slot->txn, err);
    }
    code = code == STELE_OK ? sti_lmdb_stat(d->read->slot->txn, &stat, err) : code;
    if (code == STELE_OK) {
        d->before = stat.pages * stat.page_size;
        d->next = s->current;
        d->next.number++;
        sti_store_kept_begin(s);
    }
    return code;
}

static void end_read(struct defrag *d)
{
    stele_store_read_end(d->read);
    d->read = NULL;
}

/* Make the new generation, as large as the old one was when it began. */
static stele_code copy(struct defrag *d, const struct sti_buckets *from, stele_error *err)
{
    const struct sti_go_on ask = {go_on, d};
    stele_store *s = d->s;
    struct sti_lmdb_txn *txn = NULL;
    stele_code code = sti_generation_remove(&s->dir, &s->env, d->next.number, false, err);

    code = code == STELE_OK ? sti_generation_make_dir(&s->dir, &s->env, d->next.number, err) : code;
    code = code == STELE_OK ? sti_store_data_open(&d->data, s, d->next.number, true, err) : code;
    if (code == STELE_OK) {
        code = sti_defrag_copy(d->data->lmdb, d->read->slot->txn, from, d->next.number, &ask, err);
    }
    end_read(d);
    code = code == STELE_OK ? sti_lmdb_begin(&txn, d->data->lmdb, false, err) : code;
    if (code == STELE_OK) {
        code = sti_buckets_load(&d->buckets, txn, err);
        sti_lmdb_abort(txn);
    }
    return code;
}

/* ---- Catching up. ---- */

static stele_code apply_once(struct defrag *d, struct sti_store_table *t, stele_error *err)
{
    struct sti_apply *apply;
    stele_code code = sti_apply_begin(&apply, d->data->lmdb, d->buckets, err);

    if (code != STELE_OK) {
        return code;
    }
    code = sti_commit_put_table(apply, d->buckets, &t->table, err);
    if (code != STELE_OK) {
        sti_apply_abort(apply);
        return code;
    }
    return sti_apply_commit(apply, &t->mark, err);
}

/* The oldest of the kept tables; *none: there is none. */
static stele_code apply_next(struct defrag *d, bool *none, stele_error *err)
{
    struct sti_store_table *t = sti_store_kept_first(d->s);
    stele_code code = go_on(d, err);

    *none = t == NULL;
    if (code != STELE_OK || t == NULL) {
        return code;
    }
    do {
        code = apply_once(d, t, err);
    } while (code != STELE_OK && sti_defrag_grow(d->data->lmdb, &code, err));
    if (code == STELE_OK) {
        sti_store_kept_done(d->s);
    }
    return code;
}

static stele_code sync_copy(struct defrag *d, stele_error *err)
{
    return STI_MUTANT(STORE_DEFRAG_NOT_SYNCED) ? STELE_OK : sti_lmdb_sync(d->data->lmdb, err);
}

/* Until little is left; what comes meanwhile is for another round. */
static stele_code catch_up(struct defrag *d, stele_error *err)
{
    stele_store *s = d->s;
    stele_code code = STELE_OK;

    for (int i = 0; i < ROUNDS && code == STELE_OK; i++) {
        struct sti_store_table *last;
        struct sti_store_table *t;
        uint64_t memory;
        bool none = false;

        sti_mutex_lock(&s->write);
        last = s->kept.last;
        memory = s->kept.memory;
        sti_mutex_unlock(&s->write);
        if (i > 0 && memory <= REST_BYTES) {
            break;
        }
        do {
            t = sti_store_kept_first(s);
            code = apply_next(d, &none, err);
        } while (code == STELE_OK && !none && t != last);
        /* What is synced here need not be while commits are held up. */
        code = code == STELE_OK ? sync_copy(d, err) : code;
    }
    return code;
}

/* ---- The swap. ---- */

static bool is_same(const struct sti_named_bucket *a, const struct sti_named_bucket *b)
{
    return a->bucket.number == b->bucket.number && a->bucket.keys == b->bucket.keys &&
           a->bucket.bytes == b->bucket.bytes && a->bucket.hash == b->bucket.hash &&
           stele_bytes_compare(a->name, b->name) == 0;
}

/* Both have the same content, by all that is known of it. */
static stele_code compare(const struct defrag *d, stele_error *err)
{
    const struct sti_buckets *a = d->s->buckets;
    const struct sti_buckets *b = d->buckets;
    bool same = a->count == b->count && a->commit.seq == b->commit.seq &&
                a->commit.wal_id == b->commit.wal_id &&
                a->commit.next_bucket == b->commit.next_bucket &&
                a->commit.buckets == b->commit.buckets &&
                a->commit.buckets_hash == b->commit.buckets_hash;

    for (size_t i = 0; same && i < a->count; i++) {
        same = is_same(&a->list[i], &b->list[i]);
    }
    return same ? STELE_OK : sti_fail(err, STELE_ECORRUPT, "the copy differs from what it is of");
}

static stele_code measure(struct defrag *d, stele_error *err)
{
    struct sti_lmdb_stat stat;
    struct sti_lmdb_txn *txn;
    stele_code code = sti_lmdb_begin(&txn, d->data->lmdb, false, err);

    if (code != STELE_OK) {
        return code;
    }
    code = sti_lmdb_stat(txn, &stat, err);
    sti_lmdb_abort(txn);
    d->after = code == STELE_OK ? stat.pages * stat.page_size : 0;
    return code;
}

/* All of the new generation is durable under its name. */
static stele_code complete(struct defrag *d, stele_error *err)
{
    stele_store *s = d->s;
    bool none = false;
    stele_code code = STELE_OK;

    while (code == STELE_OK && !none) {
        code = apply_next(d, &none, err);
    }
    code = code == STELE_OK ? compare(d, err) : code;
    code = code == STELE_OK ? measure(d, err) : code;
    code = code == STELE_OK ? sync_copy(d, err) : code;
    if (code == STELE_OK && !STI_MUTANT(STORE_DEFRAG_SYNC_LEFT_OFF)) {
        code = sti_lmdb_set_sync(d->data->lmdb, !s->options.no_sync, err);
    }
    code = code == STELE_OK ? sti_generation_finish(&s->dir, &s->env, &d->next, err) : code;
    if (code == STELE_OK) {
        d->view = sti_store_view_new(err);
        code = d->view == NULL ? STELE_ENOMEM : STELE_OK;
    }
    return code;
}

/* Replace `current`: that is the moment. If that fails with the new one in its place, a power cut
 * would leave either; so nothing may be committed to any of them. */
static stele_code replace(struct defrag *d, stele_error *err)
{
    stele_store *s = d->s;
    struct sti_generation now;
    stele_error why = {.code = STELE_OK, .position = -1};
    stele_code code = sti_current_write(&s->dir, &d->next, &why);

    if (code == STELE_OK) {
        return STELE_OK;
    }
    if (sti_current_read(&s->dir, &now, NULL) == STELE_OK && now.number == s->current.number) {
        if (err != NULL) {
            *err = why;
        }
        return code;
    }
    d->stays = !STI_MUTANT(STORE_DEFRAG_DOUBT_REMOVED);
    if (STI_MUTANT(STORE_DEFRAG_DOUBT_GOES_ON)) {
        return sti_fail(err, code, "%s", why.message);
    }
    sti_store_poison(s, code, &why);
    return sti_store_usable(s, err);
}

static void switch_over(struct defrag *d, struct sti_store_data **old)
{
    stele_store *s = d->s;
    struct sti_buckets *buckets = s->buckets;

    *old = s->data;
    s->data = d->data;
    s->buckets = d->buckets;
    d->data = NULL;
    d->buckets = buckets;
    sti_mutex_lock(&s->write);
    s->current = d->next;
    /* Transactions are counted anew. */
    s->opened_txn_id = s->buckets->commit.txn_id;
    s->next_commit = 0;
    memset(s->commits, 0, sizeof s->commits);
    s->garbage = true;
    sti_mutex_unlock(&s->write);
    sti_store_publish(s, d->view, s->active, s->frozen, s->buckets->commit.txn_id);
    d->view = NULL;
    (void)sti_commit_look_for_garbage(s, NULL);
    sti_store_count(&s->counts.defrags, 1);
}

/* Commits are held up here, and nothing else. */
static stele_code swap(struct defrag *d, struct sti_store_data **old, stele_error *err)
{
    stele_code code = take_right(d, err);

    if (code != STELE_OK) {
        return code;
    }
    code = complete(d, err);
    if (code == STELE_OK && STI_MUTANT(STORE_DEFRAG_OLD_FIRST)) {
        code = sti_generation_retire(&d->s->dir, &d->s->env, d->s->current.number, err);
    }
    code = code == STELE_OK ? replace(d, err) : code;
    if (code == STELE_OK) {
        switch_over(d, old);
    }
    sti_store_kept_end(d->s);
    give_right(d);
    return code;
}

/* ---- All of it. ---- */

static void clean_up(struct defrag *d)
{
    stele_store *s = d->s;

    sti_store_kept_end(s);
    end_read(d);
    sti_free(d->view);
    sti_buckets_free(d->buckets);
    if (d->data != NULL) {
        sti_store_data_close(d->data);
        if (!d->stays) {
            (void)sti_generation_remove(&s->dir, &s->env, d->next.number, false, NULL);
            (void)sti_generation_remove(&s->dir, &s->env, d->next.number, true, NULL);
        }
    }
}

static stele_code begin(struct defrag *d, struct sti_buckets **from, stele_error *err)
{
    stele_code code = take_right(d, err);

    if (code == STELE_OK) {
        code = begin_copy(d, from, err);
        give_right(d);
    }
    return code;
}

static stele_code run(struct defrag *d, stele_error *err)
{
    struct sti_store_data *old = NULL;
    struct sti_buckets *from = NULL;
    stele_error why = {.code = STELE_OK, .position = -1};
    stele_code code = sti_deadline_look(&d->deadline, &why);

    code = code == STELE_OK ? commit_first(d, &why) : code;
    code = code == STELE_OK ? begin(d, &from, &why) : code;
    code = code == STELE_OK ? copy(d, from, &why) : code;
    sti_buckets_free(from);
    code = code == STELE_OK ? catch_up(d, &why) : code;
    code = code == STELE_OK ? swap(d, &old, &why) : code;
    clean_up(d);
    if (code == STELE_OK) {
        sti_store_data_retire(d->s, old);
    } else if (err != NULL) {
        *err = why;
    }
    return code;
}

static bool claim(stele_store *s)
{
    bool free;

    sti_mutex_lock(&s->write);
    free = !s->defragging;
    s->defragging = true;
    sti_mutex_unlock(&s->write);
    return free;
}

stele_code stele_store_defrag(
        stele_store *s, const stele_wait *wait, uint64_t *before, uint64_t *after, stele_error *err)
{
    struct defrag d = {.s = s, .deadline = sti_deadline_of(wait)};
    stele_cancel *cancel = wait == NULL ? NULL : wait->cancel;
    struct sti_cancel_listener listener;
    stele_code code;

    if (s == NULL) {
        return sti_fail(err, STELE_EINVAL, "no store");
    }
    if (s->options.read_only) {
        return sti_fail(err, STELE_EREADONLY, "the store is open read-only");
    }
    if (!claim(s)) {
        return sti_fail(err, STELE_EBUSY, "another defragmentation is under way");
    }
    sti_cancel_listen(cancel, &listener, &s->write, &s->done);
    code = run(&d, err);
    sti_cancel_ignore(cancel, &listener);
    sti_mutex_lock(&s->write);
    s->defragging = false;
    sti_mutex_unlock(&s->write);
    if (code != STELE_OK) {
        return sti_wrap(err, code, "defragment");
    }
    if (before != NULL) {
        *before = d.before;
    }
    if (after != NULL) {
        *after = d.after;
    }
    return STELE_OK;
}
