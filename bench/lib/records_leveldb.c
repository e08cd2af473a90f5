/* SPDX-License-Identifier: MIT */
#include "lib/records.h"

#include <leveldb/c.h>
#include <stdlib.h>
#include <string.h>

enum {
    ID_SIZE = 8
};

struct records_leveldb {
    leveldb_t *db;
    leveldb_options_t *options;
    leveldb_writeoptions_t *write;
    leveldb_readoptions_t *read;
    const struct bench_records *records;
};

static void check(char *error, const char *what)
{
    if (error != NULL) {
        bench_die("LevelDB: %s: %s", what, error);
    }
}

static void put_id(uint8_t out[ID_SIZE], uint64_t id)
{
    for (int k = 0; k < ID_SIZE; k++) {
        out[k] = (uint8_t)(id >> (56 - 8 * k));
    }
}

static void store_open(struct records_leveldb *s, const char *dir,
        const struct bench_records *records, bool fresh, bool sync)
{
    char path[BENCH_PATH_SIZE];
    char *error = NULL;

    bench_path(path, dir, "leveldb");
    if (fresh) {
        bench_fresh_dir(path);
    }
    s->records = records;
    s->options = leveldb_options_create();
    leveldb_options_set_create_if_missing(s->options, fresh);
    s->write = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(s->write, sync);
    s->read = leveldb_readoptions_create();
    leveldb_readoptions_set_verify_checksums(s->read, 1);
    s->db = leveldb_open(s->options, path, &error);
    check(error, "open");
}

static void store_close(struct records_leveldb *s)
{
    leveldb_close(s->db);
    leveldb_readoptions_destroy(s->read);
    leveldb_writeoptions_destroy(s->write);
    leveldb_options_destroy(s->options);
}

/* From any thread. */
static void put(void *arg, size_t number)
{
    struct records_leveldb *s = arg;
    uint8_t id[ID_SIZE];
    char *error = NULL;

    put_id(id, number + 1);
    leveldb_put(s->db, s->write, (const char *)id, sizeof id,
            (const char *)bench_record(s->records, number), s->records->size, &error);
    check(error, "put");
}

double records_leveldb_append(
        const char *dir, const struct bench_records *records, int threads, double seconds)
{
    struct records_leveldb s;
    double rate;

    bench_fresh_dir(dir);
    store_open(&s, dir, records, true, true);
    rate = bench_per_second(threads, seconds, put, &s);
    store_close(&s);
    bench_remove_dir(dir);
    return rate;
}

double records_leveldb_put(const char *dir, const struct bench_records *records)
{
    struct records_leveldb s;
    double start;
    double seconds;

    bench_fresh_dir(dir);
    store_open(&s, dir, records, true, false);
    start = bench_now();
    for (size_t i = 0; i < records->count; i++) {
        put(&s, i);
    }
    seconds = bench_now() - start;
    store_close(&s);
    bench_remove_dir(dir);
    return seconds;
}

/* ---- Reading. ---- */

struct records_leveldb *records_leveldb_open(
        const char *dir, const struct bench_records *records, bool fresh)
{
    struct records_leveldb *db = calloc(1, sizeof *db);

    if (db == NULL) {
        bench_die("out of memory");
    }
    store_open(db, dir, records, fresh, false);
    if (fresh) {
        for (size_t i = 0; i < records->count; i++) {
            put(db, i);
        }
        leveldb_compact_range(db->db, NULL, 0, NULL, 0);
    }
    return db;
}

double records_leveldb_scan(struct records_leveldb *db, const struct bench_records *records)
{
    static volatile uint64_t sink;
    double start = bench_now();
    leveldb_iterator_t *it = leveldb_create_iterator(db->db, db->read);
    uint64_t seen = 0;
    size_t count = 0;

    for (leveldb_iter_seek_to_first(it); leveldb_iter_valid(it) != 0; leveldb_iter_next(it)) {
        size_t len = 0;
        const char *value = leveldb_iter_value(it, &len);

        seen += (uint8_t)value[0];
        count++;
    }
    leveldb_iter_destroy(it);
    sink = seen;
    (void)sink;
    if (count != records->count) {
        bench_die("LevelDB: %zu records of %zu", count, records->count);
    }
    return bench_now() - start;
}

double records_leveldb_get(
        struct records_leveldb *db, const struct bench_records *records, size_t count)
{
    uint64_t state = 8;
    double start = bench_now();

    for (size_t i = 0; i < count; i++) {
        uint8_t id[ID_SIZE];
        char *error = NULL;
        size_t len = 0;
        char *value;

        put_id(id, 1 + bench_random(&state) % records->count);
        value = leveldb_get(db->db, db->read, (const char *)id, sizeof id, &len, &error);
        check(error, "get");
        if (value == NULL || len != records->size) {
            bench_die("LevelDB: not found");
        }
        leveldb_free(value);
    }
    return bench_now() - start;
}

void records_leveldb_close(struct records_leveldb *db)
{
    store_close(db);
    free(db);
}
