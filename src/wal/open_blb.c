/* SPDX-License-Identifier: MIT
 *
 * open_blb.c: a writer opens a log of format blb.
 *
 * As with format stele, all is looked at first; then what is torn at the end of the last file goes
 * to quarantine and is cut, and the manifest claims what is there.
 */
#include "base/error.h"
#include "base/mutant.h"
#include "wal/open.h"

#include <stdio.h>

static stele_code fail_bad(
        const struct sti_blb_files *all, const struct sti_wal_manifest *manifest, stele_error *err)
{
    struct sti_segment missing = {.number = 0};

    if (all->bad_at < all->count) {
        return sti_segment_fail_lost(all->files[all->bad_at].seg, all->first_lost, all->last_lost,
                all->position, err, all->text);
    }
    sti_wal_name_segment(missing.name, STELE_WAL_BLB, manifest->entries[0].number);
    return sti_segment_fail_lost(
            &missing, all->first_lost, all->last_lost, all->position, err, all->text);
}

/* Have nothing behind the last whole record of the newest file. */
static stele_code cut(struct sti_log *log, struct sti_blb_file *f, stele_error *err)
{
    char name[STI_WAL_NAME_SIZE];
    stele_code rc = STELE_OK;

    if (STI_MUTANT(WAL_TORN_TAIL_KEPT)) {
        return STELE_OK;
    }
    if ((f->scan.torn && STI_MUTANT(WAL_TORN_TAIL_FATAL)) ||
            (!f->scan.torn && STI_MUTANT(WAL_ZERO_TAIL_FATAL))) {
        return sti_segment_fail_lost(
                f->seg, f->scan.next_id, 0, (int64_t)f->scan.end, err, "the tail is torn");
    }
    if (f->scan.torn) {
        rc = sti_wal_quarantine(
                &log->dir, &f->seg->file, f->seg->name, f->scan.end, f->scan.torn_end, name, err);
        if (rc == STELE_ENOSPC) {
            /* They stand in the way of the next record, and were never acknowledged. */
            (void)snprintf(name, sizeof name, "no file, since the disk is full");
            rc = STELE_OK;
        }
        if (rc == STELE_OK) {
            sti_log_tell_cut(log, f->seg->name, f->scan.end, f->scan.torn_end, name);
        }
    }
    rc = rc != STELE_OK ? rc : sti_file_truncate(&f->seg->file, f->scan.end, err);
    if (rc == STELE_OK && !STI_MUTANT(WAL_CUT_NOT_SYNCED)) {
        rc = sti_file_sync(&f->seg->file, false, err);
    }
    return rc;
}

/* The newest file, of which the manifest surely says `claimed` bytes. */
static stele_code settle_newest(
        struct sti_log *log, struct sti_blb_file *f, uint64_t claimed, stele_error *err)
{
    uint64_t len = log->options.segment_size + STELE_WAL_BLB_RECORD_MAX;
    stele_code rc = STELE_OK;

    if (f->scan.records == 0 && f->seg->number > 0 && STI_MUTANT(WAL_TORN_FIRST_FATAL)) {
        return sti_segment_fail_lost(
                f->seg, f->scan.next_id, 0, (int64_t)f->scan.end, err, "there is no record");
    }
    if (f->scan.end < f->scan.file_size) {
        rc = cut(log, f, err);
    }
    if (rc == STELE_OK && claimed != f->scan.end &&
            !(f->scan.torn && STI_MUTANT(WAL_CUT_NOT_SYNCED))) {
        rc = sti_wal_renew(&f->seg->file, claimed < f->scan.end ? claimed : 0, f->scan.end, err);
    }
    len = len > f->scan.end ? len : f->scan.end;
    rc = rc != STELE_OK ? rc
                        : sti_segment_open_file(
                                  f->seg, &log->dir, true, log->options.no_map, (size_t)len, err);
    if (rc == STELE_OK) {
        atomic_store(&f->seg->loaded, true);
    }
    return rc;
}

static stele_code push_all(struct sti_log *log, struct sti_blb_files *all, stele_error *err)
{
    stele_code rc = STELE_OK;

    sti_mutex_lock(&log->view);
    for (size_t i = 0; i < all->count && rc == STELE_OK; i++) {
        struct sti_blb_file *f = &all->files[i];

        if (i + 1 < all->count && f->scan.records == 0 && !f->seg->damaged) {
            continue; /* an empty file between others, from which nothing is missing */
        }
        rc = sti_log_list_push_locked(log, f->seg, err);
        if (rc == STELE_OK) {
            log->head = f->seg;
            f->seg = NULL;
        }
    }
    sti_mutex_unlock(&log->view);
    return rc;
}

/* Whether the manifest says of the newest file all that there is, and nothing is in doubt. */
static bool is_claimed(const struct sti_log *log, const struct sti_blb_file *newest)
{
    const struct sti_wal_manifest *m = &log->manifest;

    return m->clean && m->count == 1 && m->entries[0].number == newest->seg->number &&
           m->entries[0].end == newest->scan.end && newest->scan.end == newest->scan.file_size;
}

static stele_code save(struct sti_log *log, stele_error *err)
{
    stele_code rc;

    sti_mutex_lock(&log->files);
    sti_wal_manifest_close(&log->manifest_file);
    rc = sti_log_save_locked(log, false, err);
    if (rc == STELE_ENOSPC && log->manifest.generation > 0) {
        struct sti_wal_manifest again;

        rc = sti_wal_manifest_read(&log->dir, &again, NULL, &log->manifest_file, err);
        if (rc == STELE_OK) {
            sti_wal_manifest_free(&again);
            rc = sti_log_save_locked(log, false, err);
        }
    }
    sti_mutex_unlock(&log->files);
    return rc;
}

static stele_code open_files(
        struct sti_log *log, struct sti_blb_files *all, bool *dirty, stele_error *err)
{
    struct sti_blb_file *newest = &all->files[all->count - 1];
    const struct sti_wal_manifest *m = &log->manifest;
    uint64_t claimed = 0;
    stele_code rc;

    log->manifest.format = STELE_WAL_BLB;
    log->manifest.next_number = newest->seg->number + 1;
    if (m->count == 1 && m->entries[0].number == newest->seg->number) {
        claimed = m->entries[0].end;
    }
    *dirty = !is_claimed(log, newest);
    rc = settle_newest(log, newest, claimed, err);
    return rc != STELE_OK ? rc : push_all(log, all, err);
}

stele_code sti_log_open_blb(struct sti_log *log, const struct sti_wal_listing *listing,
        bool has_manifest, stele_error *err)
{
    struct sti_blb_files all;
    bool dirty = false;
    stele_code rc =
            sti_blb_scan(&all, &log->dir, listing, has_manifest ? &log->manifest : NULL, true, err);

    if (rc == STELE_OK && all.text != NULL && !STI_MUTANT(WAL_MISSING_UNNOTICED)) {
        rc = fail_bad(&all, &log->manifest, err);
    }
    if (rc == STELE_OK && all.count > 0) {
        rc = open_files(log, &all, &dirty, err);
    }
    sti_blb_files_free(&all);
    if (rc == STELE_OK && log->head == NULL) {
        rc = sti_log_begin(log, 1, 0, err);
    } else if (rc == STELE_OK && (dirty || sti_log_has_leftovers(log, listing))) {
        rc = save(log, err);
    } else if (rc == STELE_OK && log->manifest_differs) {
        rc = save(log, err);
        rc = rc == STELE_ENOSPC ? STELE_OK : rc;
    }
    rc = rc != STELE_OK ? rc : sti_log_remove_leftovers(log, listing, err);
    if (rc == STELE_OK) {
        sti_log_rebase(log, atomic_load(&log->head->next_id));
    }
    return rc;
}
