/* SPDX-License-Identifier: MIT
 *
 * wal_mutants.c: where the seeded bugs of the log are searched for.
 */
#include "base/mutant.h"
#include "crash/mutants.h"
#include "crash/wal_probe.h"
#include "crash/wal_workloads.h"

static const struct mutants_aim aims[] = {
        {STI_MUTANT_WAL_ACKS_NEXT_BATCH, MUTANTS_CRASHES, "wal-group-stele-map"},
        {STI_MUTANT_WAL_CRC_IGNORED, MUTANTS_BITS, "wal-damage-stele-closed"},
        {STI_MUTANT_WAL_ID_UNCHECKED, MUTANTS_CRASHES, "wal-foreign-id-stele-map"},
        {STI_MUTANT_WAL_SALT_UNCHECKED, MUTANTS_CRASHES, "wal-foreign-salt-stele-map"},
        {STI_MUTANT_WAL_DAMAGE_AS_TORN, MUTANTS_CRASHES, "wal-recover-head-stele-map"},
        {STI_MUTANT_WAL_MANIFEST_OLDER_SLOT, MUTANTS_FAULTS, "wal-rollover-stele-grow"},
        {STI_MUTANT_WAL_DURABLE_TOO_HIGH, MUTANTS_CRASHES, "wal-failed-sync-stele-map"},
        {STI_MUTANT_WAL_APPEND_AFTER_FAILURE, MUTANTS_CRASHES, "wal-failed-sync-blb-map"},
        {STI_MUTANT_WAL_FULL_DISK_POISONS, MUTANTS_CRASHES, "wal-full-stele-grow"},
        {STI_MUTANT_WAL_SYNC_RETRIED, MUTANTS_CRASHES, "wal-failed-sync-stele-map"},
        {STI_MUTANT_WAL_FAILURE_FORGOTTEN, MUTANTS_CRASHES, "wal-failed-sync-stele-map"},
        {STI_MUTANT_WAL_IDS_KEPT, MUTANTS_CRASHES, "wal-failed-sync-stele-map"},
        {STI_MUTANT_WAL_HEADER_NOT_ZEROED, MUTANTS_CRASHES, "wal-recycle-stele-map"},
        {STI_MUTANT_WAL_REUSE_NOT_SYNCED, MUTANTS_CRASHES, "wal-recycle-stele-map"},
        {STI_MUTANT_WAL_SALT_KEPT, MUTANTS_CRASHES, "wal-migrate-stele-map"},
        {STI_MUTANT_WAL_MARK_NOT_SYNCED, MUTANTS_CRASHES, "wal-reopen-stele-map"},
        {STI_MUTANT_WAL_UNLINK_BEFORE_MANIFEST, MUTANTS_CRASHES, "wal-recycle-stele-grow"},
        {STI_MUTANT_WAL_REMOVAL_NOT_SYNCED, MUTANTS_CRASHES, "wal-full-blb-map"},
        {STI_MUTANT_WAL_TRUNCATE_NOT_DURABLE, MUTANTS_CRASHES, "wal-truncate-over-stele-map"},
        {STI_MUTANT_WAL_COPY_NOT_SYNCED, MUTANTS_CRASHES, "wal-truncate-head-blb-map"},
        {STI_MUTANT_WAL_CLAIM_NOT_LOWERED, MUTANTS_CRASHES, "wal-truncate-over-blb-map"},
        {STI_MUTANT_WAL_CACHE_BELIEVED, MUTANTS_CRASHES, "wal-rollover-stele-map"},
        {STI_MUTANT_WAL_CUT_NOT_SYNCED, MUTANTS_NESTED, "wal-many-blb-map"},
        {STI_MUTANT_WAL_CUT_WITHOUT_QUARANTINE, MUTANTS_CRASHES, "wal-many-blb-map"},
        {STI_MUTANT_WAL_QUARANTINE_NOT_SYNCED, MUTANTS_CRASHES, "wal-many-blb-map"},
        {STI_MUTANT_WAL_QUARANTINE_OVERWRITTEN, MUTANTS_NESTED, "wal-many-blb-map"},
        {STI_MUTANT_WAL_TORN_TAIL_FATAL, MUTANTS_CRASHES, "wal-many-blb-map"},
        {STI_MUTANT_WAL_TORN_TAIL_KEPT, MUTANTS_CRASHES, "wal-many-blb-map"},
        {STI_MUTANT_WAL_TORN_FIRST_FATAL, MUTANTS_CRASHES, "wal-rollover-stele-map"},
        {STI_MUTANT_WAL_MISSING_UNNOTICED, MUTANTS_CRASHES, "wal-recover-last-stele-map"},
        {STI_MUTANT_WAL_LEFTOVERS_KEPT, MUTANTS_CRASHES, "wal-truncate-over-blb-map"},
        {STI_MUTANT_WAL_ITER_IGNORES_CUT, MUTANTS_CRASHES, "wal-truncate-head-stele-grow"},
        {STI_MUTANT_WAL_TRIM_TOO_FAR, MUTANTS_CRASHES, "wal-trim-middle-stele-map"},
        {STI_MUTANT_WAL_INDEX_OFF_BY_ONE, MUTANTS_CRASHES, "wal-many-stele-map"},
        {STI_MUTANT_WAL_INDEX_NOT_CUT, MUTANTS_CRASHES, "wal-truncate-many-blb-map"},
        {STI_MUTANT_WAL_CLOSE_DROPS_PENDING, MUTANTS_CRASHES, "wal-group-stele-map"},
        {STI_MUTANT_WAL_CHECK_NEWEST_ONLY, MUTANTS_CRASHES, "wal-recover-gap-stele-map"},
        {STI_MUTANT_WAL_LOST_NOT_TOLD, MUTANTS_CRASHES, "wal-recover-stele-map"},
        {STI_MUTANT_WAL_DRY_RUN_WRITES, MUTANTS_CRASHES, "wal-recover-stele-map"},
        {STI_MUTANT_WAL_MIGRATE_NOT_SYNCED, MUTANTS_CRASHES, "wal-migrate-stele-map"},
        {STI_MUTANT_WAL_MIGRATE_NAMES_NOT_SYNCED, MUTANTS_CRASHES, "wal-migrate-stele-map"},
};

static const struct mutants_reason explained[] = {
        {STI_MUTANT_WAL_SEAL_NOT_SYNCED,
                "the records in front of a seal are durable without it, and the header of the segment "
                "behind tells where they end"},
};

const struct mutants_module mutants_wal = {
        .name = "wal",
        .workloads = wal_workloads,
        .damage = wal_probe_workloads,
        .aims = aims,
        .aim_count = sizeof aims / sizeof aims[0],
        .explained = explained,
        .explained_count = sizeof explained / sizeof explained[0],
};
