/* SPDX-License-Identifier: MIT
 *
 * truncate.c: forgetting records at the end.
 *
 * Format stele: the manifest says where the segment ends now, and lists none behind it; that is the
 * moment. What the files hold behind that is of no account, and goes where nobody reads it. The
 * next append begins a segment.
 *
 * Format blb: as the reference, files are removed from the back, each removal made durable, and the
 * file that holds the cut becomes shorter: as a copy that takes its place, since it may be mapped.
 * The copy is there before anything is removed, so that a full disk changes nothing.
 */
#include "base/alloc.h"
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "wal/log.h"

enum {
    COPY_BUFFER = 256 << 10
};

struct cut {
    uint64_t id;               /* the first record to go */
    uint64_t old_next;         /* behind the last */
    struct sti_segment *seg;   /* that holds it; held */
    uint64_t at;               /* its place there */
    bool whole;                /* the segment goes, too */
    size_t index;              /* of the first segment to go */
    struct sti_segment **gone; /* oldest first */
    size_t count;

    /* Of `seg`, to undo. */
    uint64_t old_end;
    uint64_t old_seg_next;
    bool old_sealed;
};

/* ---- Where to cut. ---- */

/* False if there is nothing behind last_to_keep. */
static bool choose(struct sti_log *log, uint64_t last_to_keep, struct cut *c)
{
    uint64_t first = 0;
    uint64_t last = 0;
    bool any;

    sti_mutex_lock(&log->view);
    any = sti_log_bounds_locked(log, &first, &last) && last_to_keep < last;
    if (any) {
        c->id = last_to_keep < first ? first : last_to_keep + 1;
        c->old_next = last + 1;
        c->index = sti_log_list_find_locked(log, c->id);
        c->seg = log->segments[c->index];
        sti_segment_hold(c->seg);
        c->whole = c->id == c->seg->first_id;
        /* The reference keeps one file, be it empty. */
        if (log->format == STELE_WAL_BLB && c->index == 0) {
            c->whole = false;
        }
        c->index += c->whole ? 0 : 1;
        c->count = log->segment_count - c->index;
    }
    sti_mutex_unlock(&log->view);
    return any;
}

static stele_code locate(struct sti_log *log, struct cut *c, stele_error *err)
{
    struct sti_wal_reader reader = {0};
    stele_code rc;

    c->gone = sti_calloc(c->count + 1, sizeof(struct sti_segment *));
    if (c->gone == NULL) {
        return sti_fail_memory(err, (c->count + 1) * sizeof(struct sti_segment *));
    }
    if (c->id == c->seg->first_id) {
        c->at = 0;
        return STELE_OK;
    }
    rc = sti_log_load(log, c->seg, err);
    if (rc == STELE_OK && c->seg->damaged && c->id == c->seg->damage_id) {
        c->at = c->seg->damage_at;
    } else if (rc == STELE_OK) {
        rc = sti_log_locate(log, c->seg, &reader, c->id, &c->at, err);
    }
    sti_wal_reader_free(&reader);
    return rc;
}

/* ---- In memory. ---- */

static void cut_list(struct sti_log *log, struct cut *c)
{
    struct sti_segment *seg = c->seg;

    sti_mutex_lock(&log->view);
    for (size_t i = 0; i < c->count; i++) {
        c->gone[i] = sti_log_list_remove_locked(log, c->index);
    }
    c->old_end = atomic_load(&seg->end);
    c->old_seg_next = atomic_load(&seg->next_id);
    c->old_sealed = atomic_load(&seg->sealed);
    if (!c->whole) {
        atomic_store(&seg->sealed, true);
        atomic_store(&seg->next_id, c->id);
        atomic_store_explicit(&seg->end, c->at, memory_order_release);
    }
    log->view_generation++;
    sti_mutex_unlock(&log->view);
}

static void undo(struct sti_log *log, struct cut *c)
{
    struct sti_segment *seg = c->seg;

    sti_mutex_lock(&log->view);
    atomic_store_explicit(&seg->end, c->old_end, memory_order_release);
    atomic_store(&seg->next_id, c->old_seg_next);
    atomic_store(&seg->sealed, c->old_sealed);
    for (size_t i = 0; i < c->count; i++) {
        sti_log_list_restore_locked(log, c->index + i, c->gone[i]);
    }
    sti_mutex_unlock(&log->view);
}

/* The cut is made: whoever was to read behind it hears of it. */
static void settle(struct sti_log *log, struct cut *c)
{
    sti_mutex_lock(&log->view);
    if (!c->whole) {
        sti_segment_index_cut(c->seg, c->id);
    }
    for (size_t i = 0; i < c->count; i++) {
        atomic_store(&c->gone[i]->next_id, c->gone[i]->first_id);
        atomic_store_explicit(&c->gone[i]->end, 0, memory_order_release);
        atomic_store_explicit(&c->gone[i]->sealed, true, memory_order_release);
    }
    sti_log_iters_cut_locked(log, c->id, c->old_next);
    log->view_generation++;
    sti_mutex_unlock(&log->view);
}

/* ---- Format stele. ---- */

/* What lies behind the cut goes, and a seal says so: both for the sake of order alone, since the
 * manifest has decided. Not where somebody reads, who may have been lent a record there. */
static stele_code tidy(struct sti_log *log, struct cut *c, stele_error *err)
{
    struct sti_file f = {0};
    uint8_t *seal = NULL;
    size_t len = 0;
    stele_code rc = sti_file_open(&f, &log->dir, c->seg->name, STELE_OPEN_WRITE, err);

    rc = rc != STELE_OK
                 ? rc
                 : sti_segment_encode_seal(c->seg, atomic_load(&c->seg->end), &seal, &len, err);
    rc = rc != STELE_OK ? rc : sti_file_write(&f, c->at, seal, len, err);
    /* The file is not to be used again, be it that only a part of this is done. */
    c->seg->capacity = 0;
    rc = rc != STELE_OK ? rc : sti_file_truncate(&f, c->at + len, err);
    rc = rc != STELE_OK ? rc : sti_file_sync(&f, false, err);
    sti_free(seal);
    sti_file_close(&f);
    return rc;
}

static bool may_tidy(const struct sti_log *log, const struct cut *c)
{
    /* Two hold it: the list, and this. */
    return !c->whole && c->seg->indexed && !c->seg->damaged && atomic_load(&c->seg->refs) == 2 &&
           atomic_load(&log->failed) == STELE_OK;
}

static stele_code truncate_locked(struct sti_log *log, struct cut *c, stele_error *err)
        STI_REQUIRES(log->files)
{
    stele_code rc = STELE_OK;

    cut_list(log, c);
    if (!STI_MUTANT(WAL_TRUNCATE_NOT_DURABLE)) {
        rc = sti_log_save_locked(log, false, err);
    }
    if (rc == STELE_ENOSPC || rc == STELE_ENOMEM) {
        undo(log, c);
        return rc;
    }
    log->head = NULL;
    log->ahead = false;
    settle(log, c);
    if (c->whole) {
        /* It is to be alone. */
        sti_segment_drop(c->seg);
        c->seg = NULL;
    }
    for (size_t i = 0; i < c->count; i++) {
        if (rc == STELE_OK) {
            sti_log_measure(c->gone[i]);
            sti_log_retire_locked(log, c->gone[i]);
        } else {
            /* The manifest that a failure leaves may list it. */
            sti_segment_drop(c->gone[i]);
        }
    }
    sti_log_rebase(log, c->id);
    return rc == STELE_OK ? rc : sti_log_fail_in_doubt(log, rc, err);
}

static stele_code truncate_stele(struct sti_log *log, struct cut *c, stele_error *err)
{
    stele_error why;
    stele_code rc;

    sti_mutex_lock(&log->files);
    rc = truncate_locked(log, c, err);
    sti_mutex_unlock(&log->files);
    if (rc == STELE_OK && may_tidy(log, c) && tidy(log, c, &why) != STELE_OK) {
        sti_env_log(&log->env, STELE_LOG_WARN, "log %s: what a truncation left: %s", log->path,
                why.message);
    }
    return rc;
}

/* ---- Format blb. ---- */

static stele_code copy_bytes(struct sti_segment *from, struct sti_file *to, uint64_t len,
        uint8_t *buffer, stele_error *err)
{
    stele_code rc = STELE_OK;

    for (uint64_t at = 0; at < len && rc == STELE_OK;) {
        size_t step = len - at < COPY_BUFFER ? (size_t)(len - at) : COPY_BUFFER;

        rc = sti_file_read(&from->file, at, buffer, step, err);
        rc = rc != STELE_OK ? rc : sti_file_write(to, at, buffer, step, err);
        at += step;
    }
    return rc;
}

/* A file under a temporary name with what is kept of the one that holds the cut, synced. */
static stele_code make_copy(
        struct sti_log *log, const struct cut *c, const char *name, stele_error *err)
{
    struct sti_file f = {0};
    uint8_t *buffer = sti_malloc(COPY_BUFFER);
    stele_code rc = buffer != NULL ? STELE_OK : sti_fail_memory(err, COPY_BUFFER);

    rc = rc != STELE_OK ? rc : sti_dir_unlink(&log->dir, name, NULL, err);
    rc = rc != STELE_OK ? rc
                        : sti_file_open(&f, &log->dir, name,
                                  STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL, err);
    rc = rc != STELE_OK ? rc : copy_bytes(c->seg, &f, c->at, buffer, err);
    if (rc == STELE_OK && !STI_MUTANT(WAL_COPY_NOT_SYNCED)) {
        rc = sti_file_sync(&f, false, err);
    }
    sti_file_close(&f);
    sti_free(buffer);
    if (rc != STELE_OK) {
        (void)sti_dir_unlink(&log->dir, name, NULL, NULL);
    }
    return rc;
}

/* The one that takes records from then on: another object for the same file, or its shorter copy,
 * since whoever reads the old one has its descriptor. */
static stele_code make_last(struct sti_log *log, const struct cut *c, struct sti_segment *old,
        struct sti_segment **out, stele_error *err)
{
    struct sti_segment *seg = NULL;
    bool cut = old == c->seg;
    stele_code rc = sti_log_load(log, old, err);

    if (rc == STELE_OK && old->damaged && !cut) {
        rc = sti_segment_fail_damaged(old, err);
    }
    rc = rc != STELE_OK ? rc : sti_wal_segment_new(&seg, STELE_WAL_BLB, old->number, err);
    if (rc != STELE_OK) {
        return rc;
    }
    seg->first_id = old->first_id;
    seg->indexed = true;
    atomic_store(&seg->next_id, cut ? c->id : atomic_load(&old->next_id));
    atomic_store(&seg->end, cut ? c->at : atomic_load(&old->end));
    for (size_t i = 0; i < old->position_count && rc == STELE_OK; i++) {
        rc = sti_segment_index_add(seg, seg->first_id + i * STI_WAL_STRIDE, old->positions[i], err);
    }
    sti_segment_index_cut(seg, atomic_load(&seg->next_id));
    if (rc != STELE_OK) {
        sti_segment_drop(seg);
        return rc;
    }
    *out = seg;
    return STELE_OK;
}

static stele_code sync_names(struct sti_log *log, stele_error *err)
{
    return STI_MUTANT(WAL_REMOVAL_NOT_SYNCED) ? STELE_OK : sti_dir_sync(&log->dir, err);
}

static stele_code remove_files(struct sti_log *log, const struct cut *c, stele_error *err)
{
    stele_code rc = STELE_OK;

    for (size_t i = c->count; i > 0 && rc == STELE_OK; i--) {
        rc = sti_dir_unlink(&log->dir, c->gone[i - 1]->name, NULL, err);
        rc = rc != STELE_OK ? rc : sync_names(log, err);
    }
    return rc;
}

/* Put `fresh` in the place of `old`, which is the last one now. */
static stele_code replace(
        struct sti_log *log, struct sti_segment *old, struct sti_segment *fresh, stele_error *err)
{
    size_t map_len = (size_t)(log->options.segment_size + STELE_WAL_BLB_RECORD_MAX);
    stele_code rc =
            sti_segment_open_file(fresh, &log->dir, true, log->options.no_map, map_len, err);

    if (rc != STELE_OK) {
        return rc;
    }
    atomic_store(&fresh->loaded, true);
    sti_segment_hold(fresh);
    sti_mutex_lock(&log->view);
    log->segments[log->segment_count - 1] = fresh;
    /* An iterator at its end looks for what follows; see next_here(). */
    atomic_store(&old->replaced, true);
    atomic_store_explicit(&old->sealed, true, memory_order_release);
    log->view_generation++;
    sti_mutex_unlock(&log->view);
    sti_segment_drop(old);
    return STELE_OK;
}

static stele_code change_files(struct sti_log *log, struct cut *c, const char *copy,
        struct sti_segment *old, struct sti_segment *fresh, stele_error *err)
        STI_REQUIRES(log->files)
{
    stele_code rc;

    cut_list(log, c);
    rc = STI_MUTANT(WAL_CLAIM_NOT_LOWERED) ? STELE_OK : sti_log_save_locked(log, false, err);
    if (rc == STELE_ENOSPC || rc == STELE_ENOMEM) {
        undo(log, c);
        return rc;
    }
    rc = rc != STELE_OK ? rc : remove_files(log, c, err);
    if (rc == STELE_OK && !c->whole) {
        rc = sti_dir_rename(&log->dir, copy, old->name, err);
        rc = rc != STELE_OK ? rc : sync_names(log, err);
    }
    settle(log, c);
    for (size_t i = 0; i < c->count; i++) {
        sti_segment_drop(c->gone[i]);
    }
    rc = rc != STELE_OK ? rc : replace(log, old, fresh, err);
    log->head = rc == STELE_OK ? fresh : NULL;
    sti_log_rebase(log, c->id);
    return rc == STELE_OK ? rc : sti_log_fail_in_doubt(log, rc, err);
}

static stele_code truncate_blb(struct sti_log *log, struct cut *c, stele_error *err)
{
    struct sti_segment *old = c->whole ? log->segments[c->index - 1] : c->seg;
    struct sti_segment *fresh = NULL;
    char name[STI_WAL_NAME_SIZE];
    stele_code rc = make_last(log, c, old, &fresh, err);

    sti_wal_name_tmp(name, old->name);
    if (rc == STELE_OK && !c->whole) {
        rc = make_copy(log, c, name, err);
    }
    if (rc != STELE_OK) {
        sti_segment_drop(fresh);
        return rc;
    }
    sti_mutex_lock(&log->files);
    rc = change_files(log, c, name, old, fresh, err);
    sti_mutex_unlock(&log->files);
    sti_segment_drop(fresh);
    if (rc != STELE_OK && !c->whole) {
        (void)sti_dir_unlink(&log->dir, name, NULL, NULL);
    }
    return rc;
}

stele_code sti_log_truncate(stele_wal *w, uint64_t last_to_keep, stele_error *err)
{
    struct sti_log *log = (struct sti_log *)(void *)w;
    struct cut c = {0};
    stele_code rc;

    sti_commit_enter(log->commit);
    rc = sti_log_check_usable(log, err);
    if (rc == STELE_OK && choose(log, last_to_keep, &c)) {
        rc = locate(log, &c, err);
        if (rc == STELE_OK) {
            rc = log->format == STELE_WAL_BLB ? truncate_blb(log, &c, err)
                                              : truncate_stele(log, &c, err);
        }
    }
    sti_commit_leave(log->commit);
    sti_segment_drop(c.seg);
    sti_free(c.gone);
    sti_log_tell(log);
    return rc;
}
