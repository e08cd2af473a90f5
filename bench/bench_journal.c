/* SPDX-License-Identifier: MIT
 *
 * The journal: dumps that wait for the disk and dumps that do not, playing, merging, and how long
 * a dump takes beside a merge. Operations are puts of 16 bytes under a key of 16 bytes.
 *
 * LevelDB and RocksDB hold the same pairs: their put, scan and compaction are what comes closest.
 * Reading is hot: the files were read before, and checksums are verified by all sides. The floor
 * of a play walks over a map of as many bytes, a checksum for each operation.
 */
#include <stele/journal.h>

#include "lib/puts.h"
#include "lib/records.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    MANY = 16,
    KEYS = 100000,    /* of a merge */
    FRAME = 67,       /* bytes of an operation in a file */
    SAMPLES = 8 << 20 /* of dumps beside a merge, at most */
};

#define SECONDS 0.5

struct work {
    struct bench_puts puts;
    int threads;
    char dir[BENCH_PATH_SIZE];
    char peers[BENCH_PATH_SIZE];
    stele_journal *journal;
    struct puts_leveldb *leveldb;
    struct puts_rocksdb *rocksdb;
    struct bench_records frames;
    struct records_floor *floor;
};

/* ---- The journal. ---- */

static stele_journal *journal_open(const char *dir, stele_journal_durability durability)
{
    stele_journal_options opts;
    stele_journal *j = NULL;
    stele_error err;

    stele_journal_options_init(&opts);
    opts.create_dirs = true;
    opts.durability = durability;
    bench_check(stele_journal_open(&j, dir, &opts, &err), &err, "open");
    return j;
}

static void record(stele_journal *j)
{
    stele_error err;

    bench_check(stele_journal_record(j, &err), &err, "record");
}

static void stop(stele_journal *j)
{
    stele_error err;

    bench_check(stele_journal_stop(j, &err), &err, "stop");
}

static void snapshot(stele_journal *j)
{
    stele_error err;

    bench_check(stele_journal_snapshot(j, &err), &err, "snapshot");
}

static void journal_close(stele_journal *j)
{
    stele_error err;

    bench_check(stele_journal_close(j, &err), &err, "close");
}

static void dump(stele_journal *j, const struct bench_puts *puts, size_t number)
{
    uint8_t bytes[BENCH_PUT_SIZE];
    stele_journal_op op = {.kind = STELE_JOURNAL_PUT, .timestamp = (int64_t)number};
    stele_error err;

    bench_put(puts, number, bytes);
    op.key = stele_bytes_of(bytes, BENCH_PUT_KEY_SIZE);
    op.value = stele_bytes_of(bytes + BENCH_PUT_KEY_SIZE, BENCH_PUT_VALUE_SIZE);
    bench_check(stele_journal_dump(j, &op, &err), &err, "dump");
}

static void dump_all(stele_journal *j, const struct bench_puts *puts)
{
    for (size_t i = 0; i < puts->count; i++) {
        dump(j, puts, i);
    }
}

/* Stopped, with logs of all operations. */
static stele_journal *journal_make(const char *dir, const struct bench_puts *puts)
{
    stele_journal *j;

    bench_remove_dir(dir);
    j = journal_open(dir, STELE_JOURNAL_STOP);
    record(j);
    dump_all(j, puts);
    stop(j);
    return j;
}

/* ---- Dumping. ---- */

static void buffered(struct work *w, double *dumped, double *durable)
{
    stele_journal *j;
    double start;

    bench_remove_dir(w->dir);
    j = journal_open(w->dir, STELE_JOURNAL_STOP);
    record(j);
    start = bench_now();
    dump_all(j, &w->puts);
    *dumped = bench_now() - start;
    stop(j);
    *durable = bench_now() - start;
    journal_close(j);
    bench_remove_dir(w->dir);
}

static double dump_buffered(void *arg)
{
    struct work *w = arg;
    double dumped;
    double durable;

    buffered(w, &dumped, &durable);
    return (double)w->puts.count / dumped;
}

static double dump_until_durable(void *arg)
{
    struct work *w = arg;
    double dumped;
    double durable;

    buffered(w, &dumped, &durable);
    return (double)w->puts.count / durable;
}

static double leveldb_put(void *arg)
{
    struct work *w = arg;

    return (double)w->puts.count / puts_leveldb_put(w->peers, &w->puts);
}

static double rocksdb_put(void *arg)
{
    struct work *w = arg;

    return (double)w->puts.count / puts_rocksdb_put(w->peers, &w->puts);
}

/* From any thread. */
static void dump_one(void *arg, size_t number)
{
    struct work *w = arg;

    dump(w->journal, &w->puts, number);
}

static double dump_durable(void *arg)
{
    struct work *w = arg;
    double rate;

    bench_remove_dir(w->dir);
    w->journal = journal_open(w->dir, STELE_JOURNAL_EACH);
    record(w->journal);
    rate = bench_per_second(w->threads, SECONDS, dump_one, w);
    journal_close(w->journal);
    bench_remove_dir(w->dir);
    return rate;
}

static double leveldb_sync(void *arg)
{
    struct work *w = arg;

    return puts_leveldb_sync(w->peers, &w->puts, w->threads, SECONDS);
}

static double rocksdb_sync(void *arg)
{
    struct work *w = arg;

    return puts_rocksdb_sync(w->peers, &w->puts, w->threads, SECONDS);
}

static void run_dump(const struct bench_args *args)
{
    static const struct bench_row row_buffered = {
            "journal: dump 16 + 16 B, buffered", "/s", 5e6, true, "one thread", 0};
    static const struct bench_row row_until = {
            "journal: dump 16 + 16 B, until stopped", "/s", 0, true, NULL, 0};
    static const struct bench_row row_1 = {
            "journal: durable dump, 1 thread", "/s", 0, true, NULL, 0};
    static const struct bench_row row_16 = {
            "journal: durable dump, 16 threads", "/s", 50000, true, NULL, 0};
    struct work one = {.puts = {args->messages, args->messages}, .threads = 1};
    struct work many;

    bench_path(one.dir, args->dir, "journal.dump");
    bench_path(one.peers, args->dir, "journal.dump.peers");
    many = one;
    many.threads = MANY;
    bench_contest(args, &row_buffered,
            (struct bench_side[]){{"stele", dump_buffered, &one},
                    {"LevelDB, not synced", leveldb_put, &one},
                    {"RocksDB, not synced", rocksdb_put, &one}},
            3);
    bench_contest(args, &row_until, (struct bench_side[]){{"stele", dump_until_durable, &one}}, 1);
    bench_contest(args, &row_1,
            (struct bench_side[]){{"stele", dump_durable, &one}, {"LevelDB", leveldb_sync, &one},
                    {"RocksDB", rocksdb_sync, &one}},
            3);
    bench_contest(args, &row_16,
            (struct bench_side[]){{"stele", dump_durable, &many}, {"LevelDB", leveldb_sync, &many},
                    {"RocksDB", rocksdb_sync, &many}},
            3);
}

/* ---- Playing. ---- */

static stele_code look(void *arg, const stele_journal_op *op, stele_error *err)
{
    uint64_t *seen = arg;

    (void)err;
    *seen += (uint64_t)op->key.data[0] + op->value.data[0];
    return STELE_OK;
}

static double play(void *arg)
{
    static volatile uint64_t sink;
    struct work *w = arg;
    stele_journal_played played;
    uint64_t seen = 0;
    stele_error err;
    double start = bench_now();
    double seconds;

    bench_check(stele_journal_play(w->journal, look, &seen, &played, &err), &err, "play");
    seconds = bench_now() - start;
    sink = seen;
    (void)sink;
    if (played.count != w->puts.count) {
        bench_die("%zu operations of %zu", (size_t)played.count, w->puts.count);
    }
    return (double)played.ops / seconds;
}

static double leveldb_scan(void *arg)
{
    struct work *w = arg;

    return (double)w->puts.keys / puts_leveldb_scan(w->leveldb);
}

static double rocksdb_scan(void *arg)
{
    struct work *w = arg;

    return (double)w->puts.keys / puts_rocksdb_scan(w->rocksdb);
}

static double floor_checksum(void *arg)
{
    struct work *w = arg;

    return (double)w->puts.count / records_floor_checksum(w->floor);
}

static void run_play(const struct bench_args *args)
{
    static const struct bench_row row_log = {
            "journal: play a log of 1 M, hot", "/s", 1e7, true, NULL, 0};
    static const struct bench_row row_snap = {
            "journal: play a snapshot of 1 M, hot", "/s", 0, true, NULL, 0};
    struct work w = {.puts = {args->messages, args->messages}};

    if (!bench_wanted(args, row_log.work) && !bench_wanted(args, row_snap.work)) {
        return;
    }
    bench_path(w.dir, args->dir, "journal.play");
    bench_path(w.peers, args->dir, "journal.play.peers");
    bench_fresh_dir(w.peers);
    bench_records_make(&w.frames, w.puts.count, FRAME);
    w.floor = records_floor_open(w.peers, &w.frames);
    w.leveldb = puts_leveldb_open(w.peers, &w.puts);
    w.rocksdb = puts_rocksdb_open(w.peers, &w.puts);
    w.journal = journal_make(w.dir, &w.puts);
    (void)play(&w);
    bench_contest(args, &row_log,
            (struct bench_side[]){{"stele", play, &w}, {"LevelDB, scan", leveldb_scan, &w},
                    {"RocksDB, scan", rocksdb_scan, &w},
                    {"floor: CRC of a map", floor_checksum, &w}},
            4);
    snapshot(w.journal);
    (void)play(&w);
    bench_contest(args, &row_snap, (struct bench_side[]){{"stele", play, &w}}, 1);
    journal_close(w.journal);
    puts_leveldb_close(w.leveldb);
    puts_rocksdb_close(w.rocksdb);
    records_floor_close(w.floor);
    bench_records_free(&w.frames);
    bench_remove_dir(w.dir);
    bench_remove_dir(w.peers);
}

/* ---- Merging. ---- */

static double merge(void *arg)
{
    struct work *w = arg;
    stele_journal *j = journal_make(w->dir, &w->puts);
    double start = bench_now();
    double seconds;

    snapshot(j);
    seconds = bench_now() - start;
    journal_close(j);
    bench_remove_dir(w->dir);
    return seconds;
}

static double leveldb_compact(void *arg)
{
    struct work *w = arg;

    return puts_leveldb_compact(w->peers, &w->puts);
}

static double rocksdb_compact(void *arg)
{
    struct work *w = arg;

    return puts_rocksdb_compact(w->peers, &w->puts);
}

static void run_merge(const struct bench_args *args)
{
    static const struct bench_row row = {
            "journal: merge 1 M over 100 k keys", "s", 0.3, false, NULL, 0};
    struct work w = {.puts = {args->messages, KEYS}};

    bench_path(w.dir, args->dir, "journal.merge");
    bench_path(w.peers, args->dir, "journal.merge.peers");
    bench_contest(args, &row,
            (struct bench_side[]){{"stele", merge, &w},
                    {"LevelDB, CompactRange", leveldb_compact, &w},
                    {"RocksDB, CompactRange", rocksdb_compact, &w}},
            3);
}

/* ---- Dumping beside a merge. ---- */

struct beside {
    stele_journal *journal;
    atomic_bool done;
};

static void *merge_beside(void *arg)
{
    struct beside *b = arg;

    snapshot(b->journal);
    atomic_store(&b->done, true);
    return NULL;
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Microseconds of each dump until the merge is done. */
static size_t dump_beside(const struct work *w, stele_journal_durability durability, float *samples)
{
    struct beside b = {.done = false};
    pthread_t merger;
    size_t count = 0;

    journal_close(journal_make(w->dir, &w->puts));
    b.journal = journal_open(w->dir, durability);
    record(b.journal);
    if (pthread_create(&merger, NULL, merge_beside, &b) != 0) {
        bench_die("no thread");
    }
    while (!atomic_load(&b.done) && count < SAMPLES) {
        double start = bench_now();

        dump(b.journal, &w->puts, count);
        samples[count++] = (float)(1e6 * (bench_now() - start));
    }
    (void)pthread_join(merger, NULL);
    journal_close(b.journal);
    bench_remove_dir(w->dir);
    return count;
}

static void run_beside(const struct bench_args *args, stele_journal_durability durability,
        const struct bench_row *row_most, const struct bench_row *row_longest)
{
    struct work w = {.puts = {args->messages, KEYS}};
    double *most = calloc((size_t)args->rounds, sizeof *most);
    double *longest = calloc((size_t)args->rounds, sizeof *longest);
    float *samples = malloc(SAMPLES * sizeof *samples);

    if (most == NULL || longest == NULL || samples == NULL) {
        bench_die("out of memory");
    }
    bench_path(w.dir, args->dir, "journal.beside");
    if (bench_wanted(args, row_most->work) || bench_wanted(args, row_longest->work)) {
        (void)fprintf(stderr, "  %s\n", row_most->work);
        for (int round = 0; round < args->rounds; round++) {
            size_t count = dump_beside(&w, durability, samples);

            qsort(samples, count, sizeof *samples, compare_floats);
            most[round] = (double)samples[count - 1 - count / 1000];
            longest[round] = (double)samples[count - 1];
            (void)fprintf(stderr, "    %zu dumps\n", count);
        }
        bench_report(row_most, "stele", most, (size_t)args->rounds);
        bench_report(row_longest, "stele", longest, (size_t)args->rounds);
    }
    free(most);
    free(longest);
    free(samples);
}

int main(int argc, char **argv)
{
    static const struct bench_row most_stop = {
            "journal: dump beside a merge, p99.9", "us", 5000, false, NULL, 0};
    static const struct bench_row longest_stop = {
            "journal: dump beside a merge, longest", "us", 0, false, NULL, 0};
    static const struct bench_row most_each = {
            "journal: durable beside a merge, p99.9", "us", 5000, false, NULL, 0};
    static const struct bench_row longest_each = {
            "journal: durable beside a merge, longest", "us", 0, false, NULL, 0};
    struct bench_args args;

    bench_args_parse(&args, argc, argv);
    run_dump(&args);
    run_play(&args);
    run_merge(&args);
    run_beside(&args, STELE_JOURNAL_STOP, &most_stop, &longest_stop);
    run_beside(&args, STELE_JOURNAL_EACH, &most_each, &longest_each);
    return 0;
}
