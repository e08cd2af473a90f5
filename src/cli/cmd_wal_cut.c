/* SPDX-License-Identifier: MIT
 *
 * cmd_wal_cut.c: `stele wal truncate`, `trim`.
 *
 * With --dry-run the log is opened as a reader opens it, without the lock:
 * that tells whether there is one.
 */
#include "cli/cmd_wal.h"
#include "cli/output.h"
#include "cli/report.h"

typedef stele_code (*cut_fn)(stele_wal *w, uint64_t id, stele_error *err);

static stele_code none(stele_wal *w, uint64_t id, stele_error *err)
{
    (void)w;
    (void)id;
    (void)err;
    return STELE_OK;
}

static stele_code cut(
        const struct sti_run *run, cut_fn cut_it, const char *operand, stele_error *err)
{
    const struct sti_wal_args *args = run->args;
    const bool dry_run = args->common.dry_run;
    uint64_t id = 0;
    stele_wal *w = NULL;
    struct sti_json j;
    stele_code code = sti_parse_id(run->operands->items[1], &id, err);

    if (code != STELE_OK) {
        return sti_cli_wrap(err, code, "%s", operand);
    }
    code = dry_run ? sti_wal_open_reader(run, &w, err) : sti_wal_open_writer(run, false, &w, err);
    if (code == STELE_OK) {
        code = sti_wal_done(w, (dry_run ? none : cut_it)(w, id, err), err);
    }
    if (code != STELE_OK) {
        return code;
    }
    if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_bool(&j, "ok", true);
        sti_json_dry_run(&j, dry_run);
        sti_json_end(&j);
    } else {
        sti_row_bool("ok", true);
        sti_row_dry_run(dry_run);
    }
    return STELE_OK;
}

stele_code sti_wal_truncate(const struct sti_run *run, stele_error *err)
{
    return cut(run, stele_wal_truncate, "LAST_TO_KEEP", err);
}

stele_code sti_wal_trim(const struct sti_run *run, stele_error *err)
{
    return cut(run, stele_wal_trim, "DISCARD_UP_TO", err);
}
