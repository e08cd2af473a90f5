/* SPDX-License-Identifier: MIT
 *
 * store_loops_main.c: every call of the disk fails, every process ends, every allocation fails.
 */
#include "crash/store_program.h"
#include "crash/store_workloads.h"

int main(int argc, char **argv)
{
    const struct store_program program = {
            .module = "store", .workloads = store_workloads, .quick_each = 1};

    return store_program_loops(&program, argc, argv);
}
