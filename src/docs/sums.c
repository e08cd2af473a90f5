/* SPDX-License-Identifier: MIT
 *
 * sums.c: what days, hours, minutes and seconds of the log add up to.
 */
#include "base/coding.h"
#include "base/mutant.h"
#include "docs/aggregate.h"
#include "docs/apply.h"
#include "docs/checkpoint.h"

const int64_t sti_docs_level_seconds[STI_DOCS_LEVELS] = {1, 60, 3600, STI_DOCS_DAY_SECONDS};

void sti_docs_checkpoint_key(uint8_t out[STI_DOCS_CHECKPOINT_KEY_SIZE], int64_t epoch)
{
    sti_put_be64(out, (uint64_t)epoch);
}

void sti_docs_aggregate_key(uint8_t out[STI_DOCS_AGGREGATE_KEY_SIZE], uint8_t level, int64_t at)
{
    out[0] = level;
    sti_put_be64(out + 1, (uint64_t)at);
}

static stele_code change_checkpoint(struct sti_docs_write *w, struct sti_docs_version version,
        const uint8_t hash[STI_DOCS_HASH_SIZE], bool add, stele_error *err)
{
    struct sti_docs_checkpoint checkpoint = {.epoch = 0};
    uint8_t key[STI_DOCS_CHECKPOINT_KEY_SIZE];
    uint8_t value[STI_DOCS_CHECKPOINT_SIZE];
    stele_bytes old = stele_nil();
    bool found = false;
    stele_code rc;

    sti_docs_checkpoint_init(&checkpoint, version);
    sti_docs_checkpoint_key(key, checkpoint.epoch);
    rc = sti_docs_read(w->view, STI_DOCS_CHK, stele_bytes_of(key, sizeof key), &old, &found, err);
    if (rc == STELE_OK && found && !STI_MUTANT(DOCS_CHECKPOINT_ANEW)) {
        rc = sti_docs_checkpoint_get(&checkpoint, old, err);
    }
    if (rc == STELE_OK) {
        rc = add ? sti_docs_checkpoint_add(&checkpoint, hash, err)
                 : sti_docs_checkpoint_remove(&checkpoint, hash, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    if (sti_docs_checkpoint_is_empty(&checkpoint)) {
        return sti_docs_remove(w, STI_DOCS_CHK, stele_bytes_of(key, sizeof key), err);
    }
    sti_docs_checkpoint_put(value, &checkpoint);
    return sti_docs_put(w, STI_DOCS_CHK, stele_bytes_of(key, sizeof key),
            stele_bytes_of(value, sizeof value), err);
}

static stele_code change_aggregate(struct sti_docs_write *w, uint8_t level, int64_t at,
        const uint8_t hash[STI_DOCS_HASH_SIZE], bool add, stele_error *err)
{
    struct sti_docs_aggregate aggregate = {.count = 0};
    uint8_t key[STI_DOCS_AGGREGATE_KEY_SIZE];
    uint8_t value[1 + STI_DOCS_AGGREGATE_SIZE];
    stele_bytes old = stele_nil();
    bool found = false;
    stele_code rc;

    sti_docs_aggregate_key(key, level, at);
    rc = sti_docs_read(w->view, STI_DOCS_AGG, stele_bytes_of(key, sizeof key), &old, &found, err);
    if (rc == STELE_OK && found) {
        rc = sti_docs_check_form(old, STI_DOCS_AGGREGATE_SIZE, "aggregate", err);
        if (rc == STELE_OK) {
            rc = sti_docs_aggregate_get(&aggregate, stele_bytes_of(old.data + 1, old.len - 1), err);
        }
    }
    if (rc != STELE_OK) {
        return rc;
    }
    if (add) {
        sti_docs_aggregate_add_hash(&aggregate, hash);
    } else {
        sti_docs_aggregate_remove_hash(&aggregate, hash);
    }
    if (aggregate.count == 0) {
        return sti_docs_remove(w, STI_DOCS_AGG, stele_bytes_of(key, sizeof key), err);
    }
    value[0] = STI_DOCS_FORM;
    sti_docs_aggregate_put(value + 1, &aggregate);
    return sti_docs_put(w, STI_DOCS_AGG, stele_bytes_of(key, sizeof key),
            stele_bytes_of(value, sizeof value), err);
}

stele_code sti_docs_sums_change(struct sti_docs_write *w, struct sti_docs_version version,
        const uint8_t hash[STI_DOCS_HASH_SIZE], bool add, stele_error *err)
{
    stele_code rc = change_checkpoint(w, version, hash, add, err);

    for (uint8_t i = 0; i < STI_DOCS_LEVELS && rc == STELE_OK; i++) {
        if (STI_MUTANT(DOCS_LEVEL_SKIPPED) && i == 2) {
            continue;
        }
        rc = change_aggregate(w, i, version.seconds / sti_docs_level_seconds[i], hash, add, err);
    }
    return rc;
}
