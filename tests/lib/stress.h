/* SPDX-License-Identifier: MIT
 *
 * stress.h: what tests with many threads have in common: the end, and the first thing that went
 * wrong. A test's assertions are for its own thread: the others keep what they find here.
 */
#ifndef TESTS_LIB_STRESS_H
#define TESTS_LIB_STRESS_H

#include <stele/error.h>

#include <stdatomic.h>

/* Zero-initialised. */
struct stress_common {
    atomic_bool stop; /* all threads end */
    atomic_int wrong;
    char why[1024]; /* of the first that went wrong */
};

/* The next random number of a thread, whose seed is not 0. */
uint64_t stress_draw(uint64_t *seed);

/* Something is wrong: keep why, if it is the first, and have all threads end. */
void stress_complain(struct stress_common *c, const char *format, ...) STELE_PRINTF(2, 3);

/* Whether a call succeeded; else complain. */
bool stress_fine(struct stress_common *c, stele_code rc, const stele_error *err, const char *what);

#endif /* TESTS_LIB_STRESS_H */
