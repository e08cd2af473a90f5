/* SPDX-License-Identifier: MIT
 *
 * indexed.c: what idx and kdt hold of the keys of a document, and who owns those that are unique.
 */
#include "base/assert.h"
#include "base/coding.h"
#include "base/error.h"
#include "base/mutant.h"
#include "docs/apply.h"

enum {
    VALUE_SIZE = STI_DOCS_INDEX_VALUE_SIZE - 1, /* after the form */
    KEPT_HEAD = 4
};

/* ---- What idx and kdt hold. ---- */

stele_code sti_docs_index_value_get(
        struct sti_docs_index_value *out, stele_bytes key, stele_bytes value, stele_error *err)
{
    stele_code rc = sti_docs_check_form(value, VALUE_SIZE, "key of the index", err);
    size_t claim_len;
    size_t head;

    if (rc != STELE_OK) {
        return rc;
    }
    claim_len = sti_get_be32(value.data + 2);
    head = claim_len + (value.data[1] == 1 ? (size_t)STI_DOCS_VERSION_SIZE : 0);
    if (value.data[1] > 1 || head >= key.len) {
        return sti_fail(err, STELE_ECORRUPT, "key of the index: not as long as it says");
    }
    *out = (struct sti_docs_index_value){
            .unique = value.data[1] == 1,
            .claim = stele_bytes_of(key.data, claim_len),
            .id = stele_bytes_of(key.data + head, key.len - head),
    };
    return STELE_OK;
}

stele_code sti_docs_kept_begin(struct sti_docs_kept *kept, stele_bytes value, stele_error *err)
{
    stele_code rc =
            sti_docs_check_form(value, value.len == 0 ? 0 : value.len - 1, "keys kept", err);

    if (rc == STELE_OK) {
        *kept = (struct sti_docs_kept){.rest = stele_bytes_of(value.data + 1, value.len - 1)};
    }
    return rc;
}

stele_code sti_docs_kept_next(struct sti_docs_kept *kept, stele_error *err)
{
    const uint8_t *at = kept->rest.data;
    size_t left = kept->rest.len;
    size_t claim_len;
    size_t version_len;

    if (left == 0) {
        return STELE_END;
    }
    if (left < KEPT_HEAD + 1 || sti_get_be32(at) > left - KEPT_HEAD - 1) {
        return sti_fail(err, STELE_ECORRUPT, "keys kept: cut off");
    }
    claim_len = sti_get_be32(at);
    version_len = at[KEPT_HEAD + claim_len] == 0 ? 0 : (size_t)STI_DOCS_VERSION_SIZE;
    if (at[KEPT_HEAD + claim_len] > 1 || left - KEPT_HEAD - 1 - claim_len < version_len) {
        return sti_fail(err, STELE_ECORRUPT, "keys kept: cut off, or unknown");
    }
    kept->claim = stele_bytes_of(at + KEPT_HEAD, claim_len);
    kept->version = stele_bytes_of(at + KEPT_HEAD + claim_len + 1, version_len);
    claim_len += KEPT_HEAD + 1 + version_len;
    kept->rest = stele_bytes_of(at + claim_len, left - claim_len);
    return STELE_OK;
}

stele_code sti_docs_kept_add(
        stele_bytes claim, stele_bytes version, stele_buf *out, stele_error *err)
{
    uint8_t head[KEPT_HEAD];
    uint8_t flag = version.len > 0;
    stele_code rc;

    sti_put_be32(head, (uint32_t)claim.len);
    rc = stele_buf_append(out, stele_bytes_of(head, sizeof head), err);
    if (rc == STELE_OK) {
        rc = stele_buf_append(out, claim, err);
    }
    if (rc == STELE_OK) {
        rc = stele_buf_append(out, stele_bytes_of(&flag, sizeof flag), err);
    }
    return rc == STELE_OK ? stele_buf_append(out, version, err) : rc;
}

bool sti_docs_claims_fit(const struct sti_docs_index_keys *keys, const struct sti_docs_info *info)
{
    size_t claims = 0;

    for (size_t i = 0; i < keys->count; i++) {
        const struct sti_docs_index_key *key = &keys->items[i];

        if (key->unique && (claims == info->claim_count ||
                                   !stele_bytes_equal(info->claims[claims++].key,
                                           stele_bytes_of(key->bytes.data, key->claim_len)))) {
            return false;
        }
    }
    return claims == info->claim_count;
}

stele_code sti_docs_kept_encode(const struct sti_docs_index_keys *keys,
        const struct sti_docs_info *info, stele_buf *out, stele_error *err)
{
    static const uint8_t form = STI_DOCS_FORM;
    stele_code rc = stele_buf_append(out, stele_bytes_of(&form, sizeof form), err);
    size_t claims = 0;

    for (size_t i = 0; i < keys->count && rc == STELE_OK; i++) {
        const struct sti_docs_index_key *key = &keys->items[i];
        uint8_t version[STI_DOCS_VERSION_SIZE];

        if (key->unique) {
            sti_assert(claims < info->claim_count);
            sti_docs_version_put(version, info->claims[claims++].version);
        }
        rc = sti_docs_kept_add(stele_bytes_of(key->bytes.data, key->claim_len),
                stele_bytes_of(version, key->unique ? sizeof version : 0), out, err);
    }
    return rc;
}

stele_code sti_docs_kept_key(
        const struct sti_docs_kept *kept, stele_bytes id, stele_buf *out, stele_error *err)
{
    stele_code rc;

    stele_buf_clear(out);
    rc = stele_buf_append(out, kept->claim, err);
    if (rc == STELE_OK) {
        rc = stele_buf_append(out, kept->version, err);
    }
    return rc == STELE_OK ? stele_buf_append(out, id, err) : rc;
}

void sti_docs_index_value_put(
        uint8_t out[STI_DOCS_INDEX_VALUE_SIZE], const struct sti_docs_kept *kept)
{
    out[0] = STI_DOCS_FORM;
    out[1] = kept->version.len > 0;
    sti_put_be32(out + 2, (uint32_t)kept->claim.len);
}

/* ---- Owners. ---- */

static bool begins_with(stele_bytes key, stele_bytes prefix)
{
    return key.len >= prefix.len && memcmp(key.data, prefix.data, prefix.len) == 0;
}

/* The cursor is at a key that says it is unique, and claims this; STELE_END: at none. */
static stele_code claimant_here(
        stele_store_cursor *cursor, stele_bytes claim, stele_bytes *id, stele_error *err)
{
    struct sti_docs_index_value here = {.unique = false};
    stele_bytes key = stele_nil();
    stele_bytes value = stele_nil();
    stele_code rc = stele_store_cursor_pair(cursor, &key, &value, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (!begins_with(key, claim)) {
        return STELE_END;
    }
    rc = sti_docs_index_value_get(&here, key, value, err);
    if (rc == STELE_OK && !here.unique) {
        rc = sti_fail(err, STELE_ECORRUPT, "key of the index: unique, and not");
    }
    if (rc == STELE_OK) {
        *id = here.id;
    }
    return rc;
}

stele_code sti_docs_index_owner(stele_store_cursor *cursor, stele_bytes claim, stele_bytes *id,
        bool *found, stele_error *err)
{
    stele_code rc = stele_store_cursor_seek(cursor, claim, err);

    if (rc == STELE_OK) {
        rc = claimant_here(cursor, claim, id, err);
    }
    if (rc == STELE_OK || rc == STELE_END) {
        *found = rc == STELE_OK;
        return STELE_OK;
    }
    return rc;
}

stele_code sti_docs_index_next_claimant(stele_store_cursor *cursor, stele_bytes claim,
        stele_bytes *id, bool *found, stele_error *err)
{
    stele_code rc = stele_store_cursor_next(cursor, err);

    if (rc == STELE_OK) {
        rc = claimant_here(cursor, claim, id, err);
    }
    if (rc == STELE_OK || rc == STELE_END) {
        *found = rc == STELE_OK;
        return STELE_OK;
    }
    return rc;
}

stele_code sti_docs_index_note_conflict(
        struct sti_docs_write *w, stele_bytes claim, stele_error *err)
{
    static const uint8_t form = STI_DOCS_FORM;
    stele_store_cursor *cursor = NULL;
    stele_bytes id = stele_nil();
    stele_bytes value = stele_nil();
    bool found = false;
    bool noted = false;
    stele_code rc =
            stele_store_cursor_open(&cursor, w->view, sti_docs_bucket_name(STI_DOCS_IDX), err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_docs_index_owner(cursor, claim, &id, &found, err);
    if (rc == STELE_OK && found) {
        rc = sti_docs_index_next_claimant(cursor, claim, &id, &found, err);
    }
    stele_store_cursor_close(cursor);
    if (rc == STELE_OK && !found && !atomic_load(&w->db->conflicts)) {
        return STELE_OK;
    }
    if (rc == STELE_OK) {
        rc = sti_docs_read(w->view, STI_DOCS_CFL, claim, &value, &noted, err);
    }
    /* A note that is damaged is written again. */
    noted = noted && (!found || sti_docs_check_form(value, 0, "note", NULL) == STELE_OK);
    if (rc != STELE_OK || found == noted) {
        return rc;
    }
    if (found && STI_MUTANT(DOCS_CONFLICT_NOT_NOTED)) {
        return STELE_OK;
    }
    if (!found && STI_MUTANT(DOCS_CONFLICT_KEPT)) {
        return STELE_OK;
    }
    return found ? sti_docs_put(w, STI_DOCS_CFL, claim, stele_bytes_of(&form, sizeof form), err)
                 : sti_docs_remove(w, STI_DOCS_CFL, claim, err);
}
