/* SPDX-License-Identifier: MIT
 *
 * read.c: consuming messages, and getting one, by offset.
 */
#include "stream/read.h"

#include "base/error.h"

#include <inttypes.h>

stele_code sti_read_run(stele_stream *s, sti_read_fn *read, void *arg, stele_error *err)
{
    stele_code rc = STELE_ECORRUPT;

    for (int tries = 0; tries < STI_LIVE_TRIES; tries++) {
        struct sti_view *view = sti_stream_view(s);
        struct sti_segment *unfit = NULL;
        bool again;

        rc = read(s, view, arg, &unfit, err);
        if (unfit != NULL) {
            stele_code made = sti_stream_reindex(s, unfit, err);

            sti_view_unref(view);
            if (made != STELE_OK) {
                return made;
            }
            continue;
        }
        again = sti_live_moved_on(s, view, rc);
        sti_view_unref(view);
        if (!again) {
            break;
        }
    }
    return rc;
}

/* The offset asked for is not in the index of a segment whose log is damaged
 * just there. */
static stele_code in_damage(
        const struct sti_segment *seg, uint64_t position, int64_t offset, stele_error *err)
{
    char name[STI_NAME_SIZE];

    sti_name_log(name, seg->base);
    return sti_fail_at(err, STELE_ECORRUPT, name, (int64_t)position,
            "damaged where a message with offset %" PRId64 " could be", offset);
}

static bool is_in_damage(struct sti_segment *seg, size_t item_size, uint64_t ordinal,
        int64_t offset, uint64_t *position)
{
    bool there = ordinal < sti_segment_count(seg) &&
                 sti_item_offset(sti_segment_item(seg, item_size, ordinal)) == offset;

    return seg->damaged && !there && sti_segment_gap(seg, item_size, ordinal, position);
}

/* ---- Consume. ---- */

static stele_code fill(stele_stream *s, struct sti_segment *seg, uint64_t from, uint64_t count,
        struct sti_consume *c, struct sti_segment **unfit, stele_error *err)
{
    struct sti_map *map = sti_segment_map(seg);
    uint64_t n = count - from;
    stele_code rc;

    if (n > (uint64_t)c->count_max) {
        n = (uint64_t)c->count_max;
    }
    if (n > SIZE_MAX / sizeof(stele_message)) {
        n = SIZE_MAX / sizeof(stele_message);
    }
    /* The next call will meet the damage. */
    for (uint64_t i = 1; seg->damaged && i < n; i++) {
        uint64_t position;

        n = sti_segment_gap(seg, sti_index_item_size(s->params), from + i, &position) ? i : n;
    }
    rc = sti_messages_reserve(c->out, (size_t)n, err);
    rc = rc != STELE_OK ? rc : sti_messages_pin(c->out, map, err);
    if (rc == STELE_OK) {
        c->out->count = (size_t)sti_segment_messages(
                seg, sti_index_item_size(s->params), from, n, c->out->items);
    }
    for (uint64_t i = c->out->count; i < n && rc == STELE_OK; i++) {
        bool wrong = false;

        rc = sti_segment_message(s, seg, map, from + i, &c->out->items[i], &wrong, err);
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

/* One past the newest message in the view. A publish shows its messages first
 * and moves the next offset then: whoever read them may be ahead of that. */
static int64_t seen_in_head(const stele_stream *s, const struct sti_view *view)
{
    const struct sti_segment *head = view->segments[view->count - 1];
    uint64_t count = sti_segment_count(head);

    return count == 0 ? head->base
                      : sti_item_offset(
                                sti_segment_item(head, sti_index_item_size(s->params), count - 1)) +
                                1;
}

stele_code sti_consume_at_end(
        const stele_stream *s, const struct sti_view *view, struct sti_consume *c)
{
    if (c->offset <= c->end) {
        c->next = c->end;
        return STELE_OK;
    }
    if (c->offset <= seen_in_head(s, view)) {
        c->next = c->offset;
        return STELE_OK;
    }
    return STELE_END;
}

stele_code sti_consume_run(
        stele_stream *s, sti_read_fn *read, void *arg, struct sti_consume *c, stele_error *err)
{
    stele_code rc;

    c->end = atomic_load_explicit(&s->next, memory_order_acquire);
    if (c->offset == STELE_OFFSET_NEWEST) {
        sti_messages_reset(c->out);
        c->next = c->end;
        return STELE_OK;
    }
    for (;;) {
        rc = sti_read_run(s, read, arg, err);
        if (rc != STELE_END) {
            return rc;
        }
        /* It may have been published between the look at the end and at the view. */
        c->end = atomic_load_explicit(&s->next, memory_order_acquire);
        if (c->offset > c->end) {
            return sti_fail(err, STELE_EOFFSET, "offset %" PRId64 " is beyond the next, %" PRId64,
                    c->offset, c->end);
        }
    }
}

static stele_code consume(stele_stream *s, struct sti_view *view, void *arg,
        struct sti_segment **unfit, stele_error *err)
{
    struct sti_consume *c = arg;
    size_t item_size = sti_index_item_size(s->params);
    int64_t from = c->offset == STELE_OFFSET_OLDEST ? 0 : c->offset;

    sti_messages_reset(c->out);
    for (size_t i = sti_view_find(view, from); i < view->count; i++) {
        struct sti_segment *seg = view->segments[i];
        stele_code rc = sti_segment_load(s, seg, err);
        uint64_t position;
        uint64_t count;
        uint64_t ordinal;

        if (rc != STELE_OK) {
            return rc;
        }
        count = sti_segment_count(seg);
        ordinal = sti_segment_lower(seg, item_size, count, from);
        if (is_in_damage(seg, item_size, ordinal, from, &position)) {
            return in_damage(seg, position, from, err);
        }
        if (ordinal < count) {
            return fill(s, seg, ordinal, count, c, unfit, err);
        }
    }
    return sti_consume_at_end(s, view, c);
}

stele_code sti_consume_check(const stele_stream *s, const struct sti_consume *c, stele_error *err)
{
    if (s == NULL || c->out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no stream, or no container for its messages");
    }
    if (c->count_max < 1) {
        return sti_fail(err, STELE_EINVAL, "cannot read %" PRId64 " messages", c->count_max);
    }
    if (c->offset < 0 && c->offset != STELE_OFFSET_OLDEST && c->offset != STELE_OFFSET_NEWEST) {
        return sti_fail(err, STELE_EOFFSET, "offset %" PRId64 " is negative", c->offset);
    }
    return STELE_OK;
}

stele_code sti_read_refresh(stele_stream *s, int64_t offset, stele_error *err)
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
    struct sti_consume c = {.offset = offset, .count_max = count_max, .out = out};
    stele_code rc = sti_consume_check(s, &c, err);

    rc = rc != STELE_OK ? rc : sti_read_refresh(s, offset, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_consume_run(s, consume, &c, &c, err);
    sti_messages_trim(out);
    if (rc == STELE_OK && next_offset != NULL) {
        *next_offset = c.next;
    }
    return rc;
}

/* ---- One message. ---- */

struct get {
    int64_t offset;
    int64_t end; /* as in sti_consume */
    stele_messages *out;
};

stele_code sti_read_one(stele_stream *s, struct sti_segment *seg, uint64_t ordinal,
        stele_messages *out, struct sti_segment **unfit, stele_error *err)
{
    struct sti_map *map = sti_segment_map(seg);
    bool wrong = false;
    stele_code rc;

    sti_messages_reset(out);
    rc = sti_messages_reserve(out, 1, err);
    rc = rc != STELE_OK ? rc : sti_messages_pin(out, map, err);
    rc = rc != STELE_OK ? rc
                        : sti_segment_message(s, seg, map, ordinal, &out->items[0], &wrong, err);
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

static stele_code get(stele_stream *s, struct sti_view *view, void *arg, struct sti_segment **unfit,
        stele_error *err)
{
    struct get *g = arg;
    size_t item_size = sti_index_item_size(s->params);
    struct sti_segment *seg;
    uint64_t count;
    uint64_t ordinal;
    uint64_t position;
    stele_code rc;

    if (g->offset < 0) {
        return get_end(s, view, g, unfit, err);
    }
    if (g->offset >= g->end && g->offset >= seen_in_head(s, view)) {
        return STELE_END;
    }
    seg = view->segments[sti_view_find(view, g->offset)];
    rc = sti_segment_load(s, seg, err);
    if (rc != STELE_OK) {
        return rc;
    }
    count = sti_segment_count(seg);
    ordinal = sti_segment_lower(seg, item_size, count, g->offset);
    if (ordinal < count &&
            sti_item_offset(sti_segment_item(seg, item_size, ordinal)) == g->offset) {
        return sti_read_one(s, seg, ordinal, g->out, unfit, err);
    }
    if (is_in_damage(seg, item_size, ordinal, g->offset, &position)) {
        return in_damage(seg, position, g->offset, err);
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
    rc = sti_read_refresh(s, offset, err);
    g.end = atomic_load_explicit(&s->next, memory_order_acquire);
    while (rc == STELE_OK) {
        rc = sti_read_run(s, get, &g, err);
        if (rc != STELE_END) {
            break;
        }
        /* As in sti_consume_run(). */
        g.end = atomic_load_explicit(&s->next, memory_order_acquire);
        rc = offset < g.end ? STELE_OK
                            : sti_fail(err, STELE_EOFFSET,
                                      "offset %" PRId64 " is not published; the next is %" PRId64,
                                      offset, g.end);
    }
    return rc;
}
