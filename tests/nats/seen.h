/* SPDX-License-Identifier: MIT
 *
 * seen.h: a fleet over NATS in which a call of connect returns when all others have seen it.
 *
 * Presence travels by heartbeats, so that others hear of it a moment later; the suite for all
 * transports wants fleets in which every peer sees every other one.
 */
#ifndef TESTS_NATS_SEEN_H
#define TESTS_NATS_SEEN_H

#include <stele/fleet.h>

enum {
    SEEN_PEERS_MAX = 8
};

struct seen_hub;

struct seen {
    stele_fleet base;
    stele_fleet *inner;
    struct seen_hub *hub;
    bool connected;
};

struct seen_hub {
    struct seen peers[SEEN_PEERS_MAX];
    size_t count;
};

/* Takes over `inner`, which is closed with what is returned. */
stele_fleet *seen_wrap(struct seen_hub *hub, stele_fleet *inner);

/* Whether `f` lists a peer as online. */
bool seen_online(stele_fleet *f, const char *name);
/* Wait until it does, or does not. */
void seen_await(stele_fleet *f, const char *name, bool online);

#endif /* TESTS_NATS_SEEN_H */
