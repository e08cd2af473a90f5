/* SPDX-License-Identifier: MIT
 *
 * reindex.c: the keys that a document ought to have, whatever it has.
 */
#include "base/error.h"
#include "base/mutant.h"
#include "docs/apply.h"
#include "docs/expiry.h"

/* Version and claims of a document: by its log, or, where it has none, by itself. */
static stele_code make_info(struct sti_docs_write *w, const struct sti_docs_change *change,
        stele_buf *out, stele_error *err)
{
    struct sti_docs_keys keys = {.list = change->unique, .count = change->unique_count};
    struct sti_docs_info info = {.claims = NULL};
    stele_code rc = STELE_ENOTFOUND;

    if (keys.count > 0 && !STI_MUTANT(DOCS_REINDEX_CLAIMS_NOW)) {
        rc = sti_docs_claims_of_log(w, change->entry.id, change, out, err);
    }
    if (rc != STELE_ENOTFOUND) {
        return rc;
    }
    rc = sti_docs_info_after(&info, NULL, change->entry.version, false, keys, err);
    if (rc == STELE_OK) {
        rc = sti_docs_info_encode(&info, out, err);
    }
    sti_docs_info_free(&info);
    return rc;
}

stele_code sti_docs_reindex_one(
        struct sti_docs_write *w, stele_bytes id, bool mend, stele_error *err)
{
    struct sti_docs_entry entry = {.id = id};
    struct sti_docs_change change = {.document = NULL};
    struct sti_docs_info info = {.claims = NULL};
    stele_bytes value = stele_nil();
    bool found = false;
    bool found_info = false;
    stele_buf bytes;
    stele_code rc = sti_docs_read(w->view, STI_DOCS_DAT, id, &entry.json, &found, err);

    stele_buf_init(&bytes, SIZE_MAX);
    if (rc == STELE_OK) {
        rc = sti_docs_read(w->view, STI_DOCS_NFO, id, &value, &found_info, err);
    }
    if (rc == STELE_OK && (!found || !found_info || value.len < STI_DOCS_VERSION_SIZE)) {
        rc = sti_fail(err, STELE_ECORRUPT, "a document that is indexed is missing");
    }
    if (rc == STELE_OK) {
        rc = sti_docs_version_get(&entry.version, value.data, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_change_prepare(&change, w, &entry, NULL, false, err);
    }
    if (rc == STELE_OK) {
        rc = make_info(w, &change, &bytes, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_info_decode(&info, stele_buf_view(&bytes), err);
    }
    if (rc == STELE_OK && !stele_bytes_equal(value, stele_buf_view(&bytes))) {
        rc = sti_docs_put(w, STI_DOCS_NFO, id, stele_buf_view(&bytes), err);
    }
    if (rc == STELE_OK) {
        rc = mend ? sti_docs_index_mend(w, id, &change.keys, &info, err)
                  : sti_docs_index_replace(w, id, &change.keys, &info, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_expiry_replace(w, id, change.ends ? &change.end : NULL, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_note_unreadable(w, id, change.document == NULL, err);
    }
    sti_docs_info_free(&info);
    sti_docs_change_free(&change);
    stele_buf_free(&bytes);
    return rc;
}

stele_code sti_docs_next_document(
        struct sti_docs_write *w, stele_bytes head, stele_buf *at, stele_buf *id, stele_error *err)
{
    struct sti_docs_index_value here = {.unique = false};
    stele_store_cursor *cursor = NULL;
    stele_bytes key = stele_nil();
    stele_bytes value = stele_nil();
    stele_code rc =
            stele_store_cursor_open(&cursor, w->view, sti_docs_bucket_name(STI_DOCS_IDX), err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_store_cursor_seek(cursor, at->len == 0 ? head : stele_buf_view(at), err);
    if (rc == STELE_OK) {
        rc = stele_store_cursor_pair(cursor, &key, &value, err);
    }
    if (rc == STELE_OK && (key.len < head.len || memcmp(key.data, head.data, head.len) != 0)) {
        rc = STELE_END;
    }
    if (rc == STELE_OK) {
        rc = sti_docs_index_value_get(&here, key, value, err);
    }
    stele_buf_clear(id);
    if (rc == STELE_OK) {
        rc = stele_buf_append(id, here.id, err);
    }
    rc = rc == STELE_OK ? sti_docs_behind(at, key, err) : rc;
    stele_store_cursor_close(cursor);
    return rc;
}

stele_code sti_docs_reindex(struct sti_docs_write *w, uint32_t old_number, stele_error *err)
{
    stele_buf head;
    stele_buf at;
    stele_buf id;
    stele_code rc;

    stele_buf_init(&head, SIZE_MAX);
    stele_buf_init(&at, SIZE_MAX);
    stele_buf_init(&id, SIZE_MAX);
    rc = sti_docs_index_head(old_number, 0, &head, err);
    while (rc == STELE_OK) {
        rc = sti_docs_next_document(w, stele_buf_view(&head), &at, &id, err);
        if (rc == STELE_OK) {
            rc = sti_docs_reindex_one(w, stele_buf_view(&id), false, err);
        }
    }
    stele_buf_free(&head);
    stele_buf_free(&at);
    stele_buf_free(&id);
    return rc == STELE_END ? STELE_OK : rc;
}
