/* SPDX-License-Identifier: MIT
 *
 * store_explore.c: every state in which a crash may leave a store.
 */
#include "crash/store_program.h"
#include "crash/store_workloads.h"

int main(int argc, char **argv)
{
    const struct store_program program = {
            .module = "store", .workloads = store_workloads, .quick_each = 1};

    return store_program_explore(&program, argc, argv);
}
