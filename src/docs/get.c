/* SPDX-License-Identifier: MIT
 *
 * get.c: reading single documents, by their IDs.
 */
#include "base/error.h"
#include "docs/expiry.h"
#include "docs/path.h"

/* What is there under an ID. */
struct seen {
    stele_bytes value;
    bool found;
    bool expired;
    struct sti_docs_time expiry; /* if it is expired */
};

/* Look at what a bucket has under an ID, in a read of its own, and tell what is there. */
static stele_code look(stele_docs *db, enum sti_docs_bucket bucket, stele_bytes id,
        stele_code (*tell)(void *arg, const struct seen *seen, stele_error *err), void *arg,
        stele_error *err)
{
    struct seen seen = {.found = false};
    stele_store_read *read = NULL;
    stele_code rc;

    if (db == NULL || id.data == NULL || id.len == 0) {
        return sti_fail(err, STELE_EINVAL, "no database, or an ID of no bytes");
    }
    if (id.len > STELE_DOCS_ID_MAX) {
        return sti_fail(err, STELE_ETOOBIG, "an ID of %zu bytes", id.len);
    }
    rc = sti_docs_read_begin(&read, db, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_docs_read(read, bucket, id, &seen.value, &seen.found, err);
    if (rc == STELE_OK && seen.found && atomic_load(&db->expires)) {
        rc = sti_docs_expiry_read(read, id, &seen.expiry, &seen.expired, err);
        seen.expired = seen.expired && sti_docs_time_compare(seen.expiry, sti_docs_wall(db)) <= 0;
    }
    if (rc == STELE_OK) {
        rc = tell(arg, &seen, err);
    }
    stele_store_read_end(read);
    return rc;
}

static stele_code fail_missing(stele_error *err)
{
    return sti_fail(err, STELE_ENOTFOUND, "no such document");
}

static stele_code tell_json(void *arg, const struct seen *seen, stele_error *err)
{
    return seen->found && !seen->expired ? stele_buf_append(arg, seen->value, err)
                                         : fail_missing(err);
}

stele_code stele_docs_get(stele_docs *db, stele_bytes id, stele_buf *out, stele_error *err)
{
    if (out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no buffer");
    }
    return look(db, STI_DOCS_DAT, id, tell_json, out, err);
}

struct field {
    stele_bytes pointer;
    stele_buf *out;
};

static stele_code tell_field(void *arg, const struct seen *seen, stele_error *err)
{
    const struct field *field = arg;
    json_t *document = NULL;
    const json_t *value = NULL;
    stele_code rc;

    if (!seen->found || seen->expired) {
        return fail_missing(err);
    }
    rc = sti_docs_value_of_peer(seen->value, &document, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = document == NULL ? sti_fail(err, STELE_ENOTFOUND, "the document is not JSON")
                          : sti_docs_pointer_find(document, field->pointer, &value, err);
    if (rc == STELE_OK) {
        rc = sti_docs_value_print(value, field->out, err);
    }
    json_decref(document);
    return rc;
}

stele_code stele_docs_get_field(
        stele_docs *db, stele_bytes id, stele_bytes pointer, stele_buf *out, stele_error *err)
{
    struct field field = {.pointer = pointer, .out = out};

    if (out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no buffer");
    }
    return look(db, STI_DOCS_DAT, id, tell_field, &field, err);
}

static stele_code tell_whether(void *arg, const struct seen *seen, stele_error *err)
{
    bool *has = arg;

    (void)err;
    *has = seen->found && !seen->expired;
    return STELE_OK;
}

stele_code stele_docs_has(stele_docs *db, stele_bytes id, bool *has, stele_error *err)
{
    if (has == NULL) {
        return sti_fail(err, STELE_EINVAL, "nowhere to put the answer");
    }
    return look(db, STI_DOCS_DAT, id, tell_whether, has, err);
}

struct known {
    stele_docs_version version;
    bool deleted;
};

/* Of a document that has ended it is the version of the delete entry that it will have. */
static stele_code tell_version(void *arg, const struct seen *seen, stele_error *err)
{
    struct known *known = arg;
    struct sti_docs_info info = {.claims = NULL};
    stele_code rc = seen->found ? sti_docs_info_decode(&info, seen->value, err) : fail_missing(err);

    if (rc == STELE_OK && seen->expired) {
        rc = sti_docs_expiry_version(seen->expiry, info.version, &info.version, err);
    }
    if (rc == STELE_OK) {
        known->version = sti_docs_version_public(info.version);
        known->deleted = info.deleted || seen->expired;
    }
    sti_docs_info_free(&info);
    return rc;
}

stele_code stele_docs_version_of(stele_docs *db, stele_bytes id, stele_docs_version *version,
        bool *deleted, stele_error *err)
{
    struct known known = {.deleted = false};
    stele_code rc;

    if (version == NULL || deleted == NULL) {
        return sti_fail(err, STELE_EINVAL, "nowhere to put the answer");
    }
    rc = look(db, STI_DOCS_NFO, id, tell_version, &known, err);
    if (rc == STELE_OK) {
        *version = known.version;
        *deleted = known.deleted;
    }
    return rc;
}
