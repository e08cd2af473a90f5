/* SPDX-License-Identifier: MIT
 *
 * mutants_test.c: each seeded bug of the core is found by the simulator, and each rule of the
 * reference that depends on the order in which entries come.
 */
#include "fleet/mutant.h"
#include "lib/check.h"
#include "sim.h"

#include <inttypes.h>

enum {
    SEEDS_MAX = 60
};

static const struct {
    const char *name;
    const char *finder;
} mutants[] = {
        {"none", ""},

#define X(name, finder, what) {#name, #finder},
#include "fleet/mutants.def"
#undef X
};

static void trim(struct sim_config *c)
{
    c->retention = 65;
    c->trouble_ns = 200 * SIM_SECOND;
    c->ops = 100;
    c->ops_ns = 40 * SIM_SECOND;
}

/* In turn: a fleet, one with clocks that go wrong, one with the reference in it, one that is
 * trimmed, with disks that are lost, one whose disk is damaged, one that is trimmed with such a
 * disk, and one that is trimmed with the reference in it. */
static struct sim_config config_of(uint64_t seed)
{
    struct sim_config c = {.seed = seed,
            .nodes = 3 + seed % 3,
            .ops = 60,
            .trouble_ns = 20 * SIM_SECOND,
            .heal_ns = 60 * SIM_SECOND};

    switch (seed % 7) {
    case 0:
        break;
    case 1:
        c.clocks = true;
        break;
    case 2:
        c.references = 1;
        break;
    case 3:
        trim(&c);
        c.drift_max = 10; /* seldom is a snapshot taken but for what was lost */
        c.wipes = true;
        break;
    case 4:
        c.rot = true;
        break;
    case 5:
        trim(&c);
        c.drift_max = 10;
        c.rot = true;
        break;
    default:
        c.retention = 65;
        c.trouble_ns = 200 * SIM_SECOND;
        c.ops = 200;
        c.references = 1;
        break;
    }
    return c;
}

static bool run(const struct sim_config *config, char *why, size_t size)
{
    static struct sim s;

    sim_run(&s, config);
    (void)snprintf(why, size, "seed %" PRIu64 ": %.200s", config->seed, s.wrong);
    sim_free(&s);
    return s.wrong[0] != 0;
}

static void test_mutants(void **state)
{
    unsigned escaped = 0;

    (void)state;
    for (int id = 1; id < STI_FLEET_MUTANT_COUNT; id++) {
        char why[256] = "";
        bool caught = false;

        if (strcmp(mutants[id].finder, "sim") != 0) {
            continue;
        }
        sti_fleet_mutant_on = id;
        for (uint64_t seed = 1; !caught && seed <= SEEDS_MAX; seed++) {
            struct sim_config config = config_of(seed);

            caught = run(&config, why, sizeof why);
        }
        sti_fleet_mutant_on = STI_FLEET_MUTANT_NONE;
        print_message("%-26s %s%s\n", mutants[id].name, caught ? "" : "ESCAPED ", why);
        escaped += !caught;
    }
    assert_int_equal(escaped, 0);
}

static void test_none(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim_config config = config_of(seed);
        char why[256];

        if (run(&config, why, sizeof why)) {
            fail_msg("%s", why);
        }
    }
}

static void test_reference_rules(void **state)
{
    (void)state;
    for (enum sim_rules rules = SIM_RULES_DELETE_FORGETS; rules <= SIM_RULES_FIRST_OWNS; rules++) {
        unsigned found = 0;
        char why[256];

        for (uint64_t seed = 1; seed <= 20; seed++) {
            struct sim_config config = config_of(7 * seed);

            config.rules = rules;
            found += run(&config, why, sizeof why);
        }
        print_message(
                "rule %d of the reference: documents differ in %u of 20 runs\n", (int)rules, found);
        assert_true(found > 0);
    }
}

/* A disk that is believed: what is damaged spreads, or stays. */
static void test_disk_that_is_believed(void **state)
{
    unsigned found = 0;
    char why[256] = "";

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim_config config = config_of(7 * seed + 4);

        config.rules = SIM_RULES_BELIEVES;
        found += run(&config, why, sizeof why);
    }
    print_message("disks that are believed: wrong in %u of 20 runs, %s\n", found, why);
    assert_true(found > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_none),
            cmocka_unit_test(test_mutants),
            cmocka_unit_test(test_reference_rules),
            cmocka_unit_test(test_disk_that_is_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
