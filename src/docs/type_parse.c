/* SPDX-License-Identifier: MIT
 *
 * type_parse.c: a definition from JSON.
 *
 * Members may come in any order, and all but the names and fields may be missing. One that is not
 * known is refused: it may be a slip of the pen, such as "uniqe", or mean something to a later
 * version that this one would not do.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "docs/type.h"
#include "docs/type_names.h"

#include <jansson.h>

enum {
    SHOWN_MAX = 80
};

static stele_code no_memory(stele_error *err)
{
    return sti_fail_memory(err, sizeof(struct sti_docs_type_owned));
}

/* The members of an object are some of these. */
static stele_code check_members(
        json_t *object, const char *const *known, size_t count, stele_error *err)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        size_t i = 0;

        while (i < count && strcmp(known[i], name) != 0) {
            i++;
        }
        if (i == count) {
            return sti_fail(err, STELE_EINVAL, "the member \"%.*s\" is not known", SHOWN_MAX, name);
        }
    }
    return STELE_OK;
}

static stele_code parse_text(struct sti_arena *arena, const json_t *value, const char *what,
        const char **out, stele_error *err)
{
    size_t size;
    char *copy;

    if (!json_is_string(value)) {
        return sti_fail(
                err, STELE_EINVAL, "%s is %s", what, value == NULL ? "missing" : "not a string");
    }
    size = json_string_length(value) + 1;
    copy = sti_arena_alloc(arena, size, 1);
    if (copy == NULL) {
        return no_memory(err);
    }
    *out = memcpy(copy, json_string_value(value), size);
    return STELE_OK;
}

static stele_code parse_flag(const json_t *object, const char *name, bool *out, stele_error *err)
{
    const json_t *value = json_object_get(object, name);

    if (value != NULL && !json_is_boolean(value)) {
        return sti_fail(err, STELE_EINVAL, "\"%s\" is neither true nor false", name);
    }
    *out = json_is_true(value);
    return STELE_OK;
}

static stele_code parse_method(const json_t *object, enum sti_docs_method *out, stele_error *err)
{
    const json_t *value = json_object_get(object, "method");

    if (value == NULL) {
        *out = STI_DOCS_METHOD_DEFAULT;
        return STELE_OK;
    }
    if (!json_is_string(value) || !sti_docs_method_find(json_string_value(value), out)) {
        return sti_fail(
                err, STELE_EINVAL, "\"method\" is none of utf8, binary, int, number and time");
    }
    return STELE_OK;
}

static stele_code parse_orders(
        const json_t *object, struct sti_docs_field *fields, size_t count, stele_error *err)
{
    const json_t *list = json_object_get(object, "orders");

    if (list == NULL) {
        return STELE_OK;
    }
    if (!json_is_array(list) || json_array_size(list) != count) {
        return sti_fail(err, STELE_EINVAL, "\"orders\" is not a list of one for each field");
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *name = json_array_get(list, i);

        if (!json_is_string(name) ||
                !sti_docs_order_find(json_string_value(name), &fields[i].order)) {
            return sti_fail(
                    err, STELE_EINVAL, "order %zu is none of binary, utf8, number and time", i + 1);
        }
    }
    return STELE_OK;
}

static stele_code parse_fields(
        struct sti_arena *arena, const json_t *object, struct sti_docs_key *key, stele_error *err)
{
    const json_t *list = json_object_get(object, "fields");
    size_t count = json_array_size(list); /* 0 if it is none */
    struct sti_docs_field *fields;
    stele_code rc = STELE_OK;

    if (count == 0 || count > STI_DOCS_FIELD_MAX) {
        return sti_fail(err, STELE_EINVAL, "\"fields\" is not a list of 1 to %d strings",
                STI_DOCS_FIELD_MAX);
    }
    fields = sti_arena_alloc(arena, count * sizeof *fields, _Alignof(struct sti_docs_field));
    if (fields == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < count && rc == STELE_OK; i++) {
        fields[i].order = sti_docs_method_order(key->method);
        rc = parse_text(arena, json_array_get(list, i), "a field", &fields[i].path, err);
    }
    if (rc == STELE_OK) {
        rc = parse_orders(object, fields, count, err);
    }
    key->fields = fields;
    key->field_count = count;
    return rc;
}

static stele_code parse_key_members(
        struct sti_arena *arena, json_t *object, struct sti_docs_key *key, stele_error *err)
{
    static const char *const known[] = {"name", "fields", "method", "unique", "array", "orders"};
    stele_code rc = check_members(object, known, sizeof known / sizeof known[0], err);

    if (rc == STELE_OK) {
        rc = parse_method(object, &key->method, err);
    }
    if (rc == STELE_OK) {
        rc = parse_flag(object, "unique", &key->unique, err);
    }
    if (rc == STELE_OK) {
        rc = parse_flag(object, "array", &key->array, err);
    }
    return rc == STELE_OK ? parse_fields(arena, object, key, err) : rc;
}

static stele_code parse_key(struct sti_arena *arena, json_t *object, size_t number,
        struct sti_docs_key *key, stele_error *err)
{
    stele_code rc;

    *key = (struct sti_docs_key){.name = NULL};
    if (!json_is_object(object)) {
        return sti_fail(err, STELE_EINVAL, "key %zu is not an object", number + 1);
    }
    rc = parse_text(arena, json_object_get(object, "name"), "\"name\"", &key->name, err);
    if (rc != STELE_OK) {
        return sti_wrap(err, rc, "key %zu", number + 1);
    }
    rc = parse_key_members(arena, object, key, err);
    return rc == STELE_OK ? rc : sti_wrap(err, rc, "key \"%.*s\"", SHOWN_MAX, key->name);
}

static stele_code parse_keys(
        struct sti_docs_type_owned *owned, const json_t *list, stele_error *err)
{
    size_t count = json_array_size(list);
    struct sti_docs_key *keys;
    stele_code rc = STELE_OK;

    if ((list != NULL && !json_is_null(list) && !json_is_array(list)) || count > STI_DOCS_KEY_MAX) {
        return sti_fail(
                err, STELE_EINVAL, "\"keys\" is not a list of at most %d", STI_DOCS_KEY_MAX);
    }
    keys = sti_arena_alloc(&owned->arena, count * sizeof *keys, _Alignof(struct sti_docs_key));
    if (keys == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < count && rc == STELE_OK; i++) {
        rc = parse_key(&owned->arena, json_array_get(list, i), i, &keys[i], err);
    }
    owned->type.keys = keys;
    owned->type.key_count = count;
    return rc;
}

static stele_code parse_members(struct sti_docs_type_owned *owned, json_t *object, stele_error *err)
{
    static const char *const known[] = {"name", "keys", "version", "expiry"};
    const json_t *version = json_object_get(object, "version");
    const json_t *expiry = json_object_get(object, "expiry");
    stele_code rc = check_members(object, known, sizeof known / sizeof known[0], err);

    if (rc == STELE_OK && version != NULL && !json_is_integer(version)) {
        rc = sti_fail(err, STELE_EINVAL, "\"version\" is not an integer of 64 bits");
    }
    owned->type.version = (int64_t)json_integer_value(version);
    if (rc == STELE_OK && expiry != NULL) {
        rc = parse_text(&owned->arena, expiry, "\"expiry\"", &owned->type.expiry, err);
    }
    return rc == STELE_OK ? parse_keys(owned, json_object_get(object, "keys"), err) : rc;
}

static stele_code parse_root(struct sti_docs_type_owned *owned, json_t *object, stele_error *err)
{
    stele_code rc;

    if (!json_is_object(object)) {
        return sti_fail(err, STELE_EINVAL, "the definition of a type is not an object");
    }
    rc = parse_text(&owned->arena, json_object_get(object, "name"), "the name of a type",
            &owned->type.name, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = parse_members(owned, object, err);
    if (rc != STELE_OK) {
        return sti_wrap(err, rc, "type \"%.*s\"", SHOWN_MAX, owned->type.name);
    }
    return sti_docs_type_check(&owned->type, err);
}

static stele_code load(json_t **out, stele_bytes text, stele_error *err)
{
    json_error_t why = {.text = ""};
    json_t *root;
    void *probe;

    if (text.len > STI_DOCS_TYPE_SIZE_MAX) {
        return sti_fail(err, STELE_EINVAL, "the definition of a type has %zu bytes, of at most %d",
                text.len, STI_DOCS_TYPE_SIZE_MAX);
    }
    /* jansson (2.14) passes over a zero byte behind a number or a word. */
    if (text.len == 0 || memchr(text.data, 0, text.len) != NULL) {
        return sti_fail(err, STELE_EINVAL, "the definition of a type is not JSON: %s",
                text.len == 0 ? "it has no bytes" : "it has a zero byte");
    }
    /* Nor does it see that there is no memory for a token: json/json.c has the whole story. */
    probe = sti_realloc(NULL, 4, text.len + 16);
    if (probe == NULL) {
        return no_memory(err);
    }
    sti_free(probe);
    root = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &why);
    if (root == NULL) {
        if (json_error_code(&why) == json_error_out_of_memory) {
            return no_memory(err);
        }
        return sti_fail(err, STELE_EINVAL, "the definition of a type is not JSON: after %d bytes",
                why.position);
    }
    *out = root;
    return STELE_OK;
}

stele_code sti_docs_type_parse(struct sti_docs_type **out, stele_bytes json, stele_error *err)
{
    struct sti_docs_type_owned *owned;
    json_t *root = NULL;
    stele_code rc = load(&root, json, err);

    if (rc != STELE_OK) {
        return rc;
    }
    owned = sti_docs_type_owned_new();
    rc = owned == NULL ? no_memory(err) : parse_root(owned, root, err);
    json_decref(root);
    if (rc != STELE_OK) {
        sti_docs_type_free(owned == NULL ? NULL : &owned->type);
        return rc;
    }
    *out = &owned->type;
    return STELE_OK;
}

stele_code sti_docs_type_read(struct sti_docs_type **out, stele_bytes json, stele_error *err)
{
    stele_code rc = sti_docs_type_parse(out, json, err);

    if (rc == STELE_EINVAL) {
        /* Nobody who calls has given it. */
        rc = STELE_ECORRUPT;
        if (err != NULL) {
            err->code = rc;
        }
    }
    return rc;
}
