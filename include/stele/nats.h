/* SPDX-License-Identifier: MIT
 *
 * nats.h: a fleet over NATS, and a stream mirrored to JetStream. In libstele-nats, a library of its
 * own: libstele does not need NATS.
 *
 * Core NATS carries a message at most once. Whatever was on its way when a connection broke, or did
 * not fit where it waited, is lost, mostly without a word: each event below that says so has to
 * lead to reconciliation.
 *
 * Who sent a message is the last token of its subject. With the permissions of
 * examples/nats-server.conf the server lets each user name none but itself there, and read no
 * mailbox but its own: then senders are authenticated. Without them, any client of the server may
 * claim to be anybody.
 *
 * Subjects, in which FLEET and names have every byte but A-Z, a-z, 0-9, '_' and '-' as =XX:
 *
 *     stele.FLEET.all.SENDER              to all
 *     stele.FLEET.to.PEER.SENDER          to one
 *     stele.FLEET.hb.SENDER               a heartbeat
 *     stele.FLEET.in.PEER.BOOT.N.SENDER   an answer to request N of PEER
 *
 * Threads: as <stele/fleet.h> says. Each fleet has threads of its own: for handlers, for
 * heartbeats and events, and those of libnats (two connections, four subscriptions). libnats wants
 * no fork() after its first use in a process.
 */
#ifndef STELE_NATS_H
#define STELE_NATS_H

#include <stele/fleet.h>
#include <stele/stream.h>

STELE_BEGIN_DECLS

/* ---- The way to a server. ---- */

/* Strings are copied by the calls that take these. */
typedef struct stele_nats_server {
    const char *url;  /* or several, with commas; NULL: nats://127.0.0.1:4222 */
    const char *name; /* of the connection, for the server's operator; NULL: none */

    /* How to prove who one is; NULL: not. The first that is set counts. */
    const char *credentials_file; /* a JWT and a seed, as `nsc` writes them */
    const char *nkey_seed_file;   /* the seed of `nkey` */
    const char *nkey;             /* the public key */
    const char *user;
    const char *password;

    /* TLS. Before version 3.11 libnats reads and writes one OpenSSL object from two threads at
     * once, which OpenSSL does not allow: STELE_ENOTSUP, unless tls_with_old_libnats. The safe way
     * is a server on the same machine, reached without TLS, that joins the others with it. */
    bool tls;
    bool tls_with_old_libnats;
    const char *tls_ca_file;   /* whom to trust; NULL: whom the system does */
    const char *tls_cert_file; /* one's own certificate and key, in PEM; NULL: none */
    const char *tls_key_file;
    const char *tls_hostname; /* what the server's certificate must say; NULL: the URL's host */

    int64_t ping_ms;      /* a server that is silent for two to three of these is given up; 2000 */
    int64_t connect_ms;   /* for one attempt to connect; 1000 */
    int64_t reconnect_ms; /* before the first attempt to connect again, and more before others; 250
                           */
} stele_nats_server;

/* ---- A fleet. ---- */

typedef enum stele_nats_event_kind {
    STELE_NATS_CONNECTED,    /* one of the two connections, first or again: reconcile */
    STELE_NATS_DISCONNECTED, /* one of them: messages are lost */
    STELE_NATS_CLOSED,       /* for good: the server refuses who we are */
    STELE_NATS_DROPPED,      /* messages came, and there was no room: reconcile */
    STELE_NATS_REFUSED,      /* the server refused something, such as a subject */
    STELE_NATS_MALFORMED,    /* messages that no Stele peer sends were dropped */
    STELE_NATS_PEER_UP,      /* text: its name. It came, or came again: reconcile */
    STELE_NATS_PEER_DOWN,    /* text: its name. It said good-bye, or is silent */
    STELE_NATS_NAME_TAKEN,   /* somebody else uses our name: both are in trouble */
    STELE_NATS_NOT_SAVED     /* the file of known peers could not be written; tried again */
} stele_nats_event_kind;

typedef struct stele_nats_event {
    stele_nats_event_kind kind;
    uint64_t count;   /* of messages, where some were dropped; else 1 */
    const char *text; /* for people; never NULL, valid during the call */
} stele_nats_event;

enum {
    STELE_NATS_PEERS_MAX = 4096, /* names of others are ignored beyond so many */
    STELE_NATS_FLEET_NAME_MAX = 64
};

typedef struct stele_nats_options {
    size_t struct_size;
    const stele_env *env; /* borrowed until close; NULL: the real world. Its files and random
                             numbers are used; waiting is always by the system's clock */
    stele_nats_server server;
    const char *fleet; /* its name: 1 to STELE_NATS_FLEET_NAME_MAX bytes; NULL: "main" */

    /* Keep the names of all peers that were ever seen in the file "peers" in this directory, made
     * if missing; NULL: they are forgotten at close. */
    const char *peers_dir;

    unsigned threads;      /* that call the handler; 4 */
    size_t memory_max;     /* bytes of messages that are incomplete or wait; 256 MiB. One peer
                              gets three quarters of it at most, and what does not fit is dropped */
    int64_t heartbeat_ms;  /* 1000 */
    int64_t silent_ms;     /* a peer of which nothing was heard for so long is not online; 3500 */
    int64_t incomplete_ms; /* a message whose rest does not come is dropped; 30000 */

    /* Called by one thread of the fleet, one event after the other, without any lock. It may use
     * the fleet, but not connect or close it. Events that nobody takes in time are merged into
     * STELE_NATS_DROPPED. May be NULL. */
    void (*event)(void *arg, const stele_nats_event *event);
    void *event_arg;
} stele_nats_options;

STELE_API void stele_nats_options_init_sized(stele_nats_options *opts, size_t struct_size);

/* All defaults. */
static inline void stele_nats_options_init(stele_nats_options *opts)
{
    stele_nats_options_init_sized(opts, sizeof *opts);
}

/* Become a peer of a fleet, not connected yet in the sense of <stele/fleet.h>, but already able to
 * ask. If no server can be reached this succeeds as well, and goes on trying: stele_nats_ready().
 * The caller owns *out: stele_fleet_close(). `opts` may be NULL.
 *
 * What the calls give beside what <stele/fleet.h> says: STELE_ENOPEER also if there is no
 * connection; STELE_ETIMEDOUT at once if it breaks while waiting, since whether the message came is
 * then not known; STELE_EPERM: refused by the server; STELE_ECLOSED: the connection is closed for
 * good. A subject that the server does not allow is only seen as an event, and as a time-out.
 *
 * STELE_EINVAL: names · STELE_ECORRUPT: the file of peers; it may be removed · STELE_ENOTSUP: TLS,
 * see above · STELE_EPERM: files of keys that cannot be read · STELE_EIO, STELE_ENOSPC: the file of
 * peers. */
STELE_API STELE_NODISCARD stele_code stele_nats_open(
        stele_fleet **out, const char *self, const stele_nats_options *opts, stele_error *err);

/* Wait until both connections are there. STELE_ETIMEDOUT, STELE_ECANCELED, STELE_ECLOSED. */
STELE_API STELE_NODISCARD stele_code stele_nats_ready(
        stele_fleet *f, const stele_wait *wait, stele_error *err);

STELE_END_DECLS

#endif /* STELE_NATS_H */
