/* SPDX-License-Identifier: MIT
 *
 * sums.c: what days, hours, minutes and seconds of the log add up to.
 *
 * Many entries of a batch are often of one second. Therefore each sum is put when another second,
 * minute, hour or day comes, or at the end of the batch. The next batch, which often goes on with
 * the same ones, knows them.
 */
#include "base/coding.h"
#include "base/mutant.h"
#include "docs/apply.h"

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

/* ---- Days. ---- */

static stele_code put_checkpoint(struct sti_docs_write *w, stele_error *err)
{
    struct sti_docs_sums *sums = &w->memo.sums;
    uint8_t key[STI_DOCS_CHECKPOINT_KEY_SIZE];
    uint8_t value[STI_DOCS_CHECKPOINT_SIZE];

    if (!sums->has_day || !sums->day_changed) {
        return STELE_OK;
    }
    sums->day_changed = false;
    sums->has_day = !sti_docs_checkpoint_is_empty(&sums->day);
    sti_docs_checkpoint_key(key, sums->day.epoch);
    sti_docs_checkpoint_put(value, &sums->day);
    return sti_docs_put_sum(w, STI_DOCS_CHK, stele_bytes_of(key, sizeof key),
            stele_bytes_of(value, sizeof value), !sums->has_day, err);
}

static stele_code need_checkpoint(
        struct sti_docs_write *w, struct sti_docs_version version, stele_error *err)
{
    struct sti_docs_sums *sums = &w->memo.sums;
    struct sti_docs_checkpoint day = {.epoch = 0};
    uint8_t key[STI_DOCS_CHECKPOINT_KEY_SIZE];
    stele_bytes old = stele_nil();
    bool found = false;
    stele_code rc;

    if (sums->has_day && sti_docs_checkpoint_covers(&sums->day, version) &&
            !STI_MUTANT(DOCS_CHECKPOINT_ANEW)) {
        return STELE_OK;
    }
    rc = put_checkpoint(w, err);
    sti_docs_checkpoint_init(&day, version);
    sti_docs_checkpoint_key(key, day.epoch);
    if (rc == STELE_OK) {
        rc = sti_docs_read(
                w->view, STI_DOCS_CHK, stele_bytes_of(key, sizeof key), &old, &found, err);
    }
    if (rc == STELE_OK && found && !STI_MUTANT(DOCS_CHECKPOINT_ANEW)) {
        rc = sti_docs_checkpoint_get(&day, old, err);
    }
    if (rc == STELE_OK) {
        sums->day = day;
        sums->has_day = true;
        sums->day_changed = false;
    }
    return rc;
}

static stele_code change_checkpoint(struct sti_docs_write *w, struct sti_docs_version version,
        const uint8_t hash[STI_DOCS_HASH_SIZE], bool add, stele_error *err)
{
    stele_code rc = need_checkpoint(w, version, err);

    if (rc != STELE_OK) {
        return rc;
    }
    w->memo.sums.day_changed = true;
    return add ? sti_docs_checkpoint_add(&w->memo.sums.day, hash, err)
               : sti_docs_checkpoint_remove(&w->memo.sums.day, hash, err);
}

/* ---- Levels. ---- */

static stele_code put_aggregate(struct sti_docs_write *w, uint8_t level, stele_error *err)
{
    struct sti_docs_sums *sums = &w->memo.sums;
    uint8_t key[STI_DOCS_AGGREGATE_KEY_SIZE];
    uint8_t value[1 + STI_DOCS_AGGREGATE_SIZE];

    if (!sums->has[level] || !sums->changed[level]) {
        return STELE_OK;
    }
    sums->changed[level] = false;
    sums->has[level] = sums->aggregates[level].count > 0;
    sti_docs_aggregate_key(key, level, sums->at[level]);
    value[0] = STI_DOCS_FORM;
    sti_docs_aggregate_put(value + 1, &sums->aggregates[level]);
    return sti_docs_put_sum(w, STI_DOCS_AGG, stele_bytes_of(key, sizeof key),
            stele_bytes_of(value, sizeof value), !sums->has[level], err);
}

static stele_code need_aggregate(
        struct sti_docs_write *w, uint8_t level, int64_t at, stele_error *err)
{
    struct sti_docs_sums *sums = &w->memo.sums;
    struct sti_docs_aggregate aggregate = {.count = 0};
    uint8_t key[STI_DOCS_AGGREGATE_KEY_SIZE];
    stele_bytes old = stele_nil();
    bool found = false;
    stele_code rc;

    if (sums->has[level] && sums->at[level] == at) {
        return STELE_OK;
    }
    rc = put_aggregate(w, level, err);
    sti_docs_aggregate_key(key, level, at);
    if (rc == STELE_OK) {
        rc = sti_docs_read(
                w->view, STI_DOCS_AGG, stele_bytes_of(key, sizeof key), &old, &found, err);
    }
    if (rc == STELE_OK && found) {
        rc = sti_docs_check_form(old, STI_DOCS_AGGREGATE_SIZE, "aggregate", err);
        if (rc == STELE_OK) {
            rc = sti_docs_aggregate_get(&aggregate, stele_bytes_of(old.data + 1, old.len - 1), err);
        }
    }
    if (rc == STELE_OK) {
        sums->aggregates[level] = aggregate;
        sums->at[level] = at;
        sums->has[level] = true;
        sums->changed[level] = false;
    }
    return rc;
}

/* ---- Both. ---- */

stele_code sti_docs_sums_change(struct sti_docs_write *w, struct sti_docs_version version,
        const uint8_t hash[STI_DOCS_HASH_SIZE], bool add, stele_error *err)
{
    stele_code rc = change_checkpoint(w, version, hash, add, err);

    for (uint8_t i = 0; i < STI_DOCS_LEVELS && rc == STELE_OK; i++) {
        if (STI_MUTANT(DOCS_LEVEL_SKIPPED) && i == 2) {
            continue;
        }
        rc = need_aggregate(w, i, version.seconds / sti_docs_level_seconds[i], err);
        if (rc != STELE_OK) {
            break;
        }
        w->memo.sums.changed[i] = true;
        if (add) {
            sti_docs_aggregate_add_hash(&w->memo.sums.aggregates[i], hash);
        } else {
            sti_docs_aggregate_remove_hash(&w->memo.sums.aggregates[i], hash);
        }
    }
    return rc;
}

stele_code sti_docs_sums_put(struct sti_docs_write *w, stele_error *err)
{
    stele_code rc = put_checkpoint(w, err);

    for (uint8_t i = 0; i < STI_DOCS_LEVELS && rc == STELE_OK; i++) {
        rc = put_aggregate(w, i, err);
    }
    return rc;
}
