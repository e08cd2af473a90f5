/* SPDX-License-Identifier: MIT
 *
 * work.c: sealing and preparing segments beside the writer.
 *
 * Syncing a segment before the next one begins would make a publisher wait
 * for the disk at every rollover. Here it does not: writing moves on, into a
 * file that was made ahead, and a thread seals what was left: cuts the zero
 * tail, syncs the log, writes index and side file, and puts a sealed segment
 * in the place of the one whose index is in memory. Before the first such
 * step a marker on disk says which segments a crash may find unsynced
 * (marker.h); a sync, a deletion, a backup and a close wait until all are sealed.
 *
 * At most UNSEALED_MAX bytes of logs wait: then publishers do, too.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "stream/marker.h"
#include "stream/state.h"

enum {
    UNSEALED_MAX = 192 << 20, /* bytes of logs that are not sealed */
    PREFAULT = 256 << 10      /* pages are woken up in steps of so many bytes */
};

/* ---- Preparing. ---- */

static void drop_prepared(struct sti_prepared *p)
{
    sti_map_unref(p->map);
    sti_file_close(&p->log);
    p->map = NULL;
}

static void prefault(struct sti_prepared *p)
{
    for (size_t at = 0; at < p->allocated; at += PREFAULT) {
        size_t left = (size_t)p->allocated - at;

        sti_file_prefault(&p->log, p->map->data, at, left < PREFAULT ? left : PREFAULT, true);
    }
}

static stele_code make_file(stele_stream *s, struct sti_prepared *p, const char *name)
{
    uint8_t header[STI_LOG_HEADER_SIZE];
    uint64_t blocks = 0;
    uint64_t space = 0;
    stele_code rc = sti_dir_unlink(&s->dir, name, NULL, NULL);

    rc = rc != STELE_OK ? rc
                        : sti_tail_plan(s, name, 0, STI_LOG_HEADER_SIZE, &blocks, &space, NULL);
    rc = rc != STELE_OK ? rc
                        : sti_file_open(&p->log, &s->dir, name,
                                  STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL, NULL);
    rc = rc != STELE_OK ? rc : sti_file_allocate(&p->log, 0, blocks, NULL);
    sti_log_header_put(header);
    rc = rc != STELE_OK ? rc : sti_file_write(&p->log, 0, header, sizeof header, NULL);
    rc = rc != STELE_OK ? rc : sti_map_file(&p->map, &p->log, (size_t)space, true, false, NULL);
    if (rc == STELE_OK) {
        p->allocated = blocks;
    }
    return rc;
}

/* Make a file ahead; what fails here fails again, and is reported, when the
 * file is made in its turn. */
static bool prepare(stele_stream *s, struct sti_prepared *p, unsigned number)
{
    char name[STI_NAME_SIZE];

    sti_name_prepared(name, number);
    if (make_file(s, p, name) != STELE_OK) {
        drop_prepared(p);
        (void)sti_dir_unlink(&s->dir, name, NULL, NULL);
        return false;
    }
    prefault(p);
    return true;
}

/* ---- Sealing. ---- */

static void free_sealing(struct sti_sealing *item)
{
    sti_file_close(&item->log);
    sti_segment_unref(item->seg);
    sti_free(item);
}

/* A sealed segment takes the place of the one in memory. */
static stele_code replace(stele_stream *s, struct sti_segment *seg, stele_error *err)
{
    struct sti_segment *fresh = NULL;
    struct sti_view *made = NULL;
    struct sti_view *view;
    stele_code rc = sti_segment_new(&fresh, seg->base, err);

    if (rc != STELE_OK) {
        return rc;
    }
    sti_mutex_lock(&s->write_lock);
    view = sti_stream_view(s);
    rc = sti_view_new(&made, view->segments, view->count, err);
    for (size_t i = 0; rc == STELE_OK && i < made->count; i++) {
        if (made->segments[i] == seg) {
            made->segments[i] = sti_segment_ref(fresh);
            sti_segment_unref(seg);
        }
    }
    if (rc == STELE_OK) {
        sti_stream_swap_view(s, made);
    }
    sti_mutex_unlock(&s->write_lock);
    sti_view_unref(view);
    sti_segment_unref(fresh);
    return rc;
}

static void seal(stele_stream *s, struct sti_sealing *item)
{
    stele_error err;
    stele_code rc = STELE_OK;

    if (atomic_load(&s->failed) != STELE_OK) {
        return;
    }
    /* A sync writes back page by page what is mapped for writing; let go of
     * it at once before that. */
    for (size_t i = 0; i < item->seg->map_count; i++) {
        if (item->seg->maps[i]->raw == item->log.raw) {
            sti_file_release(&item->log, item->seg->maps[i]->data, item->seg->maps[i]->len);
        }
    }
    if (item->allocated > item->end) {
        rc = sti_file_truncate(&item->log, item->end, &err);
    }
    if (rc == STELE_OK && !STI_MUTANT(SEAL_NOT_SYNCED)) {
        rc = sti_file_sync(&item->log, true, &err);
    }
    if (rc != STELE_OK) {
        (void)sti_stream_fail(s, rc, &err);
        return;
    }
    /* Derivable, both: without them the next reader, or open, makes them. */
    if (sti_tail_write_index(s, item->seg, item->end, item->count, NULL) != STELE_OK) {
        sti_env_log(&s->env, STELE_LOG_WARN, "%s: index of %s not written; it can be made again",
                s->dir.path, item->log.name);
    }
    /* For want of memory the index in memory stays, which is as good. */
    (void)replace(s, item->seg, NULL);
}

/* All before this offset is in segments that are sealed, or that failed. */
static void advance(stele_stream *s, const struct sti_sealing *item)
{
    if (atomic_load(&s->failed) == STELE_OK) {
        atomic_store(&s->work.sealed, item->next_offset);
    }
}

/* ---- The queue. ---- */

/* Do one thing; false if there is none. Called with the lock, which it lets go meanwhile. */
static bool step(stele_stream *s) STI_REQUIRES(s->work.lock)
{
    struct sti_work *w = &s->work;
    struct sti_sealing *item = w->first;

    /* Files first: a publisher that finds none makes one itself, and waits for
     * every page of it. */
    if (w->preparing && w->prepared_count < STI_PREPARED_MAX && !w->stop && !w->paused) {
        struct sti_prepared p = {0};
        unsigned number = w->prepared_number++;
        bool made;

        w->busy = true;
        sti_mutex_unlock(&s->work.lock);
        made = prepare(s, &p, number);
        sti_mutex_lock(&s->work.lock);
        w->busy = false;
        w->preparing = made;
        if (made) {
            w->prepared[(w->prepared_first + w->prepared_count++) % STI_PREPARED_MAX] = p;
        }
        sti_cond_broadcast(&w->cond);
        return true;
    }
    if (item == NULL) {
        return false;
    }
    w->first = item->next;
    w->last = w->first == NULL ? NULL : w->last;
    w->busy = true;
    sti_mutex_unlock(&s->work.lock);
    seal(s, item);
    advance(s, item);
    (void)atomic_fetch_sub(&w->waiting, item->end);
    free_sealing(item);
    sti_mutex_lock(&s->work.lock);
    w->busy = false;
    sti_cond_broadcast(&w->cond);
    return true;
}

static void *run(void *arg)
{
    stele_stream *s = arg;
    struct sti_work *w = &s->work;

    sti_mutex_lock(&s->work.lock);
    for (;;) {
        if (step(s)) {
            continue;
        }
        if (w->stop) {
            break;
        }
        sti_cond_wait(&w->cond, &s->work.lock);
    }
    sti_mutex_unlock(&s->work.lock);
    return NULL;
}

stele_code sti_work_init(stele_stream *s, stele_error *err)
{
    stele_code rc = sti_mutex_init(&s->work.lock, STI_RANK_STREAM_WORK, err);

    return rc != STELE_OK ? rc : sti_cond_init(&s->work.cond, err);
}

void sti_work_destroy(stele_stream *s)
{
    struct sti_work *w = &s->work;

    if (w->started) {
        sti_mutex_lock(&s->work.lock);
        w->stop = true;
        sti_cond_broadcast(&w->cond);
        sti_mutex_unlock(&s->work.lock);
        sti_thread_join(&w->thread);
        w->started = false;
    }
    while (w->first != NULL) {
        struct sti_sealing *item = w->first;

        w->first = item->next;
        free_sealing(item);
    }
    for (; w->prepared_count > 0; w->prepared_count--) {
        struct sti_prepared *p = &w->prepared[w->prepared_first];

        if (sti_dir_unlink(&s->dir, p->log.name, NULL, NULL) != STELE_OK) {
            /* Once more: it holds nothing, and the next open removes it if need be. */
            (void)sti_dir_unlink(&s->dir, p->log.name, NULL, NULL);
        }
        drop_prepared(p);
        w->prepared_first = (w->prepared_first + 1) % STI_PREPARED_MAX;
    }
    sti_cond_destroy(&w->cond);
    sti_mutex_destroy(&s->work.lock);
}

void sti_work_defer(stele_stream *s)
{
    if (s->work.way == STI_WORK_THREAD) {
        s->work.way = STI_WORK_DEFERRED;
    }
}

bool sti_work_once(stele_stream *s)
{
    bool done;

    sti_mutex_lock(&s->work.lock);
    done = step(s);
    sti_mutex_unlock(&s->work.lock);
    return done;
}

void sti_work_throttle(stele_stream *s)
{
    struct sti_work *w = &s->work;

    if (atomic_load_explicit(&w->waiting, memory_order_relaxed) <= UNSEALED_MAX) {
        return;
    }
    if (w->way == STI_WORK_DEFERRED) {
        (void)sti_work_drain(s, NULL);
        return;
    }
    sti_mutex_lock(&s->work.lock);
    while (atomic_load(&w->waiting) > UNSEALED_MAX) {
        sti_cond_wait(&w->cond, &s->work.lock);
    }
    sti_mutex_unlock(&s->work.lock);
}

/* Work, or wait for the thread that does. */
static void work_or_wait(stele_stream *s) STI_REQUIRES(s->work.lock)
{
    if (s->work.way == STI_WORK_THREAD) {
        sti_cond_wait(&s->work.cond, &s->work.lock);
    } else {
        (void)step(s);
    }
}

stele_code sti_work_wait_sealed(stele_stream *s, int64_t upto, stele_error *err)
{
    struct sti_work *w = &s->work;

    sti_mutex_lock(&s->work.lock);
    while (atomic_load(&w->sealed) < upto && atomic_load(&s->failed) == STELE_OK) {
        work_or_wait(s);
    }
    sti_mutex_unlock(&s->work.lock);
    return sti_stream_writable(s, err);
}

stele_code sti_work_drain(stele_stream *s, stele_error *err)
{
    struct sti_work *w = &s->work;

    if (w->way == STI_WORK_INLINE) {
        return STELE_OK;
    }
    sti_mutex_lock(&s->work.lock);
    while (w->first != NULL || w->busy) {
        work_or_wait(s);
    }
    sti_mutex_unlock(&s->work.lock);
    return sti_stream_writable(s, err);
}

bool sti_work_idle(stele_stream *s)
{
    bool idle;

    sti_mutex_lock(&s->work.lock);
    idle = s->work.first == NULL && !s->work.busy;
    sti_mutex_unlock(&s->work.lock);
    return idle;
}

void sti_work_pause(stele_stream *s, bool pause)
{
    struct sti_work *w = &s->work;

    sti_mutex_lock(&s->work.lock);
    w->paused = pause;
    sti_cond_broadcast(&w->cond);
    sti_mutex_unlock(&s->work.lock);
}

bool sti_work_may_roll(stele_stream *s)
{
    bool may;

    sti_mutex_lock(&s->work.lock);
    may = !s->work.paused;
    sti_mutex_unlock(&s->work.lock);
    return may;
}

void sti_work_wait_to_roll(stele_stream *s)
{
    sti_mutex_lock(&s->work.lock);
    while (s->work.paused) {
        sti_cond_wait(&s->work.cond, &s->work.lock);
    }
    sti_mutex_unlock(&s->work.lock);
}

stele_code sti_work_unmark(stele_stream *s, stele_error *err)
{
    stele_code rc;

    if (!s->work.marked) {
        return STELE_OK;
    }
    /* Names of logs and indexes first: what they hold is synced. */
    rc = sti_dir_sync(&s->dir, err);
    rc = rc != STELE_OK ? rc : sti_marker_remove(&s->dir, err);
    if (rc != STELE_OK) {
        return sti_stream_fail(s, rc, err);
    }
    s->work.marked = false;
    return STELE_OK;
}

stele_code sti_work_settle(stele_stream *s, stele_error *err)
{
    stele_code rc = sti_work_drain(s, err);

    if (rc == STELE_OK) {
        sti_mutex_lock(&s->write_lock);
        rc = sti_work_unmark(s, err);
        sti_mutex_unlock(&s->write_lock);
    }
    return rc;
}

/* ---- Rolling over. ---- */

static stele_code start(stele_stream *s, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (s->work.way == STI_WORK_THREAD && !s->work.started) {
        rc = sti_thread_start(&s->work.thread, run, s, err);
        s->work.started = rc == STELE_OK;
    }
    return rc;
}

static bool take_prepared(stele_stream *s, struct sti_prepared *out)
{
    struct sti_work *w = &s->work;
    bool has;

    sti_mutex_lock(&s->work.lock);
    has = w->prepared_count > 0;
    if (has) {
        *out = w->prepared[w->prepared_first];
        w->prepared_first = (w->prepared_first + 1) % STI_PREPARED_MAX;
        w->prepared_count--;
    }
    w->preparing = s->tail.mapped;
    sti_cond_broadcast(&w->cond);
    sti_mutex_unlock(&s->work.lock);
    return has;
}

static void push(stele_stream *s, struct sti_sealing *item)
{
    struct sti_work *w = &s->work;

    (void)atomic_fetch_add(&w->waiting, item->end);
    sti_mutex_lock(&s->work.lock);
    if (w->last != NULL) {
        w->last->next = item;
    } else {
        w->first = item;
    }
    w->last = item;
    sti_cond_broadcast(&w->cond);
    sti_mutex_unlock(&s->work.lock);
}

/* The tail's file goes to the sealing item; the tail moves to the new segment's. */
static stele_code move_tail(
        stele_stream *s, struct sti_sealing *item, struct sti_segment *seg, stele_error *err)
{
    struct sti_tail *t = &s->tail;
    struct sti_prepared p = {0};
    stele_code rc;

    item->seg = sti_segment_ref(t->seg);
    item->log = t->log;
    item->end = t->end;
    item->allocated = t->allocated;
    item->count = t->seg->head->written;
    item->next_offset = seg->base;
    t->log.raw = NULL;
    if (take_prepared(s, &p)) {
        rc = sti_tail_adopt(s, seg, &p, err);
        drop_prepared(&p);
    } else {
        rc = sti_tail_create(s, seg, false, err);
    }
    if (rc != STELE_OK) {
        t->log = item->log;
        item->log.raw = NULL;
    }
    return rc;
}

stele_code sti_work_roll(stele_stream *s, int64_t base, stele_error *err)
{
    struct sti_sealing *item = sti_calloc(1, sizeof *item);
    struct sti_segment *seg = NULL;
    struct sti_view *view = NULL;
    stele_code rc = item != NULL ? start(s, err) : sti_fail_memory(err, sizeof *item);

    /* Memory first, so that nothing is left half done for want of it. */
    rc = rc != STELE_OK ? rc : sti_tail_segment(s, base, &seg, err);
    rc = rc != STELE_OK ? rc : sti_tail_view(s, s->tail.seg, seg, &view, err);
    if (rc == STELE_OK && !s->work.marked && !STI_MUTANT(NO_MARKER)) {
        rc = sti_marker_write(&s->dir, s->tail.seg->base, err);
        s->work.marked = rc == STELE_OK;
    }
    if (rc != STELE_OK) {
        goto out;
    }
    sti_tail_hold(s);
    rc = move_tail(s, item, seg, err);
    if (rc == STELE_OK) {
        sti_stream_swap_view(s, view);
        view = NULL;
        push(s, item);
        item = NULL;
    }
    sti_tail_release(s);

out:
    sti_view_unref(view);
    sti_segment_unref(seg);
    if (item != NULL) {
        free_sealing(item);
    }
    return rc;
}
