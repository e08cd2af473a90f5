/* SPDX-License-Identifier: MIT
 *
 * record.c: a transport that shows every packet of another one.
 */
#include <stele/fleet.h>

#include "base/alloc.h"
#include "base/error.h"

struct recorder {
    stele_fleet base;
    stele_fleet *inner;
    stele_fleet_packet_fn each;
    void *arg;
    stele_fleet_handler handler; /* set while it is not connected */
    void *handler_arg;
};

static struct recorder *recorder_of(stele_fleet *f)
{
    return (struct recorder *)(void *)f;
}

static void show(const struct recorder *r, stele_fleet_event event, stele_fleet_call call,
        const char *peer, stele_code code, stele_bytes data)
{
    stele_fleet_packet packet = {
            .event = event, .call = call, .peer = peer, .code = code, .data = data};

    r->each(r->arg, &packet);
}

struct asked {
    const struct recorder *recorder;
    stele_fleet_reply_fn each;
    void *arg;
};

static void answered(void *arg, const char *peer, stele_code code, stele_bytes reply)
{
    const struct asked *a = arg;

    show(a->recorder, STELE_FLEET_ANSWERED, STELE_FLEET_CALL_ALL, peer, code, reply);
    a->each(a->arg, peer, code, reply);
}

static stele_code record_all(stele_fleet *f, stele_bytes data, const stele_wait *wait,
        stele_fleet_reply_fn each, void *arg, stele_error *err)
{
    struct recorder *r = recorder_of(f);
    struct asked a = {.recorder = r, .each = each, .arg = arg};

    show(r, STELE_FLEET_SENDS, STELE_FLEET_CALL_ALL, NULL, STELE_OK, data);
    return r->inner->ops->all(r->inner, data, wait, answered, &a, err);
}

static stele_code record_broadcast(stele_fleet *f, stele_bytes data, stele_error *err)
{
    struct recorder *r = recorder_of(f);

    show(r, STELE_FLEET_SENDS, STELE_FLEET_CALL_BROADCAST, NULL, STELE_OK, data);
    return r->inner->ops->broadcast(r->inner, data, err);
}

static stele_code record_request(stele_fleet *f, const char *peer, stele_bytes data,
        const stele_wait *wait, stele_buf *reply, stele_error *err)
{
    struct recorder *r = recorder_of(f);
    size_t before = reply->len;
    stele_bytes answer;
    stele_code rc;

    show(r, STELE_FLEET_SENDS, STELE_FLEET_CALL_REQUEST, peer, STELE_OK, data);
    rc = r->inner->ops->request(r->inner, peer, data, wait, reply, err);
    answer = stele_is_nil(stele_buf_view(reply))
                     ? stele_nil()
                     : stele_bytes_of(reply->data + before, reply->len - before);
    show(r, STELE_FLEET_ANSWERED, STELE_FLEET_CALL_REQUEST, peer, rc, answer);
    return rc;
}

static stele_code record_send(stele_fleet *f, const char *peer, stele_bytes data, stele_error *err)
{
    struct recorder *r = recorder_of(f);

    show(r, STELE_FLEET_SENDS, STELE_FLEET_CALL_SEND, peer, STELE_OK, data);
    return r->inner->ops->send(r->inner, peer, data, err);
}

static const char *record_self(stele_fleet *f)
{
    stele_fleet *inner = recorder_of(f)->inner;

    return inner->ops->self(inner);
}

static stele_code record_online(
        stele_fleet *f, stele_fleet_peer_fn each, void *arg, stele_error *err)
{
    stele_fleet *inner = recorder_of(f)->inner;

    return inner->ops->online(inner, each, arg, err);
}

static size_t record_count_all(stele_fleet *f)
{
    stele_fleet *inner = recorder_of(f)->inner;

    return inner->ops->count_all(inner);
}

static stele_code received(
        void *arg, const char *from, stele_bytes data, stele_buf *reply, stele_error *err)
{
    const struct recorder *r = arg;
    stele_code rc;

    show(r, STELE_FLEET_RECEIVED, STELE_FLEET_CALL_ALL, from, STELE_OK, data);
    rc = r->handler(r->handler_arg, from, data, reply, err);
    show(r, STELE_FLEET_REPLIED, STELE_FLEET_CALL_ALL, from, rc, stele_buf_view(reply));
    return rc;
}

/* The handler is kept before the first message can come; a second one, which the inner transport
 * refuses, must not take its place. */
static stele_code record_connect(
        stele_fleet *f, stele_fleet_handler handler, void *arg, stele_error *err)
{
    struct recorder *r = recorder_of(f);
    stele_code rc;

    if (handler == NULL) {
        rc = r->inner->ops->connect(r->inner, NULL, NULL, err);
        r->handler = rc == STELE_OK ? NULL : r->handler;
        return rc;
    }
    if (r->handler != NULL) {
        return sti_fail(err, STELE_ESTATE, "already connected");
    }
    r->handler = handler;
    r->handler_arg = arg;
    rc = r->inner->ops->connect(r->inner, received, r, err);
    r->handler = rc == STELE_OK ? r->handler : NULL;
    return rc;
}

static void record_close(stele_fleet *f)
{
    struct recorder *r = recorder_of(f);

    if (r->handler != NULL) {
        (void)r->inner->ops->connect(r->inner, NULL, NULL, NULL);
    }
    sti_free(r);
}

static const stele_fleet_ops record_ops = {
        .version = STELE_FLEET_OPS_VERSION,
        .name = "recorder",
        .all = record_all,
        .broadcast = record_broadcast,
        .request = record_request,
        .send = record_send,
        .self = record_self,
        .online = record_online,
        .count_all = record_count_all,
        .connect = record_connect,
        .close = record_close,
};

stele_code stele_fleet_record(stele_fleet **out, stele_fleet *inner, stele_fleet_packet_fn each,
        void *arg, stele_error *err)
{
    struct recorder *r;

    if (out == NULL || inner == NULL || each == NULL) {
        return sti_fail(err, STELE_EINVAL, "a recorder needs a transport and a callback");
    }
    r = sti_calloc(1, sizeof *r);
    if (r == NULL) {
        return sti_fail_memory(err, sizeof *r);
    }
    r->base.ops = &record_ops;
    r->inner = inner;
    r->each = each;
    r->arg = arg;
    *out = &r->base;
    return STELE_OK;
}
