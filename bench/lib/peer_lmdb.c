/* SPDX-License-Identifier: MIT */
#include "lib/peers.h"

#include <stdlib.h>
#include <string.h>

#include <lmdb.h>

#define MAP_SIZE ((size_t)4 << 30)

enum {
    OFFSET_SIZE = 8,
    PER_COMMIT = 10000
};

struct peer_lmdb {
    MDB_env *env;
    MDB_dbi dbi;
    size_t count;
    bool by_key;
};

static void check(int rc, const char *what)
{
    if (rc != 0) {
        bench_die("LMDB: %s: %s", what, mdb_strerror(rc));
    }
}

static void put_offset(uint8_t out[OFFSET_SIZE], uint64_t offset)
{
    for (int i = OFFSET_SIZE - 1; i >= 0; i--) {
        out[i] = (uint8_t)offset;
        offset >>= 8;
    }
}

static void fill(struct peer_lmdb *db, const struct bench_data *data)
{
    MDB_txn *txn = NULL;

    for (size_t i = 0; i < data->count; i++) {
        uint8_t offset[OFFSET_SIZE];
        uint8_t message[BENCH_KEY_SIZE + BENCH_VALUE_SIZE];
        MDB_val key = {sizeof offset, offset};
        MDB_val value = {sizeof message, message};

        if (txn == NULL) {
            check(mdb_txn_begin(db->env, NULL, 0, &txn), "begin");
        }
        put_offset(offset, i);
        memcpy(message, bench_key(data, i), BENCH_KEY_SIZE);
        memcpy(message + BENCH_KEY_SIZE, bench_value(data, i), BENCH_VALUE_SIZE);
        if (db->by_key) {
            key = (MDB_val){BENCH_KEY_SIZE, message};
            value = (MDB_val){BENCH_VALUE_SIZE, message + BENCH_KEY_SIZE};
        }
        check(mdb_put(txn, db->dbi, &key, &value, db->by_key ? 0 : MDB_APPEND), "put");
        if (i % PER_COMMIT == PER_COMMIT - 1 || i + 1 == data->count) {
            check(mdb_txn_commit(txn), "commit");
            txn = NULL;
        }
    }
}

struct peer_lmdb *peer_lmdb_open(const char *dir, const struct bench_data *data, bool by_key)
{
    struct peer_lmdb *db = calloc(1, sizeof *db);
    char path[BENCH_PATH_SIZE];
    MDB_txn *txn;

    if (db == NULL) {
        bench_die("out of memory");
    }
    db->count = data->count;
    db->by_key = by_key;
    bench_path(path, dir, "lmdb");
    bench_fresh_dir(path);
    check(mdb_env_create(&db->env), "create");
    check(mdb_env_set_mapsize(db->env, MAP_SIZE), "set the size");
    check(mdb_env_open(db->env, path, MDB_NOSYNC | MDB_NORDAHEAD, 0600), "open");
    check(mdb_txn_begin(db->env, NULL, 0, &txn), "begin");
    check(mdb_dbi_open(txn, NULL, 0, &db->dbi), "open the table");
    check(mdb_txn_commit(txn), "commit");
    fill(db, data);
    return db;
}

double peer_lmdb_scan(struct peer_lmdb *db)
{
    static volatile uint64_t sink;
    double start = bench_now();
    MDB_cursor *cursor;
    MDB_txn *txn;
    MDB_val key;
    MDB_val value;
    uint64_t seen = 0;
    size_t count = 0;
    int rc;

    check(mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn), "begin");
    check(mdb_cursor_open(txn, db->dbi, &cursor), "cursor");
    while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        const uint8_t *message = value.mv_data;

        seen += (uint64_t)message[0] + message[BENCH_KEY_SIZE];
        count++;
    }
    sink = seen;
    (void)sink;
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    if (rc != MDB_NOTFOUND || count != db->count) {
        bench_die("LMDB: %zu of %zu read", count, db->count);
    }
    return bench_now() - start;
}

double peer_lmdb_get(
        struct peer_lmdb *db, const struct bench_data *data, size_t count, bool missing)
{
    static volatile uint64_t sink;
    uint64_t state = 5;
    uint64_t seen = 0;
    MDB_txn *txn;
    double start;

    check(mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn), "begin");
    mdb_txn_reset(txn);
    start = bench_now();
    for (size_t i = 0; i < count; i++) {
        size_t n = (size_t)(bench_random(&state) % db->count);
        uint8_t bytes[BENCH_KEY_SIZE];
        MDB_val key = {BENCH_KEY_SIZE, bytes};
        MDB_val value;
        int rc;

        if (!db->by_key) {
            put_offset(bytes, n);
            key.mv_size = OFFSET_SIZE;
        } else if (missing) {
            bench_key_missing(bytes, n);
        } else {
            memcpy(bytes, bench_key(data, n), BENCH_KEY_SIZE);
        }
        check(mdb_txn_renew(txn), "renew");
        rc = mdb_get(txn, db->dbi, &key, &value);
        if (rc == 0) {
            seen += *(const uint8_t *)value.mv_data;
        }
        mdb_txn_reset(txn);
        if (rc != (missing ? MDB_NOTFOUND : 0)) {
            bench_die("LMDB: get: %s", mdb_strerror(rc));
        }
    }
    sink = seen;
    (void)sink;
    start = bench_now() - start;
    mdb_txn_abort(txn);
    return start;
}

void peer_lmdb_close(struct peer_lmdb *db)
{
    mdb_env_close(db->env);
    free(db);
}
