/* SPDX-License-Identifier: MIT
 *
 * apply.c: entries of the log, prepared and applied.
 */
#include "docs/apply.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"

/* ---- Preparing. ---- */

static stele_code find_unique(struct sti_docs_change *change, stele_error *err)
{
    change->unique = sti_calloc(change->keys.count, sizeof *change->unique);
    if (change->unique == NULL) {
        return sti_fail_memory(err, change->keys.count * sizeof *change->unique);
    }
    for (size_t i = 0; i < change->keys.count; i++) {
        const struct sti_docs_index_key *key = &change->keys.items[i];

        if (key->unique) {
            change->unique[change->unique_count++] =
                    stele_bytes_of(key->bytes.data, key->claim_len);
        }
    }
    return STELE_OK;
}

static stele_code fill_keys(
        struct sti_docs_change *change, struct sti_docs_write *w, bool local, stele_error *err)
{
    struct sti_docs_indexer plain = {.type = NULL};
    const struct sti_docs_indexer *indexer = &plain;
    stele_bytes name = sti_docs_type_of(change->document);
    stele_code rc = sti_docs_type_need_number(w, name, &change->type_number, err);

    if (rc != STELE_OK) {
        return rc;
    }
    change->kind = sti_docs_kind_find(w->db, change->type_number, name);
    if (change->kind != NULL) {
        indexer = &change->kind->indexer;
    } else {
        plain.type_number = change->type_number;
    }
    rc = sti_docs_index_keys_fill(
            &change->keys, indexer, change->document, change->entry.id, !local, err);
    return rc == STELE_OK ? find_unique(change, err) : rc;
}

stele_code sti_docs_change_prepare(struct sti_docs_change *out, struct sti_docs_write *w,
        const struct sti_docs_entry *entry, json_t *document, bool local, stele_error *err)
{
    struct sti_docs_change change = {.entry = *entry, .document = document};
    stele_code rc = STELE_OK;

    if (!entry->is_delete) {
        if (document == NULL) {
            rc = sti_docs_value_of_peer(entry->json, &change.document, err);
        }
        if (rc == STELE_OK) {
            rc = fill_keys(&change, w, local, err);
        }
    }
    if (rc != STELE_OK) {
        sti_docs_change_free(&change);
        return rc;
    }
    *out = change;
    return STELE_OK;
}

void sti_docs_change_free(struct sti_docs_change *change)
{
    sti_docs_index_keys_free(&change->keys);
    sti_free(change->unique);
    json_decref(change->document);
    *change = (struct sti_docs_change){.document = NULL};
}

static stele_code fail_conflict(const struct sti_docs_change *change, stele_bytes claim,
        stele_bytes owner, stele_error *err)
{
    struct sti_docs_index_parts parts = {.number = 0};

    enum {
        SHOWN = 128
    };

    for (size_t i = 0; i < change->keys.count; i++) {
        const struct sti_docs_index_key *key = &change->keys.items[i];

        if (key->unique && key->claim_len == claim.len &&
                memcmp(key->bytes.data, claim.data, claim.len) == 0 &&
                sti_docs_index_split(key->bytes, &parts, NULL) == STELE_OK) {
            const char *name = change->kind->type->keys[parts.number - 1].name;

            return sti_fail(err, STELE_ECONFLICT, "key %s is that of document %.*s", name,
                    (int)(owner.len < SHOWN ? owner.len : SHOWN), (const char *)owner.data);
        }
    }
    return sti_fail(err, STELE_ECONFLICT, "a unique key is that of another document");
}

stele_code sti_docs_change_check_owners(
        struct sti_docs_write *w, const struct sti_docs_change *change, stele_error *err)
{
    stele_store_cursor *cursor = NULL;
    stele_code rc;

    if (change->unique_count == 0 || STI_MUTANT(DOCS_CONFLICT_ALLOWED)) {
        return STELE_OK;
    }
    rc = stele_store_cursor_open(&cursor, w->view, sti_docs_bucket_name(STI_DOCS_IDX), err);
    for (size_t i = 0;
            i < (STI_MUTANT(DOCS_ONE_OWNER_CHECKED) ? 1 : change->unique_count) && rc == STELE_OK;
            i++) {
        stele_bytes owner = stele_nil();
        bool found = false;

        rc = sti_docs_index_owner(cursor, change->unique[i], &owner, &found, err);
        if (rc == STELE_OK && found &&
                (!stele_bytes_equal(owner, change->entry.id) || STI_MUTANT(DOCS_OWNER_REFUSED))) {
            rc = fail_conflict(change, change->unique[i], owner, err);
        }
    }
    stele_store_cursor_close(cursor);
    return rc;
}

/* ---- Applying. ---- */

static stele_code put_info(struct sti_docs_write *w, stele_bytes id,
        const struct sti_docs_info *info, stele_error *err)
{
    stele_buf value;
    stele_code rc;

    stele_buf_init(&value, SIZE_MAX);
    rc = sti_docs_info_encode(info, &value, err);
    if (rc == STELE_OK) {
        rc = sti_docs_put(w, STI_DOCS_NFO, id, stele_buf_view(&value), err);
    }
    stele_buf_free(&value);
    return rc;
}

/* The entry counts from now on. */
static stele_code make_current(struct sti_docs_write *w, const struct sti_docs_change *change,
        const struct sti_docs_info *info, stele_error *err)
{
    const struct sti_docs_entry *entry = &change->entry;
    stele_code rc = put_info(w, entry->id, info, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (entry->is_delete) {
        rc = sti_docs_remove(w, STI_DOCS_DAT, entry->id, err);
        if (rc == STELE_OK && STI_MUTANT(DOCS_DELETE_FORGETS)) {
            rc = sti_docs_remove(w, STI_DOCS_NFO, entry->id, err);
        }
        return rc == STELE_OK && !STI_MUTANT(DOCS_DELETE_KEEPS_KEYS)
                       ? sti_docs_index_replace(w, entry->id, NULL, NULL, err)
                       : rc;
    }
    rc = sti_docs_put(w, STI_DOCS_DAT, entry->id, entry->json, err);
    return rc == STELE_OK ? sti_docs_index_replace(w, entry->id, &change->keys, info, err) : rc;
}

/* The claims of the document that counts are those of `info`; the entry is not it. */
static stele_code move_claims(struct sti_docs_write *w, stele_bytes id,
        const struct sti_docs_info *info, stele_error *err)
{
    struct sti_docs_entry entry = {.version = info->version, .id = id};
    struct sti_docs_change current = {.document = NULL};
    bool found = false;
    stele_code rc;

    if (info->claim_count == 0 || STI_MUTANT(DOCS_LATE_CLAIMS_KEPT)) {
        return STELE_OK;
    }
    rc = sti_docs_read(w->view, STI_DOCS_DAT, id, &entry.json, &found, err);
    if (rc == STELE_OK && !found) {
        rc = sti_fail(err, STELE_ECORRUPT, "a document is missing");
    }
    if (rc == STELE_OK) {
        rc = sti_docs_change_prepare(&current, w, &entry, NULL, false, err);
    }
    if (rc == STELE_OK) {
        rc = put_info(w, id, info, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_index_replace(w, id, &current.keys, info, err);
    }
    sti_docs_change_free(&current);
    return rc;
}

/* The entry is above all of its ID. */
static stele_code apply_newest(struct sti_docs_write *w, const struct sti_docs_change *change,
        const struct sti_docs_info *old, stele_error *err)
{
    struct sti_docs_keys keys = {.list = change->unique, .count = change->unique_count};
    struct sti_docs_info info = {.claims = NULL};
    stele_code rc = sti_docs_info_after(
            &info, old, change->entry.version, change->entry.is_delete, keys, err);

    if (rc == STELE_OK) {
        rc = make_current(w, change, &info, err);
    }
    sti_docs_info_free(&info);
    return rc;
}

stele_code sti_docs_apply_unlogged(
        struct sti_docs_write *w, const struct sti_docs_change *change, stele_error *err)
{
    stele_code rc = sti_docs_place_add(w, &change->entry, err);

    return rc == STELE_OK ? apply_newest(w, change, NULL, err) : rc;
}

/* It is not, or it takes the place of one that was: the whole log of the ID says what is now. */
static stele_code apply_late(struct sti_docs_write *w, const struct sti_docs_change *change,
        enum sti_docs_applied *out, stele_error *err)
{
    struct sti_docs_info info = {.claims = NULL};
    stele_buf bytes;
    stele_code rc;

    stele_buf_init(&bytes, SIZE_MAX);
    rc = sti_docs_claims_of_log(w, change->entry.id, &bytes, err);
    if (rc == STELE_OK) {
        rc = sti_docs_info_decode(&info, stele_buf_view(&bytes), err);
    }
    if (rc == STELE_OK) {
        if (sti_docs_version_compare(info.version, change->entry.version) == 0) {
            *out = STI_DOCS_APPLIED_CURRENT;
            rc = make_current(w, change, &info, err);
        } else {
            *out = STI_DOCS_APPLIED_LATE;
            rc = move_claims(w, change->entry.id, &info, err);
        }
    }
    sti_docs_info_free(&info);
    stele_buf_free(&bytes);
    return rc;
}

stele_code sti_docs_apply(struct sti_docs_write *w, const struct sti_docs_change *change,
        enum sti_docs_applied *out, stele_error *err)
{
    struct sti_docs_info old = {.claims = NULL};
    stele_bytes value = stele_nil();
    bool known = false;
    bool found = false;
    stele_code rc = sti_docs_log_add(w, &change->entry, &known, err);

    if (rc == STELE_OK && known) {
        *out = STI_DOCS_APPLIED_KNOWN;
        return STELE_OK;
    }
    if (rc == STELE_OK) {
        rc = sti_docs_read(w->view, STI_DOCS_NFO, change->entry.id, &value, &found, err);
    }
    if (rc == STELE_OK && found) {
        rc = sti_docs_info_decode(&old, value, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    if (STI_MUTANT(DOCS_LATE_APPLIES)) {
        found = false;
    }
    if (!found || sti_docs_version_compare(change->entry.version, old.version) > 0) {
        *out = STI_DOCS_APPLIED_CURRENT;
        rc = apply_newest(w, change, found ? &old : NULL, err);
    } else {
        rc = apply_late(w, change, out, err);
    }
    sti_docs_info_free(&old);
    return rc;
}
