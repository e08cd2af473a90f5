/* SPDX-License-Identifier: MIT
 *
 * tail.c: the file that the writer appends to.
 *
 * A mapped tail writes through a map of blocks that were allocated before, so
 * that a full disk is an error of the allocation and not a bus error in the
 * middle of a store. Where blocks cannot be allocated, in version 1 (which
 * cannot hold a zero tail), and where every publish is synced, pwrite is
 * used. Readers look through a map in either case: one that may reach
 * behind the end of the file, where no item leads them.
 *
 * What a crash leaves: a segment's name becomes durable no later than its
 * first synced message. Rolled over here, a segment is synced, its index
 * written and its zero tail cut before the next one is begun; work.c does
 * that behind the writer, and a marker says so.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"
#include "stream/index_file.h"
#include "stream/state.h"

#include <stdio.h>

enum {
    PAGE = 4096,
    ALLOCATE_MAX = 4 << 20, /* blocks are taken in steps no larger than this */
    SLACK_MAX = 64 << 10,   /* the last publish before a rollover fits in, as a rule */
    MAP_EXTRA = 1 << 20     /* address space beyond the rollover limit */
};

static bool round_up(uint64_t n, uint64_t *out)
{
    if (n > UINT64_MAX - PAGE) {
        return false;
    }
    *out = (n + PAGE - 1) / PAGE * PAGE;
    return true;
}

/* ---- Room for the next message. ---- */

stele_code sti_tail_plan(stele_stream *s, const char *name, uint64_t allocated, uint64_t upto,
        uint64_t *allocate, uint64_t *map, stele_error *err)
{
    uint64_t limit = (uint64_t)s->opts.rollover;
    uint64_t slack = limit / 8 < SLACK_MAX ? limit / 8 + PAGE : SLACK_MAX;
    uint64_t want = allocated;
    uint64_t space = upto < UINT64_MAX / 2 ? 2 * upto : upto;

    if (limit < INT64_MAX / 4) {
        if (want < limit + slack) {
            want = limit + slack - want > ALLOCATE_MAX ? want + ALLOCATE_MAX : limit + slack;
        }
        space = limit + MAP_EXTRA > upto ? limit + MAP_EXTRA : space;
    }
    if (!round_up(want > upto ? want : upto, allocate) || !round_up(space, map) ||
            *map > SIZE_MAX / 2) {
        return sti_fail_at(err, STELE_ETOOBIG, name, (int64_t)upto, "segment too large");
    }
    return STELE_OK;
}

static stele_code tail_map(stele_stream *s, uint64_t upto, uint64_t len, stele_error *err)
{
    struct sti_tail *t = &s->tail;
    struct sti_map *map = atomic_load_explicit(&t->seg->map, memory_order_relaxed);
    stele_code rc;

    if (map != NULL && map->len >= upto && (!t->mapped || t->map_writable)) {
        return STELE_OK;
    }
    rc = sti_map_file(&map, &t->log, (size_t)len, t->mapped, false, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_segment_add_map(t->seg, map, err);
    if (rc != STELE_OK) {
        sti_map_unref(map);
        return rc;
    }
    t->map_writable = t->mapped;
    return STELE_OK;
}

static stele_code allocate(stele_stream *s, uint64_t upto, uint64_t want, stele_error *err)
{
    struct sti_tail *t = &s->tail;
    stele_code rc;

    t->changed = true;
    rc = sti_file_allocate(&t->log, t->allocated, want - t->allocated, err);
    if (rc == STELE_ENOSPC && want > upto) {
        want = upto;
        rc = sti_file_allocate(&t->log, t->allocated, want - t->allocated, err);
    }
    if (rc == STELE_OK) {
        t->allocated = want;
    }
    return rc;
}

stele_code sti_tail_room(stele_stream *s, size_t len, stele_error *err)
{
    struct sti_tail *t = &s->tail;
    struct sti_map *map = atomic_load_explicit(&t->seg->map, memory_order_relaxed);
    uint64_t blocks = 0;
    uint64_t space = 0;
    uint64_t upto;
    stele_code rc;

    if (t->map_writable && map->len - t->end >= len && t->allocated - t->end >= len) {
        return STELE_OK;
    }
    if (__builtin_add_overflow(t->end, len, &upto) || upto > INT64_MAX) {
        return sti_fail_at(err, STELE_ETOOBIG, t->log.name, (int64_t)t->end, "segment too large");
    }
    rc = sti_tail_plan(s, t->log.name, t->allocated, upto, &blocks, &space, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (t->reserve && t->allocated < upto) {
        rc = allocate(s, upto, blocks, err);
        if (rc == STELE_ENOTSUP) {
            t->reserve = false;
            t->mapped = false;
        } else if (rc != STELE_OK) {
            return rc;
        }
    }
    return tail_map(s, upto, space, err);
}

/* ---- Opening and creating. ---- */

static void choose_way(stele_stream *s, struct sti_tail *t)
{
    t->reserve = t->seg->version != STELE_STREAM_V1;
    t->mapped = t->reserve && !s->opts.auto_sync && !s->opts.no_map;
}

stele_code sti_tail_open(stele_stream *s, struct sti_segment *seg, uint64_t end, int64_t next,
        int64_t time, stele_error *err)
{
    struct sti_tail *t = &s->tail;
    struct sti_tail made = {.seg = seg, .end = end, .next = next, .time = time};
    char name[STI_NAME_SIZE];
    stele_file_stat st;
    stele_code rc;

    sti_name_log(name, seg->base);
    rc = sti_file_open(&made.log, &s->dir, name, STELE_OPEN_WRITE, err);
    if (rc == STELE_OK) {
        rc = sti_file_stat(&made.log, &st, err);
    }
    if (rc != STELE_OK) {
        sti_file_close(&made.log);
        return rc;
    }
    made.allocated = st.size;
    choose_way(s, &made);
    made.buffer = t->buffer;
    made.buffer_len = t->buffer_len;
    (void)sti_segment_ref(seg);
    sti_file_close(&t->log);
    sti_segment_unref(t->seg);
    *t = made;
    return STELE_OK;
}

/* An index without items names the parameters from the start: after a crash
 * nothing else would, if no segment before it is sealed. What it holds need not be durable, nor can
 * it be wrong. */
static stele_code create_index(
        stele_stream *s, int64_t base, stele_stream_version version, stele_error *err)
{
    uint8_t header[STI_INDEX_HEADER_SIZE];
    char name[STI_NAME_SIZE];
    struct sti_file index = {0};
    stele_code rc;

    sti_name_index(name, base);
    rc = sti_dir_unlink(&s->dir, name, NULL, err);
    if (rc == STELE_OK) {
        rc = sti_file_open(
                &index, &s->dir, name, STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL, err);
    }
    if (rc == STELE_OK && version != STELE_STREAM_V1) {
        sti_index_header_put(header, s->params);
        rc = sti_file_write(&index, 0, header, sizeof header, err);
    }
    sti_file_close(&index);
    return rc;
}

static stele_code create_files(stele_stream *s, int64_t base, stele_stream_version version,
        bool with_index, stele_error *err)
{
    uint8_t header[STI_LOG_HEADER_SIZE];
    char name[STI_NAME_SIZE];
    struct sti_file log = {0};
    stele_code rc;

    rc = with_index ? create_index(s, base, version, err) : STELE_OK;
    sti_name_log(name, base);
    if (rc == STELE_OK) {
        rc = sti_file_open(
                &log, &s->dir, name, STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL, err);
    }
    if (rc == STELE_OK && version != STELE_STREAM_V1) {
        sti_log_header_put(header);
        rc = sti_file_write(&log, 0, header, sizeof header, err);
    }
    sti_file_close(&log);
    return rc;
}

stele_code sti_tail_files(stele_stream *s, int64_t base, stele_error *err)
{
    return create_files(s, base, s->opts.new_segments, true, err);
}

stele_code sti_tail_segment(
        stele_stream *s, int64_t base, struct sti_segment **out, stele_error *err)
{
    struct sti_segment *seg;
    stele_code rc = sti_segment_new(&seg, base, err);

    if (rc != STELE_OK) {
        return rc;
    }
    seg->version = s->opts.new_segments;
    rc = sti_head_new(&seg->head, s->params, err);
    if (rc != STELE_OK) {
        sti_segment_unref(seg);
        return rc;
    }
    *out = seg;
    return STELE_OK;
}

stele_code sti_tail_create(
        stele_stream *s, struct sti_segment *seg, bool with_index, stele_error *err)
{
    char name[STI_NAME_SIZE];
    stele_code rc = create_files(s, seg->base, seg->version, with_index, err);

    if (rc == STELE_OK) {
        rc = sti_tail_open(s, seg, sti_log_start(seg->version), seg->base,
                STI_MUTANT(TIMES_START_AGAIN) ? INT64_MIN : s->tail.time, err);
    }
    if (rc != STELE_OK) {
        /* Not there before, so nothing is lost with them. */
        sti_name_log(name, seg->base);
        (void)sti_dir_unlink(&s->dir, name, NULL, NULL);
        sti_name_index(name, seg->base);
        (void)sti_dir_unlink(&s->dir, name, NULL, NULL);
        return rc;
    }
    s->tail.dirty = true;
    s->tail.name_pending = true;
    return STELE_OK;
}

/* ---- Making it durable. ---- */

stele_code sti_tail_sync(stele_stream *s, stele_error *err)
{
    struct sti_tail *t = &s->tail;
    stele_code rc = STELE_OK;

    if (t->dirty) {
        rc = sti_file_sync(&t->log, true, err);
    }
    if (rc == STELE_OK && t->name_pending) {
        rc = sti_dir_sync(&s->dir, err);
    }
    if (rc != STELE_OK) {
        t->dirty = t->dirty && !STI_MUTANT(ROLL_FAILURE_RETRIED);
        return STI_MUTANT(ROLL_FAILURE_RETRIED) ? rc : sti_stream_fail(s, rc, err);
    }
    t->dirty = false;
    t->name_pending = false;
    return STELE_OK;
}

stele_code sti_tail_write_index(stele_stream *s, const struct sti_segment *seg, uint64_t end,
        uint64_t count, stele_error *err)
{
    struct sti_keys keys = {0};
    uint8_t *items;
    stele_code rc = sti_head_copy(seg->head, count, &items, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_index_write(&s->dir, seg->base, seg->version, s->params, items, count, err);
    if (rc == STELE_OK && count > 0) {
        rc = sti_keys_build(&keys, seg->base, end, seg->version, s->params, items, count, err);
        rc = rc != STELE_OK ? rc : sti_keys_write(&s->dir, seg->base, &keys, err);
        sti_keys_close(&keys);
    }
    sti_free(items);
    return rc;
}

stele_code sti_tail_finish(stele_stream *s, stele_error *err)
{
    struct sti_tail *t = &s->tail;
    stele_code rc;

    if (t->changed) {
        if (t->allocated > t->end) {
            rc = sti_file_truncate(&t->log, t->end, err);
            if (rc != STELE_OK) {
                return sti_stream_fail(s, rc, err);
            }
            t->allocated = t->end;
            t->dirty = true;
        }
        /* The log first: an index must not be ahead of it after a crash. */
        if (!STI_MUTANT(INDEX_BEFORE_LOG)) {
            rc = sti_tail_sync(s, err);
            if (rc != STELE_OK) {
                return rc;
            }
        }
        /* Index and side file can be made again: failing to write them is no
         * failure of the stream, and the next open or reader makes up for it. */
        t->name_pending = true;
        if (sti_tail_write_index(s, t->seg, t->end, t->seg->head->written, NULL) != STELE_OK) {
            sti_env_log(&s->env, STELE_LOG_WARN,
                    "%s: index of %s not written; it can be made again", s->dir.path, t->log.name);
        }
    }
    rc = sti_tail_sync(s, err);
    if (rc == STELE_OK) {
        t->changed = false;
    }
    return rc;
}

void sti_tail_hold(stele_stream *s)
{
    sti_mutex_lock(&s->sync_lock);
    while (s->syncing) {
        sti_cond_wait(&s->sync_cond, &s->sync_lock);
    }
    s->syncing = true;
    sti_mutex_unlock(&s->sync_lock);
}

void sti_tail_release(stele_stream *s)
{
    sti_mutex_lock(&s->sync_lock);
    s->syncing = false;
    sti_cond_broadcast(&s->sync_cond);
    sti_mutex_unlock(&s->sync_lock);
}

void sti_tail_publish(stele_stream *s)
{
    struct sti_tail *t = &s->tail;

    sti_head_publish(t->seg->head, t->seg->head->written);
    atomic_store_explicit(&s->next, t->next, memory_order_release);
}

stele_code sti_tail_view(stele_stream *s, struct sti_segment *sealed, struct sti_segment *seg,
        struct sti_view **out, stele_error *err)
{
    struct sti_view *old = sti_stream_view(s);
    struct sti_segment **segments = sti_calloc(old->count + 1, sizeof(struct sti_segment *));
    size_t count = old->count - 1;
    stele_code rc;

    if (segments == NULL) {
        rc = sti_fail_memory(err, (old->count + 1) * sizeof(struct sti_segment *));
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        segments[i] = old->segments[i];
    }
    if (sealed != NULL) {
        segments[count++] = sealed;
    }
    if (seg != NULL) {
        segments[count++] = seg;
    }
    rc = sti_view_new(out, segments, count, err);

out:
    sti_free(segments);
    sti_view_unref(old);
    return rc;
}

stele_code sti_tail_adopt(
        stele_stream *s, struct sti_segment *seg, struct sti_prepared *p, stele_error *err)
{
    struct sti_tail *t = &s->tail;
    char name[STI_NAME_SIZE];
    stele_code rc = sti_segment_add_map(seg, p->map, err);

    if (rc != STELE_OK) {
        return rc;
    }
    p->map = NULL;
    sti_name_log(name, seg->base);
    rc = sti_dir_rename(&s->dir, p->log.name, name, err);
    if (rc != STELE_OK) {
        return rc;
    }
    sti_segment_unref(t->seg);
    sti_file_close(&t->log);
    t->seg = sti_segment_ref(seg);
    t->log = p->log;
    (void)snprintf(t->log.name, sizeof t->log.name, "%s", name);
    p->log.raw = NULL;
    t->end = sti_log_start(seg->version);
    t->allocated = p->allocated;
    choose_way(s, t);
    t->map_writable = t->mapped;
    t->dirty = true;
    t->changed = true;
    t->name_pending = true;
    return STELE_OK;
}

stele_code sti_tail_roll(stele_stream *s, int64_t base, stele_error *err)
{
    struct sti_segment *sealed = NULL;
    struct sti_segment *seg = NULL;
    struct sti_view *view = NULL;
    stele_code rc = sti_segment_new(&sealed, s->tail.seg->base, err);

    /* Memory first, so that nothing is left half done for want of it. */
    rc = rc != STELE_OK ? rc : sti_tail_segment(s, base, &seg, err);
    rc = rc != STELE_OK ? rc : sti_tail_view(s, sealed, seg, &view, err);
    if (rc != STELE_OK) {
        goto out;
    }
    sti_tail_hold(s);
    if (!STI_MUTANT(ROLL_NOT_SYNCED)) {
        rc = sti_tail_finish(s, err);
    }
    if (rc == STELE_OK) {
        sti_tail_publish(s);
        atomic_store(&s->durable, s->tail.next);
        rc = sti_tail_create(s, seg, false, err);
    }
    if (rc == STELE_OK) {
        sti_stream_swap_view(s, view);
        view = NULL;
    }
    sti_tail_release(s);

out:
    sti_view_unref(view);
    sti_segment_unref(seg);
    sti_segment_unref(sealed);
    return rc;
}

void sti_tail_drop(stele_stream *s)
{
    sti_file_close(&s->tail.log);
    sti_segment_unref(s->tail.seg);
    sti_free(s->tail.buffer);
    s->tail.seg = NULL;
    s->tail.buffer = NULL;
    s->tail.buffer_len = 0;
}
