/* SPDX-License-Identifier: MIT
 *
 * journal.c: a handle: opening and closing it, and its states.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/env.h"
#include "base/error.h"
#include "journal/state.h"

enum {
    MUTEXES = 3
};

/* ---- Opening and closing. ---- */

static stele_code init_locks(stele_journal *j, stele_error *err)
{
    struct sti_mutex *mutexes[MUTEXES] = {&j->state_mutex, &j->merge_mutex, &j->work_mutex};
    static const int ranks[MUTEXES] = {
            STI_RANK_JOURNAL_STATE, STI_RANK_JOURNAL_MERGE, STI_RANK_JOURNAL_WORK};
    size_t made = 0;
    stele_code rc = STELE_OK;

    while (made < MUTEXES && rc == STELE_OK) {
        rc = sti_mutex_init(mutexes[made], ranks[made], err);
        made += rc == STELE_OK ? 1 : 0;
    }
    rc = rc != STELE_OK ? rc : sti_cond_init(&j->work_wake, err);
    if (rc == STELE_OK) {
        return STELE_OK;
    }
    while (made > 0) {
        sti_mutex_destroy(mutexes[--made]);
    }
    return rc;
}

static void free_journal(stele_journal *j)
{
    sti_assert(!atomic_load(&j->work_running));
    sti_assert(j->head == NULL);
    sti_commit_free(j->commit);
    sti_cond_destroy(&j->work_wake);
    sti_mutex_destroy(&j->work_mutex);
    sti_mutex_destroy(&j->merge_mutex);
    sti_mutex_destroy(&j->state_mutex);
    sti_dir_close(&j->dir);
    sti_free(j);
}

static stele_code new_journal(
        stele_journal **out, const stele_journal_options *opts, stele_error *err)
{
    stele_journal *j = sti_calloc(1, sizeof *j);
    stele_code rc;

    if (j == NULL) {
        return sti_fail_memory(err, sizeof *j);
    }
    rc = init_locks(j, err);
    if (rc != STELE_OK) {
        sti_free(j);
        return rc;
    }
    sti_env_copy(&j->env, opts->env);
    j->options = *opts;
    j->options.env = &j->env;
    j->limit = opts->limit;
    j->log_max = STI_JOURNAL_LOG_MAX;
    rc = sti_commit_new(&j->commit, &sti_journal_commit_ops, j, err);
    if (rc != STELE_OK) {
        free_journal(j);
        return rc;
    }
    *out = j;
    return STELE_OK;
}

stele_code stele_journal_open(
        stele_journal **out, const char *dir, const stele_journal_options *opts, stele_error *err)
{
    stele_journal_options options;
    stele_journal *j = NULL;
    stele_code rc;

    if (out == NULL || dir == NULL) {
        return sti_fail(err, STELE_EINVAL, "no directory, or no place for the journal");
    }
    rc = sti_journal_options_copy(&options, opts, err);
    rc = rc != STELE_OK ? rc : new_journal(&j, &options, err);
    if (rc == STELE_OK) {
        unsigned flags = options.create_dirs ? STELE_OPEN_CREATE : STELE_OPEN_READ;

        rc = sti_dir_open(&j->dir, &j->env, dir, flags, err);
        if (rc != STELE_OK) {
            free_journal(j);
        }
    }
    if (rc != STELE_OK) {
        return sti_wrap(err, rc, "open journal %s", dir);
    }
    *out = j;
    return STELE_OK;
}

stele_code stele_journal_close(stele_journal *journal, stele_error *err)
{
    stele_code rc;

    if (journal == NULL) {
        return STELE_OK;
    }
    rc = stele_journal_stop(journal, err);
    sti_journal_tell(journal);
    free_journal(journal);
    return rc;
}

stele_code stele_journal_limit(stele_journal *journal, uint64_t limit, stele_error *err)
{
    if (journal == NULL) {
        return sti_fail(err, STELE_EINVAL, "no journal");
    }
    sti_commit_lock(journal->commit);
    journal->limit = limit;
    journal->retry_size = 0;
    sti_commit_unlock(journal->commit);
    return STELE_OK;
}

/* ---- States. ---- */

stele_journal_state stele_journal_get_state(const stele_journal *journal)
{
    return journal == NULL ? STELE_JOURNAL_STOPPED
                           : (stele_journal_state)atomic_load(&journal->state);
}

bool stele_journal_is_recording(const stele_journal *journal)
{
    return stele_journal_get_state(journal) == STELE_JOURNAL_RECORDING;
}

stele_code sti_journal_by_state(stele_journal *j,
        stele_code (*recording)(stele_journal *j, stele_error *err),
        stele_code (*stopped)(stele_journal *j, stele_error *err), const char *what,
        stele_error *err)
{
    stele_code rc;

    if (j == NULL) {
        return sti_fail(err, STELE_EINVAL, "no journal");
    }
    sti_mutex_lock(&j->state_mutex);
    switch (atomic_load(&j->state)) {
    case STELE_JOURNAL_RECORDING:
        rc = recording(j, err);
        break;
    case STELE_JOURNAL_STOPPED:
        rc = stopped(j, err);
        break;
    default:
        rc = sti_fail(err, STELE_ESTATE, "the journal is playing");
        break;
    }
    sti_mutex_unlock(&j->state_mutex);
    sti_journal_tell(j);
    return rc == STELE_OK ? rc : sti_wrap(err, rc, "%s journal %s", what, j->dir.path);
}
