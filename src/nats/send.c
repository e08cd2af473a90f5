/* SPDX-License-Identifier: MIT
 *
 * send.c: the calls that send.
 */
#include "nats/memory.h"
#include "nats/report.h"
#include "nats/state.h"

#include <inttypes.h>
#include <stdio.h>

static stele_code check_message(stele_bytes data, stele_error *err)
{
    if (data.data == NULL && data.len > 0) {
        return sti_nats_fail(err, STELE_EINVAL, "no data, but a length");
    }
    if (data.len > STELE_FLEET_MESSAGE_MAX) {
        return sti_nats_fail(err, STELE_ETOOBIG, "a message of %zu bytes, of at most %zu", data.len,
                STELE_FLEET_MESSAGE_MAX);
    }
    return STELE_OK;
}

static bool is_name(const char *name)
{
    size_t len = name == NULL ? 0 : strlen(name);

    return len > 0 && len <= STELE_FLEET_NAME_MAX;
}

static void subject_to(const struct sti_nats *n, const char *peer, char out[STI_NATS_SUBJECT_SIZE])
{
    char token[STI_NATS_TOKEN_SIZE];

    sti_nats_token(token, peer);
    (void)snprintf(
            out, STI_NATS_SUBJECT_SIZE, "stele.%s.to.%s.%s", n->fleet_token, token, n->token);
}

static void subject_all(const struct sti_nats *n, char out[STI_NATS_SUBJECT_SIZE])
{
    (void)snprintf(out, STI_NATS_SUBJECT_SIZE, "stele.%s.all.%s", n->fleet_token, n->token);
}

static struct sti_nats_envelope request_envelope(uint32_t id, stele_bytes data)
{
    return (struct sti_nats_envelope){
            .kind = STI_NATS_REQUEST, .id = id, .info = stele_is_nil(data)};
}

static stele_code post(struct sti_nats *n, const char *subject, stele_bytes data, stele_error *err)
{
    uint32_t id;

    (void)pthread_mutex_lock(&n->lock);
    id = n->next_id++;
    (void)pthread_mutex_unlock(&n->lock);
    return sti_nats_put(n, STI_NATS_OUT, subject, NULL, request_envelope(id, data), data, err);
}

stele_code sti_nats_broadcast(stele_fleet *f, stele_bytes data, stele_error *err)
{
    struct sti_nats *n = sti_nats_of(f);
    char subject[STI_NATS_SUBJECT_SIZE];
    stele_code rc = check_message(data, err);

    if (rc == STELE_OK) {
        subject_all(n, subject);
        rc = post(n, subject, data, err);
    }
    return rc;
}

stele_code sti_nats_send(stele_fleet *f, const char *peer, stele_bytes data, stele_error *err)
{
    struct sti_nats *n = sti_nats_of(f);
    char subject[STI_NATS_SUBJECT_SIZE];
    const struct sti_nats_peer *p;
    bool online;
    stele_code rc = check_message(data, err);

    if (rc != STELE_OK) {
        return rc;
    }
    (void)pthread_mutex_lock(&n->lock);
    p = is_name(peer) ? sti_nats_peers_find(&n->peers, peer) : NULL;
    online = p != NULL && strcmp(peer, n->self) != 0 && sti_nats_is_online(n, p, sti_nats_now_ns());
    (void)pthread_mutex_unlock(&n->lock);
    if (!online) {
        return sti_nats_fail(err, STELE_ENOPEER, "no such peer is online");
    }
    subject_to(n, peer, subject);
    return post(n, subject, data, err);
}

/* ---- With answers. ---- */

/* Send what a call asks. A large one goes by the connection where the server does not say that
 * nobody listens: so an empty one goes by the other, to hear that. */
static stele_code ask(struct sti_nats *n, struct sti_nats_call *call, const char *subject,
        stele_bytes data, stele_error *err)
{
    char reply[STI_NATS_SUBJECT_SIZE];
    struct sti_nats_envelope probe = {.kind = STI_NATS_PROBE};
    stele_code rc = STELE_OK;

    call->bulk = data.len > STI_NATS_SMALL;
    sti_nats_call_begin(n, call);
    if (snprintf(reply, sizeof reply, "%s.%08" PRIx32, n->inbox, call->id) >= (int)sizeof reply) {
        return sti_nats_fail(err, STELE_ETOOBIG, "the names of peer and fleet are too long");
    }
    if (call->bulk) {
        probe.id = call->id;
        rc = sti_nats_put(n, STI_NATS_IN, subject, reply, probe, stele_nil(), err);
    }
    return rc != STELE_OK ? rc
                          : sti_nats_put(n, call->bulk ? STI_NATS_OUT : STI_NATS_IN, subject, reply,
                                    request_envelope(call->id, data), data, err);
}

static stele_code result_of(const struct sti_nats_answer *a, stele_error *err)
{
    switch (a->code) {
    case STELE_OK:
        return STELE_OK;
    case STELE_EPEER:
        return sti_nats_fail(err, STELE_EPEER, "peer %s: %.*s", a->peer,
                a->message.len == 0 ? 9 : (int)a->message.len,
                a->message.len == 0 ? "it failed" : (const char *)a->message.data);
    case STELE_ENOPEER:
        return sti_nats_fail(err, STELE_ENOPEER, "peer %s is not there, or went away", a->peer);
    case STELE_ECANCELED:
        return sti_nats_fail(err, STELE_ECANCELED, "canceled while waiting for peer %s", a->peer);
    case STELE_ETIMEDOUT:
        return sti_nats_fail(err, STELE_ETIMEDOUT,
                a->done ? "the connection broke while waiting for peer %s"
                        : "peer %s did not answer in time",
                a->peer);
    default:
        return sti_nats_fail(err, a->code, "no room for the answer of peer %s", a->peer);
    }
}

static stele_bytes answer_bytes(const struct sti_nats_answer *a)
{
    if (a->code != STELE_OK || a->nil) {
        return stele_nil();
    }
    return a->message.len == 0 ? stele_empty() : stele_bytes_of(a->message.data, a->message.len);
}

stele_code sti_nats_request(stele_fleet *f, const char *peer, stele_bytes data,
        const stele_wait *wait, stele_buf *reply, stele_error *err)
{
    struct sti_nats *n = sti_nats_of(f);
    char subject[STI_NATS_SUBJECT_SIZE];
    struct sti_nats_call *call;
    stele_code rc = check_message(data, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (!is_name(peer) || strcmp(peer, n->self) == 0) {
        return sti_nats_fail(err, STELE_ENOPEER, "no such peer is online");
    }
    call = sti_nats_call_new(n, 1, err);
    if (call == NULL) {
        return STELE_ENOMEM;
    }
    memcpy(call->answers[0].peer, peer, strlen(peer));
    subject_to(n, peer, subject);
    rc = ask(n, call, subject, data, err);
    if (rc != STELE_OK) {
        static const stele_wait none = {.timeout_ms = 0};

        (void)sti_nats_call_await(n, call, &none);
    } else {
        (void)sti_nats_call_await(n, call, wait);
        rc = result_of(&call->answers[0], err);
    }
    if (rc == STELE_OK && !stele_is_nil(answer_bytes(&call->answers[0]))) {
        rc = stele_buf_append(reply, answer_bytes(&call->answers[0]), err);
    }
    sti_nats_call_free(n, call);
    return rc;
}

/* A call with a place for each peer that is online but oneself. */
static struct sti_nats_call *call_all(struct sti_nats *n, stele_error *err)
{
    struct sti_nats_call *call;
    int64_t now = sti_nats_now_ns();
    size_t count = 0;

    (void)pthread_mutex_lock(&n->lock);
    call = sti_nats_call_new(n, n->peers.count, err);
    for (size_t i = 0; call != NULL && i < n->peers.count; i++) {
        const struct sti_nats_peer *p = n->peers.list[i];

        if (strcmp(p->name, n->self) != 0 && sti_nats_is_online(n, p, now)) {
            memcpy(call->answers[count++].peer, p->name, sizeof p->name);
        }
    }
    (void)pthread_mutex_unlock(&n->lock);
    if (call != NULL) {
        call->count = count;
    }
    return call;
}

stele_code sti_nats_all(stele_fleet *f, stele_bytes data, const stele_wait *wait,
        stele_fleet_reply_fn each, void *arg, stele_error *err)
{
    static const stele_wait none = {.timeout_ms = 0};
    struct sti_nats *n = sti_nats_of(f);
    char subject[STI_NATS_SUBJECT_SIZE];
    struct sti_nats_call *call;
    stele_code canceled;
    stele_code rc = check_message(data, err);

    if (rc != STELE_OK) {
        return rc;
    }
    call = call_all(n, err);
    if (call == NULL) {
        return STELE_ENOMEM;
    }
    subject_all(n, subject);
    rc = ask(n, call, subject, data, err);
    canceled = sti_nats_call_await(n, call, rc == STELE_OK ? wait : &none);
    for (size_t i = 0; rc == STELE_OK && i < call->count; i++) {
        each(arg, call->answers[i].peer, call->answers[i].code, answer_bytes(&call->answers[i]));
    }
    sti_nats_call_free(n, call);
    if (rc == STELE_OK && canceled != STELE_OK) {
        rc = sti_nats_fail(err, canceled, "canceled while waiting for peers");
    }
    return rc;
}
