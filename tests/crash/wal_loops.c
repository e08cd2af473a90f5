/* SPDX-License-Identifier: MIT
 *
 * wal_loops.c: every workload of the log, with each call of the disk and each allocation
 * failing in turn, and with each call of its recovery failing.
 */
#include "crash/program.h"
#include "crash/wal_workloads.h"

int main(int argc, char **argv)
{
    const struct program program = {
            .module = "wal", .argc = argc, .argv = argv, .workloads = wal_workloads};

    return program_loops(&program);
}
