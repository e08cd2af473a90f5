/* SPDX-License-Identifier: MIT
 *
 * wal_damage.c: every bit of a log flipped, every file cut at every byte; after a clean close, and
 * as a crash leaves it.
 *
 * Whatever is read then is right, or an error says that it is not. Bytes whose damage goes
 * unnoticed are listed, and have to be those that are allowed.
 *
 * Without STELE_FULL one bit in each seventh byte is flipped.
 */
#include "crash/program.h"
#include "crash/wal_probe.h"
#include "sim/loops.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    QUICK_STRIDE = 7
};

/* A file without a byte is what a crash leaves of the newest one in format blb, before its first
 * record is durable. */
static bool is_allowed(const struct wal_probe *probe, const struct sim_span *span, bool cut)
{
    return probe->crashed && probe->config.format == STELE_WAL_BLB && cut && span->from == 0 &&
           span->to == 1;
}

static int judge(const struct wal_probe *probe, const struct sim_spans *spans, bool cut)
{
    int bad = spans->more > 0;

    for (size_t i = 0; i < spans->count; i++) {
        const struct sim_span *span = &spans->list[i];
        bool allowed = is_allowed(probe, span, cut);

        (void)printf("  %s: %s bytes %" PRIu64 " to %" PRIu64 ", bits %02x: %s\n",
                cut ? "cut" : "flipped", span->name, span->from, span->to - 1, span->bits,
                allowed ? "as a crash leaves it" : "UNNOTICED");
        bad |= !allowed;
    }
    return bad;
}

static int damage(const char *name, struct wal_probe *probe)
{
    struct sim_workload workload = wal_probe_workload(name, probe);
    struct sim_loop_options options;
    struct sim_report report;
    static struct sim_spans bits;
    static struct sim_spans cuts;
    int bad;

    memset(&bits, 0, sizeof bits);
    memset(&cuts, 0, sizeof cuts);
    sim_loop_options_init(&options);
    options.stride = program_full() ? 1 : QUICK_STRIDE;
    bad = !sim_bit_loop(&workload, &options, &bits, &report);
    bad |= judge(probe, &bits, false);
    bad |= !sim_cut_loop(&workload, &options, &cuts, &report);
    bad |= judge(probe, &cuts, true);
    return bad;
}

int main(void)
{
    static struct {
        const char *name;
        struct wal_probe probe;
    } all[] = {
            {"wal-damage-stele-closed", {.config = {.format = STELE_WAL_STELE}}},
            {"wal-damage-stele-crashed",
                    {.config = {.format = STELE_WAL_STELE, .no_map = true}, .crashed = true}},
            {"wal-damage-blb-closed", {.config = {.format = STELE_WAL_BLB}}},
            {"wal-damage-blb-crashed",
                    {.config = {.format = STELE_WAL_BLB, .no_map = true}, .crashed = true}},
    };

    int bad = 0;

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        all[i].probe.config.large = true;
        all[i].probe.config.segment_size =
                all[i].probe.config.format == STELE_WAL_STELE ? 4096 : 1500;
        bad |= damage(all[i].name, &all[i].probe);
    }
    (void)printf("wal damage: %s\n", bad ? "SOMETHING WENT UNNOTICED" : "all noticed that can be");
    return bad;
}
