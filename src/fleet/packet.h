/* SPDX-License-Identifier: MIT
 *
 * packet.h: the packets that nodes of Stele send each other.
 *
 *     byte 0  then
 *     10      hello: see below                                                       request
 *     90      the same, with the version chosen as lowest and highest                its answer
 *     50      push: 8 boot, varint first number, varint n, n sized entries           one way
 *     51      state: 8 boot, varint last number, 8 count, 16 root, 16 now,
 *             varint horizon in seconds                                              one way
 *     52      credit: 8 boot, varint bytes, varint number                            one way
 *     11      reconciliation: fleet/recon.h                                          request
 *     91      the same                                                               its answer
 *     12      fetch: 8 session, 8 salt, varint bytes, (bound, bound, varint n,
 *             n short IDs of 8 bytes)...                                             request
 *     92      entries: 8 session, 1 more, sized entries...                           its answer
 *     13      snapshot: 16 at, sized ID behind which to begin                        request
 *     93      entries: sized ID behind which to go on (none: all was said), sized
 *             entries...                                                             its answer
 *
 *     hello: 1 lowest, 1 highest version spoken, 4 features, 4 server, 8 boot, 16 now,
 *            16 horizon, 8 last number pushed, 8 count, 16 root, str8 collation
 *
 * A peer of the reference answers the first of these that it gets with nothing, which is how one
 * knows it. Later versions may append to a hello; what is not known there is passed over.
 *
 * `boot` is a number that a node draws when it starts; entries that it pushes are numbered from 1
 * without gaps. A push of the number 0 is outside of that: what a peer was found to lack. `root` is
 * the fingerprint of all entries at or above the sender's horizon, and `count` how many they are.
 * Credit says: of what you pushed under this boot I have seen all up to this number; behind it you
 * may push so many bytes.
 *
 * A bound is where a range of the log begins or ends, as bytes that compare with keys of the log:
 * varint 0 is the end of all; else varint 1 + seconds beyond those of the bound before in the
 * packet, then str8 of what follows the seconds.
 */
#ifndef STI_FLEET_PACKET_H
#define STI_FLEET_PACKET_H

#include "fleet/wire.h"

enum {
    STI_FLEET_PKT_HELLO = 0x10,
    STI_FLEET_PKT_RECON = 0x11,
    STI_FLEET_PKT_FETCH = 0x12,
    STI_FLEET_PKT_SNAP = 0x13,
    STI_FLEET_PKT_PUSH = 0x50,
    STI_FLEET_PKT_STATE = 0x51,
    STI_FLEET_PKT_CREDIT = 0x52,
    STI_FLEET_PKT_HELLO_REPLY = 0x90,
    STI_FLEET_PKT_RECON_REPLY = 0x91,
    STI_FLEET_PKT_LOGS = 0x92,
    STI_FLEET_PKT_SNAP_REPLY = 0x93,

    STI_FLEET_VERSION = 2, /* of the protocol */
    STI_FLEET_SHORT_SIZE = 8,
    STI_FLEET_COLLATION_MAX = 255,
    /* An answer ends behind the entry with which it has more than so many bytes. */
    STI_FLEET_REPLY_FLUSH = 256 << 10,
    /* No packet but one that brings an entry is longer; none brings more entries. */
    STI_FLEET_PACKET_MAX = 1 << 20,
    STI_FLEET_ENTRIES_MAX = 16384
};

struct sti_fleet_hello {
    uint8_t kind; /* STI_FLEET_PKT_HELLO or its answer */
    uint8_t lowest;
    uint8_t highest;
    uint32_t features;
    uint32_t server;
    uint64_t boot;
    struct sti_docs_version now;
    struct sti_docs_version horizon;
    uint64_t pushed;
    uint64_t count;
    uint8_t root[STI_DOCS_FINGERPRINT_SIZE];
    stele_bytes collation;
};

stele_code sti_fleet_hello_encode(
        const struct sti_fleet_hello *hello, stele_buf *out, stele_error *err);
stele_code sti_fleet_hello_decode(struct sti_fleet_hello *out, stele_bytes bytes, stele_error *err);

/* Entries, one after the other, each with its length before it. */
struct sti_fleet_entries {
    struct sti_fleet_reader rest; /* nothing but such */
    size_t count;
};

/* The next one, not decoded. STELE_END after the last. */
stele_code sti_fleet_entries_next(struct sti_fleet_entries *entries, stele_bytes *entry);
stele_code sti_fleet_entries_add(stele_bytes entry, stele_buf *out, stele_error *err);

struct sti_fleet_push {
    uint64_t boot;
    uint64_t first; /* 0: not numbered */
    struct sti_fleet_entries entries;
};

/* The beginning, behind which `count` entries are added. */
stele_code sti_fleet_push_begin(
        uint64_t boot, uint64_t first, size_t count, stele_buf *out, stele_error *err);
stele_code sti_fleet_push_decode(struct sti_fleet_push *out, stele_bytes bytes, stele_error *err);

struct sti_fleet_state {
    uint64_t boot;
    uint64_t pushed;
    uint64_t count;
    uint8_t root[STI_DOCS_FINGERPRINT_SIZE];
    struct sti_docs_version now;
    uint64_t horizon; /* seconds */
};

stele_code sti_fleet_state_encode(
        const struct sti_fleet_state *state, stele_buf *out, stele_error *err);
stele_code sti_fleet_state_decode(struct sti_fleet_state *out, stele_bytes bytes, stele_error *err);

struct sti_fleet_credit {
    uint64_t boot;
    uint64_t bytes;
    uint64_t seen;
};

stele_code sti_fleet_credit_encode(
        const struct sti_fleet_credit *credit, stele_buf *out, stele_error *err);
stele_code sti_fleet_credit_decode(
        struct sti_fleet_credit *out, stele_bytes bytes, stele_error *err);

/* ---- Bounds. ---- */

enum {
    STI_FLEET_BOUND_SECONDS = 8, /* of its bytes are the seconds */
    STI_FLEET_BOUND_REST_MAX = 255,
    STI_FLEET_BOUND_MAX = STI_FLEET_BOUND_SECONDS + STI_FLEET_BOUND_REST_MAX
};

struct sti_fleet_bound {
    uint16_t len; /* 0: the end of all, else at least the seconds */
    uint8_t bytes[STI_FLEET_BOUND_MAX];
};

/* Below all entries, and above all. */
struct sti_fleet_bound sti_fleet_bound_first(void);
struct sti_fleet_bound sti_fleet_bound_end(void);
/* Below all entries of the second. */
struct sti_fleet_bound sti_fleet_bound_of_second(int64_t seconds);
/* As much of a key as a bound can have: at or below the key. */
struct sti_fleet_bound sti_fleet_bound_of_key(stele_bytes key);
/* The shortest that is above `before` and at or below `at`, which is above `before`, too. False:
 * there is none. */
bool sti_fleet_bound_between(struct sti_fleet_bound *out, stele_bytes before, stele_bytes at);

/* Nil for the end of all. Valid as long as the bound is. */
stele_bytes sti_fleet_bound_view(const struct sti_fleet_bound *bound);
int sti_fleet_bound_compare(const struct sti_fleet_bound *a, const struct sti_fleet_bound *b);
bool sti_fleet_bound_is_above(const struct sti_fleet_bound *bound, stele_bytes key);

/* *seconds is that of the bound before, 0 at the start. A bound below the one before cannot be
 * written; one that is read is not below it. */
void sti_fleet_write_bound(
        struct sti_fleet_writer *w, const struct sti_fleet_bound *bound, uint64_t *seconds);
struct sti_fleet_bound sti_fleet_read_bound(struct sti_fleet_reader *r, uint64_t *seconds);

/* ---- Fetching. ---- */

struct sti_fleet_fetch {
    uint64_t session;
    uint64_t salt;
    uint64_t bytes_max;
    struct sti_fleet_reader items;
    uint64_t seconds; /* of the bound before the next item */
};

struct sti_fleet_fetch_item {
    struct sti_fleet_bound low;
    struct sti_fleet_bound high;
    stele_bytes ids; /* short IDs end to end; none: the whole range */
};

/* The beginning, and the items, whose bounds ascend. `seconds` is 0 before the first. */
stele_code sti_fleet_fetch_begin(
        const struct sti_fleet_fetch *fetch, stele_buf *out, stele_error *err);
stele_code sti_fleet_fetch_add(const struct sti_fleet_fetch_item *item, uint64_t *seconds,
        stele_buf *out, stele_error *err);
/* Every item is looked at: going over them does not fail. */
stele_code sti_fleet_fetch_decode(struct sti_fleet_fetch *out, stele_bytes bytes, stele_error *err);
/* STELE_END after the last. */
stele_code sti_fleet_fetch_next(struct sti_fleet_fetch *fetch, struct sti_fleet_fetch_item *item);

struct sti_fleet_logs {
    uint64_t session;
    bool more; /* the fetch asked for more than this */
    struct sti_fleet_entries entries;
};

/* The beginning. `more` stands at this place, to be set when it is known. */
enum {
    STI_FLEET_LOGS_MORE_AT = 9
};

stele_code sti_fleet_logs_begin(uint64_t session, stele_buf *out, stele_error *err);
stele_code sti_fleet_logs_decode(struct sti_fleet_logs *out, stele_bytes bytes, stele_error *err);

struct sti_fleet_snap {
    struct sti_docs_version at; /* of a request */
    stele_bytes cursor;
    struct sti_fleet_entries entries; /* of an answer */
};

stele_code sti_fleet_snap_encode(
        const struct sti_fleet_snap *snap, stele_buf *out, stele_error *err);
stele_code sti_fleet_snap_decode(struct sti_fleet_snap *out, stele_bytes bytes, stele_error *err);
/* `entries` are as added by sti_fleet_entries_add(). */
stele_code sti_fleet_snap_reply_encode(
        stele_bytes cursor, stele_bytes entries, stele_buf *out, stele_error *err);
stele_code sti_fleet_snap_reply_decode(
        struct sti_fleet_snap *out, stele_bytes bytes, stele_error *err);

#endif /* STI_FLEET_PACKET_H */
