/* SPDX-License-Identifier: MIT
 *
 * A store beside LMDB, LevelDB, RocksDB and SQLite: keys of 16 bytes with values of 100.
 *
 * "Burst" is how fast batches end as long as what they write fits into memory: 100,000 puts, of
 * which none has to be on disk. "Sustained" ends when all of them are there: a store and LMDB sync
 * each 10,000 puts; LevelDB and RocksDB write a log, unsynced, and compact at the end; SQLite moves
 * its log into the table at the end.
 *
 * Reads verify checksums where there are any (LMDB and SQLite have none).
 */
#include <stele/store.h>

#include "lib/pairs.h"
#include "lib/peers.h"

#include <stdlib.h>

enum {
    BURST = 100000,
    BATCH = 1000,
    COMMIT = 10000, /* puts that LMDB commits at a time, as a store does */
    GETS = 200000,
    BEGINS = 200000,
    MANY = 16
};

#define SECONDS 0.6

struct work {
    const struct pair_db *peer;
    const struct pairs *pairs;
    const char *dir;
    size_t count; /* of puts */
    size_t batch;
    int threads;
    void *db; /* of the rows that read */
};

static void put_all(const struct work *w, void *db)
{
    for (size_t at = 0; at < w->count; at += w->batch) {
        size_t rest = w->count - at;

        w->peer->put(db, at, rest < w->batch ? rest : w->batch);
    }
}

/* ---- Writing. ---- */

static double burst(void *arg)
{
    const struct work *w = arg;
    void *db;
    double seconds;

    bench_remove_dir(w->dir);
    db = w->peer->open(w->dir, w->pairs, PAIR_UNSYNCED);
    seconds = bench_now();
    put_all(w, db);
    seconds = bench_now() - seconds;
    w->peer->close(db);
    bench_remove_dir(w->dir);
    return (double)w->count / seconds;
}

static double sustained(void *arg)
{
    const struct work *w = arg;
    bool lmdb = w->peer == &pairs_lmdb;
    void *db;
    double seconds;

    bench_remove_dir(w->dir);
    db = w->peer->open(w->dir, w->pairs, lmdb ? PAIR_SYNCED : PAIR_UNSYNCED);
    seconds = bench_now();
    put_all(w, db);
    w->peer->finish(db);
    seconds = bench_now() - seconds;
    w->peer->close(db);
    bench_remove_dir(w->dir);
    return (double)w->count / seconds;
}

static void put_one(void *arg, size_t number)
{
    const struct work *w = arg;

    w->peer->put(w->db, number, 1);
}

static double durable(void *arg)
{
    struct work *w = arg;
    double rate;

    bench_remove_dir(w->dir);
    w->db = w->peer->open(w->dir, w->pairs, PAIR_SYNCED);
    rate = bench_per_second(w->threads, SECONDS, put_one, w);
    w->peer->close(w->db);
    bench_remove_dir(w->dir);
    return rate;
}

static double raw(void *arg)
{
    const struct work *w = arg;
    struct bench_data data;
    double rate;

    bench_data_make(&data, BATCH, 0);
    bench_fresh_dir(w->dir);
    rate = peer_floor_sync(w->dir, &data, SECONDS);
    bench_data_free(&data);
    bench_remove_dir(w->dir);
    return rate;
}

/* ---- Reading. ---- */

static double get(void *arg)
{
    const struct work *w = arg;
    double seconds = bench_now();

    w->peer->get(w->db, GETS);
    return (bench_now() - seconds) * 1e9 / GETS;
}

static double scan(void *arg)
{
    const struct work *w = arg;
    double seconds = bench_now();
    size_t count = w->peer->scan(w->db);

    if (count != w->pairs->count) {
        bench_die("%s: %zu pairs of %zu", w->peer->who, count, w->pairs->count);
    }
    return (bench_now() - seconds) * 1e9 / (double)count;
}

/* ---- Beginning a read of a store. ---- */

static double begin(void *arg)
{
    const struct work *w = arg;
    stele_store *s = pairs_stele_store(w->db);
    double seconds = bench_now();
    stele_error err;

    for (size_t i = 0; i < BEGINS; i++) {
        stele_store_read *read = NULL;

        bench_check(stele_store_read_begin(&read, s, &err), &err, "begin");
        stele_store_read_end(read);
    }
    return (bench_now() - seconds) * 1e9 / BEGINS;
}

/* With so many writes that wait, and nothing that commits them. */
static void begins(const struct bench_args *args, struct work *w, size_t count, const char *name)
{
    struct bench_row row = {name, "ns", 200, false, "aim: 100 ns for the begin alone", 0};

    if (!bench_wanted(args, name)) {
        return;
    }
    bench_remove_dir(w->dir);
    w->db = pairs_stele.open(w->dir, w->pairs, PAIR_WAITING);
    w->count = count;
    put_all(w, w->db);
    bench_contest(args, &row, (struct bench_side[]){{"stele", begin, w}}, 1);
    pairs_stele.close(w->db);
    bench_remove_dir(w->dir);
}

/* ---- Rows. ---- */

enum {
    PEERS = 5
};

static const struct pair_db *const peers[PEERS] = {
        &pairs_stele, &pairs_lmdb, &pairs_leveldb, &pairs_rocksdb, &pairs_sqlite};

/* The same work for each. */
static void contest(const struct bench_args *args, const struct bench_row *row,
        const struct work *like, double (*run)(void *arg), bool raw_too)
{
    struct bench_side sides[PEERS + 1];
    struct work works[PEERS];
    size_t count = 0;

    for (size_t i = 0; i < PEERS; i++) {
        works[i] = *like;
        works[i].peer = peers[i];
        if (run == sustained && peers[i] == &pairs_lmdb) {
            works[i].batch = COMMIT;
        }
        /* One connection of SQLite is for one thread. */
        if (like->threads <= 1 || peers[i] != &pairs_sqlite) {
            sides[count++] = (struct bench_side){peers[i]->who, run, &works[i]};
        }
    }
    if (raw_too) {
        sides[count++] = (struct bench_side){"raw fdatasync", raw, &works[0]};
    }
    bench_contest(args, row, sides, count);
}

static void writes(const struct bench_args *args, struct work *w, const struct pairs *ascending)
{
    static const struct bench_row burst_1000 = {
            "store: burst of puts, batches of 1,000", "/s", 1e6, true, NULL, 0};
    static const struct bench_row burst_1 = {
            "store: burst of puts, batches of 1", "/s", 0, true, NULL, 0};
    static const struct bench_row burst_seq = {
            "store: burst, ascending, batches of 1,000", "/s", 0, true, NULL, 0};
    static const struct bench_row all = {
            "store: sustained puts, batches of 1,000", "/s", 0, true, "aim: LMDB", 0};
    static const struct bench_row durable_1 = {
            "store: durable batches of 1, 1 thread", "/s", 0, true, "aim: 0.95 x raw", 0};
    static const struct bench_row durable_16 = {
            "store: durable batches of 1, 16 threads", "/s", 0, true, NULL, 0};
    struct work seq = *w;

    w->count = w->pairs->count < BURST ? w->pairs->count : BURST;
    w->batch = BATCH;
    contest(args, &burst_1000, w, burst, false);
    seq = *w;
    seq.pairs = ascending;
    contest(args, &burst_seq, &seq, burst, false);
    w->batch = 1;
    contest(args, &burst_1, w, burst, false);
    w->batch = BATCH;
    w->count = w->pairs->count;
    contest(args, &all, w, sustained, false);
    w->threads = 1;
    contest(args, &durable_1, w, durable, true);
    w->threads = MANY;
    contest(args, &durable_16, w, durable, true);
    w->threads = 1;
}

static void contest_read(const struct bench_args *args, const struct bench_row *row,
        double (*run)(void *arg), struct work works[PEERS])
{
    struct bench_side sides[PEERS];

    for (size_t i = 0; i < PEERS; i++) {
        sides[i] = (struct bench_side){peers[i]->who, run, &works[i]};
    }
    bench_contest(args, row, sides, PEERS);
}

static void reads(const struct bench_args *args, const struct work *w)
{
    static const struct bench_row get_row = {
            "store: get, all on disk", "ns", 0, false, "aim: 0.8 x LMDB", 0};
    static const struct bench_row scan_row = {
            "store: scan, all on disk, a pair", "ns", 0, false, "aim: 0.8 x LMDB", 0};
    char dirs[PEERS][BENCH_PATH_SIZE];
    struct work works[PEERS];

    if (!bench_wanted(args, get_row.work) && !bench_wanted(args, scan_row.work)) {
        return;
    }
    bench_fresh_dir(w->dir);
    for (size_t i = 0; i < PEERS; i++) {
        works[i] = *w;
        works[i].peer = peers[i];
        works[i].count = w->pairs->count;
        works[i].batch = COMMIT;
        bench_path(dirs[i], w->dir, peers[i]->who);
        works[i].db = peers[i]->open(dirs[i], w->pairs, PAIR_UNSYNCED);
        put_all(&works[i], works[i].db);
        peers[i]->finish(works[i].db);
        (void)peers[i]->scan(works[i].db);
    }
    contest_read(args, &get_row, get, works);
    contest_read(args, &scan_row, scan, works);
    for (size_t i = 0; i < PEERS; i++) {
        peers[i]->close(works[i].db);
    }
    bench_remove_dir(w->dir);
}

/* Gets of what a store has in memory, beside LMDB, which has the same number of keys on disk. */
static void reads_waiting(const struct bench_args *args, const struct work *w)
{
    static const struct bench_row row = {
            "store: get, 100,000 keys, all waiting", "ns", 0, false, NULL, 0};
    static const struct pair_db *const two[2] = {&pairs_stele, &pairs_lmdb};
    struct pairs few = {.count = BURST};
    struct bench_side sides[2];
    char dirs[2][BENCH_PATH_SIZE];
    struct work works[2];

    if (!bench_wanted(args, row.work)) {
        return;
    }
    bench_fresh_dir(w->dir);
    for (size_t i = 0; i < 2; i++) {
        works[i] = *w;
        works[i].peer = two[i];
        works[i].pairs = &few;
        works[i].count = BURST;
        bench_path(dirs[i], w->dir, two[i]->who);
        sides[i] = (struct bench_side){two[i]->who, get, &works[i]};
        works[i].db = two[i]->open(dirs[i], &few, PAIR_WAITING);
        put_all(&works[i], works[i].db);
    }
    bench_contest(args, &row, sides, 2);
    for (size_t i = 0; i < 2; i++) {
        two[i]->close(works[i].db);
    }
    bench_remove_dir(w->dir);
}

int main(int argc, char **argv)
{
    struct bench_args args;
    struct pairs pairs = {0};
    struct pairs ascending = {.ascending = true};
    struct work w = {.peer = &pairs_stele, .pairs = &pairs, .threads = 1};
    char dir[BENCH_PATH_SIZE];

    bench_args_parse(&args, argc, argv);
    pairs.count = args.messages;
    ascending.count = args.messages;
    bench_path(dir, args.dir, "store");
    w.dir = dir;
    writes(&args, &w, &ascending);
    reads(&args, &w);
    reads_waiting(&args, &w);
    begins(&args, &w, 0, "store: begin and end a read, none waiting");
    begins(&args, &w, BURST, "store: begin and end a read, 100,000 waiting");
    return 0;
}
