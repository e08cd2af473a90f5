/* SPDX-License-Identifier: MIT
 *
 * pairs_lsm.h: pairs in LevelDB and in RocksDB, which took over its C interface: the source of both
 * peers. Included once each, with the names of lsm.h, and
 *
 *     LSM_PAIRS  the table of functions, such as pairs_leveldb
 */
#ifndef BENCH_PAIRS_LSM_H
#define BENCH_PAIRS_LSM_H

#include "lib/pairs.h"

#include <stdlib.h>

struct db {
    LSM(t) * db;
    LSM(options_t) * options;
    LSM(writeoptions_t) * write;
    LSM(readoptions_t) * read;
    const struct pairs *pairs;
};

static void check(char *error, const char *what)
{
    if (error != NULL) {
        bench_die(LSM_NAME ": %s: %s", what, error);
    }
}

static void *open_db(const char *dir, const struct pairs *pairs, enum pair_sync sync)
{
    struct db *db = calloc(1, sizeof *db);
    char *error = NULL;

    if (db == NULL) {
        bench_die("out of memory");
    }
    db->pairs = pairs;
    bench_fresh_dir(dir);
    db->options = LSM(options_create)();
    LSM(options_set_create_if_missing)(db->options, 1);
    db->write = LSM(writeoptions_create)();
    LSM(writeoptions_set_sync)(db->write, sync == PAIR_SYNCED);
    db->read = LSM(readoptions_create)();
    LSM(readoptions_set_verify_checksums)(db->read, 1);
    db->db = LSM(open)(db->options, dir, &error);
    check(error, "open");
    return db;
}

static void put(void *arg, size_t first, size_t count)
{
    struct db *db = arg;
    LSM(writebatch_t) *batch = LSM(writebatch_create)();
    char *error = NULL;

    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[PAIR_SIZE];

        pair_make(db->pairs, first + i, bytes);
        LSM(writebatch_put)
        (batch, (const char *)bytes, PAIR_KEY_SIZE, (const char *)bytes + PAIR_KEY_SIZE,
                PAIR_VALUE_SIZE);
    }
    LSM(write)(db->db, db->write, batch, &error);
    check(error, "write");
    LSM(writebatch_destroy)(batch);
}

static void finish(void *arg)
{
    struct db *db = arg;

    LSM(compact_range)(db->db, NULL, 0, NULL, 0);
}

static void get(void *arg, size_t count)
{
    struct db *db = arg;
    uint64_t state = 5;
    uint64_t seen = 0;

    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[PAIR_SIZE];
        char *error = NULL;
        size_t len = 0;
        char *value;

        pair_make(db->pairs, (size_t)(bench_random(&state) % db->pairs->count), bytes);
        value = LSM(get)(db->db, db->read, (const char *)bytes, PAIR_KEY_SIZE, &len, &error);
        check(error, "get");
        if (value == NULL || len != PAIR_VALUE_SIZE) {
            bench_die(LSM_NAME ": not found");
        }
        seen += (uint8_t)value[0];
        LSM(free)(value);
    }
    pairs_sink = seen;
}

static size_t scan(void *arg)
{
    struct db *db = arg;
    LSM(iterator_t) *it = LSM(create_iterator)(db->db, db->read);
    uint64_t seen = 0;
    size_t count = 0;

    for (LSM(iter_seek_to_first)(it); LSM(iter_valid)(it) != 0; LSM(iter_next)(it)) {
        size_t key_len = 0;
        size_t len = 0;
        const char *key = LSM(iter_key)(it, &key_len);
        const char *value = LSM(iter_value)(it, &len);

        seen += (uint64_t)(uint8_t)key[0] + (uint8_t)value[0];
        count++;
    }
    LSM(iter_destroy)(it);
    pairs_sink = seen;
    return count;
}

static void close_db(void *arg)
{
    struct db *db = arg;

    LSM(close)(db->db);
    LSM(readoptions_destroy)(db->read);
    LSM(writeoptions_destroy)(db->write);
    LSM(options_destroy)(db->options);
    free(db);
}

const struct pair_db LSM_PAIRS = {LSM_NAME, open_db, put, finish, get, scan, close_db};

#endif /* BENCH_PAIRS_LSM_H */
