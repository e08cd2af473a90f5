/* SPDX-License-Identifier: MIT
 *
 * stream_mutants.c: where the seeded bugs of the stream are searched for.
 */
#include "base/mutant.h"
#include "crash/mutants.h"
#include "crash/stream_probe.h"
#include "crash/stream_scenarios.h"
#include "crash/stream_workloads.h"

/* The files of version 2 alone: version 1 does not protect all of its bytes. */
static const struct sim_workload *damage(size_t *count)
{
    static struct model_config config = {.version = STELE_STREAM_V2,
            .times = true,
            .keys = true,
            .rollover = STREAM_PROBE_ROLLOVER};
    static struct sim_workload list[1];

    list[0] = stream_probe_workload("damage-v2-both", &config);
    *count = sizeof list / sizeof list[0];
    return list;
}

static const struct mutants_aim aims[] = {
        {STI_MUTANT_SHORT_WRITE_IGNORED, MUTANTS_FAULTS, "publish-v2-both-write"},
        {STI_MUTANT_SHORT_READ_AS_END, MUTANTS_RECOVERY_FAULTS, "recover-v2-both-write"},
        {STI_MUTANT_SYNC_FAILURE_RETRIED, MUTANTS_FAULTS, "publish-v2-none-autosync"},
        {STI_MUTANT_POSITION_DRIFTS, MUTANTS_FAULTS, "publish-v1-both-behind"},
        {STI_MUTANT_ROLL_FAILURE_RETRIED, MUTANTS_FAULTS, "rollover-v2-both-map"},
        {STI_MUTANT_REOPEN_BELIEVES_CACHE, MUTANTS_FAULTS, "rollover-v2-both-map"},
        {STI_MUTANT_CUT_NOT_SYNCED, MUTANTS_FAULTS, "rollover-v2-both-map"},
        {STI_MUTANT_GARBAGE_TAIL_KEPT, MUTANTS_FAULTS, "rollover-v2-both-map"},
        {STI_MUTANT_INDEX_BEFORE_LOG, MUTANTS_FAULTS, "reopen-v2-both-map"},
        {STI_MUTANT_MOVE_ON_UNMARKED, MUTANTS_NESTED, "reopen-v2-both-map"},
        {STI_MUTANT_KEYS_TORN_KEPT, MUTANTS_CRASHES, "reopen-v2-both-map"},
        {STI_MUTANT_LIVE_BELIEVES_ALL, MUTANTS_CRASHES, "behind-v2-both-behind"},
        {STI_MUTANT_MARKER_IGNORED, MUTANTS_CRASHES, "behind-v2-both-behind"},
        {STI_MUTANT_NO_MARKER, MUTANTS_CRASHES, "behind-v2-both-behind"},
        {STI_MUTANT_SEAL_NOT_SYNCED, MUTANTS_CRASHES, "behind-v2-both-behind"},
        {STI_MUTANT_DELETE_NOT_DURABLE, MUTANTS_CRASHES, "delete-everything-v2-both-map"},
        {STI_MUTANT_NEW_HEAD_NOT_DURABLE, MUTANTS_CRASHES, "delete-everything-v2-both-map"},
        {STI_MUTANT_UNLINK_BEFORE_DIRSYNC, MUTANTS_CRASHES, "delete-first-v2-both-map"},
        {STI_MUTANT_REWRITE_NOT_SYNCED, MUTANTS_CRASHES, "delete-middle-v2-both-map"},
        {STI_MUTANT_COVERED_LOG_READ, MUTANTS_CRASHES, "delete-first-v2-both-map"},
        {STI_MUTANT_INDEX_FIT_UNCHECKED, MUTANTS_CRASHES, "delete-head-middle-v2-both-map"},
        {STI_MUTANT_OLD_HEAD_NOT_FINISHED, MUTANTS_CRASHES, "delete-head-last-v2-both-map"},
};

const struct mutants_module mutants_stream = {
        .name = "stream",
        .workloads = stream_workloads,
        .damage = damage,
        .scenarios = stream_scenarios,
        .aims = aims,
        .aim_count = sizeof aims / sizeof aims[0],
};
