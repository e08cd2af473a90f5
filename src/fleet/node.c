/* SPDX-License-Identifier: MIT
 *
 * node.c: the beginning and the end of a node.
 */
#include "fleet/node.h"

#include "base/alloc.h"
#include "base/env.h"
#include "base/error.h"

#define MS_NS INT64_C(1000000)

enum {
    QUEUE_MAX = 32 << 20,
    LOOK_MS = 500,
    REQUEST_MS = 10000,
    LONE_MS = 2000,
    CHECK_MS = 86400000,
    MS_MAX = 86400000
};

/* ---- Options. ---- */

void stele_node_options_init_sized(stele_node_options *opts, size_t struct_size)
{
    if (opts != NULL && struct_size >= sizeof opts->struct_size) {
        memset(opts, 0, struct_size);
        opts->struct_size = struct_size;
    }
}

static stele_code resolve(stele_node_options *out, const stele_node_options *in, stele_error *err)
{
    stele_node_options o;
    stele_code rc = sti_options_copy(&o, sizeof o, in, "stele_node_options", err);

    if (rc != STELE_OK) {
        return rc;
    }
    o.queue_max = o.queue_max == 0 ? (size_t)QUEUE_MAX : o.queue_max;
    o.look_ms = o.look_ms == 0 ? LOOK_MS : o.look_ms;
    o.request_ms = o.request_ms == 0 ? REQUEST_MS : o.request_ms;
    o.lone_ms = o.lone_ms == 0 ? LONE_MS : o.lone_ms;
    o.check_ms = o.check_ms == 0 ? CHECK_MS : o.check_ms;
    if (o.look_ms < 0 || o.look_ms > MS_MAX || o.request_ms < 0 || o.request_ms > MS_MAX ||
            o.lone_ms < 0 || o.lone_ms > MS_MAX || o.check_ms < 0 ||
            o.check_ms > 365 * (int64_t)MS_MAX) {
        return sti_fail(err, STELE_EINVAL, "a time of a node is below 0, or above what it may be");
    }
    *out = o;
    return STELE_OK;
}

/* ---- Locks. ---- */

static stele_code init_conds(stele_node *n, stele_error *err)
{
    struct sti_cond *conds[] = {
            &n->owner_wakes, &n->keeper_wakes, &n->caller_wakes, &n->looker_wakes, &n->changed};
    size_t count = sizeof conds / sizeof conds[0];

    for (size_t i = 0; i < count; i++) {
        stele_code rc = sti_cond_init(conds[i], err);

        if (rc != STELE_OK) {
            while (i-- > 0) {
                sti_cond_destroy(conds[i]);
            }
            return rc;
        }
    }
    return STELE_OK;
}

static stele_code init_locks(stele_node *n, stele_error *err)
{
    stele_code rc = sti_mutex_init(&n->core_lock, STI_RANK_NODE_CORE, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_mutex_init(&n->lock, STI_RANK_NODE, err);
    if (rc == STELE_OK) {
        rc = init_conds(n, err);
        if (rc == STELE_OK) {
            return STELE_OK;
        }
        sti_mutex_destroy(&n->lock);
    }
    sti_mutex_destroy(&n->core_lock);
    return rc;
}

static void free_locks(stele_node *n)
{
    sti_cond_destroy(&n->owner_wakes);
    sti_cond_destroy(&n->keeper_wakes);
    sti_cond_destroy(&n->caller_wakes);
    sti_cond_destroy(&n->looker_wakes);
    sti_cond_destroy(&n->changed);
    sti_mutex_destroy(&n->lock);
    sti_mutex_destroy(&n->core_lock);
}

/* ---- Open. ---- */

static stele_code make_core(stele_node *n, stele_error *err)
{
    struct sti_fleet_core_config config = {.self = n->transport->ops->self(n->transport),
            .boot = n->boot,
            .server = stele_docs_server(n->db),
            .storage = sti_node_storage(n),
            .drift_max = n->options.drift_max_s,
            .retention = n->options.retention_s,
            .lone_ns = n->options.lone_ms * MS_NS};
    stele_code rc = sti_docs_peer_collation(n->db, &n->collation, err);

    if (rc == STELE_OK) {
        rc = sti_docs_view_begin(&n->view, n->db, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    config.collation = stele_buf_view(&n->collation);
    config.horizon.seconds = n->view.horizon;
    n->feed_from = n->view.seq;
    sti_docs_view_end(&n->view);
    return sti_fleet_core_new(&n->core, &config, err);
}

static stele_code start(
        struct sti_thread *t, void *(*run)(void *), stele_node *n, bool *has, stele_error *err)
{
    stele_code rc = sti_thread_start(t, run, n, err);

    *has = rc == STELE_OK;
    return rc;
}

/* Messages that come before the owner is there wait for it. */
static stele_code start_all(stele_node *n, stele_error *err)
{
    stele_fleet *t = n->transport;
    bool has_caller = false;
    stele_code rc = start(&n->keeper, sti_node_keep, n, &n->has_keeper, err);

    if (rc == STELE_OK) {
        rc = start(&n->callers[0], sti_node_call, n, &has_caller, err);
        n->caller_count = has_caller;
    }
    if (rc == STELE_OK) {
        rc = t->ops->connect(t, sti_node_on_packet, n, err);
        n->connected = rc == STELE_OK;
    }
    if (rc == STELE_OK) {
        rc = start(&n->owner, sti_node_own, n, &n->has_owner, err);
    }
    if (rc == STELE_OK) {
        rc = start(&n->feeder, sti_node_feed, n, &n->has_feeder, err);
    }
    return rc == STELE_OK ? start(&n->looker, sti_node_look_over, n, &n->has_looker, err) : rc;
}

static stele_code make(stele_node *n, stele_error *err)
{
    stele_code rc = stele_cancel_new(&n->cancel, err);

    sti_node_queue_init(&n->in);
    sti_node_queue_init(&n->jobs);
    sti_node_queue_init(&n->calls);
    stele_buf_init(&n->collation, SIZE_MAX);
    n->timer_at = INT64_MAX;
    if (rc == STELE_OK) {
        rc = sti_node_note_begin(n, err);
    }
    if (rc == STELE_OK) {
        rc = make_core(n, err);
    }
    return rc == STELE_OK ? start_all(n, err) : rc;
}

stele_code stele_node_open(stele_node **out, stele_docs *db, stele_fleet *transport,
        const stele_node_options *opts, stele_error *err)
{
    stele_node *n;
    stele_code rc;

    if (out == NULL || db == NULL || transport == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database, no transport, or nowhere to put the node");
    }
    n = sti_calloc(1, sizeof *n);
    if (n == NULL) {
        return sti_fail_memory(err, sizeof *n);
    }
    rc = resolve(&n->options, opts, err);
    if (rc == STELE_OK) {
        rc = init_locks(n, err);
    }
    if (rc != STELE_OK) {
        sti_free(n);
        return rc;
    }
    n->env = *sti_docs_peer_env(db);
    n->db = db;
    n->transport = transport;
    rc = make(n, err);
    if (rc != STELE_OK) {
        stele_node_close(n);
        return rc;
    }
    *out = n;
    return STELE_OK;
}

/* ---- Close. ---- */

static void wake_all(stele_node *n)
{
    sti_mutex_lock(&n->lock);
    n->stop = true;
    sti_cond_broadcast(&n->owner_wakes);
    sti_cond_broadcast(&n->caller_wakes);
    sti_cond_broadcast(&n->looker_wakes);
    sti_cond_broadcast(&n->changed);
    sti_mutex_unlock(&n->lock);
    if (n->cancel != NULL) {
        stele_cancel_trigger(n->cancel);
    }
}

/* Handlers that wait for the owner give up, so that the transport can be left; the owner adds no
 * callers any more once it has ended. */
static void end_threads(stele_node *n)
{
    if (n->connected) {
        (void)n->transport->ops->connect(n->transport, NULL, NULL, NULL);
    }
    if (n->has_owner) {
        sti_thread_join(&n->owner);
    }
    if (n->has_feeder) {
        sti_thread_join(&n->feeder);
    }
    if (n->has_looker) {
        sti_thread_join(&n->looker);
    }
    for (size_t i = 0; i < n->caller_count; i++) {
        sti_thread_join(&n->callers[i]);
    }
    sti_mutex_lock(&n->lock);
    n->last_jobs = true;
    sti_cond_broadcast(&n->keeper_wakes);
    sti_mutex_unlock(&n->lock);
    if (n->has_keeper) {
        sti_thread_join(&n->keeper);
    }
}

void stele_node_close(stele_node *node)
{
    if (node == NULL) {
        return;
    }
    wake_all(node);
    end_threads(node);
    sti_fleet_core_free(node->core);
    sti_fleet_effects_free(&node->effects);
    sti_node_queue_free(&node->in);
    sti_node_queue_free(&node->jobs);
    sti_node_queue_free(&node->calls);
    stele_buf_free(&node->collation);
    stele_cancel_free(node->cancel);
    sti_free(node->peers);
    free_locks(node);
    sti_free(node);
}
