/* SPDX-License-Identifier: MIT */
#include "lib/peers.h"

#include <sqlite3.h>
#include <stdlib.h>

struct peer_sqlite {
    sqlite3 *db;
    sqlite3_stmt *insert;
    sqlite3_stmt *by_time;
    sqlite3_stmt *by_key;
    size_t count;
};

static void check(const struct peer_sqlite *s, int rc)
{
    if (rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE) {
        bench_die("SQLite: %s", sqlite3_errmsg(s->db));
    }
}

static void run(const struct peer_sqlite *s, const char *sql)
{
    check(s, sqlite3_exec(s->db, sql, NULL, NULL, NULL));
}

static void prepare(const struct peer_sqlite *s, const char *sql, sqlite3_stmt **out)
{
    check(s, sqlite3_prepare_v2(s->db, sql, -1, out, NULL));
}

static void insert(const struct peer_sqlite *s, const struct bench_data *data, size_t i)
{
    const stele_message m = bench_message(data, i);

    check(s, sqlite3_bind_int64(s->insert, 1, m.time));
    check(s, sqlite3_bind_blob(s->insert, 2, m.key.data, (int)m.key.len, SQLITE_STATIC));
    check(s, sqlite3_bind_blob(s->insert, 3, m.value.data, (int)m.value.len, SQLITE_STATIC));
    check(s, sqlite3_step(s->insert));
    check(s, sqlite3_reset(s->insert));
}

static struct peer_sqlite *make(const char *dir)
{
    struct peer_sqlite *s = calloc(1, sizeof *s);
    char path[BENCH_PATH_SIZE];

    if (s == NULL) {
        bench_die("out of memory");
    }
    bench_path(path, dir, "sqlite");
    bench_fresh_dir(path);
    bench_path(path, dir, "sqlite/db");
    check(s, sqlite3_open(path, &s->db));
    run(s, "PRAGMA journal_mode = wal");
    run(s, "CREATE TABLE log (id INTEGER PRIMARY KEY, time INTEGER, key BLOB, value BLOB)");
    prepare(s, "INSERT INTO log (time, key, value) VALUES (?, ?, ?)", &s->insert);
    return s;
}

struct peer_sqlite *peer_sqlite_open(const char *dir, const struct bench_data *data)
{
    struct peer_sqlite *s = make(dir);

    s->count = data->count;
    run(s, "PRAGMA synchronous = off");
    run(s, "PRAGMA mmap_size = 4000000000");
    run(s, "BEGIN");
    for (size_t i = 0; i < data->count; i++) {
        insert(s, data, i);
    }
    run(s, "CREATE INDEX log_time ON log (time)");
    run(s, "CREATE INDEX log_key ON log (key)");
    run(s, "COMMIT");
    run(s, "PRAGMA wal_checkpoint(TRUNCATE)");
    prepare(s, "SELECT value FROM log WHERE time >= ? ORDER BY time LIMIT 1", &s->by_time);
    prepare(s, "SELECT value FROM log WHERE key = ? ORDER BY id DESC LIMIT 1", &s->by_key);
    return s;
}

static void one(const struct peer_sqlite *s, sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_ROW ||
            sqlite3_column_bytes(statement, 0) != BENCH_VALUE_SIZE) {
        bench_die("SQLite: not found");
    }
    check(s, sqlite3_reset(statement));
}

double peer_sqlite_by_time(struct peer_sqlite *s, const struct bench_data *data, size_t count)
{
    uint64_t state = 6;
    double start = bench_now();

    for (size_t i = 0; i < count; i++) {
        stele_message m = bench_message(data, (size_t)(bench_random(&state) % s->count));

        check(s, sqlite3_bind_int64(s->by_time, 1, m.time));
        one(s, s->by_time);
    }
    return bench_now() - start;
}

double peer_sqlite_by_key(struct peer_sqlite *s, const struct bench_data *data, size_t count)
{
    uint64_t state = 7;
    double start = bench_now();

    for (size_t i = 0; i < count; i++) {
        stele_message m = bench_message(data, (size_t)(bench_random(&state) % s->count));

        check(s, sqlite3_bind_blob(s->by_key, 1, m.key.data, (int)m.key.len, SQLITE_STATIC));
        one(s, s->by_key);
    }
    return bench_now() - start;
}

void peer_sqlite_close(struct peer_sqlite *s)
{
    (void)sqlite3_finalize(s->insert);
    (void)sqlite3_finalize(s->by_time);
    (void)sqlite3_finalize(s->by_key);
    (void)sqlite3_close(s->db);
    free(s);
}

double peer_sqlite_sync(const char *dir, const struct bench_data *data, double seconds)
{
    struct peer_sqlite *s = make(dir);
    size_t count = 0;
    double start;
    double taken;

    run(s, "PRAGMA synchronous = full");
    start = bench_now();
    do {
        insert(s, data, count % data->count);
        count++;
        taken = bench_now() - start;
    } while (taken < seconds);
    peer_sqlite_close(s);
    return (double)count / taken;
}
