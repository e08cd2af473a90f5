/* SPDX-License-Identifier: MIT
 *
 * docs_loops.c: every call of the disk fails, every process ends, every allocation fails.
 */
#include "crash/docs_run.h"
#include "crash/store_program.h"

int main(int argc, char **argv)
{
    const struct store_program program = {
            .module = "docs", .workloads = docs_workloads, .quick_each = 6};

    return store_program_loops(&program, argc, argv);
}
