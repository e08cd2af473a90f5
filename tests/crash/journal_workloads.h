/* SPDX-License-Identifier: MIT
 *
 * journal_workloads.h: the short scenarios that are crashed, and run under faults.
 */
#ifndef TESTS_CRASH_JOURNAL_WORKLOADS_H
#define TESTS_CRASH_JOURNAL_WORKLOADS_H

#include "sim/explore.h"

/* All workloads, each script in each of its configurations; *count is set. The list lives
 * as long as the program. */
const struct sim_workload *journal_workloads(size_t *count);

/* Long ones, which draw what they do: for sim_explore_seeds(). */
const struct sim_workload *journal_random_workloads(size_t *count);

#endif /* TESTS_CRASH_JOURNAL_WORKLOADS_H */
