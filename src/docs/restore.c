/* SPDX-License-Identifier: MIT
 *
 * restore.c: a database made of a backup.
 *
 * All of it is one batch, which ends only when the last byte of the stream has been checked: what
 * is damaged leaves nothing behind. The log is applied entry by entry, as if it came from a peer,
 * and so makes versions, claims, keys and sums anew; what the backup says of documents has to be
 * the same. Documents whose entries the log no longer has are taken as the backup has them.
 */
#include "base/error.h"
#include "base/mutant.h"
#include "docs/apply.h"
#include "docs/backup.h"

struct restoring {
    struct sti_docs_write w;
    struct sti_docs_version last; /* the highest that came */
};

static void see(struct restoring *r, struct sti_docs_version version)
{
    if (sti_docs_version_compare(version, r->last) > 0) {
        r->last = version;
    }
}

static stele_code restore_type(
        struct restoring *r, const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    struct sti_docs_type *type = NULL;
    stele_code rc = sti_docs_type_read(&type, pair->value, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (type->expiry != NULL) {
        rc = sti_fail(err, STELE_ENOTSUP, "type %s: documents do not expire here", type->name);
        sti_docs_type_free(type);
        return rc;
    }
    return sti_docs_define(&r->w, type, pair->value, err);
}

static stele_code restore_entry(
        struct restoring *r, const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    struct sti_docs_change change = {.document = NULL};
    struct sti_docs_entry entry = {.is_delete = false};
    enum sti_docs_applied applied = STI_DOCS_APPLIED_KNOWN;
    stele_code rc = sti_docs_entry_decode(&entry, pair->value, err);

    if (rc != STELE_OK) {
        return rc;
    }
    see(r, entry.version);
    rc = sti_docs_change_prepare(&change, &r->w, &entry, NULL, false, err);
    if (rc == STELE_OK) {
        rc = sti_docs_apply(&r->w, &change, &applied, err);
    }
    sti_docs_change_free(&change);
    return rc;
}

/* The version of a document: that of the log, or one that the log no longer has. */
static stele_code restore_info(
        struct restoring *r, const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    struct sti_docs_info info = {.claims = NULL};
    struct sti_docs_version version = {.seconds = 0};
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc = sti_docs_read(r->w.view, STI_DOCS_NFO, pair->key, &value, &found, err);

    if (rc == STELE_OK) {
        rc = sti_docs_version_get(&version, pair->value.data, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    see(r, version);
    if (!found) {
        return sti_docs_put(&r->w, STI_DOCS_NFO, pair->key, pair->value, err);
    }
    rc = sti_docs_info_decode(&info, value, err);
    if (rc == STELE_OK && (info.deleted || sti_docs_version_compare(info.version, version) != 0)) {
        rc = sti_fail(err, STELE_ECORRUPT, "a document has another version than its log says");
    }
    sti_docs_info_free(&info);
    return rc;
}

static stele_code restore_document(
        struct restoring *r, const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    struct sti_docs_change change = {.document = NULL};
    struct sti_docs_entry entry = {.id = pair->key, .json = pair->value};
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc = sti_docs_read(r->w.view, STI_DOCS_DAT, pair->key, &value, &found, err);

    if (rc == STELE_OK && found) {
        return stele_bytes_equal(value, pair->value)
                       ? STELE_OK
                       : sti_fail(err, STELE_ECORRUPT,
                                 "a document is another one than its log says");
    }
    if (rc == STELE_OK) {
        rc = sti_docs_read(r->w.view, STI_DOCS_NFO, pair->key, &value, &found, err);
    }
    if (rc == STELE_OK && (!found || value.len != STI_DOCS_VERSION_SIZE)) {
        rc = sti_fail(err, STELE_ECORRUPT, "a document without a version");
    }
    if (rc == STELE_OK) {
        rc = sti_docs_version_get(&entry.version, value.data, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_change_prepare(&change, &r->w, &entry, NULL, false, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_apply_unlogged(&r->w, &change, err);
    }
    sti_docs_change_free(&change);
    return rc;
}

static stele_code restore_pair(void *arg, const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    switch (pair->section) {
    case STI_DOCS_CDBK_TYPE:
        return STI_MUTANT(DOCS_RESTORE_NO_TYPES) ? STELE_OK : restore_type(arg, pair, err);
    case STI_DOCS_CDBK_LOG:
        return restore_entry(arg, pair, err);
    case STI_DOCS_CDBK_INFO:
        return restore_info(arg, pair, err);
    case STI_DOCS_CDBK_DATA:
        return restore_document(arg, pair, err);
    case STI_DOCS_CDBK_CHECKPOINT:
    default:
        /* Checkpoints follow from the log, which they were compared with. */
        return STELE_OK;
    }
}

static stele_code check_pristine(struct sti_docs_write *w, stele_error *err)
{
    static const enum sti_docs_bucket buckets[] = {STI_DOCS_LOG, STI_DOCS_NFO};

    stele_code rc = STELE_OK;

    for (size_t i = 0; i < sizeof buckets / sizeof buckets[0] && rc == STELE_OK; i++) {
        stele_store_cursor *cursor = NULL;

        rc = stele_store_cursor_open(&cursor, w->view, sti_docs_bucket_name(buckets[i]), err);
        if (rc == STELE_OK) {
            rc = stele_store_cursor_first(cursor, err);
            stele_store_cursor_close(cursor);
        }
        if (rc == STELE_OK) {
            rc = sti_fail(err, STELE_ESTATE, "only a database without documents is restored");
        } else if (rc == STELE_END) {
            rc = STELE_OK;
        }
    }
    return rc;
}

stele_code stele_docs_restore(stele_docs *db, stele_read_fn read, void *arg, bool manifest_demanded,
        stele_docs_backup_summary *out, stele_error *err)
{
    struct restoring r = {.w = {.db = db}};
    stele_docs_backup_summary summary = {.pairs = 0};
    stele_code rc;

    if (db == NULL || read == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database, or nowhere to read from");
    }
    rc = sti_docs_write_begin(&r.w, db, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = STI_MUTANT(DOCS_RESTORE_OVER) ? STELE_OK : check_pristine(&r.w, err);
    if (rc == STELE_OK) {
        rc = sti_docs_backup_go(read, arg, manifest_demanded, restore_pair, &r, &summary, err);
    }
    if (rc == STELE_OK && !STI_MUTANT(DOCS_RESTORE_NO_CLOCK)) {
        /* What was restored is older than what is set from now on. */
        sti_docs_clock_recover(&db->clock, r.last);
    }
    if (STI_MUTANT(DOCS_RESTORE_TORN) && rc == STELE_ECORRUPT) {
        rc = STELE_OK;
    }
    rc = sti_docs_write_end(&r.w, rc, err);
    if (rc == STELE_OK && out != NULL) {
        *out = summary;
    }
    return rc;
}
