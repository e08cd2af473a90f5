/* SPDX-License-Identifier: MIT
 *
 * journal_model_test.c: journals on files against a plain map, on the simulated disk and on the
 * real one.
 *
 * With STELE_FULL: 1,000,000 operations on the simulated disk. STELE_SEED sets the first seed; a
 * failure prints the one of its run.
 */
#include "model/journal_model.h"

#include "lib/check.h"
#include "lib/tmpdir.h"
#include "sim/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    RUN = 10000, /* operations of one journal */
    SIMULATED = 20000,
    SIMULATED_FULL = 1000000,
    REAL = 2000,
    REAL_FULL = 50000
};

static bool is_full(void)
{
    const char *full = getenv("STELE_FULL");

    return full != NULL && full[0] != '\0';
}

static uint64_t first_seed(void)
{
    const char *text = getenv("STELE_SEED");

    return text == NULL ? 1 : strtoull(text, NULL, 10);
}

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void report(const char *what, const struct journal_model_sums *sums, double started)
{
    const double took = seconds() - started;

    print_message("journal model, %s: seeds from %" PRIu64 ", %" PRIu64 " operations, %" PRIu64
                  " plays of %" PRIu64 ", %" PRIu64 " up to a count, %" PRIu64 " merges, %" PRIu64
                  " reopens, %" PRIu64 " clears, %.0f operations/s\n",
            what, first_seed(), sums->operations, sums->plays, sums->played, sums->untils,
            sums->merges, sums->reopened, sums->cleared,
            (double)sums->operations / (took > 0 ? took : 1));
}

static void simulated_disk(void **state)
{
    const struct sim_disk_options disk = {.no_trace = true};
    const uint64_t total = is_full() ? SIMULATED_FULL : SIMULATED;
    struct journal_model_sums sums = {0};
    const double started = seconds();

    (void)state;
    for (uint64_t run = 0; run < total / RUN; run++) {
        struct sim_world *world = sim_world_new(first_seed() + run, NULL, &disk);
        const struct journal_model_setup setup = {.env = &world->env,
                .dir = "/journal",
                .seed = first_seed() + run,
                .operations = RUN};

        journal_model_run(&setup, &sums);
        assert_int_equal(sim_disk_open_count(world->disk), 0);
        sim_world_free(world);
    }
    assert_true(sums.merges > 0 && sums.untils > 0 && sums.reopened > 0 && sums.cleared > 0);
    report("simulated disk", &sums, started);
}

static void real_disk(void **state)
{
    struct journal_model_sums sums = {0};
    const double started = seconds();
    struct tmpdir tmp;
    char dir[TMPDIR_PATH_SIZE];
    stele_env env;
    const struct journal_model_setup setup = {.env = &env,
            .dir = dir,
            .seed = first_seed(),
            .operations = is_full() ? REAL_FULL : REAL};

    (void)state;
    stele_env_init(&env);
    tmpdir_make(&tmp);
    tmpdir_path(&tmp, "journal", dir);
    journal_model_run(&setup, &sums);
    tmpdir_remove(&tmp);
    report("real disk", &sums, started);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(simulated_disk),
            cmocka_unit_test(real_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
