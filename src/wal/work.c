/* SPDX-License-Identifier: MIT
 *
 * work.c: the thread of a log: it prepares segments ahead, and flushes behind asynchronous appends.
 *
 * Nothing depends on it: what it has not prepared, the rollover that needs it prepares, and what it
 * has not flushed, the next wait, append or close writes.
 */
#include "wal/log.h"

/* What fails here fails again, and is reported, in the rollover that needs it. */
static void prepare(struct sti_log *log)
{
    stele_error err;
    stele_code rc;

    sti_mutex_lock(&log->files);
    rc = sti_log_check_usable(log, NULL);
    if (rc == STELE_OK) {
        rc = sti_log_prepare_locked(log, log->options.segment_size, &err);
        if (rc == STELE_EIO) {
            (void)sti_log_fail_in_doubt(log, rc, &err);
        }
    }
    sti_mutex_unlock(&log->files);
    sti_log_tell(log);
}

/* Do one thing; false if there is none. Called with the mutex, which it lets go meanwhile. */
static bool step(struct sti_log *log) STI_REQUIRES(log->work_mutex)
{
    bool flush = atomic_exchange(&log->work_flush, false);
    bool ahead = log->work_prepare && !flush;

    if (!flush && !ahead) {
        return false;
    }
    log->work_prepare = log->work_prepare && !ahead;
    sti_mutex_unlock(&log->work_mutex);
    if (flush) {
        sti_commit_flush(log->commit);
    } else {
        prepare(log);
    }
    sti_mutex_lock(&log->work_mutex);
    return true;
}

static void *run(void *arg)
{
    struct sti_log *log = arg;

    sti_mutex_lock(&log->work_mutex);
    while (step(log) || !log->work_stop) {
        if (!log->work_stop && !log->work_prepare && !atomic_load(&log->work_flush)) {
            sti_cond_wait(&log->work_wake, &log->work_mutex);
        }
    }
    sti_mutex_unlock(&log->work_mutex);
    return NULL;
}

stele_code sti_log_work_start(struct sti_log *log, stele_error *err)
{
    stele_code rc;

    if (log->options.no_background || log->options.read_only) {
        return STELE_OK;
    }
    log->work_running = true; /* before the thread may look */
    rc = sti_thread_start(&log->work_thread, run, log, err);
    log->work_running = rc == STELE_OK;
    return rc;
}

void sti_log_work_stop(struct sti_log *log)
{
    if (!log->work_running) {
        return;
    }
    sti_mutex_lock(&log->work_mutex);
    log->work_stop = true;
    sti_cond_signal(&log->work_wake);
    sti_mutex_unlock(&log->work_mutex);
    sti_thread_join(&log->work_thread);
    log->work_running = false;
}

void sti_log_work_prepare(struct sti_log *log)
{
    if (!log->work_running) {
        return;
    }
    sti_mutex_lock(&log->work_mutex);
    log->work_prepare = true;
    sti_cond_signal(&log->work_wake);
    sti_mutex_unlock(&log->work_mutex);
}

void sti_log_work_flush(struct sti_log *log)
{
    /* Whoever set it first has signalled, or is about to. */
    if (!log->work_running || atomic_load_explicit(&log->work_flush, memory_order_relaxed) ||
            atomic_exchange(&log->work_flush, true)) {
        return;
    }
    sti_mutex_lock(&log->work_mutex);
    sti_cond_signal(&log->work_wake);
    sti_mutex_unlock(&log->work_mutex);
}
