/* SPDX-License-Identifier: MIT
 *
 * store_looper.c: every call of the disk, LMDB's included, fails; at every call the process ends;
 * every allocation fails.
 */
#include "crash/program.h"
#include "crash/store_loops.h"
#include "crash/store_program.h"
#include "sim/loops.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUICK_STRIDE = 31,
    QUICK_SAMPLES = 2,
    FULL_SAMPLES = 4
};

static void allocations(const struct sim_workload *workload, struct sim_report *sum)
{
    struct sim_workload w = store_insisting(workload);
    struct sim_loop_options options;
    struct sim_report report;

    sim_loop_options_init(&options);
    options.stride = program_full() ? 1 : QUICK_STRIDE;
    (void)sim_alloc_loop(&w, &options, &report);
    sum->runs += report.runs;
    sum->hits += report.hits;
    sum->opened += report.opened;
    sum->violations += report.violations;
    sum->seconds += report.seconds;
}

static void print_sum(const char *module, const char *what, const struct sim_report *sum)
{
    (void)printf("%s %s: runs %" PRIu64 ", met %" PRIu64 ", states opened %" PRIu64
                 ", violations %" PRIu64 ", %.1f s\n",
            module, what, sum->runs, sum->hits, sum->opened, sum->violations, sum->seconds);
}

int store_program_loops(const struct store_program *p, int argc, char **argv)
{
    const char *only = argc == 3 && strcmp(argv[1], "--only") == 0 ? argv[2] : "";
    unsigned stride = program_full() ? 1 : QUICK_STRIDE;
    struct sim_report faults = {0};
    struct sim_report kills = {0};
    struct sim_report memory = {0};
    size_t count = 0;
    const struct sim_workload *list = p->workloads(&count);

    for (size_t i = 0; i < count; i++) {
        if (strstr(list[i].name, only) == NULL || store_program_skips(p, i, only)) {
            continue;
        }
        for (unsigned how = 0; how < STORE_LOOPS; how++) {
            bool kill = how >= STORE_LOOP_KILL_SOON;

            (void)store_loop(&list[i], (enum store_loop)how,
                    stride == 1 ? 0 : (unsigned)(i * 7 + how * 5) % stride, stride,
                    program_full() ? FULL_SAMPLES : QUICK_SAMPLES, 2, false,
                    kill ? &kills : &faults);
        }
        allocations(&list[i], &memory);
    }
    print_sum(p->module, "faults", &faults);
    print_sum(p->module, "deaths", &kills);
    print_sum(p->module, "allocations", &memory);
    return faults.violations + kills.violations + memory.violations == 0 ? 0 : 1;
}
