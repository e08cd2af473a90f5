/* SPDX-License-Identifier: MIT
 *
 * status.c: what a database has, and what it is about.
 */
#include "base/error.h"
#include "docs/seq.h"
#include "docs/trim.h"
#include "docs/undo.h"

enum {
    SECOND_US = 1000000
};

static stele_code count_all(stele_store_read *read, stele_docs_status *out, stele_error *err)
{
    const struct {
        enum sti_docs_bucket bucket;
        uint64_t *count;
    } counts[] = {
            {STI_DOCS_TYP, &out->types},
            {STI_DOCS_DAT, &out->documents},
            {STI_DOCS_NFO, &out->deleted},
            {STI_DOCS_LOG, &out->entries},
            {STI_DOCS_IDX, &out->keys},
            {STI_DOCS_CFL, &out->conflicts},
            {STI_DOCS_BAD, &out->unreadable},
            {STI_DOCS_EXP, &out->ending},
    };

    stele_code rc = STELE_OK;

    for (size_t i = 0; i < sizeof counts / sizeof counts[0] && rc == STELE_OK; i++) {
        rc = stele_store_read_count(
                read, sti_docs_bucket_name(counts[i].bucket), counts[i].count, err);
    }
    out->ending /= 2; /* each has two keys */
    /* There is information of every document, too. */
    out->deleted -= out->documents < out->deleted ? out->documents : out->deleted;
    return rc;
}

static stele_code last_version(stele_store_read *read, stele_docs_version *out, stele_error *err)
{
    struct sti_docs_version version = {.seconds = 0};
    stele_store_cursor *cursor = NULL;
    stele_bytes key = stele_nil();
    stele_bytes id = stele_nil();
    stele_code rc = stele_store_cursor_open(&cursor, read, sti_docs_bucket_name(STI_DOCS_LOG), err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_store_cursor_last(cursor, err);
    if (rc == STELE_OK) {
        rc = stele_store_cursor_pair(cursor, &key, NULL, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_log_key_decode(&version, &id, key, err);
    }
    stele_store_cursor_close(cursor);
    *out = sti_docs_version_public(version);
    return rc == STELE_END ? STELE_OK : rc;
}

static stele_code fill(
        stele_docs *db, stele_store_read *read, stele_docs_status *out, stele_error *err)
{
    bool pending = false;
    int64_t horizon = 0;
    stele_code rc = sti_docs_anew_pending(read, NULL, &pending, err);

    out->state = pending ? STELE_DOCS_REINDEXING : STELE_DOCS_READY;
    if (pending) {
        out->reindex_done = atomic_load(&db->anew_done);
        out->reindex_total = atomic_load(&db->anew_total);
        out->reindex_failed = atomic_load(&db->anew_failed);
    }
    if (rc == STELE_OK) {
        rc = count_all(read, out, err);
    }
    if (rc == STELE_OK) {
        rc = last_version(read, &out->last, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_seq_last(read, &out->seq, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_horizon(read, &horizon, err);
    }
    out->horizon = horizon * SECOND_US;
    return rc;
}

static stele_code see(
        stele_docs *db, stele_store_read *read, stele_docs_status *out, stele_error *err)
{
    bool restoring = atomic_load(&db->restoring);
    stele_code rc = STELE_OK;

    if (db->options.read_only) {
        rc = sti_docs_undo_marked(read, &restoring, err);
    }
    if (rc == STELE_OK && restoring) {
        out->state = STELE_DOCS_INITIALISING;
        return STELE_OK;
    }
    return rc == STELE_OK ? fill(db, read, out, err) : rc;
}

stele_code stele_docs_get_status(stele_docs *db, stele_docs_status *out, stele_error *err)
{
    stele_docs_status status = {.state = STELE_DOCS_READY};
    stele_store_read *read = NULL;
    stele_store_stats store;
    stele_code rc;

    if (db == NULL || out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database, or nowhere to put its status");
    }
    rc = stele_store_stat(db->store, &store, err);
    if (rc == STELE_OK) {
        status.size = store.size;
        status.size_in_use = store.size_in_use;
        status.wal_size = store.wal_size;
        rc = stele_store_read_begin(&read, db->store, err);
    }
    if (rc == STELE_OK) {
        rc = see(db, read, &status, err);
        stele_store_read_end(read);
    }
    if (rc == STELE_OK) {
        *out = status;
    }
    return rc;
}

static stele_code look(void *arg, stele_store_read *read, bool *done, stele_error *err)
{
    stele_docs *db = arg;
    bool pending = false;
    /* The failure is looked for first: it is told before the end of the work is seen. */
    stele_code failed = atomic_load(&db->anew_failed);
    stele_code rc = sti_docs_anew_pending(read, NULL, &pending, err);

    if (rc == STELE_OK && pending && failed != STELE_OK) {
        rc = sti_fail(err, failed, "documents could not be indexed anew");
    }
    *done = !pending && !atomic_load(&db->restoring);
    return rc;
}

stele_code stele_docs_wait_ready(stele_docs *db, const stele_wait *wait, stele_error *err)
{
    if (db == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database");
    }
    return sti_docs_feed_wait(db, look, db, wait, err);
}
