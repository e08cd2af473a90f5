/* SPDX-License-Identifier: MIT
 *
 * store_load.h: a process that writes to a store with several threads, and reads beside them, until
 * it is ended.
 */
#ifndef TESTS_CRASH_STORE_LOAD_H
#define TESTS_CRASH_STORE_LOAD_H

#include "crash/store_run.h"

#include <stdatomic.h>

/* Shared between the process and whoever ends it. */
struct store_load {
    _Atomic uint64_t number; /* of the last batch that ended, or may have */
    _Atomic uint64_t acked;  /* of the last one that was acknowledged as durable */
    _Atomic uint64_t ends;   /* how many ends came back */
    _Atomic uint64_t reads;
    _Atomic uint64_t refused; /* calls that failed */
    _Atomic int wrong;
    char why[400]; /* of the first that went wrong */
};

struct store_load *store_load_new(void);
void store_load_free(struct store_load *load);

/* The kind of a batch by its number. */
char store_load_kind(uint64_t number);

/* Open the store in `dir`, write and read until the process is ended. `may_fail`: the disk may go
 * away, and whatever is called then fails. Does not return. */
_Noreturn void store_load_run(struct store_load *load, const char *dir, bool may_fail);

/* Open what is left, judge it, write on, judge, close. The next process goes on from there. */
bool store_load_judge(struct store_load *load, const char *dir, struct store_why *why);

#endif /* TESTS_CRASH_STORE_LOAD_H */
