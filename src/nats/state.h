/* SPDX-License-Identifier: MIT
 *
 * state.h: a fleet over NATS, shared by the files that make it up.
 *
 * Two connections. `in` has all subscriptions, and sends what is small and wants an answer: the
 * server says "nobody listens" only there. `out` sends everything else. With one connection alone
 * two peers that send to each other as fast as they can come to a halt: libnats holds the
 * connection while a write waits, and cannot read meanwhile.
 *
 * Threads. libnats has one for each subscription: it puts messages together, answers to calls
 * that wait, and queues the rest. Workers take from the queue and call the handler. One, the
 * keeper, sends heartbeats, notices who is silent, tells events, and saves the names of peers. The
 * callbacks of connections come from a thread that all of libnats shares, which never waits here.
 *
 * One mutex guards it all. No function of libnats that sends or waits, no handler and no event is
 * called under it.
 */
#ifndef STI_NATS_STATE_H
#define STI_NATS_STATE_H

#include <stele/nats.h>

#include "nats/held.h"
#include "nats/link.h"
#include "nats/parts.h"
#include "nats/peers.h"
#include "nats/subject.h"

#include <pthread.h>

#include <nats/nats.h>

enum {
    STI_NATS_EVENTS_MAX = 64, /* that wait to be told */
    STI_NATS_EVENT_TEXT = 320,
    STI_NATS_THREADS_MAX = 64,
    STI_NATS_CHUNK = 256 << 10,       /* with its envelope */
    STI_NATS_SMALL = 4096,            /* a request up to this size goes by `in` */
    STI_NATS_PENDING = 64 << 10,      /* messages that wait in libnats, for each subscription */
    STI_NATS_PENDING_SIZE = 128 << 20 /* and their bytes */
};

/* A message for the handler. */
struct sti_nats_job {
    struct sti_nats_job *next;
    struct sti_nats_message message;
    uint32_t id;
    bool nil;
    char *reply; /* where the answer goes; NULL: nobody waits */
    char from[STELE_FLEET_NAME_MAX + 1];
};

/* What became of a request to one peer. */
struct sti_nats_answer {
    bool done;
    bool nil;
    stele_code code;
    struct sti_nats_message message; /* the answer, or the text of a failure */
    char peer[STELE_FLEET_NAME_MAX + 1];
};

/* Somebody waits. It is in the list while he does, and belongs to him. */
struct sti_nats_call {
    struct sti_nats_call *next;
    uint32_t id;
    bool bulk; /* was sent by `out` */
    int64_t began_ns;
    size_t open;
    pthread_cond_t changed;
    size_t count;
    struct sti_nats_answer answers[];
};

struct sti_nats_told {
    stele_nats_event_kind kind;
    uint64_t count;
    char text[STI_NATS_EVENT_TEXT];
};

enum sti_nats_way {
    STI_NATS_IN,
    STI_NATS_OUT,
    STI_NATS_WAYS
};

enum sti_nats_sub {
    STI_NATS_SUB_ANSWERS,
    STI_NATS_SUB_HEARTBEATS,
    STI_NATS_SUB_ALL,
    STI_NATS_SUB_OWN,
    STI_NATS_SUBS
};

enum sti_nats_membership {
    STI_NATS_APART,
    STI_NATS_JOINING,
    STI_NATS_JOINED,
    STI_NATS_LEAVING
};

struct sti_nats {
    stele_fleet base;
    stele_env env;
    stele_nats_options opts;
    struct sti_nats_server server;
    uint64_t boot;
    stele_dir *peers_dir; /* may be NULL */
    char fleet_token[STI_NATS_TOKEN_SIZE];
    char token[STI_NATS_TOKEN_SIZE];
    char self[STELE_FLEET_NAME_MAX + 1];
    char inbox[STI_NATS_INBOX_SIZE]; /* up to the number of the request */
    char heartbeat[STI_NATS_SUBJECT_SIZE];
    natsConnection *ways[STI_NATS_WAYS];
    natsStatus first_failure; /* of connecting, while it is opened */
    char first_text[STI_NATS_EVENT_TEXT];

    pthread_mutex_t lock;
    pthread_cond_t changed; /* of connections and subscriptions */
    pthread_cond_t work;
    pthread_cond_t kick; /* the keeper */

    bool up[STI_NATS_WAYS];
    bool was_down[STI_NATS_WAYS]; /* perhaps before the call that made it has returned */
    bool closed[STI_NATS_WAYS];
    struct sti_nats_held *subs[STI_NATS_SUBS];
    struct sti_nats_held *ended;    /* subscriptions that libnats may still touch */
    bool sub_active[STI_NATS_SUBS]; /* its thread may call us */
    int64_t dropped[STI_NATS_SUBS]; /* as told */

    /* What connect() began. */
    enum sti_nats_membership membership;

    stele_fleet_handler handler;
    void *handler_arg;
    bool stop_workers;
    unsigned worker_count;
    pthread_t workers[STI_NATS_THREADS_MAX];
    struct sti_nats_job *first;
    struct sti_nats_job **last;

    struct sti_nats_parts parts;
    struct sti_nats_peers peers;
    struct sti_nats_call *calls;
    uint32_t next_id;

    bool stop_keeper;
    bool greet; /* a heartbeat is wanted now */
    bool kicked;
    bool save_failed;
    pthread_t keeper;
    size_t told_first;
    size_t told_count;
    uint64_t told_lost;
    struct sti_nats_told told[STI_NATS_EVENTS_MAX];
};

static inline struct sti_nats *sti_nats_of(stele_fleet *f)
{
    return (struct sti_nats *)(void *)f;
}

/* ---- time.c: the system's clock, and waiting by it ---- */

int64_t sti_nats_now_ns(void);
bool sti_nats_cond_init(pthread_cond_t *cond);
/* INT64_MAX: for ever. False when the time is up. */
bool sti_nats_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_ns);
int64_t sti_nats_deadline(const stele_wait *wait);
/* Until the deadline or the token: wait for `cond` once. STELE_OK: it may have come. */
stele_code sti_nats_await(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_ns,
        const stele_cancel *cancel);

/* ---- ways.c: the connections ---- */

/* STELE_OK also if no server can be reached yet. */
stele_code sti_nats_make_way(struct sti_nats *n, enum sti_nats_way way, stele_error *err);
/* A connection that goes on trying is given up when the server refuses it: the next thing that is
 * done with it finds it closed. Why is what the first attempt said. */
stele_code sti_nats_explain_closed(struct sti_nats *n, stele_code rc, stele_error *err);

/* ---- receive.c: what the threads of libnats call ---- */

void sti_nats_on_message(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure);
void sti_nats_on_answer(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure);
void sti_nats_on_heartbeat(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure);
/* Free what waits for a handler. */
void sti_nats_queue_clear_locked(struct sti_nats *n);
void sti_nats_job_free_locked(struct sti_nats *n, struct sti_nats_job *job);

/* ---- call.c: who waits for answers ---- */

struct sti_nats_call *sti_nats_call_new(struct sti_nats *n, size_t count, stele_error *err);
void sti_nats_call_free(struct sti_nats *n, struct sti_nats_call *call);
struct sti_nats_call *sti_nats_call_find_locked(struct sti_nats *n, uint32_t id);
void sti_nats_call_begin(struct sti_nats *n, struct sti_nats_call *call);
/* Takes it out of the list. STELE_OK, also if some are not done; STELE_ECANCELED. */
stele_code sti_nats_call_await(
        struct sti_nats *n, struct sti_nats_call *call, const stele_wait *wait);
void sti_nats_answer_finish_locked(
        struct sti_nats_call *call, struct sti_nats_answer *answer, stele_code code);
/* All answers of a call that are not done, or those to one peer of all calls. */
void sti_nats_call_finish_locked(struct sti_nats_call *call, stele_code code);
void sti_nats_calls_peer_gone_locked(struct sti_nats *n, const char *peer, stele_code code);

/* ---- send.c: the calls that send ---- */

stele_code sti_nats_all(stele_fleet *f, stele_bytes data, const stele_wait *wait,
        stele_fleet_reply_fn each, void *arg, stele_error *err);
stele_code sti_nats_broadcast(stele_fleet *f, stele_bytes data, stele_error *err);
stele_code sti_nats_request(stele_fleet *f, const char *peer, stele_bytes data,
        const stele_wait *wait, stele_buf *reply, stele_error *err);
stele_code sti_nats_send(stele_fleet *f, const char *peer, stele_bytes data, stele_error *err);

/* ---- put.c: a message in pieces ---- */

/* Of `envelope` kind, id and info count. */
stele_code sti_nats_put(struct sti_nats *n, enum sti_nats_way way, const char *subject,
        const char *reply, struct sti_nats_envelope envelope, stele_bytes data, stele_error *err);

/* ---- join.c: connect, and the workers ---- */

stele_code sti_nats_connect(
        stele_fleet *f, stele_fleet_handler handler, void *arg, stele_error *err);
/* A subscription of `in`. */
stele_code sti_nats_subscribe(struct sti_nats *n, enum sti_nats_sub which, const char *subject,
        natsMsgHandler handler, stele_error *err);
/* Returns when its thread calls us no more. The subscription goes to those that ended. */
void sti_nats_unsubscribe(struct sti_nats *n, enum sti_nats_sub which);

/* ---- keep.c: the keeper, and events ---- */

void *sti_nats_keep(void *arg);
void sti_nats_kick_locked(struct sti_nats *n);
void sti_nats_tell_locked(
        struct sti_nats *n, stele_nats_event_kind kind, uint64_t count, const char *text);
/* Now, if there is a connection. */
void sti_nats_greet(struct sti_nats *n, uint8_t flags);
bool sti_nats_is_online(const struct sti_nats *n, const struct sti_nats_peer *peer, int64_t now);
stele_code sti_nats_save_peers(struct sti_nats *n, stele_error *err);

#endif /* STI_NATS_STATE_H */
