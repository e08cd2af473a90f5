/* SPDX-License-Identifier: MIT
 *
 * keep.c: the keeper: heartbeats, who is silent, events, and the file of known peers.
 */
#include "nats/memory.h"
#include "nats/report.h"
#include "nats/state.h"

#include <stdio.h>

enum {
    GREETINGS_APART_NS = 20000000 /* whoever wants us to greet, and however often */
};

/* ---- Events. ---- */

void sti_nats_kick_locked(struct sti_nats *n)
{
    n->kicked = true;
    (void)pthread_cond_signal(&n->kick);
}

/* One like the last is added to it: a flood takes one place. */
void sti_nats_tell_locked(
        struct sti_nats *n, stele_nats_event_kind kind, uint64_t count, const char *text)
{
    size_t newest = (n->told_first + n->told_count - 1) % STI_NATS_EVENTS_MAX;
    struct sti_nats_told *t = &n->told[newest];

    if (n->opts.event == NULL) {
        return;
    }
    if (n->told_count > 0 && t->kind == kind && strcmp(t->text, text) == 0) {
        t->count += count;
        return;
    }
    if (n->told_count == STI_NATS_EVENTS_MAX) {
        n->told_lost += count;
        return;
    }
    t = &n->told[(n->told_first + n->told_count) % STI_NATS_EVENTS_MAX];
    n->told_count++;
    t->kind = kind;
    t->count = count;
    (void)snprintf(t->text, sizeof t->text, "%s", text);
    sti_nats_kick_locked(n);
}

static bool take_event(struct sti_nats *n, struct sti_nats_told *out)
{
    bool some = true;

    (void)pthread_mutex_lock(&n->lock);
    if (n->told_count > 0) {
        *out = n->told[n->told_first];
        n->told_first = (n->told_first + 1) % STI_NATS_EVENTS_MAX;
        n->told_count--;
    } else if (n->told_lost > 0) {
        *out = (struct sti_nats_told){.kind = STELE_NATS_DROPPED,
                .count = n->told_lost,
                .text = "events that were not taken in time"};
        n->told_lost = 0;
    } else {
        some = false;
    }
    (void)pthread_mutex_unlock(&n->lock);
    return some;
}

static void tell_all(struct sti_nats *n)
{
    struct sti_nats_told t;

    while (n->opts.event != NULL && take_event(n, &t)) {
        const stele_nats_event event = {.kind = t.kind, .count = t.count, .text = t.text};

        n->opts.event(n->opts.event_arg, &event);
    }
}

/* ---- Who is there. ---- */

bool sti_nats_is_online(const struct sti_nats *n, const struct sti_nats_peer *peer, int64_t now)
{
    return peer->online && now - peer->heard_ns < n->opts.silent_ms * 1000000;
}

/* Who is silent goes; and a request to somebody who was never heard of ends as well, since nobody
 * would notice if that one went. */
static void sweep_locked(struct sti_nats *n, int64_t now)
{
    int64_t silent = n->opts.silent_ms * 1000000;

    for (size_t i = 0; i < n->peers.count; i++) {
        struct sti_nats_peer *p = n->peers.list[i];

        if (p->online && !sti_nats_is_online(n, p, now)) {
            p->online = false;
            sti_nats_tell_locked(n, STELE_NATS_PEER_DOWN, 1, p->name);
            sti_nats_calls_peer_gone_locked(n, p->name, STELE_ENOPEER);
        }
    }
    for (struct sti_nats_call *call = n->calls; call != NULL; call = call->next) {
        for (size_t i = 0; i < call->count && now - call->began_ns > silent; i++) {
            const struct sti_nats_peer *p = sti_nats_peers_find(&n->peers, call->answers[i].peer);

            if (p == NULL || !p->online) {
                sti_nats_answer_finish_locked(call, &call->answers[i], STELE_ENOPEER);
            }
        }
    }
}

/* What libnats dropped because we, or the machine, were too slow. */
static void count_dropped_locked(struct sti_nats *n)
{
    for (size_t i = 0; i < STI_NATS_SUBS; i++) {
        int64_t dropped = 0;

        if (n->sub_active[i] && n->subs[i] != NULL &&
                natsSubscription_GetDropped(n->subs[i]->sub, &dropped) == NATS_OK &&
                dropped > n->dropped[i]) {
            sti_nats_tell_locked(n, STELE_NATS_DROPPED, (uint64_t)(dropped - n->dropped[i]),
                    "messages came faster than they were taken");
            n->dropped[i] = dropped;
        }
    }
}

void sti_nats_greet(struct sti_nats *n, uint8_t flags)
{
    uint8_t data[STI_NATS_HEARTBEAT_SIZE];
    bool up;

    (void)pthread_mutex_lock(&n->lock);
    up = n->up[STI_NATS_OUT];
    (void)pthread_mutex_unlock(&n->lock);
    if (up) {
        sti_nats_heartbeat_put(data, n->boot, flags);
        (void)natsConnection_Publish(n->ways[STI_NATS_OUT], n->heartbeat, data, sizeof data);
    }
}

/* ---- The file. ---- */

stele_code sti_nats_save_peers(struct sti_nats *n, stele_error *err)
{
    stele_code rc = STELE_OK;
    stele_buf content;
    bool wanted;

    if (n->peers_dir == NULL) {
        return STELE_OK;
    }
    stele_buf_init(&content, SIZE_MAX);
    (void)pthread_mutex_lock(&n->lock);
    wanted = n->peers.changed || n->save_failed;
    if (wanted) {
        rc = sti_nats_peers_write(&n->peers, &content, err);
        n->peers.changed = false;
    }
    (void)pthread_mutex_unlock(&n->lock);
    if (wanted && rc == STELE_OK) {
        rc = sti_nats_peers_save(n->peers_dir, stele_buf_view(&content), err);
    }
    stele_buf_free(&content);
    n->save_failed = rc != STELE_OK;
    return rc;
}

static void save(struct sti_nats *n)
{
    stele_error err = {.code = STELE_OK};

    if (sti_nats_save_peers(n, &err) != STELE_OK) {
        (void)pthread_mutex_lock(&n->lock);
        sti_nats_tell_locked(n, STELE_NATS_NOT_SAVED, 1, err.message);
        (void)pthread_mutex_unlock(&n->lock);
    }
}

/* ---- The thread. ---- */

/* What is due; returns whether to greet. */
static bool look_locked(struct sti_nats *n, int64_t now, int64_t *next_ns, int64_t greeted_ns)
{
    bool due = now >= *next_ns;
    bool greet = (due || n->greet) && n->membership == STI_NATS_JOINED &&
                 now - greeted_ns >= GREETINGS_APART_NS;

    n->kicked = false;
    if (due) {
        uint64_t expired = sti_nats_parts_expire(&n->parts, now - n->opts.incomplete_ms * 1000000);

        *next_ns = now + n->opts.heartbeat_ms * 1000000;
        sweep_locked(n, now);
        count_dropped_locked(n);
        if (expired > 0) {
            sti_nats_tell_locked(n, STELE_NATS_DROPPED, expired, "messages that never got whole");
        }
    }
    if (greet) {
        n->greet = false;
    }
    return greet;
}

void *sti_nats_keep(void *arg)
{
    struct sti_nats *n = arg;
    int64_t next_ns = 0;
    int64_t greeted_ns = INT64_MIN / 2;

    (void)pthread_mutex_lock(&n->lock);
    while (!n->stop_keeper) {
        int64_t now = sti_nats_now_ns();
        bool greet = look_locked(n, now, &next_ns, greeted_ns);

        (void)pthread_mutex_unlock(&n->lock);
        if (greet) {
            sti_nats_greet(n, 0);
            greeted_ns = now;
        }
        save(n);
        tell_all(n);
        (void)pthread_mutex_lock(&n->lock);
        if (!n->stop_keeper && !n->kicked) {
            int64_t until = n->greet && n->membership == STI_NATS_JOINED
                                    ? greeted_ns + GREETINGS_APART_NS
                                    : next_ns;

            (void)sti_nats_cond_wait(&n->kick, &n->lock, until < next_ns ? until : next_ns);
        }
    }
    (void)pthread_mutex_unlock(&n->lock);
    tell_all(n);
    nats_ReleaseThreadMemory();
    return NULL;
}
