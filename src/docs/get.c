/* SPDX-License-Identifier: MIT
 *
 * get.c: reading single documents, by their IDs.
 */
#include "base/error.h"
#include "docs/path.h"
#include "docs/state.h"

/* Begin a read and get from it. On success the read is the caller's to end. */
static stele_code begin_get(stele_store_read **read, stele_docs *db, enum sti_docs_bucket bucket,
        stele_bytes id, stele_bytes *value, bool *found, stele_error *err)
{
    stele_code rc;

    if (db == NULL || id.data == NULL || id.len == 0) {
        return sti_fail(err, STELE_EINVAL, "no database, or an ID of no bytes");
    }
    if (id.len > STELE_DOCS_ID_MAX) {
        return sti_fail(err, STELE_ETOOBIG, "an ID of %zu bytes", id.len);
    }
    rc = stele_store_read_begin(read, db->store, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_docs_read(*read, bucket, id, value, found, err);
    if (rc != STELE_OK) {
        stele_store_read_end(*read);
    }
    return rc;
}

static stele_code fail_missing(stele_error *err)
{
    return sti_fail(err, STELE_ENOTFOUND, "no such document");
}

stele_code stele_docs_get(stele_docs *db, stele_bytes id, stele_buf *out, stele_error *err)
{
    stele_store_read *read = NULL;
    stele_bytes json = stele_nil();
    bool found = false;
    stele_code rc;

    if (out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no buffer");
    }
    rc = begin_get(&read, db, STI_DOCS_DAT, id, &json, &found, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = found ? stele_buf_append(out, json, err) : fail_missing(err);
    stele_store_read_end(read);
    return rc;
}

static stele_code append_field(
        stele_bytes json, stele_bytes pointer, stele_buf *out, stele_error *err)
{
    json_t *document = NULL;
    const json_t *value = NULL;
    stele_code rc = sti_docs_value_of_peer(json, &document, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = document == NULL ? sti_fail(err, STELE_ENOTFOUND, "the document is not JSON")
                          : sti_docs_pointer_find(document, pointer, &value, err);
    if (rc == STELE_OK) {
        rc = sti_docs_value_print(value, out, err);
    }
    json_decref(document);
    return rc;
}

stele_code stele_docs_get_field(
        stele_docs *db, stele_bytes id, stele_bytes pointer, stele_buf *out, stele_error *err)
{
    stele_store_read *read = NULL;
    stele_bytes json = stele_nil();
    bool found = false;
    stele_code rc;

    if (out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no buffer");
    }
    rc = begin_get(&read, db, STI_DOCS_DAT, id, &json, &found, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = found ? append_field(json, pointer, out, err) : fail_missing(err);
    stele_store_read_end(read);
    return rc;
}

stele_code stele_docs_has(stele_docs *db, stele_bytes id, bool *has, stele_error *err)
{
    stele_store_read *read = NULL;
    stele_bytes json = stele_nil();
    bool found = false;
    stele_code rc;

    if (has == NULL) {
        return sti_fail(err, STELE_EINVAL, "nowhere to put the answer");
    }
    rc = begin_get(&read, db, STI_DOCS_DAT, id, &json, &found, err);
    if (rc == STELE_OK) {
        stele_store_read_end(read);
        *has = found;
    }
    return rc;
}

stele_code stele_docs_version_of(stele_docs *db, stele_bytes id, stele_docs_version *version,
        bool *deleted, stele_error *err)
{
    stele_store_read *read = NULL;
    struct sti_docs_info info = {.claims = NULL};
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc;

    if (version == NULL || deleted == NULL) {
        return sti_fail(err, STELE_EINVAL, "nowhere to put the answer");
    }
    rc = begin_get(&read, db, STI_DOCS_NFO, id, &value, &found, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = found ? sti_docs_info_decode(&info, value, err) : fail_missing(err);
    if (rc == STELE_OK) {
        *version = sti_docs_version_public(info.version);
        *deleted = info.deleted;
    }
    sti_docs_info_free(&info);
    stele_store_read_end(read);
    return rc;
}
