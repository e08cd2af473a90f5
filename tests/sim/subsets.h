/* SPDX-License-Identifier: MIT
 *
 * subsets.h: which subsets of the optional effects are tried.
 *
 * All of them if they are few. Else: none, all, each alone, each missing, each
 * prefix and suffix, those of one file, all names, all sizes, all sectors,
 * each of these missing, and some random ones of various densities. The
 * first ones are the most telling, so that a limit does little harm.
 */
#ifndef SIM_SUBSETS_H
#define SIM_SUBSETS_H

#include "sim/crash.h"

/* Private but for its storage. */
struct sim_picker {
    const struct sim_cursor *cursor;
    size_t n;
    int phase;
    uint64_t i;
    uint64_t random;
    uint32_t random_count;
    uint32_t *groups; /* files that occur */
    size_t group_count;
};

/* For the n optional effects at the place of a cursor, which stays there. */
void sim_picker_start(struct sim_picker *p, const struct sim_cursor *cursor, size_t n,
        uint32_t exhaustive_max, uint32_t random_count, uint64_t seed);

/* Fill in the next subset; false when all were tried. */
bool sim_picker_next(struct sim_picker *p, uint8_t *keep);

void sim_picker_end(struct sim_picker *p);

/* A random subset: each is kept with the same, random, likelihood. */
void sim_random_subset(uint8_t *keep, size_t n, uint64_t seed);

#endif /* SIM_SUBSETS_H */
