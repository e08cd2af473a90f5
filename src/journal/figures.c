/* SPDX-License-Identifier: MIT
 *
 * figures.c: the figures of a handle: of what it records, or else of the directory.
 */
#include "base/error.h"
#include "journal/state.h"

#include <string.h>

static int64_t to_ms(uint64_t ns)
{
    return (int64_t)(ns / 1000000);
}

static void add_since_open_locked(const stele_journal *j, stele_journal_stats *out)
{
    out->dumps = j->since_open.dumps;
    out->syncs = j->since_open.syncs;
    out->merges = j->since_open.merges;
    out->merge_failures = j->since_open.merge_failures;
    out->merge_last_ns = j->since_open.merge_last_ns;
    out->failed = atomic_load(&j->failed) != STELE_OK;
}

static void recording_locked(const stele_journal *j, stele_journal_stats *out)
{
    const struct sti_journal_figures *f = &j->figures;

    memset(out, 0, sizeof *out);
    out->count = j->next_op - 1;
    out->snapshots = f->has_snap ? 1 : 0;
    out->logs = f->sealed_logs + 1;
    out->snapshot_ops = f->end.ops;
    out->snapshot_count = f->end.count;
    out->snapshot_size = f->snap_size;
    out->snapshot_latest = f->end.latest;
    out->snapshot_time = f->has_snap ? (stele_time)(f->snap_number / 1000) : 0;
    out->log_ops = out->count - f->end.count;
    out->log_size = f->sealed_size + j->tail;
    out->replay_ms = to_ms(sti_journal_estimate_ns_locked(j, f->end.ops + out->log_ops));
    add_since_open_locked(j, out);
    out->dumps += j->next_op - atomic_load(&j->head->next_id);
}

static stele_code stat_stopped(stele_journal *j, stele_journal_stats *out, stele_error *err)
{
    stele_code rc = stele_journal_stat_dir(j->dir.path, &j->options, out, err);

    if (rc == STELE_OK) {
        sti_commit_lock(j->commit);
        add_since_open_locked(j, out);
        out->replay_ms = to_ms(sti_journal_estimate_ns_locked(j, out->snapshot_ops + out->log_ops));
        sti_commit_unlock(j->commit);
    }
    return rc;
}

stele_code stele_journal_stat(stele_journal *journal, stele_journal_stats *out, stele_error *err)
{
    bool recording;

    if (journal == NULL || out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no journal, or no place for the figures");
    }
    sti_commit_lock(journal->commit);
    recording = journal->head != NULL;
    if (recording) {
        recording_locked(journal, out);
    }
    sti_commit_unlock(journal->commit);
    return recording ? STELE_OK : stat_stopped(journal, out, err);
}
