/* SPDX-License-Identifier: MIT
 *
 * worker.c: the thread of a database, which indexes documents anew.
 */
#include "base/error.h"
#include "docs/state.h"

stele_code sti_docs_worker_init(stele_docs *db, stele_error *err)
{
    struct sti_docs_worker *worker = &db->worker;
    stele_code rc = sti_mutex_init(&worker->work, STI_RANK_DOCS_WORK, err);

    if (rc == STELE_OK) {
        rc = sti_cond_init(&worker->wake, err);
        if (rc != STELE_OK) {
            sti_mutex_destroy(&worker->work);
        }
    }
    return rc;
}

void sti_docs_worker_destroy(stele_docs *db)
{
    sti_cond_destroy(&db->worker.wake);
    sti_mutex_destroy(&db->worker.work);
}

/* Wait for something to do; false: it is time to end. */
static bool wait_for_work(struct sti_docs_worker *worker)
{
    bool stop;

    sti_mutex_lock(&worker->work);
    while (!worker->wanted && !atomic_load(&worker->stop)) {
        sti_cond_wait(&worker->wake, &worker->work);
    }
    worker->wanted = false;
    stop = atomic_load(&worker->stop);
    sti_mutex_unlock(&worker->work);
    return !stop;
}

static void *run(void *arg)
{
    stele_docs *db = arg;

    while (wait_for_work(&db->worker)) {
        stele_code rc = sti_docs_anew_run(db, false, NULL);

        atomic_store(&db->anew_failed, rc);
        /* Who waits for the end of it looks again. */
        sti_docs_feed_tell(db);
    }
    return NULL;
}

static stele_code start_locked(stele_docs *db, stele_error *err) STI_REQUIRES(db->worker.work)
{
    stele_code rc = STELE_OK;

    if (!db->worker.started) {
        rc = sti_thread_start(&db->worker.thread, run, db, err);
    }
    if (rc == STELE_OK) {
        db->worker.started = true;
        db->worker.wanted = true;
        atomic_store(&db->anew_failed, STELE_OK);
        sti_cond_signal(&db->worker.wake);
    }
    return rc;
}

stele_code sti_docs_worker_want(stele_docs *db, stele_error *err)
{
    stele_code rc;

    if (db->options.no_background) {
        rc = sti_docs_anew_run(db, false, err);
        atomic_store(&db->anew_failed, rc);
        return rc;
    }
    sti_mutex_lock(&db->worker.work);
    rc = start_locked(db, err);
    sti_mutex_unlock(&db->worker.work);
    return rc;
}

void sti_docs_worker_stop(stele_docs *db)
{
    bool started;

    sti_mutex_lock(&db->worker.work);
    atomic_store(&db->worker.stop, true);
    started = db->worker.started;
    db->worker.started = false;
    sti_cond_signal(&db->worker.wake);
    sti_mutex_unlock(&db->worker.work);
    if (started) {
        sti_thread_join(&db->worker.thread);
    }
}
