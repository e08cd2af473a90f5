/* SPDX-License-Identifier: MIT */
#include "lib/peers.h"

#include <leveldb/c.h>
#include <stdlib.h>
#include <string.h>

enum {
    OFFSET_SIZE = 8,
    MESSAGE_SIZE = BENCH_KEY_SIZE + BENCH_VALUE_SIZE
};

struct store {
    leveldb_t *db;
    leveldb_options_t *options;
    leveldb_writeoptions_t *write;
    const struct bench_data *data;
};

static void check(char *error, const char *what)
{
    if (error != NULL) {
        bench_die("LevelDB: %s: %s", what, error);
    }
}

static void store_open(struct store *s, const char *dir, const struct bench_data *data, bool sync)
{
    char path[BENCH_PATH_SIZE];
    char *error = NULL;

    bench_path(path, dir, "leveldb");
    bench_fresh_dir(path);
    s->data = data;
    s->options = leveldb_options_create();
    leveldb_options_set_create_if_missing(s->options, 1);
    s->write = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(s->write, sync);
    s->db = leveldb_open(s->options, path, &error);
    check(error, "open");
}

static void store_close(struct store *s)
{
    leveldb_close(s->db);
    leveldb_writeoptions_destroy(s->write);
    leveldb_options_destroy(s->options);
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
    leveldb_put(s->db, s->write, (const char *)offset, sizeof offset, (const char *)message,
            sizeof message, &error);
    check(error, "put");
}

double peer_leveldb_put(const char *dir, const struct bench_data *data)
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

double peer_leveldb_sync(
        const char *dir, const struct bench_data *data, int threads, double seconds)
{
    struct store s;
    double rate;

    store_open(&s, dir, data, true);
    rate = bench_per_second(threads, seconds, put, &s);
    store_close(&s);
    return rate;
}

/* ---- Looking up. ---- */

struct peer_leveldb {
    struct store store;
    leveldb_readoptions_t *read;
};

struct peer_leveldb *peer_leveldb_open(const char *dir, const struct bench_data *data)
{
    struct peer_leveldb *db = calloc(1, sizeof *db);
    char *error = NULL;

    if (db == NULL) {
        bench_die("out of memory");
    }
    store_open(&db->store, dir, data, false);
    db->read = leveldb_readoptions_create();
    for (size_t i = 0; i < data->count; i++) {
        leveldb_put(db->store.db, db->store.write, (const char *)bench_key(data, i), BENCH_KEY_SIZE,
                (const char *)bench_value(data, i), BENCH_VALUE_SIZE, &error);
        check(error, "put");
    }
    leveldb_compact_range(db->store.db, NULL, 0, NULL, 0);
    return db;
}

double peer_leveldb_get(struct peer_leveldb *db, const struct bench_data *data, size_t count)
{
    uint64_t state = 8;
    double start = bench_now();

    for (size_t i = 0; i < count; i++) {
        size_t n = (size_t)(bench_random(&state) % data->count);
        char *error = NULL;
        size_t len = 0;
        char *value = leveldb_get(db->store.db, db->read, (const char *)bench_key(data, n),
                BENCH_KEY_SIZE, &len, &error);

        check(error, "get");
        if (len != BENCH_VALUE_SIZE) {
            bench_die("LevelDB: not found");
        }
        leveldb_free(value);
    }
    return bench_now() - start;
}

void peer_leveldb_close(struct peer_leveldb *db)
{
    leveldb_readoptions_destroy(db->read);
    store_close(&db->store);
    free(db);
}
