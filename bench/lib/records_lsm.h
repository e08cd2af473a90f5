/* SPDX-License-Identifier: MIT
 *
 * records_lsm.h: numbered records in LevelDB and in RocksDB, which took over its C interface:
 * the source of both peers. Included once each, with the names of lsm.h, and
 *
 *     LSM_RECORDS(x)  a name of records.h, such as records_leveldb_##x
 *     LSM_STORE       the struct there, such as records_leveldb
 */
#ifndef BENCH_RECORDS_LSM_H
#define BENCH_RECORDS_LSM_H

#include "lib/lsm_scan.h"
#include "lib/records.h"

#include <stdlib.h>
#include <string.h>

enum {
    ID_SIZE = 8
};

struct LSM_STORE {
    struct lsm lsm;
    const struct bench_records *records;
};

static void put_id(uint8_t out[ID_SIZE], uint64_t id)
{
    for (int k = 0; k < ID_SIZE; k++) {
        out[k] = (uint8_t)(id >> (56 - 8 * k));
    }
}

static void store_open(struct LSM_STORE *s, const char *dir, const struct bench_records *records,
        bool fresh, bool sync)
{
    char path[BENCH_PATH_SIZE];

    bench_path(path, dir, LSM_DIRECTORY);
    s->records = records;
    lsm_open(&s->lsm, path, fresh, sync);
}

/* From any thread. */
static void put(void *arg, size_t number)
{
    struct LSM_STORE *s = arg;
    uint8_t id[ID_SIZE];
    char *error = NULL;

    put_id(id, number + 1);
    LSM(put)
    (s->lsm.db, s->lsm.write, (const char *)id, sizeof id,
            (const char *)bench_record(s->records, number), s->records->size, &error);
    check(error, "put");
}

double LSM_RECORDS(append)(
        const char *dir, const struct bench_records *records, int threads, double seconds)
{
    struct LSM_STORE s;
    double rate;

    bench_fresh_dir(dir);
    store_open(&s, dir, records, true, true);
    rate = bench_per_second(threads, seconds, put, &s);
    lsm_close(&s.lsm);
    bench_remove_dir(dir);
    return rate;
}

double LSM_RECORDS(put)(const char *dir, const struct bench_records *records)
{
    struct LSM_STORE s;
    double start;
    double seconds;

    bench_fresh_dir(dir);
    store_open(&s, dir, records, true, false);
    start = bench_now();
    for (size_t i = 0; i < records->count; i++) {
        put(&s, i);
    }
    seconds = bench_now() - start;
    lsm_close(&s.lsm);
    bench_remove_dir(dir);
    return seconds;
}

/* ---- Reading. ---- */

struct LSM_STORE *LSM_RECORDS(open)(
        const char *dir, const struct bench_records *records, bool fresh)
{
    struct LSM_STORE *db = calloc(1, sizeof *db);

    if (db == NULL) {
        bench_die("out of memory");
    }
    store_open(db, dir, records, fresh, false);
    if (fresh) {
        for (size_t i = 0; i < records->count; i++) {
            put(db, i);
        }
        LSM(compact_range)(db->lsm.db, NULL, 0, NULL, 0);
    }
    return db;
}

double LSM_RECORDS(scan)(struct LSM_STORE *db, const struct bench_records *records)
{
    static volatile uint64_t sink;
    double start = bench_now();
    uint64_t seen = 0;
    size_t count = lsm_scan(&db->lsm, &seen);

    sink = seen;
    (void)sink;
    if (count != records->count) {
        bench_die(LSM_NAME ": %zu records of %zu", count, records->count);
    }
    return bench_now() - start;
}

double LSM_RECORDS(get)(struct LSM_STORE *db, const struct bench_records *records, size_t count)
{
    uint64_t state = 8;
    double start = bench_now();

    for (size_t i = 0; i < count; i++) {
        uint8_t id[ID_SIZE];
        char *error = NULL;
        size_t len = 0;
        char *value;

        put_id(id, 1 + bench_random(&state) % records->count);
        value = LSM(get)(db->lsm.db, db->lsm.read, (const char *)id, sizeof id, &len, &error);
        check(error, "get");
        if (value == NULL || len != records->size) {
            bench_die(LSM_NAME ": not found");
        }
        LSM(free)(value);
    }
    return bench_now() - start;
}

void LSM_RECORDS(close)(struct LSM_STORE *db)
{
    lsm_close(&db->lsm);
    free(db);
}

#endif /* BENCH_RECORDS_LSM_H */
