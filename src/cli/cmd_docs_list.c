/* SPDX-License-Identifier: MIT
 *
 * cmd_docs_list.c: `stele docs list`, `dump`.
 */
#include "cli/cmd_docs.h"
#include "cli/output.h"
#include "cli/report.h"

#include <stdio.h>
#include <unistd.h>

static stele_code print_some(stele_docs_iter *it, int64_t count, bool json, stele_error *err)
{
    stele_bytes id = stele_nil();
    stele_bytes doc = stele_nil();
    stele_code code = STELE_OK;

    for (int64_t i = 0; i < count && code == STELE_OK; i++) {
        code = stele_docs_iter_next(it, &id, &doc, err);
        if (code == STELE_OK) {
            sti_docs_print(json, id, doc);
            code = sti_docs_printed(err);
        }
    }
    return code == STELE_END ? STELE_OK : code;
}

static stele_code list(const struct sti_run *run, stele_docs *db, stele_error *err)
{
    const struct sti_docs_args *args = run->args;
    const int64_t count = args->count.given ? args->count.value : INT64_MAX;
    stele_docs_iter *it = NULL;
    stele_code code = args->prefix.given
                              ? stele_docs_prefix(&it, db, args->prefix.bytes, args->reverse, err)
                              : stele_docs_range(&it, db, args->start.bytes, args->limit_key.bytes,
                                        args->reverse, err);

    if (code != STELE_OK) {
        return code;
    }
    code = print_some(it, count, run->json, err);
    stele_docs_iter_end(it);
    return code;
}

stele_code sti_docs_list_verb(const struct sti_run *run, stele_error *err)
{
    const struct sti_docs_args *args = run->args;
    stele_docs *db = NULL;
    stele_code code;

    if (args->prefix.given && (args->start.given || args->limit_key.given)) {
        return sti_cli_fail(err, STELE_EINVAL, "--prefix excludes --start and --limit-key");
    }
    code = sti_docs_open_reader(run, &db, err);
    return code == STELE_OK ? sti_docs_done(db, list(run, db, err), err) : code;
}

/* ---- dump ---- */

static stele_code dump(stele_docs *db, struct sti_progress *progress, stele_error *err)
{
    stele_docs_iter *it = NULL;
    stele_docs_status status;
    stele_bytes id = stele_nil();
    stele_bytes doc = stele_nil();
    int64_t printed = 0;
    stele_code code = stele_docs_get_status(db, &status, err);

    if (code == STELE_OK) {
        code = stele_docs_range(&it, db, stele_nil(), stele_nil(), false, err);
    }
    while (code == STELE_OK) {
        code = stele_docs_iter_next(it, &id, &doc, err);
        if (code == STELE_OK) {
            sti_docs_print(true, id, doc);
            sti_progress_show(progress, ++printed, (int64_t)status.documents);
            code = sti_docs_printed(err);
        }
    }
    stele_docs_iter_end(it);
    return code == STELE_END ? STELE_OK : code;
}

stele_code sti_docs_dump_verb(const struct sti_run *run, stele_error *err)
{
    struct sti_progress progress;
    stele_docs *db = NULL;
    stele_code code = sti_docs_open_reader(run, &db, err);

    if (code != STELE_OK) {
        return code;
    }
    sti_progress_begin(&progress, "dumped");
    /* Lines between which a bar stands are no use to anybody. */
    progress.terminal = progress.terminal && isatty(STDOUT_FILENO) != 1;
    code = dump(db, &progress, err);
    sti_progress_end(&progress);
    return sti_docs_done(db, code, err);
}
