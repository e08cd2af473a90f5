/* SPDX-License-Identifier: MIT
 *
 * cmd_store_copy.c: `stele store snapshot`, `restore`, `defrag`.
 */
#include "cli/cmd_store.h"
#include "cli/output.h"
#include "cli/word.h"

#include <stdio.h>

enum {
    FILE_AT = 1 /* among the operands */
};

/* ---- snapshot ---- */

static stele_code save(
        const struct sti_run *run, stele_store *s, uint64_t *written, stele_error *err)
{
    const struct sti_store_args *args = run->args;
    stele_store_snapshot_options opts;
    stele_store_snapshot *snapshot = NULL;
    stele_code code = stele_store_snapshot_open(&snapshot, s, err);

    if (code != STELE_OK) {
        return code;
    }
    stele_store_snapshot_options_init(&opts);
    opts.zstd = args->zstd;
    code = stele_store_snapshot_save(snapshot, run->operands->items[FILE_AT], &opts, written, err);
    stele_store_snapshot_close(snapshot);
    return code;
}

stele_code sti_store_snapshot_verb(const struct sti_run *run, stele_error *err)
{
    stele_store *s = NULL;
    uint64_t written = 0;
    stele_code code = sti_store_open_reader(run, &s, err);

    if (code != STELE_OK) {
        return code;
    }
    code = sti_store_done(s, save(run, s, &written, err), err);
    if (code == STELE_OK) {
        sti_print_ok(run->json, false);
        if (!run->json) {
            sti_row_uint("bytes", written);
        }
    }
    return code;
}

/* ---- restore ---- */

stele_code sti_store_restore_verb(const struct sti_run *run, stele_error *err)
{
    stele_store_contents contents = {0};
    stele_store_options opts;
    stele_env env;
    struct sti_input in;
    stele_code code = sti_input_open(&in, run->operands->items[FILE_AT], err);

    if (code != STELE_OK) {
        return code;
    }
    sti_store_writer_options(run->args, &env, &opts);
    opts.create_dirs = true;
    code = stele_store_restore(run->operands->items[0], sti_input_read, &in, &opts, &contents, err);
    sti_input_close(&in);
    if (code == STELE_OK) {
        sti_print_ok(run->json, false);
        if (!run->json) {
            sti_row_uint("buckets", contents.buckets);
            sti_row_uint("keys", contents.keys);
        }
    }
    return code;
}

/* ---- defrag ---- */

/* What would be left, about. */
static stele_code try_defrag(
        const struct sti_run *run, uint64_t *before, uint64_t *after, stele_error *err)
{
    stele_store *s = NULL;
    stele_code code = sti_store_open_reader(run, &s, err);

    if (code != STELE_OK) {
        return code;
    }
    code = stele_store_size(s, before, err);
    code = code == STELE_OK ? stele_store_size_in_use(s, after, err) : code;
    return sti_store_done(s, code, err);
}

static stele_code defrag(
        const struct sti_run *run, uint64_t *before, uint64_t *after, stele_error *err)
{
    stele_store *s = NULL;
    stele_code code = sti_store_open_writer(run, STI_STORE_MUST_EXIST, &s, err);

    return code == STELE_OK
                   ? sti_store_done(s, stele_store_defrag(s, NULL, before, after, err), err)
                   : code;
}

stele_code sti_store_defrag_verb(const struct sti_run *run, stele_error *err)
{
    const struct sti_store_args *args = run->args;
    const bool dry_run = args->common.dry_run;
    uint64_t before = 0;
    uint64_t after = 0;
    struct sti_json j;
    stele_code code = (dry_run ? try_defrag : defrag)(run, &before, &after, err);

    if (code != STELE_OK) {
        return code;
    }
    if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_uint(&j, "before", before);
        sti_json_uint(&j, "after", after);
        sti_json_dry_run(&j, dry_run);
        sti_json_end(&j);
    } else {
        sti_row_uint("before", before);
        sti_row_uint("after", after);
        sti_row_dry_run(dry_run);
    }
    return STELE_OK;
}
