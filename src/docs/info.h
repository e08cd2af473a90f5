/* SPDX-License-Identifier: MIT
 *
 * info.h: what is kept of each ID beside its document: its version, and its claims to unique keys.
 *
 *     at  size  big endian
 *      0   16   version of the entry that counts (docs/version.h)
 *     16    1   flags: 1 deleted, 2 claims follow; not there if there would be none
 *     17        claims, by key ascending, to the end: 2 bytes length of the key, the key, and
 *               16 bytes of the claim's version
 *
 * Thus a document without unique keys has the 16 bytes that the reference writes. A deletion
 * keeps its version, so that an older document that arrives late does not come back.
 *
 * A document claims each unique key that it holds. The version of the claim is that of the oldest
 * entry of the unbroken run of its entries that hold the key, up to the one that counts: whoever
 * owns a key keeps it when he edits his document. It is a function of the set of entries of the
 * ID, and so the same on every node that has the same entries. sti_docs_info_after() is its
 * definition, applied to the entries in ascending order; sti_docs_info_late() gives the same when
 * one comes late, from its neighbour alone. Trimming the log has to leave the entries whose
 * versions claims have.
 *
 * Keys are the bytes under which the index of a node has them: two keys are the same if their
 * bytes are.
 */
#ifndef STI_DOCS_INFO_H
#define STI_DOCS_INFO_H

#include "docs/version.h"

enum {
    STI_DOCS_CLAIM_KEY_MAX = 65535
};

struct sti_docs_claim {
    stele_bytes key;
    struct sti_docs_version version;
};

/* Zero-initialised may be freed. */
struct sti_docs_info {
    struct sti_docs_version version;
    bool deleted;
    struct sti_docs_claim *claims; /* by key, strictly ascending; the keys are borrowed */
    size_t claim_count;
};

/* The unique keys of one entry, strictly ascending, each of at most STI_DOCS_CLAIM_KEY_MAX bytes.
 * None of a deletion. */
struct sti_docs_keys {
    const stele_bytes *list;
    size_t count;
};

/* The keys are views into `bytes`. STELE_ECORRUPT, STELE_ENOMEM. */
stele_code sti_docs_info_decode(struct sti_docs_info *out, stele_bytes bytes, stele_error *err);

/* Append it. */
stele_code sti_docs_info_encode(const struct sti_docs_info *info, stele_buf *out, stele_error *err);
void sti_docs_info_free(struct sti_docs_info *info);

/* After an entry that is above all others of the ID. `old` is NULL before the first one. The keys
 * of `out`, which is another one than `old`, are those of `keys`, and borrowed like them.
 * STELE_ETOOBIG for a key that is too long, STELE_ENOMEM. */
stele_code sti_docs_info_after(struct sti_docs_info *out, const struct sti_docs_info *old,
        struct sti_docs_version version, bool is_delete, struct sti_docs_keys keys,
        stele_error *err);

/* After an entry that is not above all others: only the versions of claims can change. `next` is
 * the version of the entry of the ID that follows it. No other entry of the ID has the version of
 * this one or of the next; where one has, all entries are to be gone through in order. */
void sti_docs_info_late(struct sti_docs_info *info, struct sti_docs_version version,
        struct sti_docs_version next, struct sti_docs_keys keys);

#endif /* STI_DOCS_INFO_H */
