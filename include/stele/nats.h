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
    const char *user;             /* without ", \ and control characters, as is the password */
    const char *password;

    /* TLS. Before version 3.11 libnats reads and writes one OpenSSL object from two threads at
     * once, which OpenSSL does not allow: STELE_ENOTSUP, unless tls_with_old_libnats. The safe way
     * is a server on the same machine, reached without TLS, that joins the others with it:
     * examples/nats-leaf.conf. A URL that begins with tls:// asks for it, too; a server that
     * insists on it, while it was not asked for, is refused with such a libnats. */
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
    STELE_NATS_DISCONNECTED, /* one of them, and why: messages are lost. Also if there is no
                                server when it is opened */
    STELE_NATS_CLOSED,       /* for good, and why: the server refuses who we are */
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
     * the fleet, but not connect or close it, and has to return soon: heartbeats wait for it.
     * Events that nobody takes in time are merged into STELE_NATS_DROPPED. May be NULL. */
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
 * see above · STELE_EPERM: files of keys that cannot be read, or the server refuses who we are ·
 * STELE_EIO: it speaks in another way than is asked for, such as with TLS · STELE_EIO,
 * STELE_ENOSPC: the file of peers. */
STELE_API STELE_NODISCARD stele_code stele_nats_open(
        stele_fleet **out, const char *self, const stele_nats_options *opts, stele_error *err);

/* Wait until both connections are there. STELE_ETIMEDOUT, STELE_ECANCELED, STELE_ECLOSED. */
STELE_API STELE_NODISCARD stele_code stele_nats_ready(
        stele_fleet *f, const stele_wait *wait, stele_error *err);

/* ---- Mirrors. ----
 *
 * A stream of ours, sent to a stream of JetStream message by message, and made again from there.
 * The messages of JetStream have the subject "stele.log.NAME", as payload the key and behind it the
 * value, and these headers:
 *
 *     Stele-Offset   the offset
 *     Stele-Time     the time, in microseconds since 1970
 *     Stele-Key      length of the key; not there: the key is nil
 *     Stele-Value    "nil" if the value is; else not there
 *     Nats-Msg-Id    NAME:OFFSET
 *
 * Exactly once: each message says which sequence number it must come behind, so that the server
 * refuses what is not the next one. Where to go on is in the last message that it has: no state is
 * kept here, and the log is the truth. Two mirrors of one log at once do no harm; another log, or
 * another writer, in the same stream is found out: STELE_ECONFLICT.
 *
 * A mirror is never the only copy. A server acknowledges before it syncs, which version 2.9 does
 * every minute at most, and clients are not told how it is set up: after a power cut acknowledged
 * messages may be gone. The mirror finds that out, and sends them again, as long as the log has
 * them: so nothing here deletes from the log, and who trims it must not go by what was mirrored. */

typedef struct stele_nats_mirror_options {
    size_t struct_size;
    stele_nats_server server;
    const char *stream;   /* NAME: of A-Z, a-z, 0-9, '_' and '-' */
    unsigned replicas;    /* of a stream that is made because it is missing; 1 */
    bool follow;          /* mirror: when level, wait for more, until canceled */
    int64_t patience_ms;  /* give up after so long without progress; 30000. Not when following */
    stele_cancel *cancel; /* borrowed; may be NULL */

    /* Told what the caller should know, in the calling thread; may be NULL: that a mirror is no
     * reason to trim, and why sending had to begin again somewhere. `text` is valid during the
     * call. */
    void (*warn)(void *arg, const char *text);
    void *warn_arg;
} stele_nats_mirror_options;

STELE_API void stele_nats_mirror_options_init_sized(
        stele_nats_mirror_options *opts, size_t struct_size);

/* All defaults but `stream`. */
static inline void stele_nats_mirror_options_init(stele_nats_mirror_options *opts)
{
    stele_nats_mirror_options_init_sized(opts, sizeof *opts);
}

typedef struct stele_nats_mirrored {
    int64_t first;    /* offsets of the first and the last message of this call; */
    int64_t last;     /* STELE_OFFSET_INVALID if there was none */
    uint64_t count;   /* messages */
    uint64_t resumed; /* how often it had to find out again where it was */
} stele_nats_mirrored;

/* Send what the stream of JetStream, which is made if missing, lacks. `s` may be any handle, also a
 * live one beside a writer. Returns when level; when following, STELE_OK when canceled. *out (may
 * be NULL) is set also on failure.
 *
 * STELE_ECONFLICT: the stream has messages of another log, or more than the log · STELE_ETOOBIG: a
 * message is larger than the server takes · STELE_ETIMEDOUT: no progress · STELE_ECANCELED ·
 * STELE_EINVAL: no such name · STELE_EPERM, STELE_ENOTSUP as for stele_nats_open(). */
STELE_API STELE_NODISCARD stele_code stele_nats_mirror(stele_stream *s,
        const stele_nats_mirror_options *opts, stele_nats_mirrored *out, stele_error *err);

/* Publish to `s` what it lacks of the stream of JetStream, at the same offsets, and sync it. A
 * stream that was made in part before, by this, is completed. *out (may be NULL) is set also on
 * failure.
 *
 * STELE_ENOTFOUND: there is no such stream · STELE_ECONFLICT: `s` has messages that are not those
 * of the mirror · STELE_ECORRUPT: messages of the mirror were deleted, or are not what a mirror
 * sends · others as above, and those of publishing. */
STELE_API STELE_NODISCARD stele_code stele_nats_rebuild(stele_stream *s,
        const stele_nats_mirror_options *opts, stele_nats_mirrored *out, stele_error *err);

STELE_END_DECLS

#endif /* STELE_NATS_H */
