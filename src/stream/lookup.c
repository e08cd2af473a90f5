/* SPDX-License-Identifier: MIT
 *
 * lookup.c: finding messages by key and by time.
 *
 * By key: the head has a table in memory; a sealed segment's side file has a
 * filter, which says at once that a key is not there, and sorted hashes. What
 * has the right hash is compared by its key.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/fnv.h"
#include "stream/read.h"

#include <inttypes.h>
#include <string.h>

/* ---- By key, from an offset on. ---- */

struct by_key {
    stele_bytes key;
    uint64_t hash;
    uint64_t mask;
    struct sti_consume c;
};

/* Take the message of an item if its key is the one asked for. */
static stele_code take_if(stele_stream *s, struct sti_segment *seg, uint64_t ordinal,
        struct by_key *k, struct sti_segment **unfit, stele_error *err)
{
    stele_messages *out = k->c.out;
    struct sti_map *map = sti_segment_map(seg);
    bool wrong = false;
    stele_code rc = sti_messages_reserve(out, out->count + 1, err);

    rc = rc != STELE_OK ? rc : sti_messages_pin(out, map, err);
    if (rc == STELE_OK) {
        rc = sti_segment_message(s, seg, map, ordinal, &out->items[out->count], &wrong, err);
    }
    if (wrong) {
        *unfit = seg;
    }
    if (rc == STELE_OK && out->items[out->count].key.len == k->key.len &&
            (k->key.len == 0 ||
                    memcmp(out->items[out->count].key.data, k->key.data, k->key.len) == 0)) {
        out->count++;
    }
    return rc;
}

/* The head's items with a hash are linked newest first: turn them round. */
static stele_code keys_of_head(stele_stream *s, struct sti_segment *seg, uint64_t from,
        struct by_key *k, struct sti_segment **unfit, stele_error *err)
{
    uint64_t count = sti_segment_count(seg);
    uint64_t ordinal = sti_head_find(seg->head, k->hash, count);
    uint64_t found = 0;
    uint64_t *ordinals = NULL;
    stele_code rc = STELE_OK;

    for (uint64_t o = ordinal; o != UINT64_MAX && o >= from; o = sti_head_before(seg->head, o)) {
        found++;
    }
    ordinals = sti_calloc(found, sizeof *ordinals);
    if (ordinals == NULL) {
        return sti_fail_memory(err, found * sizeof *ordinals);
    }
    for (uint64_t i = found; i > 0; i--) {
        ordinals[i - 1] = ordinal;
        ordinal = sti_head_before(seg->head, ordinal);
    }
    for (uint64_t i = 0; i < found && rc == STELE_OK; i++) {
        if (k->c.out->count < (uint64_t)k->c.count_max) {
            rc = take_if(s, seg, ordinals[i], k, unfit, err);
        }
    }
    sti_free(ordinals);
    return rc;
}

static stele_code keys_of_sealed(stele_stream *s, struct sti_segment *seg, uint64_t from,
        struct by_key *k, struct sti_segment **unfit, stele_error *err)
{
    uint64_t first;
    uint64_t last;
    stele_code rc = sti_segment_load_keys(s, seg, err);

    if (rc != STELE_OK || !sti_keys_maybe(&seg->keys, k->hash, k->mask)) {
        return rc;
    }
    sti_keys_find(&seg->keys, k->hash, &first, &last);
    for (; first < last && rc == STELE_OK; first++) {
        uint64_t ordinal = sti_keys_ordinal(&seg->keys, first);

        if (ordinal >= from && ordinal < seg->count && k->c.out->count < (uint64_t)k->c.count_max) {
            rc = take_if(s, seg, ordinal, k, unfit, err);
        }
    }
    return rc;
}

static stele_code consume_by_key(stele_stream *s, struct sti_view *view, void *arg,
        struct sti_segment **unfit, stele_error *err)
{
    struct by_key *k = arg;
    size_t item_size = sti_index_item_size(s->params);
    int64_t from = k->c.offset == STELE_OFFSET_OLDEST ? 0 : k->c.offset;

    sti_messages_reset(k->c.out);
    for (size_t i = sti_view_find(view, from); i < view->count; i++) {
        struct sti_segment *seg = view->segments[i];
        stele_code rc = sti_segment_load(s, seg, err);
        uint64_t ordinal = 0;

        if (rc == STELE_OK) {
            ordinal = sti_segment_lower(seg, item_size, sti_segment_count(seg), from);
            rc = seg->head != NULL ? keys_of_head(s, seg, ordinal, k, unfit, err)
                                   : keys_of_sealed(s, seg, ordinal, k, unfit, err);
        }
        if (k->c.out->count > 0 && *unfit == NULL) {
            k->c.next = k->c.out->items[k->c.out->count - 1].offset + 1;
            return STELE_OK;
        }
        if (rc != STELE_OK) {
            return rc;
        }
    }
    return sti_consume_at_end(s, view, &k->c);
}

stele_code stele_stream_consume_by_key(stele_stream *s, stele_bytes key, int64_t offset,
        int64_t count_max, stele_messages *out, int64_t *next_offset, stele_error *err)
{
    struct by_key k = {.key = key,
            .hash = sti_fnv1a64(key.data, key.len),
            .c = {.offset = offset, .count_max = count_max, .out = out}};
    stele_code rc = sti_consume_check(s, &k.c, err);

    if (rc == STELE_OK && !s->params.keys) {
        rc = sti_fail(err, STELE_ENOINDEX, "the stream has no index by key");
    }
    rc = rc != STELE_OK ? rc : sti_read_refresh(s, offset, err);
    if (rc != STELE_OK) {
        return rc;
    }
    k.mask = sti_keys_mask(k.hash);
    rc = sti_consume_run(s, consume_by_key, &k, &k.c, err);
    sti_messages_trim(out);
    if (rc == STELE_OK && next_offset != NULL) {
        *next_offset = k.c.next;
    }
    return rc;
}

/* ---- The newest message with a key. ---- */

static stele_code newest_in_head(stele_stream *s, struct sti_segment *seg, struct by_key *k,
        struct sti_segment **unfit, stele_error *err)
{
    stele_code rc = STELE_OK;

    for (uint64_t o = sti_head_find(seg->head, k->hash, sti_segment_count(seg));
            o != UINT64_MAX && rc == STELE_OK && k->c.out->count == 0;
            o = sti_head_before(seg->head, o)) {
        rc = take_if(s, seg, o, k, unfit, err);
    }
    return rc;
}

static stele_code newest_in_sealed(stele_stream *s, struct sti_segment *seg, struct by_key *k,
        struct sti_segment **unfit, stele_error *err)
{
    uint64_t first;
    uint64_t last;
    stele_code rc = STELE_OK;

    sti_keys_find(&seg->keys, k->hash, &first, &last);
    for (; last > first && rc == STELE_OK && k->c.out->count == 0; last--) {
        uint64_t ordinal = sti_keys_ordinal(&seg->keys, last - 1);

        if (ordinal < seg->count) {
            sti_segment_expect(seg, ordinal);
            rc = take_if(s, seg, ordinal, k, unfit, err);
        }
    }
    return rc;
}

/* The view's filters, or NULL: then they are looked up in the segments. */
static struct sti_filter *filters_of(struct sti_view *view)
{
    struct sti_filter *filters = atomic_load_explicit(&view->filters, memory_order_acquire);
    struct sti_filter *none = NULL;

    if (filters == NULL) {
        filters = sti_calloc(view->count, sizeof *filters);
        if (filters != NULL && !atomic_compare_exchange_strong(&view->filters, &none, filters)) {
            sti_free(filters);
            filters = none;
        }
    }
    return filters;
}

/* Whether the filter is known, and says that its segment does not have the key. */
static bool rules_out(const struct sti_filter *filter, uint64_t mixed, uint64_t mask)
{
    const uint8_t *words = atomic_load_explicit(&filter->words, memory_order_acquire);

    if (words == NULL) {
        return false;
    }
    words += 8 * sti_keys_word(mixed, atomic_load_explicit(&filter->count, memory_order_relaxed));
    return (sti_get_le64(words) & mask) != mask;
}

/* How many segments are left without those at the end whose filters rule the key out. */
static size_t pass_over(
        const struct sti_filter *filters, size_t count, uint64_t mixed, uint64_t mask)
{
    while (filters != NULL && count > 0 && rules_out(&filters[count - 1], mixed, mask)) {
        count--;
    }
    return count;
}

static stele_code newest_in(stele_stream *s, struct sti_segment *seg, struct by_key *k,
        struct sti_filter *filter, struct sti_segment **unfit, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (seg->head != NULL) {
        return newest_in_head(s, seg, k, unfit, err);
    }
    if (!atomic_load_explicit(&seg->keys_loaded, memory_order_acquire)) {
        rc = sti_segment_load_keys(s, seg, err);
    }
    if (rc == STELE_OK && filter != NULL && seg->keys.words != 0) {
        /* The view keeps the segment, and that its side file. */
        atomic_store_explicit(&filter->count, seg->keys.words, memory_order_relaxed);
        atomic_store_explicit(&filter->words, seg->keys.filter, memory_order_release);
    }
    if (rc == STELE_OK && sti_keys_maybe(&seg->keys, k->hash, k->mask)) {
        atomic_store_explicit(&seg->used, true, memory_order_relaxed);
        rc = newest_in_sealed(s, seg, k, unfit, err);
    }
    return rc;
}

static stele_code get_by_key(stele_stream *s, struct sti_view *view, void *arg,
        struct sti_segment **unfit, stele_error *err)
{
    struct by_key *k = arg;
    struct sti_filter *filters = filters_of(view);
    uint64_t mixed = sti_keys_mix(k->hash);
    size_t left = pass_over(filters, view->count, mixed, k->mask);

    sti_messages_reset(k->c.out);
    while (left > 0) {
        struct sti_filter *filter = filters == NULL ? NULL : &filters[left - 1];
        stele_code rc = newest_in(s, view->segments[left - 1], k, filter, unfit, err);

        if (rc != STELE_OK || k->c.out->count > 0) {
            return rc;
        }
        left = pass_over(filters, left - 1, mixed, k->mask);
    }
    return sti_fail(err, STELE_ENOTFOUND, "no message has this key");
}

stele_code stele_stream_get_by_key(
        stele_stream *s, stele_bytes key, stele_messages *out, stele_error *err)
{
    struct by_key k = {.key = key, .c = {.count_max = 1, .out = out}};
    stele_code rc = STELE_OK;

    if (s == NULL || out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no stream, or no container for its messages");
    }
    if (!s->params.keys) {
        return sti_fail(err, STELE_ENOINDEX, "the stream has no index by key");
    }
    if (s->mode == STI_MODE_LIVE) {
        rc = sti_live_refresh(s, err);
    }
    k.hash = sti_fnv1a64(key.data, key.len);
    k.mask = sti_keys_mask(k.hash);
    rc = rc != STELE_OK ? rc : sti_read_run(s, get_by_key, &k, err);
    sti_messages_trim(out);
    return rc;
}

stele_code stele_stream_offset_by_key(
        stele_stream *s, stele_bytes key, int64_t *offset, stele_error *err)
{
    stele_messages ms = {0};
    stele_code rc;

    if (offset == NULL) {
        return sti_fail(err, STELE_EINVAL, "no place for the offset");
    }
    rc = stele_stream_get_by_key(s, key, &ms, err);
    if (rc == STELE_OK && ms.count == 1) {
        *offset = ms.items[0].offset;
    }
    stele_messages_clear(&ms);
    sti_free(ms.items);
    sti_free(ms.pins);
    return rc;
}

/* ---- The first message from a time on. ---- */

/* For each segment but the last the latest index time of it and all before, made
 * once a view. It never falls, also where an index was made again and starts
 * from its own messages. A segment that cannot be read may reach as far as the
 * next one begins, or, at the end, anywhere: INT64_MAX. */
static stele_code read_last_times(
        stele_stream *s, const struct sti_view *view, int64_t *times, stele_error *err)
{
    size_t item_size = sti_index_item_size(s->params);
    int64_t top = INT64_MIN;
    size_t known = 0;

    for (size_t i = 0; i + 1 < view->count; i++) {
        struct sti_segment *seg = view->segments[i];
        stele_code rc = sti_segment_load(s, seg, err);
        uint64_t count;

        times[i] = INT64_MAX;
        if (rc == STELE_ECORRUPT || rc == STELE_EVERSION) {
            continue;
        }
        if (rc != STELE_OK) {
            return rc;
        }
        count = sti_segment_count(seg);
        if (count > 0) {
            int64_t first = sti_item_time(sti_segment_item(seg, item_size, 0));
            int64_t last = sti_item_time(sti_segment_item(seg, item_size, count - 1));

            for (; known < i; known++) {
                times[known] = top > first ? top : first;
            }
            top = known > 0 && times[known - 1] > top ? times[known - 1] : top;
            top = last > top ? last : top;
        } else if (known < i) {
            continue;
        }
        times[i] = top;
        known = i + 1;
    }
    return STELE_OK;
}

static stele_code last_times(
        stele_stream *s, struct sti_view *view, int64_t **out, stele_error *err)
{
    int64_t *times = atomic_load_explicit(&view->times, memory_order_acquire);
    int64_t *none = NULL;
    stele_code rc;

    if (times == NULL) {
        times = sti_calloc(view->count, sizeof *times);
        if (times == NULL) {
            return sti_fail_memory(err, view->count * sizeof *times);
        }
        rc = read_last_times(s, view, times, err);
        if (rc != STELE_OK) {
            sti_free(times);
            return rc;
        }
        if (!atomic_compare_exchange_strong(&view->times, &none, times)) {
            sti_free(times);
            times = none;
        }
    }
    *out = times;
    return STELE_OK;
}

/* The first segment that may hold the time; the head if no other does. */
static size_t find_time(
        const struct sti_view *view, const int64_t *times, size_t item_size, int64_t time)
{
    const struct sti_segment *head = view->segments[view->count - 1];
    size_t low = 0;
    size_t high = view->count - 1;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (times[middle] < time) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low + 1 < view->count && times[low] == INT64_MAX && sti_segment_count(head) > 0 &&
            sti_item_time(sti_segment_item(head, item_size, 0)) < time) {
        return view->count - 1;
    }
    return low;
}

/* The first item of [low, high) with this time or a later one, else `high`. */
static uint64_t halve_time(
        const struct sti_segment *seg, size_t item_size, uint64_t low, uint64_t high, int64_t time)
{
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (sti_item_time(sti_segment_item(seg, item_size, middle)) < time) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The first item with this time or a later one, else the count. Messages
 * often come at an even pace: look where the time should be, then ever
 * further away from there, until the place is between two looks. */
static uint64_t lower_time(
        const struct sti_segment *seg, size_t item_size, uint64_t count, int64_t time)
{
    uint64_t low = 0;
    uint64_t high = count;
    uint64_t step = 1;
    int64_t first;
    int64_t last;
    uint64_t at;

    if (count == 0) {
        return 0;
    }
    first = sti_item_time(sti_segment_item(seg, item_size, 0));
    last = sti_item_time(sti_segment_item(seg, item_size, count - 1));
    if (time <= first || time > last) {
        return time <= first ? 0 : count;
    }
    at = (uint64_t)((double)((uint64_t)time - (uint64_t)first) /
                    (double)((uint64_t)last - (uint64_t)first) * (double)(count - 1));
    at = at < count ? at : count - 1;
    if (sti_item_time(sti_segment_item(seg, item_size, at)) < time) {
        low = at + 1;
        while (step <= high - low &&
                sti_item_time(sti_segment_item(seg, item_size, low + step - 1)) < time) {
            low += step;
            step *= 2;
        }
        high = step <= high - low ? low + step - 1 : high;
    } else {
        high = at;
        while (step <= high - low &&
                sti_item_time(sti_segment_item(seg, item_size, high - step)) >= time) {
            high -= step;
            step *= 2;
        }
        low = step <= high - low ? high - step + 1 : low;
    }
    return halve_time(seg, item_size, low, high, time);
}

struct by_time {
    stele_time time;
    stele_messages *out;
};

static stele_code get_by_time(stele_stream *s, struct sti_view *view, void *arg,
        struct sti_segment **unfit, stele_error *err)
{
    struct by_time *g = arg;
    size_t item_size = sti_index_item_size(s->params);
    int64_t *times = NULL;
    stele_code rc = last_times(s, view, &times, err);

    if (rc != STELE_OK) {
        return rc;
    }
    for (size_t i = find_time(view, times, item_size, g->time); i < view->count; i++) {
        struct sti_segment *seg = view->segments[i];
        uint64_t count;
        uint64_t ordinal;

        rc = sti_segment_load(s, seg, err);
        if (rc != STELE_OK) {
            return rc;
        }
        count = sti_segment_count(seg);
        ordinal = lower_time(seg, item_size, count, g->time);
        if (ordinal < count) {
            return sti_read_one(s, seg, ordinal, g->out, unfit, err);
        }
    }
    return sti_fail(err, STELE_ENOTFOUND, "all messages are older");
}

stele_code stele_stream_get_by_time(
        stele_stream *s, stele_time start, stele_messages *out, stele_error *err)
{
    struct by_time g = {.time = start, .out = out};
    stele_code rc = STELE_OK;

    if (s == NULL || out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no stream, or no container for its messages");
    }
    if (!s->params.times) {
        return sti_fail(err, STELE_ENOINDEX, "the stream has no index by time");
    }
    if (s->mode == STI_MODE_LIVE) {
        rc = sti_live_refresh(s, err);
    }
    return rc != STELE_OK ? rc : sti_read_run(s, get_by_time, &g, err);
}

stele_code stele_stream_offset_by_time(
        stele_stream *s, stele_time start, int64_t *offset, stele_time *time, stele_error *err)
{
    stele_messages ms = {0};
    stele_code rc;

    if (offset == NULL) {
        return sti_fail(err, STELE_EINVAL, "no place for the offset");
    }
    rc = stele_stream_get_by_time(s, start, &ms, err);
    if (rc == STELE_OK && ms.count == 1) {
        *offset = ms.items[0].offset;
        if (time != NULL) {
            *time = ms.items[0].time;
        }
    }
    stele_messages_clear(&ms);
    sti_free(ms.items);
    sti_free(ms.pins);
    return rc;
}
