/* SPDX-License-Identifier: MIT
 *
 * node_callers.c: threads that wait for answers of peers.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "fleet/node.h"

/* ---- Asking. ---- */

/* One more, if there are more requests than callers that are idle. */
static void add_caller_locked(stele_node *n) STI_REQUIRES(n->lock);

static void add_caller_locked(stele_node *n)
{
    size_t waiting = 0;

    for (const struct sti_node_parcel *p = n->calls.first; p != NULL; p = p->next) {
        waiting++;
    }
    if (waiting > n->idle && !n->stop && n->caller_count < STI_NODE_CALLERS_MAX &&
            sti_thread_start(&n->callers[n->caller_count], sti_node_call, n, NULL) == STELE_OK) {
        n->caller_count++;
    }
}

void sti_node_request(stele_node *n, struct sti_node_parcel *p)
{
    sti_mutex_lock(&n->lock);
    sti_node_queue_put(&n->calls, p);
    add_caller_locked(n);
    sti_cond_signal(&n->caller_wakes);
    sti_mutex_unlock(&n->lock);
}

/* ---- Waiting. ---- */

static struct sti_node_parcel *next_call(stele_node *n)
{
    struct sti_node_parcel *p;

    sti_mutex_lock(&n->lock);
    n->idle++;
    while (!n->stop && n->calls.first == NULL) {
        sti_cond_wait(&n->caller_wakes, &n->lock);
    }
    n->idle--;
    p = n->stop ? NULL : sti_node_queue_take(&n->calls);
    sti_mutex_unlock(&n->lock);
    return p;
}

/* What cannot be handed on for lack of memory is as a peer that failed, in the parcel of the
 * request. */
static struct sti_node_parcel *answer_of(
        struct sti_node_parcel *p, stele_code code, const stele_buf *reply)
{
    struct sti_node_parcel *answer = code == STELE_OK && reply->len > 0
                                             ? sti_node_parcel_new(NULL, stele_buf_view(reply))
                                             : NULL;

    if (answer == NULL) {
        p->code = code == STELE_OK && reply->len > 0 ? STELE_ENOMEM : code;
        p->nil = true;
        p->len = 0;
        answer = p;
    } else {
        answer->token = p->token;
        sti_node_parcel_free(p);
    }
    answer->kind = STI_FLEET_EV_REPLY;
    answer->peer[0] = 0;
    return answer;
}

static void call(stele_node *n, struct sti_node_parcel *p)
{
    stele_wait wait = {.timeout_ms = n->options.request_ms, .cancel = n->cancel};
    stele_fleet *t = n->transport;
    stele_buf reply;
    stele_code rc;

    stele_buf_init(&reply, STELE_FLEET_MESSAGE_MAX);
    rc = t->ops->request(t, p->peer, sti_node_parcel_bytes(p), &wait, &reply, NULL);
    sti_node_tell_owner(n, answer_of(p, rc, &reply));
    stele_buf_free(&reply);
}

void *sti_node_call(void *node)
{
    stele_node *n = node;
    struct sti_node_parcel *p;

    while ((p = next_call(n)) != NULL) {
        call(n, p);
    }
    return NULL;
}
