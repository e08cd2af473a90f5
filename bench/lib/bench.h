/* SPDX-License-Identifier: MIT
 *
 * bench.h: what the benchmarks share: clock, rounds, figures, files.
 *
 * A row compares Stele with others in the same work: each side runs once a
 * round, one after the other, so that what the machine does meanwhile meets
 * all of them. The median of the rounds counts. A figure goes out as one line
 * of JSON; bench_table makes the table of them.
 *
 * A benchmark fails only when the work itself does: the program ends with
 * what went wrong. No figure is a failure.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stele/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    BENCH_PATH_SIZE = 512
};

/* ---- The command line of every benchmark. ---- */

struct bench_args {
    const char *dir;  /* for data: exists, and is ours */
    size_t messages;  /* how many "1 M" is */
    int rounds;       /* of each side */
    const char *only; /* rows whose name contains this; NULL: all */
};

void bench_args_parse(struct bench_args *args, int argc, char **argv);

/* ---- Rows. ---- */

struct bench_row {
    const char *work;
    const char *unit;
    double aim;       /* 0: none */
    bool more;        /* a larger figure is better */
    const char *note; /* a remark for the table; may be NULL */
    double elsewhere; /* what klevdb did on another run; 0: not known */
};

struct bench_side {
    const char *who;
    /* One round: what is in the unit of the row. Sets up and cleans up
     * outside of what it measures. */
    double (*run)(void *arg);
    void *arg;
};

/* The first side is Stele. */
void bench_contest(const struct bench_args *args, const struct bench_row *row,
        const struct bench_side *sides, size_t count);

/* Whether the row is wanted at all. */
bool bench_wanted(const struct bench_args *args, const char *work);

/* Report figures that were measured elsewhere than in bench_contest(). */
void bench_report(
        const struct bench_row *row, const char *who, const double *figures, size_t count);

void bench_elsewhere(const struct bench_row *row);

double bench_median(const double *figures, size_t count);

/* ---- Helpers. ---- */

double bench_now(void); /* seconds, of a clock that does not jump */

_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* End the program unless `rc` is STELE_OK. */
void bench_check(stele_code rc, const stele_error *err, const char *what);

/* Call `step` in so many threads for so long: calls a second. Each call gets
 * a number of its own. */
double bench_per_second(
        int threads, double seconds, void (*step)(void *arg, size_t number), void *arg);

/* Numbers that are the same in each run. */
uint64_t bench_random(uint64_t *state);

/* "dir/name" in a buffer of BENCH_PATH_SIZE. */
void bench_path(char *out, const char *dir, const char *name);

/* Make a directory that was not there or is emptied; remove it with all in it. */
void bench_fresh_dir(const char *path);
void bench_remove_dir(const char *path);

/* What was written to a file survives a power cut. */
void bench_sync_file(FILE *f);

/* Call `each` for the files of a directory whose name ends so. */
void bench_each_file(
        const char *dir, const char *ending, void (*each)(const char *path, void *arg), void *arg);

/* Memory that malloc() gave and that is in use, and what of this process is
 * in memory: "RssAnon" alone, or "VmRSS" or "VmHWM", files that are mapped included. Bytes. */
double bench_memory_malloc(void);
double bench_memory_status(const char *field);

#endif /* BENCH_BENCH_H */
