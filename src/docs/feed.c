/* SPDX-License-Identifier: MIT
 *
 * feed.c: all changes in the order in which they came, from a place on, and waiting for more.
 *
 * Whoever ends a batch counts it, and wakes those who wait. One who waits looks at the count before
 * he looks at the store, and so misses nothing between the two. Where another process writes
 * nobody tells, so that he looks every now and then.
 */
#include "base/coding.h"
#include "base/error.h"
#include "docs/seq.h"
#include "docs/trim.h"

#include <inttypes.h>

enum {
    LOOK_EVERY_NS = 20000000
};

void sti_docs_feed_tell(stele_docs *db)
{
    sti_mutex_lock(&db->feed);
    db->changes++;
    sti_cond_broadcast(&db->changed);
    sti_mutex_unlock(&db->feed);
}

uint64_t sti_docs_feed_count(stele_docs *db)
{
    uint64_t changes;

    sti_mutex_lock(&db->feed);
    changes = db->changes;
    sti_mutex_unlock(&db->feed);
    return changes;
}

/* ---- Places. ---- */

/* Whether a follower who was at a place can go on there, and whether there is more. */
static stele_code check_place(stele_store_read *read, uint64_t after, bool *more, stele_error *err)
{
    uint8_t next[STI_DOCS_SEQ_SIZE];
    stele_store_cursor *cursor = NULL;
    uint64_t last = 0;
    uint64_t trimmed = 0;
    stele_code rc = sti_docs_seq_last(read, &last, err);

    if (rc == STELE_OK) {
        rc = sti_docs_seq_trimmed(read, &trimmed, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    if (after > last) {
        return sti_fail(err, STELE_EOFFSET, "the feed has come to %" PRIu64 ", not to %" PRIu64,
                last, after);
    }
    if (after > 0 && after < trimmed) {
        return sti_fail(err, STELE_EOFFSET,
                "behind %" PRIu64 " the feed was trimmed, up to %" PRIu64
                ": begin with all documents",
                after, trimmed);
    }
    sti_put_be64(next, after + 1);
    rc = stele_store_cursor_open(&cursor, read, sti_docs_bucket_name(STI_DOCS_SEQ), err);
    if (rc == STELE_OK) {
        rc = stele_store_cursor_seek(cursor, stele_bytes_of(next, sizeof next), err);
        stele_store_cursor_close(cursor);
    }
    if (rc == STELE_OK || rc == STELE_END) {
        *more = rc == STELE_OK;
        rc = STELE_OK;
    }
    return rc;
}

/* ---- What came. ---- */

struct giving {
    stele_store_read *read;
    int64_t horizon;
    stele_code (*each)(void *arg, const stele_docs_entry *entry, stele_error *err);
    void *arg;
};

static stele_code give(void *arg, stele_bytes key, stele_bytes log_key, stele_error *err)
{
    const struct giving *g = arg;
    struct sti_docs_entry entry = {.is_delete = false};
    stele_docs_entry given;
    stele_bytes bytes = stele_nil();
    bool found = false;
    stele_code rc = sti_docs_read(g->read, STI_DOCS_LOG, log_key, &bytes, &found, err);

    if (rc == STELE_OK && !found) {
        rc = sti_docs_log_key_decode(&entry.version, &entry.id, log_key, err);
        if (rc == STELE_OK && entry.version.seconds >= g->horizon) {
            rc = sti_fail(err, STELE_ECORRUPT, "a number leads to no entry of the log");
        }
        return rc; /* Being trimmed: the number is the next to go. */
    }
    if (rc != STELE_OK) {
        return rc;
    }
    rc = key.len == STI_DOCS_SEQ_SIZE
                 ? sti_docs_entry_decode(&entry, bytes, err)
                 : sti_fail(err, STELE_ECORRUPT, "a number of an entry that is none");
    if (rc != STELE_OK) {
        return rc;
    }
    given = (stele_docs_entry){
            .log_id = log_key,
            .version = sti_docs_version_public(entry.version),
            .is_delete = entry.is_delete,
            .id = entry.id,
            .json = entry.json,
            .seq = sti_get_be64(key.data),
    };
    return g->each(g->arg, &given, err);
}

stele_code stele_docs_feed(stele_docs *db, uint64_t after,
        stele_code (*each)(void *arg, const stele_docs_entry *entry, stele_error *err), void *arg,
        stele_error *err)
{
    struct giving g = {.each = each, .arg = arg};
    uint8_t start[STI_DOCS_SEQ_SIZE];
    stele_store_range range = {.to_end = true};
    bool more = false;
    stele_code rc;

    if (db == NULL || each == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database, or nobody to tell");
    }
    rc = sti_docs_read_begin(&g.read, db, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = check_place(g.read, after, &more, err);
    if (rc == STELE_OK) {
        rc = sti_docs_horizon(g.read, &g.horizon, err);
    }
    if (rc == STELE_OK && more) {
        sti_put_be64(start, after + 1);
        range.start = stele_bytes_of(start, sizeof start);
        rc = stele_store_read_range(
                g.read, sti_docs_bucket_name(STI_DOCS_SEQ), &range, give, &g, NULL, err);
    }
    stele_store_read_end(g.read);
    return rc;
}

/* ---- Waiting. ---- */

/* Until another batch has ended, or may have. */
static stele_code wait_for_change(stele_docs *db, uint64_t seen, int64_t deadline,
        const stele_cancel *cancel, stele_error *err)
{
    bool in_time = true;
    bool changed;

    sti_mutex_lock(&db->feed);
    while (db->changes == seen && in_time && !sti_cancel_triggered(cancel)) {
        const int64_t look = sti_monotonic_now_ns() + LOOK_EVERY_NS;
        const bool looks = db->options.read_only && look < deadline;

        in_time = sti_cond_wait_until(&db->changed, &db->feed, looks ? look : deadline);
        if (looks && !in_time) {
            sti_mutex_unlock(&db->feed);
            return STELE_OK;
        }
    }
    changed = db->changes != seen;
    sti_mutex_unlock(&db->feed);
    if (sti_cancel_triggered(cancel)) {
        return sti_fail(err, STELE_ECANCELED, "waiting for a database");
    }
    return changed ? STELE_OK : sti_fail(err, STELE_ETIMEDOUT, "waiting for a database");
}

stele_code sti_docs_feed_wait(stele_docs *db,
        stele_code (*look)(void *arg, stele_store_read *read, bool *done, stele_error *err),
        void *arg, const stele_wait *wait, stele_error *err)
{
    struct sti_cancel_listener listener;
    stele_cancel *cancel = wait == NULL ? NULL : wait->cancel;
    int64_t deadline = sti_wait_deadline(wait);
    bool done = false;
    stele_code rc = STELE_OK;

    sti_cancel_listen(cancel, &listener, &db->feed, &db->changed);
    while (rc == STELE_OK && !done) {
        stele_store_read *read = NULL;
        uint64_t seen = sti_docs_feed_count(db);

        rc = stele_store_read_begin(&read, db->store, err);
        if (rc == STELE_OK) {
            rc = look(arg, read, &done, err);
            stele_store_read_end(read);
        }
        if (rc == STELE_OK && !done) {
            rc = wait_for_change(db, seen, deadline, cancel, err);
        }
    }
    sti_cancel_ignore(cancel, &listener);
    return rc;
}

struct looking {
    stele_docs *db;
    uint64_t after;
};

static stele_code look_for_more(void *arg, stele_store_read *read, bool *done, stele_error *err)
{
    const struct looking *looking = arg;

    if (atomic_load(&looking->db->restoring)) {
        return sti_fail(err, STELE_ESTATE, "a backup is being restored");
    }
    return check_place(read, looking->after, done, err);
}

stele_code stele_docs_feed_wait(
        stele_docs *db, uint64_t after, const stele_wait *wait, stele_error *err)
{
    struct looking looking = {.db = db, .after = after};

    if (db == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database");
    }
    return sti_docs_feed_wait(db, look_for_more, &looking, wait, err);
}
