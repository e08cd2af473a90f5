/* SPDX-License-Identifier: MIT
 *
 * Reading a stream from one end to the other, 1,000 messages a call.
 *
 * Hot: the stream was read before through the same handle. First: through a
 * new handle, which maps the files, and verifies each message. Every side
 * looks at the first byte of each key and value, so that a message that was
 * only pointed at is paid for.
 */
#include "lib/peers.h"
#include "lib/stream.h"

#include <stdio.h>

enum {
    BATCH = 1000
};

struct work {
    size_t count;
    char dir[BENCH_PATH_SIZE];
    stele_stream *s;
    stele_messages *ms;
    struct peer_redis *redis;
    struct peer_lmdb *lmdb;
    struct peer_floor *floor;
};

static volatile uint64_t sink;

static double consume(struct work *w, stele_stream *s)
{
    int64_t offset = STELE_OFFSET_OLDEST;
    double start = bench_now();
    uint64_t seen = 0;
    size_t count = 0;
    stele_error err;

    for (;;) {
        int64_t next;
        size_t n;

        bench_check(stele_stream_consume(s, offset, BATCH, w->ms, &next, &err), &err, "consume");
        n = stele_messages_count(w->ms);
        if (n == 0) {
            break;
        }
        for (size_t i = 0; i < n; i++) {
            const stele_message *m = stele_messages_at(w->ms, i);

            seen += (uint64_t)m->key.data[0] + m->value.data[0];
        }
        count += n;
        offset = next;
    }
    sink = seen;
    (void)sink;
    if (count != w->count) {
        bench_die("%zu messages of %zu", count, w->count);
    }
    return 1e9 * (bench_now() - start) / (double)count;
}

static double hot(void *arg)
{
    struct work *w = arg;

    return consume(w, w->s);
}

static double first(void *arg)
{
    struct work *w = arg;
    stele_stream *s = bench_stream_open(w->dir, true, false);
    double ns = consume(w, s);

    bench_stream_close(s);
    return ns;
}

static double redis(void *arg)
{
    struct work *w = arg;

    return 1e9 * peer_redis_range(w->redis, BATCH) / (double)peer_redis_count(w->redis);
}

static double lmdb(void *arg)
{
    struct work *w = arg;

    return 1e9 * peer_lmdb_scan(w->lmdb) / (double)w->count;
}

static double floor_(void *arg)
{
    struct work *w = arg;

    return 1e9 * peer_floor_scan(w->floor) / (double)w->count;
}

int main(int argc, char **argv)
{
    static const struct bench_row row_hot = {
            "consume, hot, 1,000 a call", "ns/message", 15, false, NULL, 125};
    static const struct bench_row row_first = {"consume, first time", "ns/message", 0, false,
            "maps the files and verifies each message", 290};
    struct bench_args args;
    struct bench_data data;
    struct bench_data part;
    struct work w = {0};
    char peers[BENCH_PATH_SIZE];
    stele_error err;

    bench_args_parse(&args, argc, argv);
    if (!bench_wanted(&args, row_hot.work) && !bench_wanted(&args, row_first.work)) {
        return 0;
    }
    bench_data_make(&data, args.messages, 0);
    w.count = data.count;
    part = data;
    part.count = data.count / 4;
    bench_path(w.dir, args.dir, "consume");
    bench_path(peers, args.dir, "consume.peers");
    bench_fresh_dir(peers);
    bench_stream_make(w.dir, &data);
    w.redis = peer_redis_open(peers);
    (void)peer_redis_fill(w.redis, &part);
    w.lmdb = peer_lmdb_open(peers, &data, false);
    w.floor = peer_floor_open(peers, &data);
    bench_check(stele_messages_new(&w.ms, &err), &err, "messages");
    w.s = bench_stream_open(w.dir, true, false);
    (void)hot(&w);
    bench_contest(&args, &row_hot,
            (struct bench_side[]){{"stele", hot, &w}, {"Redis XRANGE", redis, &w},
                    {"LMDB cursor", lmdb, &w}, {"floor: walk a map", floor_, &w}},
            4);
    bench_stream_close(w.s);
    bench_contest(&args, &row_first, (struct bench_side[]){{"stele", first, &w}}, 1);
    stele_messages_free(w.ms);
    peer_redis_close(w.redis);
    peer_lmdb_close(w.lmdb);
    peer_floor_close(w.floor);
    bench_remove_dir(w.dir);
    bench_remove_dir(peers);
    bench_data_free(&data);
    return 0;
}
