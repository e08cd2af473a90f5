/* SPDX-License-Identifier: MIT
 *
 * stream_mutants.c: where the seeded bugs of the stream are searched for.
 */
#include "base/mutant.h"
#include "crash/mutants.h"
#include "crash/stream_probe.h"
#include "crash/stream_scenarios.h"
#include "crash/stream_workloads.h"

static const struct model_config v2 = {
        .version = STELE_STREAM_V2, .times = true, .keys = true, .rollover = STREAM_PROBE_ROLLOVER};
static const struct model_config v2_write = {.version = STELE_STREAM_V2,
        .times = true,
        .keys = true,
        .no_map = true,
        .rollover = STREAM_PROBE_ROLLOVER};
/* Without what version 1 does not protect. */
static const struct model_config v1_bare = {.version = STELE_STREAM_V1,
        .lenient = true,
        .bare = true,
        .rollover = STREAM_PROBE_ROLLOVER};

static const struct sim_workload *damage(size_t *count)
{
    static struct sim_workload list[3];

    list[0] = stream_probe_workload("damage-v2-both", &v2);
    list[1] = stream_probe_workload("damage-v1-bare", &v1_bare);
    list[2] = stream_copy_workload("damage-copy-v2", &v2);
    *count = sizeof list / sizeof list[0];
    return list;
}

static const struct sim_workload *lies(size_t *count)
{
    static struct sim_workload list[1];

    list[0] = stream_lie_workload("lies-copy-v2", &v2_write);
    *count = sizeof list / sizeof list[0];
    return list;
}

static const struct mutants_aim aims[] = {
        {STI_MUTANT_RECOVER_APPENDS_STALE, MUTANTS_CRASHES, "recover-v2-both-map"},
        {STI_MUTANT_RECOVER_NOT_SYNCED, MUTANTS_CRASHES, "recover-v2-both-map"},
        {STI_MUTANT_RECOVER_HEAD_ONLY, MUTANTS_CRASHES, "recover-v2-both-map"},
        {STI_MUTANT_RECOVER_PREFIX_ONLY, MUTANTS_CRASHES, "recover-v2-both-map"},
        {STI_MUTANT_RECOVER_NO_QUARANTINE, MUTANTS_CRASHES, "recover-v2-both-map"},
        {STI_MUTANT_LOST_NOT_REPORTED, MUTANTS_CRASHES, "recover-v2-both-map"},
        {STI_MUTANT_RECOVER_REUSES_OFFSETS, MUTANTS_CRASHES, "recover-end-v2-both-map"},
        {STI_MUTANT_WITNESS_STALE, MUTANTS_CRASHES, "recover-v1-none-autosync"},
        {STI_MUTANT_ZERO_MESSAGE_COUNTED, MUTANTS_CRASHES, "recover-torn-v1-both"},
        {STI_MUTANT_MIGRATE_NOT_SYNCED, MUTANTS_CRASHES, "migrate-v2-both-map"},
        {STI_MUTANT_INDEX_TORN_FATAL, MUTANTS_CRASHES, "migrate-v2-both-map"},
        {STI_MUTANT_INDEX_NOT_REBUILT, MUTANTS_CRASHES, "migrate-v2-both-map"},
        {STI_MUTANT_NAME_NOT_SYNCED, MUTANTS_CRASHES, "migrate-open-v2-none-autosync"},
        {STI_MUTANT_ACK_BEFORE_SYNC, MUTANTS_CRASHES, "publish-v2-none-autosync"},
        {STI_MUTANT_DIRSYNC_SKIPPED, MUTANTS_CRASHES, "publish-v1-both-behind"},
        {STI_MUTANT_ROLL_NOT_SYNCED, MUTANTS_CRASHES, "rollover-v2-both-map"},
        {STI_MUTANT_TIMES_START_AGAIN, MUTANTS_CRASHES, "rollover-v2-both-map"},
        {STI_MUTANT_OFFSETS_REUSED, MUTANTS_CRASHES, "rollover-v1-both-behind"},
        {STI_MUTANT_CHECKSUM_IGNORED, MUTANTS_CRASHES, "rollover-v1-both-behind"},
        {STI_MUTANT_TORN_TAIL_FATAL, MUTANTS_CRASHES, "rollover-v1-both-behind"},
        {STI_MUTANT_CUT_WITHOUT_QUARANTINE, MUTANTS_CRASHES, "behind-v1-both-behind"},
        {STI_MUTANT_SEEN_FIRST_ONLY, MUTANTS_CRASHES, "behind-v1-both-behind"},
        {STI_MUTANT_V1_TORN_HEADER_COUNTED, MUTANTS_CRASHES, "behind-v1-both-behind"},
        {STI_MUTANT_QUARANTINE_OVERWRITTEN, MUTANTS_CRASHES, "torn-again-v2-both-map"},
        {STI_MUTANT_GAP_NOT_SEALED, MUTANTS_CRASHES, "given-v1-both-behind"},
        {STI_MUTANT_GIVEN_OFFSETS_UNCHECKED, MUTANTS_CRASHES, "given-v2-both-map"},
        {STI_MUTANT_GIVEN_NOT_AT_BASE, MUTANTS_CRASHES, "given-v1-both"},
        {STI_MUTANT_LEFTOVERS_KEPT, MUTANTS_CRASHES, "reopen-v1-both-behind"},
        {STI_MUTANT_KEYS_TORN_KEPT, MUTANTS_CRASHES, "reopen-v2-both-map"},
        {STI_MUTANT_LIVE_BELIEVES_ALL, MUTANTS_CRASHES, "behind-v2-both-behind"},
        {STI_MUTANT_MARKER_IGNORED, MUTANTS_CRASHES, "behind-v2-both-behind"},
        {STI_MUTANT_NO_MARKER, MUTANTS_CRASHES, "behind-v2-both-behind"},
        {STI_MUTANT_SEAL_NOT_SYNCED, MUTANTS_CRASHES, "behind-v2-both-behind"},
        {STI_MUTANT_LEFTOVER_OFFSETS_FORGOTTEN, MUTANTS_CRASHES, "behind-v2-both-behind"},
        {STI_MUTANT_DELETE_NOT_DURABLE, MUTANTS_CRASHES, "delete-everything-v2-both-map"},
        {STI_MUTANT_NEW_HEAD_NOT_DURABLE, MUTANTS_CRASHES, "delete-everything-v2-both-map"},
        {STI_MUTANT_UNLINK_BEFORE_DIRSYNC, MUTANTS_CRASHES, "delete-first-v2-both-map"},
        {STI_MUTANT_COVERED_LOG_READ, MUTANTS_CRASHES, "delete-first-v2-both-map"},
        {STI_MUTANT_REWRITE_NOT_SYNCED, MUTANTS_CRASHES, "delete-middle-v2-both-map"},
        {STI_MUTANT_INDEX_FIT_UNCHECKED, MUTANTS_CRASHES, "delete-head-middle-v2-both-map"},
        {STI_MUTANT_OLD_HEAD_NOT_FINISHED, MUTANTS_CRASHES, "behind-delete-v2-both-map"},
        {STI_MUTANT_DELETE_STOPS_AT_NOTHING, MUTANTS_CRASHES, "delete-gaps-v2-both-map"},
        {STI_MUTANT_DELETED_NOT_COUNTED, MUTANTS_CRASHES, "delete-gaps-v2-both-map"},
        {STI_MUTANT_BORROWED_NOT_KEPT, MUTANTS_CRASHES, "trim-v2-both-map"},
        {STI_MUTANT_BACKUP_NOT_SYNCED, MUTANTS_CRASHES, "backup-over-v2-both-map"},
        {STI_MUTANT_MOVE_ON_UNMARKED, MUTANTS_NESTED, "reopen-v2-both-map"},
        {STI_MUTANT_QUARANTINE_NOT_SYNCED, MUTANTS_NESTED, "refused-v2-both-map"},
        {STI_MUTANT_UNPROVED_BELIEVED, MUTANTS_NESTED, "recover-torn-v2-both-map"},
        {STI_MUTANT_SHORT_WRITE_IGNORED, MUTANTS_FAULTS, "publish-v2-both-write"},
        {STI_MUTANT_FULL_DISK_POISONS, MUTANTS_FAULTS, "publish-v2-both-write"},
        {STI_MUTANT_APPEND_AFTER_FAILURE, MUTANTS_FAULTS, "refused-v2-both-write"},
        {STI_MUTANT_SYNC_FAILURE_RETRIED, MUTANTS_FAULTS, "publish-v2-none-autosync"},
        {STI_MUTANT_POSITION_DRIFTS, MUTANTS_FAULTS, "publish-v1-both-behind"},
        {STI_MUTANT_ROLL_FAILURE_RETRIED, MUTANTS_FAULTS, "behind-v2-both-map"},
        {STI_MUTANT_REOPEN_BELIEVES_CACHE, MUTANTS_FAULTS, "rollover-v2-both-map"},
        {STI_MUTANT_ASIDE_NOT_RENEWED, MUTANTS_FAULTS, "behind-v2-both-behind"},
        {STI_MUTANT_CUT_NOT_SYNCED, MUTANTS_FAULTS, "rollover-v2-both-map"},
        {STI_MUTANT_GARBAGE_TAIL_KEPT, MUTANTS_FAULTS, "rollover-v2-both-map"},
        {STI_MUTANT_BACKUP_BELIEVES_CACHE, MUTANTS_FAULTS, "backup-over-v2-both-write"},
        {STI_MUTANT_INDEX_BEFORE_LOG, MUTANTS_FAULTS, "reopen-v2-both-map"},
        {STI_MUTANT_SHORT_READ_AS_END, MUTANTS_RECOVERY_FAULTS, "recover-v2-both-write"},
        {STI_MUTANT_CHECK_HEAD_ONLY, MUTANTS_BITS, "damage-v2-both"},
        {STI_MUTANT_ORDER_UNCHECKED, MUTANTS_BITS, "damage-v1-bare"},
        {STI_MUTANT_BACKUP_OF_A_PREFIX, MUTANTS_BITS, "damage-copy-v2"},
        {STI_MUTANT_BACKUP_UNVERIFIED, MUTANTS_LIES, "lies-copy-v2"},
};

const struct mutants_module mutants_stream = {
        .name = "stream",
        .workloads = stream_workloads,
        .damage = damage,
        .lies = lies,
        .scenarios = stream_scenarios,
        .aims = aims,
        .aim_count = sizeof aims / sizeof aims[0],
};
