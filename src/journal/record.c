/* SPDX-License-Identifier: MIT
 *
 * record.c: the beginning of a recording.
 */
#include "base/error.h"
#include "base/mutant.h"
#include "journal/state.h"

void sti_journal_figures_of(struct sti_journal_figures *out, const struct sti_journal_chain *chain)
{
    memset(out, 0, sizeof *out);
    out->end = chain->end;
    if (chain->snap.seg != NULL) {
        out->has_snap = true;
        out->snap_number = chain->snap.number;
        out->snap_size = chain->snap.size;
    }
    out->sealed_logs = chain->log_count;
    for (size_t i = 0; i < chain->log_count; i++) {
        out->sealed_size += chain->logs[i].size;
    }
}

/* A new log behind what there is. */
static stele_code begin(
        stele_journal *j, const struct sti_journal_chain *chain, uint64_t next_op, stele_error *err)
{
    struct sti_segment *log = NULL;
    uint64_t number;
    stele_code rc = sti_journal_new_number(j, chain->highest, 2, &number, err);

    rc = rc != STELE_OK ? rc : sti_journal_log_new(j, number, next_op, &log, err);
    if (rc != STELE_OK) {
        return rc;
    }
    sti_mutex_lock(&j->merge_mutex);
    j->highest = number;
    sti_mutex_unlock(&j->merge_mutex);
    sti_commit_lock(j->commit);
    j->head = log;
    j->durable_end = atomic_load(&log->end);
    j->durable_op = next_op;
    atomic_store(&j->sync_upto, 0);
    sti_journal_figures_of(&j->figures, chain);
    j->retry_size = 0;
    j->retry_ops = 0;
    sti_journal_rebase_locked(j);
    sti_commit_unlock(j->commit);
    return STELE_OK;
}

static void set_recording(stele_journal *j)
{
    sti_commit_lock(j->commit);
    atomic_store(&j->state, STELE_JOURNAL_RECORDING);
    sti_commit_unlock(j->commit);
}

static stele_code settle_and_begin(stele_journal *j, stele_error *err)
{
    struct sti_journal_chain chain;
    uint64_t next_op = 1;
    stele_code rc = sti_journal_settle(j, &chain, STI_CHAIN_SHALLOW, &next_op, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = begin(j, &chain, next_op, err);
    sti_journal_chain_free(&chain);
    return rc;
}

static stele_code record_locked(stele_journal *j, stele_error *err) STI_REQUIRES(j->state_mutex)
{
    stele_code rc = STELE_OK;

    if (atomic_load(&j->state) != STELE_JOURNAL_STOPPED) {
        return sti_fail(err, STELE_ESTATE, "the journal is %s already",
                atomic_load(&j->state) == STELE_JOURNAL_PLAYING ? "playing" : "recording");
    }
    rc = sti_journal_check_usable(j, err);
    rc = rc != STELE_OK ? rc
                        : sti_lock_take(&j->lock, &j->dir, STI_JOURNAL_LOCK_NAME, true,
                                  j->options.lock_wait_ms, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (STI_MUTANT(JOURNAL_LOCK_DROPPED)) {
        sti_file_close(&j->lock);
    }
    rc = settle_and_begin(j, err);
    if (rc == STELE_OK) {
        set_recording(j);
        rc = sti_journal_work_start(j, err);
        if (rc != STELE_OK) {
            (void)sti_journal_stop_locked(j, NULL);
        }
    }
    if (rc != STELE_OK) {
        sti_file_close(&j->lock);
    }
    return rc;
}

stele_code stele_journal_record(stele_journal *journal, stele_error *err)
{
    stele_code rc;
    bool with_thread;

    if (journal == NULL) {
        return sti_fail(err, STELE_EINVAL, "no journal");
    }
    sti_mutex_lock(&journal->state_mutex);
    rc = record_locked(journal, err);
    with_thread = atomic_load(&journal->work_running);
    sti_mutex_unlock(&journal->state_mutex);
    sti_journal_tell(journal);
    if (rc != STELE_OK) {
        return sti_wrap(err, rc, "record in journal %s", journal->dir.path);
    }
    /* The logs that were there may be too big already. */
    if (with_thread) {
        sti_journal_work_merge(journal);
    } else {
        sti_journal_merge_if_wanted(journal);
    }
    return STELE_OK;
}
