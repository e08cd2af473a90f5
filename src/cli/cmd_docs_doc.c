/* SPDX-License-Identifier: MIT
 *
 * cmd_docs_doc.c: `stele docs set`, `patch`, `del`, `get`, `has`.
 *
 * Changes go through a batch of one: it compares the version that is expected with the one that is
 * there, and a dry run can leave it without a trace.
 */
#include "cli/cmd_docs.h"
#include "cli/document.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/word.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ID_AT = 1, /* among the operands */
    JSON_AT = 2,
    INPUT_SIZE_MAX = 128 << 20
};

/* ---- Changes. ---- */

/* What is to be done to a document. */
struct change {
    struct sti_data id;
    stele_buf input;
    stele_bytes json; /* into the input, or the command line */
    bool expects;
    stele_docs_version expected;
    stele_docs_version made;
    stele_code (*make)(struct change *c, stele_docs_batch *batch, stele_error *err);
};

static const stele_docs_version *expected(const struct change *c)
{
    return c->expects ? &c->expected : NULL;
}

static stele_code make_set(struct change *c, stele_docs_batch *batch, stele_error *err)
{
    return stele_docs_batch_set(batch, c->id.bytes, c->json, expected(c), &c->made, err);
}

static stele_code make_patch(struct change *c, stele_docs_batch *batch, stele_error *err)
{
    return stele_docs_batch_patch(batch, c->id.bytes, c->json, expected(c), &c->made, err);
}

static stele_code make_del(struct change *c, stele_docs_batch *batch, stele_error *err)
{
    return stele_docs_batch_delete(batch, c->id.bytes, expected(c), &c->made, err);
}

/* What cannot be a document makes no database. */
static stele_code check_json(stele_bytes json, stele_error *err)
{
    struct sti_object o = {NULL};
    stele_code code = sti_object_parse(json, &o, err);

    sti_object_free(&o);
    return code;
}

/* A document comes as the operand, or from standard input. */
static stele_code take_arguments(
        const struct sti_run *run, struct change *c, bool wants_json, stele_error *err)
{
    const struct sti_operands *operands = run->operands;
    const struct sti_docs_args *args = run->args;
    stele_code code = sti_docs_operand(run, ID_AT, &c->id, err);

    c->expects = args->if_version != NULL;
    if (code == STELE_OK && c->expects) {
        code = sti_docs_parse_version(args->if_version, &c->expected, err);
    }
    if (code != STELE_OK || !wants_json) {
        return code;
    }
    if (operands->count > JSON_AT && strcmp(operands->items[JSON_AT], "-") != 0) {
        c->json = stele_str(operands->items[JSON_AT]);
    } else {
        code = sti_read_input(&c->input, "a document", err);
        c->json = stele_buf_view(&c->input);
    }
    return code == STELE_OK ? check_json(c->json, err) : code;
}

static stele_code run_batch(
        const struct sti_run *run, struct change *c, stele_docs *db, stele_error *err)
{
    const struct sti_docs_args *args = run->args;
    stele_docs_batch *batch = NULL;
    stele_code code = stele_docs_batch_begin(&batch, db, err);

    if (code != STELE_OK) {
        return code;
    }
    code = sti_docs_name_id(c->id.bytes, c->make(c, batch, err), err);
    if (code != STELE_OK || args->common.dry_run) {
        stele_docs_batch_abort(batch);
        return code;
    }
    return stele_docs_batch_end(batch, err);
}

static stele_code change(const struct sti_run *run, struct change *c, enum sti_docs_missing missing,
        bool wants_json, stele_error *err)
{
    const struct sti_docs_args *args = run->args;
    stele_docs *db = NULL;
    stele_code code;

    stele_buf_init(&c->input, INPUT_SIZE_MAX);
    code = take_arguments(run, c, wants_json, err);
    if (code == STELE_OK) {
        code = sti_docs_open_writer(run, missing, &db, err);
    }
    if (code == STELE_OK) {
        code = sti_docs_done(db, run_batch(run, c, db, err), err);
    }
    if (code == STELE_OK && args->common.dry_run) {
        sti_print_ok(run->json, true);
    } else if (code == STELE_OK) {
        sti_docs_print_changed(run, &c->made);
    }
    stele_buf_free(&c->input);
    free(c->id.owned);
    return code;
}

stele_code sti_docs_set_verb(const struct sti_run *run, stele_error *err)
{
    struct change c = {.make = make_set};

    return change(run, &c, STI_DOCS_CREATE, true, err);
}

stele_code sti_docs_patch_verb(const struct sti_run *run, stele_error *err)
{
    struct change c = {.make = make_patch};

    return change(run, &c, STI_DOCS_MUST_EXIST, true, err);
}

stele_code sti_docs_del_verb(const struct sti_run *run, stele_error *err)
{
    struct change c = {.make = make_del};

    return change(run, &c, STI_DOCS_MUST_EXIST, false, err);
}

/* ---- get ---- */

static void print_document(const struct sti_run *run, stele_bytes id, stele_bytes json)
{
    if (run->json) {
        sti_docs_print(true, id, json);
        return;
    }
    /* Byte for byte what was set, but on a terminal it is to end its line. */
    sti_print_bytes(json);
    if (isatty(STDOUT_FILENO) == 1) {
        (void)putchar('\n');
    }
}

stele_code sti_docs_get_verb(const struct sti_run *run, stele_error *err)
{
    struct sti_data id = {false, {NULL, 0}, NULL};
    stele_docs *db = NULL;
    stele_buf json;
    stele_code code = sti_docs_operand(run, ID_AT, &id, err);

    stele_buf_init(&json, SIZE_MAX);
    if (code == STELE_OK) {
        code = sti_docs_open_reader(run, &db, err);
    }
    if (code == STELE_OK) {
        code = stele_docs_get(db, id.bytes, &json, err);
        code = sti_docs_done(db, sti_docs_name_id(id.bytes, code, err), err);
    }
    if (code == STELE_OK) {
        print_document(run, id.bytes, stele_buf_view(&json));
    }
    stele_buf_free(&json);
    free(id.owned);
    return code;
}

/* ---- has ---- */

static void print_has(const struct sti_run *run, bool has)
{
    struct sti_json j;

    if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_bool(&j, "has", has);
        sti_json_end(&j);
    } else {
        (void)puts(has ? "yes" : "no");
    }
}

stele_code sti_docs_has_verb(const struct sti_run *run, stele_error *err)
{
    struct sti_data id = {false, {NULL, 0}, NULL};
    stele_docs *db = NULL;
    bool has = false;
    stele_code code = sti_docs_operand(run, ID_AT, &id, err);

    if (code == STELE_OK) {
        code = sti_docs_open_reader(run, &db, err);
    }
    if (code == STELE_OK) {
        code = sti_docs_done(db, stele_docs_has(db, id.bytes, &has, err), err);
    }
    if (code == STELE_OK) {
        print_has(run, has);
        code = has ? code : sti_cli_fail(err, STELE_ENOTFOUND, "no such document");
        code = sti_docs_name_id(id.bytes, code, err);
    }
    free(id.owned);
    return code;
}
