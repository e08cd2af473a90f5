/* SPDX-License-Identifier: MIT
 *
 * json_sqlite.c: documents as JSON in a table of SQLite, with three indexes on expressions and a
 * write-ahead log; synced, with synchronous = full.
 */
#include "lib/json.h"

#include <sqlite3.h>
#include <stdlib.h>

enum {
    KEYS = 3
};

struct db {
    sqlite3 *db;
    sqlite3_stmt *begin;
    sqlite3_stmt *commit;
    sqlite3_stmt *set;
    sqlite3_stmt *get;
    sqlite3_stmt *find[KEYS];
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

static struct db *make(const char *dir, bool synced)
{
    struct db *db = calloc(1, sizeof *db);
    char path[BENCH_PATH_SIZE];

    if (db == NULL) {
        bench_die("out of memory");
    }
    bench_path(path, dir, "db");
    check(db, sqlite3_open(path, &db->db));
    run(db, "PRAGMA journal_mode = wal");
    run(db, synced ? "PRAGMA synchronous = full" : "PRAGMA synchronous = off");
    run(db, "PRAGMA mmap_size = 4000000000");
    run(db, "CREATE TABLE IF NOT EXISTS docs (id TEXT PRIMARY KEY, doc TEXT) WITHOUT ROWID");
    run(db, "CREATE UNIQUE INDEX IF NOT EXISTS s ON docs (json_extract(doc, '$.serial'))");
    run(db, "CREATE INDEX IF NOT EXISTS l ON docs (json_extract(doc, '$.level'))");
    run(db, "CREATE INDEX IF NOT EXISTS n ON docs (json_extract(doc, '$.name') COLLATE NOCASE)");
    db->begin = prepare(db, "BEGIN");
    db->commit = prepare(db, "COMMIT");
    db->set = prepare(db, "INSERT OR REPLACE INTO docs (id, doc) VALUES (?, ?)");
    db->get = prepare(db, "SELECT doc FROM docs WHERE id = ?");
    db->find[JSON_BY_SERIAL] =
            prepare(db, "SELECT doc FROM docs WHERE json_extract(doc, '$.serial') = ?");
    db->find[JSON_BY_LEVEL] =
            prepare(db, "SELECT doc FROM docs WHERE json_extract(doc, '$.level') = ?");
    db->find[JSON_BY_NAME] = prepare(
            db, "SELECT doc FROM docs WHERE json_extract(doc, '$.name') = ? COLLATE NOCASE");
    return db;
}

static void *open_db(const char *dir, bool synced)
{
    bench_fresh_dir(dir);
    return make(dir, synced);
}

static void set(void *arg, size_t n)
{
    struct db *db = arg;
    char id[JSON_TEXT_SIZE];
    char text[JSON_SIZE + 1];

    json_id(n, id);
    json_text(n, text);
    check(db, sqlite3_bind_text(db->set, 1, id, -1, SQLITE_STATIC));
    check(db, sqlite3_bind_text(db->set, 2, text, JSON_SIZE, SQLITE_STATIC));
    step(db, db->set);
}

static void fill(void *arg, size_t count)
{
    struct db *db = arg;

    step(db, db->begin);
    for (size_t n = 0; n < count; n++) {
        set(db, n);
    }
    step(db, db->commit);
    run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
}

static void take(const struct db *db, sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_ROW) {
        bench_die("SQLite: not found");
    }
    json_sink = sqlite3_column_text(statement, 0)[JSON_SIZE / 2];
    check(db, sqlite3_reset(statement));
}

static void get(void *arg, size_t n)
{
    struct db *db = arg;
    char id[JSON_TEXT_SIZE];

    json_id(n, id);
    check(db, sqlite3_bind_text(db->get, 1, id, -1, SQLITE_STATIC));
    take(db, db->get);
}

static void find(void *arg, enum json_key key, size_t n)
{
    struct db *db = arg;
    char value[JSON_TEXT_SIZE];

    if (key == JSON_BY_LEVEL) {
        check(db, sqlite3_bind_double(db->find[key], 1, json_level(n)));
    } else {
        if (key == JSON_BY_SERIAL) {
            json_serial(n, value);
        } else {
            json_name(n, true, value);
        }
        check(db, sqlite3_bind_text(db->find[key], 1, value, -1, SQLITE_STATIC));
    }
    take(db, db->find[key]);
}

/* ---- Backups. ---- */

static void backup(void *arg, const char *path)
{
    struct db *db = arg;
    sqlite3_stmt *into = prepare(db, "VACUUM INTO ?");
    FILE *f;

    (void)remove(path);
    check(db, sqlite3_bind_text(into, 1, path, -1, SQLITE_STATIC));
    check(db, sqlite3_step(into));
    check(db, sqlite3_finalize(into));
    f = fopen(path, "r+");
    if (f == NULL) {
        bench_die("%s cannot be opened", path);
    }
    bench_sync_file(f);
    (void)fclose(f);
}

/* Its documents, indexed anew: a copy of the file would be no restoring. */
static void *restore(const char *dir, const char *path)
{
    struct db *db = open_db(dir, true);
    char sql[BENCH_PATH_SIZE + 32];

    (void)snprintf(sql, sizeof sql, "ATTACH '%s' AS backup", path);
    run(db, sql);
    run(db, "INSERT INTO docs SELECT id, doc FROM backup.docs");
    run(db, "DETACH backup");
    return db;
}

static void reindex(void *arg)
{
    run(arg, "REINDEX docs");
}

static void close_db(void *arg)
{
    struct db *db = arg;

    (void)sqlite3_finalize(db->begin);
    (void)sqlite3_finalize(db->commit);
    (void)sqlite3_finalize(db->set);
    (void)sqlite3_finalize(db->get);
    for (size_t i = 0; i < KEYS; i++) {
        (void)sqlite3_finalize(db->find[i]);
    }
    (void)sqlite3_close(db->db);
    free(db);
}

const struct json_db json_sqlite = {
        "SQLite", open_db, set, fill, get, find, backup, restore, reindex, close_db};
