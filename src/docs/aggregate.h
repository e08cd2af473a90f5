/* SPDX-License-Identifier: MIT
 *
 * aggregate.h: what a range of the log adds up to, so that two peers can compare theirs.
 *
 *     at  size  of 40 bytes, big endian
 *      0   32   sum of the hashes of the entries, modulo 2^256
 *     32    8   count of the entries
 *
 * The fingerprint is the first 16 bytes of the SHA-256 of these. Unlike the exclusive or of a
 * checkpoint a sum does not let who chooses entries find sets of them that look the same by
 * solving linear equations, and an entry counted twice shows.
 */
#ifndef STI_DOCS_AGGREGATE_H
#define STI_DOCS_AGGREGATE_H

#include "docs/entry.h"

enum {
    STI_DOCS_AGGREGATE_SIZE = 40,
    STI_DOCS_AGGREGATE_LIMBS = 4,
    STI_DOCS_FINGERPRINT_SIZE = 16
};

/* Zero-initialised is that of no entries. */
struct sti_docs_aggregate {
    uint64_t sum[STI_DOCS_AGGREGATE_LIMBS]; /* lowest first */
    uint64_t count;                         /* modulo 2^64 */
};

/* One entry more, or less. Order does not count, and what is removed need not have been added
 * before: only the end has to add up. */
void sti_docs_aggregate_add_hash(
        struct sti_docs_aggregate *aggregate, const uint8_t hash[STI_DOCS_HASH_SIZE]);
void sti_docs_aggregate_remove_hash(
        struct sti_docs_aggregate *aggregate, const uint8_t hash[STI_DOCS_HASH_SIZE]);

/* The entries of another range more, or less. */
void sti_docs_aggregate_add(
        struct sti_docs_aggregate *aggregate, const struct sti_docs_aggregate *other);
void sti_docs_aggregate_subtract(
        struct sti_docs_aggregate *aggregate, const struct sti_docs_aggregate *other);

bool sti_docs_aggregate_equal(
        const struct sti_docs_aggregate *a, const struct sti_docs_aggregate *b);

void sti_docs_aggregate_put(
        uint8_t out[STI_DOCS_AGGREGATE_SIZE], const struct sti_docs_aggregate *aggregate);

/* STELE_ECORRUPT for another size, or a sum of no entries. */
stele_code sti_docs_aggregate_get(
        struct sti_docs_aggregate *out, stele_bytes bytes, stele_error *err);

stele_code sti_docs_aggregate_fingerprint(const struct sti_docs_aggregate *aggregate,
        uint8_t out[STI_DOCS_FINGERPRINT_SIZE], stele_error *err);

#endif /* STI_DOCS_AGGREGATE_H */
