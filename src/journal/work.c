/* SPDX-License-Identifier: MIT
 *
 * work.c: the thread of a recording: it merges, and flushes what is pending when an interval is
 * over or when there is much of it.
 *
 * It takes merge's mutex and becomes the leader, but never takes state's mutex: stop() waits for it
 * with that one held.
 */
#include "base/error.h"
#include "journal/state.h"

/* When to wake up by itself. */
static int64_t deadline(const stele_journal *j)
{
    return j->work_interval ? j->work_since + j->options.interval_ms * 1000000 : INT64_MAX;
}

/* Do one thing; false if there is none. Called with the mutex, which it lets go meanwhile. */
static bool step(stele_journal *j) STI_REQUIRES(j->work_mutex)
{
    bool over = j->work_interval && sti_monotonic_now_ns() >= deadline(j);
    bool flush = atomic_exchange(&j->work_flush, false) || over;
    bool merge = !flush && atomic_exchange(&j->work_merge, false);

    if (!flush && !merge) {
        return false;
    }
    j->work_interval = j->work_interval && !flush;
    sti_mutex_unlock(&j->work_mutex);
    if (flush) {
        sti_commit_flush(j->commit);
    } else {
        sti_journal_merge_if_wanted(j);
        sti_commit_lock(j->commit);
        merge = sti_journal_wants_merge_locked(j);
        sti_commit_unlock(j->commit);
        if (merge) {
            atomic_store(&j->work_merge, true);
        }
    }
    sti_mutex_lock(&j->work_mutex);
    return true;
}

static bool is_asked(stele_journal *j)
{
    return atomic_load(&j->work_flush) || atomic_load(&j->work_merge);
}

static void *run(void *arg)
{
    stele_journal *j = arg;

    sti_mutex_lock(&j->work_mutex);
    while (step(j) || !j->work_stop) {
        if (!j->work_stop && !is_asked(j)) {
            (void)sti_cond_wait_until(&j->work_wake, &j->work_mutex, deadline(j));
        }
    }
    sti_mutex_unlock(&j->work_mutex);
    return NULL;
}

stele_code sti_journal_work_start(stele_journal *j, stele_error *err)
{
    stele_code rc;

    if (j->options.no_background) {
        return STELE_OK;
    }
    j->work_stop = false;
    j->work_interval = false;
    atomic_store(&j->work_running, true); /* before the thread may look */
    rc = sti_thread_start(&j->work_thread, run, j, err);
    if (rc != STELE_OK) {
        atomic_store(&j->work_running, false);
    }
    return rc;
}

void sti_journal_work_stop(stele_journal *j)
{
    if (!atomic_load(&j->work_running)) {
        return;
    }
    sti_mutex_lock(&j->work_mutex);
    j->work_stop = true;
    sti_cond_signal(&j->work_wake);
    sti_mutex_unlock(&j->work_mutex);
    sti_thread_join(&j->work_thread);
    atomic_store(&j->work_running, false);
}

/* Whoever set it first has signalled, or is about to. */
static void ask(stele_journal *j, _Atomic bool *what)
{
    if (atomic_load(what) || atomic_exchange(what, true)) {
        return;
    }
    sti_mutex_lock(&j->work_mutex);
    sti_cond_signal(&j->work_wake);
    sti_mutex_unlock(&j->work_mutex);
}

void sti_journal_work_flush(stele_journal *j)
{
    ask(j, &j->work_flush);
}

void sti_journal_work_merge(stele_journal *j)
{
    ask(j, &j->work_merge);
}

void sti_journal_work_pending(stele_journal *j)
{
    sti_mutex_lock(&j->work_mutex);
    if (!j->work_interval) {
        j->work_interval = true;
        j->work_since = sti_monotonic_now_ns();
        sti_cond_signal(&j->work_wake);
    }
    sti_mutex_unlock(&j->work_mutex);
}
