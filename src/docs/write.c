/* SPDX-License-Identifier: MIT
 *
 * write.c: batches of a database, and the versions that they give.
 */
#include "base/coding.h"
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "docs/apply.h"
#include "docs/undo.h"

enum {
    SECOND_US = 1000000,
    US_NS = 1000
};

struct sti_docs_time sti_docs_wall(const stele_docs *db)
{
    stele_time now = sti_env_now(&db->env);
    struct sti_docs_time wall = {.seconds = now / SECOND_US};
    int64_t rest = now % SECOND_US;

    /* Before 1970 the division is towards zero. */
    if (rest < 0) {
        rest += SECOND_US;
        wall.seconds--;
    }
    wall.ns = (uint32_t)rest * US_NS;
    return wall;
}

/* Go on with what the batch before knew, if that has ended: it is nobody else's from now on. */
static void take_memo(struct sti_docs_write *w) STI_EXCLUDES(w->db->feed)
{
    stele_docs *db = w->db;

    sti_mutex_lock(&db->feed);
    w->begun = ++db->begun;
    w->memo = db->memo;
    db->memo = (struct sti_docs_memo){.type_number = 0};
    sti_mutex_unlock(&db->feed);
}

/* The batch has ended well: leave what it knows, unless another one has begun without it. */
static void leave_memo(const struct sti_docs_write *w) STI_EXCLUDES(w->db->feed)
{
    stele_docs *db = w->db;

    sti_mutex_lock(&db->feed);
    if (db->begun == w->begun) {
        db->memo = w->memo;
    }
    sti_mutex_unlock(&db->feed);
}

stele_code sti_docs_write_begin_restore(struct sti_docs_write *w, stele_docs *db, stele_error *err)
{
    stele_store_batch *batch = NULL;
    stele_code rc = stele_store_batch_begin(&batch, db->store, NULL, err);

    if (rc != STELE_OK) {
        return rc;
    }
    *w = (struct sti_docs_write){
            .db = db,
            .batch = batch,
            .view = stele_store_batch_view(batch),
            .now = sti_docs_wall(db),
            .ceiling = db->clock.ceiling,
            .kind = sti_docs_kinds_newest(db),
            .last_seq = db->last_seq,
            .horizon = db->horizon,
    };
    take_memo(w);
    return STELE_OK;
}

static stele_code check_restoring(stele_docs *db, stele_error *err)
{
    return atomic_load(&db->restoring)
                   ? sti_fail(err, STELE_ESTATE, "a backup is being restored, or could not be")
                   : STELE_OK;
}

stele_code sti_docs_write_begin(struct sti_docs_write *w, stele_docs *db, stele_error *err)
{
    stele_code rc = sti_docs_write_begin_restore(w, db, err);

    if (rc == STELE_OK) {
        rc = check_restoring(db, err);
        if (rc != STELE_OK) {
            stele_store_batch_abort(w->batch);
        }
    }
    return rc;
}

/* Where another process restores. */
static stele_code check_mark(stele_store_read *read, stele_error *err)
{
    bool marked = false;
    stele_code rc = sti_docs_undo_marked(read, &marked, err);

    return rc == STELE_OK && marked
                   ? sti_fail(err, STELE_ESTATE, "a backup is being restored, or could not be")
                   : rc;
}

stele_code sti_docs_read_begin(stele_store_read **out, stele_docs *db, stele_error *err)
{
    stele_store_read *read = NULL;
    stele_code rc = stele_store_read_begin(&read, db->store, err);

    if (rc == STELE_OK) {
        rc = db->options.read_only ? check_mark(read, err) : check_restoring(db, err);
        if (rc != STELE_OK) {
            stele_store_read_end(read);
        }
    }
    if (rc == STELE_OK) {
        *out = read;
    }
    return rc;
}

static bool is_same(struct sti_docs_time a, struct sti_docs_time b)
{
    return a.seconds == b.seconds && a.ns == b.ns;
}

/* A batch that the store did not take was to store these: what it found counts again, unless
 * somebody else has stored more since. Without the right to write that is not known. */
static void forget_stored(
        const struct sti_docs_write *w, struct sti_docs_time ceiling, int64_t horizon)
{
    stele_docs *db = w->db;
    stele_store_batch *batch = NULL;

    if (is_same(ceiling, w->ceiling) && horizon == w->horizon) {
        return;
    }
    if (stele_store_batch_begin(&batch, db->store, NULL, NULL) != STELE_OK) {
        return; /* nothing is stored any more */
    }
    if (is_same(ceiling, db->clock.ceiling)) {
        db->clock.ceiling = w->ceiling;
    }
    db->horizon = db->horizon == horizon ? w->horizon : db->horizon;
    stele_store_batch_abort(batch);
}

static stele_code end(struct sti_docs_write *w, stele_code rc, stele_error *err)
{
    stele_docs *db = w->db;
    struct sti_docs_kind *kind = sti_docs_kinds_newest(db);
    struct sti_docs_time ceiling = db->clock.ceiling;
    int64_t horizon = db->horizon;

    if (rc == STELE_OK) {
        rc = sti_docs_sums_put(w, err);
    }
    if (rc != STELE_OK && STI_MUTANT(DOCS_FAILED_ENDS)) {
        stele_code ended = stele_store_batch_end(w->batch, NULL);

        return ended == STELE_OK ? rc : ended;
    }
    if (rc != STELE_OK) {
        db->last_seq = w->last_seq;
        db->horizon = w->horizon;
        /* What was stored of a higher ceiling goes with the batch. The time given stays: the next
         * version that is above the old ceiling stores one again. */
        db->clock.ceiling = w->ceiling;
        sti_docs_kinds_disown(db, kind, w->kind);
        if (STI_MUTANT(DOCS_MEMO_OF_FAILED)) {
            leave_memo(w);
        }
        stele_store_batch_abort(w->batch);
        return rc;
    }
    rc = db->options.not_durable || w->lazy || STI_MUTANT(DOCS_NOT_DURABLE)
                 ? stele_store_batch_end(w->batch, err)
                 : stele_store_batch_end_durable(w->batch, err);
    if (rc == STELE_OK) {
        leave_memo(w);
    }
    sti_docs_feed_tell(db);
    /* After these two the batch may be there all the same. */
    if (rc != STELE_OK && rc != STELE_ENOSPC && rc != STELE_EFAILED) {
        /* The numbers that were given stay given: somebody else may have the next one already. */
        sti_docs_kinds_disown(db, kind, w->kind);
        forget_stored(w, ceiling, horizon);
    }
    return rc;
}

stele_code sti_docs_write_end(struct sti_docs_write *w, stele_code rc, stele_error *err)
{
    rc = end(w, rc, err);
    if (w->types) {
        atomic_fetch_add(&w->db->types_changed, 1);
    }
    return rc;
}

stele_code sti_docs_put_ceiling(
        struct sti_docs_write *w, struct sti_docs_time ceiling, stele_error *err)
{
    uint8_t value[1 + 8 + 4];

    if (STI_MUTANT(DOCS_CEILING_LOW)) {
        ceiling.seconds -= ceiling.seconds < 100000 ? ceiling.seconds : 100000;
    }
    value[0] = STI_DOCS_FORM;
    sti_put_be64(value + 1, (uint64_t)ceiling.seconds);
    sti_put_be32(value + 9, ceiling.ns);
    return sti_docs_put(
            w, STI_DOCS_MET, stele_str("ceiling"), stele_bytes_of(value, sizeof value), err);
}

stele_code sti_docs_write_version(
        struct sti_docs_write *w, struct sti_docs_version *out, stele_error *err)
{
    struct sti_docs_clock *clock = &w->db->clock;
    struct sti_docs_time wall = sti_docs_wall(w->db);
    struct sti_docs_time ceiling = {.seconds = 0};
    stele_code rc = sti_docs_clock_next(clock, wall, out, err);

    if (STI_MUTANT(DOCS_CLOCK_IS_WALL) && rc == STELE_OK) {
        out->seconds = wall.seconds;
        out->ns = wall.ns;
    }
    if (rc != STELE_ESTATE) {
        return rc;
    }
    ceiling = sti_docs_clock_ceiling(clock, wall, STI_DOCS_CEILING_AHEAD_SECONDS);
    rc = sti_docs_put_ceiling(w, ceiling, err);
    if (rc == STELE_OK) {
        rc = sti_docs_clock_raise(clock, ceiling, err);
    }
    return rc == STELE_OK ? sti_docs_clock_next(clock, wall, out, err) : rc;
}
