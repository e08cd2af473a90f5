/* SPDX-License-Identifier: MIT
 *
 * read.c: consuming messages, and getting one, by offset.
 */
#include "stream/state.h"

#include "base/error.h"

#include <inttypes.h>

/* Run one read on the view in force; a read that met a wrong index has had it
 * made again from the log, and runs once more. */
typedef stele_code read_fn(stele_stream *s, struct sti_view *view, void *arg,
        struct sti_segment **unfit, stele_error *err);

static stele_code with_view(stele_stream *s, read_fn *read, void *arg, stele_error *err)
{
    stele_code rc = STELE_ECORRUPT;

    for (int tries = 0; tries < 3; tries++) {
        struct sti_view *view = sti_stream_view(s);
        struct sti_segment *unfit = NULL;

        rc = read(s, view, arg, &unfit, err);
        if (unfit != NULL) {
            stele_code again = sti_stream_reindex(s, unfit, err);

            sti_view_unref(view);
            if (again != STELE_OK) {
                return again;
            }
            continue;
        }
        sti_view_unref(view);
        break;
    }
    return rc;
}

/* ---- Consume. ---- */

struct consume {
    int64_t offset;
    int64_t count_max;
    stele_messages *out;
    int64_t next;
};

static stele_code fill(stele_stream *s, struct sti_segment *seg, uint64_t from, uint64_t count,
        struct consume *c, struct sti_segment **unfit, stele_error *err)
{
    uint64_t n = count - from;
    stele_code rc;

    if (n > (uint64_t)c->count_max) {
        n = (uint64_t)c->count_max;
    }
    if (n > SIZE_MAX / sizeof(stele_message)) {
        n = SIZE_MAX / sizeof(stele_message);
    }
    rc = sti_messages_reserve(c->out, (size_t)n, err);
    rc = rc != STELE_OK ? rc
                        : sti_messages_pin(c->out,
                                  atomic_load_explicit(&seg->map, memory_order_acquire), err);
    for (uint64_t i = 0; i < n && rc == STELE_OK; i++) {
        bool wrong = false;

        rc = sti_segment_message(s, seg, from + i, &c->out->items[i], &wrong, err);
        if (rc == STELE_OK) {
            c->out->count++;
        } else if (i > 0 && !wrong) {
            break; /* The next call will meet the damage. */
        } else if (wrong) {
            sti_messages_reset(c->out);
            *unfit = seg;
            return rc;
        }
    }
    if (c->out->count == 0) {
        return rc;
    }
    c->next = c->out->items[c->out->count - 1].offset + 1;
    return STELE_OK;
}

/* Offsets beyond what was published are refused; others that find nothing lead to the next. */
static stele_code at_end(struct consume *c, int64_t next, stele_error *err)
{
    if (c->offset > next) {
        return sti_fail(err, STELE_EOFFSET, "offset %" PRId64 " is beyond the next, %" PRId64,
                c->offset, next);
    }
    c->next = next;
    return STELE_OK;
}

static stele_code consume(stele_stream *s, struct sti_view *view, void *arg,
        struct sti_segment **unfit, stele_error *err)
{
    struct consume *c = arg;
    size_t item_size = sti_index_item_size(s->params);
    int64_t from = c->offset == STELE_OFFSET_OLDEST ? 0 : c->offset;
    int64_t next = atomic_load_explicit(&s->next, memory_order_acquire);

    sti_messages_reset(c->out);
    for (size_t i = sti_view_find(view, from); i < view->count; i++) {
        struct sti_segment *seg = view->segments[i];
        stele_code rc = sti_segment_load(s, seg, err);
        uint64_t count;
        uint64_t ordinal;

        if (rc != STELE_OK) {
            return rc;
        }
        count = sti_segment_count(seg);
        ordinal = sti_segment_lower(seg, item_size, count, from);
        if (ordinal < count) {
            return fill(s, seg, ordinal, count, c, unfit, err);
        }
    }
    return at_end(c, next, err);
}

static stele_code check_consume(
        stele_stream *s, int64_t offset, int64_t count_max, stele_messages *out, stele_error *err)
{
    if (s == NULL || out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no stream, or no container for its messages");
    }
    if (count_max < 1) {
        return sti_fail(err, STELE_EINVAL, "cannot read %" PRId64 " messages", count_max);
    }
    if (offset < 0 && offset != STELE_OFFSET_OLDEST && offset != STELE_OFFSET_NEWEST) {
        return sti_fail(err, STELE_EOFFSET, "offset %" PRId64 " is negative", offset);
    }
    return STELE_OK;
}

/* A live handle looks at the files again when it has nothing newer. */
static stele_code refresh_for(stele_stream *s, int64_t offset, stele_error *err)
{
    if (s->mode == STI_MODE_LIVE &&
            (offset == STELE_OFFSET_NEWEST || offset == STELE_OFFSET_OLDEST ||
                    offset >= atomic_load_explicit(&s->next, memory_order_acquire))) {
        return sti_live_refresh(s, err);
    }
    return STELE_OK;
}

stele_code stele_stream_consume(stele_stream *s, int64_t offset, int64_t count_max,
        stele_messages *out, int64_t *next_offset, stele_error *err)
{
    struct consume c = {.offset = offset, .count_max = count_max, .out = out};
    stele_code rc = check_consume(s, offset, count_max, out, err);

    rc = rc != STELE_OK ? rc : refresh_for(s, offset, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (offset == STELE_OFFSET_NEWEST) {
        sti_messages_reset(out);
        c.next = atomic_load_explicit(&s->next, memory_order_acquire);
    } else {
        rc = with_view(s, consume, &c, err);
    }
    sti_messages_trim(out);
    if (rc == STELE_OK && next_offset != NULL) {
        *next_offset = c.next;
    }
    return rc;
}

/* ---- By key, from an offset on. ---- */

struct by_key {
    stele_bytes key;
    uint64_t hash;
    uint64_t mask;
    struct consume c;
};

/* Take the message of an item if its key is the one asked for. */
static stele_code take_if(stele_stream *s, struct sti_segment *seg, uint64_t ordinal,
        struct by_key *k, struct sti_segment **unfit, stele_error *err)
{
    stele_messages *out = k->c.out;
    bool wrong = false;
    stele_code rc = sti_messages_reserve(out, out->count + 1, err);

    rc = rc != STELE_OK ? rc
                        : sti_messages_pin(out,
                                  atomic_load_explicit(&seg->map, memory_order_acquire), err);
    if (rc == STELE_OK) {
        rc = sti_segment_message(s, seg, ordinal, &out->items[out->count], &wrong, err);
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

        if (ordinal >= from && ordinal < seg->count &&
                k->c.out->count < (uint64_t)k->c.count_max) {
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
    int64_t next = atomic_load_explicit(&s->next, memory_order_acquire);

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
    return at_end(&k->c, next, err);
}

stele_code stele_stream_consume_by_key(stele_stream *s, stele_bytes key, int64_t offset,
        int64_t count_max, stele_messages *out, int64_t *next_offset, stele_error *err)
{
    struct by_key k = {.key = key,
            .hash = sti_fnv1a64(key.data, key.len),
            .c = {.offset = offset, .count_max = count_max, .out = out}};
    stele_code rc = check_consume(s, offset, count_max, out, err);

    if (rc == STELE_OK && !s->params.keys) {
        rc = sti_fail(err, STELE_ENOINDEX, "the stream has no index by key");
    }
    rc = rc != STELE_OK ? rc : refresh_for(s, offset, err);
    if (rc != STELE_OK) {
        return rc;
    }
    k.mask = sti_keys_mask(k.hash);
    if (offset == STELE_OFFSET_NEWEST) {
        sti_messages_reset(out);
        k.c.next = atomic_load_explicit(&s->next, memory_order_acquire);
    } else {
        rc = with_view(s, consume_by_key, &k, err);
    }
    sti_messages_trim(out);
    if (rc == STELE_OK && next_offset != NULL) {
        *next_offset = k.c.next;
    }
    return rc;
}

/* ---- One message. ---- */

struct get {
    int64_t offset;
    stele_time time;
    stele_messages *out;
};

stele_code sti_read_one(stele_stream *s, struct sti_segment *seg, uint64_t ordinal,
        stele_messages *out, struct sti_segment **unfit, stele_error *err)
{
    bool wrong = false;
    stele_code rc;

    sti_messages_reset(out);
    rc = sti_messages_reserve(out, 1, err);
    rc = rc != STELE_OK ? rc
                        : sti_messages_pin(
                                  out, atomic_load_explicit(&seg->map, memory_order_acquire), err);
    rc = rc != STELE_OK ? rc
                        : sti_segment_message(s, seg, ordinal, &out->items[0], &wrong, err);
    if (rc == STELE_OK) {
        out->count = 1;
    } else if (wrong) {
        *unfit = seg;
    }
    return rc;
}

/* The oldest or the newest message: segments without messages are passed over. */
static stele_code get_end(stele_stream *s, struct sti_view *view, struct get *g,
        struct sti_segment **unfit, stele_error *err)
{
    for (size_t i = 0; i < view->count; i++) {
        bool oldest = g->offset == STELE_OFFSET_OLDEST;
        struct sti_segment *seg = view->segments[oldest ? i : view->count - 1 - i];
        stele_code rc = sti_segment_load(s, seg, err);
        uint64_t count;

        if (rc != STELE_OK) {
            return rc;
        }
        count = sti_segment_count(seg);
        if (count > 0) {
            return sti_read_one(s, seg, oldest ? 0 : count - 1, g->out, unfit, err);
        }
    }
    return sti_fail(err, STELE_EOFFSET, "the stream is empty");
}

static stele_code get(stele_stream *s, struct sti_view *view, void *arg,
        struct sti_segment **unfit, stele_error *err)
{
    struct get *g = arg;
    size_t item_size = sti_index_item_size(s->params);
    int64_t next = atomic_load_explicit(&s->next, memory_order_acquire);
    struct sti_segment *seg;
    uint64_t count;
    uint64_t ordinal;
    stele_code rc;

    if (g->offset < 0) {
        return get_end(s, view, g, unfit, err);
    }
    if (g->offset >= next) {
        return sti_fail(err, STELE_EOFFSET, "offset %" PRId64 " is not published; the next is %" PRId64,
                g->offset, next);
    }
    seg = view->segments[sti_view_find(view, g->offset)];
    rc = sti_segment_load(s, seg, err);
    if (rc != STELE_OK) {
        return rc;
    }
    count = sti_segment_count(seg);
    ordinal = sti_segment_lower(seg, item_size, count, g->offset);
    if (ordinal < count && sti_item_offset(sti_segment_item(seg, item_size, ordinal)) == g->offset) {
        return sti_read_one(s, seg, ordinal, g->out, unfit, err);
    }
    return sti_fail(err, STELE_ENOTFOUND, "offset %" PRId64 " is not there any more", g->offset);
}

stele_code stele_stream_get(stele_stream *s, int64_t offset, stele_messages *out, stele_error *err)
{
    struct get g = {.offset = offset, .out = out};
    stele_code rc;

    if (s == NULL || out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no stream, or no container for its messages");
    }
    if (offset < 0 && offset != STELE_OFFSET_OLDEST && offset != STELE_OFFSET_NEWEST) {
        return sti_fail(err, STELE_EOFFSET, "offset %" PRId64 " is negative", offset);
    }
    rc = refresh_for(s, offset, err);
    return rc != STELE_OK ? rc : with_view(s, get, &g, err);
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
            rc = take_if(s, seg, ordinal, k, unfit, err);
        }
    }
    return rc;
}

static stele_code get_by_key(stele_stream *s, struct sti_view *view, void *arg,
        struct sti_segment **unfit, stele_error *err)
{
    struct by_key *k = arg;

    sti_messages_reset(k->c.out);
    for (size_t i = view->count; i > 0; i--) {
        struct sti_segment *seg = view->segments[i - 1];
        stele_code rc = STELE_OK;

        if (seg->head != NULL) {
            rc = newest_in_head(s, seg, k, unfit, err);
        } else {
            if (!atomic_load_explicit(&seg->keys_loaded, memory_order_acquire)) {
                rc = sti_segment_load_keys(s, seg, err);
            }
            if (rc == STELE_OK && sti_keys_maybe(&seg->keys, k->hash, k->mask)) {
                atomic_store_explicit(&seg->used, true, memory_order_relaxed);
                rc = newest_in_sealed(s, seg, k, unfit, err);
            }
        }
        if (rc != STELE_OK || k->c.out->count > 0) {
            return rc;
        }
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
    rc = rc != STELE_OK ? rc : with_view(s, get_by_key, &k, err);
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
    if (rc == STELE_OK) {
        *offset = ms.items[0].offset;
    }
    stele_messages_clear(&ms);
    sti_free(ms.items);
    sti_free(ms.pins);
    return rc;
}

/* ---- The first message from a time on. ---- */

/* The first index times of the sealed segments, made once a view. Segments
 * that cannot be read stand out of the way: INT64_MAX. */
static stele_code first_times(
        stele_stream *s, struct sti_view *view, int64_t **out, stele_error *err)
{
    int64_t *times = atomic_load_explicit(&view->times, memory_order_acquire);
    int64_t *none = NULL;

    if (times == NULL) {
        times = sti_calloc(view->count, sizeof *times);
        if (times == NULL) {
            return sti_fail_memory(err, view->count * sizeof *times);
        }
        for (size_t i = 0; i + 1 < view->count; i++) {
            struct sti_segment *seg = view->segments[i];
            stele_code rc = sti_segment_load(s, seg, err);

            if (rc != STELE_OK) {
                sti_free(times);
                return rc;
            }
            times[i] = seg->count > 0 ? seg->first_time : INT64_MAX;
        }
        if (!atomic_compare_exchange_strong(&view->times, &none, times)) {
            sti_free(times);
            times = none;
        }
    }
    *out = times;
    return STELE_OK;
}

/* The first item with this time or a later one, else the count. */
static uint64_t lower_time(
        const struct sti_segment *seg, size_t item_size, uint64_t count, int64_t time)
{
    uint64_t low = 0;
    uint64_t high = count;

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

/* The last segment whose first time is not after the one asked for holds the
 * message, or ends before it: then it is the first of the next. */
static stele_code get_by_time(stele_stream *s, struct sti_view *view, void *arg,
        struct sti_segment **unfit, stele_error *err)
{
    struct get *g = arg;
    size_t item_size = sti_index_item_size(s->params);
    struct sti_segment *seg = view->segments[view->count - 1];
    uint64_t head_count = sti_segment_count(seg);
    size_t i = view->count - 1;
    int64_t *times;
    stele_code rc = first_times(s, view, &times, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (head_count == 0 || sti_item_time(sti_segment_item(seg, item_size, 0)) > g->time) {
        while (i > 0 && times[i - 1] > g->time) {
            i--;
        }
        i = i > 0 ? i - 1 : 0;
    }
    for (; i < view->count; i++) {
        uint64_t ordinal;

        seg = view->segments[i];
        rc = sti_segment_load(s, seg, err);
        if (rc != STELE_OK) {
            return rc;
        }
        ordinal = lower_time(seg, item_size, sti_segment_count(seg), g->time);
        if (ordinal < sti_segment_count(seg)) {
            return sti_read_one(s, seg, ordinal, g->out, unfit, err);
        }
    }
    return sti_fail(err, STELE_ENOTFOUND, "all messages are older");
}

stele_code stele_stream_get_by_time(
        stele_stream *s, stele_time start, stele_messages *out, stele_error *err)
{
    struct get g = {.time = start, .out = out};
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
    return rc != STELE_OK ? rc : with_view(s, get_by_time, &g, err);
}

stele_code stele_stream_offset_by_time(stele_stream *s, stele_time start, int64_t *offset,
        stele_time *time, stele_error *err)
{
    stele_messages ms = {0};
    stele_code rc;

    if (offset == NULL) {
        return sti_fail(err, STELE_EINVAL, "no place for the offset");
    }
    rc = stele_stream_get_by_time(s, start, &ms, err);
    if (rc == STELE_OK) {
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
