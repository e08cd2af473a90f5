/* SPDX-License-Identifier: MIT
 *
 * files.c: which files a log has: preparing, beginning and retiring segments.
 *
 * A file that the manifest does not list is of no account: so one is made, synced and named before
 * it is listed, and removed or used again only after it is listed no more.
 */
#include "base/assert.h"
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "wal/log.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- Failures. ---- */

stele_code sti_log_fail(struct sti_log *log, stele_code code, const stele_error *why)
{
    sti_commit_lock(log->commit);
    if (atomic_load(&log->failed) == STELE_OK) {
        (void)snprintf(log->failed_text, sizeof log->failed_text, "%.*s",
                (int)sizeof log->failed_text - 1,
                why != NULL && why->code == code ? why->message : stele_code_text(code));
        atomic_store(&log->failed, code);
    }
    sti_commit_unlock(log->commit);
    return code;
}

stele_code sti_log_check_usable(struct sti_log *log, stele_error *err)
{
    if (log->base.read_only) {
        return sti_fail(err, STELE_EREADONLY, "the log is open for reading only");
    }
    if (atomic_load(&log->failed) != STELE_OK && !STI_MUTANT(WAL_FAILURE_FORGOTTEN)) {
        return sti_fail(err, STELE_EFAILED, "an earlier write failed, reopen to recover: %s",
                log->failed_text);
    }
    return STELE_OK;
}

/* What cannot be logged now, since a lock is held. */
static void note_locked(struct sti_log *log, const stele_error *err) STI_REQUIRES(log->files)
{
    (void)snprintf(log->note, sizeof log->note, "%.*s", (int)sizeof log->note - 1, err->message);
}

void sti_log_tell(struct sti_log *log)
{
    char text[sizeof log->note];

    sti_mutex_lock(&log->files);
    memcpy(text, log->note, sizeof text);
    log->note[0] = '\0';
    sti_mutex_unlock(&log->files);
    if (text[0] != '\0') {
        sti_env_log(&log->env, STELE_LOG_WARN, "log %s: %s", log->path, text);
    }
}

/* ---- The manifest. ---- */

static void entry_of(const struct sti_segment *seg, struct sti_wal_entry *entry)
{
    uint64_t next = atomic_load(&seg->next_id);

    memset(entry, 0, sizeof *entry);
    entry->number = seg->number;
    entry->end = atomic_load(&seg->end);
    entry->first_id = entry->end > 0 ? seg->first_id : 0;
    if (seg->format == STELE_WAL_BLB) {
        entry->first_id = next > seg->first_id ? seg->first_id : 0;
        return;
    }
    if (atomic_load(&seg->sealed)) {
        entry->state = STI_WAL_ENTRY_SEALED;
        entry->last_id = next - 1;
        return;
    }
    entry->state = seg->reused ? STI_WAL_ENTRY_REUSED : STI_WAL_ENTRY_OPEN;
    entry->size = seg->allocated ? seg->capacity : 0;
}

static stele_code add_segment(
        struct sti_wal_manifest *m, const struct sti_segment *seg, stele_error *err)
{
    struct sti_wal_entry entry;

    /* One that was sealed without a record is not listed. */
    if (seg->format == STELE_WAL_STELE && atomic_load(&seg->sealed) &&
            atomic_load(&seg->next_id) == seg->first_id) {
        return STELE_OK;
    }
    entry_of(seg, &entry);
    if (m->next_number <= seg->number) {
        m->next_number = seg->number + 1;
    }
    return sti_wal_manifest_add(m, &entry, err);
}

static stele_code collect(struct sti_log *log, struct sti_wal_manifest *m, stele_error *err)
        STI_REQUIRES(log->files)
{
    stele_code rc = STELE_OK;
    size_t i;

    sti_mutex_lock(&log->view);
    i = log->format == STELE_WAL_BLB && log->segment_count > 0 ? log->segment_count - 1 : 0;
    for (; i < log->segment_count && rc == STELE_OK; i++) {
        rc = add_segment(m, log->segments[i], err);
    }
    sti_mutex_unlock(&log->view);
    if (rc == STELE_OK && log->prepared.segment != NULL) {
        rc = add_segment(m, log->prepared.segment, err);
    }
    return rc;
}

stele_code sti_log_save_locked(struct sti_log *log, bool clean, stele_error *err)
{
    struct sti_wal_manifest m = {
            .format = log->format,
            .leftovers = log->manifest.leftovers,
            .clean = clean,
            .generation = log->manifest.generation,
            /* The reference gives numbers again that a truncation has freed. */
            .next_number = log->format == STELE_WAL_BLB ? 0 : log->manifest.next_number,
    };
    stele_code rc = collect(log, &m, err);

    rc = rc != STELE_OK ? rc : sti_wal_manifest_write(&log->dir, &log->manifest_file, &m, err);
    if (rc != STELE_OK) {
        sti_wal_manifest_free(&m);
        return sti_wrap(err, rc, "write the manifest");
    }
    sti_wal_manifest_free(&log->manifest);
    log->manifest = m;
    return STELE_OK;
}

/* ---- Preparing. ---- */

/* A new file with its blocks, or, where they cannot be had ahead, with its length. */
static stele_code create_file(
        struct sti_log *log, struct sti_segment *seg, uint64_t size, stele_error *err)
{
    stele_code rc = sti_dir_unlink(&log->dir, seg->name, NULL, err);

    rc = rc != STELE_OK ? rc
                        : sti_file_open(&seg->file, &log->dir, seg->name,
                                  STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_file_allocate(&seg->file, 0, size, err);
    seg->allocated = rc == STELE_OK;
    if (rc == STELE_ENOTSUP) {
        rc = sti_file_truncate(&seg->file, size, err);
    }
    seg->capacity = size;
    if (rc != STELE_OK) {
        (void)sti_dir_unlink(&log->dir, seg->name, NULL, NULL);
    }
    return rc;
}

/* The spare file under the name of `seg`. Its header goes first, durably: under the new name it is
 * a segment that was not begun. */
static stele_code reuse_file(struct sti_log *log, struct sti_segment *seg, stele_error *err)
        STI_REQUIRES(log->files)
{
    static const uint8_t zeros[STI_WAL_HEADER_SIZE] = {0};
    struct sti_segment *spare = log->spare;
    struct sti_file f = {0};
    stele_code rc = sti_file_open(&f, &log->dir, spare->name, STELE_OPEN_WRITE, err);

    if (rc == STELE_OK && !STI_MUTANT(WAL_HEADER_NOT_ZEROED)) {
        rc = sti_file_write(&f, 0, zeros, sizeof zeros, err);
    }
    if (rc == STELE_OK && !STI_MUTANT(WAL_REUSE_NOT_SYNCED)) {
        rc = sti_file_sync(&f, false, err);
    }
    rc = rc != STELE_OK ? rc : sti_dir_rename(&log->dir, spare->name, seg->name, err);
    sti_file_close(&f);
    rc = rc != STELE_OK ? rc
                        : sti_file_open(&seg->file, &log->dir, seg->name, STELE_OPEN_WRITE, err);
    seg->reused = true;
    seg->allocated = true;
    seg->capacity = spare->capacity;
    seg->salt = spare->salt;
    return rc;
}

static bool spare_fits(struct sti_log *log, uint64_t size) STI_REQUIRES(log->files)
{
    return log->spare != NULL && log->spare->capacity >= size;
}

void sti_log_drop_spare_locked(struct sti_log *log)
{
    stele_error err;

    if (log->spare != NULL) {
        if (sti_dir_unlink(&log->dir, log->spare->name, NULL, &err) != STELE_OK) {
            note_locked(log, &err);
        }
        sti_segment_drop(log->spare);
        log->spare = NULL;
    }
}

/* A file for the next number: whole and named, durably, but not listed yet. */
static stele_code make_segment(struct sti_log *log, uint64_t capacity, struct sti_segment **out,
        stele_error *err) STI_REQUIRES(log->files)
{
    uint64_t size = capacity > log->options.segment_size ? capacity : log->options.segment_size;
    struct sti_segment *seg = NULL;
    stele_code rc;

    if (size > UINT32_MAX) {
        return sti_fail(err, STELE_ETOOBIG, "a segment cannot have %" PRIu64 " bytes", size);
    }
    rc = sti_wal_segment_new(&seg, log->format, log->manifest.next_number, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (spare_fits(log, size)) {
        rc = reuse_file(log, seg, err);
        if (rc != STELE_OK) {
            /* It may have either name, and is of no use under both. */
            sti_log_drop_spare_locked(log);
        } else {
            sti_segment_drop(log->spare);
            log->spare = NULL;
            sti_mutex_lock(&log->view);
            log->stats.recycled++;
            sti_mutex_unlock(&log->view);
        }
    } else {
        sti_log_drop_spare_locked(log);
        rc = create_file(log, seg, size, err);
        if (rc == STELE_OK && !STI_MUTANT(WAL_PREPARED_NOT_SYNCED)) {
            rc = sti_file_sync(&seg->file, false, err);
        }
    }
    if (rc == STELE_OK && !STI_MUTANT(WAL_PREPARED_NAME_NOT_SYNCED)) {
        rc = sti_dir_sync(&log->dir, err);
    }
    rc = rc != STELE_OK ? rc
                        : sti_segment_open_file(seg, &log->dir, true, log->options.no_map,
                                  (size_t)seg->capacity, err);
    if (rc != STELE_OK) {
        sti_segment_drop(seg);
        return sti_wrap(err, rc, "prepare a segment");
    }
    seg->indexed = true;
    atomic_store(&seg->loaded, true);
    *out = seg;
    return STELE_OK;
}

stele_code sti_log_prepare_locked(struct sti_log *log, uint64_t capacity, stele_error *err)
{
    struct sti_segment *small = log->prepared.segment;
    struct sti_segment *seg = NULL;
    stele_code rc;

    if (log->format == STELE_WAL_BLB || (small != NULL && small->capacity >= capacity)) {
        return STELE_OK;
    }
    rc = make_segment(log, capacity, &seg, err);
    if (rc != STELE_OK) {
        return rc;
    }
    log->prepared.segment = seg;
    rc = STI_MUTANT(WAL_PREPARED_NOT_LISTED) ? STELE_OK : sti_log_save_locked(log, false, err);
    if (rc != STELE_OK) {
        log->prepared.segment = small;
        if (rc == STELE_ENOSPC || rc == STELE_ENOMEM) {
            (void)sti_dir_unlink(&log->dir, seg->name, NULL, NULL);
        }
        sti_segment_drop(seg);
        return rc;
    }
    if (small != NULL) {
        sti_log_retire_locked(log, small);
    }
    return STELE_OK;
}

/* ---- Beginning. ---- */

/* Put `seg` in place of the last segment, if that one has no record, or behind it. *empty gets the
 * former, or NULL. */
static stele_code list_head(
        struct sti_log *log, struct sti_segment *seg, struct sti_segment **empty, stele_error *err)
{
    struct sti_segment *last;
    stele_code rc;

    *empty = NULL;
    sti_mutex_lock(&log->view);
    last = log->segment_count == 0 ? NULL : log->segments[log->segment_count - 1];
    if (last != NULL && log->format == STELE_WAL_STELE &&
            atomic_load(&last->next_id) == last->first_id) {
        log->segments[log->segment_count - 1] = seg;
        *empty = last;
        rc = STELE_OK;
    } else {
        rc = sti_log_list_push_locked(log, seg, err);
    }
    if (rc == STELE_OK) {
        log->view_generation++;
    }
    sti_mutex_unlock(&log->view);
    return rc;
}

static void set_head(struct sti_log *log, struct sti_segment *seg)
{
    log->head = seg;
    sti_commit_lock(log->commit);
    log->tail = atomic_load(&seg->end);
    sti_commit_unlock(log->commit);
}

static stele_code begin_stele(struct sti_log *log, uint64_t first_id, uint64_t capacity,
        stele_error *err) STI_REQUIRES(log->files)
{
    struct sti_segment *empty;
    struct sti_segment *seg;
    stele_code rc = sti_log_prepare_locked(log, capacity, err);

    if (rc != STELE_OK) {
        return rc;
    }
    seg = log->prepared.segment;
    sti_assert(seg != NULL);
    seg->first_id = first_id;
    seg->salt = sti_segment_new_salt(&log->env, seg->salt);
    atomic_store(&seg->next_id, first_id);
    rc = list_head(log, seg, &empty, err);
    if (rc != STELE_OK) {
        return rc;
    }
    log->prepared.segment = NULL;
    set_head(log, seg);
    if (empty != NULL) {
        rc = sti_log_save_locked(log, false, err);
        if (rc != STELE_OK) {
            sti_segment_drop(empty); /* listed, and empty: of no account */
            return rc;
        }
        sti_log_retire_locked(log, empty);
    }
    return STELE_OK;
}

/* One that was made in vain. */
static void forget_file(struct sti_log *log, struct sti_segment *seg)
{
    (void)sti_dir_unlink(&log->dir, seg->name, NULL, NULL);
    sti_segment_drop(seg);
}

static stele_code begin_blb(struct sti_log *log, uint64_t first_id, stele_error *err)
        STI_REQUIRES(log->files)
{
    struct sti_segment *empty;
    struct sti_segment *seg = NULL;
    stele_code rc = sti_wal_segment_new(&seg, log->format, log->manifest.next_number, err);

    if (rc != STELE_OK) {
        return rc;
    }
    seg->first_id = first_id;
    atomic_store(&seg->next_id, first_id);
    seg->indexed = true;
    atomic_store(&seg->loaded, true);
    rc = sti_file_open(&seg->file, &log->dir, seg->name,
            STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL, err);
    if (rc != STELE_OK) {
        sti_segment_drop(seg);
        return rc;
    }
    rc = sti_file_sync(&seg->file, false, err);
    if (rc == STELE_OK && !STI_MUTANT(WAL_PREPARED_NAME_NOT_SYNCED)) {
        rc = sti_dir_sync(&log->dir, err);
    }
    if (rc == STELE_OK && !log->options.no_map) {
        uint64_t len = log->options.segment_size + STELE_WAL_BLB_RECORD_MAX;

        (void)sti_segment_open_file(seg, &log->dir, true, false, (size_t)len, NULL);
    }
    rc = rc != STELE_OK ? rc : list_head(log, seg, &empty, err);
    if (rc != STELE_OK) {
        forget_file(log, seg);
        return rc;
    }
    rc = sti_log_save_locked(log, false, err);
    if (rc != STELE_OK) {
        sti_mutex_lock(&log->view);
        (void)sti_log_list_remove_locked(log, log->segment_count - 1);
        sti_mutex_unlock(&log->view);
        if (rc == STELE_ENOSPC || rc == STELE_ENOMEM) {
            forget_file(log, seg);
        } else {
            sti_segment_drop(seg); /* the manifest may claim it */
        }
        return rc;
    }
    set_head(log, seg);
    return STELE_OK;
}

stele_code sti_log_begin(
        struct sti_log *log, uint64_t first_id, uint64_t capacity, stele_error *err)
{
    stele_code rc;

    sti_mutex_lock(&log->files);
    rc = log->format == STELE_WAL_BLB ? begin_blb(log, first_id, err)
                                      : begin_stele(log, first_id, capacity, err);
    sti_mutex_unlock(&log->files);
    sti_log_tell(log);
    return rc;
}

/* ---- Retiring, and putting back. ---- */

void sti_log_retire_locked(struct sti_log *log, struct sti_segment *seg)
{
    uint64_t size = log->options.segment_size;
    stele_error err;

    if (seg->format == STELE_WAL_STELE && log->format == STELE_WAL_STELE &&
            !log->options.no_recycle && log->spare == NULL && seg->capacity >= size &&
            seg->capacity / 2 <= size && sti_segment_is_alone(seg)) {
        char name[STI_WAL_NAME_SIZE];

        /* Under a name that tells a leftover, also where there is no manifest. */
        sti_wal_name_tmp(name, seg->name);
        if (sti_dir_rename(&log->dir, seg->name, name, &err) == STELE_OK) {
            memcpy(seg->name, name, sizeof name);
            log->spare = seg;
            return;
        }
    }
    if (sti_dir_unlink(&log->dir, seg->name, NULL, &err) != STELE_OK) {
        note_locked(log, &err);
    }
    sti_segment_drop(seg);
}

stele_code sti_log_put_back(struct sti_log *log, stele_error *err)
{
    struct sti_segment *seg = log->head;
    stele_code rc = STELE_OK;

    if (seg->allocated) {
        /* The manifest says how long the file is: no longer. */
        seg->allocated = false;
        sti_mutex_lock(&log->files);
        rc = sti_log_save_locked(log, false, err);
        sti_mutex_unlock(&log->files);
    }
    rc = rc != STELE_OK ? rc : sti_file_truncate(&seg->file, atomic_load(&seg->end), err);
    return rc != STELE_OK ? rc : sti_file_sync(&seg->file, false, err);
}
