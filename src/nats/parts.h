/* SPDX-License-Identifier: MIT
 *
 * parts.h: messages that come in pieces, put together within bounds.
 *
 * The pieces of a message come in their order, since they go by one connection under one subject:
 * any other piece means that one was lost, and the message with it. So memory is taken as bytes
 * come, never because a first piece promises many. What is held, also for messages that are
 * complete and wait for a handler, is counted, in all and for each sender; what would go beyond the
 * limits is dropped. All is under the lock of who owns this.
 */
#ifndef STI_NATS_PARTS_H
#define STI_NATS_PARTS_H

#include "nats/envelope.h"

enum {
    STI_NATS_OPEN_MAX = 64,     /* messages of one sender that are not complete */
    STI_NATS_MESSAGE_COST = 512 /* bytes that a message counts for, beside its own */
};

enum sti_nats_taken {
    STI_NATS_MORE,    /* pieces are to come */
    STI_NATS_WHOLE,   /* *out is set, and its owner's */
    STI_NATS_INVALID, /* no peer sends this, or a piece was lost */
    STI_NATS_NO_ROOM  /* beyond the limits, or no memory: dropped */
};

struct sti_nats_message {
    uint8_t *data; /* NULL: nil */
    size_t len;
    size_t held; /* what it counts for */
};

struct sti_nats_source;
struct sti_nats_part;

struct sti_nats_parts {
    size_t limit;
    size_t limit_each; /* for one sender */
    size_t held;
    struct sti_nats_source *sources; /* of whom anything is held */
};

/* Take a piece from `from`. `answer`: it belongs to a request of ours, whose numbers are others.
 * `now` is any clock, for sti_nats_parts_expire(). */
enum sti_nats_taken sti_nats_parts_take(struct sti_nats_parts *p, const char *from, bool answer,
        const struct sti_nats_envelope *envelope, stele_bytes piece, int64_t now,
        struct sti_nats_message *out);

/* Free what sti_nats_parts_take() gave for a message of `from`. */
void sti_nats_parts_release(
        struct sti_nats_parts *p, const char *from, struct sti_nats_message *message);

/* Drop messages whose first piece came before `before`; returns how many. */
uint64_t sti_nats_parts_expire(struct sti_nats_parts *p, int64_t before);

/* Drop messages that are not complete. */
void sti_nats_parts_clear(struct sti_nats_parts *p);

#endif /* STI_NATS_PARTS_H */
