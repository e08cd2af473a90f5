/* SPDX-License-Identifier: MIT
 *
 * cmd_journal_check.c: `stele journal check`.
 */
#include "cli/cmd_journal.h"
#include "cli/repair.h"

#include <string.h>

static const struct sti_contents contents = {"ops", "operation", "operations"};

static void print_fault(void *arg, const stele_journal_fault *fault)
{
    sti_faults_print(arg, fault->file, fault->position, fault->text);
}

static void print_note(void *arg, const char *file, const char *text)
{
    (void)arg;
    sti_faults_note(file, text);
}

stele_code sti_journal_check_verb(const struct sti_run *run, stele_error *err)
{
    const char *dir = run->operands->items[0];
    struct sti_faults faults = {run->json, 0};
    stele_journal_checked checked;
    stele_code code;

    memset(&checked, 0, sizeof checked);
    code = stele_journal_check_dir(dir, NULL, print_fault, print_note, &faults, &checked, err);
    return sti_faults_end(&faults, code, &contents, dir,
            (int64_t)(checked.snapshots + checked.logs), (int64_t)checked.ops, err);
}
