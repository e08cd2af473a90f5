/* SPDX-License-Identifier: MIT
 *
 * document.c: JSON as it is.
 *
 * What is looked at here was parsed before, so that it need not be doubted again.
 */
#include "cli/document.h"

#include "cli/report.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

/* ---- Out. ---- */

bool sti_is_document(stele_bytes json)
{
    json_t *value = json_loadb(
            (const char *)json.data, json.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    const bool is = json_is_object(value);

    json_decref(value);
    return is;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Behind the string that begins at `at`. */
static size_t string_end(stele_bytes json, size_t at)
{
    at++;
    while (at < json.len && json.data[at] != '"') {
        at += json.data[at] == '\\' ? 2 : 1;
    }
    return at < json.len ? at + 1 : json.len;
}

/* Runs without blanks are written at once. */
static void print_compact(FILE *to, stele_bytes json)
{
    size_t run = 0;
    size_t at = 0;

    while (at < json.len) {
        if (json.data[at] == '"') {
            at = string_end(json, at);
        } else if (is_blank(json.data[at])) {
            (void)fwrite(json.data + run, 1, at - run, to); /* stdio remembers a failure */
            run = ++at;
        } else {
            at++;
        }
    }
    if (run < json.len) {
        (void)fwrite(json.data + run, 1, json.len - run, to);
    }
}

void sti_json_document(struct sti_json *j, const char *name, stele_bytes json)
{
    char name_b64[64];

    if (stele_is_nil(json)) {
        sti_json_null(j, name);
    } else if (sti_is_document(json)) {
        sti_json_name(j, name);
        print_compact(j->to, json);
    } else {
        (void)snprintf(name_b64, sizeof name_b64, "%s_b64", name);
        sti_json_name(j, name_b64);
        (void)fputc('"', j->to);
        sti_print_base64(j->to, json);
        (void)fputc('"', j->to);
    }
}

void sti_print_document(stele_bytes json)
{
    if (sti_is_document(json)) {
        print_compact(stdout, json);
    } else {
        (void)fputs("b64:", stdout);
        sti_print_base64(stdout, json);
    }
}

/* ---- In. ---- */

static size_t skip_blanks(stele_bytes json, size_t at)
{
    while (at < json.len && is_blank(json.data[at])) {
        at++;
    }
    return at;
}

/* Behind the value that begins at `at`. */
static size_t value_end(stele_bytes json, size_t at)
{
    size_t depth = 0;

    while (at < json.len) {
        const uint8_t c = json.data[at];

        if (c == '"') {
            at = string_end(json, at);
            if (depth == 0) {
                return at;
            }
            continue;
        }
        if (c == '{' || c == '[') {
            depth++;
        } else if (depth > 0 && (c == '}' || c == ']')) {
            depth--;
            if (depth == 0) {
                return at + 1;
            }
        } else if (depth == 0 && (c == ',' || c == '}' || c == ']' || is_blank(c))) {
            return at;
        }
        at++;
    }
    return json.len;
}

/* Whether a string of the line is a name; it may be written with escapes. */
static bool is_name(stele_bytes text, const char *name)
{
    json_t *value =
            json_loadb((const char *)text.data, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    const bool is = json_is_string(value) && json_string_length(value) == strlen(name) &&
                    strcmp(json_string_value(value), name) == 0;

    json_decref(value);
    return is;
}

/* The value of a member as it stands in an object; nil: there is none. */
static stele_bytes find_member(stele_bytes line, const char *name)
{
    size_t at = skip_blanks(line, skip_blanks(line, 0) + 1);

    while (at < line.len && line.data[at] == '"') {
        const size_t end = string_end(line, at);
        const size_t value = skip_blanks(line, skip_blanks(line, end) + 1);
        const size_t behind = value_end(line, value);

        if (is_name(stele_bytes_of(line.data + at, end - at), name)) {
            return stele_bytes_of(line.data + value, behind - value);
        }
        at = skip_blanks(line, skip_blanks(line, behind) + 1);
    }
    return stele_nil();
}

stele_code sti_object_document(const struct sti_object *o, stele_bytes line, const char *name,
        struct sti_data *out, stele_error *err)
{
    const json_t *value = json_object_get(o->root, name);
    char name_b64[64];

    (void)snprintf(name_b64, sizeof name_b64, "%s_b64", name);
    if (value == NULL || json_object_get(o->root, name_b64) != NULL) {
        return sti_object_bytes(o, name, out, err);
    }
    memset(out, 0, sizeof *out);
    if (json_is_null(value)) {
        return STELE_OK;
    }
    out->bytes = find_member(line, name);
    out->given = !stele_is_nil(out->bytes);
    return out->given ? STELE_OK
                      : sti_cli_fail(err, STELE_ENOMEM, "no memory for the names of a line");
}
