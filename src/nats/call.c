/* SPDX-License-Identifier: MIT
 *
 * call.c: who waits for answers of peers.
 */
#include "nats/memory.h"
#include "nats/report.h"
#include "nats/state.h"

struct sti_nats_call *sti_nats_call_new(struct sti_nats *n, size_t count, stele_error *err)
{
    size_t size = sizeof(struct sti_nats_call) + count * sizeof(struct sti_nats_answer);
    struct sti_nats_call *call = sti_nats_calloc(1, size);

    (void)n;
    if (call == NULL || !sti_nats_cond_init(&call->changed)) {
        sti_nats_free(call);
        (void)sti_nats_fail_memory(err, size);
        return NULL;
    }
    call->count = count;
    return call;
}

void sti_nats_call_free(struct sti_nats *n, struct sti_nats_call *call)
{
    (void)pthread_mutex_lock(&n->lock);
    for (size_t i = 0; i < call->count; i++) {
        sti_nats_parts_release(&n->parts, call->answers[i].peer, &call->answers[i].message);
    }
    (void)pthread_mutex_unlock(&n->lock);
    (void)pthread_cond_destroy(&call->changed);
    sti_nats_free(call);
}

struct sti_nats_call *sti_nats_call_find_locked(struct sti_nats *n, uint32_t id)
{
    struct sti_nats_call *call = n->calls;

    while (call != NULL && call->id != id) {
        call = call->next;
    }
    return call;
}

void sti_nats_call_begin(struct sti_nats *n, struct sti_nats_call *call)
{
    (void)pthread_mutex_lock(&n->lock);
    call->id = n->next_id++;
    call->began_ns = sti_nats_now_ns();
    call->open = call->count;
    call->next = n->calls;
    n->calls = call;
    (void)pthread_mutex_unlock(&n->lock);
}

stele_code sti_nats_call_await(
        struct sti_nats *n, struct sti_nats_call *call, const stele_wait *wait)
{
    int64_t deadline = sti_nats_deadline(wait);
    struct sti_nats_call **at = &n->calls;
    stele_code rc = STELE_OK;

    (void)pthread_mutex_lock(&n->lock);
    while (call->open > 0 && rc == STELE_OK) {
        rc = sti_nats_await(&call->changed, &n->lock, deadline, wait == NULL ? NULL : wait->cancel);
    }
    while (*at != call) {
        at = &(*at)->next;
    }
    *at = call->next;
    (void)pthread_mutex_unlock(&n->lock);
    for (size_t i = 0; i < call->count; i++) {
        if (!call->answers[i].done) {
            call->answers[i].code = rc;
        }
    }
    return rc == STELE_ECANCELED ? rc : STELE_OK;
}

void sti_nats_answer_finish_locked(
        struct sti_nats_call *call, struct sti_nats_answer *answer, stele_code code)
{
    if (!answer->done) {
        answer->done = true;
        answer->code = code;
        call->open--;
        (void)pthread_cond_signal(&call->changed);
    }
}

void sti_nats_call_finish_locked(struct sti_nats_call *call, stele_code code)
{
    for (size_t i = 0; i < call->count; i++) {
        sti_nats_answer_finish_locked(call, &call->answers[i], code);
    }
}

void sti_nats_calls_peer_gone_locked(struct sti_nats *n, const char *peer, stele_code code)
{
    for (struct sti_nats_call *call = n->calls; call != NULL; call = call->next) {
        for (size_t i = 0; i < call->count; i++) {
            if (strcmp(call->answers[i].peer, peer) == 0) {
                sti_nats_answer_finish_locked(call, &call->answers[i], code);
            }
        }
    }
}
