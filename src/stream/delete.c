/* SPDX-License-Identifier: MIT
 *
 * delete.c: deleting messages of one segment.
 *
 * The survivors are written to a temporary file, synced, and renamed to the
 * segment's name, or to that of the lowest of their offsets. In order, for a
 * new name: rename, sync of the directory, unlink of the old log: a crash between leaves both,
 * and open removes the one that the other covers. An index is not moved with its log but made
 * again: a crash leaves a log without one, never with a wrong one.
 *
 * In the head, writing goes on while the survivors of what was there at the
 * start are copied; what was published meanwhile is added under write_lock,
 * where the tail moves to the new file. When the newest message goes, a new
 * segment with the next offset in its name is made, durably, before anything
 * is removed: offsets are never given twice.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "stream/index_file.h"
#include "stream/offsets.h"
#include "stream/state.h"

#include <inttypes.h>

enum {
    BUFFER = 256 << 10
};

struct rewrite {
    stele_stream *s;
    const stele_offsets *offsets;
    struct sti_segment *seg; /* counted */
    stele_deleted *deleted;
    stele_stream_version version;
    struct sti_file out;
    char out_name[STI_NAME_SIZE];
    uint8_t *buffer;
    size_t buffered;
    uint64_t written; /* bytes of the new file, buffered ones included */
    uint64_t copied;  /* items of the old segment that were looked at */
    struct sti_items items;
    int64_t time;
    int64_t gone;      /* messages deleted, */
    int64_t gone_size; /* and their bytes */
    bool last_gone;    /* the last one looked at was deleted */
};

/* ---- Copying. ---- */

static stele_code flush(struct rewrite *r, stele_error *err)
{
    stele_code rc;

    if (r->buffered == 0) {
        return STELE_OK;
    }
    rc = sti_file_write(&r->out, r->written - r->buffered, r->buffer, r->buffered, err);
    if (rc == STELE_OK) {
        r->buffered = 0;
    }
    return rc;
}

/* The file is made when the first survivor comes: where there is none, none is needed. */
static stele_code begin_file(struct rewrite *r, stele_error *err)
{
    stele_code rc;

    sti_name_rewrite(r->out_name, r->seg->base, "log", sti_env_random64(&r->s->env));
    rc = sti_file_open(&r->out, &r->s->dir, r->out_name,
            STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL, err);
    if (rc == STELE_OK && r->version != STELE_STREAM_V1) {
        sti_log_header_put(r->buffer);
        r->buffered = STI_LOG_HEADER_SIZE;
        r->written = STI_LOG_HEADER_SIZE;
    }
    return rc;
}

static stele_code keep(struct rewrite *r, const stele_message *m, stele_error *err)
{
    size_t size = sti_message_size(r->version, m->key.len, m->value.len);
    struct sti_index_item item;
    stele_code rc = STELE_OK;

    if (r->out.raw == NULL) {
        rc = begin_file(r, err);
    }
    if (rc == STELE_OK && r->buffered + size > BUFFER) {
        rc = flush(r, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    sti_index_item_of(&item, r->s->params, m, r->written, r->time);
    rc = sti_items_add(&r->items, r->s->params, &item, err);
    if (rc != STELE_OK) {
        return rc;
    }
    r->time = r->s->params.times ? item.time : INT64_MIN;
    r->written += size;
    if (size <= BUFFER - r->buffered) {
        sti_message_put(r->buffer + r->buffered, r->version, m->offset, m->time, m->key, m->value);
        r->buffered += size;
        return STELE_OK;
    }
    {
        uint8_t *large = sti_malloc(size);

        if (large == NULL) {
            return sti_fail_memory(err, size);
        }
        sti_message_put(large, r->version, m->offset, m->time, m->key, m->value);
        rc = sti_file_write(&r->out, r->written - size, large, size, err);
        sti_free(large);
    }
    return rc;
}

static stele_code drop(
        struct rewrite *r, struct sti_map *map, const stele_message *m, stele_error *err)
{
    stele_messages *ms = r->deleted->messages;
    stele_code rc = STELE_OK;

    if (ms != NULL) {
        rc = sti_messages_reserve(ms, ms->count + 1, err);
        rc = rc != STELE_OK ? rc : sti_messages_pin(ms, map, err);
        if (rc == STELE_OK) {
            ms->items[ms->count++] = *m;
        }
    }
    if (rc == STELE_OK && r->deleted->offsets != NULL) {
        rc = stele_offsets_add(r->deleted->offsets, m->offset, err);
    }
    r->gone++;
    r->gone_size += (int64_t)(sti_message_size(r->seg->version, m->key.len, m->value.len) +
                              sti_index_item_size(r->s->params));
    return rc;
}

/* Look at the items up to `count`. */
static stele_code copy(
        struct rewrite *r, uint64_t count, struct sti_segment **unfit, stele_error *err)
{
    stele_code rc = STELE_OK;

    for (; r->copied < count && rc == STELE_OK; r->copied++) {
        struct sti_map *map = sti_segment_map(r->seg);
        stele_message m;
        bool wrong = false;

        rc = sti_segment_message(r->s, r->seg, map, r->copied, &m, &wrong, err);
        if (wrong) {
            *unfit = r->seg;
        }
        if (rc == STELE_OK) {
            r->last_gone = stele_offsets_has(r->offsets, m.offset);
            rc = r->last_gone ? drop(r, map, &m, err) : keep(r, &m, err);
        }
    }
    return rc;
}

static stele_code finish_file(struct rewrite *r, stele_error *err)
{
    stele_code rc = flush(r, err);

    if (rc == STELE_OK && r->out.raw != NULL && !STI_MUTANT(REWRITE_NOT_SYNCED)) {
        rc = sti_file_sync(&r->out, false, err);
    }
    return rc;
}

/* ---- Putting it in place. ---- */

static stele_code unlink_segment(struct rewrite *r, bool log, stele_error *err)
{
    char name[STI_NAME_SIZE];
    stele_code rc = STELE_OK;

    if (log) {
        sti_name_log(name, r->seg->base);
        rc = sti_dir_unlink(&r->s->dir, name, NULL, err);
    }
    sti_name_index(name, r->seg->base);
    rc = rc != STELE_OK ? rc : sti_dir_unlink(&r->s->dir, name, NULL, err);
    sti_name_keys(name, r->seg->base);
    return rc != STELE_OK ? rc : sti_dir_unlink(&r->s->dir, name, NULL, err);
}

static int64_t new_base(const struct rewrite *r)
{
    return sti_item_offset(r->items.data);
}

/* Rename the new log to its place, and remove what it stands for. From the
 * rename on a failure leaves files that only a reopen understands. */
static stele_code swap_files(struct rewrite *r, stele_error *err)
{
    stele_stream *s = r->s;
    char name[STI_NAME_SIZE];
    bool survivors = r->out.raw != NULL;
    bool moved = survivors && new_base(r) != r->seg->base;
    stele_code rc = STELE_OK;

    if (survivors) {
        sti_name_log(name, new_base(r));
        if (!moved) {
            rc = unlink_segment(r, false, err);
        }
        rc = rc != STELE_OK ? rc : sti_dir_rename(&s->dir, r->out_name, name, err);
        if (rc == STELE_OK && moved && !STI_MUTANT(UNLINK_BEFORE_DIRSYNC)) {
            rc = sti_dir_sync(&s->dir, err);
        }
    }
    if (rc == STELE_OK && (moved || !survivors)) {
        rc = unlink_segment(r, true, err);
    }
    /* The index is derivable; making it now spares the next reader. */
    if (rc == STELE_OK && survivors) {
        (void)sti_index_write(
                &s->dir, new_base(r), r->version, s->params, r->items.data, r->items.count, NULL);
    }
    if (rc == STELE_OK && !STI_MUTANT(DELETE_NOT_DURABLE)) {
        rc = sti_dir_sync(&s->dir, err);
    }
    return rc != STELE_OK ? sti_stream_fail(s, rc, err) : STELE_OK;
}

/* The view without the old segment, and with the new one (may be NULL) in its place. */
static stele_code view_with(
        struct rewrite *r, struct sti_segment *fresh, struct sti_view **out, stele_error *err)
{
    struct sti_view *old = sti_stream_view(r->s);
    struct sti_segment **segments = sti_calloc(old->count, sizeof(struct sti_segment *));
    size_t count = 0;
    stele_code rc;

    if (segments == NULL) {
        rc = sti_fail_memory(err, old->count * sizeof(struct sti_segment *));
        goto out;
    }
    for (size_t i = 0; i < old->count; i++) {
        /* By its base: gc may have put another object in the segment's place. */
        if (old->segments[i]->base != r->seg->base) {
            segments[count++] = old->segments[i];
        } else if (fresh != NULL) {
            segments[count++] = fresh;
        }
    }
    rc = sti_view_new(out, segments, count, err);

out:
    sti_free(segments);
    sti_view_unref(old);
    return rc;
}

static stele_code new_sealed(struct rewrite *r, struct sti_segment **out, stele_error *err)
{
    *out = NULL;
    return r->out.raw == NULL ? STELE_OK : sti_segment_new(out, new_base(r), err);
}

/* Whoever reads the view in force must have the old files open before they
 * go: if gc has put an object in the segment's place that has not, now. All
 * objects before it had. Under write_lock, which gc needs. */
static stele_code open_for_readers(struct rewrite *r, stele_error *err)
{
    struct sti_view *view = sti_stream_view(r->s);
    struct sti_segment *seg = view->segments[sti_view_find(view, r->seg->base)];
    stele_code rc = seg->base == r->seg->base ? sti_segment_load(r->s, seg, err) : STELE_OK;

    sti_view_unref(view);
    return rc;
}

static stele_code place_sealed(struct rewrite *r, stele_error *err)
{
    stele_stream *s = r->s;
    struct sti_segment *fresh = NULL;
    struct sti_view *view = NULL;
    stele_code rc = finish_file(r, err);

    rc = rc != STELE_OK ? rc : new_sealed(r, &fresh, err);
    if (rc != STELE_OK) {
        return rc;
    }
    sti_mutex_lock(&s->write_lock);
    rc = sti_stream_writable(s, err);
    rc = rc != STELE_OK ? rc : open_for_readers(r, err);
    rc = rc != STELE_OK ? rc : view_with(r, fresh, &view, err);
    rc = rc != STELE_OK ? rc : swap_files(r, err);
    if (rc == STELE_OK) {
        sti_stream_swap_view(s, view);
        view = NULL;
    }
    sti_mutex_unlock(&s->write_lock);
    sti_view_unref(view);
    sti_segment_unref(fresh);
    return rc;
}

/* ---- The head. ---- */

/* A head whose messages are those that were kept. */
static stele_code new_head(struct rewrite *r, struct sti_segment **out, stele_error *err)
{
    struct sti_segment *seg = NULL;
    struct sti_map *map = NULL;
    stele_code rc = sti_segment_new(&seg, new_base(r), err);

    if (rc != STELE_OK) {
        return rc;
    }
    seg->version = r->version;
    rc = sti_head_new(&seg->head, r->s->params, err);
    rc = rc != STELE_OK ? rc : sti_head_reserve(seg->head, r->items.count, err);
    for (uint64_t i = 0; rc == STELE_OK && i < r->items.count; i++) {
        struct sti_index_item item;

        sti_index_item_get(r->items.data + i * r->items.item_size, r->s->params, &item);
        sti_head_add(seg->head, &item);
    }
    rc = rc != STELE_OK ? rc : sti_map_file(&map, &r->out, (size_t)r->written, false, false, err);
    rc = rc != STELE_OK ? rc : sti_segment_add_map(seg, map, err);
    if (rc != STELE_OK) {
        sti_map_unref(map);
        sti_segment_unref(seg);
        return rc;
    }
    sti_head_publish(seg->head, seg->head->written);
    *out = seg;
    return STELE_OK;
}

/* The newest message stays: the tail moves to the new file. */
static stele_code replace_head(struct rewrite *r, stele_error *err)
{
    stele_stream *s = r->s;
    struct sti_segment *seg = NULL;
    struct sti_view *view = NULL;
    int64_t time = s->tail.time;
    stele_code rc = new_head(r, &seg, err);

    rc = rc != STELE_OK ? rc : view_with(r, seg, &view, err);
    rc = rc != STELE_OK ? rc : swap_files(r, err);
    if (rc == STELE_OK) {
        rc = sti_tail_open(s, seg, r->written, s->tail.next, s->params.times ? r->time : time, err);
        if (rc != STELE_OK) {
            rc = sti_stream_fail(s, rc, err);
        }
    }
    if (rc == STELE_OK) {
        s->tail.changed = true;
        sti_stream_swap_view(s, view);
        view = NULL;
    }
    sti_view_unref(view);
    sti_segment_unref(seg);
    return rc;
}

/* The newest message goes: a new head first, then the old one's survivors. */
static stele_code leave_head(struct rewrite *r, stele_error *err)
{
    stele_stream *s = r->s;
    struct sti_segment *sealed = NULL;
    struct sti_segment *seg = NULL;
    struct sti_view *view = NULL;
    stele_code rc = new_sealed(r, &sealed, err);

    rc = rc != STELE_OK ? rc : sti_tail_segment(s, s->tail.next, &seg, err);
    rc = rc != STELE_OK ? rc : sti_tail_view(s, sealed, seg, &view, err);
    /* A crash may leave the old segment before the new one: it must not be torn then. */
    if (!STI_MUTANT(OLD_HEAD_NOT_FINISHED)) {
        rc = rc != STELE_OK ? rc : sti_tail_finish(s, err);
    }
    rc = rc != STELE_OK ? rc : sti_tail_create(s, seg, true, err);
    if (rc == STELE_OK && !STI_MUTANT(NEW_HEAD_NOT_DURABLE)) {
        rc = sti_tail_sync(s, err);
    }
    rc = rc != STELE_OK ? rc : swap_files(r, err);
    if (rc == STELE_OK) {
        sti_stream_swap_view(s, view);
        view = NULL;
    } else if (s->tail.seg == seg) {
        /* The tail has moved on, and the view has not. */
        rc = sti_stream_fail(s, rc, err);
    }
    sti_view_unref(view);
    sti_segment_unref(seg);
    sti_segment_unref(sealed);
    return rc;
}

static stele_code place_head(struct rewrite *r, struct sti_segment **unfit, stele_error *err)
{
    stele_stream *s = r->s;
    stele_code rc;

    sti_mutex_lock(&s->write_lock);
    sti_tail_hold(s);
    rc = sti_stream_writable(s, err);
    /* With auto_sync, what is written and not synced yet is not to be seen, nor deleted. */
    if (rc == STELE_OK && sti_segment_count(r->seg) != r->seg->head->written) {
        rc = sti_tail_sync(s, err);
        if (rc == STELE_OK) {
            sti_tail_publish(s);
            atomic_store(&s->durable, s->tail.next);
        }
    }
    rc = rc != STELE_OK ? rc : copy(r, sti_segment_count(r->seg), unfit, err);
    rc = rc != STELE_OK ? rc : finish_file(r, err);
    if (rc == STELE_OK && r->gone > 0) {
        rc = r->out.raw != NULL && !r->last_gone ? replace_head(r, err) : leave_head(r, err);
        if (rc == STELE_OK) {
            atomic_store(&s->durable, s->tail.next);
            /* The head begins elsewhere, and all before it was sealed when this began. */
            atomic_store(&s->work.sealed, s->tail.seg->base);
        }
    }
    sti_tail_release(s);
    sti_mutex_unlock(&s->write_lock);
    return rc;
}

/* ---- The call. ---- */

static void rewrite_end(struct rewrite *r, stele_code rc)
{
    bool placed = rc == STELE_OK && r->gone > 0;

    if (r->out.raw != NULL) {
        sti_file_close(&r->out);
        if (!placed) {
            (void)sti_dir_unlink(&r->s->dir, r->out_name, NULL, NULL);
        }
    }
    sti_items_free(&r->items);
    sti_free(r->buffer);
    sti_segment_unref(r->seg);
}

static bool is_tail(stele_stream *s, const struct sti_segment *seg)
{
    bool tail;

    sti_mutex_lock(&s->write_lock);
    tail = s->tail.seg == seg;
    sti_mutex_unlock(&s->write_lock);
    return tail;
}

static stele_code rewrite(stele_stream *s, struct sti_segment *seg, const stele_offsets *offsets,
        stele_deleted *deleted, struct sti_segment **unfit, stele_error *err)
{
    struct rewrite r = {.s = s, .offsets = offsets, .seg = sti_segment_ref(seg)};
    stele_deleted own = {0};
    stele_code rc;

    r.deleted = deleted != NULL ? deleted : &own;
    r.time = INT64_MIN;
    r.items.item_size = sti_index_item_size(s->params);
    r.buffer = sti_malloc(BUFFER);
    if (r.buffer == NULL) {
        rewrite_end(&r, STELE_ENOMEM);
        return sti_fail_memory(err, BUFFER);
    }
    rc = sti_segment_load(s, seg, err);
    r.version = s->opts.keep_rewrite_version ? seg->version : s->opts.new_segments;
    rc = rc != STELE_OK ? rc : copy(&r, sti_segment_count(seg), unfit, err);
    /* No rollover comes between: those who need one wait (sti_work_pause()). A
     * segment before the tail's is sealed, even if its index is in memory yet. */
    if (rc == STELE_OK && is_tail(s, seg)) {
        rc = place_head(&r, unfit, err);
    } else if (rc == STELE_OK && r.gone > 0) {
        rc = place_sealed(&r, err);
    }
    rewrite_end(&r, rc);
    if (rc == STELE_OK) {
        r.deleted->count += STI_MUTANT(DELETED_NOT_COUNTED) ? 0 : r.gone;
        r.deleted->size += r.gone_size;
    }
    return rc;
}

static stele_code delete_once(stele_stream *s, const stele_offsets *offsets, int64_t lowest,
        stele_deleted *deleted, struct sti_segment **unfit, stele_error *err)
{
    struct sti_view *view = sti_stream_view(s);
    stele_code rc;

    if (lowest < view->bases[0]) {
        rc = sti_fail(
                err, STELE_ENOTFOUND, "offset %" PRId64 " is before the first segment", lowest);
    } else {
        rc = rewrite(s, view->segments[sti_view_find(view, lowest)], offsets, deleted, unfit, err);
    }
    if (*unfit != NULL) {
        stele_code again = sti_stream_reindex(s, *unfit, err);

        rc = again != STELE_OK ? again : STELE_END;
        *unfit = NULL;
    }
    sti_view_unref(view);
    return rc;
}

/* Until a deletion is in place, what it deleted is only noted: in `part`. */
static stele_code delete_all(stele_stream *s, const stele_offsets *offsets, int64_t lowest,
        stele_deleted *part, stele_error *err)
{
    size_t messages = part->messages != NULL ? part->messages->count : 0;
    struct sti_segment *unfit = NULL;
    stele_code rc;

    sti_mutex_lock(&s->delete_lock);
    /* A deletion leaves gaps between segments: none may be there that a crash could find unsynced.
     */
    sti_work_pause(s, true);
    rc = sti_work_settle(s, err);
    while (rc == STELE_OK || rc == STELE_END) {
        rc = delete_once(s, offsets, lowest, part, &unfit, err);
        if (rc != STELE_OK && part->messages != NULL) {
            part->messages->count = messages;
        }
        if (rc != STELE_OK && part->offsets != NULL) {
            stele_offsets_clear(part->offsets);
        }
        if (rc != STELE_END) {
            break;
        }
    }
    sti_work_pause(s, false);
    sti_mutex_unlock(&s->delete_lock);
    return rc;
}

stele_code stele_stream_delete(
        stele_stream *s, const stele_offsets *offsets, stele_deleted *deleted, stele_error *err)
{
    stele_deleted part = {0};
    int64_t lowest;
    stele_code rc;

    if (s == NULL || offsets == NULL) {
        return sti_fail(err, STELE_EINVAL, "no stream, or no offsets");
    }
    rc = sti_stream_writable(s, err);
    lowest = sti_offsets_min(offsets);
    if (rc != STELE_OK || lowest < 0) {
        return rc;
    }
    if (deleted != NULL) {
        part = *deleted;
    }
    if (part.offsets != NULL) {
        /* So that telling what was deleted cannot fail once it is. */
        rc = sti_offsets_reserve(deleted->offsets, offsets, err);
        rc = rc != STELE_OK ? rc : stele_offsets_new(&part.offsets, err);
        if (rc != STELE_OK) {
            return rc;
        }
    }
    rc = delete_all(s, offsets, lowest, &part, err);
    if (rc == STELE_OK && deleted != NULL) {
        if (part.offsets != NULL) {
            rc = sti_offsets_merge(deleted->offsets, part.offsets, err);
        }
        deleted->count = part.count;
        deleted->size = part.size;
    }
    if (part.offsets != NULL) {
        stele_offsets_free(part.offsets);
    }
    return rc;
}
