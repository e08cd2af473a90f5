/* SPDX-License-Identifier: MIT
 *
 * store_program.h: the test programs that crash, or disturb, workloads of stores, whose `arg` is a
 * struct store_work.
 *
 *     PROGRAM [--list] [--only PART-OF-A-NAME]
 */
#ifndef TESTS_CRASH_STORE_PROGRAM_H
#define TESTS_CRASH_STORE_PROGRAM_H

#include "sim/explore.h"

struct store_program {
    const char *module; /* for the figures */
    const struct sim_workload *(*workloads)(size_t *count);
    size_t quick_each; /* not at full size: each so-manieth workload, the second one first */
};

/* Whether a workload is left out, at quick size and if none is asked for. */
bool store_program_skips(const struct store_program *p, size_t number, const char *only);

/* What main() returns. */
int store_program_explore(const struct store_program *p, int argc, char **argv);
int store_program_loops(const struct store_program *p, int argc, char **argv);

#endif /* TESTS_CRASH_STORE_PROGRAM_H */
