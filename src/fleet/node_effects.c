/* SPDX-License-Identifier: MIT
 *
 * node_effects.c: what the core wants, done.
 */
#include "base/env.h"
#include "base/error.h"
#include "fleet/node.h"

/* What cannot be sent is lost on its way, as messages may be. */
static void send_out(stele_node *n, const struct sti_fleet_effect *e)
{
    stele_fleet *t = n->transport;

    if (e->kind == STI_FLEET_DO_BROADCAST) {
        (void)t->ops->broadcast(t, e->bytes, NULL);
    } else {
        (void)t->ops->send(t, e->peer, e->bytes, NULL);
    }
}

/* If there are more, a peer that goes and comes again has another chance. */
void sti_node_failed(stele_node *n, enum sti_fleet_event_kind kind, uint64_t token)
{
    if (n->failed_count < STI_NODE_FAILED_MAX) {
        n->failed[n->failed_count++] = (struct sti_node_failed){.kind = kind, .token = token};
    }
}

static void ask(stele_node *n, const struct sti_fleet_effect *e, bool may_send)
{
    struct sti_node_parcel *p = may_send ? sti_node_parcel_new(e->peer, e->bytes) : NULL;

    if (p == NULL) {
        sti_node_failed(n, STI_FLEET_EV_REPLY, e->token);
        return;
    }
    p->token = e->token;
    sti_node_request(n, p);
}

static void store(stele_node *n, const struct sti_fleet_effect *e)
{
    struct sti_node_parcel *p = sti_node_parcel_new(NULL, e->bytes);

    if (p == NULL) {
        sti_node_failed(n, STI_FLEET_EV_STORED, e->token);
        return;
    }
    p->job = STI_NODE_STORE;
    p->token = e->token;
    sti_node_tell_keeper(n, p);
}

static void job(stele_node *n, enum sti_node_job what, int64_t number)
{
    struct sti_node_parcel *p = sti_node_parcel_new(NULL, stele_nil());

    if (p != NULL) {
        p->job = what;
        p->number = number;
        sti_node_tell_keeper(n, p);
    }
}

/* ---- What the core tells. ---- */

static void become_ready(stele_node *n)
{
    sti_mutex_lock(&n->lock);
    n->ready = true;
    sti_cond_broadcast(&n->changed);
    sti_mutex_unlock(&n->lock);
}

static void draw_server(stele_node *n)
{
    job(n, STI_NODE_SERVER, (int64_t)(sti_env_random64(&n->env) % UINT32_MAX) + 1);
}

static void note_synced(stele_node *n, const struct sti_fleet_effect *e)
{
    struct sti_node_peer *peer = sti_node_peer_of(n, e->peer, false);

    if (peer != NULL) {
        peer->synced = e->version;
        sti_node_note_changed(n);
    }
}

static void tell(stele_node *n, const struct sti_fleet_effect *e)
{
    static const stele_node_event_kind kinds[] = {
            [STI_FLEET_TOLD_READY] = STELE_NODE_EV_READY,
            [STI_FLEET_TOLD_QUARANTINED] = STELE_NODE_EV_QUARANTINED,
            [STI_FLEET_TOLD_SKEW] = STELE_NODE_EV_SKEW,
            [STI_FLEET_TOLD_SERVER_TAKEN] = STELE_NODE_EV_RENUMBERED,
            [STI_FLEET_TOLD_COLLATION] = STELE_NODE_EV_COLLATION,
            [STI_FLEET_TOLD_FAILED] = STELE_NODE_EV_FAILED,
    };
    stele_node_event event = {.peer = e->peer,
            .version = {.seconds = e->version.seconds,
                    .ns = e->version.ns,
                    .server = e->version.server}};

    switch (e->told) {
    case STI_FLEET_TOLD_SYNCED:
        note_synced(n, e);
        return;
    case STI_FLEET_TOLD_READY:
        become_ready(n);
        break;
    case STI_FLEET_TOLD_SERVER_TAKEN:
        draw_server(n);
        break;
    case STI_FLEET_TOLD_FAILED:
        event.code = STELE_EFAILED;
        break;
    default:
        break;
    }
    event.kind = kinds[e->told];
    sti_node_event(n, &event);
}

/* ---- All of them. ---- */

static void carry_out(stele_node *n, const struct sti_fleet_effect *e, bool may_send)
{
    switch (e->kind) {
    case STI_FLEET_DO_SEND:
    case STI_FLEET_DO_BROADCAST:
        if (may_send) {
            send_out(n, e);
        }
        break;
    case STI_FLEET_DO_REQUEST:
        ask(n, e, may_send);
        break;
    case STI_FLEET_DO_REPLY:
        sti_node_answer(n, e->token, may_send ? e->code : STELE_EFAILED, e->bytes);
        break;
    case STI_FLEET_DO_STORE:
        store(n, e);
        break;
    case STI_FLEET_DO_TIMER:
        n->timer_at = e->at_ns;
        break;
    case STI_FLEET_DO_TRIM:
        job(n, STI_NODE_TRIM, e->version.seconds);
        break;
    case STI_FLEET_DO_TELL:
        tell(n, e);
        break;
    default:
        /* Changes are made through the database, and acknowledged there. */
        break;
    }
}

void sti_node_carry_out(stele_node *n, bool may_send)
{
    for (size_t i = 0; i < n->effects.count; i++) {
        carry_out(n, &n->effects.list[i], may_send);
    }
    sti_fleet_effects_clear(&n->effects);
}
