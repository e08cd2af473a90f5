/* SPDX-License-Identifier: MIT
 *
 * json_lmdb.c: documents in LMDB by their IDs, without indexes or a look at them: what reading and
 * writing costs at least.
 */
#include "lib/json.h"

#include <stdlib.h>

#include <lmdb.h>

#define MAP_SIZE ((size_t)8 << 30)

struct db {
    MDB_env *env;
    MDB_dbi dbi;
};

static void check(int rc)
{
    if (rc != MDB_SUCCESS) {
        bench_die("LMDB: %s", mdb_strerror(rc));
    }
}

static void *open_db(const char *dir, bool synced)
{
    struct db *db = calloc(1, sizeof *db);
    MDB_txn *txn = NULL;

    if (db == NULL) {
        bench_die("out of memory");
    }
    bench_fresh_dir(dir);
    check(mdb_env_create(&db->env));
    check(mdb_env_set_mapsize(db->env, MAP_SIZE));
    check(mdb_env_open(db->env, dir, synced ? 0 : MDB_NOSYNC, 0600));
    check(mdb_txn_begin(db->env, NULL, 0, &txn));
    check(mdb_dbi_open(txn, NULL, 0, &db->dbi));
    check(mdb_txn_commit(txn));
    return db;
}

static void put(struct db *db, MDB_txn *txn, size_t n)
{
    char id[JSON_TEXT_SIZE];
    char text[JSON_SIZE + 1];
    MDB_val key = {.mv_data = id};
    MDB_val value = {.mv_size = JSON_SIZE, .mv_data = text};

    json_id(n, id);
    json_text(n, text);
    key.mv_size = strlen(id);
    check(mdb_put(txn, db->dbi, &key, &value, 0));
}

static void set(void *arg, size_t n)
{
    struct db *db = arg;
    MDB_txn *txn = NULL;

    check(mdb_txn_begin(db->env, NULL, 0, &txn));
    put(db, txn, n);
    check(mdb_txn_commit(txn));
}

static void fill(void *arg, size_t count)
{
    struct db *db = arg;
    MDB_txn *txn = NULL;

    check(mdb_txn_begin(db->env, NULL, 0, &txn));
    for (size_t n = 0; n < count; n++) {
        put(db, txn, n);
    }
    check(mdb_txn_commit(txn));
    check(mdb_env_sync(db->env, 1));
}

static void get(void *arg, size_t n)
{
    struct db *db = arg;
    MDB_txn *txn = NULL;
    char id[JSON_TEXT_SIZE];
    MDB_val key = {.mv_data = id};
    MDB_val value;

    json_id(n, id);
    key.mv_size = strlen(id);
    check(mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn));
    check(mdb_get(txn, db->dbi, &key, &value));
    json_sink = ((const uint8_t *)value.mv_data)[JSON_SIZE / 2];
    mdb_txn_abort(txn);
}

static void close_db(void *arg)
{
    struct db *db = arg;

    mdb_env_close(db->env);
    free(db);
}

const struct json_db json_lmdb = {.who = "LMDB, no index",
        .open = open_db,
        .set = set,
        .fill = fill,
        .get = get,
        .close = close_db};
