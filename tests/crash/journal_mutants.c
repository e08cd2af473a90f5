/* SPDX-License-Identifier: MIT
 *
 * journal_mutants.c: where the seeded bugs of the journal are searched for.
 */
#include "base/mutant.h"
#include "crash/journal_probe.h"
#include "crash/journal_workloads.h"
#include "crash/mutants.h"

static const struct mutants_aim aims[] = {
        {STI_MUTANT_JOURNAL_NO_READ_BACK, MUTANTS_LIES, "journal-lies-map"},
};

const struct mutants_module mutants_journal = {
        .name = "journal",
        .workloads = journal_workloads,
        .damage = journal_probe_workloads,
        .lies = journal_lie_workloads,
        .aims = aims,
        .aim_count = sizeof aims / sizeof aims[0],
};
