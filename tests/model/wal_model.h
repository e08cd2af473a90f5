/* SPDX-License-Identifier: MIT
 *
 * wal_model.h: a log on files and one in memory, under the same random calls.
 *
 * The log in memory is the model: what a call returns, which ids there are and
 * what they hold has to be the same in both. They differ in one thing only: a
 * trim takes whole segments from files. So the model is trimmed to what is
 * gone there, after it was verified that nothing went that must not, and not
 * less than whole segments.
 *
 * Data is never the same twice, so that bytes of an earlier life of an id, cut
 * off by a truncation, would be noticed.
 */
#ifndef TESTS_WAL_MODEL_H
#define TESTS_WAL_MODEL_H

#include <stele/wal.h>

#include "sim/world.h"

struct wal_model_setup {
    const stele_env *env;
    struct sim_world *world; /* NULL: env is the real world */
    const char *dir;
    stele_wal_format format;
    uint64_t seed;
    uint64_t operations;
};

struct wal_model_sums {
    uint64_t operations;
    uint64_t records; /* appended */
    uint64_t read;    /* compared */
    uint64_t reopened;
    uint64_t recycled;
};

/* Run; adds to *sums. A difference ends the test, with the seed and the last
 * calls on standard error. */
void wal_model_run(const struct wal_model_setup *setup, struct wal_model_sums *sums);

#endif /* TESTS_WAL_MODEL_H */
