/* SPDX-License-Identifier: MIT
 *
 * option.c: taking options out of the command line.
 */
#include "cli/option.h"

#include "cli/report.h"

#include <stdlib.h>
#include <string.h>

/* One option as it was met: its entry, and its value if it came with one. */
struct met {
    const struct sti_option *option;
    const char *value;
    int used; /* arguments behind this one that were taken as its value */
};

static bool accepted(const struct sti_options *options, size_t i)
{
    return (options->accepted >> i & 1U) != 0;
}

static const struct sti_option *find_name(
        const struct sti_options *options, const char *name, size_t len)
{
    for (size_t i = 0; i < options->count; i++) {
        const struct sti_option *o = &options->table[i];

        if (accepted(options, i) && o->name != NULL && strlen(o->name) == len &&
                memcmp(o->name, name, len) == 0) {
            return o;
        }
    }
    return NULL;
}

static const struct sti_option *find_letter(const struct sti_options *options, char letter)
{
    for (size_t i = 0; i < options->count; i++) {
        if (accepted(options, i) && options->table[i].letter == letter) {
            return &options->table[i];
        }
    }
    return NULL;
}

static stele_code store_number(
        const struct sti_option *o, const char *text, struct sti_number *out, stele_error *err)
{
    int64_t value = 0;
    stele_code code;

    switch (o->kind) {
    case STI_OPT_BYTES:
        code = sti_parse_bytes(text, &value, err);
        break;
    case STI_OPT_DUR:
        code = sti_parse_duration(text, &value, err);
        break;
    case STI_OPT_TIME:
        code = sti_parse_time(text, &value, err);
        break;
    case STI_OPT_NUMBER:
    case STI_OPT_COUNT:
    case STI_OPT_LEVEL:
        code = text == NULL ? STELE_OK : sti_parse_integer(text, &value, err);
        if (code == STELE_OK && text != NULL && value < (o->kind == STI_OPT_NUMBER ? 0 : 1)) {
            code = sti_cli_fail(err, STELE_EINVAL, "'%s' is less than %d", text,
                    o->kind == STI_OPT_NUMBER ? 0 : 1);
        }
        break;
    case STI_OPT_FLAG:
    case STI_OPT_TEXT:
    case STI_OPT_TEXTS:
    case STI_OPT_DATA:
    default:
        code = sti_cli_fail(err, STELE_EINVAL, "'%s' is not a number", text);
        break;
    }
    if (code == STELE_OK) {
        out->given = true;
        out->value = value;
    }
    return code;
}

static stele_code store_text(char *field, const char *text, stele_error *err)
{
    struct sti_texts texts;
    const char **items;

    memcpy(&texts, field, sizeof texts);
    items = realloc(texts.items, (texts.count + 1) * sizeof *items);
    if (items == NULL) {
        return sti_cli_fail(err, STELE_ENOMEM, "no memory for %zu options", texts.count + 1);
    }
    items[texts.count++] = text;
    texts.items = items;
    memcpy(field, &texts, sizeof texts);
    return STELE_OK;
}

/* The fields have the types that option.h gives; the struct comes from the
 * same table as the offset. */
static stele_code store(const struct met *met, void *args, stele_error *err)
{
    const struct sti_option *o = met->option;
    char *field = (char *)args + o->field;
    struct sti_data data = {false, {NULL, 0}, NULL};
    struct sti_number number = {false, 0};
    const bool yes = true;
    stele_code code;

    switch (o->kind) {
    case STI_OPT_FLAG:
        memcpy(field, &yes, sizeof yes);
        return STELE_OK;
    case STI_OPT_TEXT:
        memcpy(field, &met->value, sizeof met->value);
        return STELE_OK;
    case STI_OPT_TEXTS:
        return store_text(field, met->value, err);
    case STI_OPT_DATA:
        code = sti_parse_data(met->value, &data, err);
        if (code == STELE_OK) {
            struct sti_data old;

            memcpy(&old, field, sizeof old);
            free(old.owned);
            memcpy(field, &data, sizeof data);
        }
        return code;
    case STI_OPT_NUMBER:
    case STI_OPT_COUNT:
    case STI_OPT_LEVEL:
    case STI_OPT_BYTES:
    case STI_OPT_DUR:
    case STI_OPT_TIME:
    default:
        code = store_number(o, met->value, &number, err);
        if (code == STELE_OK) {
            memcpy(field, &number, sizeof number);
        }
        return code;
    }
}

static stele_code parse_long(const struct sti_options *options, const char *arg, const char *next,
        struct met *met, stele_error *err)
{
    const char *name = arg + 2;
    const size_t len = strcspn(name, "=");

    met->option = find_name(options, name, len);
    if (met->option == NULL) {
        return sti_cli_fail(
                err, STELE_EINVAL, "unknown option --%.*s", (int)(len < 64 ? len : 64), name);
    }
    if (met->option->kind == STI_OPT_FLAG) {
        if (name[len] == '=') {
            return sti_cli_fail(err, STELE_EINVAL, "option --%s takes no value", met->option->name);
        }
    } else if (name[len] == '=') {
        met->value = name + len + 1;
    } else if (met->option->kind == STI_OPT_LEVEL) {
        met->value = NULL;
    } else if (next != NULL) {
        met->value = next;
        met->used = 1;
    } else {
        return sti_cli_fail(err, STELE_EINVAL, "option --%s needs a value: %s", met->option->name,
                met->option->value_name);
    }
    return STELE_OK;
}

/* One letter of an argument; `rest` is what follows it there. */
static stele_code parse_letter(const struct sti_options *options, char letter, const char *rest,
        const char *next, struct met *met, stele_error *err)
{
    met->option = find_letter(options, letter);
    if (met->option == NULL) {
        return sti_cli_fail(err, STELE_EINVAL, "unknown option -%c", letter);
    }
    if (met->option->kind == STI_OPT_FLAG) {
        return STELE_OK;
    }
    if (rest[0] != '\0') {
        met->value = rest;
    } else if (next != NULL) {
        met->value = next;
        met->used = 1;
    } else {
        return sti_cli_fail(
                err, STELE_EINVAL, "option -%c needs a value: %s", letter, met->option->value_name);
    }
    return STELE_OK;
}

static stele_code store_met(const struct met *met, const char *arg, void *args, stele_error *err)
{
    stele_code code = store(met, args, err);

    if (code != STELE_OK) {
        if (arg[1] == '-') {
            return sti_cli_wrap(err, code, "option --%s", met->option->name);
        }
        return sti_cli_wrap(err, code, "option -%c", met->option->letter);
    }
    return STELE_OK;
}

/* All that one argument with a dash in front holds. */
static stele_code parse_argument(const struct sti_options *options, const char *arg,
        const char *next, void *args, int *used, stele_error *err)
{
    stele_code code = STELE_OK;

    if (arg[1] == '-') {
        struct met met = {NULL, NULL, 0};

        code = parse_long(options, arg, next, &met, err);
        if (code == STELE_OK) {
            code = store_met(&met, arg, args, err);
            *used = met.used;
        }
        return code;
    }
    for (const char *at = arg + 1; *at != '\0' && code == STELE_OK; at++) {
        struct met met = {NULL, NULL, 0};

        code = parse_letter(options, *at, at + 1, next, &met, err);
        if (code == STELE_OK) {
            code = store_met(&met, arg, args, err);
            *used = met.used;
        }
        if (met.value != NULL) {
            break;
        }
    }
    return code;
}

stele_code sti_options_parse(const struct sti_options *options, int argc, char *const *argv,
        void *args, struct sti_operands *rest, stele_error *err)
{
    bool ended = false;

    rest->count = 0;
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        int used = 0;
        stele_code code;

        if (ended || arg[0] != '-' || arg[1] == '\0') {
            rest->items[rest->count++] = arg;
            continue;
        }
        if (strcmp(arg, "--") == 0) {
            ended = true;
            continue;
        }
        code = parse_argument(options, arg, i + 1 < argc ? argv[i + 1] : NULL, args, &used, err);
        if (code != STELE_OK) {
            return code;
        }
        i += used;
    }
    return STELE_OK;
}

void sti_options_free(const struct sti_options *options, void *args)
{
    for (size_t i = 0; i < options->count; i++) {
        const struct sti_option *o = &options->table[i];
        char *field = (char *)args + o->field;
        struct sti_texts texts;
        struct sti_data data;

        if (o->kind == STI_OPT_TEXTS) {
            memcpy(&texts, field, sizeof texts);
            free(texts.items);
            memset(field, 0, sizeof texts);
        } else if (o->kind == STI_OPT_DATA) {
            memcpy(&data, field, sizeof data);
            free(data.owned);
            data.owned = NULL;
            data.bytes = stele_nil();
            memcpy(field, &data, sizeof data);
        }
    }
}
