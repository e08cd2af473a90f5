/* SPDX-License-Identifier: MIT
 *
 * store_script.h: what the workloads of the store write, and what must be there then.
 *
 * A workload is a text, a letter for each step, blanks left out:
 *
 *     o         open
 *     x         close
 *     k         the process ends here, and closes nothing
 *     c         commit
 *     n         a snapshot into a file
 *     h H       a read begins; it sees what it saw, and ends
 *     E         the next call that needs room finds none
 *     D         defragment
 *     s b m l r R   a batch: small values; a large one; many keys; long keys; a bucket dropped; a
 *               bucket dropped and made again. Behind it how it ends:
 *         .     ended
 *         !     ended durably
 *         +     committed and stopped
 *         ~     committed, and aborted after that
 *         -     aborted: it has no number
 *
 * Batches are numbered from 1, and what one writes follows from its letter and its number alone. So
 * the state after any number of them is known.
 */
#ifndef TESTS_CRASH_STORE_SCRIPT_H
#define TESTS_CRASH_STORE_SCRIPT_H

#include <stele/bytes.h>

enum {
    SCRIPT_BUCKETS = 4,
    SCRIPT_SHORT = 400, /* keys; their numbers are in the order of the keys */
    SCRIPT_LONG = 6,
    SCRIPT_KEYS = SCRIPT_SHORT + SCRIPT_LONG,
    SCRIPT_KEY_SIZE = 1600,
    SCRIPT_VALUE_SIZE = 32768,
    SCRIPT_BATCHES = 96
};

/* The first bucket has one key, whose value begins with the number of the last batch. */
#define SCRIPT_LAST_BUCKET 0U
#define SCRIPT_LAST_KEY    0U

struct script_cell {
    uint64_t seed; /* 0: the key is not there */
    uint32_t len;
};

struct script_state {
    bool buckets[SCRIPT_BUCKETS];
    struct script_cell cells[SCRIPT_BUCKETS][SCRIPT_KEYS];
};

/* What takes the writes of a batch; a result other than 0 ends it. */
struct script_sink {
    int (*create)(void *arg, unsigned bucket);
    int (*drop)(void *arg, unsigned bucket);
    int (*put)(void *arg, unsigned bucket, unsigned key, const struct script_cell *cell);
    int (*remove)(void *arg, unsigned bucket, unsigned key);
    void *arg;
};

/* The writes of a batch. */
int script_write(char kind, uint64_t number, const struct script_sink *sink);

/* Add them to a state. */
void script_add(struct script_state *state, char kind, uint64_t number);

/* The state after the first `count` of these batches, a letter each; false if there are fewer. */
bool script_state_at(const char *kinds, uint64_t count, struct script_state *out);

const char *script_bucket(unsigned bucket); /* names are in the order of the numbers */
stele_bytes script_key(unsigned key, uint8_t out[SCRIPT_KEY_SIZE]);
stele_bytes script_value(const struct script_cell *cell, uint8_t out[SCRIPT_VALUE_SIZE]);

/* The seed that a value begins with; 0: it is too short for one. */
uint64_t script_seed(stele_bytes value);

#endif /* TESTS_CRASH_STORE_SCRIPT_H */
