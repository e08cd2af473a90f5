/* SPDX-License-Identifier: MIT
 *
 * store_model.h: what a store has to have, at every moment of its history.
 *
 * Every write has a number. Of each key, and of the drops of each bucket, the history is a list,
 * newest first, that readers go through while the writer adds to it. What is taken back by an abort
 * leaves the list and is freed at the end.
 */
#ifndef TESTS_MODEL_STORE_MODEL_H
#define TESTS_MODEL_STORE_MODEL_H

#include <stele/bytes.h>

#include <stdatomic.h>

enum {
    STORE_BUCKETS = 3,
    STORE_KEYS = 240,
    STORE_VALUE_SIZE = 96
};

struct store_change {
    uint64_t number;
    bool deleted;
    struct store_change *older;
    struct store_change *allocated; /* the one before, of all */
};

struct store_model {
    stele_bytes keys[STORE_KEYS]; /* in order */
    struct store_change *_Atomic changes[STORE_BUCKETS][STORE_KEYS];
    struct store_change *_Atomic drops[STORE_BUCKETS];
    struct store_change *allocated;
};

/* Keys of every length around the limits, and short ones. */
void store_model_init(struct store_model *m);
void store_model_free(struct store_model *m);

/* ---- The writer. ---- */

void store_model_write(
        struct store_model *m, unsigned bucket, unsigned key, uint64_t number, bool deleted);
void store_model_drop(struct store_model *m, unsigned bucket, uint64_t number);

/* Take back all above a number. */
void store_model_abort(struct store_model *m, uint64_t number);

/* ---- All. ---- */

/* The number of the write that a key has its value of, as it was after the write `at`; 0: there is
 * none. */
uint64_t store_model_at(const struct store_model *m, unsigned bucket, unsigned key, uint64_t at);

/* What was written. */
stele_bytes store_model_value(uint8_t out[STORE_VALUE_SIZE], uint64_t number);

#endif /* TESTS_MODEL_STORE_MODEL_H */
