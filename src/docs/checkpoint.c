/* SPDX-License-Identifier: MIT
 *
 * checkpoint.c: checkpoints of a day.
 */
#include "docs/checkpoint.h"

#include "base/assert.h"
#include "base/coding.h"
#include "base/error.h"

#include <inttypes.h>

/* No version is later than this. */
static const int64_t epoch_max = INT64_MAX / STI_DOCS_DAY_SECONDS + 1;

static const uint8_t no_sum[STI_DOCS_HASH_SIZE];

void sti_docs_checkpoint_init(
        struct sti_docs_checkpoint *checkpoint, struct sti_docs_version version)
{
    sti_assert(sti_docs_version_is_valid(version));
    *checkpoint = (struct sti_docs_checkpoint){.epoch = sti_docs_version_epoch(version) + 1};
}

bool sti_docs_checkpoint_covers(
        const struct sti_docs_checkpoint *checkpoint, struct sti_docs_version version)
{
    return checkpoint->epoch == sti_docs_version_epoch(version) + 1;
}

static void flip(uint8_t sum[STI_DOCS_HASH_SIZE], const uint8_t hash[STI_DOCS_HASH_SIZE])
{
    for (size_t i = 0; i < STI_DOCS_HASH_SIZE; i++) {
        sum[i] ^= hash[i];
    }
}

stele_code sti_docs_checkpoint_add(struct sti_docs_checkpoint *checkpoint,
        const uint8_t hash[STI_DOCS_HASH_SIZE], stele_error *err)
{
    if (checkpoint->count == UINT64_MAX) {
        return sti_fail(err, STELE_ECORRUPT, "the checkpoint of epoch %" PRId64 " is full",
                checkpoint->epoch);
    }
    checkpoint->count++;
    flip(checkpoint->sum, hash);
    return STELE_OK;
}

stele_code sti_docs_checkpoint_remove(struct sti_docs_checkpoint *checkpoint,
        const uint8_t hash[STI_DOCS_HASH_SIZE], stele_error *err)
{
    if (checkpoint->count == 0) {
        return sti_fail(err, STELE_ECORRUPT, "the checkpoint of epoch %" PRId64 " has no entries",
                checkpoint->epoch);
    }
    if (checkpoint->count == 1 && memcmp(checkpoint->sum, hash, STI_DOCS_HASH_SIZE) != 0) {
        return sti_fail(err, STELE_ECORRUPT,
                "the checkpoint of epoch %" PRId64 " has one entry, and not this one",
                checkpoint->epoch);
    }
    checkpoint->count--;
    flip(checkpoint->sum, hash);
    return STELE_OK;
}

void sti_docs_checkpoint_put(
        uint8_t out[STI_DOCS_CHECKPOINT_SIZE], const struct sti_docs_checkpoint *checkpoint)
{
    sti_assert(checkpoint->epoch >= 1);
    sti_put_be32(out, 0);
    sti_put_be64(out + 4, (uint64_t)checkpoint->epoch);
    sti_put_be64(out + 12, checkpoint->count);
    sti_put_be64(out + 20, checkpoint->total);
    memcpy(out + 28, checkpoint->sum, sizeof checkpoint->sum);
}

stele_code sti_docs_checkpoint_get(
        struct sti_docs_checkpoint *out, stele_bytes bytes, stele_error *err)
{
    struct sti_docs_checkpoint c;
    uint32_t version;

    if (bytes.len != STI_DOCS_CHECKPOINT_SIZE) {
        return sti_fail(err, STELE_ECORRUPT, "a checkpoint of %zu bytes instead of %d", bytes.len,
                STI_DOCS_CHECKPOINT_SIZE);
    }
    version = sti_get_be32(bytes.data);
    if (version != 0) {
        return sti_fail(err, STELE_EVERSION, "a checkpoint of version %" PRIu32, version);
    }
    c.epoch = (int64_t)sti_get_be64(bytes.data + 4);
    c.count = sti_get_be64(bytes.data + 12);
    c.total = sti_get_be64(bytes.data + 20);
    memcpy(c.sum, bytes.data + 28, sizeof c.sum);
    if (c.epoch < 1 || c.epoch > epoch_max) {
        return sti_fail(err, STELE_ECORRUPT, "a checkpoint of epoch %" PRId64, c.epoch);
    }
    if (c.count == 0 && memcmp(c.sum, no_sum, sizeof c.sum) != 0) {
        return sti_fail(err, STELE_ECORRUPT,
                "the checkpoint of epoch %" PRId64 " has a sum of no entries", c.epoch);
    }
    *out = c;
    return STELE_OK;
}
