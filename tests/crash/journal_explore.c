/* SPDX-License-Identifier: MIT
 *
 * journal_explore.c: every workload of the journal, crashed everywhere; and long random ones,
 * sampled.
 */
#include "crash/journal_workloads.h"
#include "crash/program.h"

int main(int argc, char **argv)
{
    const struct program program = {.module = "journal",
            .argc = argc,
            .argv = argv,
            .workloads = journal_workloads,
            .random = journal_random_workloads,
            .nested_full = 2,
            .per_op_full = 240,
            .seeds_full = 400};

    return program_explore(&program);
}
