/* SPDX-License-Identifier: MIT
 *
 * playing.c: the state in which a handle plays.
 */
#include "base/env.h"
#include "base/error.h"
#include "journal/play.h"
#include "journal/state.h"

#include <string.h>

enum {
    MEASURED_OPS = 1000 /* so many tell how long one takes */
};

void stele_journal_until_init_sized(stele_journal_until *until, size_t struct_size)
{
    stele_journal_until none = {.struct_size = struct_size, .count = UINT64_MAX, .time = INT64_MAX};

    if (until != NULL && struct_size >= sizeof until->struct_size) {
        memset(until, 0, struct_size);
        memcpy(until, &none, struct_size < sizeof none ? struct_size : sizeof none);
    }
}

static stele_code begin_play(stele_journal *j, stele_error *err)
{
    stele_code rc = STELE_OK;

    sti_mutex_lock(&j->state_mutex);
    if (atomic_load(&j->state) != STELE_JOURNAL_STOPPED) {
        rc = sti_fail(err, STELE_ESTATE, "the journal is %s",
                atomic_load(&j->state) == STELE_JOURNAL_PLAYING ? "playing already" : "recording");
    } else {
        atomic_store(&j->state, STELE_JOURNAL_PLAYING);
    }
    sti_mutex_unlock(&j->state_mutex);
    return rc;
}

static void end_play(stele_journal *j, uint64_t ops, uint64_t took)
{
    sti_commit_lock(j->commit);
    if (ops >= MEASURED_OPS) {
        j->play_op_ns = took / ops > 0 ? took / ops : 1;
    }
    sti_commit_unlock(j->commit);
    sti_mutex_lock(&j->state_mutex);
    atomic_store(&j->state, STELE_JOURNAL_STOPPED);
    sti_mutex_unlock(&j->state_mutex);
}

static stele_code play(stele_journal *j, const stele_journal_until *until,
        stele_journal_operate operate, void *arg, stele_journal_played *played, stele_error *err)
{
    uint64_t begun = sti_env_monotonic_ns(&j->env);
    struct sti_journal_chain chain;
    stele_code rc = begin_play(j, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_journal_chain_load(&chain, &j->dir, STI_CHAIN_PLAYED, j->options.no_map, err);
    if (rc == STELE_OK) {
        rc = sti_journal_play_chain(&chain, until, operate, arg, played, err);
        sti_journal_chain_free(&chain);
    }
    end_play(j, rc == STELE_OK ? played->ops : 0, sti_env_monotonic_ns(&j->env) - begun);
    return rc;
}

stele_code stele_journal_play_until(stele_journal *journal, const stele_journal_until *until,
        stele_journal_operate operate, void *arg, stele_journal_played *played, stele_error *err)
{
    stele_journal_until limits;
    stele_journal_played mine;
    stele_code rc;

    if (journal == NULL || operate == NULL || until == NULL) {
        return sti_fail(err, STELE_EINVAL, "no journal, nothing to operate, or no moment");
    }
    rc = sti_options_copy(&limits, sizeof limits, until, "stele_journal_until", err);
    if (rc != STELE_OK) {
        return rc;
    }
    memset(&mine, 0, sizeof mine);
    mine.latest = INT64_MIN;
    rc = play(journal, &limits, operate, arg, &mine, err);
    if (played != NULL) {
        *played = mine;
    }
    return rc == STELE_OK ? rc : sti_wrap(err, rc, "play journal %s", journal->dir.path);
}

stele_code stele_journal_play(stele_journal *journal, stele_journal_operate operate, void *arg,
        stele_journal_played *played, stele_error *err)
{
    stele_journal_until until;

    stele_journal_until_init(&until);
    return stele_journal_play_until(journal, &until, operate, arg, played, err);
}
