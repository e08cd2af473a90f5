/* SPDX-License-Identifier: MIT
 *
 * history.h: all that was ever put into a store, and what of it a reader has to find.
 *
 * Whatever is given must have been put, at some time, under that key. Nothing is missing if all
 * that is there was given: for who has the log of durable batches, or for who reads what is
 * committed alone.
 */
#ifndef TESTS_UNIT_STORE_CHECK_HISTORY_H
#define TESTS_UNIT_STORE_CHECK_HISTORY_H

#include "../store_core/kit.h"

enum {
    PUT_MAX = 400
};

struct put {
    char *bucket;
    stele_bytes key;
    stele_bytes value;
    bool committed;
    bool there; /* in the log at least */
};

struct history {
    struct put puts[PUT_MAX];
    size_t count;
    bool logged; /* what is in the log counts */
};

/* Put keys by number, some of them long, and values that depend on `seed`. */
void history_put(struct history *h, stele_store_batch *b, const char *bucket, unsigned from,
        unsigned to, unsigned seed);

/* Commit all. */
void history_commit(struct history *h, struct kit *k);

/* Read all, by ranges and by key: is it right? *whole: nothing is missing. */
bool history_is_right(const struct history *h, stele_store *s, bool *whole);

void history_free(struct history *h);

#endif /* TESTS_UNIT_STORE_CHECK_HISTORY_H */
