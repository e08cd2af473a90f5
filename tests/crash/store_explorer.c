/* SPDX-License-Identifier: MIT
 *
 * store_explorer.c: every state in which a crash may leave a store, and what is kept in one; LMDB's
 * files included.
 */
#include "crash/program.h"
#include "crash/store_program.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUICK_STATES = 60, /* of one workload, spread over its operations */
    FULL_STATES = 1200,
    QUICK_NESTED = 1,
    FULL_NESTED = 4
};

static void explore(const struct sim_workload *workload, uint32_t sector, struct sim_report *sum)
{
    struct sim_explore_options options;
    struct sim_report report;
    bool full = program_full();

    sim_explore_options_init(&options);
    options.sector_size = sector;
    options.random_count = full ? 16 : 2;
    options.nested_per_state = full ? FULL_NESTED : QUICK_NESTED;
    options.states_per_op = 0;
    options.states_max = full ? FULL_STATES : QUICK_STATES;
    options.seconds_max = 0;
    (void)sim_explore(workload, &options, &report);
    sum->generated += report.generated;
    sum->distinct += report.distinct;
    sum->opened += report.opened;
    sum->nested += report.nested;
    sum->violations += report.violations;
    sum->seconds += report.seconds;
}

bool store_program_skips(const struct store_program *p, size_t number, const char *only)
{
    return only[0] == '\0' && !program_full() && getenv("STELE_SIM") == NULL &&
           number % p->quick_each != 1 % p->quick_each;
}

int store_program_explore(const struct store_program *p, int argc, char **argv)
{
    bool list_only = argc == 2 && strcmp(argv[1], "--list") == 0;
    const char *only = argc == 3 && strcmp(argv[1], "--only") == 0 ? argv[2] : "";
    bool all = program_full() || getenv("STELE_SIM") != NULL;
    struct sim_report sum = {0};
    size_t count = 0;
    const struct sim_workload *list = p->workloads(&count);

    for (size_t i = 0; i < count; i++) {
        if (strstr(list[i].name, only) == NULL || (!list_only && store_program_skips(p, i, only))) {
            continue;
        }
        if (list_only) {
            (void)puts(list[i].name);
            continue;
        }
        if (all || i % 2 == 0) {
            explore(&list[i], 512, &sum);
        }
        if (all || i % 2 == 1) {
            explore(&list[i], 4096, &sum);
        }
    }
    if (list_only) {
        return 0;
    }
    (void)printf("%s crashes: generated %" PRIu64 ", distinct %" PRIu64 ", opened %" PRIu64
                 " (%" PRIu64 " inside recovery), violations %" PRIu64 ", %.1f s\n",
            p->module, sum.generated, sum.distinct, sum.opened, sum.nested, sum.violations,
            sum.seconds);
    return sum.violations == 0 && sum.opened > 0 ? 0 : 1;
}
