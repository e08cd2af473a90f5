/* SPDX-License-Identifier: MIT
 *
 * program.h: the test programs that explore, or disturb, all workloads of a module.
 *
 *     PROGRAM [--list] [--only PART-OF-A-NAME]
 *
 * With STELE_FULL at full size, else seconds of it.
 */
#ifndef TESTS_CRASH_PROGRAM_H
#define TESTS_CRASH_PROGRAM_H

#include "sim/explore.h"

struct program {
    const char *module; /* for the figures */
    int argc;
    char **argv;
    const struct sim_workload *(*workloads)(size_t *count);
    const struct sim_workload *(*random)(size_t *count); /* of long runs; may be NULL */
    uint64_t nested_full; /* states inside one recovery, at full size */
    uint64_t per_op_full;
    uint64_t seeds_full;
    size_t recovery_each; /* loops at full size: faults in recovery of each so-manieth workload; 0:
                             of all */
};

/* Whether STELE_FULL is set. */
bool program_full(void);

/* Crash each workload everywhere, with small and with large sectors; then the random ones. What
 * main() returns. */
int program_explore(const struct program *p);

/* Each n-th call of the disk and each n-th allocation fails, also in recovery. */
int program_loops(const struct program *p);

#endif /* TESTS_CRASH_PROGRAM_H */
