/* SPDX-License-Identifier: MIT
 *
 * cmd_journal_op.c: an operation of a journal as a JSON line, in and out, and as text.
 */
#include "cli/cmd_journal.h"
#include "cli/output.h"
#include "cli/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OP_WIDTH = 6,
    TIME_WIDTH = 27,
    SETTING_LENGTHS = 2 /* bytes that the lengths of a setting count */
};

/* What each kind may have. */
struct kind {
    const char *name;
    stele_journal_kind kind;
    bool subkey;
    bool value;
    bool config;
};

static const struct kind kinds[] = {
        {"put", STELE_JOURNAL_PUT, true, true, false},
        {"delete", STELE_JOURNAL_DELETE, true, false, false},
        {"clear", STELE_JOURNAL_CLEAR, false, false, false},
        {"config", STELE_JOURNAL_CONFIG, false, false, true},
};

enum {
    KIND_COUNT = sizeof kinds / sizeof kinds[0]
};

/* ---- In. ---- */

/* NULL: STELE_EINVAL. */
static const struct kind *find_kind(const char *name, stele_error *err)
{
    if (name == NULL) {
        (void)sti_cli_fail(err, STELE_EINVAL, "no \"op\"");
        return NULL;
    }
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    (void)sti_cli_fail(err, STELE_EINVAL,
            "\"op\" is \"%.64s\"; there are put, delete, clear and config", name);
    return NULL;
}

static stele_code check_fields(
        const struct kind *kind, const struct sti_journal_line *line, stele_error *err)
{
    const char *wrong = NULL;

    if (line->config.given && !kind->config) {
        wrong = "config";
    }
    if (line->value.given && !kind->value) {
        wrong = "value";
    }
    if (line->subkey.given && !kind->subkey) {
        wrong = "subkey";
    }
    if (wrong != NULL) {
        return sti_cli_fail(err, STELE_EINVAL, "a %s has no \"%s\"", kind->name, wrong);
    }
    if (kind->config && !line->config.given) {
        return sti_cli_fail(err, STELE_EINVAL, "no \"config\"");
    }
    return STELE_OK;
}

/* As the library counts. Lines are shorter than 96 MiB, so the sum does not overflow. */
static stele_code check_size(const stele_journal_op *op, stele_error *err)
{
    size_t size = op->key.len + op->subkey.len + op->value.len;

    for (size_t i = 0; i < op->setting_count; i++) {
        size += op->settings[i].name.len + op->settings[i].value.len + SETTING_LENGTHS;
    }
    if (size > STELE_JOURNAL_OP_MAX) {
        return sti_cli_fail(err, STELE_ETOOBIG, "an operation of %zu bytes; the largest is %zu",
                size, STELE_JOURNAL_OP_MAX);
    }
    return STELE_OK;
}

static stele_code read_fields(
        struct sti_journal_line *line, const char **op, struct sti_number *time, stele_error *err)
{
    static const char *const names[] = {"op", "key", "key_b64", "subkey", "subkey_b64", "value",
            "value_b64", "timestamp", "config", "config_b64"};
    const struct sti_object *o = &line->object;
    stele_code code = sti_object_only(o, names, sizeof names / sizeof names[0], err);

    if (code == STELE_OK) {
        code = sti_object_word(o, "op", op, err);
    }
    if (code == STELE_OK) {
        code = sti_object_bytes(o, "key", &line->key, err);
    }
    if (code == STELE_OK) {
        code = sti_object_bytes(o, "subkey", &line->subkey, err);
    }
    if (code == STELE_OK) {
        code = sti_object_bytes(o, "value", &line->value, err);
    }
    if (code == STELE_OK) {
        code = sti_object_time(o, "timestamp", time, err);
    }
    if (code == STELE_OK && time->given && time->value == STELE_JOURNAL_NOW) {
        code = sti_cli_fail(err, STELE_EINVAL, "\"timestamp\" is too small");
    }
    return code == STELE_OK ? sti_object_pairs(o, "config", &line->config, err) : code;
}

static stele_code make_settings(struct sti_journal_line *line, stele_error *err)
{
    const size_t count = line->config.count;

    if (count == 0) {
        return STELE_OK;
    }
    line->settings = calloc(count, sizeof *line->settings);
    if (line->settings == NULL) {
        return sti_cli_fail(err, STELE_ENOMEM, "no memory for %zu settings", count);
    }
    for (size_t i = 0; i < count; i++) {
        line->settings[i].name = line->config.items[i].name.bytes;
        line->settings[i].value = line->config.items[i].value.bytes;
    }
    line->op.settings = line->settings;
    line->op.setting_count = count;
    return STELE_OK;
}

stele_code sti_journal_line_parse(stele_bytes text, struct sti_journal_line *out, stele_error *err)
{
    const struct kind *kind;
    struct sti_number time = {false, 0};
    const char *op = NULL;
    stele_code code;

    memset(out, 0, sizeof *out);
    code = sti_object_parse(text, &out->object, err);
    if (code == STELE_OK) {
        code = read_fields(out, &op, &time, err);
    }
    if (code != STELE_OK) {
        return code;
    }
    kind = find_kind(op, err);
    if (kind == NULL) {
        return STELE_EINVAL;
    }
    code = check_fields(kind, out, err);
    if (code == STELE_OK) {
        code = make_settings(out, err);
    }
    if (code != STELE_OK) {
        return code;
    }
    out->op.kind = kind->kind;
    out->op.timestamp = time.given ? time.value : STELE_JOURNAL_NOW;
    out->op.key = out->key.bytes;
    out->op.subkey = out->subkey.bytes;
    out->op.value = out->value.bytes;
    return check_size(&out->op, err);
}

void sti_journal_line_free(struct sti_journal_line *line)
{
    free(line->settings);
    free(line->key.owned);
    free(line->subkey.owned);
    free(line->value.owned);
    sti_pairs_free(&line->config);
    sti_object_free(&line->object);
    memset(line, 0, sizeof *line);
}

/* ---- Out. ---- */

static const char *name_of(stele_journal_kind kind)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (kinds[i].kind == kind) {
            return kinds[i].name;
        }
    }
    return "?";
}

static bool settings_are_text(const stele_journal_op *op)
{
    for (size_t i = 0; i < op->setting_count; i++) {
        if (!sti_is_plain_text(op->settings[i].name) || !sti_is_plain_text(op->settings[i].value)) {
            return false;
        }
    }
    return true;
}

static void print_text_or_base64(FILE *to, stele_bytes bytes, bool text)
{
    if (text) {
        sti_json_string(to, bytes);
    } else {
        (void)fputc('"', to);
        sti_print_base64(to, bytes);
        (void)fputc('"', to);
    }
}

static void print_json_config(struct sti_json *j, const stele_journal_op *op)
{
    const bool text = settings_are_text(op);

    if (op->kind != STELE_JOURNAL_CONFIG) {
        sti_json_null(j, "config");
        return;
    }
    sti_json_name(j, text ? "config" : "config_b64");
    (void)fputc('{', j->to);
    for (size_t i = 0; i < op->setting_count; i++) {
        (void)fputs(i == 0 ? "" : ",", j->to);
        print_text_or_base64(j->to, op->settings[i].name, text);
        (void)fputc(':', j->to);
        print_text_or_base64(j->to, op->settings[i].value, text);
    }
    (void)fputc('}', j->to);
}

void sti_journal_print_json(FILE *to, const stele_journal_op *op)
{
    struct sti_json j = sti_json_begin(to);

    sti_json_text(&j, "op", name_of(op->kind));
    sti_json_bytes(&j, "key", op->key);
    sti_json_bytes(&j, "subkey", op->subkey);
    sti_json_bytes(&j, "value", op->value);
    sti_json_int(&j, "timestamp", op->timestamp);
    print_json_config(&j, op);
    sti_json_end(&j);
}

/* In quotes, so that what is nil can be told from what is called so. */
static void print_bytes(const char *before, stele_bytes bytes)
{
    (void)fputs(before, stdout);
    if (stele_is_nil(bytes)) {
        (void)fputs("nil", stdout);
    } else if (sti_is_plain_text(bytes)) {
        sti_json_string(stdout, bytes);
    } else {
        (void)fputs("b64:", stdout);
        sti_print_base64(stdout, bytes);
    }
}

static void print_text_config(const stele_journal_op *op)
{
    if (!stele_is_nil(op->key)) {
        print_bytes("", op->key);
        (void)fputs(": ", stdout);
    }
    (void)fputs(op->setting_count == 0 ? "nothing" : "", stdout);
    for (size_t i = 0; i < op->setting_count; i++) {
        print_bytes(i == 0 ? "" : ", ", op->settings[i].name);
        print_bytes(" = ", op->settings[i].value);
    }
}

void sti_journal_print_text(const stele_journal_op *op)
{
    char time[STI_TIME_TEXT_SIZE];

    sti_format_time(op->timestamp, time);
    (void)printf("%-*s  %-*s  ", OP_WIDTH, name_of(op->kind), TIME_WIDTH, time);
    if (op->kind == STELE_JOURNAL_CONFIG) {
        print_text_config(op);
    } else if (op->kind == STELE_JOURNAL_CLEAR && stele_is_nil(op->key)) {
        (void)fputs("everything", stdout);
    } else {
        print_bytes("", op->key);
        if (!stele_is_nil(op->subkey)) {
            print_bytes(" / ", op->subkey);
        }
        if (op->kind == STELE_JOURNAL_PUT) {
            print_bytes(" = ", op->value);
        }
    }
    (void)putchar('\n');
}
