/* SPDX-License-Identifier: MIT
 *
 * loopback.h: a fleet within one process, shared by the files that make it up.
 *
 * One mutex guards the hub. A message is copied once and counted; each receiver has its parcel, in
 * a list in which threads of the receiver take turns. Who waits for answers has a call on the heap,
 * which the parcels refer to: if the time is up, the parcels keep what is left of it. No handler
 * is called under the mutex.
 */
#ifndef STI_FLEET_LOOPBACK_H
#define STI_FLEET_LOOPBACK_H

#include <stele/fleet.h>

#include "base/thread.h"

enum {
    STI_FLEET_PARCEL_COST = 384 /* bytes that one in a queue counts for, beside its data */
};

struct sti_fleet_blob {
    size_t refs; /* under the hub's mutex */
    size_t len;
    bool nil;
    uint8_t data[];
};

/* What became of a message to one peer. */
struct sti_fleet_answer {
    char peer[STELE_FLEET_NAME_MAX + 1];
    bool done;
    stele_code code;
    stele_error error;
    stele_buf reply;
};

/* Somebody waits for answers. */
struct sti_fleet_call {
    size_t refs; /* who waits, and the parcels */
    size_t open; /* answers that are not done */
    struct sti_cond changed;
    size_t count;
    struct sti_fleet_answer answers[];
};

struct sti_fleet_parcel {
    struct sti_fleet_parcel *next;
    struct sti_fleet_blob *blob;
    struct sti_fleet_call *call; /* NULL: nobody waits */
    size_t place;                /* of its answer */
    char from[STELE_FLEET_NAME_MAX + 1];
};

struct sti_fleet_member {
    stele_fleet base;
    stele_fleet_hub *hub;
    struct sti_fleet_member *next; /* by name, ascending */
    stele_fleet_handler handler;
    void *arg;
    bool connected;
    bool disconnecting;
    struct sti_cond wakes; /* the threads */
    struct sti_thread threads[STELE_FLEET_LOOPBACK_THREADS];
    struct sti_fleet_parcel *first;
    struct sti_fleet_parcel **last;
    size_t queued; /* bytes */
    char name[STELE_FLEET_NAME_MAX + 1];
};

struct sti_fleet_known {
    struct sti_fleet_known *next;
    char name[STELE_FLEET_NAME_MAX + 1];
};

struct stele_fleet_hub {
    struct sti_mutex lock;
    struct sti_fleet_member *members STI_GUARDED_BY(lock);
    struct sti_fleet_known *known STI_GUARDED_BY(lock); /* each name that ever joined */
    size_t known_count STI_GUARDED_BY(lock);
};

static inline struct sti_fleet_member *sti_fleet_member_of(stele_fleet *f)
{
    return (struct sti_fleet_member *)(void *)f;
}

/* ---- loopback_call.c: messages and calls ---- */

/* NULL: no memory. */
struct sti_fleet_blob *sti_fleet_blob_new(stele_bytes data);
void sti_fleet_blob_drop_locked(stele_fleet_hub *hub, struct sti_fleet_blob *blob)
        STI_REQUIRES(hub->lock);

/* With places for answers, all of them STELE_ENOPEER. NULL: no memory. */
struct sti_fleet_call *sti_fleet_call_new(size_t count, stele_error *err);
void sti_fleet_call_drop_locked(stele_fleet_hub *hub, struct sti_fleet_call *call)
        STI_REQUIRES(hub->lock);

/* Free a parcel, and say what became of it. The reply is taken over if there is one. */
void sti_fleet_parcel_finish_locked(stele_fleet_hub *hub, struct sti_fleet_parcel *parcel,
        stele_code code, const stele_error *error, stele_buf *reply) STI_REQUIRES(hub->lock);

/* Wait until all answers are there or the wait is over; whether it was canceled. */
bool sti_fleet_call_await(stele_fleet_hub *hub, struct sti_fleet_call *call, const stele_wait *wait)
        STI_EXCLUDES(hub->lock);

/* Take an answer out, which is then the caller's; what is not there yet has the code that says
 * why. */
void sti_fleet_call_settle_locked(stele_fleet_hub *hub, struct sti_fleet_call *call,
        struct sti_fleet_answer *out, size_t place, bool canceled) STI_REQUIRES(hub->lock);

/* ---- loopback_send.c: the calls that send ---- */

stele_code sti_fleet_loopback_all(stele_fleet *f, stele_bytes data, const stele_wait *wait,
        stele_fleet_reply_fn each, void *arg, stele_error *err);
stele_code sti_fleet_loopback_broadcast(stele_fleet *f, stele_bytes data, stele_error *err);
stele_code sti_fleet_loopback_request(stele_fleet *f, const char *peer, stele_bytes data,
        const stele_wait *wait, stele_buf *reply, stele_error *err);
stele_code sti_fleet_loopback_send(
        stele_fleet *f, const char *peer, stele_bytes data, stele_error *err);

#endif /* STI_FLEET_LOOPBACK_H */
