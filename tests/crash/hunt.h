/* SPDX-License-Identifier: MIT
 *
 * hunt.h: search for the seeded bug that is switched on (base/mutant.h).
 *
 * A find counts only if the same search finds nothing without the bug.
 */
#ifndef TESTS_CRASH_HUNT_H
#define TESTS_CRASH_HUNT_H

#include "crash/mutants.h"

/* Told while the search goes on: the process may die of the bug. */
struct verdict {
    uint64_t steps; /* runs and checks that began */
    bool caught;
    bool late; /* the time was over */
    enum mutants_how how;
    char by[160];
    double seconds;
};

extern const char *const hunt_names[MUTANTS_HOWS];

struct hunt {
    const struct mutants_module *const *modules;
    size_t module_count;
    struct verdict *verdict;
    bool trusted; /* the aimed searches were tried without a bug, and found nothing */
};

/* All searches for one bug of a module: first where it is aimed at, then everywhere. */
void hunt_mutant(const struct hunt *h, int mutant, const char *module);

/* The searches that are aimed at any bug, and the scenarios; each once, of `shares` the one
 * with this number. */
void hunt_nothing(const struct hunt *h, size_t share, size_t shares);

/* One kind of search, closely, in the workloads with this part of a name. */
void hunt_there(const struct hunt *h, const char *module, enum mutants_how how, const char *part);

#endif /* TESTS_CRASH_HUNT_H */
