/* SPDX-License-Identifier: MIT
 *
 * node_owner.c: the thread that steps the core: with what comes in, when it is time, and with who
 * is online.
 */
#include "base/alloc.h"
#include "base/env.h"
#include "base/error.h"
#include "fleet/mutant.h"
#include "fleet/node.h"

#define MS_NS   INT64_C(1000000)
#define SOON_NS (20 * MS_NS) /* between looks that messages ask for */

enum {
    SECOND_US = 1000000,
    US_NS = 1000,
    NAMES_MAX = 1024
};

/* ---- Steps. ---- */

static struct sti_docs_time wall_of(const stele_node *n)
{
    stele_time now = sti_env_now(&n->env);

    if (now < 0) {
        return (struct sti_docs_time){.seconds = 0};
    }
    return (struct sti_docs_time){
            .seconds = now / SECOND_US, .ns = (uint32_t)(now % SECOND_US) * US_NS};
}

static int64_t now_of(const stele_node *n)
{
    return (int64_t)sti_env_monotonic_ns(&n->env);
}

/* All that the step has seen is durable. */
static bool make_durable(stele_node *n, uint64_t seq)
{
    stele_error err;

    if (sti_node_is_durable(n, seq) || STI_FLEET_MUTANT(NODE_SENDS_UNDURABLE)) {
        return true;
    }
    if (sti_docs_peer_durable(n->db, &err) != STELE_OK) {
        sti_env_log(&n->env, STELE_LOG_WARN, "nothing is sent to peers: %s", err.message);
        return false;
    }
    sti_node_note_durable(n, seq);
    return true;
}

stele_code sti_node_step(stele_node *n, struct sti_fleet_event *event)
{
    uint64_t seq = 0;
    stele_error err;
    stele_code rc;

    event->now_ns = now_of(n);
    event->wall = wall_of(n);
    event->random = sti_env_random64(&n->env);
    sti_mutex_lock(&n->core_lock);
    rc = sti_fleet_step(n->core, event, &n->effects, &err);
    if (n->view.read != NULL) {
        seq = n->view.seq;
        sti_fleet_core_raise_horizon(n->core, n->view.horizon);
        sti_docs_view_end(&n->view);
    }
    sti_mutex_unlock(&n->core_lock);
    if (rc != STELE_OK) {
        sti_env_log(
                &n->env, STELE_LOG_WARN, "part of what a peer wants is not done: %s", err.message);
        sti_node_met_damage(n, rc);
    }
    sti_node_carry_out(n, make_durable(n, seq));
    if (rc != STELE_OK) {
        n->timer_at = event->now_ns + SOON_NS;
    }
    if (event->kind == STI_FLEET_EV_MESSAGE && event->token != 0) {
        /* Where the step failed, nobody has answered. */
        sti_node_answer(n, event->token, rc == STELE_OK ? STELE_OK : STELE_EFAILED, stele_nil());
    }
    return rc;
}

static void note_lost(stele_node *n)
{
    for (size_t i = 0; i < n->peer_count; i++) {
        n->peers[i].synced = (struct sti_docs_version){.seconds = 0};
    }
    sti_mutex_lock(&n->lock);
    n->lost_untold = false;
    sti_mutex_unlock(&n->lock);
    sti_node_note_changed(n);
}

/* The parcel is taken over. */
static void step_parcel(stele_node *n, struct sti_node_parcel *p)
{
    struct sti_fleet_event event = {.kind = p->kind,
            .token = p->token,
            .code = p->code,
            .peer = p->peer[0] == 0 ? NULL : p->peer,
            .bytes = sti_node_parcel_bytes(p)};
    const struct sti_node_peer *known;
    stele_code rc;

    if (p->kind == STI_FLEET_EV_MESSAGE) {
        known = sti_node_peer_of(n, p->peer, false);
        if (known == NULL || !known->online) {
            int64_t soon = now_of(n) + SOON_NS;

            n->look_at = n->look_at < soon ? n->look_at : soon;
        }
    }
    rc = sti_node_step(n, &event);
    if (rc != STELE_OK && (p->kind == STI_FLEET_EV_STORED || p->kind == STI_FLEET_EV_LOST)) {
        sti_node_tell_owner(n, p); /* The core has to hear of it. */
        return;
    }
    if (p->kind == STI_FLEET_EV_LOST) {
        note_lost(n);
    }
    if (p->kind == STI_FLEET_EV_FORGET) {
        struct sti_node_peer *gone = sti_node_peer_of(n, p->peer, false);

        if (gone != NULL) {
            gone->online = gone->noted = false;
            sti_node_note_changed(n);
        }
        sti_node_answer(n, p->token, rc, stele_nil());
    }
    sti_node_parcel_free(p);
}

/* ---- Who is there. ---- */

struct sti_node_peer *sti_node_peer_of(stele_node *n, const char *name, bool add)
{
    struct sti_node_peer *peers;

    for (size_t i = 0; i < n->peer_count; i++) {
        if (strcmp(n->peers[i].name, name) == 0) {
            return &n->peers[i];
        }
    }
    if (!add || n->peer_count == NAMES_MAX || strlen(name) > STELE_FLEET_NAME_MAX) {
        return NULL;
    }
    peers = sti_realloc(n->peers, n->peer_count + 1, sizeof *peers);
    if (peers == NULL) {
        return NULL;
    }
    n->peers = peers;
    n->peers[n->peer_count] = (struct sti_node_peer){.online = false};
    memcpy(n->peers[n->peer_count].name, name, strlen(name) + 1);
    return &n->peers[n->peer_count++];
}

struct looking {
    stele_node *n;
    bool seen[NAMES_MAX];
    bool noted; /* a new one */
};

/* Called by the transport, which may have locks of its own: nothing is done yet. */
static void see(void *arg, const char *name)
{
    struct looking *l = arg;
    struct sti_node_peer *peer;

    if (strcmp(name, l->n->transport->ops->self(l->n->transport)) == 0) {
        return;
    }
    peer = sti_node_peer_of(l->n, name, true);
    if (peer != NULL) {
        l->seen[peer - l->n->peers] = true;
    }
}

static void go(stele_node *n, size_t place, bool online)
{
    struct sti_fleet_event event = {
            .kind = online ? STI_FLEET_EV_UP : STI_FLEET_EV_DOWN, .peer = n->peers[place].name};
    stele_node_event told = {.kind = online ? STELE_NODE_EV_ONLINE : STELE_NODE_EV_OFFLINE,
            .peer = n->peers[place].name};

    n->peers[place].online = online;
    (void)sti_node_step(n, &event);
    if (online || !STI_FLEET_MUTANT(NODE_OFFLINE_UNTOLD)) {
        sti_node_event(n, &told);
    }
}

static void tell_progress(stele_node *n)
{
    for (size_t i = 0; i < n->peer_count; i++) {
        struct sti_fleet_peer_info info = {.name = NULL};
        struct sti_node_peer *peer = &n->peers[i];
        size_t count;

        sti_mutex_lock(&n->core_lock);
        count = sti_fleet_core_peer_count(n->core);
        for (size_t j = 0; j < count; j++) {
            sti_fleet_core_peer(n->core, j, &info);
            if (strcmp(info.name, peer->name) == 0) {
                break;
            }
        }
        sti_mutex_unlock(&n->core_lock);
        if (count > 0 && strcmp(info.name, peer->name) == 0 && info.rate != peer->rate &&
                !STI_FLEET_MUTANT(NODE_PROGRESS_UNTOLD)) {
            stele_node_event told = {
                    .kind = STELE_NODE_EV_PROGRESS, .peer = peer->name, .rate = info.rate};

            peer->rate = info.rate;
            sti_node_event(n, &told);
        }
    }
}

static void look(stele_node *n)
{
    struct looking l = {.n = n};
    bool changed = false;

    n->look_at = now_of(n) + n->options.look_ms * MS_NS;
    if (n->transport->ops->online(n->transport, see, &l, NULL) != STELE_OK) {
        return;
    }
    for (size_t i = 0; i < n->peer_count; i++) {
        if (l.seen[i] != n->peers[i].online) {
            go(n, i, l.seen[i]);
        }
        if (l.seen[i] && !n->peers[i].noted) {
            n->peers[i].noted = true;
            changed = true;
        }
    }
    if (changed) {
        sti_node_note_changed(n);
    }
    tell_progress(n);
}

/* ---- The thread. ---- */

/* The environment's clock may not be the one that waiting goes by. */
static int64_t deadline_of(const stele_node *n)
{
    int64_t at = n->timer_at < n->look_at ? n->timer_at : n->look_at;
    int64_t now = now_of(n);
    int64_t deadline;

    if (at <= now) {
        return 0;
    }
    return __builtin_add_overflow(sti_monotonic_now_ns(), at - now, &deadline) ? INT64_MAX
                                                                               : deadline;
}

/* The next parcel; NULL: it is time for something, or, with *stop, to end. */
static struct sti_node_parcel *next_parcel(stele_node *n, bool *stop)
{
    struct sti_node_parcel *p = NULL;
    int64_t deadline = deadline_of(n);
    bool in_time = deadline > 0;

    sti_mutex_lock(&n->lock);
    while (!n->stop && n->in.first == NULL && in_time) {
        in_time = sti_cond_wait_until(&n->owner_wakes, &n->lock, deadline);
    }
    *stop = n->stop;
    if (!n->stop) {
        p = sti_node_queue_take(&n->in);
        if (p != NULL && n->in.bytes <= n->options.queue_max / 2) {
            sti_cond_broadcast(&n->changed); /* The feeder may wait for room. */
        }
    }
    sti_mutex_unlock(&n->lock);
    return p;
}

/* The first step sets the timer. */
static void known_before(stele_node *n)
{
    struct sti_fleet_event tick = {.kind = STI_FLEET_EV_TICK};

    for (size_t i = 0; i < n->peer_count; i++) {
        struct sti_fleet_event event = {
                .kind = STI_FLEET_EV_DOWN, .peer = n->peers[i].name, .version = n->peers[i].synced};

        (void)sti_node_step(n, &event);
    }
    (void)sti_node_step(n, &tick);
}

static void tell_failed(stele_node *n)
{
    while (n->failed_count > 0) {
        const struct sti_node_failed f = n->failed[--n->failed_count];
        struct sti_fleet_event event = {.kind = f.kind, .token = f.token, .code = STELE_ENOMEM};

        if (sti_node_step(n, &event) != STELE_OK) {
            sti_node_failed(n, f.kind, f.token);
            break;
        }
    }
}

void *sti_node_own(void *node)
{
    stele_node *n = node;
    bool stop = false;

    known_before(n);
    while (!stop) {
        struct sti_node_parcel *p;

        tell_failed(n);
        if (n->look_at <= now_of(n)) {
            look(n);
        }
        p = next_parcel(n, &stop);
        if (p != NULL) {
            step_parcel(n, p);
        } else if (!stop && n->timer_at <= now_of(n)) {
            struct sti_fleet_event tick = {.kind = STI_FLEET_EV_TICK};

            (void)sti_node_step(n, &tick);
        }
    }
    return NULL;
}
