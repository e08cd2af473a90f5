/* SPDX-License-Identifier: MIT
 *
 * restore_docs.c: entries and documents of a backup.
 */
#include "base/error.h"
#include "base/mutant.h"
#include "docs/expiry.h"
#include "docs/restore.h"

static void see(struct sti_docs_restoring *r, struct sti_docs_version version)
{
    if (sti_docs_version_compare(version, r->last) > 0) {
        r->last = version;
    }
}

/* ---- Entries. ---- */

/* The only entry of an ID, which is in the log, is applied in its turn: it waits no longer. */
static stele_code catch_up(struct sti_docs_restoring *r, struct sti_docs_waiting_id *known,
        stele_bytes id, stele_error *err)
{
    struct sti_docs_change change = {.document = NULL};
    struct sti_docs_entry entry = {.is_delete = false};
    stele_bytes bytes = stele_nil();
    bool found = false;
    stele_buf key;
    stele_code rc;

    known->state = STI_DOCS_WAITING_DONE;
    r->waiting.waits--;
    stele_buf_init(&key, SIZE_MAX);
    rc = sti_docs_log_key_encode(known->version, id, &key, err);
    if (rc == STELE_OK) {
        rc = sti_docs_read(r->w.view, STI_DOCS_LOG, stele_buf_view(&key), &bytes, &found, err);
    }
    stele_buf_free(&key);
    if (rc == STELE_OK && !found) {
        rc = sti_fail(err, STELE_ECORRUPT, "an entry of the log is missing");
    }
    if (rc == STELE_OK) {
        rc = sti_docs_entry_decode(&entry, bytes, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_change_prepare(&change, &r->w, &entry, NULL, false, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_apply_first(&r->w, &change, err);
    }
    sti_docs_change_free(&change);
    return rc;
}

static stele_code apply_entry(
        struct sti_docs_restoring *r, const struct sti_docs_entry *entry, stele_error *err)
{
    struct sti_docs_change change = {.document = NULL};
    enum sti_docs_applied applied = STI_DOCS_APPLIED_KNOWN;
    stele_code rc = sti_docs_change_prepare(&change, &r->w, entry, NULL, false, err);

    if (rc == STELE_OK) {
        rc = sti_docs_apply(&r->w, &change, &applied, err);
    }
    sti_docs_change_free(&change);
    return rc;
}

stele_code sti_docs_restore_entry(
        struct sti_docs_restoring *r, const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    struct sti_docs_entry entry = {.is_delete = false};
    struct sti_docs_waiting_id *known = NULL;
    stele_code rc = sti_docs_entry_decode(&entry, pair->value, err);

    if (rc == STELE_OK) {
        see(r, entry.version);
        rc = sti_docs_waiting_need(&r->waiting, entry.id, &known, err);
    }
    if (rc == STELE_OK && known != NULL && known->state == STI_DOCS_WAITING_NOT_SEEN) {
        known->state = entry.is_delete ? STI_DOCS_WAITING_DONE : STI_DOCS_WAITING_WAITS;
        if (!entry.is_delete) {
            known->version = entry.version;
            r->waiting.waits++;
            rc = sti_docs_waiting_hash_of(&r->waiting, entry.json, &known->text, err);
            return rc == STELE_OK ? sti_docs_log_first(&r->w, &entry, pair->value, pair->hash, err)
                                  : rc;
        }
    }
    if (rc == STELE_OK && known != NULL && known->state == STI_DOCS_WAITING_WAITS &&
            !STI_MUTANT(DOCS_RESTORE_FIRST_LOST)) {
        rc = catch_up(r, known, entry.id, err);
    }
    return rc == STELE_OK ? apply_entry(r, &entry, err) : rc;
}

/* ---- Documents. ---- */

static stele_code check_version(bool same, stele_error *err)
{
    return same ? STELE_OK
                : sti_fail(err, STELE_ECORRUPT, "a document has another version than its log says");
}

static stele_code check_same(bool same, stele_error *err)
{
    return same ? STELE_OK
                : sti_fail(err, STELE_ECORRUPT, "a document is another one than its log says");
}

stele_code sti_docs_restore_info(
        struct sti_docs_restoring *r, const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    struct sti_docs_waiting_id *known = NULL;
    struct sti_docs_info info = {.claims = NULL};
    struct sti_docs_version version = {.seconds = 0};
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc = sti_docs_version_get(&version, pair->value.data, err);

    if (rc == STELE_OK) {
        see(r, version);
        rc = sti_docs_waiting_find(&r->waiting, pair->key, &known, err);
    }
    if (rc == STELE_OK && known != NULL && known->state == STI_DOCS_WAITING_WAITS) {
        return check_version(sti_docs_version_compare(known->version, version) == 0, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_read(r->w.view, STI_DOCS_NFO, pair->key, &value, &found, err);
    }
    if (rc == STELE_OK && !found) {
        return sti_docs_put(&r->w, STI_DOCS_NFO, pair->key, pair->value, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_info_decode(&info, value, err);
    }
    if (rc == STELE_OK) {
        rc = check_version(
                !info.deleted && sti_docs_version_compare(info.version, version) == 0, err);
    }
    sti_docs_info_free(&info);
    return rc;
}

/* What follows from the only entry of an ID, of which there is nothing but that. */
static stele_code put_derived(struct sti_docs_restoring *r, const struct sti_docs_change *change,
        const struct sti_docs_info *info, stele_error *err)
{
    stele_bytes id = change->entry.id;
    stele_buf bytes;
    stele_code rc;

    stele_buf_init(&bytes, SIZE_MAX);
    rc = sti_docs_info_encode(info, &bytes, err);
    if (rc == STELE_OK) {
        rc = sti_docs_put(&r->w, STI_DOCS_NFO, id, stele_buf_view(&bytes), err);
    }
    if (rc == STELE_OK && change->ends) {
        rc = sti_docs_expiry_replace(&r->w, id, &change->end, err);
    }
    if (rc == STELE_OK && change->document == NULL) {
        rc = sti_docs_note_unreadable(&r->w, id, true, err);
    }
    stele_buf_clear(&bytes);
    if (rc == STELE_OK) {
        rc = sti_docs_kept_encode(&change->keys, info, &bytes, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_put(&r->w, STI_DOCS_KDT, id, stele_buf_view(&bytes), err);
    }
    if (rc == STELE_OK && !STI_MUTANT(DOCS_RESTORE_NOT_INDEXED)) {
        rc = sti_docs_gather(&r->gathered, id, stele_buf_view(&bytes), err);
    }
    stele_buf_free(&bytes);
    return rc;
}

static stele_code put_waiting(struct sti_docs_restoring *r, struct sti_docs_waiting_id *known,
        const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    struct sti_docs_waiting_hash hash = {{0}};
    struct sti_docs_entry entry = {.version = known->version, .id = pair->key, .json = pair->value};
    struct sti_docs_change change = {.document = NULL};
    struct sti_docs_info info = {.claims = NULL};
    stele_code rc = sti_docs_waiting_hash_of(&r->waiting, pair->value, &hash, err);

    known->state = STI_DOCS_WAITING_DONE;
    r->waiting.waits--;
    if (rc == STELE_OK) {
        rc = check_same(memcmp(&hash, &known->text, sizeof hash) == 0, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_change_prepare(&change, &r->w, &entry, NULL, false, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_info_after(&info, NULL, entry.version, false,
                (struct sti_docs_keys){.list = change.unique, .count = change.unique_count}, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_place_new(&r->w, &entry, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_put(&r->w, STI_DOCS_DAT, entry.id, entry.json, err);
    }
    if (rc == STELE_OK) {
        rc = put_derived(r, &change, &info, err);
    }
    sti_docs_info_free(&info);
    sti_docs_change_free(&change);
    return rc == STELE_OK && sti_docs_gathered_enough(&r->gathered)
                   ? sti_docs_gathered_put(&r->gathered, &r->w, err)
                   : rc;
}

/* One of which the log has nothing. */
static stele_code put_unlogged(
        struct sti_docs_restoring *r, const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    struct sti_docs_change change = {.document = NULL};
    struct sti_docs_entry entry = {.id = pair->key, .json = pair->value};
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc = sti_docs_read(r->w.view, STI_DOCS_NFO, pair->key, &value, &found, err);

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

stele_code sti_docs_restore_document(
        struct sti_docs_restoring *r, const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    struct sti_docs_waiting_id *known = NULL;
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc = sti_docs_waiting_find(&r->waiting, pair->key, &known, err);

    if (rc == STELE_OK && known != NULL && known->state == STI_DOCS_WAITING_WAITS) {
        return put_waiting(r, known, pair, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_read(r->w.view, STI_DOCS_DAT, pair->key, &value, &found, err);
    }
    if (rc != STELE_OK || !found) {
        return rc == STELE_OK ? put_unlogged(r, pair, err) : rc;
    }
    return check_same(stele_bytes_equal(value, pair->value), err);
}

/* ---- What is left. ---- */

/* The next entry of the log of an ID that waits, at or behind `at`, which moves behind it. */
static stele_code next_waiting(struct sti_docs_restoring *r, stele_buf *at,
        struct sti_docs_waiting_id **known, stele_error *err)
{
    stele_store_cursor *cursor = NULL;
    stele_bytes key = stele_nil();
    stele_code rc =
            stele_store_cursor_open(&cursor, r->w.view, sti_docs_bucket_name(STI_DOCS_LOG), err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_store_cursor_seek(cursor, stele_buf_view(at), err);
    *known = NULL;
    while (rc == STELE_OK && *known == NULL) {
        struct sti_docs_version version = {.seconds = 0};
        stele_bytes id = stele_nil();

        rc = stele_store_cursor_pair(cursor, &key, NULL, err);
        if (rc == STELE_OK) {
            rc = sti_docs_log_key_decode(&version, &id, key, err);
        }
        *known = NULL;
        if (rc == STELE_OK) {
            rc = sti_docs_waiting_find(&r->waiting, id, known, err);
        }
        if (*known == NULL || (*known)->state != STI_DOCS_WAITING_WAITS) {
            *known = NULL;
            rc = rc == STELE_OK ? stele_store_cursor_next(cursor, err) : rc;
        }
    }
    rc = rc == STELE_OK ? sti_docs_behind(at, key, err) : rc;
    stele_store_cursor_close(cursor);
    return rc;
}

stele_code sti_docs_restore_rest(struct sti_docs_restoring *r, stele_error *err)
{
    stele_buf at;
    stele_code rc = STELE_OK;

    stele_buf_init(&at, SIZE_MAX);
    while (rc == STELE_OK && r->waiting.waits > 0) {
        struct sti_docs_waiting_id *known = NULL;

        rc = next_waiting(r, &at, &known, err);
        if (rc == STELE_OK) {
            rc = catch_up(r, known,
                    stele_bytes_of(
                            at.data + STI_DOCS_VERSION_SIZE, at.len - STI_DOCS_VERSION_SIZE - 1),
                    err);
        }
    }
    stele_buf_free(&at);
    return rc == STELE_END ? sti_fail(err, STELE_ECORRUPT, "an entry of the log is missing") : rc;
}
