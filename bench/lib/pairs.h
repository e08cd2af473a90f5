/* SPDX-License-Identifier: MIT
 *
 * pairs.h: keys of 16 bytes with values of 100, in a store and at its peers.
 *
 * Pair number n is the same in each run. Keys come in no order, unless they are to ascend. A
 * database is a table of functions, so that the same work is done by all.
 */
#ifndef BENCH_PAIRS_H
#define BENCH_PAIRS_H

#include "lib/bench.h"

#include <string.h>

enum {
    PAIR_KEY_SIZE = 16,
    PAIR_VALUE_SIZE = 100,
    PAIR_SIZE = PAIR_KEY_SIZE + PAIR_VALUE_SIZE
};

struct pairs {
    size_t count;   /* of keys; put number n has the key of n % count */
    bool ascending; /* or at random */
};

/* The key, and behind it the value. */
static inline void pair_make(const struct pairs *pairs, size_t n, uint8_t out[PAIR_SIZE])
{
    uint64_t key = n % pairs->count;
    uint64_t state = key;
    uint64_t words[2] = {bench_random(&state), bench_random(&state)};

    if (pairs->ascending) {
        words[0] = __builtin_bswap64(key);
    }
    memcpy(out, words, PAIR_KEY_SIZE);
    for (size_t at = PAIR_KEY_SIZE; at + sizeof words <= PAIR_SIZE; at += sizeof words) {
        memcpy(out + at, words, sizeof words);
    }
    memset(out + PAIR_SIZE - PAIR_VALUE_SIZE % sizeof words, (int)(n & 127),
            PAIR_VALUE_SIZE % sizeof words);
}

enum pair_sync {
    PAIR_UNSYNCED, /* as fast as it goes; may lose what was not finished() */
    PAIR_SYNCED,   /* each batch survives a power cut before put() returns */
    PAIR_WAITING   /* unsynced, and a store commits nothing by itself */
};

struct pair_db {
    const char *who;
    /* A new one in a directory that is empty. */
    void *(*open)(const char *dir, const struct pairs *pairs, enum pair_sync sync);
    /* A batch: puts number `first` and those after it. From any thread. */
    void (*put)(void *db, size_t first, size_t count);
    /* All that was put survives a power cut and is where reads find it soonest. */
    void (*finish)(void *db);
    /* Get so many keys at random, a read or transaction each; ends the program if one is not
     * there. */
    void (*get)(void *db, size_t count);
    /* All pairs in order; how many. */
    size_t (*scan)(void *db);
    void (*close)(void *db);
};

extern const struct pair_db pairs_stele;
extern const struct pair_db pairs_lmdb;
extern const struct pair_db pairs_leveldb;
extern const struct pair_db pairs_rocksdb;
extern const struct pair_db pairs_sqlite;

struct stele_store *pairs_stele_store(void *db);

/* Something is done with what was read. */
extern volatile uint64_t pairs_sink;

#endif /* BENCH_PAIRS_H */
