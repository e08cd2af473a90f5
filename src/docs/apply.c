/* SPDX-License-Identifier: MIT
 *
 * apply.c: entries of the log, prepared and applied.
 */
#include "docs/apply.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "docs/expiry.h"

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

/* The keys by the definition that the type has, or had, under a number. */
static stele_code add_keys(struct sti_docs_change *change, struct sti_docs_write *w,
        uint32_t number, stele_bytes name, bool local, stele_error *err)
{
    struct sti_docs_indexer plain = {.type_number = number};

    change->kind = sti_docs_kind_find(w->db, number, name);
    return sti_docs_index_keys_add(&change->keys,
            change->kind == NULL ? &plain : &change->kind->indexer, change->document,
            change->entry.id, !local, err);
}

static stele_code fill_keys(
        struct sti_docs_change *change, struct sti_docs_write *w, bool local, stele_error *err)
{
    stele_bytes name = sti_docs_type_of(change->document);
    stele_code rc = sti_docs_type_need_number(w, name, &change->type, err);

    change->keys.bytes.limit = SIZE_MAX;
    if (rc == STELE_OK && change->type.phase == STI_DOCS_FILLING) {
        rc = add_keys(change, w, change->type.old_number, name, local, err);
    }
    if (rc == STELE_OK) {
        rc = add_keys(change, w, change->type.number, name, local, err);
    }
    change->ends = sti_docs_expiry_of(change->kind, change->document, &change->end);
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

static stele_code fail_conflict(
        stele_docs *db, stele_bytes claim, stele_bytes owner, stele_error *err)
{
    uint16_t number = 0;
    const struct sti_docs_kind *kind = sti_docs_kind_of_claim(db, claim, &number);

    enum {
        SHOWN = 128
    };

    return sti_fail(err, STELE_ECONFLICT, "key %s is that of document %.*s",
            kind == NULL ? "" : kind->type->keys[number - 1].name,
            (int)(owner.len < SHOWN ? owner.len : SHOWN), (const char *)owner.data);
}

/* The ID is the cursor's, which does not outlast a change. */
static stele_code expire_owner(
        struct sti_docs_write *w, stele_bytes owner, bool *expired, stele_error *err)
{
    stele_buf id;
    stele_code rc;

    if (!atomic_load(&w->db->expires)) {
        *expired = false;
        return STELE_OK;
    }
    stele_buf_init(&id, SIZE_MAX);
    rc = stele_buf_append(&id, owner, err);
    if (rc == STELE_OK) {
        rc = sti_docs_expire_one(w, stele_buf_view(&id), expired, err);
    }
    stele_buf_free(&id);
    return rc;
}

/* Nobody else owns the key; owners that have ended are deleted. */
static stele_code check_owner(struct sti_docs_write *w, const struct sti_docs_change *change,
        stele_bytes claim, stele_error *err)
{
    bool expired = true;
    stele_code rc = STELE_OK;

    while (rc == STELE_OK && expired) {
        stele_store_cursor *cursor = NULL;
        stele_bytes owner = stele_nil();
        bool found = false;

        rc = stele_store_cursor_open(&cursor, w->view, sti_docs_bucket_name(STI_DOCS_IDX), err);
        if (rc != STELE_OK) {
            return rc;
        }
        rc = sti_docs_index_owner(cursor, claim, &owner, &found, err);
        w->unclaimed = w->unclaimed && rc == STELE_OK && !found;
        if (rc == STELE_OK && found &&
                (!stele_bytes_equal(owner, change->entry.id) || STI_MUTANT(DOCS_OWNER_REFUSED))) {
            rc = expire_owner(w, owner, &expired, err);
            if (rc == STELE_OK && !expired) {
                rc = fail_conflict(w->db, claim, owner, err);
            }
        } else {
            expired = false;
        }
        stele_store_cursor_close(cursor);
    }
    return rc;
}

stele_code sti_docs_change_check_owners(
        struct sti_docs_write *w, const struct sti_docs_change *change, stele_error *err)
{
    stele_code rc = STELE_OK;

    size_t count = STI_MUTANT(DOCS_ONE_OWNER_CHECKED) && change->unique_count > 0
                           ? 1
                           : change->unique_count;

    if (STI_MUTANT(DOCS_CONFLICT_ALLOWED)) {
        return STELE_OK;
    }
    w->unclaimed = count == change->unique_count;
    for (size_t i = 0; i < count && rc == STELE_OK; i++) {
        rc = check_owner(w, change, change->unique[i], err);
    }
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

stele_code sti_docs_note_unreadable(
        struct sti_docs_write *w, stele_bytes id, bool unreadable, stele_error *err)
{
    static const uint8_t form = STI_DOCS_FORM;
    stele_bytes value = stele_nil();
    bool noted = false;
    stele_code rc = sti_docs_read(w->view, STI_DOCS_BAD, id, &value, &noted, err);

    if (rc != STELE_OK || noted == unreadable) {
        return rc;
    }
    return unreadable ? sti_docs_put(w, STI_DOCS_BAD, id, stele_bytes_of(&form, sizeof form), err)
                      : sti_docs_remove(w, STI_DOCS_BAD, id, err);
}

/* The entry counts from now on. */
static stele_code make_current(struct sti_docs_write *w, const struct sti_docs_change *change,
        const struct sti_docs_info *info, stele_error *err)
{
    const struct sti_docs_entry *entry = &change->entry;
    stele_code rc = put_info(w, entry->id, info, err);

    if (rc == STELE_OK) {
        rc = sti_docs_expiry_replace(w, entry->id, change->ends ? &change->end : NULL, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_note_unreadable(
                w, entry->id, !entry->is_delete && change->document == NULL, err);
    }
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

/* The same of an ID that comes for the first time: nothing is there that would go. */
static stele_code make_first(struct sti_docs_write *w, const struct sti_docs_change *change,
        const struct sti_docs_info *info, stele_error *err)
{
    const struct sti_docs_entry *entry = &change->entry;
    stele_code rc = put_info(w, entry->id, info, err);

    if (rc == STELE_OK && change->ends) {
        rc = sti_docs_expiry_replace(w, entry->id, &change->end, err);
    }
    if (rc == STELE_OK && change->document == NULL) {
        rc = sti_docs_note_unreadable(w, entry->id, true, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_put(w, STI_DOCS_DAT, entry->id, entry->json, err);
    }
    return rc == STELE_OK ? sti_docs_index_first(w, entry->id, &change->keys, info, err) : rc;
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

    if (rc == STELE_OK && old == NULL && !change->entry.is_delete) {
        rc = make_first(w, change, &info, err);
    } else if (rc == STELE_OK) {
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

stele_code sti_docs_apply_first(
        struct sti_docs_write *w, const struct sti_docs_change *change, stele_error *err)
{
    stele_code rc = sti_docs_place_new(w, &change->entry, err);

    return rc == STELE_OK ? apply_newest(w, change, NULL, err) : rc;
}

/* It is not, or it takes the place of one that was, or claims by the definition of its type have
 * yet to be told: the whole log of the ID says what is now. */
static stele_code apply_late(struct sti_docs_write *w, const struct sti_docs_change *change,
        enum sti_docs_applied *out, stele_error *err)
{
    struct sti_docs_info info = {.claims = NULL};
    stele_buf bytes;
    stele_code rc;

    stele_buf_init(&bytes, SIZE_MAX);
    rc = sti_docs_claims_of_log(w, change->entry.id, change, &bytes, err);
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
    if ((!found || STI_MUTANT(DOCS_LATE_APPLIES) ||
                sti_docs_version_compare(change->entry.version, old.version) > 0) &&
            (change->type.phase == STI_DOCS_WHOLE || change->type.phase == STI_DOCS_CLEARING)) {
        *out = STI_DOCS_APPLIED_CURRENT;
        rc = apply_newest(w, change, found && !STI_MUTANT(DOCS_LATE_APPLIES) ? &old : NULL, err);
    } else {
        rc = apply_late(w, change, out, err);
    }
    sti_docs_info_free(&old);
    return rc;
}

/* ---- Again. ---- */

static stele_code forget(struct sti_docs_write *w, stele_bytes id, stele_error *err)
{
    stele_code rc = sti_docs_index_replace(w, id, NULL, NULL, err);

    rc = rc == STELE_OK ? sti_docs_expiry_replace(w, id, NULL, err) : rc;
    rc = rc == STELE_OK ? sti_docs_note_unreadable(w, id, false, err) : rc;
    rc = rc == STELE_OK ? sti_docs_remove(w, STI_DOCS_DAT, id, err) : rc;
    return rc == STELE_OK ? sti_docs_remove(w, STI_DOCS_NFO, id, err) : rc;
}

/* The entry that counts, by its place in the log of the ID. */
static stele_code read_current(struct sti_docs_write *w, stele_bytes id,
        struct sti_docs_version version, struct sti_docs_entry *out, stele_error *err)
{
    stele_bytes value = stele_nil();
    bool found = false;
    stele_buf place;
    stele_code rc;

    stele_buf_init(&place, SIZE_MAX);
    rc = sti_docs_place_key(id, version, &place, err);
    rc = rc == STELE_OK
                 ? sti_docs_read(w->view, STI_DOCS_LID, stele_buf_view(&place), &value, &found, err)
                 : rc;
    rc = rc == STELE_OK ? sti_docs_place_entry(w->view, stele_buf_view(&place), value, id, out, err)
                        : rc;
    stele_buf_free(&place);
    return rc;
}

/* Whether that is what is there. */
static stele_code is_there(struct sti_docs_write *w, const struct sti_docs_entry *entry,
        stele_bytes info, bool *is, stele_error *err)
{
    stele_bytes there = stele_nil();
    stele_bytes document = stele_nil();
    bool known = false;
    bool found = false;
    stele_code rc = sti_docs_read(w->view, STI_DOCS_NFO, entry->id, &there, &known, err);

    if (rc == STELE_OK) {
        rc = sti_docs_read(w->view, STI_DOCS_DAT, entry->id, &document, &found, err);
    }
    *is = rc == STELE_OK && known && stele_bytes_equal(there, info) && found == !entry->is_delete &&
          (!found || stele_bytes_equal(document, entry->json));
    return rc;
}

static stele_code apply_made(struct sti_docs_write *w, const struct sti_docs_entry *entry,
        const struct sti_docs_info *info, stele_error *err)
{
    struct sti_docs_change change = {.document = NULL};
    stele_code rc = sti_docs_change_prepare(&change, w, entry, NULL, false, err);

    rc = rc == STELE_OK ? make_current(w, &change, info, err) : rc;
    sti_docs_change_free(&change);
    return rc;
}

stele_code sti_docs_apply_again(struct sti_docs_write *w, stele_bytes id, stele_error *err)
{
    struct sti_docs_entry entry = {.is_delete = false};
    struct sti_docs_info info = {.claims = NULL};
    bool there = false;
    stele_buf bytes;
    stele_code rc;

    stele_buf_init(&bytes, SIZE_MAX);
    rc = sti_docs_claims_of_log(w, id, NULL, &bytes, err);
    if (rc == STELE_ENOTFOUND) {
        stele_buf_free(&bytes);
        return forget(w, id, err);
    }
    rc = rc == STELE_OK ? sti_docs_info_decode(&info, stele_buf_view(&bytes), err) : rc;
    rc = rc == STELE_OK ? read_current(w, id, info.version, &entry, err) : rc;
    rc = rc == STELE_OK ? is_there(w, &entry, stele_buf_view(&bytes), &there, err) : rc;
    rc = rc == STELE_OK && !there ? apply_made(w, &entry, &info, err) : rc;
    sti_docs_info_free(&info);
    stele_buf_free(&bytes);
    return rc;
}
