/* SPDX-License-Identifier: MIT
 *
 * cmd_docs_check.c: `stele docs validate`, `reindex`, `conflicts`.
 *
 * Validation that only reads is done in a child (child.h).
 */
#include "cli/child.h"
#include "cli/cmd_docs.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/word.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- validate ---- */

static void print_fault(void *arg, const stele_docs_fault *fault)
{
    const bool *json = arg;
    struct sti_json j;

    if (*json) {
        j = sti_json_begin(stdout);
        sti_json_bytes(&j, "id", fault->id);
        sti_json_text(&j, "error", fault->text);
        sti_json_end(&j);
        return;
    }
    if (!stele_is_nil(fault->id)) {
        (void)fputs("document ", stdout);
        sti_print_word(fault->id);
        (void)fputs("  ", stdout);
    }
    (void)printf("%s\n", fault->text);
}

static void print_sums(bool json, uint64_t checked, uint64_t mended, uint64_t faults, bool dry_run)
{
    struct sti_json j;

    if (json) {
        j = sti_json_begin(stdout);
        sti_json_uint(&j, "checked", checked);
        sti_json_uint(&j, "mended", mended);
        sti_json_uint(&j, "faults", faults);
        sti_json_dry_run(&j, dry_run);
        sti_json_end(&j);
    } else {
        sti_row_uint("checked", checked);
        sti_row_uint("mended", mended);
        sti_row_uint("faults", faults);
        sti_row_dry_run(dry_run);
    }
}

/* Faults are no failure yet. */
static stele_code look(const struct sti_run *run, stele_docs *db, bool tell,
        stele_docs_validated *out, stele_error *err)
{
    bool json = run->json;
    stele_error why;
    stele_code code = stele_docs_validate(db, tell ? print_fault : NULL, &json, out, &why);

    if (code == STELE_ECORRUPT && out->faults > 0) {
        return STELE_OK;
    }
    if (code != STELE_OK) {
        *err = why;
    }
    return code;
}

/* What is found is told; what making anew does not mend is found again. */
static stele_code mend(const struct sti_run *run, stele_docs *db, stele_docs_validated *v,
        uint64_t *mended, stele_error *err)
{
    const uint64_t found = v->faults;
    stele_code code = stele_docs_reindex(db, err);

    if (code == STELE_OK) {
        v->faults = 0;
        code = look(run, db, false, v, err);
    }
    if (code == STELE_OK) {
        *mended = v->faults < found ? found - v->faults : 0;
    }
    return code;
}

/* What a child sends. */
struct result {
    stele_code code;
    stele_error err;
    stele_docs_validated v;
};

static void validate(const void *arg, void *result)
{
    const struct sti_run *run = arg;
    struct result *r = result;
    stele_docs *db = NULL;

    r->code = sti_docs_open_reader(run, &db, &r->err);
    if (r->code == STELE_OK) {
        r->code = sti_docs_done(db, look(run, db, true, &r->v, &r->err), &r->err);
    }
}

static stele_code validate_in_child(
        const struct sti_run *run, stele_docs_validated *v, stele_error *err)
{
    char how[STI_CHILD_TEXT_SIZE];
    struct result r;
    bool json = run->json;
    bool died = false;
    stele_code code;

    memset(&r, 0, sizeof r);
    r.err.position = -1;
    code = sti_child_run(validate, run, &r, sizeof r, &died, how, err);
    if (code == STELE_OK && died) {
        const stele_docs_fault fault = {stele_nil(), how};

        print_fault(&json, &fault);
        v->faults = 1;
        return STELE_OK;
    }
    if (code == STELE_OK && r.code != STELE_OK) {
        *err = r.err;
        code = r.code;
    }
    *v = r.v;
    return code;
}

static stele_code validate_and_mend(
        const struct sti_run *run, stele_docs_validated *v, uint64_t *mended, stele_error *err)
{
    stele_docs *db = NULL;
    stele_code code = sti_docs_open_writer(run, STI_DOCS_MUST_EXIST, &db, err);

    if (code != STELE_OK) {
        return code;
    }
    code = look(run, db, true, v, err);
    if (code == STELE_OK && v->faults > 0) {
        code = mend(run, db, v, mended, err);
    }
    return sti_docs_done(db, code, err);
}

stele_code sti_docs_validate_verb(const struct sti_run *run, stele_error *err)
{
    const struct sti_docs_args *args = run->args;
    const bool dry_run = args->common.dry_run;
    stele_docs_validated v = {.documents = 0};
    uint64_t mended = 0;
    stele_code code;

    if (dry_run && !args->mend) {
        return sti_cli_fail(err, STELE_EINVAL, "--dry-run belongs to --mend");
    }
    code = args->mend && !dry_run ? validate_and_mend(run, &v, &mended, err)
                                  : validate_in_child(run, &v, err);
    if (code != STELE_OK) {
        return code;
    }
    print_sums(run->json, v.documents, mended, v.faults, dry_run);
    return v.faults == 0 ? STELE_OK
                         : sti_cli_fail(err, STELE_ECORRUPT, "%s: %" PRIu64 " fault%s found",
                                   run->operands->items[0], v.faults, v.faults == 1 ? "" : "s");
}

/* ---- reindex ---- */

static stele_code reindex(const struct sti_run *run, stele_docs_status *status, stele_error *err)
{
    const struct sti_docs_args *args = run->args;
    stele_docs *db = NULL;
    stele_code code = args->common.dry_run
                              ? sti_docs_open_reader(run, &db, err)
                              : sti_docs_open_writer(run, STI_DOCS_MUST_EXIST, &db, err);

    if (code != STELE_OK) {
        return code;
    }
    if (!args->common.dry_run) {
        code = stele_docs_reindex(db, err);
    }
    if (code == STELE_OK) {
        code = stele_docs_get_status(db, status, err);
    }
    return sti_docs_done(db, code, err);
}

stele_code sti_docs_reindex_verb(const struct sti_run *run, stele_error *err)
{
    const struct sti_docs_args *args = run->args;
    stele_docs_status status = {.state = STELE_DOCS_READY};
    stele_code code = reindex(run, &status, err);
    struct sti_json j;

    if (code != STELE_OK) {
        return code;
    }
    if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_uint(&j, "documents", status.documents);
        sti_json_dry_run(&j, args->common.dry_run);
        sti_json_end(&j);
    } else {
        sti_row_uint("documents", status.documents);
        sti_row_dry_run(args->common.dry_run);
    }
    return STELE_OK;
}

/* ---- conflicts ---- */

/* One conflict, whose losers come one by one. */
struct conflict {
    bool json;
    const char *type; /* NULL: there was none yet */
    const char *key;
    stele_buf owner;
    stele_buf losers; /* one behind the other */
    size_t *lengths;
    size_t count;
    bool plain; /* all losers can be JSON strings */
};

static void print_losers(const struct conflict *c)
{
    const uint8_t *at = c->losers.data;

    for (size_t i = 0; i < c->count; at += c->lengths[i++]) {
        const stele_bytes id = stele_bytes_of(at, c->lengths[i]);

        if (!c->json) {
            (void)putchar(i == 0 ? '\t' : ' ');
            sti_print_word(id);
            continue;
        }
        (void)fputs(i == 0 ? "" : ",", stdout);
        if (c->plain) {
            sti_json_string(stdout, id);
        } else {
            (void)putchar('"');
            sti_print_base64(stdout, id);
            (void)putchar('"');
        }
    }
}

static void print_conflict(const struct conflict *c)
{
    struct sti_json j;

    if (c->type == NULL) {
        return;
    }
    if (c->json) {
        j = sti_json_begin(stdout);
        sti_json_text(&j, "type", c->type);
        sti_json_text(&j, "key", c->key);
        sti_json_bytes(&j, "owner", stele_buf_view(&c->owner));
        sti_json_name(&j, c->plain ? "losers" : "losers_b64");
        (void)putchar('[');
        print_losers(c);
        (void)putchar(']');
        sti_json_end(&j);
    } else {
        (void)printf("%s\t%s\t", c->type, c->key);
        sti_print_word(stele_buf_view(&c->owner));
        print_losers(c);
        (void)putchar('\n');
    }
}

static stele_code begin_conflict(
        struct conflict *c, const stele_docs_conflict *conflict, stele_error *err)
{
    print_conflict(c);
    c->type = conflict->type;
    c->key = conflict->key;
    c->count = 0;
    c->plain = true;
    stele_buf_clear(&c->owner);
    stele_buf_clear(&c->losers);
    return stele_buf_append(&c->owner, conflict->owner, err);
}

static stele_code add_loser(void *arg, const stele_docs_conflict *conflict, stele_error *err)
{
    struct conflict *c = arg;
    size_t *lengths;
    stele_code code = conflict->first ? begin_conflict(c, conflict, err) : STELE_OK;

    if (code != STELE_OK) {
        return code;
    }
    lengths = realloc(c->lengths, (c->count + 1) * sizeof *lengths);
    if (lengths == NULL) {
        return sti_cli_fail(err, STELE_ENOMEM, "no memory for %zu IDs", c->count + 1);
    }
    c->lengths = lengths;
    c->lengths[c->count++] = conflict->id.len;
    c->plain = c->plain && sti_is_plain_text(conflict->id);
    return stele_buf_append(&c->losers, conflict->id, err);
}

stele_code sti_docs_conflicts_verb(const struct sti_run *run, stele_error *err)
{
    struct conflict c = {.json = run->json};
    stele_docs *db = NULL;
    stele_code code = sti_docs_open_reader(run, &db, err);

    if (code != STELE_OK) {
        return code;
    }
    stele_buf_init(&c.owner, SIZE_MAX);
    stele_buf_init(&c.losers, SIZE_MAX);
    code = stele_docs_conflicts(db, add_loser, &c, err);
    if (code == STELE_OK) {
        print_conflict(&c); /* names of types live until close */
    }
    stele_buf_free(&c.owner);
    stele_buf_free(&c.losers);
    free(c.lengths);
    return sti_docs_done(db, code, err);
}
