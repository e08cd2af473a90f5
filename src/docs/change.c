/* SPDX-License-Identifier: MIT
 *
 * change.c: documents set and deleted here.
 */
#include "base/error.h"
#include "docs/apply.h"

static stele_code check_id(const stele_docs *db, stele_bytes id, stele_error *err)
{
    if (db == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database");
    }
    if (id.data == NULL || id.len == 0) {
        return sti_fail(err, STELE_EINVAL, "an ID of no bytes");
    }
    if (id.len > db->options.id_max) {
        return sti_fail(err, STELE_ETOOBIG, "an ID of %zu bytes, more than %zu", id.len,
                db->options.id_max);
    }
    return STELE_OK;
}

/* Make the change; the document is taken over. */
static stele_code make(struct sti_docs_write *w, const struct sti_docs_entry *entry,
        json_t *document, stele_error *err)
{
    struct sti_docs_change change = {.document = NULL};
    enum sti_docs_applied applied = STI_DOCS_APPLIED_KNOWN;
    stele_code rc = sti_docs_change_prepare(&change, w, entry, document, true, err);

    if (rc == STELE_OK) {
        rc = sti_docs_change_check_owners(w, &change, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_apply(w, &change, &applied, err);
    }
    if (rc == STELE_OK && applied != STI_DOCS_APPLIED_CURRENT) {
        rc = sti_fail(err, STELE_ECORRUPT, "the document has a version that is still to come");
    }
    sti_docs_change_free(&change);
    return rc;
}

stele_code stele_docs_set(stele_docs *db, stele_bytes id, stele_bytes json,
        stele_docs_version *version, stele_error *err)
{
    struct sti_docs_entry entry = {.id = id, .json = json};
    struct sti_docs_write w;
    json_t *document = NULL;
    stele_code rc = check_id(db, id, err);

    if (rc == STELE_OK && json.data == NULL) {
        rc = sti_fail(err, STELE_EINVAL, "no document");
    }
    if (rc == STELE_OK) {
        rc = sti_docs_value_parse(json, &db->rules, &document, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_docs_write_begin(&w, db, err);
    if (rc != STELE_OK) {
        json_decref(document);
        return rc;
    }
    rc = sti_docs_write_version(&w, &entry.version, err);
    if (rc == STELE_OK) {
        rc = make(&w, &entry, document, err);
    } else {
        json_decref(document);
    }
    rc = sti_docs_write_end(&w, rc, err);
    if (rc == STELE_OK && version != NULL) {
        *version = sti_docs_version_public(entry.version);
    }
    return rc;
}

stele_code stele_docs_delete(
        stele_docs *db, stele_bytes id, stele_docs_version *version, stele_error *err)
{
    struct sti_docs_entry entry = {.id = id, .is_delete = true};
    struct sti_docs_write w;
    stele_bytes json = stele_nil();
    bool found = false;
    stele_code rc = check_id(db, id, err);

    if (rc == STELE_OK) {
        rc = sti_docs_write_begin(&w, db, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_docs_read(w.view, STI_DOCS_DAT, id, &json, &found, err);
    if (rc == STELE_OK && !found) {
        rc = sti_fail(err, STELE_ENOTFOUND, "no such document");
    }
    if (rc == STELE_OK) {
        rc = sti_docs_write_version(&w, &entry.version, err);
    }
    if (rc == STELE_OK) {
        rc = make(&w, &entry, NULL, err);
    }
    rc = sti_docs_write_end(&w, rc, err);
    if (rc == STELE_OK && version != NULL) {
        *version = sti_docs_version_public(entry.version);
    }
    return rc;
}
