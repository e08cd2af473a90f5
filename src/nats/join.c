/* SPDX-License-Identifier: MIT
 *
 * join.c: receiving: subscriptions, and the workers that call the handler.
 */
#include "nats/memory.h"
#include "nats/report.h"
#include "nats/state.h"

#include <stdio.h>

enum {
    FLUSH_MS = 2000
};

/* ---- Subscriptions. ---- */

static void on_complete(struct sti_nats *n, enum sti_nats_sub which)
{
    (void)pthread_mutex_lock(&n->lock);
    n->sub_active[which] = false;
    (void)pthread_cond_broadcast(&n->changed);
    (void)pthread_mutex_unlock(&n->lock);
}

static void answers_complete(void *closure)
{
    on_complete(closure, STI_NATS_SUB_ANSWERS);
}

static void heartbeats_complete(void *closure)
{
    on_complete(closure, STI_NATS_SUB_HEARTBEATS);
}

static void all_complete(void *closure)
{
    on_complete(closure, STI_NATS_SUB_ALL);
}

static void own_complete(void *closure)
{
    on_complete(closure, STI_NATS_SUB_OWN);
}

stele_code sti_nats_subscribe(struct sti_nats *n, enum sti_nats_sub which, const char *subject,
        natsMsgHandler handler, stele_error *err)
{
    static const natsOnCompleteCB complete[STI_NATS_SUBS] = {
            answers_complete, heartbeats_complete, all_complete, own_complete};
    struct sti_nats_held *held = sti_nats_held_new(err);
    natsStatus s;

    if (held == NULL) {
        return STELE_ENOMEM;
    }
    s = natsConnection_Subscribe(&held->sub, n->ways[STI_NATS_IN], subject, handler, n);
    if (s == NATS_OK) {
        (void)pthread_mutex_lock(&n->lock);
        n->subs[which] = held;
        n->sub_active[which] = true;
        n->dropped[which] = 0;
        (void)pthread_mutex_unlock(&n->lock);
        s = natsSubscription_SetOnCompleteCB(held->sub, complete[which], n);
        if (s != NATS_OK) {
            on_complete(n, which);
        }
        s = s != NATS_OK ? s
                         : natsSubscription_SetPendingLimits(
                                   held->sub, STI_NATS_PENDING, STI_NATS_PENDING_SIZE);
    } else {
        sti_nats_free(held);
    }
    return sti_nats_fail_status(err, s, "subscribing");
}

void sti_nats_unsubscribe(struct sti_nats *n, enum sti_nats_sub which)
{
    struct sti_nats_held *held = n->subs[which];

    if (held == NULL) {
        return;
    }
    (void)natsSubscription_Unsubscribe(held->sub);
    (void)pthread_mutex_lock(&n->lock);
    while (n->sub_active[which]) {
        (void)pthread_cond_wait(&n->changed, &n->lock);
    }
    n->subs[which] = NULL;
    (void)pthread_mutex_unlock(&n->lock);
    sti_nats_held_add(&n->ended, held);
}

/* The server has seen what we sent it; false: there is no connection, or it broke. */
static bool flush(struct sti_nats *n, enum sti_nats_way way)
{
    bool up;

    (void)pthread_mutex_lock(&n->lock);
    up = n->up[way];
    (void)pthread_mutex_unlock(&n->lock);
    return up && natsConnection_FlushTimeout(n->ways[way], FLUSH_MS) == NATS_OK;
}

/* ---- Workers. ---- */

static void answer(struct sti_nats *n, const struct sti_nats_job *job, stele_code rc,
        const stele_error *error, const stele_buf *reply)
{
    char subject[STI_NATS_SUBJECT_SIZE];
    struct sti_nats_envelope e = {.kind = STI_NATS_REPLY, .id = job->id};
    stele_bytes data = stele_buf_view(reply);
    stele_code sent;

    if (job->reply == NULL || snprintf(subject, sizeof subject, "%s.%s", job->reply, n->token) >=
                                      (int)sizeof subject) {
        return;
    }
    e.info = stele_is_nil(data);
    if (rc != STELE_OK) {
        e.kind = STI_NATS_FAILURE;
        e.info = (uint32_t)rc;
        data = stele_str(error->message[0] == 0 ? stele_code_text(rc) : error->message);
    }
    sent = sti_nats_put(n, STI_NATS_OUT, subject, NULL, e, data, NULL);
    if (sent != STELE_OK) {
        (void)pthread_mutex_lock(&n->lock);
        sti_nats_tell_locked(n, STELE_NATS_DROPPED, 1, "an answer could not be sent");
        (void)pthread_mutex_unlock(&n->lock);
    }
}

static void handle(struct sti_nats *n, struct sti_nats_job *job)
{
    stele_error error = {.code = STELE_OK};
    stele_bytes data = job->nil ? stele_nil()
                       : job->message.len == 0
                               ? stele_empty()
                               : stele_bytes_of(job->message.data, job->message.len);
    stele_buf reply;
    stele_code rc;

    stele_buf_init(&reply, STELE_FLEET_MESSAGE_MAX);
    rc = n->handler(n->handler_arg, job->from, data, &reply, &error);
    answer(n, job, rc, &error, &reply);
    stele_buf_free(&reply);
}

static void *work(void *arg)
{
    struct sti_nats *n = arg;

    (void)pthread_mutex_lock(&n->lock);
    for (;;) {
        struct sti_nats_job *job;

        while (n->first == NULL && !n->stop_workers) {
            (void)pthread_cond_wait(&n->work, &n->lock);
        }
        if (n->stop_workers) {
            break;
        }
        job = n->first;
        n->first = job->next;
        n->last = n->first == NULL ? &n->first : n->last;
        (void)pthread_mutex_unlock(&n->lock);
        handle(n, job);
        (void)pthread_mutex_lock(&n->lock);
        sti_nats_job_free_locked(n, job);
    }
    (void)pthread_mutex_unlock(&n->lock);
    nats_ReleaseThreadMemory();
    return NULL;
}

static void stop_workers(struct sti_nats *n)
{
    (void)pthread_mutex_lock(&n->lock);
    n->stop_workers = true;
    (void)pthread_cond_broadcast(&n->work);
    (void)pthread_mutex_unlock(&n->lock);
    for (unsigned i = 0; i < n->worker_count; i++) {
        (void)pthread_join(n->workers[i], NULL);
    }
    (void)pthread_mutex_lock(&n->lock);
    n->worker_count = 0;
    n->stop_workers = false;
    sti_nats_queue_clear_locked(n);
    (void)pthread_mutex_unlock(&n->lock);
}

static stele_code start_workers(struct sti_nats *n, stele_error *err)
{
    while (n->worker_count < n->opts.threads) {
        if (pthread_create(&n->workers[n->worker_count], NULL, work, n) != 0) {
            return sti_nats_fail(err, STELE_ENOMEM, "no thread could be started");
        }
        n->worker_count++;
    }
    return STELE_OK;
}

/* ---- Connect. ---- */

static void set_membership(struct sti_nats *n, enum sti_nats_membership membership)
{
    (void)pthread_mutex_lock(&n->lock);
    n->membership = membership;
    n->greet = membership == STI_NATS_JOINED;
    sti_nats_kick_locked(n);
    (void)pthread_mutex_unlock(&n->lock);
}

/* First the server stops to send us anything, and whoever asks hears at once that nobody listens;
 * then the others hear it, and stop to wait; then the handlers at work end. */
static void leave(struct sti_nats *n)
{
    sti_nats_unsubscribe(n, STI_NATS_SUB_ALL);
    sti_nats_unsubscribe(n, STI_NATS_SUB_OWN);
    if (flush(n, STI_NATS_IN)) {
        sti_nats_held_destroy(&n->ended);
    }
    stop_workers(n);
    sti_nats_greet(n, STI_NATS_BYE);
    (void)flush(n, STI_NATS_OUT);
    set_membership(n, STI_NATS_APART);
}

static stele_code join(struct sti_nats *n, stele_error *err)
{
    char subject[STI_NATS_SUBJECT_SIZE];
    stele_code rc = start_workers(n, err);

    if (rc == STELE_OK) {
        (void)snprintf(subject, sizeof subject, "stele.%s.all.*", n->fleet_token);
        rc = sti_nats_subscribe(n, STI_NATS_SUB_ALL, subject, sti_nats_on_message, err);
    }
    if (rc == STELE_OK) {
        (void)snprintf(subject, sizeof subject, "stele.%s.to.%s.*", n->fleet_token, n->token);
        rc = sti_nats_subscribe(n, STI_NATS_SUB_OWN, subject, sti_nats_on_message, err);
    }
    if (rc != STELE_OK) {
        leave(n);
        return rc;
    }
    /* Others may ask as soon as they hear from us. */
    (void)flush(n, STI_NATS_IN);
    set_membership(n, STI_NATS_JOINED);
    return STELE_OK;
}

stele_code sti_nats_connect(
        stele_fleet *f, stele_fleet_handler handler, void *arg, stele_error *err)
{
    struct sti_nats *n = sti_nats_of(f);
    bool possible;

    (void)pthread_mutex_lock(&n->lock);
    possible = n->membership == (handler == NULL ? STI_NATS_JOINED : STI_NATS_APART);
    if (possible) {
        n->membership = handler == NULL ? STI_NATS_LEAVING : STI_NATS_JOINING;
    }
    (void)pthread_mutex_unlock(&n->lock);
    if (!possible) {
        return sti_nats_fail(
                err, STELE_ESTATE, handler == NULL ? "not connected" : "already connected");
    }
    if (handler == NULL) {
        leave(n);
        return STELE_OK;
    }
    n->handler = handler;
    n->handler_arg = arg;
    return join(n, err);
}
