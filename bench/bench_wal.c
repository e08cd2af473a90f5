/* SPDX-License-Identifier: MIT
 *
 * The write-ahead log: appends that are durable when they return, from one thread
 * and from 16; asynchronous ones; reading all of it, and single records; opening it.
 *
 * "Raw" is what the disk can do: a record of the same size written into a file whose blocks
 * are reserved (or were written before), and fdatasync(), again and again. The reference's format
 * cannot have such blocks: beside it stands a file that grows. Reading is hot: the files were read
 * before. Checksums are verified by all sides.
 */
#include "lib/records.h"

#include <stdio.h>

enum {
    MANY = 16,
    SMALL = 128,
    LARGE = 4096,
    FRAME = 24, /* of each record, format stele */
    BLB_FRAME = 16,
    READS = 100000,
    OPEN_SEGMENT = 64 << 10,
    TURN = 20 /* appends, before it is the other side's turn */
};

#define SECONDS 0.5

struct work {
    struct bench_records records;
    int threads;
    char dir[BENCH_PATH_SIZE];
    char blb_dir[BENCH_PATH_SIZE];
    char peers[BENCH_PATH_SIZE];
    stele_wal *w;
    stele_wal *blb;
    struct records_leveldb *leveldb;
    struct records_rocksdb *rocksdb;
    struct records_floor *floor;
    size_t reads;
    double call_ns; /* of the last round of async() */
};

/* ---- Appending. ---- */

static double append(void *arg)
{
    struct work *w = arg;

    return bench_wal_append(w->dir, STELE_WAL_STELE, &w->records, w->threads, SECONDS);
}

static double raw(void *arg)
{
    struct work *w = arg;

    return records_floor_append(w->dir, &w->records, FRAME, RECORDS_FILE_ALLOCATED, SECONDS);
}

static double raw_written(void *arg)
{
    struct work *w = arg;

    return records_floor_append(w->dir, &w->records, FRAME, RECORDS_FILE_WRITTEN, SECONDS);
}

static double leveldb_append(void *arg)
{
    struct work *w = arg;

    return records_leveldb_append(w->peers, &w->records, w->threads, SECONDS);
}

static double rocksdb_append(void *arg)
{
    struct work *w = arg;

    return records_rocksdb_append(w->peers, &w->records, w->threads, SECONDS);
}

static double append_blb(void *arg)
{
    struct work *w = arg;

    return bench_wal_append(w->dir, STELE_WAL_BLB, &w->records, w->threads, SECONDS);
}

static double raw_growing(void *arg)
{
    struct work *w = arg;

    return records_floor_append(w->dir, &w->records, BLB_FRAME, RECORDS_FILE_GROWS, SECONDS);
}

/* Both in short turns, so that what the machine does meanwhile meets both alike. */
static double over(
        const struct work *w, stele_wal_format format, size_t head, enum records_file file)
{
    struct records_raw *other;
    stele_wal *own;
    double seconds[2] = {0, 0};
    size_t number = 0;

    bench_fresh_dir(w->dir);
    bench_fresh_dir(w->peers);
    own = bench_wal_open(w->dir, format, 0);
    other = records_raw_open(w->peers, &w->records, head, file);
    while (seconds[0] + seconds[1] < 2 * SECONDS) {
        double start = bench_now();
        double middle;

        for (int i = 0; i < TURN; i++) {
            bench_wal_append_one(own, &w->records, number++);
        }
        middle = bench_now();
        for (int i = 0; i < TURN; i++) {
            records_raw_append(other);
        }
        seconds[0] += middle - start;
        seconds[1] += bench_now() - middle;
    }
    bench_wal_close(own);
    records_raw_close(other);
    bench_remove_dir(w->dir);
    bench_remove_dir(w->peers);
    return seconds[1] / seconds[0];
}

static double over_raw(void *arg)
{
    return over(arg, STELE_WAL_STELE, FRAME, RECORDS_FILE_ALLOCATED);
}

static double blb_over_growing(void *arg)
{
    return over(arg, STELE_WAL_BLB, BLB_FRAME, RECORDS_FILE_GROWS);
}

/* The two rates are taken one after the other. */
static double over_one_thread(void *arg)
{
    struct work one = *(const struct work *)arg;
    double many = append(arg);

    one.threads = 1;
    return many / append(&one);
}

/* ---- Appending without waiting. ---- */

static double async(void *arg)
{
    struct work *w = arg;
    stele_wal_ticket ticket = 0;
    stele_error err;
    double start;
    double called;
    double done;

    bench_remove_dir(w->dir);
    w->w = bench_wal_open(w->dir, STELE_WAL_STELE, 0);
    start = bench_now();
    for (size_t i = 0; i < w->records.count; i++) {
        stele_wal_record record = {
                .id = i + 1, .data = stele_bytes_of(bench_record(&w->records, i), w->records.size)};

        bench_check(stele_wal_append_async(w->w, &record, 1, &ticket, &err), &err, "append");
    }
    called = bench_now() - start;
    bench_check(stele_wal_wait(w->w, ticket, NULL, &err), &err, "wait");
    done = bench_now() - start;
    bench_wal_close(w->w);
    bench_remove_dir(w->dir);
    w->call_ns = 1e9 * called / (double)w->records.count;
    return (double)w->records.count / done;
}

static double async_call(void *arg)
{
    struct work *w = arg;

    (void)async(w);
    return w->call_ns;
}

static double leveldb_put_ns(void *arg)
{
    struct work *w = arg;

    return 1e9 * records_leveldb_put(w->peers, &w->records) / (double)w->records.count;
}

static double rocksdb_put_ns(void *arg)
{
    struct work *w = arg;

    return 1e9 * records_rocksdb_put(w->peers, &w->records) / (double)w->records.count;
}

static void run_append(const struct bench_args *args)
{
    static const struct bench_row row_1 = {
            "wal: durable append 128 B, 1 thread", "/s", 0, true, NULL, 0};
    static const struct bench_row row_raw = {
            "wal: append over raw fdatasync, in turns", "x", 0.95, true, NULL, 0};
    static const struct bench_row row_16 = {
            "wal: durable append 128 B, 16 threads", "/s", 50000, true, NULL, 0};
    static const struct bench_row row_ratio = {
            "wal: 16 threads over 1 thread", "x", 5, true, NULL, 0};
    static const struct bench_row row_blb = {
            "wal: durable append, format blb, 1 thread", "/s", 0, true, NULL, 0};
    static const struct bench_row row_blb_raw = {
            "wal: blb append over a growing file, in turns", "x", 0, true, NULL, 0};
    static const struct bench_row row_async = {
            "wal: async append 128 B, until durable", "/s", 0, true, "one thread", 0};
    static const struct bench_row row_call = {
            "wal: async append 128 B, the call", "ns/record", 0, false, NULL, 0};
    struct work one = {.threads = 1};
    struct work many;

    bench_records_make(&one.records, args->messages / 4, SMALL);
    bench_path(one.dir, args->dir, "wal.append");
    bench_path(one.peers, args->dir, "wal.append.peers");
    many = one;
    many.threads = MANY;
    bench_contest(args, &row_1,
            (struct bench_side[]){{"stele", append, &one}, {"raw: preallocated", raw, &one},
                    {"raw: written before", raw_written, &one}, {"LevelDB", leveldb_append, &one},
                    {"RocksDB", rocksdb_append, &one}},
            5);
    bench_contest(args, &row_raw, (struct bench_side[]){{"stele", over_raw, &one}}, 1);
    bench_contest(args, &row_16,
            (struct bench_side[]){{"stele", append, &many}, {"LevelDB", leveldb_append, &many},
                    {"RocksDB", rocksdb_append, &many}},
            3);
    bench_contest(args, &row_ratio, (struct bench_side[]){{"stele", over_one_thread, &many}}, 1);
    bench_contest(args, &row_blb,
            (struct bench_side[]){
                    {"stele", append_blb, &one}, {"growing file, fdatasync", raw_growing, &one}},
            2);
    bench_contest(args, &row_blb_raw, (struct bench_side[]){{"stele", blb_over_growing, &one}}, 1);
    bench_contest(args, &row_async, (struct bench_side[]){{"stele", async, &one}}, 1);
    bench_contest(args, &row_call,
            (struct bench_side[]){{"stele", async_call, &one},
                    {"LevelDB, not synced", leveldb_put_ns, &one},
                    {"RocksDB, not synced", rocksdb_put_ns, &one}},
            3);
    bench_records_free(&one.records);
}

/* ---- Reading. ---- */

static double scan_of(const struct work *w, double seconds)
{
    if (w->records.size == LARGE) {
        return 1e-9 * (double)w->records.count * LARGE / seconds; /* GB/s */
    }
    return 1e9 * seconds / (double)w->records.count;
}

static double scan(void *arg)
{
    struct work *w = arg;

    return scan_of(w, bench_wal_scan(w->w, &w->records));
}

static double scan_blb(void *arg)
{
    struct work *w = arg;

    return scan_of(w, bench_wal_scan(w->blb, &w->records));
}

static double scan_leveldb(void *arg)
{
    struct work *w = arg;

    return scan_of(w, records_leveldb_scan(w->leveldb, &w->records));
}

static double scan_rocksdb(void *arg)
{
    struct work *w = arg;

    return scan_of(w, records_rocksdb_scan(w->rocksdb, &w->records));
}

static double floor_read(void *arg)
{
    struct work *w = arg;

    return scan_of(w, records_floor_read(w->floor));
}

static double floor_checksum(void *arg)
{
    struct work *w = arg;

    return scan_of(w, records_floor_checksum(w->floor));
}

static double us_each(const struct work *w, double seconds)
{
    return 1e6 * seconds / (double)w->reads;
}

static double get(void *arg)
{
    struct work *w = arg;

    return us_each(w, bench_wal_get(w->w, &w->records, w->reads));
}

static double get_blb(void *arg)
{
    struct work *w = arg;

    return us_each(w, bench_wal_get(w->blb, &w->records, w->reads));
}

static double get_leveldb(void *arg)
{
    struct work *w = arg;

    return us_each(w, records_leveldb_get(w->leveldb, &w->records, w->reads));
}

static double get_rocksdb(void *arg)
{
    struct work *w = arg;

    return us_each(w, records_rocksdb_get(w->rocksdb, &w->records, w->reads));
}

static void run_read(const struct bench_args *args, size_t size, const struct bench_row *row_scan,
        const struct bench_row *row_get)
{
    struct work w = {.threads = 1};

    if (!bench_wanted(args, row_scan->work) && !bench_wanted(args, row_get->work)) {
        return;
    }
    bench_records_make(&w.records, size == LARGE ? args->messages / 4 : args->messages, size);
    w.reads = w.records.count < READS ? w.records.count : READS;
    bench_path(w.dir, args->dir, "wal.read");
    bench_path(w.blb_dir, args->dir, "wal.read.blb");
    bench_path(w.peers, args->dir, "wal.read.peers");
    bench_fresh_dir(w.peers);
    bench_wal_make(w.dir, STELE_WAL_STELE, 0, &w.records);
    bench_wal_make(w.blb_dir, STELE_WAL_BLB, 0, &w.records);
    w.w = bench_wal_open(w.dir, STELE_WAL_ANY, 0);
    w.blb = bench_wal_open(w.blb_dir, STELE_WAL_ANY, 0);
    w.leveldb = records_leveldb_open(w.peers, &w.records, true);
    w.rocksdb = records_rocksdb_open(w.peers, &w.records, true);
    w.floor = records_floor_open(w.peers, &w.records);
    (void)scan(&w);
    (void)scan_blb(&w);
    bench_contest(args, row_scan,
            (struct bench_side[]){{"stele", scan, &w}, {"stele, format blb", scan_blb, &w},
                    {"LevelDB", scan_leveldb, &w}, {"RocksDB", scan_rocksdb, &w},
                    {"floor: read a map", floor_read, &w},
                    {"floor: CRC of a map", floor_checksum, &w}},
            6);
    bench_contest(args, row_get,
            (struct bench_side[]){{"stele", get, &w}, {"stele, format blb", get_blb, &w},
                    {"LevelDB", get_leveldb, &w}, {"RocksDB", get_rocksdb, &w}},
            4);
    bench_wal_close(w.w);
    bench_wal_close(w.blb);
    records_leveldb_close(w.leveldb);
    records_rocksdb_close(w.rocksdb);
    records_floor_close(w.floor);
    bench_remove_dir(w.dir);
    bench_remove_dir(w.blb_dir);
    bench_remove_dir(w.peers);
    bench_records_free(&w.records);
}

/* ---- Opening. ---- */

static double open_ms(const char *dir)
{
    double start = bench_now();
    stele_wal *w = bench_wal_open(dir, STELE_WAL_ANY, OPEN_SEGMENT);
    double seconds = bench_now() - start;

    bench_wal_close(w);
    return 1e3 * seconds;
}

static double reopen(void *arg)
{
    struct work *w = arg;

    return open_ms(w->dir);
}

static double reopen_blb(void *arg)
{
    struct work *w = arg;

    return open_ms(w->blb_dir);
}

static double reopen_leveldb(void *arg)
{
    struct work *w = arg;
    double start = bench_now();
    double seconds;

    w->leveldb = records_leveldb_open(w->peers, &w->records, false);
    seconds = bench_now() - start;
    records_leveldb_close(w->leveldb);
    return 1e3 * seconds;
}

static double reopen_rocksdb(void *arg)
{
    struct work *w = arg;
    double start = bench_now();
    double seconds;

    w->rocksdb = records_rocksdb_open(w->peers, &w->records, false);
    seconds = bench_now() - start;
    records_rocksdb_close(w->rocksdb);
    return 1e3 * seconds;
}

static void run_open(const struct bench_args *args)
{
    static const struct bench_row row = {
            "wal: open, a segment for each 64 KiB", "ms", 0, false, NULL, 0};
    struct work w = {.threads = 1};

    if (!bench_wanted(args, row.work)) {
        return;
    }
    bench_records_make(&w.records, args->messages / 2, SMALL);
    bench_path(w.dir, args->dir, "wal.open");
    bench_path(w.blb_dir, args->dir, "wal.open.blb");
    bench_path(w.peers, args->dir, "wal.open.peers");
    bench_fresh_dir(w.peers);
    bench_wal_make(w.dir, STELE_WAL_STELE, OPEN_SEGMENT, &w.records);
    bench_wal_make(w.blb_dir, STELE_WAL_BLB, OPEN_SEGMENT, &w.records);
    records_leveldb_close(records_leveldb_open(w.peers, &w.records, true));
    records_rocksdb_close(records_rocksdb_open(w.peers, &w.records, true));
    bench_contest(args, &row,
            (struct bench_side[]){{"stele", reopen, &w}, {"stele, format blb", reopen_blb, &w},
                    {"LevelDB, its own files", reopen_leveldb, &w},
                    {"RocksDB, its own files", reopen_rocksdb, &w}},
            4);
    bench_remove_dir(w.dir);
    bench_remove_dir(w.blb_dir);
    bench_remove_dir(w.peers);
    bench_records_free(&w.records);
}

int main(int argc, char **argv)
{
    static const struct bench_row scan_large = {
            "wal: iterate 1 GB of 4-KiB records, hot", "GB/s", 8, true, NULL, 0};
    static const struct bench_row get_large = {
            "wal: 4-KiB record by id at random, hot", "us/read", 5, false, NULL, 0};
    static const struct bench_row scan_small = {
            "wal: iterate 1 M of 128-B records, hot", "ns/record", 0, false, NULL, 0};
    static const struct bench_row get_small = {
            "wal: 128-B record by id at random, hot", "us/read", 5, false, NULL, 0};
    struct bench_args args;

    bench_args_parse(&args, argc, argv);
    run_append(&args);
    run_read(&args, LARGE, &scan_large, &get_large);
    run_read(&args, SMALL, &scan_small, &get_small);
    run_open(&args);
    return 0;
}
