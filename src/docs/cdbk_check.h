/* SPDX-License-Identifier: MIT
 *
 * cdbk_check.h: whether what a backup holds fits together.
 *
 * Of each pair: whether it is what its section says, under the key that it should have. Of all of
 * them: whether the checkpoints add up to the entries of the log, each of which has to have one,
 * and whether the same IDs have a version and a document. Documents are not looked at: whatever a
 * peer took for JSON has to be kept.
 *
 * An entry whose ID and version another one has as well may stand under its key in the log and
 * the first 8 bytes of its hash.
 */
#ifndef STI_DOCS_CDBK_CHECK_H
#define STI_DOCS_CDBK_CHECK_H

#include "docs/cdbk.h"

enum {
    STI_DOCS_CDBK_EPOCH_MAX = 1 << 20 /* checkpoints of a backup */
};

struct sti_docs_cdbk_check;

stele_code sti_docs_cdbk_check_new(struct sti_docs_cdbk_check **out, stele_error *err);

/* The pairs as the reader gives them. STELE_ECORRUPT, or what the decoder of the section fails
 * with, naming the place. */
stele_code sti_docs_cdbk_check_add(
        struct sti_docs_cdbk_check *check, const struct sti_docs_cdbk_pair *pair, stele_error *err);

/* The hash of the entry that was added last. */
const uint8_t *sti_docs_cdbk_check_hash(const struct sti_docs_cdbk_check *check);

/* After the last one. */
stele_code sti_docs_cdbk_check_end(struct sti_docs_cdbk_check *check, stele_error *err);
void sti_docs_cdbk_check_free(struct sti_docs_cdbk_check *check);

#endif /* STI_DOCS_CDBK_CHECK_H */
