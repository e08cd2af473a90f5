/* SPDX-License-Identifier: MIT
 *
 * docs_load.h: a process whose threads change documents, durably, search, and write backups, until
 * it is ended.
 */
#ifndef TESTS_CRASH_DOCS_LOAD_H
#define TESTS_CRASH_DOCS_LOAD_H

#include "crash/store_run.h"

#include <stdatomic.h>
#include <sys/types.h>

enum {
    DOCS_LOAD_WRITERS = 4
};

/* Shared between the process and whoever ends it. */
struct docs_load {
    _Atomic uint64_t begun[DOCS_LOAD_WRITERS]; /* the last change that may be there */
    _Atomic uint64_t acked[DOCS_LOAD_WRITERS]; /* the last one that is done */
    _Atomic uint64_t done;                     /* how many, of all */
    _Atomic uint64_t reads;
    _Atomic uint64_t refused; /* calls that failed */
    char why[STELE_ERROR_MESSAGE_SIZE];
};

struct docs_load *docs_load_new(void);
void docs_load_free(struct docs_load *load);

/* The next process finds an empty directory. */
void docs_load_begin_anew(struct docs_load *load);

/* Open the database in `dir`, write and read until the process is ended. `may_fail`: the disk may
 * go away; a thread of which a call fails then does nothing more. Does not return. */
_Noreturn void docs_load_run(struct docs_load *load, const char *dir, bool may_fail);

/* Wait until so many changes more were acknowledged, however long that takes. False: the process
 * has ended by itself. */
bool docs_load_wait(struct docs_load *load, pid_t child, uint64_t count);

/* What is left has everything up to `acked`, each change whole or not at all, and fits together.
 * The next process goes on from there. */
bool docs_load_judge(struct docs_load *load, const char *dir, struct store_why *why);

#endif /* TESTS_CRASH_DOCS_LOAD_H */
