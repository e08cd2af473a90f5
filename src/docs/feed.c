/* SPDX-License-Identifier: MIT
 *
 * feed.c: waiting for what comes behind a place in the log.
 *
 * Whoever ends a batch counts it, and wakes those who wait. One who waits looks at the count before
 * he looks at the log, and so misses nothing between the two. Where another process writes nobody
 * tells, so that he looks every now and then.
 */
#include "base/error.h"
#include "docs/state.h"

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

/* Whether the log goes on behind a place. */
static stele_code has_more(stele_docs *db, stele_bytes after, bool *more, stele_error *err)
{
    stele_store_read *read = NULL;
    stele_store_cursor *cursor = NULL;
    stele_buf start;
    stele_code rc;

    stele_buf_init(&start, SIZE_MAX);
    rc = stele_buf_append(&start, after, err);
    if (rc == STELE_OK && !stele_is_nil(after)) {
        rc = stele_buf_append(&start, stele_bytes_of("", 1), err);
    }
    if (rc == STELE_OK) {
        rc = stele_store_read_begin(&read, db->store, err);
    }
    if (rc == STELE_OK) {
        rc = stele_store_cursor_open(&cursor, read, sti_docs_bucket_name(STI_DOCS_LOG), err);
    }
    if (rc == STELE_OK) {
        rc = stele_store_cursor_seek(cursor, stele_buf_view(&start), err);
        if (rc == STELE_OK || rc == STELE_END) {
            *more = rc == STELE_OK;
            rc = STELE_OK;
        }
    }
    stele_store_cursor_close(cursor);
    stele_store_read_end(read);
    stele_buf_free(&start);
    return rc;
}

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
        return sti_fail(err, STELE_ECANCELED, "waiting for changes");
    }
    return changed ? STELE_OK : sti_fail(err, STELE_ETIMEDOUT, "waiting for changes");
}

stele_code stele_docs_log_wait(
        stele_docs *db, stele_bytes after, const stele_wait *wait, stele_error *err)
{
    struct sti_cancel_listener listener;
    stele_cancel *cancel = wait == NULL ? NULL : wait->cancel;
    int64_t deadline = sti_wait_deadline(wait);
    bool more = false;
    stele_code rc = STELE_OK;

    if (db == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database");
    }
    if (after.len > STI_DOCS_LOG_KEY_MAX) {
        return sti_fail(err, STELE_EINVAL, "a place of %zu bytes is none in a log", after.len);
    }
    sti_cancel_listen(cancel, &listener, &db->feed, &db->changed);
    while (rc == STELE_OK && !more) {
        uint64_t seen;

        sti_mutex_lock(&db->feed);
        seen = db->changes;
        sti_mutex_unlock(&db->feed);
        rc = has_more(db, after, &more, err);
        if (rc == STELE_OK && !more) {
            rc = wait_for_change(db, seen, deadline, cancel, err);
        }
    }
    sti_cancel_ignore(cancel, &listener);
    return rc;
}
