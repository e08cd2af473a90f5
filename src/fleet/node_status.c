/* SPDX-License-Identifier: MIT
 *
 * node_status.c: what a node says of itself and its peers, and waiting for it.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "fleet/node.h"

enum {
    FULL_RATE = 1000
};

static void count_peers(const stele_node *n, stele_node_status *out)
{
    out->peers = sti_fleet_core_peer_count(n->core);
    for (size_t i = 0; i < out->peers; i++) {
        struct sti_fleet_peer_info info;

        sti_fleet_core_peer(n->core, i, &info);
        out->online += info.online;
    }
}

stele_code stele_node_get_status(stele_node *node, stele_node_status *out, stele_error *err)
{
    static const stele_node_state states[] = {
            [STI_FLEET_INITIALIZING] = STELE_NODE_INITIALISING,
            [STI_FLEET_SYNCING] = STELE_NODE_SYNCING,
            [STI_FLEET_READY] = STELE_NODE_READY,
    };
    struct sti_fleet_counters c;
    stele_node_status s = {.state = STELE_NODE_INITIALISING};

    if (node == NULL || out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no node, or nowhere to put its status");
    }
    sti_mutex_lock(&node->core_lock);
    sti_fleet_core_counters(node->core, &c);
    s.state = states[sti_fleet_core_status(node->core)];
    count_peers(node, &s);
    sti_mutex_unlock(&node->core_lock);
    s.server = stele_docs_server(node->db);
    s.sessions = c.sessions;
    s.failed = c.sessions_failed;
    s.fetched = c.fetched;
    s.given = c.given;
    s.quarantined = c.quarantined;
    s.bad = c.bad_packets + c.unknown_packets;
    s.gaps = c.gaps;
    s.snapshots = c.snapshots;
    sti_mutex_lock(&node->lock);
    s.stored = node->taken.made;
    s.known = node->taken.known;
    s.stale = c.below_horizon;
    s.refused = node->taken.refused + c.bad_entries;
    s.dropped = node->dropped + c.dropped;
    s.conflicts = node->conflicts;
    s.damaged = node->damaged;
    s.lost = node->lost;
    sti_mutex_unlock(&node->lock);
    *out = s;
    return STELE_OK;
}

/* The names are those of the core, which are there as long as it is. */
static stele_code list_peers(
        stele_node *n, struct sti_fleet_peer_info **out, size_t *count, stele_error *err)
{
    struct sti_fleet_peer_info *list;

    sti_mutex_lock(&n->core_lock);
    *count = sti_fleet_core_peer_count(n->core);
    list = sti_calloc(*count, sizeof *list);
    for (size_t i = 0; list != NULL && i < *count; i++) {
        sti_fleet_core_peer(n->core, i, &list[i]);
    }
    sti_mutex_unlock(&n->core_lock);
    *out = list;
    return list == NULL ? sti_fail_memory(err, *count * sizeof *list) : STELE_OK;
}

stele_code stele_node_peers(stele_node *node, void (*each)(void *arg, const stele_node_peer *peer),
        void *arg, stele_error *err)
{
    static const stele_node_protocol protocols[] = {
            [STI_FLEET_UNKNOWN] = STELE_NODE_UNKNOWN,
            [STI_FLEET_REFERENCE] = STELE_NODE_REFERENCE,
            [STI_FLEET_STELE] = STELE_NODE_STELE,
            [STI_FLEET_FOREIGN] = STELE_NODE_FOREIGN,
    };
    struct sti_fleet_peer_info *list = NULL;
    size_t count = 0;
    stele_code rc;

    if (node == NULL || each == NULL) {
        return sti_fail(err, STELE_EINVAL, "no node, or nobody to tell");
    }
    rc = list_peers(node, &list, &count, err);
    for (size_t i = 0; rc == STELE_OK && i < count; i++) {
        stele_node_peer peer = {.name = list[i].name,
                .online = list[i].online,
                .in_step = list[i].rate == FULL_RATE,
                .protocol = protocols[list[i].protocol],
                .rate = list[i].rate};

        each(arg, &peer);
    }
    sti_free(list);
    return rc;
}

stele_code stele_node_wait_ready(stele_node *node, const stele_wait *wait, stele_error *err)
{
    struct sti_cancel_listener listener;
    stele_cancel *cancel = wait == NULL ? NULL : wait->cancel;
    int64_t deadline = sti_wait_deadline(wait);
    bool in_time = true;
    bool ready;

    if (node == NULL) {
        return sti_fail(err, STELE_EINVAL, "no node");
    }
    sti_cancel_listen(cancel, &listener, &node->lock, &node->changed);
    sti_mutex_lock(&node->lock);
    while (!node->ready && in_time && !sti_cancel_triggered(cancel)) {
        in_time = sti_cond_wait_until(&node->changed, &node->lock, deadline);
    }
    ready = node->ready;
    sti_mutex_unlock(&node->lock);
    sti_cancel_ignore(cancel, &listener);
    if (ready) {
        return STELE_OK;
    }
    return sti_cancel_triggered(cancel)
                   ? sti_fail(err, STELE_ECANCELED, "waiting for a node to be ready")
                   : sti_fail(err, STELE_ETIMEDOUT, "waiting for a node to be ready");
}

stele_code stele_node_forget(stele_node *node, const char *peer, stele_error *err)
{
    struct sti_node_parcel *p;
    size_t len = peer == NULL ? 0 : strlen(peer);

    if (node == NULL || len == 0 || len > STELE_FLEET_NAME_MAX) {
        return sti_fail(err, STELE_EINVAL, "no node, or no name of a peer");
    }
    p = sti_node_parcel_new(peer, stele_nil());
    if (p == NULL) {
        return sti_fail_memory(err, sizeof *p);
    }
    p->kind = STI_FLEET_EV_FORGET;
    return sti_node_ask_owner(node, p, NULL, false, err);
}
