/* SPDX-License-Identifier: MIT
 *
 * wal_model_test.c: logs on files against the log in memory, in both formats,
 * on the simulated disk and on the real one.
 *
 * With STELE_FULL: 1,000,000 calls for each format on the simulated disk.
 * STELE_SEED sets the first seed; a failure prints the one of its run.
 */
#include "model/wal_model.h"

#include "lib/check.h"
#include "lib/tmpdir.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    RUN = 5000, /* calls of one log */
    SIMULATED = 15000,
    SIMULATED_FULL = 1000000,
    REAL = 500,
    REAL_FULL = 20000
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

static void report(const char *what, stele_wal_format format, const struct wal_model_sums *sums,
        double started)
{
    const double took = seconds() - started;

    print_message("wal model, format %s, %s: seeds from %" PRIu64 ", %" PRIu64 " calls, %" PRIu64
                  " records appended, %" PRIu64 " read, %" PRIu64 " reopens, %" PRIu64
                  " recycled, %.0f calls/s\n",
            format == STELE_WAL_BLB ? "blb" : "stele", what, first_seed(), sums->operations,
            sums->records, sums->read, sums->reopened, sums->recycled,
            (double)sums->operations / (took > 0 ? took : 1));
}

static void on_simulated_disk(stele_wal_format format)
{
    const struct sim_disk_options disk = {.no_trace = true};
    const uint64_t total = is_full() ? SIMULATED_FULL : SIMULATED;
    struct wal_model_sums sums = {0};
    const double started = seconds();

    for (uint64_t run = 0; run < total / RUN; run++) {
        struct wal_model_setup setup = {
                .dir = "/log", .format = format, .seed = first_seed() + run, .operations = RUN};

        setup.world = sim_world_new(setup.seed, NULL, &disk);
        setup.env = &setup.world->env;
        wal_model_run(&setup, &sums);
        assert_int_equal(sim_disk_open_count(setup.world->disk), 0);
        sim_world_free(setup.world);
    }
    report("simulated disk", format, &sums, started);
}

static void on_real_disk(stele_wal_format format)
{
    struct wal_model_sums sums = {0};
    const double started = seconds();
    struct tmpdir tmp;
    char dir[TMPDIR_PATH_SIZE];
    stele_env env;
    const struct wal_model_setup setup = {.env = &env,
            .dir = dir,
            .format = format,
            .seed = first_seed(),
            .operations = is_full() ? REAL_FULL : REAL};

    stele_env_init(&env);
    tmpdir_make(&tmp);
    tmpdir_path(&tmp, "log", dir);
    wal_model_run(&setup, &sums);
    tmpdir_remove(&tmp);
    report("real disk", format, &sums, started);
}

static void simulated_stele(void **state)
{
    (void)state;
    on_simulated_disk(STELE_WAL_STELE);
}

static void simulated_blb(void **state)
{
    (void)state;
    on_simulated_disk(STELE_WAL_BLB);
}

static void real_stele(void **state)
{
    (void)state;
    on_real_disk(STELE_WAL_STELE);
}

static void real_blb(void **state)
{
    (void)state;
    on_real_disk(STELE_WAL_BLB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(simulated_stele),
            cmocka_unit_test(simulated_blb),
            cmocka_unit_test(real_stele),
            cmocka_unit_test(real_blb),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
