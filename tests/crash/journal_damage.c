/* SPDX-License-Identifier: MIT
 *
 * journal_damage.c: every bit of a journal flipped, every file cut at every byte: of one that was
 * stopped, of one that crashed, and of one in which a merge could not remove what it replaced. And
 * a program merges on a disk that stores something else than it was given.
 *
 * Whatever is played then is right, or an error says that it is not. What a crash may do as well
 * looks like a crash: the last operation of an unsealed log, or a newest log that has become
 * shorter.
 *
 * Without STELE_FULL one bit in each seventh byte is flipped.
 */
#include "crash/journal_probe.h"
#include "crash/program.h"
#include "sim/loops.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    QUICK_STRIDE = 7
};

static void tell(const struct sim_spans *spans, const char *what)
{
    for (size_t i = 0; i < spans->count; i++) {
        const struct sim_span *span = &spans->list[i];

        (void)printf("  %s: %s bytes %" PRIu64 " to %" PRIu64 ", bits %02x: UNNOTICED\n", what,
                span->name, span->from, span->to - 1, span->bits);
    }
}

static bool damage(const struct sim_workload *workload, const struct sim_loop_options *options)
{
    static struct sim_spans bits;
    static struct sim_spans cuts;
    struct sim_report report;
    bool good;

    memset(&bits, 0, sizeof bits);
    memset(&cuts, 0, sizeof cuts);
    good = sim_bit_loop(workload, options, &bits, &report);
    good = sim_cut_loop(workload, options, &cuts, &report) && good;
    tell(&bits, "flipped");
    tell(&cuts, "cut");
    return good && bits.count == 0 && cuts.count == 0;
}

int main(void)
{
    struct sim_loop_options options;
    struct sim_report report;
    const struct sim_workload *list;
    size_t count = 0;
    bool good = true;

    sim_loop_options_init(&options);
    options.stride = program_full() ? 1 : QUICK_STRIDE;
    list = journal_probe_workloads(&count);
    for (size_t i = 0; i < count; i++) {
        good = damage(&list[i], &options) && good;
    }
    options.stride = 1;
    list = journal_lie_workloads(&count);
    for (size_t i = 0; i < count; i++) {
        good = sim_lie_loop(&list[i], &options, &report) && good;
    }
    (void)printf("journal damage: %s\n", good ? "all noticed" : "SOMETHING WENT UNNOTICED");
    return good ? 0 : 1;
}
