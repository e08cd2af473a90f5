/* SPDX-License-Identifier: MIT
 *
 * open.c: opening and closing a stream.
 *
 * A writer's open, in order: the lock; leftovers of crashed deletions go;
 * a migration if asked for; the newest segment is read and its torn end cut
 * (head_load.c). Sealed segments are not touched: they are loaded when they
 * are first read.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"
#include "stream/bases.h"
#include "stream/index_file.h"
#include "stream/marker.h"
#include "stream/migrate.h"
#include "stream/recover.h"
#include "stream/state.h"

#include <stdio.h>
#include <string.h>

enum {
    ROLLOVER_DEFAULT = 1 << 20,
    LOOKS = 20 /* tries to list a directory that changes */
};

void stele_stream_options_init_sized(stele_stream_options *opts, size_t struct_size)
{
    if (opts != NULL && struct_size >= sizeof opts->struct_size) {
        memset(opts, 0, struct_size);
        opts->struct_size = struct_size;
    }
}

/* ---- Options. ---- */

static stele_code take_options(
        stele_stream_options *out, const stele_stream_options *in, stele_error *err)
{
    stele_code rc = sti_options_copy(out, sizeof *out, in, "stele_stream_options", err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (out->new_segments == STELE_STREAM_VERSION_DEFAULT) {
        out->new_segments = STELE_STREAM_VLAST;
    }
    if (out->new_segments != STELE_STREAM_V1 && out->new_segments != STELE_STREAM_V2) {
        return sti_fail(err, STELE_EINVAL, "no segment format %d", (int)out->new_segments);
    }
    if (out->rollover <= 0) {
        out->rollover = ROLLOVER_DEFAULT;
    }
    if (out->lock_wait_ms < STELE_FOREVER) {
        return sti_fail(err, STELE_EINVAL, "a negative time to wait for the lock");
    }
    return STELE_OK;
}

/* The parameters of the index: as the files tell, newest first. */
static stele_code settle_params(stele_stream *s, const struct sti_bases *list, stele_error *err)
{
    struct sti_index_params found;

    s->params.times = s->opts.time_index;
    s->params.keys = s->opts.key_index;
    for (size_t i = list->count; i > 0; i--) {
        if (!sti_index_detect(&s->dir, list->bases[i - 1], &found)) {
            continue;
        }
        if (s->opts.index_auto) {
            s->params = found;
        } else if (found.times != s->params.times || found.keys != s->params.keys) {
            return sti_fail(err, STELE_EMISMATCH,
                    "the stream was made with key index %s and time index %s",
                    found.keys ? "on" : "off", found.times ? "on" : "off");
        }
        break;
    }
    return STELE_OK;
}

/* ---- The handle. ---- */

static stele_code init_locks(stele_stream *s, stele_error *err)
{
    stele_code rc = sti_mutex_init(&s->delete_lock, STI_RANK_STREAM_DELETE, err);

    rc = rc != STELE_OK ? rc : sti_mutex_init(&s->write_lock, STI_RANK_STREAM_WRITE, err);
    rc = rc != STELE_OK ? rc : sti_mutex_init(&s->sync_lock, STI_RANK_STREAM_SYNC, err);
    rc = rc != STELE_OK ? rc : sti_mutex_init(&s->view_lock, STI_RANK_STREAM_VIEW, err);
    rc = rc != STELE_OK ? rc : sti_mutex_init(&s->load_lock, STI_RANK_STREAM_LOAD, err);
    rc = rc != STELE_OK ? rc : sti_mutex_init(&s->wait_lock, STI_RANK_STREAM_WAIT, err);
    rc = rc != STELE_OK ? rc : sti_cond_init(&s->sync_cond, err);
    rc = rc != STELE_OK ? rc : sti_work_init(s, err);
    return rc != STELE_OK ? rc : sti_cond_init(&s->wait_cond, err);
}

static void destroy(stele_stream *s)
{
    sti_work_destroy(s);
    sti_tail_drop(s);
    sti_view_unref(s->view);
    sti_file_close(&s->lock);
    sti_dir_close(&s->dir);
    sti_cond_destroy(&s->wait_cond);
    sti_cond_destroy(&s->sync_cond);
    sti_mutex_destroy(&s->wait_lock);
    sti_mutex_destroy(&s->load_lock);
    sti_mutex_destroy(&s->view_lock);
    sti_mutex_destroy(&s->sync_lock);
    sti_mutex_destroy(&s->write_lock);
    sti_mutex_destroy(&s->delete_lock);
    sti_free(s);
}

static stele_code new_stream(stele_stream **out, const stele_stream_options *opts, stele_error *err)
{
    stele_stream *s = sti_calloc(1, sizeof *s);
    stele_code rc;

    if (s == NULL) {
        return sti_fail_memory(err, sizeof *s);
    }
    rc = take_options(&s->opts, opts, err);
    if (rc != STELE_OK) {
        sti_free(s);
        return rc;
    }
    rc = init_locks(s, err);
    if (rc != STELE_OK) {
        destroy(s);
        return rc;
    }
    sti_env_copy(&s->env, s->opts.env);
    s->mode = s->opts.live ? STI_MODE_LIVE : s->opts.read_only ? STI_MODE_READER : STI_MODE_WRITER;
    s->work.way = s->opts.no_background || s->opts.auto_sync ? STI_WORK_INLINE : STI_WORK_THREAD;
    *out = s;
    return STELE_OK;
}

static stele_code open_dir(stele_stream *s, const char *dir, stele_error *err)
{
    unsigned flags = s->opts.create_dirs && s->mode == STI_MODE_WRITER ? STELE_OPEN_CREATE : 0;
    stele_code rc = sti_dir_open(&s->dir, s->opts.env, dir, flags, err);

    if (rc == STELE_OK && s->mode != STI_MODE_LIVE && !STI_MUTANT(LOCK_DROPPED)) {
        rc = sti_lock_take(&s->lock, &s->dir, STI_LOCK_NAME, s->mode == STI_MODE_WRITER,
                s->opts.lock_wait_ms, err);
    }
    return rc;
}

/* What `check` and `recover` ask for, before anything is believed. */
static stele_code verify_first(stele_stream *s, const char *dir, stele_error *err)
{
    if (s->opts.recover && s->mode == STI_MODE_WRITER) {
        stele_stream_options opts = s->opts;

        opts.struct_size = sizeof opts;
        return sti_recover_run(&s->dir, &opts, !opts.index_auto, true, NULL, NULL, err);
    }
    if (s->opts.check || s->opts.recover) {
        stele_stream_options opts = s->opts;

        opts.struct_size = sizeof opts;
        opts.index_auto = true;
        return stele_stream_check_dir(dir, &opts, true, NULL, NULL, NULL, err);
    }
    return STELE_OK;
}

static stele_code migrate_all(stele_stream *s, const struct sti_bases *list, stele_error *err)
{
    stele_code rc = STELE_OK;

    for (size_t i = 0; i < list->count && rc == STELE_OK; i++) {
        bool done;

        rc = sti_migrate_segment(
                &s->dir, list->bases[i], s->opts.new_segments, s->params, &done, err);
    }
    return rc;
}

/* A crash may have left the segment before the head unfinished: loading it
 * mends that. A head without messages takes up the times where it ended. */
static stele_code continue_times(stele_stream *s, stele_error *err)
{
    struct sti_view *view = s->view;
    struct sti_segment *before;
    stele_code rc;

    if (s->mode != STI_MODE_WRITER || view->count < 2) {
        return STELE_OK;
    }
    before = view->segments[view->count - 2];
    rc = sti_segment_load(s, before, err);
    if (rc == STELE_ECORRUPT) {
        return STELE_OK; /* Reading it will say so; it does not stop the writer. */
    }
    if (rc == STELE_OK && before->count > 0 && s->params.times && s->tail.seg->head->written == 0) {
        s->tail.time =
                sti_item_time(before->items + (before->count - 1) * sti_index_item_size(s->params));
    }
    return rc;
}

/* A live handle's sealed segment that is still the same file: counted. */
static struct sti_segment *known(stele_stream *s, int64_t base, uint64_t id)
{
    if (s->view != NULL) {
        struct sti_segment *seg = s->view->segments[sti_view_find(s->view, base)];

        if (seg->base == base && seg->file_id == id && seg->head == NULL) {
            return sti_segment_ref(seg);
        }
    }
    return NULL;
}

static stele_code make_view(stele_stream *s, const struct sti_bases *list, struct sti_segment *head,
        int64_t sealed, stele_error *err)
{
    size_t max = list->count + 2;
    struct sti_segment **segments = sti_calloc(max, sizeof(struct sti_segment *));
    size_t count = 0;
    stele_code rc = STELE_OK;

    if (segments == NULL) {
        return sti_fail_memory(err, max * sizeof(struct sti_segment *));
    }
    for (size_t i = 0; i < list->count && rc == STELE_OK; i++) {
        bool newest = i + 1 == list->count;

        if (newest && sealed != list->bases[i]) {
            break;
        }
        segments[count] = known(s, list->bases[i], list->ids[i]);
        if (segments[count] == NULL) {
            rc = sti_segment_new(&segments[count], list->bases[i], err);
        }
        if (rc == STELE_OK) {
            segments[count]->file_id = list->ids[i];
            count++;
        }
    }
    if (rc == STELE_OK) {
        segments[count] = sti_segment_ref(head);
        count++;
        rc = sti_stream_set_view(s, segments, count, err);
    }
    for (size_t i = 0; i < count; i++) {
        sti_segment_unref(segments[i]);
    }
    sti_free(segments);
    return rc;
}

stele_code sti_stream_build(
        stele_stream *s, const struct sti_bases *list, int64_t floor, stele_error *err)
{
    struct sti_segment *head = NULL;
    int64_t sealed = -1;
    int64_t next = floor;
    stele_code rc;

    s->on_disk = list->count > 0;
    if (list->count > 0) {
        rc = sti_stream_load_head(
                s, list->bases[list->count - 1], floor, &head, &sealed, &next, err);
    } else {
        rc = sti_tail_segment(s, floor, &head, err);
        if (rc == STELE_OK && s->mode == STI_MODE_WRITER) {
            rc = sti_tail_create(s, head, true, err);
            /* The stream itself is durable when open returns. */
            rc = rc != STELE_OK ? rc : sti_tail_sync(s, err);
        }
    }
    rc = rc != STELE_OK ? rc : make_view(s, list, head, sealed, err);
    sti_segment_unref(head);
    /* After the view, for readers of a live handle; and what was seen once is
     * not to be seen again under another offset. */
    if (rc == STELE_OK && next > atomic_load(&s->next)) {
        atomic_store_explicit(&s->next, next, memory_order_release);
    }
    return rc;
}

void sti_found_free(struct sti_found *f)
{
    sti_listing_free(&f->listing);
    sti_leftovers_free(&f->leftovers);
    sti_bases_free(&f->bases);
}

stele_code sti_stream_look(stele_stream *s, struct sti_found *f, bool stats, stele_error *err)
{
    stele_code rc;

    sti_found_free(f);
    rc = sti_listing_read(&f->listing, &s->dir, err);
    rc = rc != STELE_OK ? rc : sti_leftovers_find(&f->leftovers, &s->dir, &f->listing, err);
    return rc != STELE_OK
                   ? rc
                   : sti_bases_read(&f->bases, &s->dir, &f->listing, &f->leftovers, stats, err);
}

/* The tail may have been made under a base that a leftover index had. */
static stele_code remove_leftovers(stele_stream *s, struct sti_found *f, stele_error *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < f->leftovers.files.count; i++) {
        if (f->leftovers.files.entries[i].base != s->tail.seg->base ||
                f->leftovers.files.entries[i].kind == STI_NAME_LEFTOVER) {
            f->leftovers.files.entries[kept++] = f->leftovers.files.entries[i];
        }
    }
    f->leftovers.files.count = kept;
    return sti_leftovers_remove(&f->leftovers, &s->dir, err);
}

/* A migration reads whole segments: what a crash tore off is cut before. */
static stele_code migrate_first(stele_stream *s, struct sti_found *f, stele_error *err)
{
    int64_t floor = f->leftovers.highest + 1;
    stele_code rc = sti_marker_settle(s, &f->bases, &floor, err);

    rc = rc != STELE_OK ? rc : sti_stream_build(s, &f->bases, floor, err);
    rc = rc != STELE_OK ? rc : sti_tail_finish(s, err);
    sti_tail_drop(s);
    sti_view_unref(s->view);
    s->view = NULL;
    rc = rc != STELE_OK ? rc : sti_stream_look(s, f, false, err);
    return rc != STELE_OK ? rc : migrate_all(s, &f->bases, err);
}

static stele_code prepare_writer(
        stele_stream *s, const char *dir, struct sti_found *f, stele_error *err)
{
    int64_t floor;
    stele_code rc = sti_stream_look(s, f, false, err);

    rc = rc != STELE_OK ? rc : settle_params(s, &f->bases, err);
    rc = rc != STELE_OK ? rc : verify_first(s, dir, err);
    if (rc == STELE_OK && s->opts.recover) {
        rc = sti_stream_look(s, f, false, err);
    }
    if (rc == STELE_OK && s->opts.eager_migrate) {
        rc = migrate_first(s, f, err);
    }
    floor = f->leftovers.highest + 1;
    rc = rc != STELE_OK ? rc : sti_marker_settle(s, &f->bases, &floor, err);
    /* Offsets that leftovers show must stay taken, so they go last. */
    rc = rc != STELE_OK ? rc : sti_stream_build(s, &f->bases, floor, err);
    rc = rc != STELE_OK ? rc : remove_leftovers(s, f, err);
    rc = rc != STELE_OK ? rc : sti_marker_remove(&s->dir, err);
    rc = rc != STELE_OK ? rc : continue_times(s, err);
    if (rc == STELE_OK) {
        /* What was read may be in the cache only: the first sync is a real one. */
        atomic_store(
                &s->durable, STI_MUTANT(DURABLE_AT_OPEN) ? s->tail.next + 1 : s->tail.seg->base);
        atomic_store(&s->work.sealed, s->tail.seg->base);
        s->tail.dirty = true;
        s->tail.name_pending = true;
    }
    return rc;
}

static stele_code prepare_reader(
        stele_stream *s, const char *dir, struct sti_found *f, stele_error *err)
{
    stele_code rc = STELE_ENOTFOUND;
    int64_t floor;

    /* A writer in another process may replace files between two looks. */
    for (int i = 0; i < LOOKS && rc == STELE_ENOTFOUND; i++) {
        rc = sti_stream_look(s, f, true, err);
        rc = rc != STELE_OK ? rc : settle_params(s, &f->bases, err);
        rc = rc != STELE_OK ? rc : verify_first(s, dir, err);
        floor = f->leftovers.highest + 1;
        if (rc == STELE_OK && STI_MUTANT(READER_CLEANS)) {
            rc = sti_leftovers_remove(&f->leftovers, &s->dir, err);
        }
        rc = rc != STELE_OK ? rc : sti_marker_settle(s, &f->bases, &floor, err);
        rc = rc != STELE_OK ? rc : sti_stream_build(s, &f->bases, floor, err);
    }
    return rc == STELE_ENOTFOUND ? sti_wrap(err, STELE_EIO, "files vanish all the time") : rc;
}

static stele_code prepare(stele_stream *s, const char *dir, stele_error *err)
{
    struct sti_found f = {0};
    stele_code rc = s->mode == STI_MODE_WRITER ? prepare_writer(s, dir, &f, err)
                                               : prepare_reader(s, dir, &f, err);

    sti_found_free(&f);
    return rc;
}

stele_code stele_stream_open(
        stele_stream **out, const char *dir, const stele_stream_options *opts, stele_error *err)
{
    stele_stream *s = NULL;
    stele_code rc;

    if (out == NULL || dir == NULL) {
        return sti_fail(err, STELE_EINVAL, "no directory, or no place for the stream");
    }
    rc = new_stream(&s, opts, err);
    if (rc != STELE_OK) {
        return sti_wrap(err, rc, "open stream %s", dir);
    }
    sti_assert(s != NULL);
    rc = open_dir(s, dir, err);
    rc = rc != STELE_OK ? rc : prepare(s, dir, err);
    if (rc != STELE_OK) {
        destroy(s);
        return sti_wrap(err, rc, "open stream %s", dir);
    }
    *out = s;
    return STELE_OK;
}

/* ---- The end. ---- */

stele_code stele_stream_close(stele_stream *s, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (s == NULL) {
        return STELE_OK;
    }
    sti_mutex_lock(&s->wait_lock);
    atomic_store(&s->closing, true);
    while (atomic_load(&s->waiters) > 0) {
        sti_cond_broadcast(&s->wait_cond);
        sti_cond_wait(&s->wait_cond, &s->wait_lock);
    }
    sti_mutex_unlock(&s->wait_lock);
    if (s->mode == STI_MODE_WRITER) {
        sti_mutex_lock(&s->delete_lock);
        rc = sti_stream_writable(s, err);
        rc = rc != STELE_OK ? rc : sti_work_drain(s, err);
        sti_mutex_lock(&s->write_lock);
        sti_tail_hold(s);
        rc = rc != STELE_OK ? rc : sti_tail_finish(s, err);
        rc = rc != STELE_OK ? rc : sti_work_unmark(s, err);
        sti_tail_release(s);
        sti_mutex_unlock(&s->write_lock);
        sti_mutex_unlock(&s->delete_lock);
        if (rc != STELE_OK) {
            rc = sti_wrap(err, rc, "close stream %s", s->dir.path);
        }
    }
    destroy(s);
    return rc;
}

/* ---- A handle that may not write. ---- */

stele_code sti_stream_fail(stele_stream *s, stele_code code, stele_error *err)
{
    int ok = STELE_OK;

    if (atomic_load(&s->failed) == STELE_OK) {
        sti_mutex_lock(&s->wait_lock);
        if (atomic_load(&s->failed) == STELE_OK) {
            (void)snprintf(s->failed_text, sizeof s->failed_text, "%s",
                    err != NULL && err->code == code ? err->message : stele_code_text(code));
            (void)atomic_compare_exchange_strong(&s->failed, &ok, (int)code);
        }
        sti_mutex_unlock(&s->wait_lock);
    }
    return code;
}

stele_code sti_stream_writable(stele_stream *s, stele_error *err)
{
    if (s->mode != STI_MODE_WRITER) {
        return sti_fail(err, STELE_EREADONLY, "the stream is open for reading only");
    }
    if (atomic_load(&s->failed) != STELE_OK) {
        return sti_fail(err, STELE_EFAILED, "an earlier write failed, reopen to recover: %s",
                s->failed_text);
    }
    return STELE_OK;
}

const char *stele_stream_dir(const stele_stream *s)
{
    return s->dir.path;
}

bool stele_stream_is_read_only(const stele_stream *s)
{
    return s->mode != STI_MODE_WRITER;
}
