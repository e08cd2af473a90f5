/* SPDX-License-Identifier: MIT
 *
 * pairs_sqlite.c: pairs in a table of SQLite whose key is the row's own (WITHOUT ROWID), with a
 * write-ahead log and a transaction for each batch.
 */
#include "lib/pairs.h"

#include <sqlite3.h>
#include <stdlib.h>

struct db {
    sqlite3 *db;
    sqlite3_stmt *begin;
    sqlite3_stmt *commit;
    sqlite3_stmt *put;
    sqlite3_stmt *get;
    const struct pairs *pairs;
};

static void check(const struct db *db, int rc)
{
    if (rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE) {
        bench_die("SQLite: %s", sqlite3_errmsg(db->db));
    }
}

static void run(const struct db *db, const char *sql)
{
    check(db, sqlite3_exec(db->db, sql, NULL, NULL, NULL));
}

static sqlite3_stmt *prepare(const struct db *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;

    check(db, sqlite3_prepare_v2(db->db, sql, -1, &statement, NULL));
    return statement;
}

static void step(const struct db *db, sqlite3_stmt *statement)
{
    check(db, sqlite3_step(statement));
    check(db, sqlite3_reset(statement));
}

static void *open_db(const char *dir, const struct pairs *pairs, enum pair_sync sync)
{
    struct db *db = calloc(1, sizeof *db);
    char path[BENCH_PATH_SIZE];

    if (db == NULL) {
        bench_die("out of memory");
    }
    db->pairs = pairs;
    bench_fresh_dir(dir);
    bench_path(path, dir, "db");
    check(db, sqlite3_open(path, &db->db));
    run(db, "PRAGMA journal_mode = wal");
    run(db, sync == PAIR_SYNCED ? "PRAGMA synchronous = full" : "PRAGMA synchronous = off");
    run(db, "PRAGMA mmap_size = 4000000000");
    run(db, "CREATE TABLE pairs (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID");
    db->begin = prepare(db, "BEGIN");
    db->commit = prepare(db, "COMMIT");
    db->put = prepare(db, "INSERT OR REPLACE INTO pairs (key, value) VALUES (?, ?)");
    db->get = prepare(db, "SELECT value FROM pairs WHERE key = ?");
    return db;
}

static void put(void *arg, size_t first, size_t count)
{
    struct db *db = arg;

    step(db, db->begin);
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[PAIR_SIZE];

        pair_make(db->pairs, first + i, bytes);
        check(db, sqlite3_bind_blob(db->put, 1, bytes, PAIR_KEY_SIZE, SQLITE_STATIC));
        check(db, sqlite3_bind_blob(
                          db->put, 2, bytes + PAIR_KEY_SIZE, PAIR_VALUE_SIZE, SQLITE_STATIC));
        step(db, db->put);
    }
    step(db, db->commit);
}

static void finish(void *arg)
{
    run(arg, "PRAGMA wal_checkpoint(TRUNCATE)");
}

static void get(void *arg, size_t count)
{
    struct db *db = arg;
    uint64_t state = 5;
    uint64_t seen = 0;

    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[PAIR_SIZE];

        pair_make(db->pairs, (size_t)(bench_random(&state) % db->pairs->count), bytes);
        check(db, sqlite3_bind_blob(db->get, 1, bytes, PAIR_KEY_SIZE, SQLITE_STATIC));
        if (sqlite3_step(db->get) != SQLITE_ROW) {
            bench_die("SQLite: not found");
        }
        seen += *(const uint8_t *)sqlite3_column_blob(db->get, 0);
        check(db, sqlite3_reset(db->get));
    }
    pairs_sink = seen;
}

static size_t scan(void *arg)
{
    struct db *db = arg;
    sqlite3_stmt *all = prepare(db, "SELECT key, value FROM pairs ORDER BY key");
    uint64_t seen = 0;
    size_t count = 0;

    while (sqlite3_step(all) == SQLITE_ROW) {
        seen += (uint64_t) * (const uint8_t *)sqlite3_column_blob(all, 0) +
                *(const uint8_t *)sqlite3_column_blob(all, 1);
        count++;
    }
    check(db, sqlite3_finalize(all));
    pairs_sink = seen;
    return count;
}

static void close_db(void *arg)
{
    struct db *db = arg;

    (void)sqlite3_finalize(db->begin);
    (void)sqlite3_finalize(db->commit);
    (void)sqlite3_finalize(db->put);
    (void)sqlite3_finalize(db->get);
    (void)sqlite3_close(db->db);
    free(db);
}

const struct pair_db pairs_sqlite = {"SQLite", open_db, put, finish, get, scan, close_db};
