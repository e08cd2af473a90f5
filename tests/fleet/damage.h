/* SPDX-License-Identifier: MIT
 *
 * damage.h: what may happen to the files of a database while nobody has it open, or to a byte of
 * its file while somebody has; and whether a program sees it.
 */
#ifndef TESTS_FLEET_DAMAGE_H
#define TESTS_FLEET_DAMAGE_H

#include "lib/tmpdir.h"

enum damage {
    DAMAGE_BITS,      /* some bits of the data file, anywhere */
    DAMAGE_VALUES,    /* bits of values */
    DAMAGE_TRUNCATED, /* the data file is cut */
    DAMAGE_LOG,       /* bits of the store's own log, or it is cut */
    DAMAGE_OLDER,     /* all files are as they were some time before */
    DAMAGE_WIPED,     /* nothing is left */
    DAMAGE_COUNT
};

extern const char *const damage_names[DAMAGE_COUNT];

/* Keep a copy of all files, to which DAMAGE_OLDER goes back. */
void damage_save(const struct tmpdir *t, const struct tmpdir *copy);
void damage_do(enum damage what, const struct tmpdir *t, const struct tmpdir *copy, uint64_t *seed);

/* Flip a bit in values of the data file that have a text; how many. */
unsigned damage_text(const struct tmpdir *t, const char *text);

void damage_clear(const struct tmpdir *t);

/* The whole database is looked at by a program of its own, as damaged pages may end it: this one,
 * called with what damage_main() takes. */
enum damage_seen {
    DAMAGE_NONE,
    DAMAGE_OF_VALUES, /* it can be opened */
    DAMAGE_OF_PAGES   /* it is to be begun anew, also where nothing is left */
};

enum damage_seen damage_look(const struct tmpdir *t);

/* Of main(): true if the program was called for that; *status is how it is to end. */
bool damage_main(int argc, char **argv, int *status);

#endif /* TESTS_FLEET_DAMAGE_H */
