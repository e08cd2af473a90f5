/* SPDX-License-Identifier: MIT
 *
 * aggregate.c: sums of hashes.
 */
#include "docs/aggregate.h"

#include "base/coding.h"
#include "base/error.h"
#include "base/sha256.h"

enum {
    LIMB_SIZE = 8
};

static struct sti_docs_aggregate one(const uint8_t hash[STI_DOCS_HASH_SIZE])
{
    struct sti_docs_aggregate a = {.count = 1};

    for (size_t i = 0; i < STI_DOCS_AGGREGATE_LIMBS; i++) {
        a.sum[i] = sti_get_be64(hash + (STI_DOCS_AGGREGATE_LIMBS - 1 - i) * LIMB_SIZE);
    }
    return a;
}

void sti_docs_aggregate_add(
        struct sti_docs_aggregate *aggregate, const struct sti_docs_aggregate *other)
{
    uint64_t carry = 0;

    for (size_t i = 0; i < STI_DOCS_AGGREGATE_LIMBS; i++) {
        bool over = __builtin_add_overflow(aggregate->sum[i], other->sum[i], &aggregate->sum[i]);

        carry = (uint64_t)over |
                (uint64_t)__builtin_add_overflow(aggregate->sum[i], carry, &aggregate->sum[i]);
    }
    aggregate->count += other->count;
}

void sti_docs_aggregate_subtract(
        struct sti_docs_aggregate *aggregate, const struct sti_docs_aggregate *other)
{
    uint64_t borrow = 0;

    for (size_t i = 0; i < STI_DOCS_AGGREGATE_LIMBS; i++) {
        bool under = __builtin_sub_overflow(aggregate->sum[i], other->sum[i], &aggregate->sum[i]);

        borrow = (uint64_t)under |
                 (uint64_t)__builtin_sub_overflow(aggregate->sum[i], borrow, &aggregate->sum[i]);
    }
    aggregate->count -= other->count;
}

void sti_docs_aggregate_add_hash(
        struct sti_docs_aggregate *aggregate, const uint8_t hash[STI_DOCS_HASH_SIZE])
{
    struct sti_docs_aggregate other = one(hash);

    sti_docs_aggregate_add(aggregate, &other);
}

void sti_docs_aggregate_remove_hash(
        struct sti_docs_aggregate *aggregate, const uint8_t hash[STI_DOCS_HASH_SIZE])
{
    struct sti_docs_aggregate other = one(hash);

    sti_docs_aggregate_subtract(aggregate, &other);
}

bool sti_docs_aggregate_equal(
        const struct sti_docs_aggregate *a, const struct sti_docs_aggregate *b)
{
    return a->count == b->count && memcmp(a->sum, b->sum, sizeof a->sum) == 0;
}

void sti_docs_aggregate_put(
        uint8_t out[STI_DOCS_AGGREGATE_SIZE], const struct sti_docs_aggregate *aggregate)
{
    for (size_t i = 0; i < STI_DOCS_AGGREGATE_LIMBS; i++) {
        sti_put_be64(out + (STI_DOCS_AGGREGATE_LIMBS - 1 - i) * LIMB_SIZE, aggregate->sum[i]);
    }
    sti_put_be64(out + STI_DOCS_HASH_SIZE, aggregate->count);
}

stele_code sti_docs_aggregate_get(
        struct sti_docs_aggregate *out, stele_bytes bytes, stele_error *err)
{
    static const struct sti_docs_aggregate none;
    struct sti_docs_aggregate a;

    if (bytes.len != STI_DOCS_AGGREGATE_SIZE) {
        return sti_fail(err, STELE_ECORRUPT, "an aggregate of %zu bytes instead of %d", bytes.len,
                STI_DOCS_AGGREGATE_SIZE);
    }
    a = one(bytes.data);
    a.count = sti_get_be64(bytes.data + STI_DOCS_HASH_SIZE);
    if (a.count == 0 && !sti_docs_aggregate_equal(&a, &none)) {
        return sti_fail(err, STELE_ECORRUPT, "an aggregate with a sum of no entries");
    }
    *out = a;
    return STELE_OK;
}

stele_code sti_docs_aggregate_fingerprint(const struct sti_docs_aggregate *aggregate,
        uint8_t out[STI_DOCS_FINGERPRINT_SIZE], stele_error *err)
{
    uint8_t bytes[STI_DOCS_AGGREGATE_SIZE];
    uint8_t hash[STI_SHA256_SIZE];
    stele_bytes piece;
    stele_code rc;

    sti_docs_aggregate_put(bytes, aggregate);
    piece = stele_bytes_of(bytes, sizeof bytes);
    rc = sti_sha256(&piece, 1, hash, err);
    if (rc == STELE_OK) {
        memcpy(out, hash, STI_DOCS_FINGERPRINT_SIZE);
    }
    return rc;
}
