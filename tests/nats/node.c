/* SPDX-License-Identifier: MIT
 *
 * node.c: a peer over NATS for tests.
 */
#include "nats/node.h"

#include "lib/check.h"

static stele_code echo(
        void *arg, const char *from, stele_bytes data, stele_buf *reply, stele_error *err)
{
    struct node *node = arg;

    (void)from;
    pthread_mutex_lock(&node->lock);
    node->received++;
    if (data.len > 0 && data.data[0] == 'w') {
        node->waiting++;
        pthread_cond_broadcast(&node->changed);
        while (node->shut) {
            pthread_cond_wait(&node->changed, &node->lock);
        }
        node->waiting--;
    }
    pthread_cond_broadcast(&node->changed);
    pthread_mutex_unlock(&node->lock);
    return stele_buf_append(reply, data, err);
}

static void count_event(void *arg, const stele_nats_event *event)
{
    struct node *node = arg;

    pthread_mutex_lock(&node->lock);
    node->events[event->kind] += event->count;
    pthread_cond_broadcast(&node->changed);
    pthread_mutex_unlock(&node->lock);
}

void node_options(struct node *node, stele_nats_options *opts, const char *url)
{
    memset(node, 0, sizeof *node);
    pthread_mutex_init(&node->lock, NULL);
    pthread_cond_init(&node->changed, NULL);
    stele_nats_options_init(opts);
    opts->server.url = url;
    opts->server.reconnect_ms = 50;
    opts->heartbeat_ms = 100;
    opts->event = count_event;
    opts->event_arg = node;
}

void node_start(struct node *node, const char *name, const stele_nats_options *opts)
{
    stele_error err;

    CHECK_OK(stele_nats_open(&node->fleet, name, opts, &err), &err);
    CHECK_OK(node->fleet->ops->connect(node->fleet, echo, node, &err), &err);
}

void node_stop(struct node *node)
{
    node_open_gate(node);
    stele_fleet_close(node->fleet);
    pthread_cond_destroy(&node->changed);
    pthread_mutex_destroy(&node->lock);
}

void node_await_event(struct node *node, stele_nats_event_kind kind, uint64_t count)
{
    pthread_mutex_lock(&node->lock);
    while (node->events[kind] < count) {
        pthread_cond_wait(&node->changed, &node->lock);
    }
    pthread_mutex_unlock(&node->lock);
}

void node_await_received(struct node *node, uint64_t count)
{
    pthread_mutex_lock(&node->lock);
    while (node->received < count) {
        pthread_cond_wait(&node->changed, &node->lock);
    }
    pthread_mutex_unlock(&node->lock);
}

void node_await_waiting(struct node *node, uint64_t count)
{
    pthread_mutex_lock(&node->lock);
    while (node->waiting < count) {
        pthread_cond_wait(&node->changed, &node->lock);
    }
    pthread_mutex_unlock(&node->lock);
}

void node_open_gate(struct node *node)
{
    pthread_mutex_lock(&node->lock);
    node->shut = false;
    pthread_cond_broadcast(&node->changed);
    pthread_mutex_unlock(&node->lock);
}

stele_code node_echo(struct node *node, const char *peer, const char *text, int64_t timeout_ms)
{
    const stele_wait wait = {.timeout_ms = timeout_ms < 0 ? STELE_FOREVER : timeout_ms};
    stele_fleet *f = node->fleet;
    stele_buf reply;
    stele_code rc;

    stele_buf_init(&reply, SIZE_MAX);
    rc = f->ops->request(f, peer, stele_str(text), &wait, &reply, NULL);
    if (rc == STELE_OK) {
        CHECK_BYTES(stele_buf_view(&reply), stele_str(text));
    }
    stele_buf_free(&reply);
    return rc;
}
