/* SPDX-License-Identifier: MIT
 *
 * cmd_store_check.c: `stele store check`, `scrub`, in a child (child.h).
 */
#include "cli/child.h"
#include "cli/cmd_store.h"
#include "cli/output.h"
#include "cli/repair.h"
#include "cli/report.h"
#include "cli/word.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef stele_code (*check_fn)(const char *dir, const stele_store_options *opts,
        stele_store_fault_fn each, void *arg, stele_store_checked *out, stele_error *err);

/* What the child sends; small enough that a pipe takes it at once. */
struct result {
    stele_code code;
    stele_error err;
    stele_store_checked checked;
};

/* ---- Faults. ---- */

static void print_fault_text(const stele_store_fault *fault)
{
    (void)fputs(fault->file, stdout);
    if (fault->position >= 0) {
        (void)printf("  position %" PRId64, fault->position);
    }
    if (!stele_is_nil(fault->bucket)) {
        (void)fputs("  bucket ", stdout);
        sti_print_word(fault->bucket);
    }
    if (!stele_is_nil(fault->key)) {
        (void)fputs("  key ", stdout);
        sti_print_word(fault->key);
    }
    (void)printf("  %s\n", fault->text);
}

static void print_fault_json(const stele_store_fault *fault)
{
    struct sti_json j = sti_json_begin(stdout);

    sti_json_text(&j, "file", fault->file);
    sti_json_int_or_null(&j, "position", fault->position);
    sti_json_bytes(&j, "bucket", fault->bucket);
    sti_json_bytes(&j, "key", fault->key);
    sti_json_text(&j, "error", fault->text);
    sti_json_end(&j);
}

static void on_fault(void *arg, const stele_store_fault *fault)
{
    const bool *json = arg;

    if (fault->code == STELE_OK) {
        sti_faults_note(fault->file, fault->text);
        return;
    }
    if (*json) {
        print_fault_json(fault);
    } else {
        print_fault_text(fault);
    }
    (void)fflush(stdout);
}

/* ---- The check. ---- */

struct work {
    const struct sti_run *run;
    check_fn check;
};

static void check(const void *arg, void *result)
{
    const struct work *work = arg;
    struct result *r = result;
    bool json = work->run->json;

    r->code =
            work->check(work->run->operands->items[0], NULL, on_fault, &json, &r->checked, &r->err);
}

static void died(const struct sti_run *run, const char *how, struct result *result)
{
    const stele_store_fault fault = {
            .file = run->operands->items[0], .position = -1, .code = STELE_ECORRUPT, .text = how};
    bool json = run->json;

    on_fault(&json, &fault);
    memset(result, 0, sizeof *result);
    result->err.position = -1;
    result->code = STELE_ECORRUPT;
    result->checked.faults = 1;
}

static stele_code in_child(
        const struct sti_run *run, check_fn fn, struct result *result, stele_error *err)
{
    const struct work work = {run, fn};
    char how[STI_CHILD_TEXT_SIZE];
    bool has_died = false;
    stele_code code;

    result->err.position = -1;
    code = sti_child_run(check, &work, result, sizeof *result, &has_died, how, err);
    if (code == STELE_OK && has_died) {
        died(run, how, result);
    }
    return code;
}

static void print_sums(const struct sti_run *run, const stele_store_checked *checked)
{
    struct sti_json j;

    if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_bool(&j, "ok", checked->faults == 0);
        sti_json_uint(&j, "buckets", checked->buckets);
        sti_json_uint(&j, "keys", checked->keys);
        sti_json_end(&j);
    } else {
        sti_row_bool("ok", checked->faults == 0);
        sti_row_uint("buckets", checked->buckets);
        sti_row_uint("keys", checked->keys);
    }
}

/* A check that failed before it found anything has nothing to sum up. */
static stele_code check_with(const struct sti_run *run, check_fn fn, stele_error *err)
{
    const char *dir = run->operands->items[0];
    struct result r;
    stele_code code;

    memset(&r, 0, sizeof r);
    code = in_child(run, fn, &r, err);
    if (code != STELE_OK) {
        return code;
    }
    if (r.code != STELE_OK && r.checked.faults == 0) {
        *err = r.err;
        return r.code;
    }
    print_sums(run, &r.checked);
    if (r.checked.faults == 0) {
        return STELE_OK;
    }
    return sti_cli_fail(err, STELE_ECORRUPT, "%s: %" PRIu64 " fault%s found", dir, r.checked.faults,
            r.checked.faults == 1 ? "" : "s");
}

stele_code sti_store_check_verb(const struct sti_run *run, stele_error *err)
{
    return check_with(run, stele_store_check_dir, err);
}

stele_code sti_store_scrub_verb(const struct sti_run *run, stele_error *err)
{
    return check_with(run, stele_store_scrub_dir, err);
}
