/* SPDX-License-Identifier: MIT
 *
 * pairs_lsm.h: pairs in LevelDB and in RocksDB, which took over its C interface: the source of both
 * peers. Included once each, with the names of lsm.h, and
 *
 *     LSM_PAIRS  the table of functions, such as pairs_leveldb
 */
#ifndef BENCH_PAIRS_LSM_H
#define BENCH_PAIRS_LSM_H

#include "lib/lsm_scan.h"
#include "lib/pairs.h"

#include <stdlib.h>

struct db {
    struct lsm lsm;
    const struct pairs *pairs;
};

static void *open_db(const char *dir, const struct pairs *pairs, enum pair_sync sync)
{
    struct db *db = calloc(1, sizeof *db);

    if (db == NULL) {
        bench_die("out of memory");
    }
    db->pairs = pairs;
    lsm_open(&db->lsm, dir, true, sync == PAIR_SYNCED);
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
    LSM(write)(db->lsm.db, db->lsm.write, batch, &error);
    check(error, "write");
    LSM(writebatch_destroy)(batch);
}

static void finish(void *arg)
{
    struct db *db = arg;

    LSM(compact_range)(db->lsm.db, NULL, 0, NULL, 0);
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
        value = LSM(get)(
                db->lsm.db, db->lsm.read, (const char *)bytes, PAIR_KEY_SIZE, &len, &error);
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
    uint64_t seen = 0;
    size_t count = lsm_scan(&db->lsm, &seen);

    pairs_sink = seen;
    return count;
}

static void close_db(void *arg)
{
    struct db *db = arg;

    lsm_close(&db->lsm);
    free(db);
}

const struct pair_db LSM_PAIRS = {LSM_NAME, open_db, put, finish, get, scan, close_db};

#endif /* BENCH_PAIRS_LSM_H */
