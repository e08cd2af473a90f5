/* SPDX-License-Identifier: MIT
 *
 * pairs_stele.c: pairs in a store, in one bucket, with the default options.
 */
#include <stele/store.h>

#include "lib/pairs.h"

#include <stdlib.h>
#include <string.h>

enum {
    AN_HOUR_MS = 3600000
};

struct db {
    stele_store *s;
    const struct pairs *pairs;
    bool sync;
};

volatile uint64_t pairs_sink;

static const stele_bytes bucket = {(const uint8_t *)"pairs", 5};

static void *open_db(const char *dir, const struct pairs *pairs, enum pair_sync sync)
{
    struct db *db = calloc(1, sizeof *db);
    stele_store_batch *batch = NULL;
    stele_store_options opts;
    stele_error err;

    if (db == NULL) {
        bench_die("out of memory");
    }
    db->pairs = pairs;
    db->sync = sync == PAIR_SYNCED;
    stele_store_options_init(&opts);
    opts.create_dirs = true;
    if (sync == PAIR_WAITING) {
        opts.batch_limit = UINT32_MAX;
        opts.batch_interval_ms = AN_HOUR_MS;
    }
    bench_check(stele_store_open(&db->s, dir, &opts, &err), &err, "open");
    bench_check(stele_store_batch_begin(&batch, db->s, NULL, &err), &err, "begin");
    bench_check(stele_store_batch_create_bucket(batch, bucket, &err), &err, "create");
    bench_check(stele_store_batch_commit_and_stop(batch, &err), &err, "commit");
    return db;
}

static void put(void *arg, size_t first, size_t count)
{
    struct db *db = arg;
    stele_store_batch *batch = NULL;
    stele_error err;

    bench_check(stele_store_batch_begin(&batch, db->s, NULL, &err), &err, "begin");
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[PAIR_SIZE];
        stele_bytes key = {bytes, PAIR_KEY_SIZE};
        stele_bytes value = {bytes + PAIR_KEY_SIZE, PAIR_VALUE_SIZE};

        pair_make(db->pairs, first + i, bytes);
        bench_check(db->pairs->ascending
                            ? stele_store_batch_put_seq(batch, bucket, key, value, &err)
                            : stele_store_batch_put(batch, bucket, key, value, &err),
                &err, "put");
    }
    bench_check(db->sync ? stele_store_batch_end_durable(batch, &err)
                         : stele_store_batch_end(batch, &err),
            &err, "end");
}

static void finish(void *arg)
{
    struct db *db = arg;
    stele_error err;

    bench_check(stele_store_commit(db->s, &err), &err, "commit");
}

static void get(void *arg, size_t count)
{
    struct db *db = arg;
    uint64_t state = 5;
    uint64_t seen = 0;

    for (size_t i = 0; i < count; i++) {
        stele_store_read *read = NULL;
        stele_bytes value;
        stele_error err;
        uint8_t bytes[PAIR_SIZE];

        pair_make(db->pairs, (size_t)(bench_random(&state) % db->pairs->count), bytes);
        bench_check(stele_store_read_begin(&read, db->s, &err), &err, "begin");
        bench_check(stele_store_read_get(
                            read, bucket, stele_bytes_of(bytes, PAIR_KEY_SIZE), &value, &err),
                &err, "get");
        seen += value.data[0];
        stele_store_read_end(read);
    }
    pairs_sink = seen;
}

struct scan {
    size_t count;
    uint64_t seen;
};

static stele_code each(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct scan *scan = arg;

    (void)err;
    scan->seen += (uint64_t)key.data[0] + value.data[0];
    scan->count++;
    return STELE_OK;
}

static size_t scan(void *arg)
{
    struct db *db = arg;
    struct scan scan = {0};
    stele_store_read *read = NULL;
    stele_error err;

    bench_check(stele_store_read_begin(&read, db->s, &err), &err, "begin");
    bench_check(stele_store_read_for_each(read, bucket, each, &scan, &err), &err, "scan");
    stele_store_read_end(read);
    pairs_sink = scan.seen;
    return scan.count;
}

static void close_db(void *arg)
{
    struct db *db = arg;
    stele_error err;

    bench_check(stele_store_close(db->s, &err), &err, "close");
    free(db);
}

struct stele_store *pairs_stele_store(void *db)
{
    return ((struct db *)db)->s;
}

const struct pair_db pairs_stele = {"stele", open_db, put, finish, get, scan, close_db};
