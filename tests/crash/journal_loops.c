/* SPDX-License-Identifier: MIT
 *
 * journal_loops.c: each n-th call of the disk and each n-th allocation fails, in each workload of
 * the journal, and in recovery.
 */
#include "crash/journal_workloads.h"
#include "crash/program.h"

int main(int argc, char **argv)
{
    /* What recovery finds differs with the script, and hardly with how it was recorded. */
    const struct program program = {.module = "journal",
            .argc = argc,
            .argv = argv,
            .workloads = journal_workloads,
            .recovery_each = 5};

    return program_loops(&program);
}
