/* SPDX-License-Identifier: MIT
 *
 * told.h: checks of a store's directory, and what they say.
 */
#ifndef TESTS_UNIT_STORE_CHECK_TOLD_H
#define TESTS_UNIT_STORE_CHECK_TOLD_H

#include "../store_core/kit.h"

struct told {
    size_t faults;
    size_t notes;
    char last[1024]; /* the last one, of either: "FILE|at, or nothing|BUCKET|KEY|TEXT" */
};

/* A stele_store_fault_fn over a struct told. */
void told_fault(void *arg, const stele_store_fault *f);

stele_code told_check(struct kit *k, struct told *t, stele_store_checked *out, stele_error *err);
stele_code told_scrub(struct kit *k, struct told *t, stele_store_checked *out, stele_error *err);

/* Nothing is said of it, and there is so much. */
void told_check_whole(struct kit *k, uint64_t buckets, uint64_t keys);

/* There are faults, and the first has a text. */
void told_check_fault(struct kit *k, const char *text);

/* A durable batch of one write. */
void told_put_durable(struct kit *k, const char *key);

#endif /* TESTS_UNIT_STORE_CHECK_TOLD_H */
