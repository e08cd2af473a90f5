/* SPDX-License-Identifier: MIT
 *
 * cmd_journal_change.c: `stele journal snapshot`, `clear`.
 *
 * With --dry-run a snapshot only plays the journal, without the lock: that meets what stands in the
 * way of a merge. A clear reads nothing but names, so a damaged journal can be cleared: its dry run
 * only opens the journal.
 */
#include "cli/cmd_journal.h"
#include "cli/output.h"

typedef stele_code (*change_fn)(stele_journal *journal, stele_error *err);

static stele_code pass_over(void *arg, const stele_journal_op *op, stele_error *err)
{
    (void)arg;
    (void)op;
    (void)err;
    return STELE_OK;
}

static stele_code only_play(stele_journal *journal, stele_error *err)
{
    return stele_journal_play(journal, pass_over, NULL, NULL, err);
}

static stele_code only_open(stele_journal *journal, stele_error *err)
{
    (void)journal;
    (void)err;
    return STELE_OK;
}

static stele_code change(
        const struct sti_run *run, change_fn change_it, change_fn try_it, stele_error *err)
{
    const struct sti_journal_args *args = run->args;
    const bool dry_run = args->common.dry_run;
    stele_journal *journal = NULL;
    stele_journal_options opts;
    struct sti_json j;
    stele_env env;
    stele_code code;

    sti_journal_writer_options(args, &env, &opts);
    code = stele_journal_open(&journal, run->operands->items[0], &opts, err);
    if (code != STELE_OK) {
        return code;
    }
    code = (dry_run ? try_it : change_it)(journal, err);
    if (code < STELE_OK) {
        (void)stele_journal_close(journal, NULL); /* the first failure counts */
        return code;
    }
    code = stele_journal_close(journal, err);
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

stele_code sti_journal_snapshot_verb(const struct sti_run *run, stele_error *err)
{
    return change(run, stele_journal_snapshot, only_play, err);
}

stele_code sti_journal_clear_verb(const struct sti_run *run, stele_error *err)
{
    return change(run, stele_journal_clear, only_open, err);
}
