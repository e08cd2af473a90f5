/* SPDX-License-Identifier: MIT
 *
 * pairs_lmdb.c: pairs in LMDB alone, a write transaction for each batch.
 */
#include "lib/pairs.h"

#include <stdlib.h>
#include <string.h>

#include <lmdb.h>

#define MAP_SIZE ((size_t)16 << 30)

struct db {
    MDB_env *env;
    MDB_dbi dbi;
    const struct pairs *pairs;
};

static void check(int rc, const char *what)
{
    if (rc != 0) {
        bench_die("LMDB: %s: %s", what, mdb_strerror(rc));
    }
}

static void *open_db(const char *dir, const struct pairs *pairs, enum pair_sync sync)
{
    struct db *db = calloc(1, sizeof *db);
    MDB_txn *txn;

    if (db == NULL) {
        bench_die("out of memory");
    }
    db->pairs = pairs;
    bench_fresh_dir(dir);
    check(mdb_env_create(&db->env), "create");
    check(mdb_env_set_mapsize(db->env, MAP_SIZE), "set the size");
    check(mdb_env_open(db->env, dir, sync == PAIR_SYNCED ? 0 : MDB_NOSYNC, 0600), "open");
    check(mdb_txn_begin(db->env, NULL, 0, &txn), "begin");
    check(mdb_dbi_open(txn, NULL, 0, &db->dbi), "open the table");
    check(mdb_txn_commit(txn), "commit");
    return db;
}

static void put(void *arg, size_t first, size_t count)
{
    struct db *db = arg;
    MDB_txn *txn;

    check(mdb_txn_begin(db->env, NULL, 0, &txn), "begin");
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[PAIR_SIZE];
        MDB_val key = {PAIR_KEY_SIZE, bytes};
        MDB_val value = {PAIR_VALUE_SIZE, bytes + PAIR_KEY_SIZE};

        pair_make(db->pairs, first + i, bytes);
        check(mdb_put(txn, db->dbi, &key, &value, 0), "put");
    }
    check(mdb_txn_commit(txn), "commit");
}

static void finish(void *arg)
{
    struct db *db = arg;

    check(mdb_env_sync(db->env, 1), "sync");
}

static void get(void *arg, size_t count)
{
    struct db *db = arg;
    uint64_t state = 5;
    uint64_t seen = 0;
    MDB_txn *txn;

    check(mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn), "begin");
    mdb_txn_reset(txn);
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[PAIR_SIZE];
        MDB_val key = {PAIR_KEY_SIZE, bytes};
        MDB_val value;

        pair_make(db->pairs, (size_t)(bench_random(&state) % db->pairs->count), bytes);
        check(mdb_txn_renew(txn), "renew");
        check(mdb_get(txn, db->dbi, &key, &value), "get");
        seen += *(const uint8_t *)value.mv_data;
        mdb_txn_reset(txn);
    }
    mdb_txn_abort(txn);
    pairs_sink = seen;
}

static size_t scan(void *arg)
{
    struct db *db = arg;
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
        seen += (uint64_t) * (const uint8_t *)key.mv_data + *(const uint8_t *)value.mv_data;
        count++;
    }
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    pairs_sink = seen;
    return count;
}

static void close_db(void *arg)
{
    struct db *db = arg;

    mdb_env_close(db->env);
    free(db);
}

const struct pair_db pairs_lmdb = {"LMDB", open_db, put, finish, get, scan, close_db};
