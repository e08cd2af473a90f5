/* SPDX-License-Identifier: MIT
 *
 * store_workloads.h: the scenarios of the store that are crashed, or disturbed.
 */
#ifndef TESTS_CRASH_STORE_WORKLOADS_H
#define TESTS_CRASH_STORE_WORKLOADS_H

#include "sim/explore.h"

const struct sim_workload *store_workloads(size_t *count);

#endif /* TESTS_CRASH_STORE_WORKLOADS_H */
