/* SPDX-License-Identifier: MIT
 *
 * puts.h: keys of 16 bytes with values of 16 bytes, in a journal and at its peers.
 *
 * Put number n has key number n % keys. Keys come in no order, as hashes would. Functions that are
 * timed return seconds, unless they say otherwise.
 */
#ifndef BENCH_PUTS_H
#define BENCH_PUTS_H

#include "lib/bench.h"

#include <string.h>

enum {
    BENCH_PUT_KEY_SIZE = 16,
    BENCH_PUT_VALUE_SIZE = 16,
    BENCH_PUT_SIZE = BENCH_PUT_KEY_SIZE + BENCH_PUT_VALUE_SIZE
};

struct bench_puts {
    size_t count;
    size_t keys;
};

/* The key, and behind it the value. */
static inline void bench_put(const struct bench_puts *puts, size_t n, uint8_t out[BENCH_PUT_SIZE])
{
    uint64_t key = n % puts->keys;
    uint64_t state = key;
    uint64_t parts[4] = {bench_random(&state), key, n, ~(uint64_t)n};

    memcpy(out, parts, BENCH_PUT_SIZE);
}

/* Puts of all, write-ahead log on, nothing synced. */
double puts_leveldb_put(const char *dir, const struct bench_puts *puts);
double puts_rocksdb_put(const char *dir, const struct bench_puts *puts);

/* Synced puts for so long: puts a second. */
double puts_leveldb_sync(
        const char *dir, const struct bench_puts *puts, int threads, double seconds);
double puts_rocksdb_sync(
        const char *dir, const struct bench_puts *puts, int threads, double seconds);

/* After puts of all: compact everything. */
double puts_leveldb_compact(const char *dir, const struct bench_puts *puts);
double puts_rocksdb_compact(const char *dir, const struct bench_puts *puts);

/* All of them, compacted, to be read in order. */
struct puts_leveldb;
struct puts_leveldb *puts_leveldb_open(const char *dir, const struct bench_puts *puts);
double puts_leveldb_scan(struct puts_leveldb *db);
void puts_leveldb_close(struct puts_leveldb *db);

struct puts_rocksdb;
struct puts_rocksdb *puts_rocksdb_open(const char *dir, const struct bench_puts *puts);
double puts_rocksdb_scan(struct puts_rocksdb *db);
void puts_rocksdb_close(struct puts_rocksdb *db);

#endif /* BENCH_PUTS_H */
