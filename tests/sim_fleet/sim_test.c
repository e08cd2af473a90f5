/* SPDX-License-Identifier: MIT
 *
 * sim_test.c: many runs of a fleet, each seed twice.
 *
 *     fleet_sim_test [FIRST COUNT [TEST]]
 */
#include "sim.h"

#include "lib/check.h"

#include <inttypes.h>
#include <stdlib.h>

static uint64_t first_seed = 1;
static uint64_t seed_count = 20;

static struct sim_config config_of(uint64_t seed)
{
    struct sim_config c = {.seed = seed,
            .nodes = 3 + seed % 5,
            .ops = 60 + (unsigned)(seed % 40),
            .trouble_ns = 20 * SIM_SECOND,
            .heal_ns = 90 * SIM_SECOND,
            .clocks = seed % 3 == 0,
            .pauses = seed % 2 == 0};

    return c;
}

static void add(struct sim_figures *sum, const struct sim_figures *f)
{
    sum->events += f->events;
    sum->ops += f->ops;
    sum->acked += f->acked;
    sum->crashes += f->crashes;
    sum->cuts += f->cuts;
    sum->clocks += f->clocks;
    sum->fulls += f->fulls;
    sum->lost += f->lost;
    sum->duplicated += f->duplicated;
    sum->bytes += f->bytes;
    sum->sessions += f->sessions;
    sum->snapshots += f->snapshots;
    sum->trims += f->trims;
    sum->wipes += f->wipes;
    sum->drifts += f->drifts;
    sum->pauses += f->pauses;
    sum->flips += f->flips;
    sum->away += f->away;
    sum->mended += f->mended;
    sum->truncated += f->truncated;
    sum->level_ns = f->level_ns > sum->level_ns ? f->level_ns : sum->level_ns;
}

static void print_figures(const char *what, uint64_t runs, const struct sim_figures *f)
{
    print_message("%s: %" PRIu64 " runs, %" PRIu64 " operations (%" PRIu64
                  " acknowledged), %" PRIu64 " crashes, %" PRIu64 " pauses, %" PRIu64
                  " partitions, %" PRIu64 " clocks set, %" PRIu64 " that drift, %" PRIu64
                  " full disks, %" PRIu64 " away for long, %" PRIu64 " lost, %" PRIu64
                  " truncated, %" PRIu64 " bits flipped (%" PRIu64 " entries taken out), %" PRIu64
                  " messages lost, %" PRIu64 " twice, %" PRIu64 " sessions, %" PRIu64
                  " snapshots, %" PRIu64 " trims, %" PRIu64 " events, level after %.1f s at most\n",
            what, runs, f->ops, f->acked, f->crashes, f->pauses, f->cuts, f->clocks, f->drifts,
            f->fulls, f->away, f->wipes, f->truncated, f->flips, f->mended, f->lost, f->duplicated,
            f->sessions, f->snapshots, f->trims, f->events, (double)f->level_ns / 1e9);
}

static void run_once(const struct sim_config *config, uint64_t *trace, struct sim_figures *sum)
{
    static struct sim s;
    char wrong[sizeof s.wrong];

    sim_run(&s, config);
    memcpy(wrong, s.wrong, sizeof wrong);
    *trace = s.trace;
    sim_free(&s);
    if (sum != NULL) {
        add(sum, &s.figures);
    }
    if (wrong[0] != 0) {
        fail_msg("seed %" PRIu64 ": %s", config->seed, wrong);
    }
}

static void run_all(const char *what, struct sim_config (*make)(uint64_t seed))
{
    struct sim_figures sum = {.events = 0};

    for (uint64_t seed = first_seed; seed < first_seed + seed_count; seed++) {
        struct sim_config config = make(seed);
        uint64_t traces[2];

        run_once(&config, &traces[0], &sum);
        run_once(&config, &traces[1], NULL);
        assert_true(traces[0] == traces[1]);
    }
    print_figures(what, seed_count, &sum);
}

static void test_fleet(void **state)
{
    (void)state;
    run_all("fleet", config_of);
}

static struct sim_config mixed(uint64_t seed)
{
    struct sim_config c = config_of(seed);

    c.references = 1 + seed % 2;
    c.clocks = false;
    return c;
}

static void test_mixed(void **state)
{
    (void)state;
    run_all("mixed with the reference", mixed);
}

static struct sim_config trimmed(uint64_t seed)
{
    struct sim_config c = config_of(seed);

    c.retention = 70;
    c.trouble_ns = 200 * SIM_SECOND;
    c.ops = 200;
    c.ops_ns = seed % 2 == 0 ? 60 * SIM_SECOND : 0;
    c.clocks = false;
    return c;
}

static void test_trimmed(void **state)
{
    (void)state;
    run_all("trimmed", trimmed);
}

static struct sim_config wiped(uint64_t seed)
{
    struct sim_config c = config_of(seed);

    c.wipes = true;
    c.clocks = false;
    if (seed % 2 == 0) {
        c.retention = 70;
        c.trouble_ns = 200 * SIM_SECOND;
        c.ops = 200;
        c.ops_ns = 60 * SIM_SECOND;
    }
    return c;
}

static void test_wiped(void **state)
{
    (void)state;
    run_all("disks lost", wiped);
}

/* One is away for longer than logs reach back, and is given up; it comes back. */
static struct sim_config away(uint64_t seed)
{
    struct sim_config c = trimmed(seed);

    c.away_ns = 120 * SIM_SECOND;
    c.ops_ns = seed % 2 == 0 ? 60 * SIM_SECOND : 200 * SIM_SECOND;
    c.drift_max = seed % 3 == 0 ? 10 : 60;
    return c;
}

static void test_away(void **state)
{
    (void)state;
    run_all("away for longer than the horizon", away);
}

/* Of five nodes, or a few more or less, the disk of one is damaged, truncated or lost, again and
 * again. */
static struct sim_config rotten(uint64_t seed)
{
    struct sim_config c = config_of(seed);

    c.rot = true;
    c.nodes = seed % 4 == 3 ? 3 + seed % 5 : 5;
    if (seed % 2 == 0) {
        c.retention = 70;
        c.trouble_ns = 200 * SIM_SECOND;
        c.ops = 200;
        c.ops_ns = 60 * SIM_SECOND;
        c.clocks = false;
    }
    return c;
}

static void test_rotten(void **state)
{
    (void)state;
    run_all("disks damaged", rotten);
}

/* So many nodes, once each: level within 20 states, that is, 20 s. */
static void test_scale(void **state)
{
    const char *full = getenv("STELE_FULL");
    const size_t sizes[] = {10, 30, 100};
    size_t count = full != NULL && full[0] != 0 ? 3 : 2;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        struct sim_config c = {.seed = 7,
                .nodes = sizes[i],
                .ops = (unsigned)(3 * sizes[i]),
                .trouble_ns = 10 * SIM_SECOND,
                .heal_ns = 20 * SIM_SECOND};
        struct sim_figures sum = {.events = 0};
        uint64_t trace;

        run_once(&c, &trace, &sum);
        print_message("%zu nodes, %" PRIu64 " acknowledged: level after %.2f s, %" PRIu64
                      " sessions, %" PRIu64 " bytes sent by each node in %.0f s\n",
                sizes[i], sum.acked, (double)sum.level_ns / 1e9, sum.sessions, sum.bytes / sizes[i],
                13 + (double)sum.level_ns / 1e9);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_fleet),
            cmocka_unit_test(test_mixed),
            cmocka_unit_test(test_trimmed),
            cmocka_unit_test(test_wiped),
            cmocka_unit_test(test_away),
            cmocka_unit_test(test_rotten),
            cmocka_unit_test(test_scale),
    };
    const char *full = getenv("STELE_FULL");

    if (full != NULL && full[0] != 0) {
        seed_count = 1000;
    }
    if (argc > 3) {
        cmocka_set_test_filter(argv[3]);
    }
    if (argc >= 3) {
        first_seed = strtoull(argv[1], NULL, 10);
        seed_count = strtoull(argv[2], NULL, 10);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
