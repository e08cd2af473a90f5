/* SPDX-License-Identifier: MIT
 *
 * fleet.h: how the nodes of a fleet talk to each other.
 *
 * A transport is a table of eight calls, and nothing above it knows more of the network. The
 * library brings one for the threads of one process (loopback), and a recorder that wraps any
 * other. What holds for all of them is said here, and tests/lib/fleet_suite.h checks it of each.
 *
 * A message comes at most once. STELE_OK from a call that does not wait says that it is on its way,
 * not that it came: it may be lost, and messages may overtake each other.
 *
 * Names. A node has a name, a C string of 1 to STELE_FLEET_NAME_MAX bytes. Who a message is from
 * is known from the transport, never from what stands in the message.
 *
 * Threads: any call from any thread at the same time, also from within a handler; close excepted,
 * for which no other call may be in progress. A handler that waits for the answer of a peer holds
 * up one of the transport's threads meanwhile.
 *
 * Ownership: what goes in is borrowed for the call. What a handler or a callback is given is valid
 * until it returns.
 */
#ifndef STELE_FLEET_H
#define STELE_FLEET_H

#include <stele/bytes.h>
#include <stele/env.h>

STELE_BEGIN_DECLS

#define STELE_FLEET_NAME_MAX    ((size_t)255)
#define STELE_FLEET_MESSAGE_MAX ((size_t)129 << 20) /* bytes; larger ones: STELE_ETOOBIG */

typedef struct stele_fleet stele_fleet;

/* A message came. Called from threads of the transport, several at once. What it appends to `reply`
 * is the answer for who waits for one, else it is dropped; nothing appended is an answer, too. Any
 * result but STELE_OK is reported to who waits, as STELE_EPEER, with the message in *err. */
typedef stele_code (*stele_fleet_handler)(
        void *arg, const char *from, stele_bytes data, stele_buf *reply, stele_error *err);

/* What became of a message that was sent to all: the answer of one peer, or why there is none. */
typedef void (*stele_fleet_reply_fn)(
        void *arg, const char *peer, stele_code code, stele_bytes reply);
typedef void (*stele_fleet_peer_fn)(void *arg, const char *peer);

/* The calls. A transport of one's own fills in all of them. `err` may be NULL everywhere. */
typedef struct stele_fleet_ops {
    uint32_t version; /* STELE_FLEET_OPS_VERSION */
    const char *name; /* of the transport, for people */

    /* Ask every other peer that is online now, and hand over what came of each, exactly once and
     * within the call: STELE_OK, or what request() gives. `wait` (may be NULL) is for all together.
     * STELE_OK also if some or all of them did not answer. STELE_ECANCELED. */
    stele_code (*all)(stele_fleet *f, stele_bytes data, const stele_wait *wait,
            stele_fleet_reply_fn each, void *arg, stele_error *err);

    /* To every other peer that is online, without waiting. */
    stele_code (*broadcast)(stele_fleet *f, stele_bytes data, stele_error *err);

    /* Ask one peer; its answer is appended to `reply`, which stays nil if that is nothing.
     * STELE_ENOPEER: it is not online, gone before it answered, or oneself · STELE_EPEER: it
     * failed · STELE_ETIMEDOUT: whether the message came is not known · STELE_ECANCELED. */
    stele_code (*request)(stele_fleet *f, const char *peer, stele_bytes data,
            const stele_wait *wait, stele_buf *reply, stele_error *err);

    /* To one peer, without waiting. STELE_ENOPEER: it is known not to be online. */
    stele_code (*send)(stele_fleet *f, const char *peer, stele_bytes data, stele_error *err);

    /* The own name, valid until close. */
    const char *(*self)(stele_fleet *f);

    /* Each peer that is online, in ascending order of the names' bytes, with oneself while
     * connected. */
    stele_code (*online)(stele_fleet *f, stele_fleet_peer_fn each, void *arg, stele_error *err);

    /* How many peers there are or ever were, oneself among them. */
    size_t (*count_all)(stele_fleet *f);

    /* Begin to receive: from now on one is online. With NULL it ends, and once that returns no
     * call of the handler is in progress; not from within the handler. STELE_ESTATE: connected
     * already, or, with NULL, not connected. */
    stele_code (*connect)(stele_fleet *f, stele_fleet_handler handler, void *arg, stele_error *err);

    /* Disconnect, and free. Never NULL. */
    void (*close)(stele_fleet *f);
} stele_fleet_ops;

#define STELE_FLEET_OPS_VERSION 1

/* The first member of what a transport keeps. */
struct stele_fleet {
    const stele_fleet_ops *ops;
};

/* Accepts NULL. */
static inline void stele_fleet_close(stele_fleet *f)
{
    if (f != NULL) {
        f->ops->close(f);
    }
}

/* ---- Loopback: a fleet within one process. ----
 *
 * A peer is online while it is connected. Its messages wait in a queue of its own, from which
 * STELE_FLEET_LOOPBACK_THREADS threads take them. A message that does not fit into the queue any
 * more is refused: STELE_EBUSY. What waits for a peer that disconnects is dropped. */

typedef struct stele_fleet_hub stele_fleet_hub;

enum {
    STELE_FLEET_LOOPBACK_THREADS = 4 /* of each peer */
};

#define STELE_FLEET_LOOPBACK_QUEUE ((size_t)256 << 20) /* bytes for one peer */

STELE_API STELE_NODISCARD stele_code stele_fleet_hub_new(stele_fleet_hub **out, stele_error *err);

/* Become one of its peers, not connected yet. The caller owns *out: stele_fleet_close().
 * STELE_EEXIST: there is one of that name · STELE_EINVAL: no name. */
STELE_API STELE_NODISCARD stele_code stele_fleet_hub_join(
        stele_fleet_hub *hub, const char *name, stele_fleet **out, stele_error *err);

/* All that joined are closed. Accepts NULL. */
STELE_API void stele_fleet_hub_free(stele_fleet_hub *hub);

/* ---- The recorder: every packet of a transport, as it goes by. ---- */

typedef enum stele_fleet_call {
    STELE_FLEET_CALL_ALL,
    STELE_FLEET_CALL_BROADCAST,
    STELE_FLEET_CALL_REQUEST,
    STELE_FLEET_CALL_SEND
} stele_fleet_call;

typedef enum stele_fleet_event {
    STELE_FLEET_SENDS,    /* data goes out */
    STELE_FLEET_ANSWERED, /* a peer's answer to one's own request or all, or why there is none */
    STELE_FLEET_RECEIVED, /* data came in */
    STELE_FLEET_REPLIED   /* what the own handler makes of it */
} stele_fleet_event;

typedef struct stele_fleet_packet {
    stele_fleet_event event;
    stele_fleet_call call; /* of what goes out, and of answers to it; else 0 */
    const char *peer;      /* the other side; NULL for what goes out to all */
    stele_code code;       /* of answers and replies; else STELE_OK */
    stele_bytes data;      /* the message, or the answer */
} stele_fleet_packet;

typedef void (*stele_fleet_packet_fn)(void *arg, const stele_fleet_packet *packet);

/* Wrap a transport, borrowed until close, which is not connected; from then on it is used through
 * *out alone, which the caller owns: stele_fleet_close(). `each` is called by the thread that
 * sends or receives, several at once. */
STELE_API STELE_NODISCARD stele_code stele_fleet_record(stele_fleet **out, stele_fleet *inner,
        stele_fleet_packet_fn each, void *arg, stele_error *err);

/* ---- What the reference's peers say to each other: the first byte of a packet. ---- */

enum {
    STELE_FLEET_PKT_GET_INFO = 0x00,      /* get info: answered in line, or to a peer's name */
    STELE_FLEET_PKT_GET_LOG_IDS = 0x01,   /* the keys of a day's entries, please */
    STELE_FLEET_PKT_FETCH_LOG = 0x02,     /* one entry, please; answered in line */
    STELE_FLEET_PKT_LOG_PUSH = 0x40,      /* an entry */
    STELE_FLEET_PKT_LOG_IDS_PUSH = 0x41,  /* keys of entries */
    STELE_FLEET_PKT_GET_INFO_RESP = 0x80, /* checkpoints */
    STELE_FLEET_PKT_RESPONSE_FLAG = 0x80
};

STELE_END_DECLS

#endif /* STELE_FLEET_H */
