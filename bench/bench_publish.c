/* SPDX-License-Identifier: MIT
 *
 * Publishing into the page cache: without a sync, so that what was published
 * survives the process, not a power cut. Peers get the same bytes under the
 * same promise; Redis, which is another process, keeps them in memory only.
 */
#include "lib/peers.h"
#include "lib/stream.h"

#include <stdio.h>
#include <stdlib.h>

struct work {
    const struct bench_args *args;
    const struct bench_data *data;
    struct bench_data part; /* the first so many: enough for the slower ones */
    bool indexes;
    size_t batch;
    double *calls; /* how long each call took, in ns */
    char dir[BENCH_PATH_SIZE];
};

static double publish(void *arg)
{
    struct work *w = arg;
    stele_stream *s;
    double seconds;

    bench_remove_dir(w->dir);
    s = bench_stream_open(w->dir, w->indexes, false);
    seconds = bench_stream_fill(s, w->data, w->batch);
    bench_stream_close(s);
    bench_remove_dir(w->dir);
    return 1e9 * seconds / (double)w->data->count;
}

static double peer(const struct work *w, double (*put)(const char *, const struct bench_data *))
{
    double seconds;

    bench_fresh_dir(w->dir);
    seconds = put(w->dir, &w->part);
    bench_remove_dir(w->dir);
    return 1e9 * seconds / (double)w->part.count;
}

static double rocksdb(void *arg)
{
    return peer(arg, peer_rocksdb_put);
}

static double leveldb(void *arg)
{
    return peer(arg, peer_leveldb_put);
}

static double redis(void *arg)
{
    return peer(arg, peer_redis_add);
}

static double floor_(void *arg)
{
    return peer(arg, peer_floor_put);
}

/* ---- How long single calls take. ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double at_quantile(const struct work *w, double q)
{
    return w->calls[(size_t)(q * (double)(w->data->count - 1))];
}

static void latency(struct work *w)
{
    static const struct {
        const char *work;
        double quantile;
    } rows[] = {{"publish, one call: median", 0.5}, {"publish, one call: 99 of 100 within", 0.99},
            {"publish, one call: 999 of 1,000 within", 0.999}, {"publish, one call: slowest", 1}};

    double figures[4][99];
    stele_error err;

    if (!bench_wanted(w->args, rows[0].work)) {
        return;
    }
    (void)fprintf(stderr, "  publish, one call\n");
    w->calls = malloc(w->data->count * sizeof *w->calls);
    if (w->calls == NULL) {
        bench_die("out of memory");
    }
    for (int round = 0; round < w->args->rounds; round++) {
        stele_stream *s;
        double before;

        bench_remove_dir(w->dir);
        s = bench_stream_open(w->dir, true, false);
        before = bench_now();
        for (size_t i = 0; i < w->data->count; i++) {
            stele_message m = bench_message(w->data, i);
            double now;

            bench_check(stele_stream_publish(s, &m, 1, NULL, &err), &err, "publish");
            now = bench_now();
            w->calls[i] = 1e9 * (now - before);
            before = now;
        }
        bench_stream_close(s);
        bench_remove_dir(w->dir);
        qsort(w->calls, w->data->count, sizeof *w->calls, compare);
        for (size_t i = 0; i < 4; i++) {
            figures[i][round] = at_quantile(w, rows[i].quantile);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        struct bench_row row = {rows[i].work, "ns", 0, false, "the clock included", 0};

        bench_report(&row, "stele", figures[i], (size_t)w->args->rounds);
    }
    free(w->calls);
}

int main(int argc, char **argv)
{
    static const struct bench_row plain = {
            "publish, no index, 1 a call", "ns/message", 60, false, NULL, 2500};
    static const struct bench_row both = {
            "publish, both indexes, 1 a call", "ns/message", 120, false, NULL, 3100};
    static const struct bench_row plain_100 = {
            "publish, no index, 100 a call", "ns/message", 0, false, NULL, 0};
    static const struct bench_row both_100 = {
            "publish, both indexes, 100 a call", "ns/message", 0, false, NULL, 0};
    struct bench_args args;
    struct bench_data data;
    struct work w = {.args = &args, .data = &data, .batch = 1};
    struct work w_both;
    struct work w_100;
    struct work w_both_100;

    bench_args_parse(&args, argc, argv);
    bench_data_make(&data, args.messages, 0);
    bench_path(w.dir, args.dir, "publish");
    w.part = data;
    w.part.count = data.count / 4;
    w_both = w;
    w_both.indexes = true;
    w_100 = w;
    w_100.batch = 100;
    w_both_100 = w_both;
    w_both_100.batch = 100;
    bench_contest(&args, &plain,
            (struct bench_side[]){{"stele", publish, &w}, {"RocksDB", rocksdb, &w},
                    {"LevelDB", leveldb, &w}, {"Redis, pipelined", redis, &w},
                    {"floor: map, copy, CRC", floor_, &w}},
            5);
    bench_contest(&args, &both, (struct bench_side[]){{"stele", publish, &w_both}}, 1);
    bench_contest(&args, &plain_100, (struct bench_side[]){{"stele", publish, &w_100}}, 1);
    bench_contest(&args, &both_100, (struct bench_side[]){{"stele", publish, &w_both_100}}, 1);
    latency(&w);
    bench_data_free(&data);
    return 0;
}
