/* SPDX-License-Identifier: MIT
 *
 * work.c: the committer, a thread that commits when a limit or the interval is reached.
 */
#include "base/env.h"
#include "base/error.h"
#include "store/state.h"

int64_t sti_store_now(const stele_store *s)
{
    /* A thread waits by the system's clock. */
    return s->options.no_background ? (int64_t)(sti_env_monotonic_ns(&s->env) & INT64_MAX) | 1
                                    : sti_monotonic_now_ns();
}

/* What the committer knows of the last time. */
struct turn {
    stele_code code;     /* how it ended */
    bool idle;           /* something is left that can wait for an interval */
    int64_t interval_at; /* when that is over */
};

/* When there is something to do without being told. After a failure an interval passes: a disk that
 * is full now will be full in a moment. */
static int64_t next_locked(const stele_store *s, const struct turn *last)
{
    int64_t interval = (int64_t)s->options.batch_interval_ms * 1000000;

    if (last->code == STELE_OK && s->waiting_since != 0) {
        int64_t at = s->waiting_since + interval;

        return (last->idle || s->again) && last->interval_at < at ? last->interval_at : at;
    }
    return last->code != STELE_OK || last->idle || s->again ? last->interval_at : INT64_MAX;
}

/* Wait for work; false: the end. *commit is whether it is not only to look for old readers. */
static bool wait_locked(stele_store *s, const struct turn *last, bool *commit)
        STI_REQUIRES(s->write)
{
    int64_t tell = sti_store_tell_interval(s);
    int64_t tell_at = tell == 0 ? INT64_MAX : sti_store_now(s) + tell;

    *commit = true;
    while (!s->stop && !s->sweep && (!s->due || last->code != STELE_OK)) {
        int64_t at = next_locked(s, last);

        if (!sti_cond_wait_until(&s->wake, &s->write, at < tell_at ? at : tell_at)) {
            *commit = at <= tell_at;
            break;
        }
    }
    return !s->stop;
}

/* Commit, unless somebody does. A failure is told when it is another one than before. */
static void commit(stele_store *s, struct turn *turn)
{
    stele_error err;
    stele_code code = sti_store_commit_upto(s, atomic_load(&s->visible), false, &err);

    if (code != STELE_OK && code != turn->code) {
        sti_env_log(&s->env, STELE_LOG_ERROR, "store %s: commit: %s", s->path, err.message);
    }
    turn->code = code;
}

static void work(stele_store *s, struct turn *turn)
{
    struct sti_store_data *data;
    uint64_t cleared;

    commit(s, turn);
    data = sti_store_data_use(s);
    (void)sti_lmdb_clear_stale(data->lmdb, &cleared, NULL);
    sti_store_data_leave(s, data);
    turn->idle = sti_store_reclaim(s);
    sti_mutex_lock(&s->write);
    turn->idle = turn->idle || s->garbage;
    sti_mutex_unlock(&s->write);
}

static void set_interval(const stele_store *s, struct turn *turn)
{
    turn->interval_at = sti_store_now(s) + (int64_t)s->options.batch_interval_ms * 1000000;
}

static void *run(void *arg)
{
    stele_store *s = arg;
    struct turn turn = {.code = STELE_OK, .idle = s->garbage};

    set_interval(s, &turn);
    for (;;) {
        bool go_on;
        bool commits;

        sti_mutex_lock(&s->write);
        go_on = wait_locked(s, &turn, &commits);
        if (commits) {
            s->due = false;
            s->sweep = false;
        }
        sti_mutex_unlock(&s->write);
        if (!go_on) {
            return NULL;
        }
        if (commits) {
            work(s, &turn);
            set_interval(s, &turn);
        }
        sti_store_tell_readers(s);
    }
}

void sti_store_tell_old(stele_store *s)
{
    if (!s->has_committer) {
        (void)sti_store_reclaim(s);
        return;
    }
    sti_mutex_lock(&s->write);
    s->sweep = true;
    sti_cond_signal(&s->wake);
    sti_mutex_unlock(&s->write);
}

stele_code sti_store_work_start(stele_store *s, stele_error *err)
{
    stele_code code = STELE_OK;

    if (!s->options.no_background && !s->options.read_only) {
        code = sti_thread_start(&s->committer, run, s, err);
        s->has_committer = code == STELE_OK;
    }
    return code;
}

void sti_store_work_stop(stele_store *s)
{
    if (s->has_committer) {
        sti_mutex_lock(&s->write);
        s->stop = true;
        sti_cond_broadcast(&s->wake);
        sti_mutex_unlock(&s->write);
        sti_thread_join(&s->committer);
        s->has_committer = false;
    }
}
