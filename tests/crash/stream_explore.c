/* SPDX-License-Identifier: MIT
 *
 * stream_explore.c: every workload of the stream, crashed everywhere.
 *
 *     stream_explore [--list] [--only PART-OF-A-NAME]
 *
 * With STELE_FULL: 512-byte and 4096-byte sectors, and crashes inside recovery,
 * within a number of states that two processors open in two minutes. It is
 * spread over all operations of all workloads; what one does not need goes to
 * those behind it. With STELE_FULL=deep there is no such limit: all subsets of
 * up to ten effects at every operation, many beyond, and every recovery
 * crashed at every operation; that takes hours. Else seconds of it.
 */
#include "crash/stream_workloads.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FULL_STATES = 1300 /* of one exploration, of which there are some 340 */
};

struct totals {
    uint64_t explorations;
    uint64_t operations;
    uint64_t cut; /* of them */
    uint64_t generated;
    uint64_t distinct;
    uint64_t opened;
    uint64_t nested;
    uint64_t violations;
    double seconds;
};

static bool is_deep(void)
{
    const char *full = getenv("STELE_FULL");

    return full != NULL && strcmp(full, "deep") == 0;
}

static void explore(const struct sim_workload *workload, uint32_t sector, struct totals *sum)
{
    struct sim_explore_options options;
    struct sim_report report;

    sim_explore_options_init(&options);
    options.sector_size = sector;
    if (is_deep()) {
        options.random_count = 64;
        options.nested_per_state = 64;
    } else if (stream_full()) {
        options.random_count = 16;
        options.nested_per_state = 2;
        options.states_max = FULL_STATES;
    } else {
        options.nested_per_state = 4;
        options.states_per_op = 12;
        options.random_count = 2;
        options.opened_max = 240 / options.workers;
    }
    (void)sim_explore(workload, &options, &report);
    sum->explorations++;
    sum->operations += report.ops;
    sum->cut += report.cut_ops;
    sum->generated += report.generated;
    sum->distinct += report.distinct;
    sum->opened += report.opened;
    sum->nested += report.nested;
    sum->violations += report.violations;
    sum->seconds += report.seconds;
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
        if (!stream_chosen(&choice, list[i].name)) {
            continue;
        }
        if (choice.list) {
            (void)puts(list[i].name);
            continue;
        }
        /* The larger sectors are a part of the quick run as well. */
        if (stream_full() || i % 2 == 0) {
            explore(&list[i], 512, &sum);
        }
        if (stream_full() || i % 2 == 1) {
            explore(&list[i], 4096, &sum);
        }
    }
    if (choice.list) {
        return 0;
    }
    (void)printf("stream crashes: %" PRIu64 " explorations, %" PRIu64 " operations (%" PRIu64
                 " not with every state), generated %" PRIu64 ", distinct %" PRIu64
                 ", opened %" PRIu64 " (%" PRIu64 " inside recovery), violations %" PRIu64
                 ", %.1f s\n",
            sum.explorations, sum.operations, sum.cut, sum.generated, sum.distinct, sum.opened,
            sum.nested, sum.violations, sum.seconds);
    return sum.violations == 0 && sum.explorations > 0 ? 0 : 1;
}
