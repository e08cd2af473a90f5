/* SPDX-License-Identifier: MIT
 *
 * stat.c: facts about a stream, and letting go of what it does not use.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "stream/state.h"

enum {
    NS_PER_MS = 1000000
};

stele_code stele_stream_next_offset(stele_stream *s, int64_t *next_offset, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (s == NULL || next_offset == NULL) {
        return sti_fail(err, STELE_EINVAL, "no stream, or no place for the offset");
    }
    if (s->mode == STI_MODE_LIVE) {
        rc = sti_live_refresh(s, err);
    }
    if (rc == STELE_OK) {
        *next_offset = atomic_load_explicit(&s->next, memory_order_acquire);
    }
    return rc;
}

stele_code stele_stream_size(
        stele_stream *s, const stele_message *message, int64_t *size, stele_error *err)
{
    if (s == NULL || message == NULL || size == NULL) {
        return sti_fail(err, STELE_EINVAL, "no stream, message, or place for its size");
    }
    if (message->key.len > STELE_MESSAGE_SIZE_MAX ||
            message->value.len > STELE_MESSAGE_SIZE_MAX - message->key.len) {
        return sti_fail(err, STELE_ETOOBIG, "key and value are larger than %zu bytes together",
                STELE_MESSAGE_SIZE_MAX);
    }
    *size = (int64_t)(sti_message_size(s->opts.new_segments, message->key.len, message->value.len) +
                      sti_index_item_size(s->params));
    return STELE_OK;
}

/* Bytes of log and index as a clean close leaves them. */
static uint64_t size_of(const stele_stream *s, const struct sti_segment *seg, uint64_t count)
{
    size_t item_size = sti_index_item_size(s->params);
    uint64_t end = seg->end;

    if (seg->head != NULL) {
        end = sti_log_start(seg->version);
        if (count > 0) {
            const struct sti_map *map = atomic_load_explicit(&seg->map, memory_order_acquire);
            uint64_t position = sti_item_position(sti_head_item(seg->head, count - 1));
            stele_message message;
            size_t size;

            if (position < map->len &&
                    sti_message_peek(map->data + position, map->len - position, seg->version,
                            &message, &size) == STI_MESSAGE_WHOLE) {
                end = position + size;
            }
        }
    }
    return end + sti_index_start(seg->version) + count * item_size;
}

static stele_code add_segment(
        stele_stream *s, struct sti_segment *seg, stele_stream_stats *out, stele_error *err)
{
    size_t item_size = sti_index_item_size(s->params);
    stele_code rc = sti_segment_load(s, seg, err);
    uint64_t count;

    if (rc != STELE_OK) {
        return rc;
    }
    count = sti_segment_count(seg);
    out->segments++;
    out->messages += (int64_t)count;
    out->size += (int64_t)size_of(s, seg, count);
    out->segments_v1 += seg->version == STELE_STREAM_V1;
    if (count > 0 && out->oldest == STELE_OFFSET_INVALID) {
        out->oldest = sti_item_offset(sti_segment_item(seg, item_size, 0));
    }
    return STELE_OK;
}

static stele_code stat_view(
        stele_stream *s, const struct sti_view *view, stele_stream_stats *out, stele_error *err)
{
    stele_stream_stats stats = {.oldest = STELE_OFFSET_INVALID};
    stele_code rc = STELE_OK;

    stats.next_offset = atomic_load_explicit(&s->next, memory_order_acquire);
    stats.key_index = s->params.keys;
    stats.time_index = s->params.times;
    /* A directory without files, read only: there is no segment yet. */
    if (s->mode == STI_MODE_WRITER || s->on_disk) {
        for (size_t i = 0; i < view->count && rc == STELE_OK; i++) {
            rc = add_segment(s, view->segments[i], &stats, err);
        }
    }
    if (rc == STELE_OK) {
        *out = stats;
    }
    return rc;
}

stele_code stele_stream_stat(stele_stream *s, stele_stream_stats *out, stele_error *err)
{
    stele_code rc = STELE_OK;
    bool again = true;

    if (s == NULL || out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no stream, or no place for its statistics");
    }
    if (s->mode == STI_MODE_LIVE) {
        rc = sti_live_refresh(s, err);
        if (rc != STELE_OK) {
            return rc;
        }
    }
    for (int tries = 0; tries < STI_LIVE_TRIES && again; tries++) {
        struct sti_view *view = sti_stream_view(s);

        rc = stat_view(s, view, out, err);
        again = sti_live_moved_on(s, view, rc);
        sti_view_unref(view);
    }
    return rc;
}

stele_code stele_stream_stat_dir(const char *dir, const stele_stream_options *opts,
        stele_stream_stats *out, stele_error *err)
{
    stele_stream_options live;
    stele_stream *s;
    stele_code rc = sti_options_copy(&live, sizeof live, opts, "stele_stream_options", err);

    if (rc != STELE_OK) {
        return rc;
    }
    live.struct_size = sizeof live;
    live.live = true;
    rc = stele_stream_open(&s, dir, &live, err);
    if (rc == STELE_OK) {
        rc = stele_stream_stat(s, out, err);
        (void)stele_stream_close(s, NULL); /* It reads only: nothing to lose. */
    }
    return rc;
}

/* ---- Letting go. ---- */

/* Whether a segment was not read for so long. Reading sets a flag, which
 * costs nothing; when it was set is known to the next gc only. */
static bool idle(struct sti_segment *seg, int64_t now, int64_t unused_ns)
{
    if (seg->head != NULL || !atomic_load_explicit(&seg->loaded, memory_order_acquire)) {
        return false;
    }
    if (unused_ns > 0 && atomic_exchange_explicit(&seg->used, false, memory_order_relaxed)) {
        seg->used_ns = now;
    }
    return now - seg->used_ns >= unused_ns;
}

static stele_code replace_idle(stele_stream *s, struct sti_view *view, int64_t unused_ns,
        struct sti_view **out, stele_error *err)
{
    int64_t now = (int64_t)sti_env_monotonic_ns(&s->env);
    struct sti_view *made = NULL;
    size_t replaced = 0;
    stele_code rc = sti_view_new(&made, view->segments, view->count, err);

    for (size_t i = 0; i < view->count && rc == STELE_OK; i++) {
        struct sti_segment *seg = view->segments[i];
        struct sti_segment *fresh;

        if (idle(seg, now, unused_ns)) {
            rc = sti_segment_new(&fresh, seg->base, err);
            if (rc == STELE_OK) {
                fresh->file_id = seg->file_id;
                sti_segment_unref(made->segments[i]);
                made->segments[i] = fresh;
                replaced++;
            }
        }
    }
    if (rc != STELE_OK || replaced == 0) {
        sti_view_unref(made);
        made = NULL;
    }
    *out = made;
    return rc;
}

stele_code stele_stream_gc(stele_stream *s, int64_t unused_for_ms, stele_error *err)
{
    struct sti_view *view;
    struct sti_view *made = NULL;
    stele_code rc;

    if (s == NULL || unused_for_ms < 0) {
        return sti_fail(err, STELE_EINVAL, "no stream, or a negative time");
    }
    if (unused_for_ms > INT64_MAX / NS_PER_MS) {
        return STELE_OK;
    }
    sti_mutex_lock(&s->write_lock);
    view = sti_stream_view(s);
    rc = replace_idle(s, view, unused_for_ms * NS_PER_MS, &made, err);
    if (made != NULL) {
        sti_stream_swap_view(s, made);
    }
    sti_mutex_unlock(&s->write_lock);
    sti_view_unref(view);
    return rc;
}
