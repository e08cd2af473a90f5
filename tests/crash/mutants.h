/* SPDX-License-Identifier: MIT
 *
 * mutants.h: what a module brings to the hunt for seeded bugs.
 *
 * A module says where to search: workloads, which are crashed, and run under faults and
 * without memory; workloads with a probe, whose files are damaged; and scenarios, which
 * come last, when no search found anything. A bug whose module (in base/mutants.def) has
 * no tables of its own, as "vfs" and "base", is hunted with those of all modules.
 *
 * To add one: define a struct mutants_module in MODULE_mutants.c, and put it into the
 * list in mutants.c.
 */
#ifndef TESTS_CRASH_MUTANTS_H
#define TESTS_CRASH_MUTANTS_H

#include "crash/scenario.h"
#include "sim/explore.h"

enum mutants_how {
    MUTANTS_CRASHES,
    MUTANTS_NESTED,
    MUTANTS_FAULTS,
    MUTANTS_DEATHS, /* the process ends at a call; by modules that can */
    MUTANTS_RECOVERY_FAULTS,
    MUTANTS_ALLOCATIONS,
    MUTANTS_BITS,
    MUTANTS_CUTS,
    MUTANTS_LIES,
    MUTANTS_SCENARIOS,
    MUTANTS_HOWS
};

/* Look there first, and closely. */
struct mutants_aim {
    int mutant;
    enum mutants_how how;
    const char *part; /* of the names of workloads */
};

/* A bug that no search can see. */
struct mutants_reason {
    int mutant;
    const char *why;
};

struct mutants_module {
    const char *name; /* as in base/mutants.def */
    const struct sim_workload *(*workloads)(size_t *count);
    /* With a probe, and files all of whose bytes are protected. May be NULL. */
    const struct sim_workload *(*damage)(size_t *count);
    /* With a probe, for runs whose writes store something else. May be NULL. */
    const struct sim_workload *(*lies)(size_t *count);
    const struct scenario *(*scenarios)(size_t *count); /* may be NULL */
    /* Searches instead of those that know the simulated disk alone; true: something was found. It
     * counts its steps. May be NULL. */
    bool (*search)(const struct sim_workload *w, enum mutants_how how, bool aimed, uint64_t *steps);
    const struct mutants_aim *aims;
    size_t aim_count;
    const struct mutants_reason *explained;
    size_t explained_count;
};

extern const struct mutants_module mutants_stream;
extern const struct mutants_module mutants_wal;
extern const struct mutants_module mutants_journal;
extern const struct mutants_module mutants_store;
extern const struct mutants_module mutants_docs;

#endif /* TESTS_CRASH_MUTANTS_H */
