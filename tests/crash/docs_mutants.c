/* SPDX-License-Identifier: MIT
 *
 * docs_mutants.c: where the seeded bugs of documents are searched for: in crashes and failures as
 * those of the store; and, where it needs none, in random operations beside a plain map.
 *
 * Where these differ from the map the process ends, which counts as caught.
 */
#include "base/mutant.h"
#include "crash/docs_run.h"
#include "crash/mutants.h"
#include "crash/store_search.h"
#include "model/docs_model_run.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    AIMED_PHASES = 8, /* each has other types */
    AIMED_OPERATIONS = 900,
    OPERATIONS = 400,
    DAMAGES = 8,
    WORKLOADS = 32
};

static const struct mutants_aim aims[] = {
        {STI_MUTANT_DOCS_DELETE_FORGETS, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_DELETE_KEEPS_KEYS, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_LATE_APPLIES, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_LATE_CLAIMS_KEPT, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_CONFLICT_ALLOWED, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_OWNER_REFUSED, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_ONE_OWNER_CHECKED, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_CLAIM_IS_NEW, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_TOMBSTONE_LIVES, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_SAME_VERSION_DROPPED, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_SAME_VERSION_REPLACES, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_DISPLACED_COUNTED, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_PLACE_MISSING, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_CHECKPOINT_ANEW, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_LEVEL_SKIPPED, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_INDEX_FIRST_COMES, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_LOSER_TAKES_KEY, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_CONFLICT_NOT_NOTED, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_CONFLICT_KEPT, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_OLD_KEYS_KEPT, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_KEPT_NOT_RENEWED, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_CLOCK_IS_WALL, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_NOT_DURABLE, MUTANTS_CRASHES, "docs-durable"},
        {STI_MUTANT_DOCS_FAILED_ENDS, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_CEILING_LOW, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_CEILING_IGNORED, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_RESTORE_NO_CLOCK, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_RESTORE_OVER, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_RESTORE_NO_TYPES, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_RESTORE_TORN, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_BACKUP_TOMBSTONES, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_MANIFEST_BELIEVED, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_EXPECTED_IGNORED, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_EXPECTED_OF_DELETED, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_PATCH_FORGETS, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_BATCH_GOES_ON, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_REGISTER_NOT_INDEXED, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_REINDEX_CLAIMS_NOW, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_REBUILD_KEEPS_KEYS, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_REBUILD_KEEPS_CONFLICTS, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_RESTORE_FIRST_LOST, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_RESTORE_NOT_INDEXED, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_RESTORE_NO_CONFLICTS, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_MEMO_OF_FAILED, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_CONFLICTS_NOT_SEEN, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_SURVEY_NO_PLACES, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_SURVEY_NO_INDEX, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_SURVEY_NO_CONFLICTS, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_FEED_REPEATS, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_OWNER_NOT_KEPT, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_INTEGERS_AS_DOUBLES, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_NEGATIVES_UPSIDE_DOWN, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_ZERO_HAS_A_SIGN, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_NUMBER_STRINGS_STAY, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_ACCENTS_COUNT, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_ZONE_IGNORED, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_NULL_IS_UNIQUE, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_PART_IS_UNIQUE, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_ARRAY_AS_ONE, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_HIGH_IS_CLOSED, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_KINDS_MIXED, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_RESUME_REPEATS, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_FIRST_KEY_TAKEN, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_LOSERS_FOUND, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_FOUND_AGAIN, MUTANTS_CRASHES, "docs-model"},
        {STI_MUTANT_DOCS_LONG_ID_CUT, MUTANTS_CRASHES, "docs-model"},
};

/* ---- The model. ---- */

/* In its place among the workloads. */
static const struct sim_workload model = {.name = "docs-model"};

static bool search_model(bool aimed)
{
    struct run *r = docs_run_begin();

    /* What does not fit is printed there, too. */
    if (getenv("STELE_MUTANTS_VERBOSE") == NULL && freopen("/dev/null", "w", stderr) == NULL) {
        abort();
    }

    for (unsigned i = 0; i < (aimed ? AIMED_PHASES : 1); i++) {
        store_step();
        docs_run_phase(r, 1 + i, aimed ? AIMED_OPERATIONS : OPERATIONS, DAMAGES);
    }
    docs_run_end(r);
    return false;
}

static const struct sim_workload *workloads(size_t *count)
{
    static struct sim_workload list[WORKLOADS];
    const struct sim_workload *others = docs_workloads(count);

    list[0] = model;
    memcpy(list + 1, others, *count * sizeof *others);
    ++*count;
    return list;
}

static bool search(const struct sim_workload *w, enum mutants_how how, bool aimed, uint64_t *steps)
{
    store_count_steps(steps);
    if (w->run == NULL) {
        return how == MUTANTS_CRASHES && search_model(aimed);
    }
    return store_search(w, how, aimed, steps);
}

const struct mutants_module mutants_docs = {
        .name = "docs",
        .workloads = workloads,
        .search = search,
        .aims = aims,
        .aim_count = sizeof aims / sizeof aims[0],
};
