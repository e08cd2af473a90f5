/* SPDX-License-Identifier: MIT
 *
 * journal_mutants.c: where the seeded bugs of the journal are searched for.
 */
#include "base/mutant.h"
#include "crash/journal_probe.h"
#include "crash/journal_workloads.h"
#include "crash/mutants.h"

static const struct mutants_aim aims[] = {
        {STI_MUTANT_JOURNAL_OLDEST_SNAPSHOT, MUTANTS_CRASHES, "journal-snapshot-each"},
        {STI_MUTANT_JOURNAL_SNAP_NOT_SYNCED, MUTANTS_CRASHES, "journal-snapshot-each"},
        {STI_MUTANT_JOURNAL_RENAME_NOT_SYNCED, MUTANTS_CRASHES, "journal-snapshot-each"},
        {STI_MUTANT_JOURNAL_REMOVED_EARLY, MUTANTS_CRASHES, "journal-snapshot-each"},
        {STI_MUTANT_JOURNAL_REMOVED_UNREAD, MUTANTS_LIES, "journal-lies-map"},
        {STI_MUTANT_JOURNAL_NO_READ_BACK, MUTANTS_LIES, "journal-lies-map"},
        {STI_MUTANT_JOURNAL_TORN_TAIL_FATAL, MUTANTS_CRASHES, "journal-dump-stop"},
        {STI_MUTANT_JOURNAL_SNAP_UNVERIFIED, MUTANTS_BITS, "journal-damage-stopped"},
        {STI_MUTANT_JOURNAL_NO_FALLBACK, MUTANTS_BITS, "journal-damage-old-crashed"},
        {STI_MUTANT_JOURNAL_CLEAR_SNAP_FIRST, MUTANTS_CRASHES, "journal-clear-each"},
        {STI_MUTANT_JOURNAL_CLEAR_NO_EMPTY, MUTANTS_CRASHES, "journal-clear-each"},
        {STI_MUTANT_JOURNAL_CLEAR_NOT_SYNCED, MUTANTS_CRASHES, "journal-clear-stopped-each"},
        {STI_MUTANT_JOURNAL_NAME_BY_CLOCK, MUTANTS_CRASHES, "journal-stop-each"},
        {STI_MUTANT_JOURNAL_ACK_BEFORE_SYNC, MUTANTS_CRASHES, "journal-dump-each"},
        {STI_MUTANT_JOURNAL_SYNC_RETRIED, MUTANTS_CRASHES, "journal-failed-sync-each"},
        {STI_MUTANT_JOURNAL_FAILURE_FORGOTTEN, MUTANTS_CRASHES, "journal-failed-sync-each"},
        {STI_MUTANT_JOURNAL_OPS_KEPT, MUTANTS_CRASHES, "journal-failed-write-each"},
        {STI_MUTANT_JOURNAL_NOT_PUT_BACK, MUTANTS_CRASHES, "journal-failed-write-each"},
        {STI_MUTANT_JOURNAL_LAZY_GAP, MUTANTS_CRASHES, "journal-failed-write-stop"},
        {STI_MUTANT_JOURNAL_FULL_DISK_POISONS, MUTANTS_CRASHES, "journal-failed-write-each"},
        {STI_MUTANT_JOURNAL_TORN_KEPT, MUTANTS_CRASHES, "journal-dump-stop"},
        {STI_MUTANT_JOURNAL_CUT_WITHOUT_QUARANTINE, MUTANTS_CRASHES, "journal-dump-stop"},
        {STI_MUTANT_JOURNAL_CACHE_BELIEVED, MUTANTS_CRASHES, "journal-failed-sync-each"},
        {STI_MUTANT_JOURNAL_SEAL_NOT_SYNCED, MUTANTS_CRASHES, "journal-snapshot-stop"},
        {STI_MUTANT_JOURNAL_HEADER_EARLY, MUTANTS_CRASHES, "journal-snapshot-stop"},
        {STI_MUTANT_JOURNAL_LOG_NAME_NOT_SYNCED, MUTANTS_CRASHES, "journal-dump-each"},
        {STI_MUTANT_JOURNAL_NIL_IS_EMPTY, MUTANTS_CRASHES, "journal-kinds-each"},
        {STI_MUTANT_JOURNAL_CLEAR_TAKES_PLAIN, MUTANTS_CRASHES, "journal-kinds-each"},
        {STI_MUTANT_JOURNAL_CLEAR_LEAVES_TREES, MUTANTS_CRASHES, "journal-kinds-each"},
        {STI_MUTANT_JOURNAL_CLEAR_TAKES_CONFIG, MUTANTS_CRASHES, "journal-kinds-each"},
        {STI_MUTANT_JOURNAL_CONFIG_ADDED, MUTANTS_CRASHES, "journal-kinds-each"},
        {STI_MUTANT_JOURNAL_SNAP_UNSORTED, MUTANTS_CRASHES, "journal-kinds-each"},
        {STI_MUTANT_JOURNAL_STOP_NOT_SYNCED, MUTANTS_CRASHES, "journal-stop-stop"},
        {STI_MUTANT_JOURNAL_INTERVAL_NEVER, MUTANTS_CRASHES, "journal-interval-interval"},
        {STI_MUTANT_JOURNAL_SYNC_DOES_NOTHING, MUTANTS_CRASHES, "journal-sync-stop"},
        {STI_MUTANT_JOURNAL_DURABLE_IGNORED, MUTANTS_CRASHES, "journal-sync-stop"},
        {STI_MUTANT_JOURNAL_LEFTOVERS_KEPT, MUTANTS_CRASHES, "journal-snapshot-each"},
        {STI_MUTANT_JOURNAL_EMPTY_LOG_KEPT, MUTANTS_CRASHES, "journal-stop-each"},
        {STI_MUTANT_JOURNAL_GAP_UNNOTICED, MUTANTS_BITS, "journal-damage-stopped"},
        {STI_MUTANT_JOURNAL_DAMAGE_AS_TORN, MUTANTS_BITS, "journal-damage-crashed"},
        {STI_MUTANT_JOURNAL_LOCK_DROPPED, MUTANTS_CRASHES, "journal-dump-each"},
        {STI_MUTANT_JOURNAL_UNTIL_OFF_BY_ONE, MUTANTS_CRASHES, "journal-dump-each"},
        {STI_MUTANT_JOURNAL_CLEAR_HOLDS_BLOCKS, MUTANTS_CRASHES, "journal-full-each"},
        {STI_MUTANT_JOURNAL_SWITCH_IGNORES_FAILURE, MUTANTS_FAULTS, "journal-kinds-stop"},
        {STI_MUTANT_JOURNAL_CHECK_SKIPS_OLD, MUTANTS_BITS, "journal-damage-stopped"},
};

const struct mutants_module mutants_journal = {
        .name = "journal",
        .workloads = journal_workloads,
        .damage = journal_probe_workloads,
        .lies = journal_lie_workloads,
        .aims = aims,
        .aim_count = sizeof aims / sizeof aims[0],
};
