/* SPDX-License-Identifier: MIT
 *
 * node.h: a node of a fleet: a database of documents that agrees with those of its peers.
 *
 * A node is a database (docs.h) and a transport (fleet.h). While it is open, what is changed in the
 * database goes to the peers, what they change comes in, and what was missed on either side is
 * found and made good. The database is used as ever, through its own handle. Nodes with the same
 * entries of the log have the same documents, versions and owners of unique keys; of two changes of
 * one document the later one counts.
 *
 * A change of here fails where another document owns a unique key. One of a peer never does: who
 * claimed the key first owns it, the other stays readable by its ID, and is told as a conflict.
 *
 * Durability: an entry is durable here before it is sent to anybody, and before it counts as come.
 * A change returns when it is durable here; whether a peer has it by then is not known.
 *
 * Damage. All that is stored has checksums. What a disk has damaged is noticed when it is met, or
 * when all is looked over, and is told to nobody: it is told from the rest of the database, or goes
 * and is found at peers again. Where that cannot be, an event says so; a new, empty database under
 * the same name then takes all from the peers.
 *
 * Clocks. An entry whose version is more than drift_max_s ahead of the clock here is kept in memory
 * and not applied until the clock comes near; that is told, and whoever made it has it still.
 *
 * A batch of the database that stays open (stele_docs_batch_begin()) holds up what is said to
 * peers.
 *
 * Threads: any function from any thread at the same time, close excepted. A node has threads of its
 * own: one that decides, one that stores, one that follows the database's changes, one that looks
 * over what is stored, and up to eight that wait for answers. Its callback is called from these,
 * one call at a time or several, without a lock of the library; it must not close the node, nor
 * have it forget a peer.
 */
#ifndef STELE_NODE_H
#define STELE_NODE_H

#include <stele/docs.h>
#include <stele/fleet.h>

STELE_BEGIN_DECLS

typedef struct stele_node stele_node;

typedef enum stele_node_event_kind {
    STELE_NODE_EV_READY,       /* the documents are as good as those of the peers */
    STELE_NODE_EV_ONLINE,      /* peer */
    STELE_NODE_EV_OFFLINE,     /* peer */
    STELE_NODE_EV_PROGRESS,    /* peer, rate: which has changed */
    STELE_NODE_EV_CONFLICT,    /* type, key, owner, id: who does not own the key */
    STELE_NODE_EV_QUARANTINED, /* peer (NULL: not known any more), version: too far ahead */
    STELE_NODE_EV_SKEW,        /* peer, version: its clock, which is not ours */
    STELE_NODE_EV_RENUMBERED,  /* peer had our number of a server; we have another one now */
    STELE_NODE_EV_COLLATION,   /* peer: keys held equal here may not be equal there */
    STELE_NODE_EV_FAILED,      /* code: what came could not be stored; it is tried again */
    /* count: values that the disk has damaged. They are told from others, or taken out and found at
     * peers; code: STELE_OK, or why some are still there: the database is to be begun anew */
    STELE_NODE_EV_DAMAGED
} stele_node_event_kind;

/* All of it is valid until the callback returns. */
typedef struct stele_node_event {
    stele_node_event_kind kind;
    const char *peer;
    unsigned rate; /* thousandths of what it has that are here */
    stele_docs_version version;
    const char *type;
    const char *key;
    stele_bytes owner;
    stele_bytes id;
    stele_code code;
    uint64_t count;
} stele_node_event;

typedef struct stele_node_options {
    size_t struct_size;
    void (*event)(void *arg, const stele_node_event *event); /* may be NULL */
    void *arg;
    uint32_t drift_max_s; /* 0: 60 */
    uint32_t retention_s; /* what is older and everywhere is trimmed, as by stele_docs_trim(), but
                           * for deletions: a peer that comes back may have what they end. 0:
                           * nothing is */
    size_t queue_max;     /* bytes of messages that wait; 0: 32 MiB. What does not fit is dropped,
                           * and found later */
    int64_t look_ms;      /* between looks at who is online; 0: 500 */
    int64_t request_ms;   /* until an answer is given up; 0: 10,000 */
    int64_t lone_ms;      /* without peers, until it is ready by itself; 0: 2,000 */
    int64_t check_ms;     /* between looks over all that is stored; the first is at the start. 0: a
                           * day */
} stele_node_options;

STELE_API void stele_node_options_init_sized(stele_node_options *opts, size_t struct_size);

/* The default configuration. */
static inline void stele_node_options_init(stele_node_options *opts)
{
    stele_node_options_init_sized(opts, sizeof *opts);
}

/* Make a node of both, which are borrowed until close. The transport is not connected yet: the node
 * does that, and sends under its name. A database has one node at a time. `opts` may be NULL and is
 * copied. On success *out is owned by the caller: stele_node_close().
 *
 * STELE_EREADONLY: the database is · and what connecting gives. */
STELE_API STELE_NODISCARD stele_code stele_node_open(stele_node **out, stele_docs *db,
        stele_fleet *transport, const stele_node_options *opts, stele_error *err);

/* Disconnect the transport, end the threads, and free. What came and was not stored yet is lost
 * here, and comes again. Never fails. Accepts NULL. */
STELE_API void stele_node_close(stele_node *node);

typedef enum stele_node_state {
    STELE_NODE_INITIALISING, /* no peer has said how it is */
    STELE_NODE_SYNCING,
    STELE_NODE_READY /* for good */
} stele_node_state;

typedef enum stele_node_protocol {
    STELE_NODE_UNKNOWN,   /* it has not said */
    STELE_NODE_REFERENCE, /* that of the reference, v1 */
    STELE_NODE_STELE,     /* ours, v2 */
    STELE_NODE_FOREIGN    /* none that we speak */
} stele_node_protocol;

/* Counts begin with open. */
typedef struct stele_node_status {
    stele_node_state state;
    uint32_t server;      /* in versions of here */
    uint64_t peers;       /* that are known, online or not */
    uint64_t online;      /* of these */
    uint64_t sessions;    /* in which differences were looked for */
    uint64_t failed;      /* of these */
    uint64_t fetched;     /* entries asked for */
    uint64_t given;       /* entries that a session found a peer to lack */
    uint64_t stored;      /* entries of others that are here now */
    uint64_t known;       /* entries of others that were here */
    uint64_t quarantined; /* entries that wait for the clock, now */
    uint64_t stale;       /* entries from before the horizon, refused */
    uint64_t refused;     /* what came as an entry and is none */
    uint64_t bad;         /* packets that are none, or not known */
    uint64_t dropped;     /* messages and entries for which there was no room */
    uint64_t gaps;        /* pushes that did not come */
    uint64_t snapshots;   /* taken from peers */
    uint64_t conflicts;   /* told since open */
    uint64_t damaged;     /* values that the disk has damaged, */
    uint64_t lost;        /* and entries that were lost by it: peers have them, if anybody has */
} stele_node_status;

STELE_API STELE_NODISCARD stele_code stele_node_get_status(
        stele_node *node, stele_node_status *out, stele_error *err);

typedef struct stele_node_peer {
    const char *name;
    bool online;
    bool in_step; /* when it was heard of last, all that it has was here, and the other way round */
    stele_node_protocol protocol;
    unsigned rate; /* thousandths of what it has that are here */
} stele_node_peer;

/* The peers, by name. What each() is given is valid until it returns. */
STELE_API STELE_NODISCARD stele_code stele_node_peers(stele_node *node,
        void (*each)(void *arg, const stele_node_peer *peer), void *arg, stele_error *err);

/* Return when the state is STELE_NODE_READY. STELE_ETIMEDOUT, STELE_ECANCELED. `wait` may be NULL:
 * for ever. */
STELE_API STELE_NODISCARD stele_code stele_node_wait_ready(
        stele_node *node, const stele_wait *wait, stele_error *err);

/* A peer is gone for good: trimming does not wait for it any more, and it is not remembered. If it
 * comes back all the same, it is a new one. STELE_EINVAL: no name. */
STELE_API STELE_NODISCARD stele_code stele_node_forget(
        stele_node *node, const char *peer, stele_error *err);

STELE_END_DECLS

#endif /* STELE_NODE_H */
