/* SPDX-License-Identifier: MIT
 *
 * store_loops.h: the n-th call fails, or the process ends at it, for every n.
 */
#ifndef TESTS_CRASH_STORE_LOOPS_H
#define TESTS_CRASH_STORE_LOOPS_H

#include "sim/explore.h"

enum store_loop {
    STORE_LOOP_EIO,       /* a call fails */
    STORE_LOOP_ENOSPC,    /* one that needs room, */
    STORE_LOOP_FULL,      /* and all behind it */
    STORE_LOOP_SHORT,     /* a write takes half */
    STORE_LOOP_SYNC,      /* a sync fails */
    STORE_LOOP_KILL_SOON, /* the process ends behind a call, */
    STORE_LOOP_KILL       /* or before it */
};

#define STORE_LOOPS 7

/* Each n-th call (beginning with `first`) of a workload; after each run a power cut at some places,
 * `samples` about. Adds to the figures; false: something is wrong. */
bool store_loop(const struct sim_workload *workload, enum store_loop how, unsigned first,
        unsigned stride, unsigned samples, unsigned workers, bool quiet, struct sim_report *sum);

/* A workload whose failures are tried again. */
struct sim_workload store_insisting(const struct sim_workload *workload);

#endif /* TESTS_CRASH_STORE_LOOPS_H */
