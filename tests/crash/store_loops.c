/* SPDX-License-Identifier: MIT
 *
 * store_loops.c: a failure, or a death, at every call.
 */
#include "crash/store_loops.h"

#include "crash/store_run.h"
#include "sim/runner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    NAME_SIZE = 80,
    CALLS_MAX = 2000 /* no run has so many */
};

static const char *const names[STORE_LOOPS] = {
        "eio", "enospc", "full", "short", "sync", "kill-soon", "kill"};

static const struct record_fault faults[STORE_LOOPS] = {
        [STORE_LOOP_EIO] = {.kind = RECORD_FAULT_ERROR, .error = EIO},
        [STORE_LOOP_ENOSPC] = {.kind = RECORD_FAULT_ERROR, .error = ENOSPC, .only_writes = true},
        [STORE_LOOP_FULL] = {.kind = RECORD_FAULT_ERROR,
                .error = ENOSPC,
                .only_writes = true,
                .persistent = true},
        [STORE_LOOP_SHORT] = {.kind = RECORD_FAULT_SHORT, .only_writes = true},
        [STORE_LOOP_SYNC] = {.kind = RECORD_FAULT_ERROR, .error = EIO, .only_syncs = true},
        [STORE_LOOP_KILL] = {.kind = RECORD_FAULT_KILL},
        [STORE_LOOP_KILL_SOON] = {.kind = RECORD_FAULT_KILL_AFTER},
};

struct loop {
    const struct sim_workload *workload;
    enum store_loop how;
    unsigned first;
    unsigned stride;
    unsigned samples;
    bool quiet;
};

struct sim_workload store_insisting(const struct sim_workload *workload)
{
    static struct store_work works[64];
    static unsigned next;
    struct store_work *work = &works[next++ % 64];
    struct sim_workload w = *workload;

    *work = *(const struct store_work *)workload->arg;
    work->insist = true;
    w.arg = work;
    return w;
}

/* One run with the fault at call n. False: there are not so many calls, or something is wrong. */
static bool run_one(
        const struct loop *l, struct sim_workload *w, uint64_t n, struct sim_report *report)
{
    struct store_work *work = w->arg;
    struct record_fault fault = faults[l->how];
    struct sim_explore_options options;
    struct sim_report one;
    char name[NAME_SIZE];
    bool ok;

    (void)snprintf(name, sizeof name, "%s+%s-%u", l->workload->name, names[l->how], (unsigned)n);
    fault.at = n;
    work->fault = &fault;
    work->hits = 1;
    w->name = name;
    sim_explore_options_init(&options);
    options.seed = 1 + n;
    options.sector_size = n % 2 == 0 ? 512 : 4096;
    options.nested_per_state = 0;
    options.seconds_max = 0;
    options.workers = 1;
    options.quiet = true;
    ok = sim_explore_seeds(w, &options, 1, l->samples, &one);
    work->fault = NULL;
    report->runs++;
    report->opened += one.opened;
    report->hits += work->hits > 0 ? 1 : 0;
    if (!ok) {
        sim_violation(report, one.line, "%s: %s", name, one.failure);
    }
    return ok && work->hits > 0 && n < CALLS_MAX;
}

static void run_loop(void *arg, unsigned worker, unsigned workers, struct sim_crumb *crumb,
        struct sim_report *report)
{
    const struct loop *l = arg;
    struct sim_workload w = store_insisting(l->workload);
    uint64_t n = l->first + (uint64_t)worker * l->stride;

    do {
        (void)snprintf(crumb->line, sizeof crumb->line, "%s+%s-%u", l->workload->name,
                names[l->how], (unsigned)n);
        __atomic_add_fetch(&crumb->steps, 1, __ATOMIC_RELAXED);
        n += (uint64_t)workers * l->stride;
    } while (run_one(l, &w, n - (uint64_t)workers * l->stride, report));
}

bool store_loop(const struct sim_workload *workload, enum store_loop how, unsigned first,
        unsigned stride, unsigned samples, unsigned workers, bool quiet, struct sim_report *sum)
{
    struct loop l = {workload, how, first, stride, samples, quiet};
    const struct sim_job job = {&l, run_loop};
    struct sim_report report = {0};
    double began = sim_seconds();
    char what[NAME_SIZE];

    /* A workload with a fault of its own has no room for another. */
    if (strchr(((const struct store_work *)workload->arg)->steps, 'E') != NULL) {
        return true;
    }
    sim_run_job(&job, workers, &report);
    report.seconds = sim_seconds() - began;
    (void)snprintf(what, sizeof what, "every %u-th call: %s", stride, names[how]);
    if (!quiet) {
        sim_print_report(workload->name, what, &report);
    }
    sum->runs += report.runs;
    sum->hits += report.hits;
    sum->opened += report.opened;
    sum->violations += report.violations;
    sum->seconds += report.seconds;
    return report.violations == 0;
}
