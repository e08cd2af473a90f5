/* SPDX-License-Identifier: MIT
 *
 * expire.c: delete entries of documents that have ended.
 */
#include "base/coding.h"
#include "base/error.h"
#include "docs/apply.h"
#include "docs/expiry.h"

enum {
    AT_ONCE = 256, /* documents in a batch, for which writers wait */
    ID_AT = 1 + 8 + 4
};

static stele_code delete_expired(
        struct sti_docs_write *w, stele_bytes id, struct sti_docs_time expiry, stele_error *err)
{
    struct sti_docs_entry entry = {.id = id, .is_delete = true};
    struct sti_docs_change change = {.document = NULL};
    struct sti_docs_info info = {.claims = NULL};
    enum sti_docs_applied applied = STI_DOCS_APPLIED_KNOWN;
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc = sti_docs_read(w->view, STI_DOCS_NFO, id, &value, &found, err);

    if (rc == STELE_OK && !found) {
        rc = sti_fail(err, STELE_ECORRUPT, "a document that ends has no version");
    }
    if (rc == STELE_OK) {
        rc = sti_docs_info_decode(&info, value, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_expiry_version(expiry, info.version, &entry.version, err);
    }
    if (rc == STELE_OK && entry.version.seconds < w->db->horizon) {
        /* Its type says only since the horizon was set that it has ended. */
        entry.version.seconds = w->db->horizon;
        entry.version.ns = 0;
    }
    if (rc == STELE_OK) {
        rc = sti_docs_change_prepare(&change, w, &entry, NULL, true, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_apply(w, &change, &applied, err);
    }
    if (rc == STELE_OK && applied != STI_DOCS_APPLIED_CURRENT) {
        rc = sti_fail(err, STELE_ECORRUPT, "a document that ended has a later entry");
    }
    if (rc == STELE_OK) {
        /* What is changed here from now on is later. */
        sti_docs_clock_recover(&w->db->clock, entry.version);
    }
    sti_docs_change_free(&change);
    sti_docs_info_free(&info);
    return rc;
}

stele_code sti_docs_expire_one(
        struct sti_docs_write *w, stele_bytes id, bool *expired, stele_error *err)
{
    struct sti_docs_time expiry = {.seconds = 0};
    bool found = false;
    stele_code rc = sti_docs_is_expired(w->db, w->view, id, w->now, expired, err);

    if (rc != STELE_OK || !*expired) {
        return rc;
    }
    rc = sti_docs_expiry_read(w->view, id, &expiry, &found, err);
    return rc == STELE_OK ? delete_expired(w, id, expiry, err) : rc;
}

/* The first document that ends, in place of what `id` holds; STELE_END. */
static stele_code first_to_end(struct sti_docs_write *w, stele_buf *id, stele_error *err)
{
    stele_store_cursor *cursor = NULL;
    stele_bytes key = stele_nil();
    stele_code rc =
            stele_store_cursor_open(&cursor, w->view, sti_docs_bucket_name(STI_DOCS_EXP), err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_store_cursor_first(cursor, err);
    if (rc == STELE_OK) {
        rc = stele_store_cursor_pair(cursor, &key, NULL, err);
    }
    if (rc == STELE_OK && (key.len <= ID_AT || key.data[0] != 0)) {
        rc = STELE_END;
    }
    if (rc == STELE_OK) {
        stele_buf_clear(id);
        rc = stele_buf_append(id, stele_bytes_of(key.data + ID_AT, key.len - ID_AT), err);
    }
    stele_store_cursor_close(cursor);
    return rc;
}

/* Up to so many; fewer: no more have ended. */
static stele_code expire_some(
        struct sti_docs_write *w, uint64_t most, uint64_t *count, stele_error *err)
{
    bool expired = true;
    stele_buf id;
    stele_code rc = STELE_OK;

    stele_buf_init(&id, SIZE_MAX);
    while (*count < most && rc == STELE_OK && expired) {
        rc = first_to_end(w, &id, err);
        if (rc == STELE_OK) {
            rc = sti_docs_expire_one(w, stele_buf_view(&id), &expired, err);
        }
        if (rc == STELE_OK && expired) {
            ++*count;
        }
    }
    stele_buf_free(&id);
    return rc == STELE_END ? STELE_OK : rc;
}

stele_code stele_docs_expire(stele_docs *db, uint64_t limit, uint64_t *count, stele_error *err)
{
    uint64_t left = limit == 0 ? UINT64_MAX : limit;
    uint64_t done = 0;
    uint64_t some;
    stele_code rc;

    if (db == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database");
    }
    do {
        struct sti_docs_write w = {.db = db};

        some = 0;
        rc = sti_docs_write_begin(&w, db, err);
        if (rc == STELE_OK) {
            rc = expire_some(&w, left < AT_ONCE ? left : AT_ONCE, &some, err);
            rc = sti_docs_write_end(&w, rc, err);
        }
        if (rc == STELE_OK) {
            done += some;
            left -= some;
        }
    } while (rc == STELE_OK && left > 0 && some == AT_ONCE);
    if (rc == STELE_OK && count != NULL) {
        *count = done;
    }
    return rc;
}
