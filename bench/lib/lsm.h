/* SPDX-License-Identifier: MIT
 *
 * lsm.h: LevelDB, and RocksDB, which took over its C interface: the source of
 * both peers.
 *
 * peer_leveldb.c and peer_rocksdb.c each include it once, and before it say:
 *
 *     LSM(x)         a name of the library, such as leveldb_##x
 *     LSM_PEER(x)    a name of peers.h, such as peer_leveldb_##x
 *     LSM_NAME       for messages
 *     LSM_DIRECTORY  where it puts its files
 */
#ifndef BENCH_LSM_H
#define BENCH_LSM_H

#include "lib/lsm_db.h"
#include "lib/peers.h"

#include <stdlib.h>
#include <string.h>

enum {
    OFFSET_SIZE = 8,
    MESSAGE_SIZE = BENCH_KEY_SIZE + BENCH_VALUE_SIZE
};

struct store {
    struct lsm lsm;
    const struct bench_data *data;
};

static void store_open(struct store *s, const char *dir, const struct bench_data *data, bool sync)
{
    char path[BENCH_PATH_SIZE];

    bench_path(path, dir, LSM_DIRECTORY);
    s->data = data;
    lsm_open(&s->lsm, path, true, sync);
}

/* From any thread. */
static void put(void *arg, size_t number)
{
    struct store *s = arg;
    uint8_t offset[OFFSET_SIZE];
    uint8_t message[MESSAGE_SIZE];
    size_t i = number % s->data->count;
    char *error = NULL;

    for (int k = 0; k < OFFSET_SIZE; k++) {
        offset[k] = (uint8_t)((uint64_t)number >> (56 - 8 * k));
    }
    memcpy(message, bench_key(s->data, i), BENCH_KEY_SIZE);
    memcpy(message + BENCH_KEY_SIZE, bench_value(s->data, i), BENCH_VALUE_SIZE);
    LSM(put)
    (s->lsm.db, s->lsm.write, (const char *)offset, sizeof offset, (const char *)message,
            sizeof message, &error);
    check(error, "put");
}

double LSM_PEER(put)(const char *dir, const struct bench_data *data)
{
    struct store s;
    double start;
    double seconds;

    store_open(&s, dir, data, false);
    start = bench_now();
    for (size_t i = 0; i < data->count; i++) {
        put(&s, i);
    }
    seconds = bench_now() - start;
    lsm_close(&s.lsm);
    return seconds;
}

double LSM_PEER(sync)(const char *dir, const struct bench_data *data, int threads, double seconds)
{
    struct store s;
    double rate;

    store_open(&s, dir, data, true);
    rate = bench_per_second(threads, seconds, put, &s);
    lsm_close(&s.lsm);
    return rate;
}

#endif /* BENCH_LSM_H */
