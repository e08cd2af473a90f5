/* SPDX-License-Identifier: MIT
 *
 * canary_test.c: the harness finds bugs, and finds none where there are none.
 */
#include "lib/check.h"
#include "sim/loops.h"
#include "sim/toy_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lengths at which a log can be cut without anybody noticing: between records. */
enum {
    RECORDS_AT_END = 4
};

static void correct_survives_every_crash(void **state)
{
    enum toy_bug bug = TOY_CORRECT;
    struct sim_workload workload = toy_workload(&bug);
    struct sim_explore_options options;
    struct sim_report report;

    (void)state;
    sim_explore_options_init(&options);
    for (unsigned i = 0; i < 4; i++) {
        options.sector_size = i % 2 == 0 ? 512 : 4096;
        options.ordered = i >= 2;
        assert_true(sim_explore(&workload, &options, &report));
        if (getenv("STELE_SIM") == NULL) {
            assert_true(report.distinct > 20);
            assert_true(report.nested > 20);
            assert_int_equal(report.opened, report.distinct);
        }
    }
}

static void correct_survives_every_fault(void **state)
{
    enum toy_bug bug = TOY_CORRECT;
    struct sim_workload workload = toy_workload(&bug);
    struct sim_loop_options options;
    struct sim_report report;

    (void)state;
    sim_loop_options_init(&options);
    assert_true(sim_fault_loop(&workload, &options, &report));
    assert_true(getenv("STELE_SIM") != NULL || report.reported > 100);
    assert_true(sim_recovery_fault_loop(&workload, &options, &report));
    assert_true(getenv("STELE_SIM") != NULL || report.reported > 100);
    assert_true(sim_alloc_loop(&workload, &options, &report));
    /* A log, its bytes, and what compaction keeps. */
    assert_true(getenv("STELE_SIM") != NULL || report.hits == 3);
}

static void correct_notices_damage(void **state)
{
    enum toy_bug bug = TOY_CORRECT;
    struct sim_workload workload = toy_workload(&bug);
    struct sim_loop_options options;
    struct sim_report report;
    struct sim_spans silent;

    (void)state;
    sim_loop_options_init(&options);
    assert_true(sim_bit_loop(&workload, &options, NULL, &report));
    assert_int_equal(report.runs, report.reported);
    assert_true(sim_cut_loop(&workload, &options, &silent, &report));
    if (getenv("STELE_SIM") == NULL) {
        assert_int_equal(report.silent, RECORDS_AT_END);
        assert_int_equal(silent.count, RECORDS_AT_END);
        assert_int_equal(silent.list[0].from, 0);
        assert_int_equal(silent.list[0].to, 1);
    }
}

/* True if one of the ways to look for a bug finds it; says which. */
static bool caught(enum toy_bug bug, const char **by, struct sim_report *report)
{
    struct sim_workload workload = toy_workload(&bug);
    struct sim_explore_options explore;
    struct sim_loop_options loop;

    sim_explore_options_init(&explore);
    sim_loop_options_init(&loop);
    explore.workers = 1;
    loop.workers = 1;
    explore.quiet = true;
    loop.quiet = true;
    explore.nested_per_state = 0;
    *by = "crashes";
    if (!sim_explore(&workload, &explore, report)) {
        return true;
    }
    explore.nested_per_state = 16;
    *by = "crashes inside recovery";
    if (!sim_explore(&workload, &explore, report)) {
        return true;
    }
    *by = "faults";
    if (!sim_fault_loop(&workload, &loop, report)) {
        return true;
    }
    *by = "faults in recovery";
    if (!sim_recovery_fault_loop(&workload, &loop, report)) {
        return true;
    }
    *by = "flipped bits";
    return !sim_bit_loop(&workload, &loop, NULL, report);
}

/* These look for what a STELE_SIM line about something else would not find. */
static void skip_if_replaying(void)
{
    if (getenv("STELE_SIM") != NULL) {
        skip();
    }
}

static void every_bug_is_caught(void **state)
{
    struct sim_report report;
    const char *by;

    (void)state;
    skip_if_replaying();
    for (int i = TOY_CORRECT + 1; i < TOY_BUG_COUNT; i++) {
        enum toy_bug bug = (enum toy_bug)i;
        bool found = caught(bug, &by, &report);

        (void)printf("canary %s: %s by %s\n", toy_bug_name(bug), found ? "caught" : "MISSED", by);
        assert_true(found);
        assert_true(report.failure[0] != '\0');
    }
}

/* The line of a failure repeats it, and another line does not. */
static void a_line_repeats_its_failure(void **state)
{
    enum toy_bug bug = TOY_NO_SYNC;
    struct sim_workload workload = toy_workload(&bug);
    struct sim_explore_options options;
    struct sim_report report;
    struct sim_report again;
    const char *line;

    (void)state;
    skip_if_replaying();
    sim_explore_options_init(&options);
    options.workers = 1;
    options.quiet = true;
    assert_false(sim_explore(&workload, &options, &report));
    line = report.line;
    assert_memory_equal(line, "STELE_SIM=", 10);
    assert_int_equal(setenv("STELE_SIM", line + 10, 1), 0);
    assert_false(sim_explore(&workload, &options, &again));
    assert_string_equal(report.failure, again.failure);
    assert_string_equal(report.line, again.line);
    assert_in_range(again.opened, 1, 2);
    assert_int_equal(setenv("STELE_SIM", "another:1:512:1:0", 1), 0);
    assert_true(sim_explore(&workload, &options, &again));
    assert_int_equal(again.opened, 0);
    assert_int_equal(unsetenv("STELE_SIM"), 0);
}

static void equal_seeds_give_equal_figures(void **state)
{
    enum toy_bug bug = TOY_CORRECT;
    struct sim_workload workload = toy_workload(&bug);
    struct sim_explore_options options;
    struct sim_report reports[2];

    (void)state;
    skip_if_replaying();
    sim_explore_options_init(&options);
    options.seconds_max = 0;
    options.workers = 1;
    options.quiet = true;
    for (int i = 0; i < 2; i++) {
        assert_true(sim_explore(&workload, &options, &reports[i]));
    }
    assert_int_equal(reports[0].generated, reports[1].generated);
    assert_int_equal(reports[0].distinct, reports[1].distinct);
    assert_int_equal(reports[0].opened, reports[1].opened);
}

/* A check that kills its process is a violation with a line, not the end. */
static int deadly_check(void *arg, struct sim_world *w, uint64_t at_op,
        const struct sim_notes *notes, char *why, size_t why_len)
{
    (void)arg;
    (void)w;
    (void)notes;
    (void)why_len;
    why[0] = '\0';
    if (at_op == 6) {
        _Exit(7);
    }
    return 0;
}

static void a_death_is_reported(void **state)
{
    enum toy_bug bug = TOY_CORRECT;
    struct sim_workload workload = toy_workload(&bug);
    struct sim_explore_options options;
    struct sim_report report;

    (void)state;
    skip_if_replaying();
    workload.check = deadly_check;
    sim_explore_options_init(&options);
    options.workers = 2;
    options.quiet = true;
    assert_false(sim_explore(&workload, &options, &report));
    assert_non_null(strstr(report.failure, "died"));
    assert_non_null(strstr(report.line, "STELE_SIM=correct:1:512:6:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(correct_survives_every_crash),
            cmocka_unit_test(correct_survives_every_fault),
            cmocka_unit_test(correct_notices_damage),
            cmocka_unit_test(every_bug_is_caught),
            cmocka_unit_test(a_line_repeats_its_failure),
            cmocka_unit_test(equal_seeds_give_equal_figures),
            cmocka_unit_test(a_death_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
