/* SPDX-License-Identifier: MIT
 *
 * store_mutants.c: where the seeded bugs of the store are searched for.
 */
#include "base/mutant.h"
#include "crash/mutants.h"
#include "crash/store_loops.h"
#include "crash/store_run.h"
#include "crash/store_search.h"
#include "crash/store_workloads.h"
#include "sim/loops.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    AIMED_STATES = 450,
    AIMED_STRIDE = 1,
    AIMED_SAMPLES = 3,
    DEATH_SAMPLES = 12, /* only those behind the death count */
    STATES = 60,
    STRIDE = 13,
    SAMPLES = 1
};

static const struct mutants_aim aims[] = {
        {STI_MUTANT_STORE_CURRENT_KEPT, MUTANTS_FAULTS, "store-create"},
        {STI_MUTANT_STORE_NAMES_NOT_SYNCED, MUTANTS_DEATHS, "store-durable"},
        {STI_MUTANT_STORE_OPEN_NOT_SYNCED, MUTANTS_DEATHS, "store-mixed"},
        {STI_MUTANT_STORE_CURRENT_FIRST, MUTANTS_CRASHES, "store-create"},
        {STI_MUTANT_STORE_CURRENT_IN_PLACE, MUTANTS_CRASHES, "store-create"},
        {STI_MUTANT_STORE_GENERATION_NOT_SYNCED, MUTANTS_CRASHES, "store-create"},
        {STI_MUTANT_STORE_GENERATION_NAME_NOT_SYNCED, MUTANTS_CRASHES, "store-create"},
        {STI_MUTANT_STORE_FIRST_NOT_COMMITTED, MUTANTS_CRASHES, "store-create"},
        {STI_MUTANT_STORE_LEFTOVERS_KEPT, MUTANTS_CRASHES, "store-create"},
        {STI_MUTANT_STORE_COMMIT_NOT_SYNCED, MUTANTS_CRASHES, "store-commits"},
        {STI_MUTANT_STORE_META_NOT_SYNCED, MUTANTS_CRASHES, "store-commits"},
        {STI_MUTANT_STORE_CLOSE_DROPS, MUTANTS_CRASHES, "store-commits"},
        {STI_MUTANT_STORE_ID_GIVEN_TWICE, MUTANTS_CRASHES, "store-again"},
        {STI_MUTANT_STORE_HOLE_NOT_FILLED, MUTANTS_CRASHES, "store-hole"},
        {STI_MUTANT_STORE_LOG_OWN_ONLY, MUTANTS_CRASHES, "store-replay"},
        {STI_MUTANT_STORE_ACK_BEFORE_SYNC, MUTANTS_CRASHES, "store-durable"},
        {STI_MUTANT_STORE_LOG_FAILURE_IGNORED, MUTANTS_FAULTS, "store-durable"},
        {STI_MUTANT_STORE_VISIBLE_BEFORE_LOG, MUTANTS_ALLOCATIONS, "store-durable"},
        {STI_MUTANT_STORE_MARK_AHEAD, MUTANTS_CRASHES, "store-mixed"},
        {STI_MUTANT_STORE_TRIM_BEFORE_COMMIT, MUTANTS_CRASHES, "store-mixed"},
        {STI_MUTANT_STORE_SEQ_AHEAD, MUTANTS_CRASHES, "store-mixed"},
        {STI_MUTANT_STORE_SEQ_BEHIND, MUTANTS_CRASHES, "store-mixed"},
        {STI_MUTANT_STORE_REPLAY_OLD, MUTANTS_CRASHES, "store-retry"},
        {STI_MUTANT_STORE_REPLAY_ONE, MUTANTS_CRASHES, "store-replay"},
        {STI_MUTANT_STORE_REPLAY_UNSEEN, MUTANTS_CRASHES, "store-replay"},
        {STI_MUTANT_STORE_REPLAY_NUMBERS, MUTANTS_CRASHES, "store-replay"},
        {STI_MUTANT_STORE_REPLAY_SKIPS_DELETES, MUTANTS_CRASHES, "store-mixed"},
        {STI_MUTANT_STORE_REPLAY_SKIPS_DROPS, MUTANTS_CRASHES, "store-buckets"},
        {STI_MUTANT_STORE_NO_LOG_IS_FINE, MUTANTS_SCENARIOS, "log"},
        {STI_MUTANT_STORE_COMMIT_FAILURE_IGNORED, MUTANTS_FAULTS, "store-commits"},
        {STI_MUTANT_STORE_SEEN_IS_REFUSED, MUTANTS_ALLOCATIONS, "store-durable"},
        {STI_MUTANT_STORE_FULL_DISK_POISONS, MUTANTS_FAULTS, "store-commits"},
        {STI_MUTANT_STORE_DROPS_NOT_APPLIED, MUTANTS_CRASHES, "store-buckets"},
        {STI_MUTANT_STORE_CREATES_NOT_APPLIED, MUTANTS_CRASHES, "store-commits"},
        {STI_MUTANT_STORE_DELETES_NOT_APPLIED, MUTANTS_CRASHES, "store-keys"},
        {STI_MUTANT_STORE_COUNTS_KEPT, MUTANTS_CRASHES, "store-commits"},
        {STI_MUTANT_STORE_HASH_KEPT, MUTANTS_CRASHES, "store-commits"},
        {STI_MUTANT_STORE_LAYERS_GIVEN_TWICE, MUTANTS_CRASHES, "store-keys"},
        {STI_MUTANT_STORE_ABORT_KEEPS, MUTANTS_CRASHES, "store-commits"},
        {STI_MUTANT_STORE_ABORT_KEEPS_NAMES, MUTANTS_CRASHES, "store-commits"},
        {STI_MUTANT_STORE_DROP_KEEPS_NAME, MUTANTS_CRASHES, "store-buckets"},
        {STI_MUTANT_STORE_VIEW_FREED_EARLY, MUTANTS_CRASHES, "store-commits"},
        {STI_MUTANT_STORE_SNAPSHOT_NOT_SYNCED, MUTANTS_CRASHES, "store-snapshot"},
        {STI_MUTANT_STORE_SNAPSHOT_NAME_NOT_SYNCED, MUTANTS_CRASHES, "store-snapshot"},
        {STI_MUTANT_STORE_CURRENT_NOT_SAID_AGAIN, MUTANTS_FAULTS, "store-defrag"},
        {STI_MUTANT_STORE_DEFRAG_NOT_SYNCED, MUTANTS_CRASHES, "store-defrag"},
        {STI_MUTANT_STORE_DEFRAG_SYNC_LEFT_OFF, MUTANTS_CRASHES, "store-defrag"},
        {STI_MUTANT_STORE_DEFRAG_OLD_FIRST, MUTANTS_CRASHES, "store-defrag"},
        {STI_MUTANT_STORE_DEFRAG_DOUBT_REMOVED, MUTANTS_FAULTS, "store-defrag"},
        {STI_MUTANT_STORE_DEFRAG_DOUBT_GOES_ON, MUTANTS_FAULTS, "store-defrag"},
        {STI_MUTANT_STORE_DEFRAG_CUTS_VALUES, MUTANTS_CRASHES, "store-defrag"},
        {STI_MUTANT_STORE_DEFRAG_LAYERS_ANEW, MUTANTS_CRASHES, "store-defrag"},
        {STI_MUTANT_STORE_DEFRAG_READS_LEFT, MUTANTS_CRASHES, "store-defrag"},
};

static bool is_quiet(void)
{
    return getenv("STELE_MUTANTS_VERBOSE") == NULL;
}

static bool explore(const struct sim_workload *w, bool nested, bool aimed)
{
    struct sim_explore_options options;
    struct sim_report report;

    sim_explore_options_init(&options);
    options.workers = 1;
    options.quiet = is_quiet();
    options.random_count = aimed ? 8 : 1;
    options.nested_per_state = nested ? 4 : 0;
    options.states_per_op = aimed ? 40 : 2;
    options.states_max = aimed ? AIMED_STATES : STATES;
    options.seconds_max = 0;
    return !sim_explore(w, &options, &report);
}

static bool loops(const struct sim_workload *w, unsigned from, unsigned to, bool aimed)
{
    unsigned samples = from >= STORE_LOOP_KILL_SOON ? DEATH_SAMPLES : AIMED_SAMPLES;
    struct sim_report sum = {0};
    bool good = true;

    for (unsigned how = from; how <= to && good; how++) {
        good = store_loop(w, (enum store_loop)how, 0, aimed ? AIMED_STRIDE : STRIDE,
                aimed ? samples : SAMPLES, 1, is_quiet(), &sum);
    }
    return !good;
}

static bool allocations(const struct sim_workload *workload, bool aimed)
{
    struct sim_workload w = store_insisting(workload);
    struct sim_loop_options options;
    struct sim_report report;

    sim_loop_options_init(&options);
    options.workers = 1;
    options.quiet = is_quiet();
    options.stride = aimed ? AIMED_STRIDE : STRIDE;
    return !sim_alloc_loop(&w, &options, &report);
}

bool store_search(const struct sim_workload *w, enum mutants_how how, bool aimed, uint64_t *steps)
{
    store_count_steps(steps);
    switch (how) {
    case MUTANTS_CRASHES:
    case MUTANTS_NESTED:
        return explore(w, how == MUTANTS_NESTED, aimed);
    case MUTANTS_FAULTS:
        return loops(w, STORE_LOOP_EIO, STORE_LOOP_SYNC, aimed);
    case MUTANTS_DEATHS:
        return loops(w, STORE_LOOP_KILL_SOON, STORE_LOOP_KILL, aimed);
    case MUTANTS_ALLOCATIONS:
        return allocations(w, aimed);
    default:
        return false;
    }
}

/* ---- Scenarios. ---- */

/* What no crash does: somebody takes the log away. */
static bool log_is_missed(void)
{
    char dir[DISK_PATH_SIZE];
    char log[DISK_PATH_SIZE + 8];
    stele_store *s = NULL;
    bool ok;

    disk_scratch(dir);
    (void)snprintf(log, sizeof log, "%s/wal", dir);
    ok = stele_store_open(&s, dir, NULL, NULL) == STELE_OK &&
         store_batch(s, 's', '!', 1, NULL) == STELE_OK &&
         store_batch(s, 's', '+', 2, NULL) == STELE_OK && stele_store_close(s, NULL) == STELE_OK;
    disk_remove(log);
    s = NULL;
    ok = ok && stele_store_open(&s, dir, NULL, NULL) == STELE_ECORRUPT;
    (void)stele_store_close(s, NULL);
    disk_remove(dir);
    return ok;
}

static const struct scenario *scenarios(size_t *count)
{
    static const struct scenario list[] = {{"a log that is missing is missed", log_is_missed}};

    *count = sizeof list / sizeof list[0];
    return list;
}

const struct mutants_module mutants_store = {
        .name = "store",
        .workloads = store_workloads,
        .scenarios = scenarios,
        .search = store_search,
        .aims = aims,
        .aim_count = sizeof aims / sizeof aims[0],
};
