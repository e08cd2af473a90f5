/* SPDX-License-Identifier: MIT */
#include "lib/bench.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ROUNDS_MAX = 99,
    SIDES_MAX = 8
};

_Noreturn void bench_die(const char *format, ...)
{
    va_list args;

    (void)fputs("bench: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(1);
}

void bench_check(stele_code rc, const stele_error *err, const char *what)
{
    if (rc != STELE_OK) {
        bench_die("%s: %s: %s", what, stele_code_name(rc), err->message);
    }
}

static long number(const char *text, long max)
{
    char *end;
    long n;

    errno = 0;
    n = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < 1 || n > max) {
        bench_die("'%s' is not a number from 1 to %ld", text, max);
    }
    return n;
}

void bench_args_parse(struct bench_args *args, int argc, char **argv)
{
    static const struct option options[] = {
            {"dir", required_argument, NULL, 'd'},
            {"messages", required_argument, NULL, 'm'},
            {"rounds", required_argument, NULL, 'r'},
            {"only", required_argument, NULL, 'o'},
            {NULL, 0, NULL, 0},
    };
    int c;

    *args = (struct bench_args){.messages = 1000000, .rounds = 5};
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'd':
            args->dir = optarg;
            break;
        case 'm':
            args->messages = (size_t)number(optarg, 100000000);
            break;
        case 'r':
            args->rounds = (int)number(optarg, ROUNDS_MAX);
            break;
        case 'o':
            args->only = optarg;
            break;
        default:
            exit(2);
        }
    }
    if (args->dir == NULL || optind != argc) {
        (void)fprintf(stderr,
                "usage: %s --dir DIRECTORY [--messages N] [--rounds N] [--only TEXT]\n", argv[0]);
        exit(2);
    }
}

bool bench_wanted(const struct bench_args *args, const char *work)
{
    return args->only == NULL || strstr(work, args->only) != NULL;
}

double bench_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

uint64_t bench_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15U;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
    x = (x ^ x >> 27) * 0x94d049bb133111ebU;
    return x ^ x >> 31;
}

/* ---- Figures. ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_median(const double *figures, size_t count)
{
    double sorted[ROUNDS_MAX];

    if (count == 0 || count > ROUNDS_MAX) {
        bench_die("%zu figures have no median here", count);
    }
    memcpy(sorted, figures, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare);
    return count % 2 == 1 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

/* The names are ours: none has a character that JSON would escape. */
static void line(const struct bench_row *row, const char *who, bool here)
{
    (void)printf("{\"work\": \"%s\", \"unit\": \"%s\", \"who\": \"%s\", \"here\": %s", row->work,
            row->unit, who, here ? "true" : "false");
    if (row->aim > 0) {
        (void)printf(", \"aim\": %g, \"better\": \"%s\"", row->aim, row->more ? "more" : "less");
    }
    if (row->note != NULL) {
        (void)printf(", \"note\": \"%s\"", row->note);
    }
}

void bench_report(const struct bench_row *row, const char *who, const double *figures, size_t count)
{
    line(row, who, true);
    (void)printf(", \"median\": %.6g, \"rounds\": [", bench_median(figures, count));
    for (size_t i = 0; i < count; i++) {
        (void)printf("%s%.6g", i == 0 ? "" : ", ", figures[i]);
    }
    (void)puts("]}");
    (void)fflush(stdout);
}

void bench_elsewhere(const struct bench_row *row)
{
    if (row->elsewhere > 0) {
        line(row, "klevdb (other run)", false);
        (void)printf(", \"median\": %g}\n", row->elsewhere);
        (void)fflush(stdout);
    }
}

void bench_contest(const struct bench_args *args, const struct bench_row *row,
        const struct bench_side *sides, size_t count)
{
    static double figures[SIDES_MAX][ROUNDS_MAX];

    if (!bench_wanted(args, row->work)) {
        return;
    }
    if (count > SIDES_MAX) {
        bench_die("more than %d sides", SIDES_MAX);
    }
    (void)fprintf(stderr, "  %s\n", row->work);
    for (int round = 0; round < args->rounds; round++) {
        for (size_t i = 0; i < count; i++) {
            figures[i][round] = sides[i].run(sides[i].arg);
        }
    }
    for (size_t i = 0; i < count; i++) {
        bench_report(row, sides[i].who, figures[i], (size_t)args->rounds);
    }
    bench_elsewhere(row);
}
