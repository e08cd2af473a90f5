/* SPDX-License-Identifier: MIT
 *
 * seen.c: a fleet over NATS in which a call of connect returns when all others have seen it.
 */
#include "nats/seen.h"

#include <string.h>
#include <time.h>

struct look {
    const char *name;
    bool found;
};

static void look(void *arg, const char *peer)
{
    struct look *l = arg;

    l->found = l->found || strcmp(peer, l->name) == 0;
}

bool seen_online(stele_fleet *f, const char *name)
{
    struct look l = {.name = name};

    return f->ops->online(f, look, &l, NULL) == STELE_OK && l.found;
}

void seen_await(stele_fleet *f, const char *name, bool online)
{
    const struct timespec ms = {.tv_nsec = 1000000};

    while (seen_online(f, name) != online) {
        (void)nanosleep(&ms, NULL);
    }
}

static struct seen *seen_of(stele_fleet *f)
{
    return (struct seen *)(void *)f;
}

static stele_code seen_all(stele_fleet *f, stele_bytes data, const stele_wait *wait,
        stele_fleet_reply_fn each, void *arg, stele_error *err)
{
    stele_fleet *inner = seen_of(f)->inner;

    return inner->ops->all(inner, data, wait, each, arg, err);
}

static stele_code seen_broadcast(stele_fleet *f, stele_bytes data, stele_error *err)
{
    stele_fleet *inner = seen_of(f)->inner;

    return inner->ops->broadcast(inner, data, err);
}

static stele_code seen_request(stele_fleet *f, const char *peer, stele_bytes data,
        const stele_wait *wait, stele_buf *reply, stele_error *err)
{
    stele_fleet *inner = seen_of(f)->inner;

    return inner->ops->request(inner, peer, data, wait, reply, err);
}

static stele_code seen_send(stele_fleet *f, const char *peer, stele_bytes data, stele_error *err)
{
    stele_fleet *inner = seen_of(f)->inner;

    return inner->ops->send(inner, peer, data, err);
}

static const char *seen_self(stele_fleet *f)
{
    stele_fleet *inner = seen_of(f)->inner;

    return inner->ops->self(inner);
}

static stele_code seen_list(stele_fleet *f, stele_fleet_peer_fn each, void *arg, stele_error *err)
{
    stele_fleet *inner = seen_of(f)->inner;

    return inner->ops->online(inner, each, arg, err);
}

static size_t seen_count_all(stele_fleet *f)
{
    stele_fleet *inner = seen_of(f)->inner;

    return inner->ops->count_all(inner);
}

static stele_code seen_connect(
        stele_fleet *f, stele_fleet_handler handler, void *arg, stele_error *err)
{
    struct seen *me = seen_of(f);
    stele_code rc = me->inner->ops->connect(me->inner, handler, arg, err);

    if (rc != STELE_OK) {
        return rc;
    }
    me->connected = handler != NULL;
    for (size_t i = 0; i < me->hub->count; i++) {
        struct seen *other = &me->hub->peers[i];

        if (other != me && other->inner != NULL) {
            seen_await(other->inner, seen_self(f), me->connected);
            if (me->connected && other->connected) {
                seen_await(me->inner, seen_self(&other->base), true);
            }
        }
    }
    return STELE_OK;
}

static void seen_close(stele_fleet *f)
{
    struct seen *me = seen_of(f);

    stele_fleet_close(me->inner);
    me->inner = NULL;
}

static const stele_fleet_ops seen_ops = {
        .version = STELE_FLEET_OPS_VERSION,
        .name = "seen",
        .all = seen_all,
        .broadcast = seen_broadcast,
        .request = seen_request,
        .send = seen_send,
        .self = seen_self,
        .online = seen_list,
        .count_all = seen_count_all,
        .connect = seen_connect,
        .close = seen_close,
};

stele_fleet *seen_wrap(struct seen_hub *hub, stele_fleet *inner)
{
    struct seen *me = &hub->peers[hub->count++];

    *me = (struct seen){.base = {&seen_ops}, .inner = inner, .hub = hub};
    return &me->base;
}
