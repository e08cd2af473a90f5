/* SPDX-License-Identifier: MIT */
#include "crash/program.h"

#include "sim/loops.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUICK_STATES = 240, /* of one workload */
    QUICK_SEEDS = 24,
    SAMPLES = 6,        /* places of a random run */
    QUICK_STEP = 5,     /* loops: each n-th workload */
    QUICK_STRIDE = 3,   /* each n-th call */
    QUICK_RECOVERY = 29 /* of recovery, which is run from many places */
};

bool program_full(void)
{
    const char *full = getenv("STELE_FULL");

    return full != NULL && full[0] != '\0' && strcmp(full, "0") != 0;
}

/* ---- Command lines. ---- */

struct choice {
    const char *only; /* part of a name, or NULL */
    bool list;
    bool bad;
};

static struct choice choose(const struct program *p)
{
    struct choice choice = {.only = NULL};

    for (int i = 1; i < p->argc; i++) {
        if (strcmp(p->argv[i], "--list") == 0) {
            choice.list = true;
        } else if (strcmp(p->argv[i], "--only") == 0 && i + 1 < p->argc) {
            choice.only = p->argv[++i];
        } else {
            choice.bad = true;
        }
    }
    if (choice.bad) {
        (void)fprintf(stderr, "usage: %s [--list] [--only PART-OF-A-NAME]\n", p->argv[0]);
    }
    return choice;
}

/* Whether it is to be run; with --list it is printed. */
static bool is_chosen(const struct choice *choice, const char *name)
{
    if (choice->only != NULL && strstr(name, choice->only) == NULL) {
        return false;
    }
    if (choice->list) {
        (void)puts(name);
    }
    return !choice->list;
}

/* ---- Figures. ---- */

static void add(struct sim_report *sum, const struct sim_report *report)
{
    sum->generated += report->generated;
    sum->distinct += report->distinct;
    sum->opened += report->opened;
    sum->nested += report->nested;
    sum->runs += report->runs;
    sum->hits += report->hits;
    sum->violations += report->violations;
    sum->seconds += report->seconds;
}

/* ---- Crashes. ---- */

static void explore(const struct program *p, const struct sim_workload *workload, uint32_t sector,
        struct sim_report *sum)
{
    struct sim_explore_options options;
    struct sim_report report;

    sim_explore_options_init(&options);
    options.sector_size = sector;
    if (program_full()) {
        options.random_count = 16;
        options.nested_per_state = p->nested_full;
        options.states_per_op = p->per_op_full;
        options.opened_max = 0;
    } else {
        options.nested_per_state = 4;
        options.states_per_op = 12;
        options.random_count = 2;
        options.opened_max = QUICK_STATES / options.workers;
    }
    (void)sim_explore(workload, &options, &report);
    add(sum, &report);
}

static void explore_seeds(const struct program *p, const struct sim_workload *workload,
        uint32_t sector, struct sim_report *sum)
{
    struct sim_explore_options options;
    struct sim_report report;

    sim_explore_options_init(&options);
    options.sector_size = sector;
    options.nested_per_state = 4;
    options.seconds_max = 0;
    (void)sim_explore_seeds(
            workload, &options, program_full() ? p->seeds_full : QUICK_SEEDS, SAMPLES, &report);
    add(sum, &report);
}

int program_explore(const struct program *p)
{
    struct choice choice = choose(p);
    bool all = program_full() || getenv("STELE_SIM") != NULL;
    struct sim_report sum = {0};
    size_t count = 0;
    const struct sim_workload *list = p->workloads(&count);

    if (choice.bad) {
        return 2;
    }
    for (size_t i = 0; i < count; i++) {
        /* The larger sectors are a part of the quick run as well. */
        if (is_chosen(&choice, list[i].name) && (all || i % 2 == 0)) {
            explore(p, &list[i], 512, &sum);
        }
        if (!choice.list && is_chosen(&choice, list[i].name) && (all || i % 2 == 1)) {
            explore(p, &list[i], 4096, &sum);
        }
    }
    list = p->random != NULL ? p->random(&count) : NULL;
    for (size_t i = 0; list != NULL && i < count; i++) {
        if (is_chosen(&choice, list[i].name)) {
            explore_seeds(p, &list[i], i % 2 == 0 ? 512 : 4096, &sum);
        }
    }
    if (choice.list) {
        return 0;
    }
    (void)printf("%s crashes: generated %" PRIu64 ", distinct %" PRIu64 ", opened %" PRIu64
                 " (%" PRIu64 " inside recovery), violations %" PRIu64 ", %.1f s\n",
            p->module, sum.generated, sum.distinct, sum.opened, sum.nested, sum.violations,
            sum.seconds);
    return sum.violations == 0 && sum.opened > 0 ? 0 : 1;
}

/* ---- Faults. ---- */

static void run_loops(const struct sim_workload *workload, bool recovery, struct sim_report *sum)
{
    struct sim_loop_options options;
    struct sim_report report;

    sim_loop_options_init(&options);
    options.stride = program_full() ? 1 : QUICK_STRIDE;
    (void)sim_fault_loop(workload, &options, &report);
    add(sum, &report);
    (void)sim_alloc_loop(workload, &options, &report);
    add(sum, &report);
    if (recovery) {
        options.stride = program_full() ? 1 : QUICK_RECOVERY;
        (void)sim_recovery_fault_loop(workload, &options, &report);
        add(sum, &report);
    }
}

/* Each n-th, beginning elsewhere in each group of n. */
static bool is_nth(size_t i, size_t n)
{
    return n == 0 || i % n == i / n % n;
}

int program_loops(const struct program *p)
{
    struct choice choice = choose(p);
    bool quick = choice.only == NULL && !program_full() && getenv("STELE_SIM") == NULL;
    struct sim_report sum = {0};
    size_t count = 0;
    const struct sim_workload *list = p->workloads(&count);

    if (choice.bad) {
        return 2;
    }
    for (size_t i = 0; i < count; i++) {
        bool skipped = quick && !is_nth(i, QUICK_STEP);
        bool recovery = choice.only != NULL || !program_full() || is_nth(i, p->recovery_each);

        if ((choice.list || !skipped) && is_chosen(&choice, list[i].name)) {
            run_loops(&list[i], recovery, &sum);
        }
    }
    if (choice.list) {
        return 0;
    }
    (void)printf("%s faults: runs %" PRIu64 ", faults met %" PRIu64 ", states opened %" PRIu64
                 ", violations %" PRIu64 ", %.1f s\n",
            p->module, sum.runs, sum.hits, sum.opened, sum.violations, sum.seconds);
    return sum.violations == 0 ? 0 : 1;
}
