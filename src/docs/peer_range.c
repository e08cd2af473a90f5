/* SPDX-License-Identifier: MIT
 *
 * peer_range.c: ranges of the log, and their sums.
 */
#include "docs/peer_range.h"

#include "base/coding.h"
#include "base/error.h"
#include "base/sha256.h"
#include "docs/apply.h"

stele_code sti_docs_hash_of(stele_bytes entry, uint8_t out[STI_DOCS_HASH_SIZE], stele_error *err)
{
    return sti_sha256(&entry, 1, out, err);
}

/* ---- Parts. ---- */

static int64_t second_of(stele_bytes bound)
{
    uint64_t seconds = bound.len < STI_DOCS_SECOND_KEY_SIZE ? 0 : sti_get_be64(bound.data);

    return seconds > INT64_MAX ? INT64_MAX : (int64_t)seconds;
}

static bool is_within_second(stele_bytes bound)
{
    return bound.len > STI_DOCS_SECOND_KEY_SIZE;
}

static stele_bytes begin_of(uint8_t bytes[STI_DOCS_SECOND_KEY_SIZE], int64_t second)
{
    sti_put_be64(bytes, (uint64_t)second);
    return stele_bytes_of(bytes, STI_DOCS_SECOND_KEY_SIZE);
}

void sti_docs_parts_make(struct sti_docs_parts *out, const struct sti_docs_view *view,
        stele_bytes low, stele_bytes high)
{
    int64_t from = second_of(low);
    int64_t to = stele_is_nil(high) ? INT64_MAX : second_of(high);
    bool cut = is_within_second(low);

    *out = (struct sti_docs_parts){.from = 0};
    if (from < view->horizon) {
        from = view->horizon;
        cut = false;
    }
    if (from > to || stele_is_nil(low) ||
            (cut && !stele_is_nil(high) && stele_bytes_compare(low, high) >= 0)) {
        return;
    }
    if (cut && (from == to || from == INT64_MAX)) {
        out->first = (struct sti_docs_span){.any = true, .low = low, .high = high};
        return;
    }
    if (cut) {
        out->first.any = true;
        out->first.low = low;
        out->first.high = begin_of(out->first.high_bytes, ++from);
    }
    out->from = from;
    out->to = to;
    if (!stele_is_nil(high) && is_within_second(high)) {
        out->last.any = true;
        out->last.low = begin_of(out->last.low_bytes, to);
        out->last.high = high;
    }
}

/* ---- Keys. ---- */

stele_code sti_docs_span_pairs(const struct sti_docs_view *view, stele_bytes low, stele_bytes high,
        stele_store_pair_fn each, void *arg, stele_error *err)
{
    stele_store_range range = {.start = low, .end = high, .to_end = stele_is_nil(high)};

    return stele_store_read_range(
            view->read, sti_docs_bucket_name(STI_DOCS_LOG), &range, each, arg, NULL, err);
}

static stele_code add_entry(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct sti_docs_aggregate *sum = arg;
    uint8_t hash[STI_DOCS_HASH_SIZE];
    stele_code rc = sti_docs_hash_of(value, hash, err);

    (void)key;
    if (rc == STELE_OK) {
        sti_docs_aggregate_add_hash(sum, hash);
    }
    return rc;
}

static stele_code count_entry(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct sti_docs_aggregate *sum = arg;

    (void)key;
    (void)value;
    (void)err;
    sum->count++;
    return STELE_OK;
}

stele_code sti_docs_span_sum(const struct sti_docs_view *view, const struct sti_docs_span *span,
        bool hashed, struct sti_docs_aggregate *sum, stele_error *err)
{
    return span->any ? sti_docs_span_pairs(view, span->low, span->high,
                               hashed ? add_entry : count_entry, sum, err)
                     : STELE_OK;
}

/* ---- Whole seconds. ---- */

struct unit {
    bool found;
    int64_t start;
    struct sti_docs_aggregate sum;
};

/* The first sum of a level at or behind where the walk is. */
static stele_code next_unit(
        struct sti_docs_walk *walk, uint8_t level, struct unit *out, stele_error *err)
{
    const int64_t size = sti_docs_level_seconds[level];
    uint8_t from[STI_DOCS_AGGREGATE_KEY_SIZE];
    stele_bytes key = stele_nil();
    stele_bytes value = stele_nil();
    stele_code rc;

    out->found = false;
    sti_docs_aggregate_key(from, level, walk->at / size);
    rc = stele_store_cursor_seek(walk->sums, stele_bytes_of(from, sizeof from), err);
    if (rc == STELE_OK) {
        rc = stele_store_cursor_pair(walk->sums, &key, &value, err);
    }
    if (rc == STELE_END || (rc == STELE_OK && (key.len != sizeof from || key.data[0] != level))) {
        return STELE_OK;
    }
    if (rc == STELE_OK) {
        rc = sti_docs_check_form(value, STI_DOCS_AGGREGATE_SIZE, "aggregate", err);
    }
    if (rc == STELE_OK && sti_get_be64(key.data + 1) > (uint64_t)(INT64_MAX / size)) {
        rc = sti_fail(err, STELE_ECORRUPT, "an aggregate beyond the end of time");
    }
    if (rc == STELE_OK) {
        out->found = true;
        out->start = (int64_t)sti_get_be64(key.data + 1) * size;
        rc = sti_docs_aggregate_get(
                &out->sum, stele_bytes_of(value.data + 1, STI_DOCS_AGGREGATE_SIZE), err);
    }
    return rc;
}

stele_code sti_docs_walk_on(
        struct sti_docs_walk *walk, uint64_t limit, uint64_t *count, stele_error *err)
{
    uint8_t level = STI_DOCS_LEVELS - 1;

    *count = 0;
    while (walk->at < walk->end) {
        const int64_t size = sti_docs_level_seconds[level];
        const int64_t last = walk->end - walk->end % size;
        struct unit unit = {.found = false};
        stele_code rc;

        if (walk->at % size != 0 || walk->at >= last) {
            level--; /* A second always fits. */
            continue;
        }
        rc = next_unit(walk, level, &unit, err);
        if (rc != STELE_OK) {
            return rc;
        }
        if (!unit.found || unit.start > walk->at) {
            walk->at = unit.found && unit.start < last ? unit.start : last;
            level = STI_DOCS_LEVELS - 1;
        } else if (unit.sum.count <= limit - walk->sum.count) {
            sti_docs_aggregate_add(&walk->sum, &unit.sum);
            walk->at += size;
            level = STI_DOCS_LEVELS - 1;
        } else if (level > 0) {
            level--;
        } else {
            *count = unit.sum.count;
            return STELE_OK;
        }
    }
    return STELE_OK;
}
