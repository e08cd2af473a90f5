/* SPDX-License-Identifier: MIT
 *
 * support.h: what these tests share: cmocka, random numbers, allocations that
 * fail, and streams in directories of their own.
 */
#ifndef STELE_TESTS_STREAM_ABOVE_SUPPORT_H
#define STELE_TESTS_STREAM_ABOVE_SUPPORT_H

#include <stele/stele.h>

#include "base/alloc.h"
#include "lib/check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* xorshift64*; the state must not be 0. */
static inline uint64_t draw(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1DULL;
}

/* Fails the allocation with this number, counted from 0, and no other. Those of a stream's thread
 * are none of the scenario's. */
static pthread_t main_thread;

__attribute__((constructor)) static void note_main_thread(void)
{
    main_thread = pthread_self();
}

struct fail_nth {
    uint64_t nth;
    uint64_t count;
};

static inline bool fail_nth_hook(void *arg)
{
    struct fail_nth *f = arg;

    return pthread_equal(pthread_self(), main_thread) != 0 && f->count++ == f->nth;
}

/* Run `scenario` with its first allocation failing, then its second, and so
 * on, until it asks for no more. It returns what it met; anything but
 * STELE_ENOMEM (and, at the end, STELE_OK) fails the test. Returns how many
 * allocations there were. */
static inline uint64_t fail_each_allocation(stele_code (*scenario)(void *arg), void *arg)
{
    struct fail_nth f = {.nth = 0};

    for (;; f.nth++) {
        stele_code rc;

        f.count = 0;
        sti_alloc_set_hook(fail_nth_hook, &f);
        rc = scenario(arg);
        sti_alloc_set_hook(NULL, NULL);
        if (f.count <= f.nth) {
            assert_int_equal(rc, STELE_OK);
            return f.nth;
        }
        if (rc != STELE_ENOMEM && rc != STELE_OK) {
            fail_msg("allocation %llu failed: got %s", (unsigned long long)f.nth,
                    stele_code_name(rc));
        }
    }
}

#endif /* STELE_TESTS_STREAM_ABOVE_SUPPORT_H */
