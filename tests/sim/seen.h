/* SPDX-License-Identifier: MIT
 *
 * seen.h: the states that were looked at already.
 *
 * A state is the hash of an image and of the notes that count for it. check()
 * gives the same answer for the same state, so that one look is enough.
 */
#ifndef SIM_SEEN_H
#define SIM_SEEN_H

#include "sim/world.h"

/* A set of hashes; empty when it is all zeros. */
struct sim_seen {
    uint64_t *slots;
    size_t room;
    size_t count;
};

bool sim_seen_has(const struct sim_seen *s, uint64_t key);
/* True if it is new. */
bool sim_seen_add(struct sim_seen *s, uint64_t key);
void sim_seen_free(struct sim_seen *s);

/* The hashes of all beginnings of the notes, from none to all of them; for
 * free(). Where in a run a note was made does not count. */
uint64_t *sim_notes_hashes(const struct sim_notes *notes, uint64_t start);

/* That of all of them. */
uint64_t sim_notes_hash(const struct sim_notes *notes, uint64_t start);

#endif /* SIM_SEEN_H */
