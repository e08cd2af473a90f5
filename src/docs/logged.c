/* SPDX-License-Identifier: MIT
 *
 * logged.c: entries in the log.
 */
#include "base/error.h"
#include "base/mutant.h"
#include "docs/apply.h"
#include "docs/seq.h"

static stele_code rank_of(struct sti_docs_write *w, struct sti_docs_rank *out,
        const struct sti_docs_entry *entry, stele_error *err)
{
    *out = (struct sti_docs_rank){.version = entry->version, .is_delete = entry->is_delete};
    return sti_docs_entry_hash_again(&w->db->sha, entry, out->hash, err);
}

/* What the log has with this version and ID: *known if that is the entry itself or goes before it,
 * otherwise it is taken out of the sums. */
static stele_code displace(struct sti_docs_write *w, stele_bytes key,
        const struct sti_docs_rank *rank, bool *known, stele_error *err)
{
    struct sti_docs_entry other = {.is_delete = false};
    struct sti_docs_rank other_rank = {.is_delete = false};
    stele_bytes bytes = stele_nil();
    bool found = false;
    stele_code rc = sti_docs_read(w->view, STI_DOCS_LOG, key, &bytes, &found, err);

    *known = false;
    if (rc != STELE_OK || !found) {
        return rc;
    }
    rc = sti_docs_entry_decode(&other, bytes, err);
    if (rc == STELE_OK) {
        rc = rank_of(w, &other_rank, &other, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    *known = sti_docs_rank_compare(&other_rank, rank) >= 0 || STI_MUTANT(DOCS_SAME_VERSION_DROPPED);
    if (STI_MUTANT(DOCS_SAME_VERSION_REPLACES)) {
        *known = false;
    }
    return *known || other.version.seconds < w->db->horizon || STI_MUTANT(DOCS_DISPLACED_COUNTED)
                   ? STELE_OK
                   : sti_docs_sums_change(w, other.version, other_rank.hash, false, err);
}

stele_code sti_docs_place_head(stele_bytes id, stele_buf *out, stele_error *err)
{
    uint8_t len[2] = {(uint8_t)(id.len >> 8), (uint8_t)id.len};
    stele_code rc = stele_buf_append(out, stele_bytes_of(len, sizeof len), err);

    return rc == STELE_OK ? stele_buf_append(out, id, err) : rc;
}

stele_code sti_docs_place_key(
        stele_bytes id, struct sti_docs_version version, stele_buf *out, stele_error *err)
{
    uint8_t encoded[STI_DOCS_VERSION_SIZE];
    stele_code rc = sti_docs_place_head(id, out, err);

    sti_docs_version_put(encoded, version);
    return rc == STELE_OK ? stele_buf_append(out, stele_bytes_of(encoded, sizeof encoded), err)
                          : rc;
}

/* The place of an entry in the log of its ID; `json` if it is not in the log itself, nil if it is.
 */
static stele_code put_place(struct sti_docs_write *w, const struct sti_docs_entry *entry,
        stele_bytes json, stele_error *err)
{
    static const uint8_t form = STI_DOCS_FORM;
    stele_buf key;
    stele_buf value;
    stele_code rc;

    stele_buf_init(&key, SIZE_MAX);
    stele_buf_init(&value, SIZE_MAX);
    rc = sti_docs_place_key(entry->id, entry->version, &key, err);
    if (rc == STELE_OK) {
        rc = stele_buf_append(&value, stele_bytes_of(&form, sizeof form), err);
    }
    if (rc == STELE_OK) {
        rc = stele_buf_append(&value, json, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_put(w, STI_DOCS_LID, stele_buf_view(&key), stele_buf_view(&value), err);
    }
    stele_buf_free(&key);
    stele_buf_free(&value);
    return rc;
}

stele_code sti_docs_place_add(
        struct sti_docs_write *w, const struct sti_docs_entry *entry, stele_error *err)
{
    return put_place(w, entry, entry->json, err);
}

stele_code sti_docs_place_new(
        struct sti_docs_write *w, const struct sti_docs_entry *entry, stele_error *err)
{
    return put_place(w, entry, stele_nil(), err);
}

stele_code sti_docs_place_entry(stele_store_read *read, stele_bytes key, stele_bytes value,
        stele_bytes id, struct sti_docs_entry *out, stele_error *err)
{
    struct sti_docs_entry entry = {.id = id};
    stele_bytes bytes = stele_nil();
    bool found = false;
    stele_buf log_key;
    stele_code rc;

    if (key.len < STI_DOCS_VERSION_SIZE) {
        return sti_fail(err, STELE_ECORRUPT, "a short place in the log of an ID");
    }
    rc = sti_docs_version_get(&entry.version, key.data + key.len - STI_DOCS_VERSION_SIZE, err);
    if (rc == STELE_OK && value.len > 1) {
        entry.json = stele_bytes_of(value.data + 1, value.len - 1);
        *out = entry;
        return STELE_OK;
    }
    stele_buf_init(&log_key, SIZE_MAX);
    if (rc == STELE_OK) {
        rc = sti_docs_log_key_encode(entry.version, id, &log_key, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_read(read, STI_DOCS_LOG, stele_buf_view(&log_key), &bytes, &found, err);
    }
    stele_buf_free(&log_key);
    if (rc == STELE_OK && !found) {
        rc = sti_fail(err, STELE_ECORRUPT, "an entry of the log is missing");
    }
    rc = rc == STELE_OK ? sti_docs_entry_decode(out, bytes, err) : rc;
    if (rc == STELE_OK && (sti_docs_version_compare(out->version, entry.version) != 0 ||
                                  !stele_bytes_equal(out->id, id))) {
        rc = sti_fail(err, STELE_ECORRUPT, "an entry of the log is not that of its key");
    }
    return rc;
}

stele_code sti_docs_log_count(struct sti_docs_write *w, const struct sti_docs_entry *entry,
        const uint8_t hash[STI_DOCS_HASH_SIZE], stele_error *err)
{
    stele_code rc =
            STI_MUTANT(DOCS_PLACE_MISSING) ? STELE_OK : put_place(w, entry, stele_nil(), err);

    if (entry->version.seconds < w->db->horizon) {
        return rc;
    }
    return rc == STELE_OK ? sti_docs_sums_change(w, entry->version, hash, true, err) : rc;
}

/* An entry below the horizon is one of those that were left, or refused. */
static stele_code check_left(
        struct sti_docs_write *w, stele_bytes key, bool *known, stele_error *err)
{
    stele_bytes bytes = stele_nil();
    stele_code rc = sti_docs_read(w->view, STI_DOCS_LOG, key, &bytes, known, err);

    return rc == STELE_OK && !*known
                   ? sti_fail(err, STELE_ESTALE, "an entry from before the horizon")
                   : rc;
}

stele_code sti_docs_log_add(
        struct sti_docs_write *w, const struct sti_docs_entry *entry, bool *known, stele_error *err)
{
    struct sti_docs_rank rank = {.is_delete = false};
    stele_buf key;
    stele_buf bytes;
    stele_code rc;

    stele_buf_init(&key, SIZE_MAX);
    stele_buf_init(&bytes, SIZE_MAX);
    rc = sti_docs_log_key_encode(entry->version, entry->id, &key, err);
    if (rc == STELE_OK && entry->version.seconds < w->db->horizon && !w->below) {
        rc = check_left(w, stele_buf_view(&key), known, err);
        goto out;
    }
    if (rc == STELE_OK) {
        rc = rank_of(w, &rank, entry, err);
    }
    if (rc == STELE_OK) {
        rc = displace(w, stele_buf_view(&key), &rank, known, err);
    }
    if (rc != STELE_OK || *known) {
        goto out;
    }
    rc = sti_docs_entry_encode(entry, &bytes, err);
    if (rc == STELE_OK) {
        rc = sti_docs_put(w, STI_DOCS_LOG, stele_buf_view(&key), stele_buf_view(&bytes), err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_seq_add(w, stele_buf_view(&key), err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_log_count(w, entry, rank.hash, err);
    }

out:
    stele_buf_free(&key);
    stele_buf_free(&bytes);
    return rc;
}

stele_code sti_docs_log_first(struct sti_docs_write *w, const struct sti_docs_entry *entry,
        stele_bytes encoded, const uint8_t hash[STI_DOCS_HASH_SIZE], stele_error *err)
{
    stele_buf key;
    stele_code rc;

    stele_buf_init(&key, SIZE_MAX);
    rc = sti_docs_log_key_encode(entry->version, entry->id, &key, err);
    if (rc == STELE_OK) {
        rc = sti_docs_put(w, STI_DOCS_LOG, stele_buf_view(&key), encoded, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_seq_add(w, stele_buf_view(&key), err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_sums_change(w, entry->version, hash, true, err);
    }
    stele_buf_free(&key);
    return rc;
}
