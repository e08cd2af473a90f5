/* SPDX-License-Identifier: MIT
 *
 * backup_stream.c: a copy of an open stream, while it is read and written.
 *
 * What is copied is one view: its segments stay as they are for as long as it
 * is held, whatever a writer deletes meanwhile, and of the head the messages
 * that were visible when it was looked at.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "stream/backup.h"
#include "stream/names.h"
#include "stream/state.h"

struct copied_view {
    struct sti_view *view;
    struct sti_backup_segment *segments;
    uint8_t **memory; /* items of the segments whose index is in memory */
};

static stele_code read_map(
        void *arg, size_t segment, uint64_t at, uint8_t *out, size_t len, stele_error *err)
{
    const struct copied_view *v = arg;
    const struct sti_map *map =
            atomic_load_explicit(&v->view->segments[segment]->map, memory_order_acquire);

    if (map == NULL || at > map->len || len > map->len - at) {
        return sti_fail(err, STELE_ECORRUPT, "a log is shorter than its index says");
    }
    memcpy(out, map->data + at, len);
    return STELE_OK;
}

/* Where the last of the head's visible messages ends. */
static uint64_t head_end(const struct sti_segment *seg, uint64_t count)
{
    const struct sti_map *map = atomic_load_explicit(&seg->map, memory_order_acquire);
    uint64_t start = sti_log_start(seg->version);
    stele_message message;
    uint64_t position;
    size_t size;

    if (map == NULL) {
        return 0;
    }
    if (count == 0) {
        /* Before the first publish there may be no header yet. */
        return map->len < start || sti_all_zero(map->data, (size_t)start) ? 0 : start;
    }
    position = sti_item_position(sti_head_item(seg->head, count - 1));
    if (position < map->len && sti_message_peek(map->data + position, map->len - position,
                                       seg->version, &message, &size) == STI_MESSAGE_WHOLE) {
        return position + size;
    }
    return map->len;
}

static stele_code add_head(struct sti_segment *seg, struct sti_backup_segment *out,
        uint8_t **memory, int64_t *next_offset, stele_error *err)
{
    stele_code rc = STELE_OK;

    out->base = seg->base;
    out->count = atomic_load_explicit(&seg->head->count, memory_order_acquire);
    out->len = head_end(seg, out->count);
    *next_offset = seg->base;
    if (out->count > 0) {
        rc = sti_head_copy(seg->head, out->count, memory, err);
        out->items = *memory;
        *next_offset = sti_item_offset(sti_head_item(seg->head, out->count - 1)) + 1;
    }
    return rc;
}

/* Up to its end all is whole, but the log went on: a copy would lack that, and say nothing. */
static stele_code refuse_damaged(const struct sti_segment *seg, stele_error *err)
{
    char name[STI_NAME_SIZE];

    sti_name_log(name, seg->base);
    return sti_fail_at(err, STELE_ECORRUPT, name, (int64_t)seg->end,
            "damaged in the source, recover it first");
}

static stele_code add_segments(
        stele_stream *s, struct copied_view *v, int64_t *next_offset, stele_error *err)
{
    stele_code rc = STELE_OK;

    for (size_t i = 0; rc == STELE_OK && i < v->view->count; i++) {
        struct sti_segment *seg = v->view->segments[i];

        if (seg->head != NULL) {
            rc = add_head(seg, &v->segments[i], &v->memory[i], next_offset, err);
            continue;
        }
        rc = sti_segment_load(s, seg, err);
        if (rc == STELE_OK && seg->damaged && !STI_MUTANT(BACKUP_OF_A_PREFIX)) {
            rc = refuse_damaged(seg, err);
        }
        if (rc == STELE_OK) {
            v->segments[i] = (struct sti_backup_segment){
                    .base = seg->base, .len = seg->end, .items = seg->items, .count = seg->count};
        }
    }
    return rc;
}

stele_code stele_stream_backup(
        stele_stream *s, const char *target, stele_stream_copied *out, stele_error *err)
{
    struct copied_view v = {0};
    struct sti_backup_source source = {.read = read_map, .arg = &v};
    stele_code rc = STELE_OK;

    if (s == NULL || target == NULL) {
        return sti_fail(err, STELE_EINVAL, "no stream, or no directory to copy it to");
    }
    if (s->mode == STI_MODE_LIVE) {
        rc = sti_live_refresh(s, err);
        if (rc != STELE_OK) {
            return sti_wrap(err, rc, "back up stream %s", s->dir.path);
        }
    }
    v.view = sti_stream_view(s);
    v.segments = sti_calloc(v.view->count, sizeof *v.segments);
    v.memory = sti_calloc(v.view->count, sizeof(uint8_t *));
    if (v.segments == NULL || v.memory == NULL) {
        rc = sti_fail_memory(err, v.view->count * sizeof *v.segments);
    }
    if (rc == STELE_OK) {
        rc = add_segments(s, &v, &source.next_offset, err);
    }
    if (rc == STELE_OK) {
        source.segments = v.segments;
        source.count = v.view->count;
        source.params = s->params;
        rc = sti_backup_run(&s->env, &source, target, out, err);
    }
    for (size_t i = 0; v.memory != NULL && i < v.view->count; i++) {
        sti_free(v.memory[i]);
    }
    sti_free(v.memory);
    sti_free(v.segments);
    sti_view_unref(v.view);
    return rc == STELE_OK ? rc : sti_wrap(err, rc, "back up stream %s", s->dir.path);
}
