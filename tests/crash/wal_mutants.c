/* SPDX-License-Identifier: MIT
 *
 * wal_mutants.c: where the seeded bugs of the log are searched for.
 */
#include "base/mutant.h"
#include "crash/mutants.h"
#include "crash/wal_probe.h"
#include "crash/wal_workloads.h"

static const struct mutants_aim aims[] = {
        {STI_MUTANT_WAL_CRC_IGNORED, MUTANTS_BITS, "wal-damage-stele-closed"},
};

const struct mutants_module mutants_wal = {
        .name = "wal",
        .workloads = wal_workloads,
        .damage = wal_probe_workloads,
        .aims = aims,
        .aim_count = sizeof aims / sizeof aims[0],
};
