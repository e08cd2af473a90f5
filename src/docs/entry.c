/* SPDX-License-Identifier: MIT
 *
 * entry.c: entries of the log, their hashes and their order.
 */
#include "docs/entry.h"

#include "base/coding.h"
#include "base/error.h"
#include "base/mutant.h"
#include "base/sha256.h"

#include <inttypes.h>

_Static_assert(
        (int)STI_DOCS_HASH_SIZE == (int)STI_SHA256_SIZE, "the hash of an entry is a SHA-256");

static const char magic[4] = {'C', 'D', 'B', 'L'};

stele_code sti_docs_id_check(stele_bytes id, stele_error *err)
{
    if (id.len == 0) {
        return sti_fail(err, STELE_EINVAL, "the ID has no bytes");
    }
    if (id.len > STI_DOCS_ID_MAX) {
        return sti_fail(
                err, STELE_ETOOBIG, "an ID of %zu bytes, of at most %d", id.len, STI_DOCS_ID_MAX);
    }
    return STELE_OK;
}

/* What was read is corrupt where what is given would be invalid. */
static stele_code check_id_read(stele_bytes id, stele_error *err)
{
    if (id.len == 0) {
        return sti_fail(err, STELE_ECORRUPT, "the ID has no bytes");
    }
    return sti_docs_id_check(id, err);
}

static stele_code decode_head(
        struct sti_docs_entry *out, stele_bytes bytes, size_t *id_len, stele_error *err)
{
    uint32_t flags;

    if (bytes.len > STI_DOCS_ENTRY_SIZE_MAX) {
        return sti_fail(err, STELE_ETOOBIG, "an entry of %zu bytes, of at most %d", bytes.len,
                STI_DOCS_ENTRY_SIZE_MAX);
    }
    if (bytes.len < STI_DOCS_ENTRY_HEAD) {
        return sti_fail(err, STELE_ECORRUPT, "a short entry, %zu of at least %d bytes", bytes.len,
                STI_DOCS_ENTRY_HEAD);
    }
    if (memcmp(bytes.data, magic, sizeof magic) != 0) {
        return sti_fail(err, STELE_ECORRUPT, "not an entry of the log of documents");
    }
    flags = sti_get_be32(bytes.data + 4);
    if (flags > 1) {
        return sti_fail(
                err, STELE_EVERSION, "an entry with flags 0x%08" PRIx32 ", not known", flags);
    }
    out->is_delete = flags == 1;
    *id_len = (size_t)bytes.data[24] << 8 | bytes.data[25];
    return sti_docs_version_get(&out->version, bytes.data + 8, err);
}

stele_code sti_docs_entry_decode(struct sti_docs_entry *out, stele_bytes bytes, stele_error *err)
{
    struct sti_docs_entry entry = {.is_delete = false};
    size_t id_len = 0;
    size_t rest;
    stele_code rc = decode_head(&entry, bytes, &id_len, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rest = bytes.len - STI_DOCS_ENTRY_HEAD;
    if (id_len > rest) {
        return sti_fail(
                err, STELE_ECORRUPT, "a short entry, %zu of %zu bytes of its ID", rest, id_len);
    }
    entry.id = stele_bytes_of(bytes.data + STI_DOCS_ENTRY_HEAD, id_len);
    entry.json = stele_bytes_of(entry.id.data + id_len, rest - id_len);
    rc = check_id_read(entry.id, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (entry.is_delete != (entry.json.len == 0)) {
        return sti_fail(err, STELE_ECORRUPT,
                entry.is_delete ? "a deletion with a document" : "a document without JSON");
    }
    *out = entry;
    return STELE_OK;
}

static stele_code encode_head(
        const struct sti_docs_entry *entry, uint8_t head[STI_DOCS_ENTRY_HEAD], stele_error *err)
{
    stele_code rc = sti_docs_id_check(entry->id, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (!sti_docs_version_is_valid(entry->version)) {
        return sti_fail(err, STELE_EINVAL, "the version is not valid");
    }
    if (entry->is_delete != (entry->json.len == 0)) {
        return sti_fail(err, STELE_EINVAL,
                entry->is_delete ? "a deletion with a document" : "a document without JSON");
    }
    if (entry->json.len > STI_DOCS_ENTRY_SIZE_MAX - STI_DOCS_ENTRY_HEAD - entry->id.len) {
        return sti_fail(err, STELE_ETOOBIG, "a document of %zu bytes", entry->json.len);
    }
    memcpy(head, magic, sizeof magic);
    sti_put_be32(head + 4, entry->is_delete);
    sti_docs_version_put(head + 8, entry->version);
    head[24] = (uint8_t)(entry->id.len >> 8);
    head[25] = (uint8_t)entry->id.len;
    return STELE_OK;
}

stele_code sti_docs_entry_encode(
        const struct sti_docs_entry *entry, stele_buf *out, stele_error *err)
{
    uint8_t head[STI_DOCS_ENTRY_HEAD];
    size_t len = out->len;
    stele_code rc = encode_head(entry, head, err);

    if (rc == STELE_OK) {
        rc = stele_buf_append(out, stele_bytes_of(head, sizeof head), err);
    }
    if (rc == STELE_OK) {
        rc = stele_buf_append(out, entry->id, err);
    }
    if (rc == STELE_OK && !entry->is_delete) {
        rc = stele_buf_append(out, entry->json, err);
    }
    if (rc != STELE_OK) {
        out->len = len;
    }
    return rc;
}

stele_code sti_docs_entry_hash(
        const struct sti_docs_entry *entry, uint8_t out[STI_DOCS_HASH_SIZE], stele_error *err)
{
    struct sti_sha256 sha = {.context = NULL};
    stele_code rc = sti_docs_entry_hash_again(&sha, entry, out, err);

    sti_sha256_free(&sha);
    return rc;
}

stele_code sti_docs_entry_hash_again(struct sti_sha256 *sha, const struct sti_docs_entry *entry,
        uint8_t out[STI_DOCS_HASH_SIZE], stele_error *err)
{
    uint8_t head[STI_DOCS_ENTRY_HEAD];
    stele_bytes pieces[3];
    stele_code rc = encode_head(entry, head, err);

    if (rc != STELE_OK) {
        return rc;
    }
    pieces[0] = stele_bytes_of(head, sizeof head);
    pieces[1] = entry->id;
    pieces[2] = entry->json;
    return sti_sha256_again(sha, pieces, sizeof pieces / sizeof pieces[0], out, err);
}

stele_code sti_docs_log_key_encode(
        struct sti_docs_version version, stele_bytes id, stele_buf *out, stele_error *err)
{
    uint8_t head[STI_DOCS_VERSION_SIZE];
    size_t len = out->len;
    stele_code rc = sti_docs_id_check(id, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (STI_MUTANT(DOCS_LONG_ID_CUT) && id.len > 239) {
        id.len = 239;
    }
    sti_docs_version_put(head, version);
    rc = stele_buf_append(out, stele_bytes_of(head, sizeof head), err);
    if (rc == STELE_OK) {
        rc = stele_buf_append(out, id, err);
    }
    if (rc != STELE_OK) {
        out->len = len;
    }
    return rc;
}

stele_code sti_docs_log_key_decode(
        struct sti_docs_version *version, stele_bytes *id, stele_bytes key, stele_error *err)
{
    struct sti_docs_version v = {.seconds = 0};
    stele_bytes rest;
    stele_code rc;

    if (key.len < STI_DOCS_VERSION_SIZE) {
        return sti_fail(err, STELE_ECORRUPT, "a short key of the log, %zu bytes", key.len);
    }
    rest = stele_bytes_of(key.data + STI_DOCS_VERSION_SIZE, key.len - STI_DOCS_VERSION_SIZE);
    rc = check_id_read(rest, err);
    if (rc == STELE_OK) {
        rc = sti_docs_version_get(&v, key.data, err);
    }
    if (rc == STELE_OK) {
        *version = v;
        *id = rest;
    }
    return rc;
}

int sti_docs_rank_compare(const struct sti_docs_rank *a, const struct sti_docs_rank *b)
{
    int order = sti_docs_version_compare(a->version, b->version);

    if (order == 0) {
        order = (int)a->is_delete - (int)b->is_delete;
    }
    return order != 0 ? order : memcmp(a->hash, b->hash, sizeof a->hash);
}
