/* SPDX-License-Identifier: MIT
 *
 * Finding single messages in a stream, at random, with everything in the page
 * cache; and what memory that takes.
 */
#include "lib/peers.h"
#include "lib/stream.h"

#include <stdio.h>

enum {
    LOOKUPS = 200000
};

struct work {
    const struct bench_data *data;
    size_t lookups;
    char dir[BENCH_PATH_SIZE];
    stele_stream *s;
    stele_messages *ms;
    struct peer_lmdb *lmdb_log;
    struct peer_lmdb *lmdb;
    struct peer_leveldb *leveldb;
    struct peer_sqlite *sqlite;
    struct peer_floor *floor;
    double memory; /* of the last round of first() */
};

static double per_lookup(const struct work *w, double seconds)
{
    return 1e9 * seconds / (double)w->lookups;
}

static double by_offset(void *arg)
{
    struct work *w = arg;
    uint64_t state = 1;
    double start = bench_now();
    stele_error err;

    for (size_t i = 0; i < w->lookups; i++) {
        int64_t offset = (int64_t)(bench_random(&state) % w->data->count);

        bench_check(stele_stream_get(w->s, offset, w->ms, &err), &err, "get");
        if (stele_messages_at(w->ms, 0)->offset != offset) {
            bench_die("not the message of offset %lld", (long long)offset);
        }
    }
    return per_lookup(w, bench_now() - start);
}

static double by_time(void *arg)
{
    struct work *w = arg;
    uint64_t state = 2;
    double start = bench_now();
    stele_error err;

    for (size_t i = 0; i < w->lookups; i++) {
        size_t n = (size_t)(bench_random(&state) % w->data->count);
        stele_time time = BENCH_TIME_0 + (stele_time)n * BENCH_STEP_US;

        bench_check(stele_stream_get_by_time(w->s, time, w->ms, &err), &err, "get by time");
        if (stele_messages_at(w->ms, 0)->offset != (int64_t)n) {
            bench_die("not the message of time %zu", n);
        }
    }
    return per_lookup(w, bench_now() - start);
}

static double by_key(void *arg)
{
    struct work *w = arg;
    uint64_t state = 3;
    double start = bench_now();
    stele_error err;

    for (size_t i = 0; i < w->lookups; i++) {
        size_t n = (size_t)(bench_random(&state) % w->data->count);

        bench_check(stele_stream_get_by_key(w->s,
                            stele_bytes_of(bench_key(w->data, n), BENCH_KEY_SIZE), w->ms, &err),
                &err, "get by key");
        if (stele_messages_at(w->ms, 0)->offset != (int64_t)n) {
            bench_die("not the message of key %zu", n);
        }
    }
    return per_lookup(w, bench_now() - start);
}

static double by_missing_key(void *arg)
{
    struct work *w = arg;
    uint64_t state = 4;
    double start = bench_now();

    for (size_t i = 0; i < w->lookups; i++) {
        uint8_t key[BENCH_KEY_SIZE];

        bench_key_missing(key, (size_t)(bench_random(&state) % w->data->count));
        if (stele_stream_get_by_key(w->s, stele_bytes_of(key, sizeof key), w->ms, NULL) !=
                STELE_ENOTFOUND) {
            bench_die("a key that no message has was found");
        }
    }
    return per_lookup(w, bench_now() - start);
}

/* The first look-up by key after open, for a key in the oldest segment: it
 * has to look into all of them. */
static double first(void *arg)
{
    struct work *w = arg;
    double before = bench_memory_malloc();
    stele_stream *s = bench_stream_open(w->dir, true, false);
    double start = bench_now();
    double seconds;
    stele_error err;

    bench_check(stele_stream_get_by_key(
                        s, stele_bytes_of(bench_key(w->data, 0), BENCH_KEY_SIZE), w->ms, &err),
            &err, "first look-up");
    seconds = bench_now() - start;
    for (size_t i = 0; i < w->data->count; i += 1000) {
        bench_check(stele_stream_get(s, (int64_t)i, w->ms, &err), &err, "get");
    }
    w->memory = bench_memory_malloc() - before;
    stele_messages_clear(w->ms);
    bench_stream_close(s);
    return 1e3 * seconds;
}

static double memory(void *arg)
{
    struct work *w = arg;

    (void)first(w);
    return w->memory / (1 << 20);
}

static double floor_(void *arg)
{
    struct work *w = arg;

    return per_lookup(w, peer_floor_look(w->floor, w->lookups));
}

static double lmdb_by_offset(void *arg)
{
    struct work *w = arg;

    return per_lookup(w, peer_lmdb_get(w->lmdb_log, w->data, w->lookups, false));
}

static double lmdb_by_key(void *arg)
{
    struct work *w = arg;

    return per_lookup(w, peer_lmdb_get(w->lmdb, w->data, w->lookups, false));
}

static double lmdb_missing(void *arg)
{
    struct work *w = arg;

    return per_lookup(w, peer_lmdb_get(w->lmdb, w->data, w->lookups, true));
}

static double leveldb_by_key(void *arg)
{
    struct work *w = arg;

    return per_lookup(w, peer_leveldb_get(w->leveldb, w->data, w->lookups));
}

static double sqlite_by_time(void *arg)
{
    struct work *w = arg;

    return per_lookup(w, peer_sqlite_by_time(w->sqlite, w->data, w->lookups));
}

static double sqlite_by_key(void *arg)
{
    struct work *w = arg;

    return per_lookup(w, peer_sqlite_by_key(w->sqlite, w->data, w->lookups));
}

static void run(const struct bench_args *args, struct work *w)
{
    static const struct bench_row offset = {
            "1 M: get by offset", "ns/look-up", 60, false, NULL, 1460};
    static const struct bench_row time = {"1 M: get by time", "ns/look-up", 300, false, NULL, 4150};
    static const struct bench_row key = {
            "1 M: get by key that is there", "ns/look-up", 1000, false, NULL, 12000};
    static const struct bench_row missing = {
            "1 M: get by key that is missing", "ns/look-up", 500, false, NULL, 14000};
    static const struct bench_row row_first = {
            "1 M: first look-up by key after open", "ms", 10, false, NULL, 380};
    static const struct bench_row row_memory = {"1 M: own memory after look-ups everywhere", "MiB",
            16, false, "what malloc() gave", 178};

    bench_contest(args, &offset,
            (struct bench_side[]){{"stele", by_offset, w}, {"LMDB", lmdb_by_offset, w},
                    {"floor: table, then a map", floor_, w}},
            3);
    bench_contest(args, &time,
            (struct bench_side[]){{"stele", by_time, w}, {"SQLite, indexed", sqlite_by_time, w}},
            2);
    bench_contest(args, &key,
            (struct bench_side[]){{"stele", by_key, w}, {"LMDB", lmdb_by_key, w},
                    {"LevelDB", leveldb_by_key, w}, {"SQLite, indexed", sqlite_by_key, w}},
            4);
    bench_contest(args, &missing,
            (struct bench_side[]){{"stele", by_missing_key, w}, {"LMDB", lmdb_missing, w}}, 2);
    bench_stream_close(w->s);
    w->s = NULL;
    bench_contest(args, &row_first, (struct bench_side[]){{"stele", first, w}}, 1);
    bench_contest(args, &row_memory, (struct bench_side[]){{"stele", memory, w}}, 1);
}

int main(int argc, char **argv)
{
    struct bench_args args;
    struct bench_data data;
    struct work w = {.data = &data};
    char peers[BENCH_PATH_SIZE];
    char log[BENCH_PATH_SIZE];
    stele_error err;

    bench_args_parse(&args, argc, argv);
    bench_data_make(&data, args.messages, 0);
    w.lookups = data.count < LOOKUPS ? data.count : LOOKUPS;
    bench_path(w.dir, args.dir, "lookup");
    bench_path(peers, args.dir, "lookup.peers");
    bench_fresh_dir(peers);
    bench_path(log, peers, "log");
    bench_fresh_dir(log);
    bench_stream_make(w.dir, &data);
    w.lmdb_log = peer_lmdb_open(log, &data, false);
    w.lmdb = peer_lmdb_open(peers, &data, true);
    w.leveldb = peer_leveldb_open(peers, &data);
    w.sqlite = peer_sqlite_open(peers, &data);
    w.floor = peer_floor_open(peers, &data);
    bench_check(stele_messages_new(&w.ms, &err), &err, "messages");
    w.s = bench_stream_open(w.dir, true, false);
    (void)by_offset(&w);
    (void)by_key(&w);
    run(&args, &w);
    stele_messages_free(w.ms);
    peer_lmdb_close(w.lmdb_log);
    peer_lmdb_close(w.lmdb);
    peer_leveldb_close(w.leveldb);
    peer_sqlite_close(w.sqlite);
    peer_floor_close(w.floor);
    bench_remove_dir(w.dir);
    bench_remove_dir(peers);
    bench_data_free(&data);
    return 0;
}
