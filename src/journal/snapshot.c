/* SPDX-License-Identifier: MIT
 *
 * snapshot.c: merging the snapshot and the logs behind it into a new snapshot.
 *
 * While recording, the newest log is ended first, unless it is empty, and what is merged does not
 * change any more: dumps go on meanwhile. A merge that fails leaves all as it was; the next one
 * takes all logs that are there then.
 */
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "journal/snap.h"
#include "journal/state.h"

enum {
    DEFAULT_OP_NS = 200, /* until something has been measured */
    MEASURED_OPS = 10000 /* so many tell how long one takes, syncs and all */
};

/* ---- When to merge. ---- */

uint64_t sti_journal_estimate_ns_locked(const stele_journal *j, uint64_t ops)
{
    uint64_t op_ns = j->play_op_ns != 0 ? j->play_op_ns : j->merge_op_ns;

    op_ns = op_ns != 0 ? op_ns : (uint64_t)DEFAULT_OP_NS;
    return ops > INT64_MAX / op_ns ? INT64_MAX : ops * op_ns;
}

static uint64_t log_ops(const stele_journal *j)
{
    return j->next_op - 1 - j->figures.end.count;
}

bool sti_journal_wants_merge_locked(const stele_journal *j)
{
    uint64_t size = j->figures.sealed_size + j->tail;
    uint64_t ops = log_ops(j);
    uint64_t target = (uint64_t)j->options.replay_target_ms * 1000000;

    if (j->merging || ops == 0 || atomic_load(&j->failed) != STELE_OK) {
        return false;
    }
    if (j->limit != 0 && size > j->limit && size >= j->retry_size) {
        return true;
    }
    /* Where the snapshot is most of it, merging would not help. */
    return target != 0 && ops >= j->retry_ops && ops >= j->figures.end.ops / 4 &&
           sti_journal_estimate_ns_locked(j, j->figures.end.ops + ops) > target;
}

/* ---- Merging. ---- */

static stele_code merge_chain(stele_journal *j, struct sti_journal_chain *chain, uint64_t number,
        struct sti_journal_end *end, stele_error *err)
{
    uint64_t seed[2];
    stele_code rc = STELE_OK;

    if (chain->snap.seg != NULL && chain->snap.number >= number) {
        /* Made by a merge that did not hear of it. */
        *end = chain->end;
    } else {
        seed[0] = sti_env_random64(&j->env);
        seed[1] = sti_env_random64(&j->env);
        if (STI_MUTANT(JOURNAL_REMOVED_EARLY)) {
            sti_journal_remove_merged(j, chain, number);
        }
        rc = sti_journal_snap_merge(&j->dir, chain, number, seed, end, err);
        if (rc == STELE_EIO) {
            atomic_store(&j->names_in_doubt, true); /* it syncs them by itself */
        }
    }
    if (rc == STELE_OK || (STI_MUTANT(JOURNAL_REMOVED_UNREAD) && rc == STELE_ECORRUPT)) {
        sti_journal_remove_merged(j, chain, number);
    }
    return rc;
}

static stele_code load_and_merge(
        stele_journal *j, uint64_t number, struct sti_journal_end *end, stele_error *err)
{
    struct sti_journal_chain chain;
    stele_code rc =
            sti_journal_chain_load(&chain, &j->dir, STI_CHAIN_SHALLOW, j->options.no_map, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = merge_chain(j, &chain, number, end, err);
    sti_journal_chain_free(&chain);
    return rc;
}

static uint64_t size_of_snap(stele_journal *j, uint64_t number)
{
    char name[STELE_JOURNAL_NAME_SIZE];
    stele_file_stat stat;

    sti_journal_name(name, STI_JOURNAL_NAME_SNAP, number);
    return sti_dir_stat(&j->dir, name, &stat, NULL) == STELE_OK ? stat.size : 0;
}

static void merged_locked(
        stele_journal *j, uint64_t number, uint64_t size, const struct sti_journal_end *end)
{
    j->figures.has_snap = true;
    j->figures.snap_number = number;
    j->figures.snap_size = size;
    j->figures.end = *end;
    j->figures.sealed_logs = 0;
    j->figures.sealed_size = 0;
    j->retry_size = 0;
    j->retry_ops = 0;
}

static void failed_locked(stele_journal *j)
{
    j->retry_size = j->figures.sealed_size + j->tail + j->limit / 4 + 1;
    j->retry_ops = log_ops(j) + log_ops(j) / 4 + 1;
    j->since_open.merge_failures++;
}

/* The newest log is empty, or stays as it is; the others are to be merged. */
static stele_code merge_sealed(stele_journal *j, stele_error *err) STI_REQUIRES(j->merge_mutex)
{
    uint64_t number = j->head->number - 1;
    uint64_t begun = sti_env_monotonic_ns(&j->env);
    struct sti_journal_end end;
    uint64_t size = 0;
    uint64_t read;
    uint64_t took;
    stele_code rc = load_and_merge(j, number, &end, err);

    if (rc == STELE_OK) {
        size = size_of_snap(j, number);
    }
    took = sti_env_monotonic_ns(&j->env) - begun;
    sti_commit_lock(j->commit);
    if (rc == STELE_OK) {
        read = j->figures.end.ops + (j->head->first_id - 1 - j->figures.end.count);
        j->merge_op_ns = read >= MEASURED_OPS ? took / read : j->merge_op_ns;
        j->since_open.merges++;
        j->since_open.merge_last_ns = took;
        merged_locked(j, number, size, &end);
    }
    sti_commit_unlock(j->commit);
    return rc;
}

stele_code sti_journal_merge_locked(stele_journal *j, stele_error *err)
{
    stele_code rc = STELE_OK;
    bool has_ops;
    bool has_logs;

    sti_commit_lock(j->commit);
    has_ops = j->next_op > j->head->first_id;
    j->merging = true;
    sti_commit_unlock(j->commit);
    if (has_ops) {
        rc = sti_journal_switch_locked(j, err);
    }
    sti_commit_lock(j->commit);
    has_logs = j->figures.sealed_logs > 0;
    sti_commit_unlock(j->commit);
    if (rc == STELE_OK && has_logs) {
        rc = merge_sealed(j, err);
    }
    sti_commit_lock(j->commit);
    j->merging = false;
    if (rc != STELE_OK) {
        failed_locked(j);
    }
    sti_commit_unlock(j->commit);
    return rc == STELE_OK ? rc : sti_wrap(err, rc, "merge");
}

void sti_journal_merge_if_wanted(stele_journal *j)
{
    stele_error err;
    bool wanted;

    sti_mutex_lock(&j->merge_mutex);
    sti_commit_lock(j->commit);
    /* The recording may have ended meanwhile. */
    wanted = j->head != NULL && sti_journal_wants_merge_locked(j);
    sti_commit_unlock(j->commit);
    if (wanted && sti_journal_merge_locked(j, &err) != STELE_OK) {
        sti_journal_note(j, "%.*s; it is tried again when there is more to merge",
                STI_JOURNAL_NOTE_SIZE / 2, err.message);
    }
    sti_mutex_unlock(&j->merge_mutex);
    sti_journal_tell(j);
}

/* ---- When asked to. ---- */

static stele_code merge_recording(stele_journal *j, stele_error *err)
{
    stele_code rc;

    sti_mutex_lock(&j->merge_mutex);
    rc = sti_journal_check_usable(j, err);
    rc = rc != STELE_OK ? rc : sti_journal_merge_locked(j, err);
    sti_mutex_unlock(&j->merge_mutex);
    return rc;
}

static stele_code merge_settled(stele_journal *j, bool *merged, stele_error *err)
{
    struct sti_journal_chain chain;
    struct sti_journal_end end;
    uint64_t next_op = 0;
    uint64_t number = 0;
    stele_code rc = sti_journal_settle(j, &chain, STI_CHAIN_SHALLOW, &next_op, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_journal_new_number(j, chain.highest, 1, &number, err);
    /* Opened anew, since a file that was mended has another length now. */
    if (rc == STELE_OK && chain.log_count > 0) {
        rc = load_and_merge(j, number, &end, err);
        *merged = rc == STELE_OK;
    }
    sti_journal_chain_free(&chain);
    return rc;
}

static stele_code merge_stopped(stele_journal *j, stele_error *err) STI_REQUIRES(j->state_mutex)
{
    uint64_t begun = sti_env_monotonic_ns(&j->env);
    struct sti_file lock = {0};
    bool merged = false;
    uint64_t took;
    stele_code rc = sti_journal_check_usable(j, err);

    rc = rc != STELE_OK ? rc
                        : sti_lock_take(&lock, &j->dir, STI_JOURNAL_LOCK_NAME, true,
                                  j->options.lock_wait_ms, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = merge_settled(j, &merged, err);
    sti_file_close(&lock);
    took = sti_env_monotonic_ns(&j->env) - begun;
    sti_commit_lock(j->commit);
    if (merged) {
        j->since_open.merges++;
        j->since_open.merge_last_ns = took;
    }
    j->since_open.merge_failures += rc != STELE_OK ? 1 : 0;
    sti_commit_unlock(j->commit);
    return rc;
}

stele_code stele_journal_snapshot(stele_journal *journal, stele_error *err)
{
    return sti_journal_by_state(journal, merge_recording, merge_stopped, "snapshot of", err);
}
