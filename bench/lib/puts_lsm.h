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

#include "lib/puts.h"

#include <stdlib.h>

struct LSM_STORE {
    LSM(t) * db;
    LSM(options_t) * options;
    LSM(writeoptions_t) * write;
    LSM(readoptions_t) * read;
    const struct bench_puts *puts;
};

static void check(char *error, const char *what)
{
    if (error != NULL) {
        bench_die(LSM_NAME ": %s: %s", what, error);
    }
}

static void store_open(
        struct LSM_STORE *s, const char *dir, const struct bench_puts *puts, bool sync)
{
    char path[BENCH_PATH_SIZE];
    char *error = NULL;

    bench_path(path, dir, LSM_DIRECTORY);
    bench_fresh_dir(path);
    s->puts = puts;
    s->options = LSM(options_create)();
    LSM(options_set_create_if_missing)(s->options, 1);
    s->write = LSM(writeoptions_create)();
    LSM(writeoptions_set_sync)(s->write, sync);
    s->read = LSM(readoptions_create)();
    LSM(readoptions_set_verify_checksums)(s->read, 1);
    s->db = LSM(open)(s->options, path, &error);
    check(error, "open");
}

static void store_close(struct LSM_STORE *s)
{
    LSM(close)(s->db);
    LSM(readoptions_destroy)(s->read);
    LSM(writeoptions_destroy)(s->write);
    LSM(options_destroy)(s->options);
}

/* From any thread. */
static void put(void *arg, size_t number)
{
    struct LSM_STORE *s = arg;
    uint8_t bytes[BENCH_PUT_SIZE];
    char *error = NULL;

    bench_put(s->puts, number, bytes);
    LSM(put)
    (s->db, s->write, (const char *)bytes, BENCH_PUT_KEY_SIZE,
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

    LSM(compact_range)(s->db, NULL, 0, NULL, 0);
    return bench_now() - start;
}

double LSM_PUTS(put)(const char *dir, const struct bench_puts *puts)
{
    struct LSM_STORE s;
    double seconds;

    bench_fresh_dir(dir);
    store_open(&s, dir, puts, false);
    seconds = put_all(&s);
    store_close(&s);
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
    store_close(&s);
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
    store_close(&s);
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
    LSM(iterator_t) *it = LSM(create_iterator)(db->db, db->read);
    uint64_t seen = 0;
    size_t count = 0;

    for (LSM(iter_seek_to_first)(it); LSM(iter_valid)(it) != 0; LSM(iter_next)(it)) {
        size_t key_len = 0;
        size_t len = 0;
        const char *key = LSM(iter_key)(it, &key_len);
        const char *value = LSM(iter_value)(it, &len);

        seen += (uint64_t)(uint8_t)key[0] + (uint8_t)value[0];
        count++;
    }
    LSM(iter_destroy)(it);
    sink = seen;
    (void)sink;
    if (count != db->puts->keys) {
        bench_die(LSM_NAME ": %zu keys of %zu", count, db->puts->keys);
    }
    return bench_now() - start;
}

void LSM_PUTS(close)(struct LSM_STORE *db)
{
    store_close(db);
    free(db);
}

#endif /* BENCH_PUTS_LSM_H */
