/* SPDX-License-Identifier: MIT
 *
 * Documents of 300 bytes with three indexes (a unique text, a number, a loose text) beside SQLite's
 * JSON with three indexes on expressions; and LMDB without any, as a floor.
 *
 * What is durable is so everywhere when the call returns (SQLite: WAL, synchronous = full).
 * "Sustained" ends when all that was set is where reads find it soonest, the database closed.
 * SQLite's loose text knows of the letters of ASCII alone; statements are prepared.
 */
#include "lib/json.h"
#include "lib/peers.h"

#include <stdlib.h>

enum {
    HUNDRED_THOUSAND = 100000,
    READS = 200000,
    MANY = 16,
    RAW_MESSAGES = 1000
};

#define SECONDS           0.6
#define SUSTAINED_SECONDS 10.0

struct work {
    const struct json_db *peer;
    const char *dir;
    size_t count; /* of documents */
    int threads;
    double seconds;
    enum json_key key;
    void *db; /* of the rows that read */
};

/* ---- Writing. ---- */

static void set_one(void *arg, size_t number)
{
    const struct work *w = arg;

    w->peer->set(w->db, number);
}

static double durable(void *arg)
{
    struct work *w = arg;
    double began;
    double done;

    w->db = w->peer->open(w->dir, true);
    began = bench_now();
    done = bench_per_second(w->threads, w->seconds, set_one, w);
    done *= bench_now() - began;
    w->peer->close(w->db);
    done /= bench_now() - began;
    bench_remove_dir(w->dir);
    return done;
}

static double raw(void *arg)
{
    const struct work *w = arg;
    struct bench_data data;
    double rate;

    bench_data_make(&data, RAW_MESSAGES, 0);
    bench_fresh_dir(w->dir);
    rate = peer_floor_sync(w->dir, &data, SECONDS);
    bench_data_free(&data);
    bench_remove_dir(w->dir);
    return rate;
}

static double burst(void *arg)
{
    struct work *w = arg;
    double seconds;

    w->db = w->peer->open(w->dir, false);
    seconds = bench_now();
    for (size_t n = 0; n < w->count; n++) {
        w->peer->set(w->db, n);
    }
    seconds = bench_now() - seconds;
    w->peer->close(w->db);
    bench_remove_dir(w->dir);
    return (double)w->count / seconds;
}

/* ---- Reading. ---- */

static double get(void *arg)
{
    const struct work *w = arg;
    uint64_t state = 3;
    double seconds = bench_now();

    for (size_t i = 0; i < READS; i++) {
        w->peer->get(w->db, (size_t)(bench_random(&state) % w->count));
    }
    return READS / (bench_now() - seconds);
}

static double find(void *arg)
{
    const struct work *w = arg;
    uint64_t state = 4;
    double seconds = bench_now();

    for (size_t i = 0; i < READS; i++) {
        w->peer->find(w->db, w->key, (size_t)(bench_random(&state) % w->count));
    }
    return READS / (bench_now() - seconds);
}

/* ---- The whole. ---- */

static double backup(void *arg)
{
    const struct work *w = arg;
    char path[BENCH_PATH_SIZE];
    double seconds = bench_now();

    bench_path(path, w->dir, "backup");
    w->peer->backup(w->db, path);
    return bench_now() - seconds;
}

static double restore(void *arg)
{
    const struct work *w = arg;
    char path[BENCH_PATH_SIZE];
    char dir[BENCH_PATH_SIZE];
    double seconds;
    void *db;

    bench_path(path, w->dir, "backup");
    bench_path(dir, w->dir, "restored");
    seconds = bench_now();
    db = w->peer->restore(dir, path);
    seconds = bench_now() - seconds;
    w->peer->close(db);
    bench_remove_dir(dir);
    return seconds;
}

static double reindex(void *arg)
{
    const struct work *w = arg;
    double seconds = bench_now();

    w->peer->reindex(w->db);
    return bench_now() - seconds;
}

/* ---- Rows. ---- */

enum {
    PEERS = 3,
    WITH_INDEXES = 2 /* of these */
};

static const struct json_db *const peers[PEERS] = {&json_stele, &json_sqlite, &json_lmdb};

static void contest(const struct bench_args *args, const struct bench_row *row,
        const struct work *like, size_t count, double (*run)(void *arg), bool raw_too)
{
    struct bench_side sides[PEERS + 1];
    struct work works[PEERS];
    size_t sides_count = 0;

    for (size_t i = 0; i < count; i++) {
        works[i] = *like;
        works[i].peer = peers[i];
        /* One connection of SQLite is for one thread. */
        if (like->threads <= 1 || peers[i] != &json_sqlite) {
            sides[sides_count++] = (struct bench_side){peers[i]->who, run, &works[i]};
        }
    }
    if (raw_too) {
        sides[sides_count++] = (struct bench_side){"raw fdatasync", raw, &works[0]};
    }
    bench_contest(args, row, sides, sides_count);
}

static void writes(const struct bench_args *args, struct work *w)
{
    static const struct bench_row durable_1 = {
            "docs: durable set, 1 thread", "/s", 0, true, "aim: 0.8 x raw", 0};
    static const struct bench_row durable_16 = {
            "docs: durable set, 16 threads, sustained", "/s", 25000, true, "aim: 40,000", 0};
    static const struct bench_row unsynced = {"docs: set, not durable", "/s", 0, true, NULL, 0};

    w->threads = 1;
    w->seconds = SECONDS;
    contest(args, &durable_1, w, PEERS, durable, true);
    w->threads = MANY;
    w->seconds = SUSTAINED_SECONDS;
    contest(args, &durable_16, w, PEERS, durable, false);
    w->threads = 1;
    contest(args, &unsynced, w, PEERS, burst, false);
}

/* The same documents at each peer, all on disk. */
static void open_all(
        const struct work *like, struct work works[PEERS], char dirs[PEERS][BENCH_PATH_SIZE])
{
    bench_fresh_dir(like->dir);
    for (size_t i = 0; i < PEERS; i++) {
        char name[16];
        char dir[BENCH_PATH_SIZE];

        (void)snprintf(name, sizeof name, "peer-%zu", i);
        bench_path(dirs[i], like->dir, name);
        bench_fresh_dir(dirs[i]);
        bench_path(dir, dirs[i], "data");
        works[i] = *like;
        works[i].peer = peers[i];
        works[i].dir = dirs[i];
        works[i].db = peers[i]->open(dir, true);
        peers[i]->fill(works[i].db, like->count);
    }
}

static void contest_open(const struct bench_args *args, const struct bench_row *row,
        double (*run)(void *arg), struct work works[PEERS], size_t count)
{
    struct bench_side sides[PEERS];

    for (size_t i = 0; i < count; i++) {
        sides[i] = (struct bench_side){works[i].peer->who, run, &works[i]};
    }
    bench_contest(args, row, sides, count);
}

static void reads(const struct bench_args *args, const struct work *w)
{
    static const struct bench_row get_row = {"docs: get", "/s", 1e6, true, NULL, 0};
    static const struct bench_row finds[] = {
            [JSON_BY_SERIAL] = {"docs: search by a unique text", "/s", 5e5, true, NULL, 0},
            [JSON_BY_LEVEL] = {"docs: search by a number", "/s", 5e5, true, NULL, 0},
            [JSON_BY_NAME] = {"docs: search by a loose text", "/s", 5e5, true, NULL, 0},
    };
    static const struct bench_row backup_row = {
            "docs: backup of 100,000, synced", "s", 0.2, false, NULL, 0};
    static const struct bench_row restore_row = {
            "docs: restore of 100,000", "s", 0.7, false, NULL, 0};
    static const struct bench_row reindex_row = {
            "docs: reindex of 100,000", "s", 0.7, false, NULL, 0};
    struct work works[PEERS];
    char dirs[PEERS][BENCH_PATH_SIZE];

    open_all(w, works, dirs);
    contest_open(args, &get_row, get, works, PEERS);
    for (int key = JSON_BY_SERIAL; key <= JSON_BY_NAME; key++) {
        for (size_t i = 0; i < WITH_INDEXES; i++) {
            works[i].key = (enum json_key)key;
        }
        contest_open(args, &finds[key], find, works, WITH_INDEXES);
    }
    /* Restoring takes what this has written. */
    if (bench_wanted(args, restore_row.work) && !bench_wanted(args, backup_row.work)) {
        for (size_t i = 0; i < WITH_INDEXES; i++) {
            (void)backup(&works[i]);
        }
    }
    contest_open(args, &backup_row, backup, works, WITH_INDEXES);
    contest_open(args, &restore_row, restore, works, WITH_INDEXES);
    contest_open(args, &reindex_row, reindex, works, WITH_INDEXES);
    for (size_t i = 0; i < PEERS; i++) {
        peers[i]->close(works[i].db);
    }
    bench_remove_dir(w->dir);
}

int main(int argc, char **argv)
{
    struct bench_args args;
    struct work w = {.threads = 1, .seconds = SECONDS};
    char dir[BENCH_PATH_SIZE];

    bench_args_parse(&args, argc, argv);
    w.count = args.messages < HUNDRED_THOUSAND ? args.messages : HUNDRED_THOUSAND;
    bench_path(dir, args.dir, "docs");
    w.dir = dir;
    writes(&args, &w);
    reads(&args, &w);
    return 0;
}
