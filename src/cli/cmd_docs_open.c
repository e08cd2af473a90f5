/* SPDX-License-Identifier: MIT
 *
 * cmd_docs_open.c: opening a database; IDs, versions and places; lines of documents.
 */
#include "cli/cmd_docs.h"
#include "cli/document.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/serve.h"
#include "cli/word.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    SHOWN_MAX = 64
};

/* ---- Opening. ---- */

/* The name that who asks has for what this process serves. */
static const char *asked_for;

static bool take_served(const struct sti_run *run, stele_docs **out)
{
    asked_for = run->operands->items[0];
    *out = sti_docs_served();
    return *out != NULL;
}

stele_code sti_docs_open_writer(const struct sti_run *run, enum sti_docs_missing missing,
        stele_docs **out, stele_error *err)
{
    static stele_env env; /* until close */
    const struct sti_docs_args *args = run->args;
    stele_docs_options opts;

    if (take_served(run, out)) {
        return STELE_OK;
    }
    stele_env_init(&env);
    env.log = args->id == NULL ? sti_print_log : sti_serve_log;
    stele_docs_options_init(&opts);
    opts.env = &env;
    opts.create_dirs = missing == STI_DOCS_CREATE;
    opts.must_exist = missing == STI_DOCS_MUST_EXIST;
    opts.lock_wait_ms = sti_ms_of_us(args->common.lock_wait.value);
    return stele_docs_open(out, run->operands->items[0], &opts, err);
}

stele_code sti_docs_open_reader(const struct sti_run *run, stele_docs **out, stele_error *err)
{
    const struct sti_operands *operands = run->operands;
    stele_docs_options opts;
    stele_code code;

    if (take_served(run, out)) {
        return STELE_OK;
    }
    stele_docs_options_init(&opts);
    opts.read_only = true;
    code = stele_docs_open(out, operands->items[0], &opts, err);
    if (code == STELE_OK) {
        sti_docs_await_level(operands->items[0], *out);
    }
    return code;
}

stele_code sti_docs_done(stele_docs *db, stele_code code, stele_error *err)
{
    stele_code closed;

    const bool is_served = db == sti_docs_served();

    if (code < STELE_OK) {
        (void)sti_cli_wrap(err, code, "%s", is_served ? asked_for : stele_docs_name(db));
    }
    if (is_served) {
        return code;
    }
    closed = stele_docs_close(db, code < STELE_OK ? NULL : err);
    return code < STELE_OK ? code : closed;
}

stele_code sti_docs_name_id(stele_bytes id, stele_code code, stele_error *err)
{
    if (code >= STELE_OK) {
        return code;
    }
    if (!sti_is_plain_text(id) || id.len > SHOWN_MAX) {
        return sti_cli_wrap(err, code, "a document whose ID has %zu bytes", id.len);
    }
    return sti_cli_wrap(err, code, "document %.*s", (int)id.len, (const char *)id.data);
}

/* ---- Arguments. ---- */

stele_code sti_docs_check_id(stele_bytes id, stele_error *err)
{
    if (id.len == 0) {
        return sti_cli_fail(err, STELE_EINVAL, "an ID of no bytes");
    }
    if (id.len > STELE_DOCS_ID_MAX) {
        return sti_cli_fail(err, STELE_ETOOBIG, "an ID of %zu bytes; the longest is %zu", id.len,
                STELE_DOCS_ID_MAX);
    }
    return STELE_OK;
}

stele_code sti_docs_operand(
        const struct sti_run *run, size_t index, struct sti_data *out, stele_error *err)
{
    stele_code code = sti_parse_data(run->operands->items[index], out, err);

    return code == STELE_OK ? sti_docs_check_id(out->bytes, err) : sti_cli_wrap(err, code, "ID");
}

void sti_docs_format_version(stele_docs_version v, char out[STI_DOCS_VERSION_TEXT_SIZE])
{
    (void)snprintf(out, STI_DOCS_VERSION_TEXT_SIZE, "%" PRId64 ".%" PRIu32 ".%" PRIu32, v.seconds,
            v.ns, v.server);
}

/* The digits up to the separator, which is passed over. */
static bool read_part(const char **at, char separator, uint64_t max, uint64_t *out)
{
    char digits[24];
    const size_t len = strcspn(*at, separator == '\0' ? "" : ".");
    stele_error ignored;

    if (len >= sizeof digits || (*at)[len] != separator) {
        return false;
    }
    memcpy(digits, *at, len);
    digits[len] = '\0';
    *at += len + (separator == '\0' ? 0 : 1);
    return sti_parse_id(digits, out, &ignored) == STELE_OK && *out <= max;
}

stele_code sti_docs_parse_version(const char *text, stele_docs_version *out, stele_error *err)
{
    const char *at = text;
    uint64_t seconds = 0;
    uint64_t ns = 0;
    uint64_t server = 0;

    if (!read_part(&at, '.', INT64_MAX, &seconds) || !read_part(&at, '.', 999999999, &ns) ||
            !read_part(&at, '\0', UINT32_MAX, &server)) {
        return sti_cli_fail(err, STELE_EINVAL,
                "'%.64s' is not a version, which is SECONDS.NANOSECONDS.SERVER", text);
    }
    *out = (stele_docs_version){(int64_t)seconds, (uint32_t)ns, (uint32_t)server};
    return STELE_OK;
}

stele_code sti_docs_parse_place(
        const char *text, const char *option, struct sti_data *out, stele_error *err)
{
    size_t len = 0;
    stele_code code;

    memset(out, 0, sizeof *out);
    if (text == NULL) {
        return STELE_OK;
    }
    code = sti_decode_base64(text, strlen(text), &out->owned, &len, err);
    if (code != STELE_OK) {
        return sti_cli_wrap(err, code, "option %s", option);
    }
    if (len == 0) {
        return sti_cli_fail(err, STELE_EINVAL, "option %s: no place", option);
    }
    out->given = true;
    out->bytes = stele_bytes_of(out->owned, len);
    return STELE_OK;
}

/* ---- Output. ---- */

void sti_docs_print(bool json, stele_bytes id, stele_bytes doc)
{
    struct sti_json j;

    if (json) {
        j = sti_json_begin(stdout);
        sti_json_bytes(&j, "id", id);
        sti_json_document(&j, "doc", doc);
        sti_json_end(&j);
    } else {
        sti_print_word(id);
        (void)putchar('\t');
        sti_print_document(doc);
        (void)putchar('\n');
    }
}

void sti_docs_print_changed(const struct sti_run *run, const stele_docs_version *version)
{
    char text[STI_DOCS_VERSION_TEXT_SIZE];

    sti_print_ok(run->json, false);
    if (!run->json) {
        sti_docs_format_version(*version, text);
        sti_row("version", "%s", text);
    }
}

stele_code sti_docs_printed(stele_error *err)
{
    return ferror(stdout) == 0 ? STELE_OK : sti_finish_output(err);
}
