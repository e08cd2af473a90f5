/* SPDX-License-Identifier: MIT */
#include <leveldb/c.h>

#define LSM(x)        leveldb_##x
#define LSM_PEER(x)   peer_leveldb_##x
#define LSM_NAME      "LevelDB"
#define LSM_DIRECTORY "leveldb"
#include "lib/lsm.h"

/* ---- Looking up. ---- */

struct peer_leveldb {
    struct store store;
};

struct peer_leveldb *peer_leveldb_open(const char *dir, const struct bench_data *data)
{
    struct peer_leveldb *db = calloc(1, sizeof *db);
    char *error = NULL;

    if (db == NULL) {
        bench_die("out of memory");
    }
    store_open(&db->store, dir, data, false);
    for (size_t i = 0; i < data->count; i++) {
        leveldb_put(db->store.lsm.db, db->store.lsm.write, (const char *)bench_key(data, i),
                BENCH_KEY_SIZE, (const char *)bench_value(data, i), BENCH_VALUE_SIZE, &error);
        check(error, "put");
    }
    leveldb_compact_range(db->store.lsm.db, NULL, 0, NULL, 0);
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
        char *value = leveldb_get(db->store.lsm.db, db->store.lsm.read,
                (const char *)bench_key(data, n), BENCH_KEY_SIZE, &len, &error);

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
    lsm_close(&db->store.lsm);
    free(db);
}
