/* SPDX-License-Identifier: MIT
 *
 * switch.c: the recording goes on in a new log.
 *
 * The new one is made and named before anybody has to wait for it. The leader ends the old one and
 * syncs it, and then writes the header of the new one: so whoever finds that header knows that
 * nothing of the old log is missing. The header is synced with what comes behind it.
 */
#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"
#include "journal/state.h"

/* As the leader. *left: the old log, to be dropped. */
static stele_code end_head(stele_journal *j, stele_error *err)
{
    uint64_t end = 0;
    stele_code rc = sti_journal_log_seal(j->head, j->durable_end, &end, err);

    if (rc == STELE_ENOMEM) {
        return rc;
    }
    if (rc == STELE_ENOSPC) {
        return sti_journal_log_put_back(j, j->head, NULL) == STELE_OK
                       ? rc
                       : sti_journal_fail_in_doubt(j, rc, err);
    }
    if (!STI_MUTANT(JOURNAL_SEAL_NOT_SYNCED)) {
        rc = rc != STELE_OK ? rc : sti_file_sync(&j->head->file, true, err);
    }
    return rc == STELE_OK ? rc : sti_journal_fail_in_doubt(j, rc, err);
}

static void set_head(stele_journal *j, struct sti_segment *log)
{
    sti_commit_lock(j->commit);
    j->since_open.syncs++;
    j->figures.sealed_logs++;
    j->figures.sealed_size += atomic_load(&j->head->end);
    j->durable_op = j->next_op;
    j->durable_end = 0;
    j->head = log;
    sti_journal_rebase_locked(j);
    sti_commit_unlock(j->commit);
}

/* As the leader. */
static stele_code replace_head(stele_journal *j, struct sti_segment *log, stele_error *err)
{
    uint64_t next_op = atomic_load(&j->head->next_id);
    stele_code rc = STELE_OK;

    if (rc == STELE_OK && STI_MUTANT(JOURNAL_HEADER_EARLY)) {
        rc = sti_journal_log_begin(log, next_op, err);
        rc = rc != STELE_OK ? rc : sti_file_sync(&log->file, true, err);
    }
    rc = rc != STELE_OK ? rc : end_head(j, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_journal_log_begin(log, next_op, err);
    if (rc != STELE_OK) {
        return sti_journal_fail_in_doubt(j, rc, err);
    }
    set_head(j, log);
    return STELE_OK;
}

static bool is_empty(const struct sti_segment *log)
{
    return atomic_load(&log->next_id) == log->first_id;
}

stele_code sti_journal_switch_locked(stele_journal *j, stele_error *err)
{
    struct sti_segment *log = NULL;
    struct sti_segment *unused;
    uint64_t number;
    /* One number is left free in front of it, for a snapshot. */
    stele_code rc = sti_journal_new_number(j, j->highest, 2, &number, err);

    rc = rc != STELE_OK ? rc : sti_journal_log_new(j, number, 0, &log, err);
    if (rc != STELE_OK) {
        return rc;
    }
    j->highest = number;
    unused = log;
    sti_commit_enter(j->commit);
    sti_assert(j->head != NULL);
    /* What was pending may have failed, and be gone. */
    rc = STI_MUTANT(JOURNAL_SWITCH_IGNORES_FAILURE) ? STELE_OK : sti_journal_check_usable(j, err);
    if (rc == STELE_OK && !is_empty(j->head)) {
        struct sti_segment *old = j->head;

        rc = replace_head(j, log, err);
        unused = rc == STELE_OK ? NULL : log;
        if (rc == STELE_OK) {
            sti_segment_drop(old);
        }
    }
    sti_commit_leave(j->commit);
    if (unused != NULL) {
        sti_journal_log_forget(j, unused);
    }
    return rc;
}
