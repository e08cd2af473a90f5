/* SPDX-License-Identifier: MIT
 *
 * dirs.h: the directory of a store as a whole: what is in it, and a copy.
 */
#ifndef TESTS_UNIT_STORE_CHECK_DIRS_H
#define TESTS_UNIT_STORE_CHECK_DIRS_H

#include "lib/tmpdir.h"

enum {
    DIRS_MAX = 64
};

/* Every file below, "name" or "folder/name", in the order of their names. */
struct dirs {
    char *names[DIRS_MAX];
    size_t count;
};

void dirs_list(struct dirs *d, const struct tmpdir *t);
void dirs_free(struct dirs *d);

/* All files that are there now, into a directory that is empty. */
void dirs_copy(const struct tmpdir *from, const struct tmpdir *to);

#endif /* TESTS_UNIT_STORE_CHECK_DIRS_H */
