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

#include "lib/peers.h"

#include <stdlib.h>
#include <string.h>

enum {
    OFFSET_SIZE = 8,
    MESSAGE_SIZE = BENCH_KEY_SIZE + BENCH_VALUE_SIZE
};

struct store {
    LSM(t) * db;
    LSM(options_t) * options;
    LSM(writeoptions_t) * write;
    const struct bench_data *data;
};

static void check(char *error, const char *what)
{
    if (error != NULL) {
        bench_die(LSM_NAME ": %s: %s", what, error);
    }
}

static void store_open(struct store *s, const char *dir, const struct bench_data *data, bool sync)
{
    char path[BENCH_PATH_SIZE];
    char *error = NULL;

    bench_path(path, dir, LSM_DIRECTORY);
    bench_fresh_dir(path);
    s->data = data;
    s->options = LSM(options_create)();
    LSM(options_set_create_if_missing)(s->options, 1);
    s->write = LSM(writeoptions_create)();
    LSM(writeoptions_set_sync)(s->write, sync);
    s->db = LSM(open)(s->options, path, &error);
    check(error, "open");
}

static void store_close(struct store *s)
{
    LSM(close)(s->db);
    LSM(writeoptions_destroy)(s->write);
    LSM(options_destroy)(s->options);
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
    (s->db, s->write, (const char *)offset, sizeof offset, (const char *)message, sizeof message,
            &error);
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
    store_close(&s);
    return seconds;
}

double LSM_PEER(sync)(const char *dir, const struct bench_data *data, int threads, double seconds)
{
    struct store s;
    double rate;

    store_open(&s, dir, data, true);
    rate = bench_per_second(threads, seconds, put, &s);
    store_close(&s);
    return rate;
}

#endif /* BENCH_LSM_H */
