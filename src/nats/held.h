/* SPDX-License-Identifier: MIT
 *
 * held.h: subscriptions, held beyond their end until nothing can touch them.
 *
 * Up to version 3.5 the thread of libnats that reads from a connection looks a subscription up,
 * lets its lock go, and then uses it: if it was destroyed in between, that is freed memory. So who
 * ends one keeps it, and destroys it when that thread has passed on: when the answer to a ping sent
 * later has come, since the same thread takes it, or when the connection is closed.
 */
#ifndef STI_NATS_HELD_H
#define STI_NATS_HELD_H

#include <stele/error.h>

#include <nats/nats.h>

/* A subscription, and its place in a list of those that ended. */
struct sti_nats_held {
    struct sti_nats_held *next;
    natsSubscription *sub;
};

/* Room for one that is about to be made: ending it needs no memory then. */
struct sti_nats_held *sti_nats_held_new(stele_error *err);

/* It has ended: natsSubscription_Unsubscribe() was called. */
void sti_nats_held_add(struct sti_nats_held **list, struct sti_nats_held *held);

/* All of a list. Nothing can touch them any more. */
void sti_nats_held_destroy(struct sti_nats_held **list);

#endif /* STI_NATS_HELD_H */
