/* SPDX-License-Identifier: MIT
 *
 * stream_loops.c: every workload of the stream, with each call of the disk and each allocation
 * failing in turn, and with each call of its recovery failing.
 *
 *     stream_loops [--list] [--only PART-OF-A-NAME]
 *
 * Without STELE_FULL it takes every n-th call of a part of the workloads, so as to end in seconds.
 */
#include "crash/stream_workloads.h"
#include "sim/loops.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    QUICK_STEP = 5,     /* each n-th workload */
    QUICK_STRIDE = 3,   /* each n-th call */
    QUICK_RECOVERY = 29 /* of recovery, which is run from many places */
};

struct totals {
    uint64_t runs;
    uint64_t hits;
    uint64_t met;
    uint64_t opened;
    uint64_t violations;
    double seconds;
};

static void add(struct totals *sum, const struct sim_report *report)
{
    sum->runs += report->runs;
    sum->hits += report->hits;
    sum->met += report->met;
    sum->opened += report->opened;
    sum->violations += report->violations;
    sum->seconds += report->seconds;
}

static void run_loops(const struct sim_workload *workload, struct totals *sum)
{
    struct sim_loop_options options;
    struct sim_report report;

    sim_loop_options_init(&options);
    options.stride = stream_full() ? 1 : QUICK_STRIDE;
    (void)sim_fault_loop(workload, &options, &report);
    add(sum, &report);
    (void)sim_alloc_loop(workload, &options, &report);
    add(sum, &report);
    options.stride = stream_full() ? 1 : QUICK_RECOVERY;
    (void)sim_recovery_fault_loop(workload, &options, &report);
    add(sum, &report);
}

int main(int argc, char **argv)
{
    struct stream_choice choice = stream_choose(argc, argv);
    struct totals sum = {0};
    size_t count;
    const struct sim_workload *list = stream_workloads(&count);

    if (choice.bad) {
        return 2;
    }
    for (size_t i = 0; i < count; i++) {
        bool quick = choice.only == NULL && !stream_full() && getenv("STELE_SIM") == NULL;

        if (!stream_chosen(&choice, list[i].name)) {
            continue;
        }
        if (choice.list) {
            (void)puts(list[i].name);
        } else if (!quick || i % QUICK_STEP == (i / QUICK_STEP) % QUICK_STEP) {
            run_loops(&list[i], &sum);
        }
    }
    if (choice.list) {
        return 0;
    }
    (void)printf("stream faults: runs %" PRIu64 ", faults met %" PRIu64 ", states met %" PRIu64
                 ", opened %" PRIu64 ", violations %" PRIu64 ", %.1f s\n",
            sum.runs, sum.hits, sum.met, sum.opened, sum.violations, sum.seconds);
    return sum.violations == 0 ? 0 : 1;
}
