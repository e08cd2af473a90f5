/* SPDX-License-Identifier: MIT
 *
 * print.c: a JSON value as text.
 */
#include "base/error.h"
#include "docs/value.h"
#include "docs/walk.h"

enum {
    NUMBER_SIZE = 40
};

static stele_code put(const char *text, stele_buf *out, stele_error *err)
{
    return stele_buf_append(out, stele_str(text), err);
}

/* Fewer digits are tried first. jansson writes and reads them, whatever the locale is. */
static stele_code put_real(const json_t *value, stele_buf *out, stele_error *err)
{
    char text[NUMBER_SIZE];
    size_t len = 0;

    for (size_t digits = 15; digits <= 17; digits++) {
        json_t *again;
        bool same;

        len = json_dumpb(value, text, sizeof text, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
        again = len == 0 || len > sizeof text ? NULL : json_loadb(text, len, JSON_DECODE_ANY, NULL);
        if (again == NULL) {
            return sti_fail(err, STELE_ENOMEM, "JSON: a number could not be written");
        }
        same = !(json_real_value(again) < json_real_value(value)) &&
               !(json_real_value(again) > json_real_value(value));
        json_decref(again);
        if (same) {
            break;
        }
    }
    return stele_buf_append(out, stele_bytes_of(text, len), err);
}

static stele_code put_integer(const json_t *value, stele_buf *out, stele_error *err)
{
    char text[NUMBER_SIZE];
    size_t len = json_dumpb(value, text, sizeof text, JSON_ENCODE_ANY);

    if (len == 0 || len > sizeof text) {
        return sti_fail(err, STELE_ENOMEM, "JSON: a number could not be written");
    }
    return stele_buf_append(out, stele_bytes_of(text, len), err);
}

static stele_code put_scalar(const json_t *value, stele_buf *out, stele_error *err)
{
    switch (json_typeof(value)) {
    case JSON_NULL:
        return put("null", out, err);
    case JSON_FALSE:
        return put("false", out, err);
    case JSON_TRUE:
        return put("true", out, err);
    case JSON_INTEGER:
        return put_integer(value, out, err);
    case JSON_REAL:
        return put_real(value, out, err);
    default:
        return sti_json_string_encode(
                stele_bytes_of(json_string_value(value), json_string_length(value)), out, err);
    }
}

/* A value, or the beginning of one that has others in it. */
static stele_code put_value(
        struct sti_docs_walk *walk, const json_t *value, stele_buf *out, stele_error *err)
{
    stele_code rc;

    if (!json_is_array(value) && !json_is_object(value)) {
        return put_scalar(value, out, err);
    }
    rc = put(json_is_array(value) ? "[" : "{", out, err);
    return rc == STELE_OK ? sti_docs_walk_enter(walk, value, err) : rc;
}

/* One value of the innermost level, or its end. */
static stele_code step(struct sti_docs_walk *walk, stele_buf *out, stele_error *err)
{
    const struct sti_docs_level *level = &walk->levels[walk->count - 1];
    bool in_array = json_is_array(level->value);
    bool first = level->next == 0;
    const char *name;
    const json_t *value = sti_docs_walk_next(walk, &name);
    stele_code rc = STELE_OK;

    if (value == NULL) {
        return put(in_array ? "]" : "}", out, err);
    }
    if (!first) {
        rc = put(",", out, err);
    }
    if (rc == STELE_OK && name != NULL) {
        rc = sti_json_string_encode(stele_str(name), out, err);
        if (rc == STELE_OK) {
            rc = put(":", out, err);
        }
    }
    return rc == STELE_OK ? put_value(walk, value, out, err) : rc;
}

stele_code sti_docs_value_print(const json_t *value, stele_buf *out, stele_error *err)
{
    struct sti_docs_walk walk = {.sorted = false};
    stele_code rc = put_value(&walk, value, out, err);

    while (rc == STELE_OK && walk.count > 0) {
        rc = step(&walk, out, err);
    }
    sti_docs_walk_free(&walk);
    return rc;
}
