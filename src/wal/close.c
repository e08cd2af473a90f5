/* SPDX-License-Identifier: MIT
 *
 * close.c: closing a log on files.
 *
 * A mark behind the last record tells the next open that nothing is in doubt. Where there is no
 * record that a mark could stand behind, the manifest says so.
 */
#include "base/error.h"
#include "base/mutant.h"
#include "wal/log.h"

/* What is pending still; failures that were there before are none of close's. */
static stele_code finish_appends(struct sti_log *log, stele_error *err)
{
    uint64_t done = sti_commit_done(log->commit);
    uint64_t last;

    sti_commit_lock(log->commit);
    last = sti_commit_last(log->commit);
    sti_commit_unlock(log->commit);
    return last > done && !STI_MUTANT(WAL_CLOSE_DROPS_PENDING)
                   ? sti_commit_wait(log->commit, last, NULL, err)
                   : STELE_OK;
}

static stele_code write_mark(struct sti_log *log, stele_error *err)
{
    struct sti_segment *head = log->head;
    uint64_t end = atomic_load(&head->end);
    uint8_t frame[STI_WAL_FRAME_SIZE];
    stele_code rc;

    (void)sti_wal_frame_encode(frame, STELE_WAL_STELE, STI_WAL_MARK, atomic_load(&head->next_id),
            head->salt, (uint32_t)end, stele_nil());
    rc = sti_file_write(&head->file, end, frame, sizeof frame, err);
    if (rc == STELE_OK && !STI_MUTANT(WAL_MARK_NOT_SYNCED)) {
        rc = sti_file_sync(&head->file, true, err);
    }
    if (rc == STELE_OK) {
        head->marked_at = end;
    }
    return rc;
}

/* Whether the manifest says of the last file what is there. */
static bool claims_all(const struct sti_log *log) STI_REQUIRES(log->files)
{
    const struct sti_wal_manifest *m = &log->manifest;

    return m->clean &&
           (log->head == NULL || log->format == STELE_WAL_STELE ||
                   (m->count > 0 && m->entries[m->count - 1].number == log->head->number &&
                           m->entries[m->count - 1].end == atomic_load(&log->head->end)));
}

static stele_code leave_clean(struct sti_log *log, stele_error *err)
{
    struct sti_segment *head = log->head;
    bool with_mark = log->format == STELE_WAL_STELE && head != NULL &&
                     atomic_load(&head->end) > 0 && !atomic_load(&head->sealed);
    stele_code rc = sti_log_check_usable(log, err);

    if (rc != STELE_OK) {
        return rc;
    }
    sti_mutex_lock(&log->files);
    sti_log_drop_spare_locked(log);
    if (!with_mark && !claims_all(log)) {
        rc = sti_log_save_locked(log, true, err);
    }
    sti_mutex_unlock(&log->files);
    if (with_mark && head->marked_at == 0) {
        rc = write_mark(log, err);
    }
    sti_log_tell(log);
    return rc;
}

stele_code sti_log_close(stele_wal *w, stele_error *err)
{
    struct sti_log *log = (struct sti_log *)(void *)w;
    stele_code rc = STELE_OK;
    bool busy;

    sti_mutex_lock(&log->view);
    busy = log->iters != NULL;
    sti_mutex_unlock(&log->view);
    if (busy) {
        return sti_fail(err, STELE_ESTATE, "an iterator is open");
    }
    if (!log->base.read_only) {
        stele_code left;

        sti_log_work_stop(log);
        rc = finish_appends(log, err);
        sti_commit_enter(log->commit);
        left = leave_clean(log, rc == STELE_OK ? err : NULL);
        rc = rc != STELE_OK ? rc : left;
        sti_commit_leave(log->commit);
    }
    sti_log_free(log);
    return rc;
}
