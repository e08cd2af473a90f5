/* SPDX-License-Identifier: MIT
 *
 * exit.h: the exit codes of the command, which scripts rely on.
 *
 *     0  done
 *     1  not found
 *     2  usage: wrong arguments or input
 *     3  corrupt, or a fault was found
 *     4  locked by another process
 *     5  no space left
 *     6  input/output, permission, memory, peers
 *     7  conflict with what is stored
 *     8  refused by the state of what is stored
 */
#ifndef STI_CLI_EXIT_H
#define STI_CLI_EXIT_H

#include <stele/error.h>

enum sti_exit {
    STI_EXIT_OK = 0,
    STI_EXIT_NOT_FOUND = 1,
    STI_EXIT_USAGE = 2,
    STI_EXIT_CORRUPT = 3,
    STI_EXIT_LOCKED = 4,
    STI_EXIT_NO_SPACE = 5,
    STI_EXIT_IO = 6,
    STI_EXIT_CONFLICT = 7,
    STI_EXIT_REFUSED = 8
};

/* The exit code for a result. An offset out of range is a usage error, but
 * for verbs that look one up it means that there is none: `offset_is_missing`. */
enum sti_exit sti_exit_of(stele_code code, bool offset_is_missing);

#endif /* STI_CLI_EXIT_H */
