/* SPDX-License-Identifier: MIT
 *
 * json_in.c: JSON objects as input.
 */
#include "cli/json_in.h"

#include "cli/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

stele_code sti_object_parse(stele_bytes line, struct sti_object *out, stele_error *err)
{
    json_error_t why;
    json_t *root = json_loadb((const char *)line.data, line.len,
            JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &why);

    out->root = root;
    if (root == NULL) {
        if (json_error_code(&why) == json_error_out_of_memory) {
            return sti_cli_fail(err, STELE_ENOMEM, "no memory for %zu bytes of JSON", line.len);
        }
        return sti_cli_fail(err, STELE_EINVAL, "not JSON: %s (at byte %d)", why.text, why.position);
    }
    return json_is_object(root) ? STELE_OK : sti_cli_fail(err, STELE_EINVAL, "not a JSON object");
}

void sti_object_free(struct sti_object *o)
{
    json_decref(o->root);
    o->root = NULL;
}

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

stele_code sti_object_only(
        const struct sti_object *o, const char *const *names, size_t count, stele_error *err)
{
    json_t *root = o->root;

    for (void *it = json_object_iter(root); it != NULL; it = json_object_iter_next(root, it)) {
        if (!is_one_of(json_object_iter_key(it), names, count)) {
            return sti_cli_fail(
                    err, STELE_EINVAL, "unknown field \"%.64s\"", json_object_iter_key(it));
        }
    }
    return STELE_OK;
}

/* NULL also for null. */
static const json_t *find(const struct sti_object *o, const char *name)
{
    const json_t *value = json_object_get(o->root, name);

    return json_is_null(value) ? NULL : value;
}

stele_code sti_object_bytes(
        const struct sti_object *o, const char *name, struct sti_data *out, stele_error *err)
{
    char name_b64[64];
    const json_t *text = json_object_get(o->root, name);
    const json_t *base64;
    size_t len = 0;
    stele_code code;

    memset(out, 0, sizeof *out);
    (void)snprintf(name_b64, sizeof name_b64, "%s_b64", name);
    base64 = json_object_get(o->root, name_b64);
    if (text != NULL && base64 != NULL) {
        return sti_cli_fail(err, STELE_EINVAL, "both \"%s\" and \"%s\"", name, name_b64);
    }
    if (json_is_string(text)) {
        out->bytes = stele_bytes_of(json_string_value(text), json_string_length(text));
    } else if (json_is_string(base64)) {
        code = sti_decode_base64(
                json_string_value(base64), json_string_length(base64), &out->owned, &len, err);
        if (code != STELE_OK) {
            return sti_cli_wrap(err, code, "\"%s\"", name_b64);
        }
        out->bytes = stele_bytes_of(out->owned, len);
    } else if (find(o, name) != NULL || find(o, name_b64) != NULL) {
        return sti_cli_fail(
                err, STELE_EINVAL, "\"%s\" is not a string", text == NULL ? name_b64 : name);
    }
    out->given = !stele_is_nil(out->bytes);
    return STELE_OK;
}

stele_code sti_object_word(
        const struct sti_object *o, const char *name, const char **out, stele_error *err)
{
    const json_t *value = find(o, name);

    *out = NULL;
    if (value == NULL) {
        return STELE_OK;
    }
    if (!json_is_string(value)) {
        return sti_cli_fail(err, STELE_EINVAL, "\"%s\" is not a string", name);
    }
    if (strlen(json_string_value(value)) != json_string_length(value)) {
        return sti_cli_fail(err, STELE_EINVAL, "\"%s\" has a NUL", name);
    }
    *out = json_string_value(value);
    return STELE_OK;
}

/* ---- Objects of strings. ---- */

static stele_code take_text(const char *text, size_t len, bool base64, const char *what,
        struct sti_data *out, stele_error *err)
{
    size_t decoded = 0;
    stele_code code;

    out->given = true;
    if (!base64) {
        out->bytes = stele_bytes_of(text, len);
        return STELE_OK;
    }
    code = sti_decode_base64(text, len, &out->owned, &decoded, err);
    if (code != STELE_OK) {
        return sti_cli_wrap(err, code, "\"%s\"", what);
    }
    out->bytes = stele_bytes_of(out->owned, decoded);
    return STELE_OK;
}

static stele_code take_pairs(
        json_t *from, const char *what, bool base64, struct sti_pairs *out, stele_error *err)
{
    const size_t count = json_object_size(from);
    stele_code code = STELE_OK;

    out->given = true;
    out->items = calloc(count + 1, sizeof *out->items);
    if (out->items == NULL) {
        return sti_cli_fail(err, STELE_ENOMEM, "no memory for %zu pairs", count);
    }
    for (void *it = json_object_iter(from); it != NULL && code == STELE_OK;
            it = json_object_iter_next(from, it)) {
        struct sti_pair *pair = &out->items[out->count++];
        const char *name = json_object_iter_key(it); /* jansson takes none with a NUL */
        const json_t *value = json_object_iter_value(it);

        if (!json_is_string(value)) {
            return sti_cli_fail(err, STELE_EINVAL, "\"%s\": \"%.64s\" is not a string", what, name);
        }
        code = take_text(name, strlen(name), base64, what, &pair->name, err);
        if (code == STELE_OK) {
            code = take_text(json_string_value(value), json_string_length(value), base64, what,
                    &pair->value, err);
        }
    }
    return code;
}

stele_code sti_object_pairs(
        const struct sti_object *o, const char *name, struct sti_pairs *out, stele_error *err)
{
    char name_b64[64];
    json_t *text = json_object_get(o->root, name);
    json_t *base64;
    json_t *from;
    const char *what;

    memset(out, 0, sizeof *out);
    (void)snprintf(name_b64, sizeof name_b64, "%s_b64", name);
    base64 = json_object_get(o->root, name_b64);
    if (text != NULL && base64 != NULL) {
        return sti_cli_fail(err, STELE_EINVAL, "both \"%s\" and \"%s\"", name, name_b64);
    }
    from = base64 == NULL ? text : base64;
    what = base64 == NULL ? name : name_b64;
    if (from == NULL || json_is_null(from)) {
        return STELE_OK;
    }
    if (!json_is_object(from)) {
        return sti_cli_fail(err, STELE_EINVAL, "\"%s\" is not an object", what);
    }
    return take_pairs(from, what, base64 != NULL, out, err);
}

void sti_pairs_free(struct sti_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        free(pairs->items[i].name.owned);
        free(pairs->items[i].value.owned);
    }
    free(pairs->items);
    memset(pairs, 0, sizeof *pairs);
}

/* ---- Numbers. ---- */

stele_code sti_object_integer(
        const struct sti_object *o, const char *name, struct sti_number *out, stele_error *err)
{
    const json_t *value = find(o, name);

    memset(out, 0, sizeof *out);
    if (value != NULL && !json_is_integer(value)) {
        return sti_cli_fail(err, STELE_EINVAL, "\"%s\" is not a whole number", name);
    }
    if (value != NULL) {
        out->given = true;
        out->value = json_integer_value(value);
    }
    return STELE_OK;
}

stele_code sti_object_time(
        const struct sti_object *o, const char *name, struct sti_number *out, stele_error *err)
{
    const json_t *value = find(o, name);
    stele_code code = STELE_OK;

    memset(out, 0, sizeof *out);
    if (value == NULL) {
        return STELE_OK;
    }
    if (json_is_integer(value)) {
        out->value = json_integer_value(value);
    } else if (json_is_string(value) &&
               strlen(json_string_value(value)) == json_string_length(value)) {
        code = sti_parse_time(json_string_value(value), &out->value, err);
    } else {
        code = sti_cli_fail(
                err, STELE_EINVAL, "\"%s\" is neither text nor whole microseconds", name);
    }
    out->given = code == STELE_OK;
    return code;
}
