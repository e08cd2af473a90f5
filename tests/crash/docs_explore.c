/* SPDX-License-Identifier: MIT
 *
 * docs_explore.c: every state in which a crash may leave a database of documents.
 */
#include "crash/docs_run.h"
#include "crash/store_program.h"

int main(int argc, char **argv)
{
    const struct store_program program = {
            .module = "docs", .workloads = docs_workloads, .quick_each = 3};

    return store_program_explore(&program, argc, argv);
}
