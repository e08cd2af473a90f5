/* SPDX-License-Identifier: MIT
 *
 * nodes.h: some databases, each with a node, over loopback.
 *
 * JSON may have ' for " here. What fails ends the test. Waiting is for what must come, without an
 * end of its own: the time limit of the test ends what hangs.
 */
#ifndef TESTS_UNIT_FLEET_NODE_NODES_H
#define TESTS_UNIT_FLEET_NODE_NODES_H

#include <stele/node.h>

#include "lib/check.h"
#include "lib/tmpdir.h"

#include <stdatomic.h>

enum {
    NODES = 5,
    KINDS = STELE_NODE_EV_DAMAGED + 1
};

struct one {
    char name[8];
    struct tmpdir tmp;
    stele_docs *db;
    stele_fleet *transport;
    stele_node *node;
    _Atomic int events[KINDS];
    stele_env env;            /* of the database; set before one_open() */
    _Atomic int64_t ahead_us; /* of the wall */
    bool durable;
    uint32_t retention_s; /* of the node, as what follows; 0: what it is otherwise */
    int64_t check_ms;
    size_t queue_max;
    _Atomic int damaged_for_good; /* events that said so */
};

struct fleet {
    stele_fleet_hub *hub;
    struct one list[NODES];
};

int fleet_set_up(void **state);
int fleet_tear_down(void **state);

/* Database and node. */
void one_open(struct fleet *f, int i);
void one_open_db(struct fleet *f, int i);
void one_join(struct fleet *f, int i);
/* The node alone; the database is still open. */
void one_leave(struct one *o);
void one_close(struct one *o);

void one_set(struct one *o, const char *id, const char *json);
stele_code one_try_set(struct one *o, const char *id, const char *json);
void one_delete(struct one *o, const char *id);
void one_register(struct one *o, const char *definition);
stele_node_status one_status(struct one *o);

/* Wait until an ID has a document, or has none: NULL. */
void one_await(struct one *o, const char *id, const char *json);
void one_await_event(struct one *o, stele_node_event_kind kind);
/* How a peer is seen; NULL name: there is none. */
stele_node_peer one_peer(struct one *o, const char *name);

/* Wait until the first so many have the same log, then compare all that follows from it. */
void fleet_await_equal(struct fleet *f, int count);
bool fleet_is_equal(struct fleet *f, int count);
/* The same of documents, what searches find of them, and conflicts: logs may be trimmed. */
void fleet_await_same_documents(struct fleet *f, int count);

void nap(void);

#endif /* TESTS_UNIT_FLEET_NODE_NODES_H */
