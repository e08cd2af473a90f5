/* SPDX-License-Identifier: MIT
 *
 * why.h: what is wrong, in words. Who judges returns 0, 1 for a wrong answer, or the negative code
 * of an error.
 */
#ifndef TESTS_CRASH_WHY_H
#define TESTS_CRASH_WHY_H

#include <stele/error.h>

#include <stddef.h>

struct crash_why {
    char *text;
    size_t len;
};

int crash_wrong(const struct crash_why *why, const char *format, ...) STELE_PRINTF(2, 3);
/* Of a call that failed: its code if that is a fault's, else 1. */
int crash_failed(
        const struct crash_why *why, const char *call, stele_code rc, const stele_error *err);

#endif /* TESTS_CRASH_WHY_H */
