/* SPDX-License-Identifier: MIT
 *
 * world.h: a whole outside world that depends on a seed alone.
 *
 * A world is a stele_env: a simulated disk, clocks that move by a fixed step at
 * each look, random numbers from the seed, and a log that is kept. Pass &w->env
 * where the library takes an env.
 *
 * A workload also writes down what it is about to do and what it was promised.
 * These notes carry the number of the last operation of the disk, so that for a
 * crash at any operation it is known what must and what may be there.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stele/env.h>

#include "sim/disk.h"

enum sim_note_kind {
    SIM_INTENT, /* before a call: its effect may be there from now on */
    SIM_ACK     /* after it: its effect must be there from now on */
};

struct sim_note {
    enum sim_note_kind kind;
    uint32_t what;  /* the workload's own: publish, delete … */
    uint64_t value; /* and which one */
    uint64_t op;
};

struct sim_notes {
    const struct sim_note *list; /* in the order in which they were made */
    size_t count;
};

/* How often such a note with this value was made. */
size_t sim_notes_count(
        const struct sim_notes *notes, enum sim_note_kind kind, uint32_t what, uint64_t value);

/* The greatest value of such notes; false if there is none. */
bool sim_notes_max(
        const struct sim_notes *notes, enum sim_note_kind kind, uint32_t what, uint64_t *value);

struct sim_world {
    stele_env env;
    struct sim_disk *disk;
    uint64_t seed;
    bool no_memory;                /* loops.h: an allocation of this check fails */
    struct sim_world_state *state; /* private */
};

/* `image` may be NULL: an empty disk. Worlds with equal arguments are equal. */
struct sim_world *sim_world_new(
        uint64_t seed, struct sim_image *image, const struct sim_disk_options *options);
void sim_world_free(struct sim_world *w);

void sim_note_intent(struct sim_world *w, uint32_t what, uint64_t value);
void sim_note_ack(struct sim_world *w, uint32_t what, uint64_t value);

/* In a check: recovery ends here, and what follows need not be crashed. */
void sim_note_recovered(struct sim_world *w);
/* The operation of that, or the last one. */
uint64_t sim_world_recovered(struct sim_world *w);

/* All notes; valid until the next one is made. */
struct sim_notes sim_world_notes(struct sim_world *w);

/* Move the clocks on. */
void sim_world_advance(struct sim_world *w, int64_t us);

/* Random numbers for the workload, apart from those that the library takes. */
uint64_t sim_world_random(struct sim_world *w);
uint64_t sim_world_below(struct sim_world *w, uint64_t limit); /* 0 to limit - 1 */

/* What the library logged, a line each; borrowed. */
const char *sim_world_log(struct sim_world *w);

/* For a workload that sees a wrong answer: keep the reason, and return
 * SIM_WRONG for it to return in turn. */
#define SIM_WRONG 1000
int sim_wrong(struct sim_world *w, const char *format, ...) STELE_PRINTF(2, 3);
const char *sim_world_why(const struct sim_world *w);

#endif /* SIM_WORLD_H */
