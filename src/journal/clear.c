/* SPDX-License-Identifier: MIT
 *
 * clear.c: forgetting everything.
 *
 * The moment is an empty snapshot that is newer than all: whatever of the old files is left then,
 * is superseded. They go, and at last the empty snapshot; while recording a new log is made in
 * between, which begins anew with operation 1.
 *
 * A disk may be so full that there is no room for that snapshot, also not after the blocks ahead of
 * the newest log were given back. Then files are removed one by one from the newest to the oldest,
 * each removal durable: what a crash leaves meanwhile is a state that the journal once had.
 *
 * Where a sync of the directory has failed, files that were removed may come back after a crash:
 * then the empty snapshot stays, and nothing is removed without it.
 *
 * A journal that is damaged can be cleared, too: nothing is read but names.
 */
#include "base/error.h"
#include "base/mutant.h"
#include "journal/snap.h"
#include "journal/state.h"

struct clearing {
    stele_journal *j;
    struct sti_journal_listing files;
};

/* ---- Removing. ---- */

static stele_code unlink_one(
        struct clearing *c, const struct sti_journal_listed *file, stele_error *err)
{
    char name[STELE_JOURNAL_NAME_SIZE];

    sti_journal_name(name, file->kind, file->number);
    return sti_dir_unlink(&c->j->dir, name, NULL, err);
}

/* The newest first. */
static stele_code remove_all(struct clearing *c, bool one_by_one, stele_error *err)
{
    stele_code rc = STELE_OK;

    for (size_t i = c->files.count; i > 0 && rc == STELE_OK; i--) {
        rc = unlink_one(c, &c->files.items[i - 1], err);
        if (rc == STELE_OK && (one_by_one || i == 1) && !STI_MUTANT(JOURNAL_CLEAR_NOT_SYNCED)) {
            rc = sti_journal_sync_names(c->j, err);
        }
    }
    return rc;
}

/* Durably: its name may have been there for a moment. */
static bool is_missing(stele_journal *j, uint64_t number)
{
    char name[STELE_JOURNAL_NAME_SIZE];
    stele_file_stat stat;

    sti_journal_name(name, STI_JOURNAL_NAME_SNAP, number);
    return sti_journal_sync_names(j, NULL) == STELE_OK &&
           sti_dir_stat(&j->dir, name, &stat, NULL) == STELE_ENOTFOUND;
}

/* The empty snapshot. A failure leaves none, or it is in doubt what there is. */
static stele_code supersede_all(struct clearing *c, uint64_t number, bool *doubt, stele_error *err)
{
    stele_journal *j = c->j;
    stele_code rc = sti_journal_snap_empty(&j->dir, number, err);

    if (rc == STELE_ENOSPC && j->head != NULL) {
        rc = sti_journal_log_put_back(j, j->head, err);
        *doubt = rc != STELE_OK;
        rc = rc != STELE_OK ? rc : sti_journal_snap_empty(&j->dir, number, err);
    }
    if (rc != STELE_OK) {
        *doubt = *doubt || !is_missing(j, number);
    }
    if (rc == STELE_EIO) {
        atomic_store(&j->names_in_doubt, true); /* it syncs them by itself */
    }
    return rc;
}

static stele_code empty(struct clearing *c, uint64_t number, bool *doubt, stele_error *err)
{
    stele_code rc = STELE_OK;

    for (size_t i = 0; i < c->files.count && STI_MUTANT(JOURNAL_CLEAR_SNAP_FIRST); i++) {
        if (c->files.items[i].kind == STI_JOURNAL_NAME_SNAP) {
            sti_journal_remove(c->j, STI_JOURNAL_NAME_SNAP, c->files.items[i].number);
        }
    }
    if (!STI_MUTANT(JOURNAL_CLEAR_NO_EMPTY)) {
        rc = supersede_all(c, number, doubt, err);
    }
    if (rc == STELE_ENOSPC && !*doubt && !atomic_load(&c->j->names_in_doubt)) {
        /* From the first removal on the newest log may be gone. */
        rc = remove_all(c, true, err);
        *doubt = rc != STELE_OK;
        return rc;
    }
    if (rc == STELE_OK) {
        rc = remove_all(c, false, err);
        *doubt = rc != STELE_OK;
    }
    return rc;
}

/* ---- While recording. ---- */

static void begin_anew_locked(stele_journal *j, struct sti_segment *log)
{
    memset(&j->figures, 0, sizeof j->figures);
    j->figures.end.latest = INT64_MIN;
    if (atomic_load(&j->names_in_doubt)) {
        j->figures.has_snap = true;
        j->figures.snap_number = log->number - 1;
    }
    j->head = log;
    j->durable_end = atomic_load(&log->end);
    j->durable_op = 1;
    j->retry_size = 0;
    j->retry_ops = 0;
    atomic_store(&j->sync_upto, 0);
    sti_journal_rebase_locked(j);
}

static stele_code begin_anew(stele_journal *j, uint64_t number, stele_error *err)
{
    struct sti_segment *old = j->head;
    struct sti_segment *log = NULL;
    stele_code rc;

    /* It was removed, and has its blocks as long as it is open. */
    if (!STI_MUTANT(JOURNAL_CLEAR_HOLDS_BLOCKS)) {
        sti_file_close(&old->file);
    }
    rc = sti_journal_log_new(j, number, 1, &log, err);
    if (rc != STELE_OK) {
        return rc;
    }
    j->highest = number;
    sti_commit_lock(j->commit);
    begin_anew_locked(j, log);
    sti_commit_unlock(j->commit);
    sti_segment_drop(old);
    return STELE_OK;
}

/* ---- All of it. ---- */

static stele_code clear_listed(
        struct clearing *c, uint64_t number, bool recording, bool *doubt, stele_error *err)
{
    stele_journal *j = c->j;
    stele_code rc = empty(c, number, doubt, err);

    if (rc == STELE_OK && recording) {
        rc = begin_anew(j, number + 1, err);
        *doubt = rc != STELE_OK;
    }
    if (rc == STELE_OK && !atomic_load(&j->names_in_doubt)) {
        sti_journal_remove(j, STI_JOURNAL_NAME_SNAP, number);
        rc = sti_journal_sync_names(j, err);
    }
    return rc;
}

static stele_code clear_files(stele_journal *j, bool recording, stele_error *err)
{
    struct clearing c = {.j = j};
    uint64_t highest = 0;
    uint64_t number = 0;
    bool doubt = false;
    stele_code rc = sti_journal_listing_read(&c.files, &j->dir, err);

    if (rc == STELE_OK && c.files.count > 0) {
        highest = c.files.items[c.files.count - 1].number;
    }
    rc = rc != STELE_OK ? rc : sti_journal_new_number(j, highest, 2, &number, err);
    if (rc == STELE_OK && (recording || c.files.count > 0)) {
        rc = clear_listed(&c, number - 1, recording, &doubt, err);
    }
    sti_journal_listing_free(&c.files);
    /* The newest log may be superseded, or gone. */
    return doubt && recording ? sti_journal_fail_in_doubt(j, rc, err) : rc;
}

static stele_code clear_recording(stele_journal *j, stele_error *err)
{
    stele_code rc;

    sti_mutex_lock(&j->merge_mutex);
    sti_commit_enter(j->commit);
    rc = sti_journal_check_usable(j, err);
    rc = rc != STELE_OK ? rc : clear_files(j, true, err);
    sti_commit_leave(j->commit);
    sti_mutex_unlock(&j->merge_mutex);
    return rc;
}

static stele_code clear_stopped(stele_journal *j, stele_error *err)
{
    struct sti_file lock = {0};
    stele_code rc = sti_lock_take(
            &lock, &j->dir, STI_JOURNAL_LOCK_NAME, true, j->options.lock_wait_ms, err);

    if (rc == STELE_OK) {
        rc = clear_files(j, false, err);
        sti_file_close(&lock);
    }
    return rc;
}

stele_code stele_journal_clear(stele_journal *journal, stele_error *err)
{
    return sti_journal_by_state(journal, clear_recording, clear_stopped, "clear", err);
}
