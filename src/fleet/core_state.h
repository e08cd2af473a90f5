/* SPDX-License-Identifier: MIT
 *
 * core_state.h: what a core keeps, shared by the files that make it up.
 *
 * A step is a chain of calls that stops at the first failure, which sti_fleet_step() returns. What
 * a peer did wrong is no failure: it is counted.
 */
#ifndef STI_FLEET_CORE_STATE_H
#define STI_FLEET_CORE_STATE_H

#include "fleet/core.h"
#include "fleet/recon.h"

#define STI_FLEET_NEVER INT64_MAX

enum {
    STI_FLEET_PEERS_MAX = 1024,
    STI_FLEET_RING = 1024,        /* pushes whose sizes are remembered */
    STI_FLEET_WANTS_MAX = 1024,   /* ranges to be fetched in a session */
    STI_FLEET_PENDING_MAX = 4096, /* changes and stores on their way */
    STI_FLEET_HELD_MAX = 4096,    /* entries in quarantine, which are in a list */
    STI_FLEET_FULL_RATE = 1000,
    STI_FLEET_READY_RATE = 980
};

struct sti_fleet_peer {
    char name[STELE_FLEET_NAME_MAX + 1];
    bool online;
    bool told_skew;
    bool forgotten;
    enum sti_fleet_protocol protocol;
    uint64_t boot;
    unsigned rate;
    struct sti_docs_version horizon;
    struct sti_docs_version now;  /* as it said last */
    struct sti_docs_version good; /* all that was in one then is in both; 0: not known */
    int64_t good_told;            /* seconds */

    uint64_t hello_token; /* 0: none is on its way */
    int64_t hello_at;
    unsigned hello_tries;

    uint64_t seen;         /* number of its last push */
    uint64_t seen_granted; /* as the last credit said */
    size_t since_credit;   /* bytes */
    uint64_t acked;        /* what it has seen of ours */
    uint64_t window;

    int64_t mismatch_at; /* since when its root is another one; STI_FLEET_NEVER: it is not */
    int64_t recon_at;    /* when a session is due */
    bool gap_only;       /* what is before `good` may be left out */
    unsigned misses;     /* sessions that gained nothing */
    int64_t not_before;  /* the next one because of another root */
    unsigned snap_misses;
    int64_t snap_at; /* no snapshot before that, if nothing new asks for one */

    /* Of the reference. */
    int64_t info_at;
    unsigned info_tries;
    stele_buf keys; /* to be fetched: sized, from keys_from on */
    size_t keys_from;
    uint64_t fetch_token;
    uint64_t info_token;
    bool info_due; /* when all keys are fetched */
    int64_t told_since;
    uint64_t told_keys; /* of days, since then */
};

struct sti_fleet_want {
    struct sti_fleet_bound low;
    struct sti_fleet_bound high;
    size_t ids_at;
    size_t ids_len;
};

struct sti_fleet_session {
    struct sti_fleet_peer *peer; /* NULL: not in use */
    struct sti_fleet_recon_head head;
    struct sti_docs_version began;
    uint64_t token;
    unsigned rounds;
    bool fetching;
    bool whole;   /* begun at the horizon */
    bool cut;     /* not all was found, or not all of that is here */
    bool gained;  /* anything was found */
    size_t given; /* bytes */
    struct sti_fleet_want *wants;
    size_t want_count;
    size_t want_from;
    size_t want_to; /* up to here is asked for */
    stele_buf ids;
};

struct sti_fleet_pending {
    uint64_t token; /* of the STORE, or the CHANGE */
    uint64_t client;
    size_t size;
    bool is_change;
};

struct sti_fleet_held {
    struct sti_fleet_held *next;
    struct sti_docs_version version;
    size_t len;
    uint8_t entry[];
};

struct sti_fleet_core {
    struct sti_fleet_core_config config;
    enum sti_fleet_status status;
    struct sti_fleet_counters counters;
    struct sti_docs_version horizon;
    uint64_t next_token;
    int64_t state_at;
    int64_t periodic_at;
    int64_t lone_at;
    int64_t timer_at;
    int64_t renumber_at; /* not before that */
    bool started;

    struct sti_fleet_peer **peers; /* by name, ascending */
    size_t peer_count;
    size_t peer_capacity;
    struct sti_fleet_session sessions[STI_FLEET_SESSIONS];

    uint64_t pushed; /* number of the last push */
    uint64_t pushed_bytes;
    uint64_t ring[STI_FLEET_RING]; /* pushed_bytes after the push of a number */

    stele_buf batch;                   /* entries accepted in this step, sized */
    struct sti_fleet_pending *pending; /* on their way to storage */
    size_t pending_count;
    size_t pending_capacity;
    size_t store_bytes; /* of entries among them */
    struct sti_fleet_held *held;
    size_t held_bytes;

    struct sti_fleet_peer *snap_peer; /* NULL: no snapshot is being taken */
    uint64_t snap_token;
    bool snap_cut;                     /* something of it was lost */
    struct sti_docs_version snap_good; /* of the peer, once it is taken */
    stele_buf snap_cursor;             /* where it goes on */

    /* Of the step. */
    const struct sti_fleet_event *event;
    struct sti_fleet_effects *effects;
    stele_error *err;
    uint64_t draws;
};

/* ---- core.c ---- */

/* A number that depends on the event's, another one each time. */
uint64_t sti_fleet_draw(struct sti_fleet_core *c);
/* Between half of `ns` and one and a half. */
int64_t sti_fleet_jitter(struct sti_fleet_core *c, int64_t ns);
int64_t sti_fleet_later(int64_t now_ns, int64_t ns);

/* NULL: not known. */
struct sti_fleet_peer *sti_fleet_peer_find(const struct sti_fleet_core *c, const char *name);

/* The version that is the time of the event's wall, less some seconds. */
struct sti_docs_version sti_fleet_wall_version(const struct sti_fleet_core *c, uint32_t less);

/* ---- core_effect.c ---- */

/* The bytes are copied. */
stele_code sti_fleet_do(struct sti_fleet_core *c, const struct sti_fleet_effect *effect);
stele_code sti_fleet_do_send(struct sti_fleet_core *c, struct sti_fleet_peer *p, stele_bytes bytes);
/* *token is that of the request; it is set only if there is one. */
stele_code sti_fleet_do_request(
        struct sti_fleet_core *c, struct sti_fleet_peer *p, stele_bytes bytes, uint64_t *token);
/* Nothing for a message that waits for no answer. */
stele_code sti_fleet_do_reply(struct sti_fleet_core *c, stele_code code, stele_bytes bytes);
stele_code sti_fleet_do_tell(struct sti_fleet_core *c, enum sti_fleet_told told,
        struct sti_fleet_peer *p, struct sti_docs_version version);

/* ---- core_store.c ---- */

/* An entry came from a peer; *is_new (may be NULL) says that it will be stored. With `snapshot` it
 * may be below the horizon. */
stele_code sti_fleet_accept(struct sti_fleet_core *c, struct sti_fleet_peer *p, stele_bytes entry,
        bool snapshot, bool *is_new);
/* Whether there is room for more. */
bool sti_fleet_has_room(const struct sti_fleet_core *c);
/* Store what was accepted in this step. */
stele_code sti_fleet_flush(struct sti_fleet_core *c);
stele_code sti_fleet_on_client(struct sti_fleet_core *c);
stele_code sti_fleet_on_stored(struct sti_fleet_core *c);
/* What the wall has come near enough to leaves the quarantine. */
stele_code sti_fleet_release_held(struct sti_fleet_core *c);
/* When that will be so for the first, by the monotonic clock. */
int64_t sti_fleet_held_at(const struct sti_fleet_core *c);

/* ---- core_hello.c: who is there, and how it is ---- */

/* What is here at or above a horizon. */
stele_code sti_fleet_sum_above(
        struct sti_fleet_core *c, int64_t seconds, struct sti_docs_aggregate *out);

stele_code sti_fleet_send_hello(struct sti_fleet_core *c, struct sti_fleet_peer *p);
void sti_fleet_want_hello(struct sti_fleet_core *c, struct sti_fleet_peer *p);
stele_code sti_fleet_on_hello(struct sti_fleet_core *c, struct sti_fleet_peer *p);
stele_code sti_fleet_on_hello_reply(struct sti_fleet_core *c, struct sti_fleet_peer *p);
stele_code sti_fleet_send_state(struct sti_fleet_core *c);
stele_code sti_fleet_on_state(struct sti_fleet_core *c, struct sti_fleet_peer *p);
void sti_fleet_update_status(struct sti_fleet_core *c);
/* All that both have is the same: so is what was made before, by the clock that is behind. */
struct sti_docs_version sti_fleet_good_now(
        const struct sti_fleet_core *c, const struct sti_fleet_peer *p);
/* How long to wait after so many that came to nothing. */
int64_t sti_fleet_backoff(struct sti_fleet_core *c, unsigned misses);
/* A session with a peer is wanted, by then. */
void sti_fleet_want_session(struct sti_fleet_peer *p, int64_t at_ns, bool gap_only);

/* ---- core_push.c ---- */

/* An entry of one's own, which is durable. */
stele_code sti_fleet_push_own(struct sti_fleet_core *c, stele_bytes entry);
stele_code sti_fleet_on_push(struct sti_fleet_core *c, struct sti_fleet_peer *p);
stele_code sti_fleet_on_credit(struct sti_fleet_core *c, struct sti_fleet_peer *p);
stele_code sti_fleet_grant(struct sti_fleet_core *c, struct sti_fleet_peer *p, bool always);

/* ---- core_session.c: who asks ---- */

stele_code sti_fleet_begin_sessions(struct sti_fleet_core *c);
stele_code sti_fleet_on_session_reply(struct sti_fleet_core *c, struct sti_fleet_session *s);
/* Fetching goes on when there is room. */
stele_code sti_fleet_continue_sessions(struct sti_fleet_core *c);
stele_code sti_fleet_end_session(
        struct sti_fleet_core *c, struct sti_fleet_session *s, bool failed);
void sti_fleet_session_free(struct sti_fleet_session *s);

/* ---- core_serve.c: who answers ---- */

/* Entries of a range, those of the short IDs or all; `each` may end it with STELE_END. *looked
 * counts the keys that were looked at, which for all ranges of a packet together are not more than
 * is allowed. *whole says that it was not ended so or so. */
typedef stele_code (*sti_fleet_entry_fn)(void *arg, stele_bytes entry, stele_error *err);
stele_code sti_fleet_select(struct sti_fleet_core *c, const struct sti_fleet_recon_head *head,
        const struct sti_fleet_fetch_item *item, size_t *looked, sti_fleet_entry_fn each, void *arg,
        bool *whole);

stele_code sti_fleet_on_recon(struct sti_fleet_core *c, struct sti_fleet_peer *p);
stele_code sti_fleet_on_fetch(struct sti_fleet_core *c, struct sti_fleet_peer *p);
stele_code sti_fleet_on_snap(struct sti_fleet_core *c);

/* ---- core_snap.c: snapshots, horizon ---- */

/* Whether it has what no session would find. */
bool sti_fleet_needs_snapshot(const struct sti_fleet_core *c, const struct sti_fleet_peer *p);
stele_code sti_fleet_begin_snapshot(struct sti_fleet_core *c, struct sti_fleet_peer *p);
stele_code sti_fleet_on_snap_reply(struct sti_fleet_core *c);
/* Raise the horizon if it may be. */
stele_code sti_fleet_raise_horizon(struct sti_fleet_core *c);
/* It is not known of any peer what of its is here, nor of what is being fetched. */
stele_code sti_fleet_forget_good(struct sti_fleet_core *c);
/* All that a peer had by then is here. */
stele_code sti_fleet_note_good(
        struct sti_fleet_core *c, struct sti_fleet_peer *p, struct sti_docs_version good);

/* ---- core_reference.c ---- */

stele_code sti_fleet_on_reference(struct sti_fleet_core *c, struct sti_fleet_peer *p);
stele_code sti_fleet_ref_due(struct sti_fleet_core *c, struct sti_fleet_peer *p);
stele_code sti_fleet_on_ref_fetched(struct sti_fleet_core *c, struct sti_fleet_peer *p);
stele_code sti_fleet_on_ref_info(struct sti_fleet_core *c, struct sti_fleet_peer *p);

#endif /* STI_FLEET_CORE_STATE_H */
