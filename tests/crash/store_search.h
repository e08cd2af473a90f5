/* SPDX-License-Identifier: MIT
 *
 * store_search.h: searches for seeded bugs in workloads whose `arg` is a struct store_work.
 */
#ifndef TESTS_CRASH_STORE_SEARCH_H
#define TESTS_CRASH_STORE_SEARCH_H

#include "crash/mutants.h"

/* As mutants_module has it. */
bool store_search(const struct sim_workload *w, enum mutants_how how, bool aimed, uint64_t *steps);

#endif /* TESTS_CRASH_STORE_SEARCH_H */
