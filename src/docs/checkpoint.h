/* SPDX-License-Identifier: MIT
 *
 * checkpoint.h: what a day of the log adds up to, in the form that the reference knows.
 *
 *     at  size  of 60 bytes, big endian
 *      0    4   0, the version of the format
 *      4    8   epoch: the day of the entries (docs/version.h) plus one, at least 1
 *     12    8   count of the entries
 *     20    8   total: 0; what else is there is kept
 *     28   32   exclusive or of the hashes of the entries, zeros if there are none
 *
 * Adding and removing commute and undo each other. Who can choose what stands in entries can
 * make two days of them look the same: the aggregate is for those who mind.
 */
#ifndef STI_DOCS_CHECKPOINT_H
#define STI_DOCS_CHECKPOINT_H

#include "docs/entry.h"

enum {
    STI_DOCS_CHECKPOINT_SIZE = 60
};

struct sti_docs_checkpoint {
    int64_t epoch;
    uint64_t count;
    uint64_t total;
    uint8_t sum[STI_DOCS_HASH_SIZE];
};

/* The empty checkpoint that covers entries of this version. */
void sti_docs_checkpoint_init(
        struct sti_docs_checkpoint *checkpoint, struct sti_docs_version version);

/* Whether an entry of this version belongs to it. */
bool sti_docs_checkpoint_covers(
        const struct sti_docs_checkpoint *checkpoint, struct sti_docs_version version);

/* STELE_ECORRUPT if there are 2^64 entries, or none to be removed, or if the last one that is
 * removed is not the one that is left. The checkpoint is then as before. */
stele_code sti_docs_checkpoint_add(struct sti_docs_checkpoint *checkpoint,
        const uint8_t hash[STI_DOCS_HASH_SIZE], stele_error *err);
stele_code sti_docs_checkpoint_remove(struct sti_docs_checkpoint *checkpoint,
        const uint8_t hash[STI_DOCS_HASH_SIZE], stele_error *err);

static inline bool sti_docs_checkpoint_is_empty(const struct sti_docs_checkpoint *checkpoint)
{
    return checkpoint->count == 0;
}

void sti_docs_checkpoint_put(
        uint8_t out[STI_DOCS_CHECKPOINT_SIZE], const struct sti_docs_checkpoint *checkpoint);

/* STELE_ECORRUPT, STELE_EVERSION. */
stele_code sti_docs_checkpoint_get(
        struct sti_docs_checkpoint *out, stele_bytes bytes, stele_error *err);

#endif /* STI_DOCS_CHECKPOINT_H */
