/* SPDX-License-Identifier: MIT
 *
 * loopback_call.c: messages within a process, and who waits for their answers.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "fleet/loopback.h"

struct sti_fleet_blob *sti_fleet_blob_new(stele_bytes data)
{
    struct sti_fleet_blob *b = sti_malloc(sizeof *b + data.len);

    if (b != NULL) {
        b->refs = 1;
        b->len = data.len;
        b->nil = stele_is_nil(data);
        if (data.len > 0) {
            memcpy(b->data, data.data, data.len);
        }
    }
    return b;
}

void sti_fleet_blob_drop_locked(stele_fleet_hub *hub, struct sti_fleet_blob *blob)
{
    (void)hub;
    if (--blob->refs == 0) {
        sti_free(blob);
    }
}

struct sti_fleet_call *sti_fleet_call_new(size_t count, stele_error *err)
{
    struct sti_fleet_call *c = sti_calloc(1, sizeof *c + count * sizeof c->answers[0]);

    if (c == NULL) {
        (void)sti_fail_memory(err, count * sizeof c->answers[0]);
        return NULL;
    }
    if (sti_cond_init(&c->changed, err) != STELE_OK) {
        sti_free(c);
        return NULL;
    }
    c->refs = 1;
    c->count = count;
    for (size_t i = 0; i < count; i++) {
        stele_buf_init(&c->answers[i].reply, STELE_FLEET_MESSAGE_MAX);
        c->answers[i].done = true; /* until it is sent */
        c->answers[i].code = STELE_ENOPEER;
    }
    return c;
}

void sti_fleet_call_drop_locked(stele_fleet_hub *hub, struct sti_fleet_call *call)
{
    (void)hub;
    if (--call->refs > 0) {
        return;
    }
    for (size_t i = 0; i < call->count; i++) {
        stele_buf_free(&call->answers[i].reply);
    }
    sti_cond_destroy(&call->changed);
    sti_free(call);
}

void sti_fleet_parcel_finish_locked(stele_fleet_hub *hub, struct sti_fleet_parcel *parcel,
        stele_code code, const stele_error *error, stele_buf *reply)
{
    if (parcel->call != NULL) {
        struct sti_fleet_answer *a = &parcel->call->answers[parcel->place];

        a->done = true;
        a->code = code;
        if (error != NULL && code != STELE_OK) {
            a->error = *error;
        }
        if (reply != NULL && code == STELE_OK) {
            a->reply = *reply;
            stele_buf_init(reply, STELE_FLEET_MESSAGE_MAX);
        }
        parcel->call->open--;
        sti_cond_broadcast(&parcel->call->changed);
        sti_fleet_call_drop_locked(hub, parcel->call);
    }
    sti_fleet_blob_drop_locked(hub, parcel->blob);
    sti_free(parcel);
}

bool sti_fleet_call_await(stele_fleet_hub *hub, struct sti_fleet_call *call, const stele_wait *wait)
{
    int64_t deadline = sti_wait_deadline(wait);
    stele_cancel *cancel = wait == NULL ? NULL : wait->cancel;
    struct sti_cancel_listener listener;
    bool in_time = true;
    bool canceled = false;

    sti_cancel_listen(cancel, &listener, &hub->lock, &call->changed);
    sti_mutex_lock(&hub->lock);
    while (call->open > 0 && in_time && !canceled) {
        canceled = sti_cancel_triggered(cancel);
        if (!canceled) {
            in_time = sti_cond_wait_until(&call->changed, &hub->lock, deadline);
        }
    }
    sti_mutex_unlock(&hub->lock);
    sti_cancel_ignore(cancel, &listener);
    return canceled;
}

void sti_fleet_call_settle_locked(stele_fleet_hub *hub, struct sti_fleet_call *call,
        struct sti_fleet_answer *out, size_t place, bool canceled)
{
    struct sti_fleet_answer *a = &call->answers[place];

    (void)hub;
    *out = *a;
    if (!a->done) {
        out->code = canceled ? STELE_ECANCELED : STELE_ETIMEDOUT;
        stele_buf_init(&out->reply, STELE_FLEET_MESSAGE_MAX);
    } else {
        stele_buf_init(&a->reply, STELE_FLEET_MESSAGE_MAX);
    }
}
