/* SPDX-License-Identifier: MIT
 *
 * wal_explore.c: every workload of the log, crashed everywhere; and long random ones, sampled.
 */
#include "crash/program.h"
#include "crash/wal_workloads.h"

int main(int argc, char **argv)
{
    const struct program program = {.module = "wal",
            .argc = argc,
            .argv = argv,
            .workloads = wal_workloads,
            .random = wal_random_workloads,
            .nested_full = 3,
            .per_op_full = 240,
            .seeds_full = 400};

    return program_explore(&program);
}
