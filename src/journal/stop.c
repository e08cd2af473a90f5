/* SPDX-License-Identifier: MIT
 *
 * stop.c: the end of a recording.
 *
 * First nobody can dump any more; then the merges that are under way, or wanted, come to their end;
 * then the newest log is sealed, and its blocks behind the seal are given back. A seal for which
 * there is no room is no failure: all that was dumped is durable without it, and the next recorder
 * adds it.
 */
#include "base/error.h"
#include "base/mutant.h"
#include "journal/state.h"

static void refuse_dumps(stele_journal *j)
{
    sti_commit_enter(j->commit);
    sti_commit_lock(j->commit);
    atomic_store(&j->state, STELE_JOURNAL_STOPPED);
    sti_commit_unlock(j->commit);
    sti_commit_leave(j->commit);
}

/* One sync for all of it: nothing of the log is promised before, but what is durable already. */
static stele_code seal(stele_journal *j, stele_error *err)
{
    struct sti_segment *head = j->head;
    uint64_t end = 0;
    stele_code rc = sti_journal_log_seal(head, j->durable_end, &end, err);

    if (rc == STELE_ENOSPC || rc == STELE_ENOMEM) {
        rc = sti_journal_log_put_back(j, head, err);
        return rc == STELE_OK ? rc : sti_journal_fail_in_doubt(j, rc, err);
    }
    rc = rc != STELE_OK ? rc : sti_file_truncate(&head->file, end, err);
    if (!STI_MUTANT(JOURNAL_STOP_NOT_SYNCED)) {
        rc = rc != STELE_OK ? rc : sti_file_sync(&head->file, false, err);
    }
    return rc == STELE_OK ? rc : sti_journal_fail_in_doubt(j, rc, err);
}

/* As the leader. A log without operations is of no use. */
static stele_code end_head(stele_journal *j, stele_error *err)
{
    struct sti_segment *head = j->head;
    bool empty = atomic_load(&head->next_id) == head->first_id;
    stele_code rc = sti_journal_check_usable(j, err);

    if (rc == STELE_OK && !empty) {
        rc = seal(j, err);
    }
    sti_commit_lock(j->commit);
    if (rc == STELE_OK) {
        j->durable_op = j->next_op;
    }
    j->head = NULL;
    sti_commit_unlock(j->commit);
    if (rc == STELE_OK && empty && !STI_MUTANT(JOURNAL_EMPTY_LOG_KEPT)) {
        sti_journal_log_forget(j, head);
        return sti_journal_sync_names(j, err);
    }
    sti_segment_drop(head);
    return rc;
}

stele_code sti_journal_stop_locked(stele_journal *j, stele_error *err)
{
    stele_code rc;

    refuse_dumps(j);
    sti_journal_work_stop(j);
    sti_mutex_lock(&j->merge_mutex);
    sti_commit_enter(j->commit);
    rc = end_head(j, err);
    sti_commit_leave(j->commit);
    sti_mutex_unlock(&j->merge_mutex);
    sti_file_close(&j->lock);
    return rc;
}

stele_code stele_journal_stop(stele_journal *journal, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (journal == NULL) {
        return sti_fail(err, STELE_EINVAL, "no journal");
    }
    sti_mutex_lock(&journal->state_mutex);
    switch (atomic_load(&journal->state)) {
    case STELE_JOURNAL_RECORDING:
        rc = sti_journal_stop_locked(journal, err);
        break;
    case STELE_JOURNAL_PLAYING:
        rc = sti_fail(err, STELE_ESTATE, "the journal is playing");
        break;
    default:
        break;
    }
    sti_mutex_unlock(&journal->state_mutex);
    sti_journal_tell(journal);
    return rc == STELE_OK ? rc : sti_wrap(err, rc, "stop journal %s", journal->dir.path);
}
