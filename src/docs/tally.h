/* SPDX-License-Identifier: MIT
 *
 * tally.h: hashes of bytes that are compared, and sums of them.
 *
 * They tell apart what chance has changed, once in 2^64, and are kept nowhere.
 */
#ifndef STI_DOCS_TALLY_H
#define STI_DOCS_TALLY_H

#include <stele/bytes.h>

/* What a set of keys adds up to, in any order. */
struct sti_docs_tally {
    uint64_t count;
    uint64_t sum;
};

/* A key in two pieces, which are hashed as if they were one, and its value. */
void sti_docs_tally_add(
        struct sti_docs_tally *tally, stele_bytes key, stele_bytes rest, stele_bytes value);
bool sti_docs_tally_equal(const struct sti_docs_tally *a, const struct sti_docs_tally *b);

#endif /* STI_DOCS_TALLY_H */
