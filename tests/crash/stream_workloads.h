/* SPDX-License-Identifier: MIT
 *
 * stream_workloads.h: the short scenarios that are crashed, and run under faults.
 */
#ifndef TESTS_CRASH_STREAM_WORKLOADS_H
#define TESTS_CRASH_STREAM_WORKLOADS_H

#include "sim/explore.h"

/* All workloads, each script in each of its configurations; *count is set. The list lives
 * as long as the program. */
const struct sim_workload *stream_workloads(size_t *count);

/* What the command line of a test program of this directory asks for. */
struct stream_choice {
    const char *only; /* part of a name, or NULL */
    bool list;
    bool bad;
};

struct stream_choice stream_choose(int argc, char **argv);
bool stream_chosen(const struct stream_choice *choice, const char *name);

/* Whether STELE_FULL is set. */
bool stream_full(void);

#endif /* TESTS_CRASH_STREAM_WORKLOADS_H */
