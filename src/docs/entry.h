/* SPDX-License-Identifier: MIT
 *
 * entry.h: an entry of the log of documents: one document set, or deleted.
 *
 *     at    size  big endian
 *      0      4   "CDBL"
 *      4      4   0: set, 1: delete
 *      8     16   version (docs/version.h)
 *     24      2   n = length of the ID, 1 to 16,384
 *     26      n   ID
 *     26+n        JSON to the end; of a set at least one byte, of a delete none
 *
 * Its hash is the SHA-256 of these bytes, its key in the log the version and the ID.
 *
 * Of the entries of one ID the highest counts, in the order of version, then delete over set, then
 * hash: the state of a node is a function of the set of its entries, in whatever order they came.
 *
 * The JSON is not looked at: whatever a peer took for JSON has to be kept.
 */
#ifndef STI_DOCS_ENTRY_H
#define STI_DOCS_ENTRY_H

#include "base/sha256.h"
#include "docs/version.h"

enum {
    STI_DOCS_ID_MAX = 16384,
    STI_DOCS_ENTRY_HEAD = 26,
    STI_DOCS_ENTRY_SIZE_MAX = 128 << 20, /* what a backup can carry */
    STI_DOCS_HASH_SIZE = 32,
    STI_DOCS_LOG_KEY_MAX = STI_DOCS_VERSION_SIZE + STI_DOCS_ID_MAX
};

struct sti_docs_entry {
    struct sti_docs_version version;
    bool is_delete;
    stele_bytes id;
    stele_bytes json; /* of a set */
};

/* The views are into `bytes`. STELE_ECORRUPT for what is no entry, STELE_ETOOBIG for an ID or an
 * entry above the limit, STELE_EVERSION for flags that are not known. */
stele_code sti_docs_entry_decode(struct sti_docs_entry *out, stele_bytes bytes, stele_error *err);

/* Append it. STELE_EINVAL, or STELE_ETOOBIG, for what could not be decoded. */
stele_code sti_docs_entry_encode(
        const struct sti_docs_entry *entry, stele_buf *out, stele_error *err);

/* The hash, without writing the bytes anywhere. Fails as encoding does. */
stele_code sti_docs_entry_hash(
        const struct sti_docs_entry *entry, uint8_t out[STI_DOCS_HASH_SIZE], stele_error *err);

/* The same of many, one after the other; base/sha256.h. */
stele_code sti_docs_entry_hash_again(struct sti_sha256 *sha, const struct sti_docs_entry *entry,
        uint8_t out[STI_DOCS_HASH_SIZE], stele_error *err);

/* Append the key in the log; it sorts as versions do. */
stele_code sti_docs_log_key_encode(
        struct sti_docs_version version, stele_bytes id, stele_buf *out, stele_error *err);

/* The ID is a view into `key`. Fails as decoding an entry does. */
stele_code sti_docs_log_key_decode(
        struct sti_docs_version *version, stele_bytes *id, stele_bytes key, stele_error *err);

/* What decides between two entries of one ID. */
struct sti_docs_rank {
    struct sti_docs_version version;
    bool is_delete;
    uint8_t hash[STI_DOCS_HASH_SIZE];
};

/* Below 0, 0 or above 0. 0 means that they are the same entry. */
int sti_docs_rank_compare(const struct sti_docs_rank *a, const struct sti_docs_rank *b);

/* STELE_EINVAL for no bytes, STELE_ETOOBIG for too many. */
stele_code sti_docs_id_check(stele_bytes id, stele_error *err);

#endif /* STI_DOCS_ENTRY_H */
