/* SPDX-License-Identifier: MIT
 *
 * cmd_stream_copy.c: `stele stream check`, `recover`, `migrate`, `backup`.
 */
#include "cli/cmd_stream.h"
#include "cli/output.h"
#include "cli/repair.h"
#include "cli/report.h"

#include <inttypes.h>
#include <string.h>

static const struct sti_contents contents = {"messages", "offset", "offsets"};

/* ---- check ---- */

static void print_fault(void *arg, const stele_stream_fault *fault)
{
    if (fault->code >= STELE_OK) {
        sti_faults_note(fault->file, fault->text);
    } else {
        sti_faults_print(arg, fault->file, fault->position, fault->text);
    }
}

stele_code sti_stream_check(const struct sti_run *run, stele_error *err)
{
    const struct sti_stream_args *args = run->args;
    const char *dir = run->operands->items[0];
    struct sti_faults faults = {run->json, 0};
    stele_stream_checked checked;
    stele_stream_options opts;
    stele_code code = sti_stream_options(args, &opts, err);

    memset(&checked, 0, sizeof checked);
    if (code == STELE_OK) {
        code = stele_stream_check_dir(dir, &opts, args->head, print_fault, &faults, &checked, err);
    }
    return sti_faults_end(&faults, code, &contents, dir, checked.segments, checked.messages, err);
}

/* ---- recover ---- */

stele_code sti_stream_recover(const struct sti_run *run, stele_error *err)
{
    const struct sti_stream_args *args = run->args;
    const char *dir = run->operands->items[0];
    struct sti_recovered_sums sums = {.dry_run = args->common.dry_run, .json = run->json};
    struct sti_recovered r;
    const stele_stream_recover_events events = {&r, sti_recovered_lost, sti_recovered_quarantine};
    stele_stream_recovered done;
    stele_stream_options opts;
    stele_code code = sti_stream_options(args, &opts, err);

    memset(&r, 0, sizeof r);
    if (code == STELE_OK) {
        opts.dry_run = args->common.dry_run;
        code = stele_stream_recover_dir(dir, &opts, &events, &done, err);
    }
    if (code == STELE_OK) {
        sums.segments = done.segments;
        sums.count = done.messages;
        sums.cut_bytes = done.cut_bytes;
        code = sti_recovered_print(&r, &contents, dir, &sums, err);
    }
    sti_recovered_free(&r);
    return code;
}

/* ---- migrate ---- */

stele_code sti_stream_migrate(const struct sti_run *run, stele_error *err)
{
    const struct sti_stream_args *args = run->args;
    stele_stream_version version = STELE_STREAM_VERSION_DEFAULT;
    stele_stream_options opts;
    int64_t segments = 0;
    int64_t migrated = 0;
    struct sti_json j;
    stele_code code;

    if (args->to == NULL) {
        return sti_cli_fail(err, STELE_EINVAL, "give --to v1 or --to v2");
    }
    code = sti_stream_version(args->to, &version, err);
    if (code == STELE_OK) {
        code = sti_stream_options(args, &opts, err);
    }
    if (code == STELE_OK) {
        opts.dry_run = args->common.dry_run;
        code = stele_stream_migrate_dir(
                run->operands->items[0], &opts, version, &segments, &migrated, err);
    }
    if (code != STELE_OK) {
        return code;
    }
    if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_int(&j, "segments", segments);
        sti_json_int(&j, "migrated", migrated);
        sti_json_dry_run(&j, opts.dry_run);
        sti_json_end(&j);
    } else {
        sti_row_int("segments", segments);
        sti_row_int("migrated", migrated);
        sti_row_dry_run(opts.dry_run);
    }
    return STELE_OK;
}

/* ---- backup ---- */

stele_code sti_stream_backup(const struct sti_run *run, stele_error *err)
{
    stele_stream_copied copied;
    stele_stream_options opts;
    struct sti_json j;
    stele_code code = sti_stream_options(run->args, &opts, err);

    if (code == STELE_OK) {
        code = stele_stream_backup_dir(
                run->operands->items[0], run->operands->items[1], &opts, &copied, err);
    }
    if (code != STELE_OK) {
        return code;
    }
    if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_int(&j, "segments", copied.segments);
        sti_json_int(&j, "messages", copied.messages);
        sti_json_int(&j, "bytes", copied.bytes);
        sti_json_bool(&j, "verified", true);
        sti_json_end(&j);
    } else {
        sti_row_int("segments", copied.segments);
        sti_row_int("messages", copied.messages);
        sti_row("copied", "%" PRId64 " bytes", copied.bytes);
        sti_row_bool("verified", true);
    }
    return STELE_OK;
}
