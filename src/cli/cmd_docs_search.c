/* SPDX-License-Identifier: MIT
 *
 * cmd_docs_search.c: `stele docs search`.
 *
 * A value on the command line is JSON if it can be read as that, and else a string: room=kitchen,
 * floor=2, and no='"2"' for a string of digits.
 */
#include "cli/cmd_docs.h"
#include "cli/document.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/word.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

enum {
    TYPE_AT = 1, /* among the operands */
    FIELDS_AT = 2
};

/* The texts that a search points to, which are to be freed. */
struct terms {
    json_t *match;
    char *match_text;
    char *bound_field;
    char *low;
    char *high;
    struct sti_data after;
};

static void free_terms(struct terms *t)
{
    json_decref(t->match);
    free(t->match_text);
    free(t->bound_field);
    free(t->low);
    free(t->high);
    free(t->after.owned);
}

/* ---- Values. ---- */

static stele_code no_memory(size_t len, stele_error *err)
{
    return sti_cli_fail(err, STELE_ENOMEM, "no memory for %zu bytes of a search", len);
}

static stele_code parse_value(const char *text, size_t len, json_t **out, stele_error *err)
{
    json_error_t why;

    *out = json_loadb(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    if (*out != NULL) {
        return STELE_OK;
    }
    if (json_error_code(&why) == json_error_numeric_overflow) {
        return sti_cli_fail(err, STELE_EINVAL, "'%.*s' is a number that no document can have",
                (int)(len < 64 ? len : 64), text);
    }
    if (!sti_is_plain_text(stele_bytes_of(text, len))) {
        return sti_cli_fail(err, STELE_EINVAL, "a value that is not UTF-8");
    }
    *out = json_stringn(text, len);
    return *out != NULL ? STELE_OK : no_memory(len, err);
}

/* The same as the text of a JSON value; NULL of no text. */
static stele_code print_value(const char *text, size_t len, char **out, stele_error *err)
{
    json_t *value = NULL;
    stele_code code;

    if (len == 0) {
        return STELE_OK;
    }
    code = parse_value(text, len, &value, err);
    if (code != STELE_OK) {
        return code;
    }
    *out = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(value);
    return *out != NULL ? STELE_OK : no_memory(len, err);
}

/* ---- Terms. ---- */

/* FIELD=VALUE: what is before the first equals sign, in memory of its own; returns the value. NULL,
 * with err->code, if there is no field or no memory. */
static const char *split(const char *text, const char *what, char **field, stele_error *err)
{
    const char *equals = strchr(text, '=');

    if (equals == NULL || equals == text) {
        (void)sti_cli_fail(err, STELE_EINVAL, "'%.64s' is not %s", text, what);
        return NULL;
    }
    *field = strndup(text, (size_t)(equals - text));
    if (*field == NULL) {
        (void)no_memory(strlen(text), err);
        return NULL;
    }
    return equals + 1;
}

static stele_code add_field(struct terms *t, const char *text, stele_error *err)
{
    json_t *parsed = NULL;
    char *field = NULL;
    const char *value = split(text, "FIELD=VALUE", &field, err);
    stele_code code;

    if (value == NULL) {
        return err->code;
    }
    if (json_object_get(t->match, field) != NULL) {
        code = sti_cli_fail(err, STELE_EINVAL, "field '%.64s' is given twice", field);
    } else {
        code = parse_value(value, strlen(value), &parsed, err);
    }
    if (code == STELE_OK && json_object_set_new(t->match, field, parsed) != 0) {
        code = sti_cli_fail(err, STELE_EINVAL, "field '%.64s' is not UTF-8", field);
    }
    free(field);
    return code;
}

static stele_code take_fields(const struct sti_run *run, struct terms *t, stele_error *err)
{
    stele_code code = STELE_OK;

    t->match = json_object();
    if (t->match == NULL) {
        return no_memory(0, err);
    }
    for (size_t i = FIELDS_AT; i < run->operands->count && code == STELE_OK; i++) {
        code = add_field(t, run->operands->items[i], err);
    }
    if (code == STELE_OK && run->operands->count > FIELDS_AT) {
        t->match_text = json_dumps(t->match, JSON_COMPACT);
        code = t->match_text != NULL ? code : no_memory(0, err);
    }
    return code;
}

/* LO..HI; dots within quotes are part of LO. */
static const char *find_dots(const char *text)
{
    bool quoted = false;

    for (const char *at = text; *at != '\0'; at++) {
        if (text[0] == '"' && *at == '"') {
            quoted = !quoted;
        } else if (quoted && *at == '\\' && at[1] != '\0') {
            at++;
        } else if (!quoted && at[0] == '.' && at[1] == '.') {
            return at;
        }
    }
    return NULL;
}

static stele_code take_range(const char *text, struct terms *t, stele_error *err)
{
    const char *value = split(text, "FIELD=LO..HI", &t->bound_field, err);
    const char *dots;
    stele_code code;

    if (value == NULL) {
        return sti_cli_wrap(err, err->code, "option --range");
    }
    dots = find_dots(value);
    if (dots == NULL) {
        return sti_cli_fail(err, STELE_EINVAL, "option --range: '%.64s' is not FIELD=LO..HI", text);
    }
    code = print_value(value, (size_t)(dots - value), &t->low, err);
    if (code == STELE_OK) {
        code = print_value(dots + 2, strlen(dots + 2), &t->high, err);
    }
    return code == STELE_OK ? code : sti_cli_wrap(err, code, "option --range");
}

static stele_code take_bound(const struct sti_docs_args *args, struct terms *t,
        stele_docs_search *search, stele_error *err)
{
    stele_code code = STELE_OK;

    if (args->range != NULL && args->search_prefix != NULL) {
        return sti_cli_fail(err, STELE_EINVAL, "--range and --prefix exclude each other");
    }
    if (args->range != NULL) {
        code = take_range(args->range, t, err);
        search->low = stele_str(t->low);
        search->high = stele_str(t->high);
    } else if (args->search_prefix != NULL) {
        search->prefix = stele_str(split(args->search_prefix, "FIELD=TEXT", &t->bound_field, err));
        code = stele_is_nil(search->prefix) ? sti_cli_wrap(err, err->code, "option --prefix")
                                            : code;
    }
    search->bound_field = t->bound_field;
    return code;
}

static stele_code take_terms(
        const struct sti_run *run, struct terms *t, stele_docs_search *search, stele_error *err)
{
    const struct sti_docs_args *args = run->args;
    stele_code code = take_fields(run, t, err);

    stele_docs_search_init(search);
    search->type = run->operands->items[TYPE_AT];
    search->match = stele_str(t->match_text);
    search->key = args->key;
    search->backward = args->reverse;
    search->limit = args->count.given ? (uint64_t)args->count.value : 0;
    if (code == STELE_OK) {
        code = take_bound(args, t, search, err);
    }
    if (code == STELE_OK) {
        code = sti_docs_parse_place(args->after, "--after", &t->after, err);
        search->after = t->after.bytes;
    }
    return code;
}

/* ---- Results. ---- */

static void print_found(
        const struct sti_run *run, const stele_docs_iter *it, stele_bytes id, stele_bytes doc)
{
    const struct sti_docs_args *args = run->args;
    struct sti_json j;

    if (!args->token) {
        sti_docs_print(run->json, id, doc);
    } else if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_bytes(&j, "id", id);
        sti_json_document(&j, "doc", doc);
        sti_json_name(&j, "token");
        (void)putchar('"');
        sti_print_base64(stdout, stele_docs_iter_token(it));
        (void)putchar('"');
        sti_json_end(&j);
    } else {
        sti_print_word(id);
        (void)putchar('\t');
        sti_print_document(doc);
        (void)putchar('\t');
        sti_print_base64(stdout, stele_docs_iter_token(it));
        (void)putchar('\n');
    }
}

static stele_code search(const struct sti_run *run, stele_docs *db, const stele_docs_search *wanted,
        stele_error *err)
{
    stele_docs_iter *it = NULL;
    stele_bytes id = stele_nil();
    stele_bytes doc = stele_nil();
    stele_code code = stele_docs_search_begin(&it, db, wanted, err);

    while (code == STELE_OK) {
        code = stele_docs_iter_next(it, &id, &doc, err);
        if (code == STELE_OK) {
            print_found(run, it, id, doc);
            code = sti_docs_printed(err);
        }
    }
    stele_docs_iter_end(it);
    return code == STELE_END ? STELE_OK : code;
}

stele_code sti_docs_search_verb(const struct sti_run *run, stele_error *err)
{
    struct terms t = {.match = NULL};
    stele_docs_search wanted;
    stele_docs *db = NULL;
    stele_code code = take_terms(run, &t, &wanted, err);

    if (code == STELE_OK) {
        code = sti_docs_open_reader(run, &db, err);
    }
    if (code == STELE_OK) {
        code = sti_docs_done(db, search(run, db, &wanted, err), err);
    }
    free_terms(&t);
    return code;
}
