/* SPDX-License-Identifier: MIT
 *
 * What a range of the log adds up to: checkpoints and aggregates.
 *
 *     byte 0: which; then its bytes, and hashes that are added and removed again
 *
 * What decodes encodes to the same bytes, adding and removing undo each other in any order, and
 * nothing is removed of nothing.
 */
#include "docs/aggregate.h"
#include "docs/checkpoint.h"
#include "fuzz.h"

enum {
    HASH_MAX = 32
};

struct hashes {
    uint8_t list[HASH_MAX][STI_DOCS_HASH_SIZE];
    size_t count;
};

static void read_hashes(struct fuzz_input *in, struct hashes *out)
{
    for (out->count = 0; in->size > 0 && out->count < HASH_MAX; out->count++) {
        for (size_t i = 0; i < STI_DOCS_HASH_SIZE; i++) {
            out->list[out->count][i] = (uint8_t)fuzz_byte(in);
        }
    }
}

static void checkpoint(stele_bytes bytes, const struct hashes *hashes)
{
    struct sti_docs_checkpoint c;
    uint8_t again[STI_DOCS_CHECKPOINT_SIZE];
    stele_error err;
    size_t added = 0;

    if (sti_docs_checkpoint_get(&c, bytes, &err) != STELE_OK) {
        return;
    }
    fuzz_require(c.epoch >= 1);
    while (added < hashes->count &&
            sti_docs_checkpoint_add(&c, hashes->list[added], &err) == STELE_OK) {
        added++;
    }
    for (size_t i = 0; i < added; i++) {
        stele_code rc = sti_docs_checkpoint_remove(&c, hashes->list[i], &err);

        /* The last one of all is refused if the checkpoint was that of others. */
        fuzz_require(rc == STELE_OK || (rc == STELE_ECORRUPT && c.count == 1));
        if (rc != STELE_OK) {
            return;
        }
    }
    sti_docs_checkpoint_put(again, &c);
    fuzz_require(bytes.len == sizeof again && memcmp(again, bytes.data, sizeof again) == 0);
}

static void aggregate(stele_bytes bytes, const struct hashes *hashes)
{
    struct sti_docs_aggregate a;
    struct sti_docs_aggregate sum = {.count = 0};
    uint8_t again[STI_DOCS_AGGREGATE_SIZE];
    uint8_t print[STI_DOCS_FINGERPRINT_SIZE];
    stele_error err;

    if (sti_docs_aggregate_get(&a, bytes, &err) != STELE_OK) {
        return;
    }
    for (size_t i = 0; i < hashes->count; i++) {
        sti_docs_aggregate_add_hash(i % 2 == 0 ? &a : &sum, hashes->list[i]);
    }
    sti_docs_aggregate_add(&a, &sum);
    fuzz_require(sti_docs_aggregate_fingerprint(&a, print, &err) == STELE_OK);
    for (size_t i = hashes->count; i-- > 0;) {
        sti_docs_aggregate_remove_hash(&a, hashes->list[i]);
    }
    sti_docs_aggregate_put(again, &a);
    fuzz_require(memcmp(again, bytes.data, sizeof again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned what = fuzz_byte(&in);
    struct hashes hashes;
    size_t len;
    uint8_t *copy = fuzz_bytes(&in,
            what % 2 == 0 ? STI_DOCS_CHECKPOINT_SIZE + what / 128
                          : STI_DOCS_AGGREGATE_SIZE + what / 128,
            &len);

    read_hashes(&in, &hashes);
    if (what % 2 == 0) {
        checkpoint(stele_bytes_of(copy, len), &hashes);
    } else {
        aggregate(stele_bytes_of(copy, len), &hashes);
    }
    free(copy);
    return 0;
}
