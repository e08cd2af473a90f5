/* SPDX-License-Identifier: MIT
 *
 * node.h: a peer over NATS for tests: it echoes, and counts what it gets and what events say.
 */
#ifndef TESTS_NATS_NODE_H
#define TESTS_NATS_NODE_H

#include <stele/nats.h>

#include <pthread.h>

enum {
    NODE_EVENTS = STELE_NATS_NOT_SAVED + 1
};

struct node {
    stele_fleet *fleet;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t events[NODE_EVENTS];
    uint64_t received;
    uint64_t waiting; /* handlers, at the gate */
    bool shut;        /* messages that begin with 'w' wait at the gate */
};

/* Options with a short heartbeat, and events counted. */
void node_options(struct node *node, stele_nats_options *opts, const char *url);

/* Open with such options, and connect. */
void node_start(struct node *node, const char *name, const stele_nats_options *opts);
void node_stop(struct node *node);

void node_await_event(struct node *node, stele_nats_event_kind kind, uint64_t count);
void node_await_received(struct node *node, uint64_t count);
void node_await_waiting(struct node *node, uint64_t count);
void node_open_gate(struct node *node);

/* Ask; timeout_ms below 0: for ever. The answer is checked to be what was sent. */
stele_code node_echo(struct node *node, const char *peer, const char *text, int64_t timeout_ms);

#endif /* TESTS_NATS_NODE_H */
