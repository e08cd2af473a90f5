/* SPDX-License-Identifier: MIT
 *
 * cmd_wal_repair.c: `stele wal check`, `recover`, `migrate`.
 */
#include "cli/cmd_wal.h"
#include "cli/output.h"
#include "cli/repair.h"
#include "cli/report.h"

#include <string.h>

static const struct sti_contents contents = {"records", "id", "ids"};

/* ---- check ---- */

static void print_fault(void *arg, const stele_wal_fault *fault)
{
    if (fault->code >= STELE_OK) {
        sti_faults_note(fault->file, fault->text);
    } else {
        sti_faults_print(arg, fault->file, fault->position, fault->text);
    }
}

stele_code sti_wal_check(const struct sti_run *run, stele_error *err)
{
    const char *dir = run->operands->items[0];
    struct sti_faults faults = {run->json, 0};
    stele_wal_checked checked;
    stele_wal_options opts;
    stele_code code = sti_wal_options(run->args, &opts, err);

    memset(&checked, 0, sizeof checked);
    if (code == STELE_OK) {
        code = stele_wal_check_dir(dir, &opts, print_fault, &faults, &checked, err);
    }
    return sti_faults_end(&faults, code, &contents, dir, (int64_t)checked.segments,
            (int64_t)checked.records, err);
}

/* ---- recover ---- */

stele_code sti_wal_recover(const struct sti_run *run, stele_error *err)
{
    const char *dir = run->operands->items[0];
    struct sti_recovered r;
    const stele_wal_recover_events events = {&r, sti_recovered_lost_ids, sti_recovered_quarantine};
    struct sti_recovered_sums sums = {.json = run->json};
    stele_wal_recovered done;
    stele_wal_options opts;
    stele_code code = sti_wal_options(run->args, &opts, err);

    memset(&r, 0, sizeof r);
    if (code == STELE_OK) {
        code = stele_wal_recover_dir(dir, &opts, &events, &done, err);
    }
    if (code == STELE_OK) {
        sums.segments = (int64_t)done.segments;
        sums.count = (int64_t)done.records;
        sums.cut_bytes = (int64_t)done.cut_bytes;
        sums.dry_run = opts.dry_run;
        code = sti_recovered_print(&r, &contents, dir, &sums, err);
    }
    sti_recovered_free(&r);
    return code;
}

/* ---- migrate ---- */

stele_code sti_wal_migrate(const struct sti_run *run, stele_error *err)
{
    const struct sti_wal_args *args = run->args;
    stele_wal_format format = STELE_WAL_ANY;
    stele_wal_options opts;
    uint64_t segments = 0;
    uint64_t migrated = 0;
    struct sti_json j;
    stele_code code;

    if (args->to == NULL) {
        return sti_cli_fail(err, STELE_EINVAL, "give --to stele or --to blb");
    }
    code = sti_wal_format(args->to, &format, err);
    if (code == STELE_OK) {
        code = sti_wal_options(args, &opts, err);
    }
    if (code == STELE_OK) {
        code = stele_wal_migrate_dir(
                run->operands->items[0], &opts, format, &segments, &migrated, err);
    }
    if (code != STELE_OK) {
        return code;
    }
    if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_uint(&j, "segments", segments);
        sti_json_uint(&j, "migrated", migrated);
        sti_json_dry_run(&j, opts.dry_run);
        sti_json_end(&j);
    } else {
        sti_row_uint("segments", segments);
        sti_row_uint("migrated", migrated);
        sti_row_dry_run(opts.dry_run);
    }
    return STELE_OK;
}
