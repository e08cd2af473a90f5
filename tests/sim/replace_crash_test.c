/* SPDX-License-Identifier: MIT
 *
 * replace_crash_test.c: sti_dir_replace() under every crash and fault.
 *
 * A file is replaced again and again. Whatever happens, it holds one of the
 * contents whole, and none older than the last that was acknowledged. This is
 * also the shortest complete example of a workload.
 */
#include "base/alloc.h"
#include "base/mutant.h"
#include "lib/check.h"
#include "sim/loops.h"
#include "vfs/vfs.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    REPLACE = 1,
    VERSIONS = 4,
    CONTENT_MAX = 2000
};

/* The length and all bytes say which version it is. */
static size_t content(uint8_t out[CONTENT_MAX], uint64_t version)
{
    size_t len = 300 + (size_t)(version * 613 % (CONTENT_MAX - 300));

    memset(out, (int)(1 + version), len);
    return len;
}

static stele_code replace(struct sti_dir *d, uint64_t version)
{
    uint8_t bytes[CONTENT_MAX];
    size_t len = content(bytes, version);
    stele_error err;

    return sti_dir_replace(d, "state", bytes, len, &err);
}

static int run(void *arg, struct sim_world *w)
{
    struct sti_dir d = {0};
    stele_error err;
    stele_code first = sti_dir_open(&d, &w->env, "/r", STELE_OPEN_CREATE, &err);

    (void)arg;
    if (first != STELE_OK) {
        return first;
    }
    for (uint64_t v = 0; v < VERSIONS; v++) {
        stele_code rc;

        sim_note_intent(w, REPLACE, v);
        rc = replace(&d, v);
        if (rc != STELE_OK) {
            first = first == STELE_OK ? rc : first;
            rc = replace(&d, v);
        }
        if (rc == STELE_OK) {
            sim_note_ack(w, REPLACE, v);
        }
    }
    sti_dir_close(&d);
    return first;
}

/* The version that is there plus 1, or 0; negative if it cannot be read. */
static int64_t read_version(struct sti_dir *d, char *why, size_t why_len)
{
    uint8_t expected[CONTENT_MAX];
    struct sti_file f = {0};
    uint8_t *bytes = NULL;
    size_t len = 0;
    int64_t found = STELE_ECORRUPT;
    stele_error err;
    stele_code rc = sti_file_open(&f, d, "state", STELE_OPEN_READ, &err);

    if (rc == STELE_ENOTFOUND) {
        return 0;
    }
    rc = rc != STELE_OK ? rc : sti_file_read_all(&f, CONTENT_MAX, &bytes, &len, &err);
    sti_file_close(&f);
    if (rc != STELE_OK) {
        (void)snprintf(why, why_len, "%s", err.message);
        return rc;
    }
    for (uint64_t v = 0; v <= VERSIONS; v++) {
        if (content(expected, v) == len && memcmp(bytes, expected, len) == 0) {
            found = (int64_t)v + 1;
        }
    }
    sti_free(bytes);
    return found;
}

static int compare(int64_t found, const struct sim_notes *notes, char *why, size_t why_len)
{
    uint64_t acked = 0;

    if (found == STELE_ECORRUPT) {
        (void)snprintf(why, why_len, "the file is none of its versions");
        return 1;
    }
    if (sim_notes_max(notes, SIM_ACK, REPLACE, &acked) && found <= (int64_t)acked) {
        (void)snprintf(why, why_len, "version %d is lost", (int)acked);
        return 1;
    }
    if (found > 0 && sim_notes_count(notes, SIM_INTENT, REPLACE, (uint64_t)found - 1) == 0) {
        (void)snprintf(why, why_len, "version %d was never written", (int)found - 1);
        return 1;
    }
    return 0;
}

/* The file can be replaced again, and nothing else is left then. */
static int go_on(
        struct sti_dir *d, struct sim_world *w, uint64_t version, char *why, size_t why_len)
{
    stele_file_stat st;
    stele_error err;
    stele_code rc;

    sim_note_intent(w, REPLACE, version);
    rc = replace(d, version);
    if (rc != STELE_OK) {
        (void)snprintf(why, why_len, "cannot be replaced again");
        return rc;
    }
    sim_note_ack(w, REPLACE, version);
    rc = sti_dir_stat(d, "state.tmp", &st, &err);
    if (rc == STELE_OK) {
        (void)snprintf(why, why_len, "a temporary file is left");
        return 1;
    }
    return rc == STELE_ENOTFOUND ? 0 : rc;
}

static int check(void *arg, struct sim_world *w, uint64_t at_op, const struct sim_notes *notes,
        char *why, size_t why_len)
{
    struct sti_dir d = {0};
    stele_error err;
    stele_code rc = sti_dir_open(&d, &w->env, "/r", STELE_OPEN_CREATE, &err);
    int64_t found;
    int result;

    (void)arg;
    (void)at_op;
    if (rc != STELE_OK) {
        return rc;
    }
    found = read_version(&d, why, why_len);
    result =
            found < 0 && found != STELE_ECORRUPT ? (int)found : compare(found, notes, why, why_len);
    if (result == 0 && found <= VERSIONS) {
        result = go_on(&d, w, (uint64_t)found, why, why_len);
    }
    sti_dir_close(&d);
    return result;
}

static const struct sim_workload workload = {.name = "replace", .run = run, .check = check};

static bool explore_all(bool quiet)
{
    struct sim_explore_options explore;
    struct sim_loop_options loop;
    struct sim_report report;
    bool good = true;

    sim_explore_options_init(&explore);
    sim_loop_options_init(&loop);
    explore.quiet = quiet;
    loop.quiet = quiet;
    for (unsigned i = 0; i < 4 && good; i++) {
        explore.sector_size = i % 2 == 0 ? 512 : 4096;
        explore.ordered = i >= 2;
        good = sim_explore(&workload, &explore, &report);
    }
    return good && sim_fault_loop(&workload, &loop, &report) &&
           sim_recovery_fault_loop(&workload, &loop, &report) &&
           sim_alloc_loop(&workload, &loop, &report);
}

static void test_replacing_is_atomic(void **state)
{
    (void)state;
    assert_true(explore_all(false));
}

#ifdef STI_MUTANTS
/* These look for what a STELE_SIM line about something else would not find. */
static void skip_if_replaying(void)
{
    if (getenv("STELE_SIM") != NULL) {
        skip();
    }
}

static void test_bugs_are_found(void **state)
{
    static const int mutants[] = {STI_MUTANT_SYNC_SKIPPED, STI_MUTANT_DIRSYNC_SKIPPED,
            STI_MUTANT_SHORT_WRITE_IGNORED, STI_MUTANT_SHORT_READ_AS_END};

    (void)state;
    skip_if_replaying();
    for (size_t i = 0; i < sizeof mutants / sizeof *mutants; i++) {
        bool found;

        sti_mutant_on = mutants[i];
        found = !explore_all(true);
        sti_mutant_on = STI_MUTANT_NONE;
        (void)printf("mutant %d: %s\n", mutants[i], found ? "caught" : "MISSED");
        assert_true(found);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_replacing_is_atomic),
#ifdef STI_MUTANTS
            cmocka_unit_test(test_bugs_are_found),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
