/* SPDX-License-Identifier: MIT
 *
 * loopback_send.c: messages to the peers of one process.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "fleet/loopback.h"

static struct sti_fleet_member *find_locked(stele_fleet_hub *hub, const char *name)
        STI_REQUIRES(hub->lock);

static struct sti_fleet_member *find_locked(stele_fleet_hub *hub, const char *name)
{
    for (struct sti_fleet_member *m = hub->members; m != NULL; m = m->next) {
        if (strcmp(m->name, name) == 0) {
            return m;
        }
    }
    return NULL;
}

/* With `call`, its answer in that place is waited for. */
static stele_code post_locked(stele_fleet_hub *hub, const struct sti_fleet_member *from,
        struct sti_fleet_member *to, struct sti_fleet_blob *blob, struct sti_fleet_call *call,
        size_t place, stele_error *err) STI_REQUIRES(hub->lock);

static stele_code post_locked(stele_fleet_hub *hub, const struct sti_fleet_member *from,
        struct sti_fleet_member *to, struct sti_fleet_blob *blob, struct sti_fleet_call *call,
        size_t place, stele_error *err)
{
    struct sti_fleet_parcel *p;

    (void)hub;
    if (to == NULL || to == from || !to->connected) {
        return sti_fail(err, STELE_ENOPEER, "no such peer is online");
    }
    if (blob->len + STI_FLEET_PARCEL_COST > STELE_FLEET_LOOPBACK_QUEUE - to->queued) {
        return sti_fail(err, STELE_EBUSY, "the queue of peer %s is full", to->name);
    }
    p = sti_calloc(1, sizeof *p);
    if (p == NULL) {
        return sti_fail_memory(err, sizeof *p);
    }
    memcpy(p->from, from->name, sizeof p->from);
    p->blob = blob;
    blob->refs++;
    if (call != NULL) {
        p->call = call;
        p->place = place;
        call->refs++;
        call->open++;
        call->answers[place].done = false;
    }
    to->queued += blob->len + STI_FLEET_PARCEL_COST;
    *to->last = p;
    to->last = &p->next;
    sti_cond_signal(&to->wakes);
    return STELE_OK;
}

static stele_code check_message(stele_bytes data, stele_error *err)
{
    if (data.data == NULL && data.len > 0) {
        return sti_fail(err, STELE_EINVAL, "no data, but a length");
    }
    if (data.len > STELE_FLEET_MESSAGE_MAX) {
        return sti_fail(err, STELE_ETOOBIG, "a message of %zu bytes, of at most %zu", data.len,
                STELE_FLEET_MESSAGE_MAX);
    }
    return STELE_OK;
}

static stele_code make_blob(struct sti_fleet_blob **out, stele_bytes data, stele_error *err)
{
    stele_code rc = check_message(data, err);

    if (rc == STELE_OK) {
        *out = sti_fleet_blob_new(data);
        rc = *out == NULL ? sti_fail_memory(err, data.len) : STELE_OK;
    }
    return rc;
}

stele_code sti_fleet_loopback_send(
        stele_fleet *f, const char *peer, stele_bytes data, stele_error *err)
{
    struct sti_fleet_member *m = sti_fleet_member_of(f);
    stele_fleet_hub *hub = m->hub;
    struct sti_fleet_blob *blob = NULL;
    stele_code rc = make_blob(&blob, data, err);

    if (rc == STELE_OK) {
        sti_mutex_lock(&hub->lock);
        rc = post_locked(hub, m, find_locked(hub, peer), blob, NULL, 0, err);
        sti_fleet_blob_drop_locked(hub, blob);
        sti_mutex_unlock(&hub->lock);
    }
    return rc;
}

/* Each peer has its chance: the first failure is reported. */
stele_code sti_fleet_loopback_broadcast(stele_fleet *f, stele_bytes data, stele_error *err)
{
    struct sti_fleet_member *m = sti_fleet_member_of(f);
    stele_fleet_hub *hub = m->hub;
    struct sti_fleet_blob *blob = NULL;
    stele_code rc = make_blob(&blob, data, err);

    if (rc == STELE_OK) {
        sti_mutex_lock(&hub->lock);
        for (struct sti_fleet_member *to = hub->members; to != NULL; to = to->next) {
            if (to != m && to->connected) {
                stele_code one =
                        post_locked(hub, m, to, blob, NULL, 0, rc == STELE_OK ? err : NULL);

                rc = rc == STELE_OK ? one : rc;
            }
        }
        sti_fleet_blob_drop_locked(hub, blob);
        sti_mutex_unlock(&hub->lock);
    }
    return rc;
}

static stele_code result_of(const struct sti_fleet_answer *a, const char *peer, stele_error *err)
{
    switch (a->code) {
    case STELE_OK:
        return STELE_OK;
    case STELE_EPEER:
        return sti_fail(err, STELE_EPEER, "peer %s: %s", peer,
                a->error.code == STELE_OK ? "it failed" : a->error.message);
    case STELE_ENOPEER:
        return sti_fail(err, STELE_ENOPEER, "peer %s went away", peer);
    case STELE_ECANCELED:
        return sti_fail(err, STELE_ECANCELED, "canceled while waiting for peer %s", peer);
    default:
        return sti_fail(err, a->code, "peer %s did not answer in time", peer);
    }
}

stele_code sti_fleet_loopback_request(stele_fleet *f, const char *peer, stele_bytes data,
        const stele_wait *wait, stele_buf *reply, stele_error *err)
{
    struct sti_fleet_member *m = sti_fleet_member_of(f);
    stele_fleet_hub *hub = m->hub;
    struct sti_fleet_blob *blob = NULL;
    struct sti_fleet_answer answer;
    struct sti_fleet_call *call;
    bool canceled = false;
    stele_code rc = make_blob(&blob, data, err);

    if (rc != STELE_OK) {
        return rc;
    }
    call = sti_fleet_call_new(1, err);
    if (call == NULL) {
        sti_free(blob);
        return STELE_ENOMEM;
    }
    sti_mutex_lock(&hub->lock);
    rc = post_locked(hub, m, find_locked(hub, peer), blob, call, 0, err);
    sti_fleet_blob_drop_locked(hub, blob);
    sti_mutex_unlock(&hub->lock);
    if (rc == STELE_OK) {
        canceled = sti_fleet_call_await(hub, call, wait);
    }
    sti_mutex_lock(&hub->lock);
    sti_fleet_call_settle_locked(hub, call, &answer, 0, canceled);
    sti_fleet_call_drop_locked(hub, call);
    sti_mutex_unlock(&hub->lock);
    if (rc == STELE_OK) {
        rc = result_of(&answer, peer, err);
    }
    if (rc == STELE_OK && !stele_is_nil(stele_buf_view(&answer.reply))) {
        rc = stele_buf_append(reply, stele_buf_view(&answer.reply), err);
    }
    stele_buf_free(&answer.reply);
    return rc;
}

/* Their names go into the answers of `call`, if it is not NULL. */
static size_t online_locked(const stele_fleet_hub *hub, const struct sti_fleet_member *m,
        struct sti_fleet_call *call) STI_REQUIRES(hub->lock);

static size_t online_locked(
        const stele_fleet_hub *hub, const struct sti_fleet_member *m, struct sti_fleet_call *call)
{
    size_t count = 0;

    for (const struct sti_fleet_member *to = hub->members; to != NULL; to = to->next) {
        if (to != m && to->connected) {
            if (call != NULL) {
                memcpy(call->answers[count].peer, to->name, sizeof to->name);
            }
            count++;
        }
    }
    return count;
}

/* A call with a place for each peer that is online, to all of whom the message is posted. */
static stele_code post_all(struct sti_fleet_member *m, struct sti_fleet_blob *blob,
        struct sti_fleet_call **out, stele_error *err)
{
    stele_fleet_hub *hub = m->hub;
    struct sti_fleet_call *call;
    size_t count;

    sti_mutex_lock(&hub->lock);
    count = online_locked(hub, m, NULL);
    call = sti_fleet_call_new(count, err);
    if (call != NULL) {
        (void)online_locked(hub, m, call);
        for (size_t i = 0; i < count; i++) {
            struct sti_fleet_answer *a = &call->answers[i];
            stele_code rc = post_locked(hub, m, find_locked(hub, a->peer), blob, call, i, NULL);

            a->code = rc == STELE_OK ? a->code : rc;
        }
    }
    sti_fleet_blob_drop_locked(hub, blob);
    sti_mutex_unlock(&hub->lock);
    *out = call;
    return call == NULL ? STELE_ENOMEM : STELE_OK;
}

stele_code sti_fleet_loopback_all(stele_fleet *f, stele_bytes data, const stele_wait *wait,
        stele_fleet_reply_fn each, void *arg, stele_error *err)
{
    struct sti_fleet_member *m = sti_fleet_member_of(f);
    stele_fleet_hub *hub = m->hub;
    struct sti_fleet_blob *blob = NULL;
    struct sti_fleet_call *call = NULL;
    bool canceled;
    stele_code rc = make_blob(&blob, data, err);

    rc = rc == STELE_OK ? post_all(m, blob, &call, err) : rc;
    if (rc != STELE_OK) {
        return rc;
    }
    canceled = sti_fleet_call_await(hub, call, wait);
    for (size_t i = 0; i < call->count; i++) {
        struct sti_fleet_answer answer;

        sti_mutex_lock(&hub->lock);
        sti_fleet_call_settle_locked(hub, call, &answer, i, canceled);
        sti_mutex_unlock(&hub->lock);
        each(arg, answer.peer, answer.code, stele_buf_view(&answer.reply));
        stele_buf_free(&answer.reply);
    }
    sti_mutex_lock(&hub->lock);
    sti_fleet_call_drop_locked(hub, call);
    sti_mutex_unlock(&hub->lock);
    return canceled ? sti_fail(err, STELE_ECANCELED, "canceled while waiting for peers") : STELE_OK;
}
