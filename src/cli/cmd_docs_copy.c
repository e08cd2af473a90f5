/* SPDX-License-Identifier: MIT
 *
 * cmd_docs_copy.c: `stele docs backup`, `verify-backup`, `restore`.
 */
#include "cli/cmd_docs.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/word.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    FILE_AT = 1, /* among the operands */
    ZSTD_LEVEL = 3
};

static void print_rows(const stele_docs_backup_summary *summary)
{
    sti_row_uint("documents", summary->documents);
    sti_row_uint("entries", summary->entries);
    sti_row("size", "%" PRIu64 "%s", summary->size,
            summary->is_compressed ? ", before it was compressed" : "");
    sti_row_bool("manifest", summary->has_manifest);
}

/* ---- backup ---- */

stele_code sti_docs_backup_verb(const struct sti_run *run, stele_error *err)
{
    const struct sti_docs_args *args = run->args;
    stele_docs_backup_summary summary = {.pairs = 0};
    stele_docs_backup_options opts;
    stele_docs *db = NULL;
    stele_code code;

    stele_docs_backup_options_init(&opts);
    opts.no_manifest = args->no_manifest;
    if (args->zstd.given) {
        opts.zstd_level = args->zstd.value == 0 ? ZSTD_LEVEL : (int)args->zstd.value;
    }
    if (args->zstd.value > INT32_MAX) {
        return sti_cli_fail(err, STELE_EINVAL, "option --zstd: no such level");
    }
    code = sti_docs_open_reader(run, &db, err);
    if (code == STELE_OK) {
        code = stele_docs_backup_save(db, run->operands->items[FILE_AT], &opts, &summary, err);
        code = sti_docs_done(db, code, err);
    }
    if (code == STELE_OK) {
        sti_print_ok(run->json, false);
        if (!run->json) {
            print_rows(&summary);
        }
    }
    return code;
}

/* ---- verify-backup ---- */

static stele_code verify(
        const char *path, bool manifest, stele_docs_backup_summary *out, stele_error *err)
{
    struct sti_input in;
    stele_code code = sti_input_open(&in, path, err);

    if (code != STELE_OK) {
        return code;
    }
    code = stele_docs_validate_backup(sti_input_read, &in, manifest, out, err);
    sti_input_close(&in);
    return code == STELE_OK ? code : sti_cli_wrap(err, code, "%s", path);
}

stele_code sti_docs_verify_backup_verb(const struct sti_run *run, stele_error *err)
{
    const struct sti_docs_args *args = run->args;
    stele_docs_backup_summary summary = {.pairs = 0};
    stele_code code = verify(run->operands->items[0], !args->no_manifest, &summary, err);
    struct sti_json j;

    if (code != STELE_OK) {
        return code;
    }
    if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_bool(&j, "ok", true);
        sti_json_uint(&j, "documents", summary.documents);
        sti_json_uint(&j, "entries", summary.entries);
        sti_json_end(&j);
    } else {
        sti_row_bool("ok", true);
        print_rows(&summary);
    }
    return STELE_OK;
}

/* ---- restore ---- */

static stele_code restore(
        const struct sti_run *run, stele_docs_backup_summary *summary, stele_error *err)
{
    const struct sti_docs_args *args = run->args;
    const char *path = run->operands->items[FILE_AT];
    stele_docs *db = NULL;
    struct sti_input in;
    stele_code code = sti_input_open(&in, path, err);

    if (code != STELE_OK) {
        return code;
    }
    code = sti_docs_open_writer(run, STI_DOCS_CREATE, &db, err);
    if (code == STELE_OK) {
        code = stele_docs_restore(db, sti_input_read, &in, !args->no_manifest, summary, err);
        code = sti_docs_done(db, code, err);
    }
    sti_input_close(&in);
    return code;
}

/* Whether it could be restored into: there is no database, or one without documents. */
static stele_code check_pristine(const struct sti_run *run, stele_error *err)
{
    stele_docs *db = NULL;
    stele_docs_status status;
    stele_error why;
    stele_code code = sti_docs_open_reader(run, &db, &why);

    if (code == STELE_ENOTFOUND) {
        return STELE_OK;
    }
    if (code != STELE_OK) {
        *err = why;
        return code;
    }
    code = sti_docs_done(db, stele_docs_get_status(db, &status, err), err);
    if (code == STELE_OK && status.entries + status.documents + status.deleted > 0) {
        code = sti_cli_fail(err, STELE_ESTATE,
                "%s: only a database that never had a document is restored",
                run->operands->items[0]);
    }
    return code;
}

/* A file that is not there is no question of the database. */
static stele_code check_there(const char *path, stele_error *err)
{
    struct sti_input in;
    stele_code code = sti_input_open(&in, path, err);

    if (code == STELE_OK) {
        sti_input_close(&in);
    }
    return code;
}

/* A file is looked through before there is a database; what comes through a pipe comes once. */
stele_code sti_docs_restore_verb(const struct sti_run *run, stele_error *err)
{
    const struct sti_docs_args *args = run->args;
    const char *path = run->operands->items[FILE_AT];
    const bool dry_run = args->common.dry_run;
    stele_docs_backup_summary summary = {.pairs = 0};
    stele_code code = check_there(path, err);

    code = code == STELE_OK ? check_pristine(run, err) : code;
    if (code == STELE_OK && (dry_run || strcmp(path, "-") != 0)) {
        code = verify(path, !args->no_manifest, &summary, err);
    }
    if (code == STELE_OK && !dry_run) {
        code = restore(run, &summary, err);
    }
    if (code != STELE_OK) {
        return code;
    }
    sti_print_ok(run->json, dry_run);
    if (!run->json) {
        print_rows(&summary);
    }
    return STELE_OK;
}
