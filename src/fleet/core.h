/* SPDX-License-Identifier: MIT
 *
 * core.h: how a node keeps its documents in step with those of its peers, as one step function.
 *
 * An event goes in, effects come out, and nothing else happens: there is no thread, clock, file or
 * random number inside. Time and randomness come with each event, reading is through an interface,
 * and what is to be written is an effect, of which an event says later what became of it. One
 * thread at a time drives a core; what it does depends on the events and on what the storage says.
 *
 * The model
 * ---------
 * A node has a log: a set of entries. Documents are a function of that set (docs/entry.h,
 * docs/info.h), so nodes with the same log have the same documents, in whatever order it came. What
 * is to be done is to make the sets equal, and to know of it.
 *
 *     local change   CHANGE -> STORED -> ACK to the client, PUSH to the peers. Never the other way
 *                    round: who hears of an entry can rely on it
 *     PUSH           entries of one's own, numbered from 1 in each boot. A number that is missing
 *                    starts a reconciliation; nothing is sent twice
 *     CREDIT         how much more one may push. Who is out of it is skipped, and finds the gap
 *     STATE          each second: number of the last push, count and root of all that is here
 *     RECON, FETCH   a session finds what each of two lacks (fleet/recon.h), fetches what is
 *                    missing here and pushes what is missing there, without numbers
 *
 * When a session is begun
 * -----------------------
 * Hello or state shows another root, twice with mismatch_ns between · a number is missing · at
 * times, with a peer drawn at random. At most STI_FLEET_SESSIONS at once, one with each peer. After
 * a gap, what lies before the last session that found all is left out. Who found nothing, or
 * failed, waits twice as long as before, up to backoff_max_ns. Who is asked leaves it to the other;
 * of two that began at once, the one of the lower name goes on.
 *
 * What was lost
 * -------------
 * The storage reads nothing that is damaged: it fails (STELE_ECORRUPT), and so does the step. Who
 * owns both has the storage take out what cannot be read, so that neither sums nor ranges have it,
 * and says that something was lost. From then on nothing is known to be the same here and at a
 * peer: roots differ, sessions find what lacks, and a snapshot what was below the horizon. The same
 * holds where what came could not be stored, or a database is an older state of itself, or new.
 *
 * What is refused
 * ---------------
 * An entry that is none: counted. One whose version is more than drift_max ahead of the wall: it
 * waits in quarantine, in memory, until the wall is near enough; what does not fit there is
 * dropped, and found again later, since whoever has it keeps it. One below the horizon: counted,
 * since what was trimmed must not come back. What comes faster than it can be stored: dropped, and
 * found by reconciliation.
 *
 * Peers of the reference
 * ----------------------
 * A peer that answers hello with nothing speaks the protocol of the reference (fleet/reference.h)
 * until it goes offline. It is sent each entry of one's own, asked for its checkpoints at once and
 * ever more seldom, and for the keys of days that differ, whose entries are fetched one by one.
 *
 * The horizon
 * -----------
 * With a retention, entries older than that which every known peer is known to have are trimmed:
 * the horizon rises to what is both so old and reconciled with all. It stays where it is while a
 * peer of the reference is known, which would offer again what was trimmed. What was trimmed is not
 * found by sessions any more. So for each peer there is a time before which all that it had is
 * here; if its horizon or ours is above that, a snapshot of what it keeps of each document comes
 * first. That is so for a new node, for one whose disk was lost, and for fleets that meet.
 *
 * Trust
 * -----
 * Who a packet is from is what the transport says. Nothing is sent to anybody because a packet
 * names him. What a packet makes the core keep is bounded: queues by bytes, sessions by number, a
 * reply by STI_FLEET_RECON_FLUSH. One thing is not: a peer of the reference that asks for the keys
 * of a day gets all of them, since its protocol cannot ask for a part; but only so many a second.
 */
#ifndef STI_FLEET_CORE_H
#define STI_FLEET_CORE_H

#include <stele/fleet.h>

#include "base/arena.h"
#include "fleet/packet.h"
#include "fleet/set.h"

enum {
    STI_FLEET_SESSIONS = 2
};

/* ---- What is read. ---- */

typedef stele_code (*sti_fleet_checkpoint_fn)(
        void *arg, const struct sti_docs_checkpoint *checkpoint, stele_error *err);
typedef stele_code (*sti_fleet_kept_fn)(
        void *arg, stele_bytes id, stele_bytes entry, stele_error *err);

/* All that is durable, and nothing else. */
struct sti_fleet_storage {
    struct sti_fleet_set set;
    /* The hash of the entry of a key; *found says whether there is one. */
    stele_code (*find)(void *arg, stele_bytes key, uint8_t hash[STI_DOCS_HASH_SIZE], bool *found,
            stele_error *err);
    /* Append the entry of a key. STELE_ENOTFOUND */
    stele_code (*read)(void *arg, stele_bytes key, stele_buf *out, stele_error *err);
    /* Ascending. */
    stele_code (*checkpoints)(
            void *arg, sti_fleet_checkpoint_fn each, void *each_arg, stele_error *err);
    /* The entries on which documents behind an ID rest, by ID ascending: the ones that count, and
     * those that claims go back to. STELE_END ends it. */
    stele_code (*kept)(
            void *arg, stele_bytes after, sti_fleet_kept_fn each, void *each_arg, stele_error *err);
};

/* ---- In and out. ---- */

struct sti_fleet_core_config {
    const char *self;
    uint64_t boot;   /* drawn at the start, higher than any before */
    uint32_t server; /* in the versions of this node */
    stele_bytes collation;
    struct sti_fleet_storage storage;
    struct sti_docs_version horizon; /* as it was stored */

    /* 0: what stands behind. */
    uint32_t drift_max;     /* 60 s */
    uint32_t retention;     /* seconds; 0: nothing is trimmed */
    size_t window;          /* 4 MiB pushed by a peer and not seen */
    size_t store_max;       /* 16 MiB on their way to storage */
    size_t quarantine_max;  /* 4 MiB */
    int64_t state_ns;       /* 1 s between states */
    int64_t mismatch_ns;    /* 2 s */
    int64_t periodic_ns;    /* 10 min between sessions without a reason, give or take half */
    int64_t backoff_ns;     /* 1 s at first */
    int64_t backoff_max_ns; /* 60 s */
    int64_t lone_ns;        /* 2 s without peers: ready */
};

enum sti_fleet_event_kind {
    STI_FLEET_EV_CLIENT,  /* token, id, json or is_delete */
    STI_FLEET_EV_MADE,    /* bytes: an entry of this node, which others have stored */
    STI_FLEET_EV_MESSAGE, /* peer, bytes; token if an answer is waited for, else 0 */
    STI_FLEET_EV_REPLY,   /* token of a REQUEST, code, bytes. Comes once for each, in the end */
    STI_FLEET_EV_STORED,  /* token of a STORE, code; bytes: of a local one the entry as it is */
    STI_FLEET_EV_UP,      /* peer */
    STI_FLEET_EV_DOWN,    /* peer. At the start of each that is known, with the version that
                           * STI_FLEET_TOLD_SYNCED said of it last */
    STI_FLEET_EV_FORGET,  /* peer, which is gone for good: the horizon does not wait for it */
    STI_FLEET_EV_LOST,    /* what was here is not any more, and has to be looked for again */
    STI_FLEET_EV_TICK
};

struct sti_fleet_event {
    enum sti_fleet_event_kind kind;
    int64_t now_ns; /* never goes back */
    struct sti_docs_time wall;
    uint64_t random;
    const char *peer;
    uint64_t token;
    stele_code code;
    stele_bytes bytes;
    stele_bytes id;
    stele_bytes json;
    bool is_delete;
    struct sti_docs_version version;
};

enum sti_fleet_effect_kind {
    STI_FLEET_DO_SEND,      /* peer, bytes */
    STI_FLEET_DO_BROADCAST, /* bytes */
    STI_FLEET_DO_REQUEST, /* peer, bytes, token: an EV_REPLY is to come, if with STELE_ETIMEDOUT */
    STI_FLEET_DO_REPLY,   /* token of the message; code, bytes (nil: nothing) */
    STI_FLEET_DO_STORE,   /* token; bytes: sized entries of others */
    STI_FLEET_DO_CHANGE,  /* token; id, json or is_delete: give it a version and store it */
    STI_FLEET_DO_ACK,     /* token of the client, code */
    STI_FLEET_DO_TIMER,   /* at_ns: a tick, then or before. In place of the one before */
    /* version: the horizon, to be stored and trimmed to. What `kept` gives stays, deletions among
     * it: a peer that takes part later may have what they end. */
    STI_FLEET_DO_TRIM,
    STI_FLEET_DO_TELL /* told, peer, version */
};

enum sti_fleet_told {
    STI_FLEET_TOLD_READY,        /* documents are as good as those of the peers */
    STI_FLEET_TOLD_SYNCED,       /* what the peer had before `version` is here: store it; 0: that
                                  * is not known any more */
    STI_FLEET_TOLD_QUARANTINED,  /* peer, version: too far ahead */
    STI_FLEET_TOLD_SKEW,         /* peer: its clock, or ours, is off */
    STI_FLEET_TOLD_SERVER_TAKEN, /* peer has our number, and began earlier: draw another one */
    STI_FLEET_TOLD_COLLATION,    /* peer: other unique keys may be the same there */
    STI_FLEET_TOLD_FAILED        /* storing what came failed; it is tried again */
};

struct sti_fleet_effect {
    enum sti_fleet_effect_kind kind;
    const char *peer; /* as long as the core */
    uint64_t token;
    stele_code code;
    stele_bytes bytes;
    stele_bytes id;
    stele_bytes json;
    bool is_delete;
    int64_t at_ns;
    enum sti_fleet_told told;
    struct sti_docs_version version;
};

/* To be carried out in their order, and cleared. Zero-initialised is empty. */
struct sti_fleet_effects {
    struct sti_fleet_effect *list;
    size_t count;
    size_t capacity;
    struct sti_arena memory;
};

void sti_fleet_effects_clear(struct sti_fleet_effects *effects);
void sti_fleet_effects_free(struct sti_fleet_effects *effects);

/* ---- The core. ---- */

struct sti_fleet_core;

/* `config` is copied; what it points at is borrowed until the end. STELE_EINVAL, STELE_ENOMEM */
stele_code sti_fleet_core_new(
        struct sti_fleet_core **out, const struct sti_fleet_core_config *config, stele_error *err);
void sti_fleet_core_free(struct sti_fleet_core *core);

/* Fails with STELE_ENOMEM, or as the storage does. What is among the effects then is to be carried
 * out all the same, and a tick to follow soon. The core goes on as if part of the event had been
 * lost on its way, as messages may be. Two kinds of events must not be lost: one of a client may be
 * given again, or its change refused; that something was stored is to be given again. */
stele_code sti_fleet_step(struct sti_fleet_core *core, const struct sti_fleet_event *event,
        struct sti_fleet_effects *effects, stele_error *err);

/* The number of the server that was drawn in place of one that is taken. */
void sti_fleet_core_set_server(struct sti_fleet_core *core, uint32_t server);
/* Somebody else has trimmed the log up to here: a lower horizon rises to it. */
void sti_fleet_core_raise_horizon(struct sti_fleet_core *core, int64_t seconds);

enum sti_fleet_status {
    STI_FLEET_INITIALIZING, /* no peer has said how it is */
    STI_FLEET_SYNCING,
    STI_FLEET_READY /* for good */
};

enum sti_fleet_protocol {
    STI_FLEET_UNKNOWN,
    STI_FLEET_REFERENCE,
    STI_FLEET_STELE,
    STI_FLEET_FOREIGN /* it speaks no version that we do */
};

struct sti_fleet_counters {
    uint64_t bad_packets;
    uint64_t unknown_packets;
    uint64_t bad_entries;
    uint64_t below_horizon;
    uint64_t quarantined; /* in quarantine now */
    uint64_t dropped;     /* for lack of room */
    uint64_t gaps;
    uint64_t sessions;
    uint64_t sessions_failed;
    uint64_t fetched; /* entries */
    uint64_t given;   /* entries, in sessions */
    uint64_t snapshots;
};

struct sti_fleet_peer_info {
    const char *name;
    bool online;
    enum sti_fleet_protocol protocol;
    unsigned rate; /* how much of what it has is here, in thousandths */
};

enum sti_fleet_status sti_fleet_core_status(const struct sti_fleet_core *core);
void sti_fleet_core_counters(const struct sti_fleet_core *core, struct sti_fleet_counters *out);
struct sti_docs_version sti_fleet_core_horizon(const struct sti_fleet_core *core);
size_t sti_fleet_core_peer_count(const struct sti_fleet_core *core);
void sti_fleet_core_peer(
        const struct sti_fleet_core *core, size_t place, struct sti_fleet_peer_info *out);

#endif /* STI_FLEET_CORE_H */
