/* SPDX-License-Identifier: MIT
 *
 * puts_lsm.h: puts in LevelDB and in RocksDB, which took over its C interface: the source of both
 * peers. Included once each, with the names of lsm.h, and
 *
 *     LSM_PUTS(x)  a name of puts.h, such as puts_leveldb_##x
 *     LSM_STORE    the struct there, such as puts_leveldb
 */
#ifndef BENCH_PUTS_LSM_H
#define BENCH_PUTS_LSM_H

#include "lib/lsm_scan.h"
#include "lib/puts.h"

#include <stdlib.h>

struct LSM_STORE {
    struct lsm lsm;
    const struct bench_puts *puts;
};

static void store_open(
        struct LSM_STORE *s, const char *dir, const struct bench_puts *puts, bool sync)
{
    char path[BENCH_PATH_SIZE];

    bench_path(path, dir, LSM_DIRECTORY);
    s->puts = puts;
    lsm_open(&s->lsm, path, true, sync);
}

/* From any thread. */
static void put(void *arg, size_t number)
{
    struct LSM_STORE *s = arg;
    uint8_t bytes[BENCH_PUT_SIZE];
    char *error = NULL;

    bench_put(s->puts, number, bytes);
    LSM(put)
    (s->lsm.db, s->lsm.write, (const char *)bytes, BENCH_PUT_KEY_SIZE,
            (const char *)bytes + BENCH_PUT_KEY_SIZE, BENCH_PUT_VALUE_SIZE, &error);
    check(error, "put");
}

static double put_all(struct LSM_STORE *s)
{
    double start = bench_now();

    for (size_t i = 0; i < s->puts->count; i++) {
        put(s, i);
    }
    return bench_now() - start;
}

static double compact(struct LSM_STORE *s)
{
    double start = bench_now();

    LSM(compact_range)(s->lsm.db, NULL, 0, NULL, 0);
    return bench_now() - start;
}

double LSM_PUTS(put)(const char *dir, const struct bench_puts *puts)
{
    struct LSM_STORE s;
    double seconds;

    bench_fresh_dir(dir);
    store_open(&s, dir, puts, false);
    seconds = put_all(&s);
    lsm_close(&s.lsm);
    bench_remove_dir(dir);
    return seconds;
}

double LSM_PUTS(sync)(const char *dir, const struct bench_puts *puts, int threads, double seconds)
{
    struct LSM_STORE s;
    double rate;

    bench_fresh_dir(dir);
    store_open(&s, dir, puts, true);
    rate = bench_per_second(threads, seconds, put, &s);
    lsm_close(&s.lsm);
    bench_remove_dir(dir);
    return rate;
}

double LSM_PUTS(compact)(const char *dir, const struct bench_puts *puts)
{
    struct LSM_STORE s;
    double seconds;

    bench_fresh_dir(dir);
    store_open(&s, dir, puts, false);
    (void)put_all(&s);
    seconds = compact(&s);
    lsm_close(&s.lsm);
    bench_remove_dir(dir);
    return seconds;
}

struct LSM_STORE *LSM_PUTS(open)(const char *dir, const struct bench_puts *puts)
{
    struct LSM_STORE *db = calloc(1, sizeof *db);

    if (db == NULL) {
        bench_die("out of memory");
    }
    store_open(db, dir, puts, false);
    (void)put_all(db);
    (void)compact(db);
    return db;
}

double LSM_PUTS(scan)(struct LSM_STORE *db)
{
    static volatile uint64_t sink;
    double start = bench_now();
    uint64_t seen = 0;
    size_t count = lsm_scan(&db->lsm, &seen);

    sink = seen;
    (void)sink;
    if (count != db->puts->keys) {
        bench_die(LSM_NAME ": %zu keys of %zu", count, db->puts->keys);
    }
    return bench_now() - start;
}

void LSM_PUTS(close)(struct LSM_STORE *db)
{
    lsm_close(&db->lsm);
    free(db);
}

#endif /* BENCH_PUTS_LSM_H */
