/* SPDX-License-Identifier: MIT
 *
 * Publishing so that each message survives a power cut before the call
 * returns, from one thread and from 16. "Raw" is what the disk can do: a
 * message written into a file of the right size, and fdatasync(), again and again.
 */
#include "lib/peers.h"
#include "lib/stream.h"

enum {
    MANY = 16
};

#define SECONDS 0.6

struct work {
    const struct bench_data *data;
    int threads;
    char dir[BENCH_PATH_SIZE];
    stele_stream *s;
};

static void publish_one(void *arg, size_t number)
{
    struct work *w = arg;
    stele_message m = bench_message(w->data, number % w->data->count);
    stele_error err;

    m.time = BENCH_TIME_0;
    bench_check(stele_stream_publish(w->s, &m, 1, NULL, &err), &err, "publish");
}

static double publish(void *arg)
{
    struct work *w = arg;
    double rate;

    bench_remove_dir(w->dir);
    w->s = bench_stream_open(w->dir, false, true);
    rate = bench_per_second(w->threads, SECONDS, publish_one, w);
    bench_stream_close(w->s);
    bench_remove_dir(w->dir);
    return rate;
}

static double raw(void *arg)
{
    struct work *w = arg;

    bench_fresh_dir(w->dir);
    return peer_floor_sync(w->dir, w->data, SECONDS);
}

static double leveldb(void *arg)
{
    struct work *w = arg;

    bench_fresh_dir(w->dir);
    return peer_leveldb_sync(w->dir, w->data, w->threads, SECONDS);
}

static double rocksdb(void *arg)
{
    struct work *w = arg;

    bench_fresh_dir(w->dir);
    return peer_rocksdb_sync(w->dir, w->data, w->threads, SECONDS);
}

static double sqlite(void *arg)
{
    struct work *w = arg;

    bench_fresh_dir(w->dir);
    return peer_sqlite_sync(w->dir, w->data, SECONDS);
}

int main(int argc, char **argv)
{
    static const struct bench_row row_1 = {
            "durable publish, 1 thread", "/s", 0, true, "aim: 0.95 x raw", 3500};
    static const struct bench_row row_16 = {
            "durable publish, 16 threads", "/s", 50000, true, NULL, 0};
    struct bench_args args;
    struct bench_data data;
    struct work one = {.data = &data, .threads = 1};
    struct work many;

    bench_args_parse(&args, argc, argv);
    bench_data_make(&data, args.messages, 0);
    bench_path(one.dir, args.dir, "durable");
    many = one;
    many.threads = MANY;
    bench_contest(&args, &row_1,
            (struct bench_side[]){{"stele", publish, &one}, {"raw fdatasync", raw, &one},
                    {"LevelDB", leveldb, &one}, {"SQLite", sqlite, &one}},
            4);
    bench_contest(&args, &row_16,
            (struct bench_side[]){{"stele", publish, &many}, {"LevelDB", leveldb, &many},
                    {"RocksDB", rocksdb, &many}},
            3);
    bench_remove_dir(one.dir);
    bench_data_free(&data);
    return 0;
}
