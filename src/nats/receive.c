/* SPDX-License-Identifier: MIT
 *
 * receive.c: what the threads of libnats call: messages, answers, heartbeats.
 *
 * Nothing here waits for anything but the mutex, so that what comes in is taken from libnats at
 * once. All of it is from others, who may be hostile.
 */
#include "nats/memory.h"
#include "nats/state.h"

#include <inttypes.h>
#include <stdlib.h>

static size_t msg_len(const natsMsg *msg)
{
    int len = natsMsg_GetDataLength(msg);

    return len > 0 ? (size_t)len : 0;
}

/* What sti_nats_parts_take() says; true: *out is whole. */
static bool take_locked(struct sti_nats *n, const char *from, bool answer,
        const struct sti_nats_envelope *e, stele_bytes piece, struct sti_nats_message *out,
        bool *no_room)
{
    enum sti_nats_taken taken =
            sti_nats_parts_take(&n->parts, from, answer, e, piece, sti_nats_now_ns(), out);

    *no_room = taken == STI_NATS_NO_ROOM;
    if (taken == STI_NATS_INVALID) {
        sti_nats_tell_locked(n, STELE_NATS_MALFORMED, 1, from);
    } else if (taken == STI_NATS_NO_ROOM) {
        sti_nats_tell_locked(n, STELE_NATS_DROPPED, 1, "no room for messages");
    }
    return taken == STI_NATS_WHOLE;
}

/* ---- Messages for the handler. ---- */

void sti_nats_job_free_locked(struct sti_nats *n, struct sti_nats_job *job)
{
    sti_nats_parts_release(&n->parts, job->from, &job->message);
    sti_nats_free(job->reply);
    sti_nats_free(job);
}

void sti_nats_queue_clear_locked(struct sti_nats *n)
{
    while (n->first != NULL) {
        struct sti_nats_job *job = n->first;

        n->first = job->next;
        sti_nats_job_free_locked(n, job);
    }
    n->last = &n->first;
}

static void queue_locked(struct sti_nats *n, const char *from, const char *reply,
        const struct sti_nats_envelope *e, struct sti_nats_message *message)
{
    struct sti_nats_job *job = sti_nats_calloc(1, sizeof *job);

    if (job != NULL && reply != NULL) {
        job->reply = sti_nats_strdup(reply);
    }
    if (job == NULL || (reply != NULL && job->reply == NULL)) {
        sti_nats_parts_release(&n->parts, from, message);
        sti_nats_free(job);
        sti_nats_tell_locked(n, STELE_NATS_DROPPED, 1, "no memory for a message");
        return;
    }
    job->message = *message;
    job->id = e->id;
    job->nil = e->info == 1;
    memcpy(job->from, from, strlen(from) + 1);
    *n->last = job;
    n->last = &job->next;
    (void)pthread_cond_signal(&n->work);
}

void sti_nats_on_message(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure)
{
    struct sti_nats *n = closure;
    const char *reply = natsMsg_GetReply(msg);
    char from[STELE_FLEET_NAME_MAX + 1];
    struct sti_nats_envelope e = {.kind = STI_NATS_PROBE};
    struct sti_nats_message message;
    stele_bytes piece;
    bool named = sti_nats_sender(from, natsMsg_GetSubject(msg));
    bool no_room;

    (void)nc;
    (void)sub;
    if (named && strcmp(from, n->self) == 0) {
        natsMsg_Destroy(msg);
        return;
    }
    (void)pthread_mutex_lock(&n->lock);
    if (!named || !sti_nats_envelope_get(&e, &piece, natsMsg_GetData(msg), msg_len(msg)) ||
            (e.kind != STI_NATS_REQUEST && e.kind != STI_NATS_PROBE) ||
            (reply != NULL && !sti_nats_reply_is_of(reply, n->fleet_token, from))) {
        sti_nats_tell_locked(n, STELE_NATS_MALFORMED, 1, named ? from : "?");
    } else if (e.kind == STI_NATS_REQUEST &&
               take_locked(n, from, false, &e, piece, &message, &no_room)) {
        queue_locked(n, from, reply, &e, &message);
    }
    (void)pthread_mutex_unlock(&n->lock);
    natsMsg_Destroy(msg);
}

/* ---- Answers. ---- */

/* The number of the request in a subject, and the sender behind it, if there is one. */
static bool parse_answer(const struct sti_nats *n, const char *subject, uint32_t *id,
        bool *has_sender, char from[STELE_FLEET_NAME_MAX + 1])
{
    size_t len = strlen(n->inbox);
    const char *number = subject + len + 1;
    char *end;

    if (strncmp(subject, n->inbox, len) != 0 || subject[len] != '.') {
        return false;
    }
    *id = (uint32_t)strtoul(number, &end, 16);
    *has_sender = *end == '.';
    return end == number + 8 && (*end == 0 || sti_nats_untoken(from, end + 1, strlen(end + 1)));
}

static struct sti_nats_answer *find_answer(struct sti_nats_call *call, const char *from)
{
    for (size_t i = 0; call != NULL && i < call->count; i++) {
        if (!call->answers[i].done && strcmp(call->answers[i].peer, from) == 0) {
            return &call->answers[i];
        }
    }
    return NULL;
}

/* Answers that nobody waits for any more are no fault. */
static void answer_locked(struct sti_nats *n, uint32_t id, const char *from,
        const struct sti_nats_envelope *e, stele_bytes piece)
{
    struct sti_nats_call *call = sti_nats_call_find_locked(n, id);
    struct sti_nats_answer *answer = find_answer(call, from);
    bool no_room = false;

    if (answer == NULL) {
        return;
    }
    if (take_locked(n, from, true, e, piece, &answer->message, &no_room)) {
        answer->nil = e->info == 1;
        sti_nats_answer_finish_locked(
                call, answer, e->kind == STI_NATS_FAILURE ? STELE_EPEER : STELE_OK);
    } else if (no_room) {
        sti_nats_answer_finish_locked(call, answer, STELE_ENOMEM);
    }
}

void sti_nats_on_answer(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure)
{
    struct sti_nats *n = closure;
    char from[STELE_FLEET_NAME_MAX + 1] = "?";
    struct sti_nats_envelope e;
    stele_bytes piece;
    uint32_t id = 0;
    bool has_sender = false;
    bool parsed = parse_answer(n, natsMsg_GetSubject(msg), &id, &has_sender, from);

    (void)nc;
    (void)sub;
    (void)pthread_mutex_lock(&n->lock);
    if (parsed && !has_sender && natsMsg_IsNoResponders(msg)) {
        struct sti_nats_call *call = sti_nats_call_find_locked(n, id);

        if (call != NULL) {
            sti_nats_call_finish_locked(call, STELE_ENOPEER);
        }
    } else if (parsed && has_sender &&
               sti_nats_envelope_get(&e, &piece, natsMsg_GetData(msg), msg_len(msg)) &&
               (e.kind == STI_NATS_REPLY || e.kind == STI_NATS_FAILURE) && e.id == id) {
        answer_locked(n, id, from, &e, piece);
    } else {
        sti_nats_tell_locked(n, STELE_NATS_MALFORMED, 1, from);
    }
    (void)pthread_mutex_unlock(&n->lock);
    natsMsg_Destroy(msg);
}

/* ---- Heartbeats. ---- */

static void peer_up_locked(struct sti_nats *n, struct sti_nats_peer *peer, uint64_t boot)
{
    if (peer->online && peer->boot != boot) {
        sti_nats_calls_peer_gone_locked(n, peer->name, STELE_ENOPEER);
    }
    if (!peer->online || peer->boot != boot) {
        sti_nats_tell_locked(n, STELE_NATS_PEER_UP, 1, peer->name);
        n->greet = true; /* it does not know us yet */
        sti_nats_kick_locked(n);
    }
    peer->online = true;
    peer->boot = boot;
    peer->heard_ns = sti_nats_now_ns();
}

static void heard_locked(struct sti_nats *n, const char *from, uint64_t boot, uint8_t flags)
{
    size_t known = n->peers.count;
    struct sti_nats_peer *peer = sti_nats_peers_add(&n->peers, from);

    if (peer == NULL) {
        sti_nats_tell_locked(n, STELE_NATS_DROPPED, 1, "no room for the names of peers");
        return;
    }
    if (n->peers.count > known) {
        sti_nats_kick_locked(n);
    }
    if ((flags & STI_NATS_BYE) == 0) {
        peer_up_locked(n, peer, boot);
    } else if (peer->online && peer->boot == boot) {
        peer->online = false;
        sti_nats_tell_locked(n, STELE_NATS_PEER_DOWN, 1, peer->name);
        sti_nats_calls_peer_gone_locked(n, peer->name, STELE_ENOPEER);
    }
}

void sti_nats_on_heartbeat(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure)
{
    struct sti_nats *n = closure;
    char from[STELE_FLEET_NAME_MAX + 1] = "?";
    uint64_t boot = 0;
    uint8_t flags = 0;
    bool valid = sti_nats_sender(from, natsMsg_GetSubject(msg)) &&
                 sti_nats_heartbeat_get(&boot, &flags, natsMsg_GetData(msg), msg_len(msg));

    (void)nc;
    (void)sub;
    (void)pthread_mutex_lock(&n->lock);
    if (!valid) {
        sti_nats_tell_locked(n, STELE_NATS_MALFORMED, 1, from);
    } else if (strcmp(from, n->self) != 0) {
        heard_locked(n, from, boot, flags);
    } else if (boot != n->boot) {
        sti_nats_tell_locked(n, STELE_NATS_NAME_TAKEN, 1, from);
    }
    (void)pthread_mutex_unlock(&n->lock);
    natsMsg_Destroy(msg);
}
