/* SPDX-License-Identifier: MIT
 *
 * How long writers and readers of a store stand still while it commits and while it is
 * defragmented: a thread ends one batch of 100 puts after the other, another one begins a read,
 * gets a key and ends the read. "clock" is a thread that only looks at the time: what it misses is
 * the machine's part.
 */
#include <stele/store.h>

#include "lib/pairs.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BATCH = 100,
    TIMES_MAX = 8 << 20,
    ROUNDS_MAX = 99,
    FIGURES = 6 /* p99.9 and the longest, of writer, reader and clock */
};

#define SECONDS 3.0

struct worker {
    void (*step)(struct worker *w);
    void *db;
    const struct pairs *pairs;
    double until;
    uint64_t state;
    size_t next;
    float *times; /* ms */
    size_t count;
    pthread_t thread;
};

static void put(struct worker *w)
{
    pairs_stele.put(w->db, w->next, BATCH);
    w->next += BATCH;
}

static void get(struct worker *w)
{
    stele_store *s = pairs_stele_store(w->db);
    stele_store_read *read = NULL;
    stele_bytes value;
    stele_error err;
    uint8_t bytes[PAIR_SIZE];

    pair_make(w->pairs, (size_t)(bench_random(&w->state) % w->pairs->count), bytes);
    bench_check(stele_store_read_begin(&read, s, &err), &err, "begin");
    bench_check(stele_store_read_get(read, stele_bytes_of((const uint8_t *)"pairs", 5),
                        stele_bytes_of(bytes, PAIR_KEY_SIZE), &value, &err),
            &err, "get");
    stele_store_read_end(read);
}

static void look(struct worker *w)
{
    (void)w;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    double now = bench_now();

    while (now < w->until) {
        double before = now;

        w->step(w);
        now = bench_now();
        if (w->count < TIMES_MAX) {
            w->times[w->count++] = (float)((now - before) * 1e3);
        }
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;

    return (x > y) - (x < y);
}

static void start(struct worker *w, void (*step)(struct worker *w), void *db,
        const struct pairs *pairs, double until)
{
    *w = (struct worker){.step = step, .db = db, .pairs = pairs, .until = until};
    w->times = malloc(TIMES_MAX * sizeof *w->times);
    if (w->times == NULL || pthread_create(&w->thread, NULL, work, w) != 0) {
        bench_die("no memory or no thread");
    }
}

/* p99.9 and the longest. */
static void finish(struct worker *w, double out[2])
{
    (void)pthread_join(w->thread, NULL);
    qsort(w->times, w->count, sizeof *w->times, compare);
    out[0] = (double)w->times[w->count - 1 - w->count / 1000];
    out[1] = (double)w->times[w->count - 1];
    free(w->times);
}

/* One round; with `defrag` there is always one under way. */
static void run(void *db, const struct pairs *pairs, bool defrag, double out[FIGURES])
{
    static void (*const steps[FIGURES / 2])(struct worker * w) = {put, get, look};
    double until = bench_now() + SECONDS;
    struct worker workers[FIGURES / 2];

    for (size_t i = 0; i < FIGURES / 2; i++) {
        start(&workers[i], steps[i], db, pairs, until);
    }
    while (defrag && bench_now() < until) {
        stele_error err;
        stele_code code = stele_store_defrag(pairs_stele_store(db), NULL, NULL, NULL, &err);

        /* Writes may come faster than they can be copied. */
        if (code != STELE_EBUSY) {
            bench_check(code, &err, "defragment");
        }
    }
    for (size_t i = 0; i < FIGURES / 2; i++) {
        finish(&workers[i], out + 2 * i);
    }
}

static void stalls(const struct bench_args *args, const char *dir, bool defrag, const char *name)
{
    static const char *const whose[FIGURES] = {"writer p99.9", "writer longest", "reader p99.9",
            "reader longest", "clock p99.9", "clock longest"};
    static double figures[FIGURES][ROUNDS_MAX];
    struct pairs pairs = {.count = args->messages};
    void *db;

    if (!bench_wanted(args, name)) {
        return;
    }
    (void)fprintf(stderr, "  %s\n", name);
    bench_remove_dir(dir);
    db = pairs_stele.open(dir, &pairs, PAIR_UNSYNCED);
    for (size_t at = 0; at < pairs.count; at += BATCH) {
        pairs_stele.put(db, at, BATCH);
    }
    pairs_stele.finish(db);
    for (int round = 0; round < args->rounds; round++) {
        double out[FIGURES];

        run(db, &pairs, defrag, out);
        for (size_t i = 0; i < FIGURES; i++) {
            figures[i][round] = out[i];
        }
    }
    for (size_t i = 0; i < FIGURES; i++) {
        char work[BENCH_PATH_SIZE];
        struct bench_row row = {work, "ms", i + 2 < FIGURES ? 50 : 0, false, NULL, 0};

        (void)snprintf(work, sizeof work, "%s: %s", name, whose[i]);
        bench_report(&row, "stele", figures[i], (size_t)args->rounds);
    }
    pairs_stele.close(db);
    bench_remove_dir(dir);
}

int main(int argc, char **argv)
{
    struct bench_args args;
    char dir[BENCH_PATH_SIZE];

    bench_args_parse(&args, argc, argv);
    bench_path(dir, args.dir, "stall");
    stalls(&args, dir, false, "store commits");
    stalls(&args, dir, true, "store defragments");
    return 0;
}
