/* SPDX-License-Identifier: MIT
 *
 * live.c: a read-only handle beside a writer in another process.
 *
 * It takes no lock. The newest segment is read with pread into memory, since
 * a map of a file that another process cuts is a bus error, and a message
 * counts only when its checksum holds: what the writer is in the middle of
 * writing is not there yet. Sealed segments are replaced by the writer, never
 * cut, and are mapped. A refresh lists the directory: segments that are still
 * the same file (by id) stay as they are loaded, others are taken anew; of
 * the newest only what was added is read.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "stream/bases.h"
#include "stream/marker.h"
#include "stream/scan.h"
#include "stream/state.h"

enum {
    LOOKS = 20,            /* tries to list a directory that changes */
    MEMORY_MIN = 64 << 10, /* first size of the newest segment's memory */
    STEP = 64 << 10,       /* bytes read at once, */
    STEP_MAX = 128 << 20   /* or so many for a large message */
};

/* Memory for the newest segment's bytes: what was read stays where it is,
 * for readers look at it; a larger piece takes over when it is full. */
static stele_code grow(struct sti_segment *head, uint64_t used, uint64_t want, stele_error *err)
{
    struct sti_map *old = atomic_load_explicit(&head->map, memory_order_relaxed);
    uint64_t len = MEMORY_MIN;
    struct sti_map *map = NULL;
    uint8_t *data;
    stele_code rc;

    if (old != NULL && old->len >= want) {
        return STELE_OK;
    }
    while (len < want) {
        len *= 2;
    }
    data = sti_calloc(1, (size_t)len);
    if (data == NULL) {
        return sti_fail_memory(err, (size_t)len);
    }
    if (used > 0 && old != NULL) {
        memcpy(data, old->data, (size_t)used);
    }
    rc = sti_map_memory(&map, data, (size_t)len, err);
    if (rc != STELE_OK) {
        sti_free(data);
        return rc;
    }
    rc = sti_segment_add_map(head, map, err);
    if (rc != STELE_OK) {
        sti_map_unref(map);
    }
    return rc;
}

static uint64_t end_of(const struct sti_segment *head)
{
    const struct sti_map *map = atomic_load_explicit(&head->map, memory_order_relaxed);
    uint64_t count = head->head->written;
    stele_message message;
    uint64_t position;
    size_t size = 0;

    if (count == 0) {
        return sti_log_start(head->version);
    }
    position = sti_item_position(sti_head_item(head->head, count - 1));
    (void)sti_message_peek(
            map->data + position, map->len - position, head->version, &message, &size);
    return position + size;
}

static stele_code add_messages(
        stele_stream *s, struct sti_segment *head, uint64_t end, uint64_t len, stele_error *err)
{
    const struct sti_map *map = atomic_load_explicit(&head->map, memory_order_relaxed);
    struct sti_head *index = head->head;
    uint64_t count = index->written;
    int64_t time = INT64_MIN;
    struct sti_scan scan;

    sti_scan_begin(&scan, map->data, len,
            head->version == STELE_STREAM_V1 ? STI_LOG_V1 : STI_LOG_V2, head->base, INT64_MAX);
    if (count > 0) {
        const uint8_t *last = sti_head_item(index, count - 1);

        scan.at = end;
        scan.last = sti_item_offset(last);
        time = index->params.times ? sti_item_time(last) : time;
    }
    for (;;) {
        uint64_t position = scan.at;
        struct sti_index_item item;
        stele_message message;
        size_t size;
        stele_code rc;

        if (sti_scan_next(&scan, &message, &size) != STI_MESSAGE_WHOLE) {
            break;
        }
        rc = sti_head_reserve(index, 1, err);
        if (rc != STELE_OK) {
            return rc;
        }
        sti_index_item_of(&item, index->params, &message, position, time);
        sti_head_add(index, &item);
        time = index->params.times ? item.time : time;
    }
    if (index->written > count) {
        sti_head_publish(index, index->written);
        atomic_store_explicit(&s->next, scan.last + 1, memory_order_release);
    }
    return STELE_OK;
}

/* Read a piece behind the end. False: nothing more to be had. */
static stele_code follow_step(stele_stream *s, struct sti_segment *head, struct sti_file *log,
        size_t *step, bool *more, stele_error *err)
{
    uint64_t end = end_of(head);
    struct sti_map *map;
    size_t got = 0;
    stele_code rc = grow(head, end, end + *step, err);

    if (rc != STELE_OK) {
        return rc;
    }
    map = atomic_load_explicit(&head->map, memory_order_relaxed);
    rc = sti_file_read_some(log, end, map->data + end, *step, &got, err);
    rc = rc != STELE_OK ? rc : add_messages(s, head, end, end + got, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (end_of(head) > end) {
        *step = STEP;
        *more = true;
    } else {
        /* A message that is longer than the piece, if it is not the zero tail. */
        *more = got == *step && *step < STEP_MAX && !sti_all_zero(map->data + end, got);
        *step *= 2;
    }
    return STELE_OK;
}

/* Read what was added to the newest segment. */
static stele_code follow(stele_stream *s, struct sti_segment *head, stele_error *err)
{
    char name[STI_NAME_SIZE];
    struct sti_file log = {0};
    size_t step = STEP;
    bool more = true;
    stele_code rc;

    sti_name_log(name, head->base);
    rc = sti_file_open(&log, &s->dir, name, STELE_OPEN_READ, err);
    while (rc == STELE_OK && more) {
        rc = follow_step(s, head, &log, &step, &more, err);
    }
    sti_file_close(&log);
    return rc;
}

/* Whether the list is still that of the view. */
static bool same(const struct sti_view *view, const struct sti_bases *list)
{
    if (list->count != view->count) {
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (view->bases[i] != list->bases[i] || view->segments[i]->file_id != list->ids[i]) {
            return false;
        }
    }
    return true;
}

static stele_code refresh(stele_stream *s, struct sti_found *found, stele_error *err)
{
    struct sti_segment *head = s->view->segments[s->view->count - 1];
    stele_code rc = sti_stream_look(s, found, true, err);
    int64_t floor;

    if (rc != STELE_OK) {
        return rc;
    }
    if (same(s->view, &found->bases) && head->head->written > 0) {
        return follow(s, head, err);
    }
    floor = found->leftovers.highest + 1;
    if (!STI_MUTANT(LIVE_BELIEVES_ALL)) {
        rc = sti_marker_settle(s, &found->bases, &floor, err);
    }
    return rc != STELE_OK ? rc : sti_stream_build(s, &found->bases, floor, err);
}

stele_code sti_live_refresh(stele_stream *s, stele_error *err)
{
    struct sti_found found = {0};
    stele_code rc = STELE_ENOTFOUND;

    sti_mutex_lock(&s->write_lock);
    for (int i = 0; i < LOOKS && rc == STELE_ENOTFOUND; i++) {
        rc = refresh(s, &found, err);
    }
    sti_mutex_unlock(&s->write_lock);
    sti_found_free(&found);
    return rc == STELE_ENOTFOUND ? sti_wrap(err, STELE_EIO, "files vanish all the time") : rc;
}

bool sti_live_moved_on(stele_stream *s, const struct sti_view *view, stele_code rc)
{
    struct sti_view *now;
    bool moved;

    if (s->mode != STI_MODE_LIVE || rc != STELE_ENOTFOUND ||
            sti_live_refresh(s, NULL) != STELE_OK) {
        return false;
    }
    now = sti_stream_view(s);
    moved = now != view;
    sti_view_unref(now);
    return moved;
}
