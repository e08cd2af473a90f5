/* SPDX-License-Identifier: MIT
 *
 * cmd_docs_type.c: `stele docs type add`, `type list`.
 */
#include "cli/cmd_docs.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/word.h"

#include <stdio.h>
#include <string.h>

enum {
    DB_AT = 1, /* among the operands, behind the word */
    FILE_AT = 2,
    WAIT_MS = 200, /* between looks at how far it has come */
    DEFINITION_SIZE_MAX = 16 << 20
};

static stele_code read_definition(const char *path, stele_buf *out, stele_error *err)
{
    struct sti_input in;
    stele_code code = sti_input_open(&in, path, err);

    if (code == STELE_OK) {
        code = sti_input_read_all(&in, out, "a definition", err);
        sti_input_close(&in);
    }
    return code;
}

/* `run` begins with the database. */
/* Until the documents that are there can be found by the definition. */
static stele_code index_all(stele_docs *db, stele_error *err)
{
    stele_wait wait = {.timeout_ms = WAIT_MS};
    stele_docs_status status = {.state = STELE_DOCS_READY};
    struct sti_progress progress;
    stele_code code;

    sti_progress_begin(&progress, "indexed");
    do {
        code = stele_docs_wait_ready(db, &wait, err);
        if (code == STELE_ETIMEDOUT && stele_docs_get_status(db, &status, NULL) == STELE_OK) {
            sti_progress_show(
                    &progress, (int64_t)status.reindex_done, (int64_t)status.reindex_total);
        }
    } while (code == STELE_ETIMEDOUT);
    sti_progress_end(&progress);
    return code;
}

static stele_code add(const struct sti_run *run, const char *path, stele_error *err)
{
    stele_docs *db = NULL;
    stele_buf definition;
    stele_code code;

    stele_buf_init(&definition, DEFINITION_SIZE_MAX);
    code = read_definition(path, &definition, err);
    if (code == STELE_OK) {
        code = sti_docs_open_writer(run, STI_DOCS_CREATE, &db, err);
    }
    if (code == STELE_OK) {
        code = stele_docs_register(db, stele_buf_view(&definition), err);
        code = code == STELE_OK ? index_all(db, err) : code;
        code = sti_docs_done(db, code, err);
    }
    if (code == STELE_OK) {
        sti_print_ok(run->json, false);
    }
    stele_buf_free(&definition);
    return code;
}

static stele_code print_type(void *arg, stele_bytes definition, stele_error *err)
{
    (void)arg;
    sti_print_line(definition);
    return sti_docs_printed(err);
}

static stele_code list(const struct sti_run *run, stele_error *err)
{
    stele_docs *db = NULL;
    stele_code code = sti_docs_open_reader(run, &db, err);

    return code == STELE_OK ? sti_docs_done(db, stele_docs_types(db, print_type, NULL, err), err)
                            : code;
}

stele_code sti_docs_type_verb(const struct sti_run *run, stele_error *err)
{
    const struct sti_operands *all = run->operands;
    const struct sti_operands rest = {all->items + DB_AT, all->count - DB_AT};
    struct sti_run inner = *run;

    inner.operands = &rest;
    if (strcmp(all->items[0], "list") == 0) {
        return all->count == FILE_AT ? list(&inner, err)
                                     : sti_cli_fail(err, STELE_EINVAL, "type list takes DB alone");
    }
    if (strcmp(all->items[0], "add") == 0) {
        return all->count > FILE_AT ? add(&inner, all->items[FILE_AT], err)
                                    : sti_cli_fail(err, STELE_EINVAL, "type add needs DB and FILE");
    }
    return sti_cli_fail(err, STELE_EINVAL, "'%.64s' is neither add nor list", all->items[0]);
}
