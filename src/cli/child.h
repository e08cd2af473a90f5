/* SPDX-License-Identifier: MIT
 *
 * child.h: work on what may be damaged, in a process of its own.
 *
 * LMDB trusts its pages: one that is damaged may end the process that reads it. So what checks them
 * does its work in a child, which prints what it finds, each at once, and sends its result through
 * a pipe. If it dies, that is a fault, too.
 */
#ifndef STI_CLI_CHILD_H
#define STI_CLI_CHILD_H

#include <stele/error.h>

#include <stddef.h>

enum {
    STI_CHILD_TEXT_SIZE = 96
};

/* Run work(), which fills the result, in a child. The result comes back, unless the child died:
 * *died, and `how` says of what. The size is small enough that a pipe takes it at once. */
stele_code sti_child_run(void (*work)(const void *arg, void *result), const void *arg, void *result,
        size_t size, bool *died, char how[STI_CHILD_TEXT_SIZE], stele_error *err);

#endif /* STI_CLI_CHILD_H */
