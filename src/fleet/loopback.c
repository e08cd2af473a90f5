/* SPDX-License-Identifier: MIT
 *
 * loopback.c: peers of one process: who there is, and how messages reach them.
 */
#include "fleet/loopback.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"

/* ---- Receiving. ---- */

static struct sti_fleet_parcel *take_locked(struct sti_fleet_member *m)
{
    struct sti_fleet_parcel *p = m->first;

    m->first = p->next;
    if (m->first == NULL) {
        m->last = &m->first;
    }
    m->queued -= p->blob->len + STI_FLEET_PARCEL_COST;
    return p;
}

static void *receive(void *arg)
{
    struct sti_fleet_member *m = arg;
    stele_fleet_hub *hub = m->hub;

    sti_mutex_lock(&hub->lock);
    for (;;) {
        struct sti_fleet_parcel *p;
        stele_buf reply;
        stele_error error = {.code = STELE_OK};
        stele_code rc;

        while (m->first == NULL && !m->disconnecting) {
            sti_cond_wait(&m->wakes, &hub->lock);
        }
        if (m->disconnecting) {
            break;
        }
        p = take_locked(m);
        sti_mutex_unlock(&hub->lock);
        stele_buf_init(&reply, STELE_FLEET_MESSAGE_MAX);
        rc = m->handler(m->arg, p->from,
                p->blob->nil ? stele_nil() : stele_bytes_of(p->blob->data, p->blob->len), &reply,
                &error);
        sti_mutex_lock(&hub->lock);
        sti_fleet_parcel_finish_locked(
                hub, p, rc == STELE_OK ? STELE_OK : STELE_EPEER, &error, &reply);
        stele_buf_free(&reply);
    }
    sti_mutex_unlock(&hub->lock);
    return NULL;
}

static void join_threads(struct sti_fleet_member *m, size_t count)
{
    stele_fleet_hub *hub = m->hub;

    sti_mutex_lock(&hub->lock);
    m->connected = false;
    m->disconnecting = true;
    sti_cond_broadcast(&m->wakes);
    sti_mutex_unlock(&hub->lock);
    for (size_t i = 0; i < count; i++) {
        sti_thread_join(&m->threads[i]);
    }
    sti_mutex_lock(&hub->lock);
    while (m->first != NULL) {
        sti_fleet_parcel_finish_locked(hub, take_locked(m), STELE_ENOPEER, NULL, NULL);
    }
    m->handler = NULL;
    m->disconnecting = false;
    sti_mutex_unlock(&hub->lock);
}

static stele_code connect_handler(struct sti_fleet_member *m, stele_error *err)
{
    stele_fleet_hub *hub = m->hub;
    stele_code rc = STELE_OK;
    size_t started = 0;

    while (rc == STELE_OK && started < STELE_FLEET_LOOPBACK_THREADS) {
        rc = sti_thread_start(&m->threads[started], receive, m, err);
        started += rc == STELE_OK;
    }
    if (rc != STELE_OK) {
        join_threads(m, started);
        return rc;
    }
    sti_mutex_lock(&hub->lock);
    m->connected = true;
    sti_mutex_unlock(&hub->lock);
    return STELE_OK;
}

static stele_code loopback_connect(
        stele_fleet *f, stele_fleet_handler handler, void *arg, stele_error *err)
{
    struct sti_fleet_member *m = sti_fleet_member_of(f);
    stele_fleet_hub *hub = m->hub;
    bool busy;

    sti_mutex_lock(&hub->lock);
    busy = m->disconnecting || (handler == NULL ? !m->connected : m->handler != NULL);
    if (!busy && handler != NULL) {
        m->handler = handler;
        m->arg = arg;
    } else if (!busy) {
        m->connected = false;
    }
    sti_mutex_unlock(&hub->lock);
    if (busy) {
        return sti_fail(err, STELE_ESTATE, handler == NULL ? "not connected" : "already connected");
    }
    if (handler != NULL) {
        return connect_handler(m, err);
    }
    join_threads(m, STELE_FLEET_LOOPBACK_THREADS);
    return STELE_OK;
}

/* ---- Who there is. ---- */

static const char *loopback_self(stele_fleet *f)
{
    return sti_fleet_member_of(f)->name;
}

/* The names are copied first: no callback is called under the mutex. */
static stele_code loopback_online(
        stele_fleet *f, stele_fleet_peer_fn each, void *arg, stele_error *err)
{
    struct sti_fleet_member *m = sti_fleet_member_of(f);
    stele_fleet_hub *hub = m->hub;
    struct sti_fleet_known *names;
    size_t count = 0;

    sti_mutex_lock(&hub->lock);
    names = sti_calloc(hub->known_count, sizeof *names);
    for (struct sti_fleet_member *o = hub->members; names != NULL && o != NULL; o = o->next) {
        if (o->connected) {
            memcpy(names[count++].name, o->name, sizeof o->name);
        }
    }
    sti_mutex_unlock(&hub->lock);
    if (names == NULL) {
        return sti_fail_memory(err, sizeof *names);
    }
    for (size_t i = 0; i < count; i++) {
        each(arg, names[i].name);
    }
    sti_free(names);
    return STELE_OK;
}

static size_t loopback_count_all(stele_fleet *f)
{
    struct sti_fleet_member *m = sti_fleet_member_of(f);
    stele_fleet_hub *hub = m->hub;
    size_t count;

    sti_mutex_lock(&hub->lock);
    count = hub->known_count;
    sti_mutex_unlock(&hub->lock);
    return count;
}

static void loopback_close(stele_fleet *f)
{
    struct sti_fleet_member *m = sti_fleet_member_of(f);
    stele_fleet_hub *hub = m->hub;
    struct sti_fleet_member **at = &hub->members;

    if (m->handler != NULL) {
        join_threads(m, STELE_FLEET_LOOPBACK_THREADS);
    }
    sti_mutex_lock(&hub->lock);
    while (*at != m) {
        at = &(*at)->next;
    }
    *at = m->next;
    sti_mutex_unlock(&hub->lock);
    sti_cond_destroy(&m->wakes);
    sti_free(m);
}

static const stele_fleet_ops loopback_ops = {
        .version = STELE_FLEET_OPS_VERSION,
        .name = "loopback",
        .all = sti_fleet_loopback_all,
        .broadcast = sti_fleet_loopback_broadcast,
        .request = sti_fleet_loopback_request,
        .send = sti_fleet_loopback_send,
        .self = loopback_self,
        .online = loopback_online,
        .count_all = loopback_count_all,
        .connect = loopback_connect,
        .close = loopback_close,
};

/* ---- The hub. ---- */

stele_code stele_fleet_hub_new(stele_fleet_hub **out, stele_error *err)
{
    stele_fleet_hub *hub = sti_calloc(1, sizeof *hub);
    stele_code rc;

    if (hub == NULL) {
        return sti_fail_memory(err, sizeof *hub);
    }
    rc = sti_mutex_init(&hub->lock, STI_RANK_FLEET, err);
    if (rc != STELE_OK) {
        sti_free(hub);
        return rc;
    }
    *out = hub;
    return STELE_OK;
}

static stele_code remember_locked(stele_fleet_hub *hub, const char *name, stele_error *err)
        STI_REQUIRES(hub->lock);

static stele_code remember_locked(stele_fleet_hub *hub, const char *name, stele_error *err)
{
    struct sti_fleet_known *k;

    for (k = hub->known; k != NULL; k = k->next) {
        if (strcmp(k->name, name) == 0) {
            return STELE_OK;
        }
    }
    k = sti_calloc(1, sizeof *k);
    if (k == NULL) {
        return sti_fail_memory(err, sizeof *k);
    }
    memcpy(k->name, name, strlen(name));
    k->next = hub->known;
    hub->known = k;
    hub->known_count++;
    return STELE_OK;
}

static stele_code add_locked(stele_fleet_hub *hub, struct sti_fleet_member *m, stele_error *err)
        STI_REQUIRES(hub->lock);

static stele_code add_locked(stele_fleet_hub *hub, struct sti_fleet_member *m, stele_error *err)
{
    struct sti_fleet_member **at = &hub->members;
    stele_code rc;

    while (*at != NULL && strcmp((*at)->name, m->name) < 0) {
        at = &(*at)->next;
    }
    if (*at != NULL && strcmp((*at)->name, m->name) == 0) {
        return sti_fail(err, STELE_EEXIST, "a peer named %s is there already", m->name);
    }
    rc = remember_locked(hub, m->name, err);
    if (rc == STELE_OK) {
        m->next = *at;
        *at = m;
    }
    return rc;
}

stele_code stele_fleet_hub_join(
        stele_fleet_hub *hub, const char *name, stele_fleet **out, stele_error *err)
{
    size_t len = name == NULL ? 0 : strlen(name);
    struct sti_fleet_member *m;
    stele_code rc;

    if (hub == NULL || out == NULL || len == 0 || len > STELE_FLEET_NAME_MAX) {
        return sti_fail(err, STELE_EINVAL, "the name of a peer has 1 to %zu bytes, not %zu",
                STELE_FLEET_NAME_MAX, len);
    }
    m = sti_calloc(1, sizeof *m);
    if (m == NULL) {
        return sti_fail_memory(err, sizeof *m);
    }
    m->base.ops = &loopback_ops;
    m->hub = hub;
    m->last = &m->first;
    memcpy(m->name, name, len);
    rc = sti_cond_init(&m->wakes, err);
    if (rc != STELE_OK) {
        sti_free(m);
        return rc;
    }
    sti_mutex_lock(&hub->lock);
    rc = add_locked(hub, m, err);
    sti_mutex_unlock(&hub->lock);
    if (rc != STELE_OK) {
        sti_cond_destroy(&m->wakes);
        sti_free(m);
        return rc;
    }
    *out = &m->base;
    return STELE_OK;
}

void stele_fleet_hub_free(stele_fleet_hub *hub)
{
    if (hub == NULL) {
        return;
    }
    sti_assert(hub->members == NULL);
    while (hub->known != NULL) {
        struct sti_fleet_known *k = hub->known;

        hub->known = k->next;
        sti_free(k);
    }
    sti_mutex_destroy(&hub->lock);
    sti_free(hub);
}
