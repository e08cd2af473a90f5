/* SPDX-License-Identifier: MIT
 *
 * node.h: a node: a core (core.h), the database that it keeps in step, and threads around both.
 *
 *     transport -> on_packet() -> `in` ----> owner: sti_fleet_step() --+--> transport: send
 *     callers: answers ---------> `in`       what it wants is done    +--> `calls` -> callers
 *     keeper: stored -----------> `in`                                +--> `jobs`  -> keeper
 *     feeder: made here --------> `in`                                +--> who waits for an answer
 *     looker: lost -------------> `in`
 *
 * Only the owner steps the core, and so decides. The keeper writes to the database: entries that
 * wait in its queue share a batch. The feeder follows the database's feed and tells of entries that
 * were made here, when they are durable. Callers wait for answers of peers; there is one at first,
 * and more when all wait. The looker reads all that is stored, and mends what is damaged: at the
 * start, from time to time, and when another thread has met some.
 *
 * Durability. A step reads through one view (docs/peer.h). Before anything that it wants is done,
 * all that the view has seen is made durable, if it may not be: nothing is sent that a power cut
 * here could take back.
 *
 * Memory. `in` takes messages up to queue_max bytes, and what else comes into it was asked for by
 * the core, which bounds it. The feeder waits while `in` is half full.
 *
 * The note, which the database keeps, is: boot 8; of each peer one byte of length, the name, and
 * the last version of STI_FLEET_TOLD_SYNCED 16. It is rewritten when one of them changes.
 *
 * Locks. `core_lock` (rank NODE_CORE) is held by who uses the core: the owner in a step, and who
 * asks for the status. `lock` (rank NODE) guards the queues and flags. No call of the transport and
 * no callback is made under either.
 */
#ifndef STI_FLEET_NODE_H
#define STI_FLEET_NODE_H

#include <stele/node.h>

#include "base/thread.h"
#include "fleet/core.h"

enum {
    STI_NODE_CALLERS_MAX = 8,
    STI_NODE_FAILED_MAX = 64
};

enum sti_node_job {
    STI_NODE_STORE, /* bytes: sized entries; token */
    STI_NODE_TRIM,  /* number: the horizon in seconds */
    STI_NODE_NOTE,  /* bytes */
    STI_NODE_SERVER /* number */
};

/* In `in` an event, in `jobs` a job, in `calls` a request. */
struct sti_node_parcel {
    struct sti_node_parcel *next;
    enum sti_fleet_event_kind kind;
    enum sti_node_job job;
    uint64_t token;
    int64_t number;
    stele_code code;
    char peer[STELE_FLEET_NAME_MAX + 1]; /* "" : none */
    bool nil;
    size_t len;
    uint8_t bytes[];
};

/* Bytes that one counts for, beside its data. */
#define STI_NODE_PARCEL_COST (sizeof(struct sti_node_parcel) + 32)

struct sti_node_queue {
    struct sti_node_parcel *first;
    struct sti_node_parcel **last;
    size_t bytes;
};

/* Somebody waits until the owner has done with a parcel. */
struct sti_node_waiter {
    struct sti_node_waiter *next;
    uint64_t token;
    stele_buf *reply; /* borrowed; NULL: no answer is wanted */
    bool done;
    stele_code code;
};

/* What the core has a token for and could not be begun, for lack of memory as a rule: the next
 * steps tell it. */
struct sti_node_failed {
    enum sti_fleet_event_kind kind;
    uint64_t token;
};

/* Owner alone. */
struct sti_node_peer {
    char name[STELE_FLEET_NAME_MAX + 1];
    bool online;
    bool noted; /* in the note */
    struct sti_docs_version synced;
    unsigned rate;
};

struct stele_node {
    stele_env env;
    stele_node_options options; /* all set */
    stele_docs *db;
    stele_fleet *transport;
    stele_cancel *cancel; /* triggered by close */
    stele_buf collation;

    struct sti_mutex core_lock;
    struct sti_fleet_core *core;
    struct sti_docs_view view; /* of the step, begun by the first who reads */

    /* Of the owner. */
    struct sti_fleet_effects effects;
    struct sti_node_peer *peers;
    size_t peer_count;
    int64_t timer_at;
    int64_t look_at;
    uint64_t boot;
    struct sti_node_failed failed[STI_NODE_FAILED_MAX];
    size_t failed_count;

    struct sti_mutex lock;
    struct sti_cond owner_wakes;
    struct sti_cond keeper_wakes;
    struct sti_cond caller_wakes;
    struct sti_cond looker_wakes;
    struct sti_cond changed; /* answers, room, ready, the end */
    struct sti_node_queue in;
    struct sti_node_queue jobs;
    struct sti_node_queue calls;
    struct sti_node_waiter *waiters;
    uint64_t next_token;
    bool stop;
    bool last_jobs; /* the owner has ended: what is in `jobs` is all that comes */
    bool ready;
    bool look_soon; /* a message came from somebody who is not online */
    size_t idle;    /* callers that wait for something to do */
    size_t caller_count;
    struct sti_docs_taken taken; /* in all */
    uint64_t conflicts;
    uint64_t dropped;
    uint64_t damaged;
    uint64_t lost;
    bool look_over_soon;
    bool lost_untold;     /* what peers were noted to have in common with us does not hold */
    uint64_t durable_seq; /* all entries up to it are durable */

    bool connected;
    struct sti_thread owner;
    struct sti_thread keeper;
    struct sti_thread feeder;
    struct sti_thread looker;
    struct sti_thread callers[STI_NODE_CALLERS_MAX];
    bool has_owner;
    bool has_keeper;
    bool has_feeder;
    bool has_looker;
    uint64_t feed_from;
};

/* ---- node_queue.c ---- */

/* `peer` may be NULL. NULL: no memory. */
struct sti_node_parcel *sti_node_parcel_new(const char *peer, stele_bytes bytes);
void sti_node_parcel_free(struct sti_node_parcel *p);
stele_bytes sti_node_parcel_bytes(const struct sti_node_parcel *p);

void sti_node_queue_init(struct sti_node_queue *q);
void sti_node_queue_free(struct sti_node_queue *q);
void sti_node_queue_put(struct sti_node_queue *q, struct sti_node_parcel *p); /* taken over */
struct sti_node_parcel *sti_node_queue_take(struct sti_node_queue *q);        /* NULL: empty */

/* Give the owner an event, which is taken over. */
void sti_node_tell_owner(stele_node *n, struct sti_node_parcel *p) STI_EXCLUDES(n->lock);
/* Give the keeper a job. */
void sti_node_tell_keeper(stele_node *n, struct sti_node_parcel *p) STI_EXCLUDES(n->lock);
/* Give the owner an event, and wait until it is done with. `reply` may be NULL. STELE_ECANCELED:
 * the node is being closed. `limited`: STELE_EBUSY if there is no room. */
stele_code sti_node_ask_owner(stele_node *n, struct sti_node_parcel *p, stele_buf *reply,
        bool limited, stele_error *err) STI_EXCLUDES(n->lock);
/* The answer to who waits under a token. Once for each; what comes later is passed over. */
void sti_node_answer(stele_node *n, uint64_t token, stele_code code, stele_bytes bytes)
        STI_EXCLUDES(n->lock);

/* A stele_fleet_handler, with the node. */
stele_code sti_node_on_packet(
        void *arg, const char *from, stele_bytes data, stele_buf *reply, stele_error *err);

bool sti_node_stops(stele_node *n) STI_EXCLUDES(n->lock);
/* All entries up to a number are durable. */
void sti_node_note_durable(stele_node *n, uint64_t seq) STI_EXCLUDES(n->lock);
bool sti_node_is_durable(stele_node *n, uint64_t seq) STI_EXCLUDES(n->lock);
void sti_node_event(stele_node *n, const stele_node_event *event);

/* ---- node_owner.c, node_effects.c ---- */

void *sti_node_own(void *node);
/* One step, and all that comes of it. */
stele_code sti_node_step(stele_node *n, struct sti_fleet_event *event) STI_EXCLUDES(n->core_lock);
void sti_node_carry_out(stele_node *n, bool may_send);
void sti_node_failed(stele_node *n, enum sti_fleet_event_kind kind, uint64_t token);
/* NULL: there is none, or no memory for one. */
struct sti_node_peer *sti_node_peer_of(stele_node *n, const char *name, bool add);

/* ---- node_keeper.c, node_feeder.c, node_callers.c, node_looker.c ---- */

void *sti_node_keep(void *node);
void *sti_node_feed(void *node);
void *sti_node_call(void *node);
void *sti_node_look_over(void *node);
/* A call of the database gave a code: if that says so, it is looked over soon. */
void sti_node_met_damage(stele_node *n, stele_code code) STI_EXCLUDES(n->lock);
/* A request to a peer, taken over. What becomes of it is told to the owner. */
void sti_node_request(stele_node *n, struct sti_node_parcel *p) STI_EXCLUDES(n->lock);

/* ---- node_note.c ---- */

/* Read the note, and store that it boots again. */
stele_code sti_node_note_begin(stele_node *n, stele_error *err);
/* Have it stored as it is now. */
void sti_node_note_changed(stele_node *n);

/* ---- node_storage.c ---- */

/* The database as the core reads it, through the view of the step. */
struct sti_fleet_storage sti_node_storage(stele_node *n);

#endif /* STI_FLEET_NODE_H */
