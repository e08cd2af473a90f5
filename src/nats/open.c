/* SPDX-License-Identifier: MIT
 *
 * open.c: becoming a peer, and going.
 *
 * What libnats calls may come late: it tells when a subscription's thread has ended, and when a
 * connection is closed, and only after all have been heard the memory goes.
 */
#include "nats/memory.h"
#include "nats/report.h"
#include "nats/state.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- Opening. ---- */

static stele_code load_peers(struct sti_nats *n, stele_error *err)
{
    stele_buf content;
    stele_code rc = STELE_OK;

    stele_buf_init(&content, SIZE_MAX);
    if (n->opts.peers_dir != NULL) {
        int failed = n->env.vfs->ops->open_dir(
                n->env.vfs, n->opts.peers_dir, STELE_OPEN_CREATE, &n->peers_dir);

        n->peers_dir = failed != 0 ? NULL : n->peers_dir;
        rc = failed != 0
                     ? sti_nats_fail(err, STELE_EIO, "directory %s for the file of peers: errno %d",
                               n->opts.peers_dir, -failed)
                     : sti_nats_peers_load(n->peers_dir, &content, err);
    }
    if (rc == STELE_OK && !stele_is_nil(stele_buf_view(&content))) {
        rc = sti_nats_peers_read(&n->peers, stele_buf_view(&content), err);
    }
    stele_buf_free(&content);
    if (rc == STELE_OK && sti_nats_peers_add(&n->peers, n->self) == NULL) {
        rc = sti_nats_fail_memory(err, sizeof(struct sti_nats_peer));
    }
    return rc == STELE_OK ? sti_nats_save_peers(n, err) : rc;
}

static stele_code set_names(
        struct sti_nats *n, const char *self, const stele_nats_options *opts, stele_error *err)
{
    const char *fleet = opts->fleet == NULL ? "main" : opts->fleet;
    size_t len = self == NULL ? 0 : strlen(self);

    if (len == 0 || len > STELE_FLEET_NAME_MAX) {
        return sti_nats_fail(err, STELE_EINVAL, "the name of a peer has 1 to %zu bytes, not %zu",
                STELE_FLEET_NAME_MAX, len);
    }
    if (fleet[0] == 0 || strlen(fleet) > STELE_NATS_FLEET_NAME_MAX) {
        return sti_nats_fail(err, STELE_EINVAL, "the name of a fleet has 1 to %d bytes, not %zu",
                (int)STELE_NATS_FLEET_NAME_MAX, strlen(fleet));
    }
    memcpy(n->self, self, len + 1);
    sti_nats_token(n->token, self);
    sti_nats_token(n->fleet_token, fleet);
    (void)snprintf(n->inbox, sizeof n->inbox, "stele.%s.in.%s.%016" PRIx64, n->fleet_token,
            n->token, n->boot);
    (void)snprintf(n->heartbeat, sizeof n->heartbeat, "stele.%s.hb.%s", n->fleet_token, n->token);
    return STELE_OK;
}

/* Of a caller's world, what it has: the rest is real. */
static void set_env(struct sti_nats *n, const stele_env *env)
{
    stele_env_init(&n->env);
    n->env.vfs = env != NULL && env->vfs != NULL ? env->vfs : stele_vfs_posix();
    if (env != NULL && env->random != NULL) {
        n->env.random = env->random;
        n->env.arg = env->arg;
    }
}

static void set_options(struct sti_nats *n, const stele_nats_options *opts)
{
    stele_nats_options *o = &n->opts;

    memcpy(o, opts, opts->struct_size < sizeof *o ? opts->struct_size : sizeof *o);
    o->threads = o->threads == 0 ? 4 : o->threads;
    o->threads = o->threads > STI_NATS_THREADS_MAX ? STI_NATS_THREADS_MAX : o->threads;
    o->memory_max = o->memory_max == 0 ? (size_t)256 << 20 : o->memory_max;
    o->heartbeat_ms = o->heartbeat_ms <= 0 ? 1000 : o->heartbeat_ms;
    o->silent_ms = o->silent_ms <= 0 ? 3500 : o->silent_ms;
    o->incomplete_ms = o->incomplete_ms <= 0 ? 30000 : o->incomplete_ms;
    n->parts.limit = o->memory_max;
    n->parts.limit_each = o->memory_max / 4 * 3;
    n->last = &n->first;
    set_env(n, o->env);
    n->env.random(n->env.arg, &n->boot, sizeof n->boot);
    n->env.random(n->env.arg, &n->next_id, sizeof n->next_id);
}

static bool make_locks(struct sti_nats *n)
{
    return pthread_mutex_init(&n->lock, NULL) == 0 && sti_nats_cond_init(&n->changed) &&
           sti_nats_cond_init(&n->work) && sti_nats_cond_init(&n->kick);
}

static stele_code begin(struct sti_nats *n, stele_error *err)
{
    char subject[STI_NATS_SUBJECT_SIZE];
    stele_code rc = sti_nats_make_way(n, STI_NATS_IN, err);

    rc = rc == STELE_OK ? sti_nats_make_way(n, STI_NATS_OUT, err) : rc;
    if (rc == STELE_OK) {
        (void)snprintf(subject, sizeof subject, "%s.>", n->inbox);
        rc = sti_nats_subscribe(n, STI_NATS_SUB_ANSWERS, subject, sti_nats_on_answer, err);
    }
    if (rc == STELE_OK) {
        (void)snprintf(subject, sizeof subject, "stele.%s.hb.*", n->fleet_token);
        rc = sti_nats_subscribe(n, STI_NATS_SUB_HEARTBEATS, subject, sti_nats_on_heartbeat, err);
    }
    if (rc == STELE_OK && pthread_create(&n->keeper, NULL, sti_nats_keep, n) != 0) {
        rc = sti_nats_fail(err, STELE_ENOMEM, "no thread could be started");
    }
    return sti_nats_explain_closed(n, rc, err);
}

/* ---- Going. ---- */

static void close_ways(struct sti_nats *n)
{
    for (size_t i = 0; i < STI_NATS_WAYS; i++) {
        if (n->ways[i] != NULL) {
            natsConnection_Close(n->ways[i]);
            (void)pthread_mutex_lock(&n->lock);
            while (!n->closed[i]) {
                (void)pthread_cond_wait(&n->changed, &n->lock);
            }
            (void)pthread_mutex_unlock(&n->lock);
            natsConnection_Destroy(n->ways[i]);
        }
    }
}

static void destroy(struct sti_nats *n)
{
    sti_nats_unsubscribe(n, STI_NATS_SUB_ANSWERS);
    sti_nats_unsubscribe(n, STI_NATS_SUB_HEARTBEATS);
    close_ways(n);
    sti_nats_held_destroy(&n->ended);
    sti_nats_parts_clear(&n->parts);
    sti_nats_peers_free(&n->peers);
    sti_nats_server_free(&n->server);
    if (n->peers_dir != NULL) {
        (void)n->peers_dir->ops->close(n->peers_dir);
    }
    (void)pthread_cond_destroy(&n->kick);
    (void)pthread_cond_destroy(&n->work);
    (void)pthread_cond_destroy(&n->changed);
    (void)pthread_mutex_destroy(&n->lock);
    sti_nats_free(n);
}

static void nats_close(stele_fleet *f)
{
    struct sti_nats *n = sti_nats_of(f);

    if (n->membership == STI_NATS_JOINED) {
        (void)sti_nats_connect(f, NULL, NULL, NULL);
    }
    (void)pthread_mutex_lock(&n->lock);
    n->stop_keeper = true;
    (void)pthread_cond_signal(&n->kick);
    (void)pthread_mutex_unlock(&n->lock);
    (void)pthread_join(n->keeper, NULL);
    (void)sti_nats_save_peers(n, NULL);
    destroy(n);
}

/* ---- The table. ---- */

static const char *nats_self(stele_fleet *f)
{
    return sti_nats_of(f)->self;
}

/* The names are copied first: no callback is called under the mutex. */
static stele_code nats_online(stele_fleet *f, stele_fleet_peer_fn each, void *arg, stele_error *err)
{
    struct sti_nats *n = sti_nats_of(f);
    char(*names)[STELE_FLEET_NAME_MAX + 1];
    int64_t now = sti_nats_now_ns();
    size_t count = 0;

    (void)pthread_mutex_lock(&n->lock);
    names = sti_nats_calloc(n->peers.count, sizeof *names);
    for (size_t i = 0; names != NULL && i < n->peers.count; i++) {
        const struct sti_nats_peer *p = n->peers.list[i];

        if (strcmp(p->name, n->self) == 0 ? n->membership == STI_NATS_JOINED
                                          : sti_nats_is_online(n, p, now)) {
            memcpy(names[count++], p->name, sizeof p->name);
        }
    }
    (void)pthread_mutex_unlock(&n->lock);
    if (names == NULL) {
        return sti_nats_fail_memory(err, sizeof *names);
    }
    for (size_t i = 0; i < count; i++) {
        each(arg, names[i]);
    }
    sti_nats_free(names);
    return STELE_OK;
}

static size_t nats_count_all(stele_fleet *f)
{
    struct sti_nats *n = sti_nats_of(f);
    size_t count;

    (void)pthread_mutex_lock(&n->lock);
    count = n->peers.count;
    (void)pthread_mutex_unlock(&n->lock);
    return count;
}

static const stele_fleet_ops nats_ops = {
        .version = STELE_FLEET_OPS_VERSION,
        .name = "nats",
        .all = sti_nats_all,
        .broadcast = sti_nats_broadcast,
        .request = sti_nats_request,
        .send = sti_nats_send,
        .self = nats_self,
        .online = nats_online,
        .count_all = nats_count_all,
        .connect = sti_nats_connect,
        .close = nats_close,
};

void stele_nats_options_init_sized(stele_nats_options *opts, size_t struct_size)
{
    memset(opts, 0, struct_size);
    opts->struct_size = struct_size;
}

stele_code stele_nats_open(
        stele_fleet **out, const char *self, const stele_nats_options *opts, stele_error *err)
{
    stele_nats_options none;
    struct sti_nats *n;
    stele_code rc;

    if (out == NULL) {
        return sti_nats_fail(err, STELE_EINVAL, "nowhere to put the fleet");
    }
    if (opts == NULL) {
        stele_nats_options_init(&none);
        opts = &none;
    }
    n = sti_nats_calloc(1, sizeof *n);
    if (n == NULL || !make_locks(n)) {
        sti_nats_free(n);
        return sti_nats_fail_memory(err, sizeof *n);
    }
    n->base.ops = &nats_ops;
    set_options(n, opts);
    rc = set_names(n, self, opts, err);
    rc = rc == STELE_OK ? sti_nats_server_copy(&n->server, &opts->server, err) : rc;
    rc = rc == STELE_OK ? load_peers(n, err) : rc;
    rc = rc == STELE_OK ? begin(n, err) : rc;
    if (rc != STELE_OK) {
        destroy(n);
        return rc;
    }
    *out = &n->base;
    return STELE_OK;
}

stele_code stele_nats_ready(stele_fleet *f, const stele_wait *wait, stele_error *err)
{
    int64_t deadline = sti_nats_deadline(wait);
    struct sti_nats *n = sti_nats_of(f);
    char url[STI_NATS_URL_SIZE];
    stele_code rc = STELE_OK;

    if (f == NULL || f->ops != &nats_ops) {
        return sti_nats_fail(err, STELE_EINVAL, "not a fleet over NATS");
    }
    (void)pthread_mutex_lock(&n->lock);
    while (rc == STELE_OK && !(n->up[STI_NATS_IN] && n->up[STI_NATS_OUT])) {
        rc = n->closed[STI_NATS_IN] || n->closed[STI_NATS_OUT]
                     ? STELE_ECLOSED
                     : sti_nats_await(
                               &n->changed, &n->lock, deadline, wait == NULL ? NULL : wait->cancel);
    }
    (void)pthread_mutex_unlock(&n->lock);
    sti_nats_server_show(&n->server, url);
    return rc == STELE_OK ? rc
                          : sti_nats_fail(err, rc, "no connection to the server %s: %s", url,
                                    stele_code_text(rc));
}
