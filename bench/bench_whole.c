/* SPDX-License-Identifier: MIT
 *
 * Work on a whole stream of 1 M messages: opening it, making all its indexes
 * again, trimming half of it, compacting it.
 *
 * What changes the stream runs in a child process (this program again, with
 * --child) on a fresh copy: the kernel then says how much memory it took at most.
 */
#include "lib/stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    KEYS = 10000
};

struct work {
    const struct bench_args *args;
    const struct bench_data *data;
    const char *program;
    char dir[BENCH_PATH_SIZE];
};

static double open_(void *arg)
{
    struct work *w = arg;
    double start = bench_now();
    stele_stream *s = bench_stream_open(w->dir, true, false);
    double seconds = bench_now() - start;

    bench_stream_close(s);
    return 1e3 * seconds;
}

static void unlink_one(const char *path, void *arg)
{
    (void)arg;
    if (unlink(path) != 0) {
        bench_die("%s: %s", path, strerror(errno));
    }
}

/* A message of each segment is read by key: that needs all indexes, and the
 * side files. */
static double reindex(void *arg)
{
    struct work *w = arg;
    uint8_t missing[BENCH_KEY_SIZE];
    stele_messages *ms;
    stele_stream *s;
    stele_error err;
    double seconds;
    double start;

    bench_each_file(w->dir, ".index", unlink_one, NULL);
    bench_each_file(w->dir, ".keys", unlink_one, NULL);
    bench_key_missing(missing, 1);
    bench_check(stele_messages_new(&ms, &err), &err, "messages");
    start = bench_now();
    s = bench_stream_open(w->dir, true, false);
    if (stele_stream_get_by_key(s, stele_bytes_of(missing, sizeof missing), ms, &err) !=
            STELE_ENOTFOUND) {
        bench_die("a key that no message has was found");
    }
    seconds = bench_now() - start;
    bench_stream_close(s);
    stele_messages_free(ms);
    return seconds;
}

/* ---- In a child process. ---- */

struct watch {
    atomic_bool done;
    double anonymous; /* most that was seen, in bytes */
};

/* The kernel keeps the peak of all memory, maps of files included, but not
 * that of the memory which belongs to nobody else: look often. */
static void *watch_memory(void *arg)
{
    struct watch *watch = arg;

    while (!atomic_load(&watch->done)) {
        double now = bench_memory_status("RssAnon");
        struct timespec pause = {.tv_nsec = 2000000};

        watch->anonymous = now > watch->anonymous ? now : watch->anonymous;
        (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

/* Prints seconds, peak of own memory, and peak with maps. */
static int child(const char *what, const char *dir, int64_t count)
{
    struct watch watch = {0};
    stele_deleted deleted = {0};
    stele_stream *s;
    pthread_t thread;
    stele_error err;
    double start;
    double seconds;

    if (pthread_create(&thread, NULL, watch_memory, &watch) != 0) {
        bench_die("no thread");
    }
    s = bench_stream_open(dir, true, false);
    start = bench_now();
    if (strcmp(what, "trim") == 0) {
        bench_check(stele_stream_trim_by_count_multi(s, count / 2, NULL, NULL, &deleted, &err),
                &err, "trim");
    } else {
        bench_check(stele_stream_compact(s, 0, NULL, NULL, &deleted, &err), &err, "compact");
    }
    seconds = bench_now() - start;
    bench_stream_close(s);
    atomic_store(&watch.done, true);
    (void)pthread_join(thread, NULL);
    (void)printf("%.6f %.0f %.0f %lld\n", seconds, watch.anonymous, bench_memory_status("VmHWM"),
            (long long)deleted.count);
    return 0;
}

struct result {
    double seconds;
    double own;
    double all;
    double deleted;
};

static struct result run_child(const struct work *w, const char *what, const char *dir)
{
    char command[3 * BENCH_PATH_SIZE];
    struct result r;
    FILE *out;

    (void)snprintf(command, sizeof command, "'%s' --child %s '%s' %zu", w->program, what, dir,
            w->data->count);
    out = popen(command, "r");
    if (out == NULL ||
            fscanf(out, "%lf %lf %lf %lf", &r.seconds, &r.own, &r.all, &r.deleted) != 4 ||
            pclose(out) != 0) {
        bench_die("the child process for %s failed", what);
    }
    return r;
}

static void changes(struct work *w)
{
    static const struct bench_row trim = {"1 M: trim to half", "s", 0.2, false, NULL, 1.9};
    static const struct bench_row compact = {
            "1 M: compact to 10 k keys", "s", 0.5, false, NULL, 4.1};
    static const struct bench_row own = {
            "1 M: compact, own memory", "MiB", 64, false, "peak of RssAnon", 584};
    static const struct bench_row all = {"1 M: compact, memory with maps", "MiB", 0, false,
            "peak of VmRSS: what is mapped counts, though the kernel may drop it", 0};
    struct bench_data updates;
    double figures[4][99];
    char dir[BENCH_PATH_SIZE];

    if (!bench_wanted(w->args, trim.work) && !bench_wanted(w->args, compact.work)) {
        return;
    }
    bench_data_make(&updates, w->data->count, KEYS);
    bench_path(dir, w->args->dir, "whole.changed");
    (void)fprintf(stderr, "  1 M: trim, compact\n");
    for (int round = 0; round < w->args->rounds; round++) {
        struct result r;

        bench_stream_make(dir, w->data);
        r = run_child(w, "trim", dir);
        figures[0][round] = r.seconds;
        bench_stream_make(dir, &updates);
        r = run_child(w, "compact", dir);
        figures[1][round] = r.seconds;
        figures[2][round] = r.own / (1 << 20);
        figures[3][round] = r.all / (1 << 20);
    }
    bench_remove_dir(dir);
    for (size_t i = 0; i < 4; i++) {
        const struct bench_row *rows[] = {&trim, &compact, &own, &all};

        bench_report(rows[i], "stele", figures[i], (size_t)w->args->rounds);
        bench_elsewhere(rows[i]);
    }
    bench_data_free(&updates);
}

int main(int argc, char **argv)
{
    static const struct bench_row row_open = {"1 M: open", "ms", 2, false, NULL, 1.8};
    static const struct bench_row row_reindex = {
            "1 M: make all indexes again", "s", 0.3, false, NULL, 2.7};
    struct bench_args args;
    struct bench_data data;
    struct work w = {.args = &args, .data = &data, .program = argv[0]};

    if (argc == 5 && strcmp(argv[1], "--child") == 0) {
        return child(argv[2], argv[3], atoll(argv[4]));
    }
    bench_args_parse(&args, argc, argv);
    bench_data_make(&data, args.messages, 0);
    bench_path(w.dir, args.dir, "whole");
    bench_stream_make(w.dir, &data);
    bench_contest(&args, &row_open, (struct bench_side[]){{"stele", open_, &w}}, 1);
    bench_contest(&args, &row_reindex, (struct bench_side[]){{"stele", reindex, &w}}, 1);
    bench_remove_dir(w.dir);
    changes(&w);
    bench_data_free(&data);
    return 0;
}
