/* SPDX-License-Identifier: MIT
 *
 * type.c: the limits of a definition, copies of it, and its hash.
 */
#include "docs/type.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/sha256.h"
#include "docs/type_names.h"
#include "json/json.h"

_Static_assert((int)STI_DOCS_TYPE_HASH_SIZE == (int)STI_SHA256_SIZE, "the hash is a SHA-256");

enum {
    SHOWN_MAX = 80, /* bytes of a name that a message shows */
    ESCAPE_MAX = 6  /* bytes that one becomes as JSON */
};

static const char *const order_names[] = {
        [STI_DOCS_ORDER_BINARY] = "binary",
        [STI_DOCS_ORDER_UTF8] = "utf8",
        [STI_DOCS_ORDER_NUMBER] = "number",
        [STI_DOCS_ORDER_TIME] = "time",
};

static const struct {
    const char *name;
    enum sti_docs_order order;
} method_table[] = {
        [STI_DOCS_METHOD_DEFAULT] = {"", STI_DOCS_ORDER_BINARY},
        [STI_DOCS_METHOD_BINARY] = {"binary", STI_DOCS_ORDER_BINARY},
        [STI_DOCS_METHOD_INT] = {"int", STI_DOCS_ORDER_BINARY},
        [STI_DOCS_METHOD_UTF8] = {"utf8", STI_DOCS_ORDER_UTF8},
        [STI_DOCS_METHOD_NUMBER] = {"number", STI_DOCS_ORDER_NUMBER},
        [STI_DOCS_METHOD_TIME] = {"time", STI_DOCS_ORDER_TIME},
};

enum {
    ORDER_COUNT = sizeof order_names / sizeof order_names[0],
    METHOD_COUNT = sizeof method_table / sizeof method_table[0]
};

enum sti_docs_order sti_docs_method_order(enum sti_docs_method method)
{
    sti_assert((size_t)method < METHOD_COUNT);
    return method_table[method].order;
}

const char *sti_docs_order_name(enum sti_docs_order order)
{
    sti_assert((size_t)order < ORDER_COUNT);
    return order_names[order];
}

const char *sti_docs_method_name(enum sti_docs_method method)
{
    sti_assert((size_t)method < METHOD_COUNT);
    return method_table[method].name;
}

bool sti_docs_order_find(const char *name, enum sti_docs_order *out)
{
    for (size_t i = 0; i < ORDER_COUNT; i++) {
        if (strcmp(order_names[i], name) == 0) {
            *out = (enum sti_docs_order)i;
            return true;
        }
    }
    return false;
}

bool sti_docs_method_find(const char *name, enum sti_docs_method *out)
{
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if (strcmp(method_table[i].name, name) == 0) {
            *out = (enum sti_docs_method)i;
            return true;
        }
    }
    return false;
}

/* Length and UTF-8. */
static stele_code check_text(const char *what, const char *text, size_t max, stele_error *err)
{
    size_t len = text == NULL ? 0 : strlen(text);
    stele_buf scratch;
    stele_code rc;

    if (len == 0) {
        return sti_fail(err, STELE_EINVAL, "%s has no bytes", what);
    }
    if (len > max) {
        return sti_fail(err, STELE_EINVAL, "%s has more than %zu bytes", what, max);
    }
    stele_buf_init(&scratch, ESCAPE_MAX * max + 2);
    rc = sti_json_string_encode(stele_bytes_of(text, len), &scratch, err);
    stele_buf_free(&scratch);
    return rc == STELE_OK ? rc : sti_wrap(err, rc, "%s", what);
}

static stele_code check_fields(const struct sti_docs_key *key, stele_error *err)
{
    if (key->field_count == 0 || key->fields == NULL) {
        return sti_fail(err, STELE_EINVAL, "it has no fields");
    }
    if (key->field_count > STI_DOCS_FIELD_MAX) {
        return sti_fail(err, STELE_EINVAL, "it has %zu fields, of at most %d", key->field_count,
                STI_DOCS_FIELD_MAX);
    }
    for (size_t i = 0; i < key->field_count; i++) {
        const struct sti_docs_field *field = &key->fields[i];
        stele_code rc = check_text("a field", field->path, STI_DOCS_PATH_MAX, err);

        if (rc != STELE_OK) {
            return rc;
        }
        if ((size_t)field->order >= ORDER_COUNT) {
            return sti_fail(err, STELE_EINVAL, "the order of field %zu is not known", i);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(key->fields[j].path, field->path) == 0) {
                return sti_fail(err, STELE_EINVAL, "the field \"%.*s\" is there twice", SHOWN_MAX,
                        field->path);
            }
        }
    }
    return STELE_OK;
}

static stele_code check_key(const struct sti_docs_type *type, size_t number, stele_error *err)
{
    const struct sti_docs_key *key = &type->keys[number];
    stele_code rc = check_text("the name", key->name, STI_DOCS_NAME_MAX, err);

    if (rc != STELE_OK) {
        return sti_wrap(err, rc, "key %zu", number + 1);
    }
    for (size_t i = 0; i < number && rc == STELE_OK; i++) {
        if (strcmp(type->keys[i].name, key->name) == 0) {
            rc = sti_fail(err, STELE_EINVAL, "another key has this name");
        }
    }
    if (rc == STELE_OK && (size_t)key->method >= METHOD_COUNT) {
        rc = sti_fail(err, STELE_EINVAL, "its method is not known");
    }
    if (rc == STELE_OK) {
        rc = check_fields(key, err);
    }
    return rc == STELE_OK ? rc : sti_wrap(err, rc, "key \"%.*s\"", SHOWN_MAX, key->name);
}

static stele_code check_keys(const struct sti_docs_type *type, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (type->key_count > STI_DOCS_KEY_MAX) {
        return sti_fail(
                err, STELE_EINVAL, "%zu keys, of at most %d", type->key_count, STI_DOCS_KEY_MAX);
    }
    if (type->key_count > 0 && type->keys == NULL) {
        return sti_fail(err, STELE_EINVAL, "there are no keys");
    }
    for (size_t i = 0; i < type->key_count && rc == STELE_OK; i++) {
        rc = check_key(type, i, err);
    }
    if (rc == STELE_OK && type->expiry != NULL) {
        rc = check_text("the field of the expiry", type->expiry, STI_DOCS_PATH_MAX, err);
    }
    return rc;
}

stele_code sti_docs_type_check(const struct sti_docs_type *type, stele_error *err)
{
    stele_code rc = check_text("the name of a type", type->name, STI_DOCS_NAME_MAX, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = check_keys(type, err);
    return rc == STELE_OK ? rc : sti_wrap(err, rc, "type \"%.*s\"", SHOWN_MAX, type->name);
}

struct sti_docs_type_owned *sti_docs_type_owned_new(void)
{
    return sti_calloc(1, sizeof(struct sti_docs_type_owned));
}

void sti_docs_type_free(struct sti_docs_type *type)
{
    struct sti_docs_type_owned *owned = (struct sti_docs_type_owned *)type;

    if (owned != NULL) {
        sti_arena_free(&owned->arena);
        sti_free(owned);
    }
}

/* Each of these gives NULL when there is no memory. */
static const char *copy_text(struct sti_arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = sti_arena_alloc(arena, size, 1);

    return copy == NULL ? NULL : memcpy(copy, text, size);
}

static const struct sti_docs_field *copy_fields(
        struct sti_arena *arena, const struct sti_docs_key *key)
{
    struct sti_docs_field *fields = sti_arena_alloc(
            arena, key->field_count * sizeof *fields, _Alignof(struct sti_docs_field));

    for (size_t i = 0; i < key->field_count && fields != NULL; i++) {
        fields[i] = key->fields[i];
        fields[i].path = copy_text(arena, key->fields[i].path);
        fields = fields[i].path == NULL ? NULL : fields;
    }
    return fields;
}

static const struct sti_docs_key *copy_keys(
        struct sti_arena *arena, const struct sti_docs_type *type)
{
    struct sti_docs_key *keys =
            sti_arena_alloc(arena, type->key_count * sizeof *keys, _Alignof(struct sti_docs_key));

    for (size_t i = 0; i < type->key_count && keys != NULL; i++) {
        keys[i] = type->keys[i];
        keys[i].name = copy_text(arena, type->keys[i].name);
        keys[i].fields = copy_fields(arena, &type->keys[i]);
        keys = keys[i].name == NULL || keys[i].fields == NULL ? NULL : keys;
    }
    return keys;
}

stele_code sti_docs_type_copy(
        struct sti_docs_type **out, const struct sti_docs_type *type, stele_error *err)
{
    struct sti_docs_type_owned *owned;
    stele_code rc = sti_docs_type_check(type, err);

    if (rc != STELE_OK) {
        return rc;
    }
    owned = sti_docs_type_owned_new();
    if (owned == NULL) {
        return sti_fail_memory(err, sizeof *owned);
    }
    owned->type = *type;
    owned->type.name = copy_text(&owned->arena, type->name);
    owned->type.keys = copy_keys(&owned->arena, type);
    if (type->expiry != NULL) {
        owned->type.expiry = copy_text(&owned->arena, type->expiry);
    }
    if (owned->type.name == NULL || owned->type.keys == NULL ||
            (owned->type.expiry == NULL) != (type->expiry == NULL)) {
        sti_docs_type_free(&owned->type);
        return sti_fail_memory(err, sizeof *owned);
    }
    *out = &owned->type;
    return STELE_OK;
}

stele_code sti_docs_type_hash(
        const struct sti_docs_type *type, uint8_t out[STI_DOCS_TYPE_HASH_SIZE], stele_error *err)
{
    stele_bytes pieces[2];
    stele_buf json;
    stele_code rc;

    stele_buf_init(&json, STI_DOCS_TYPE_SIZE_MAX);
    rc = sti_docs_type_write(type, &json, err);
    if (rc == STELE_OK) {
        pieces[0] = stele_buf_view(&json);
        pieces[1] = stele_str("\n");
        rc = sti_sha256(pieces, 2, out, err);
    }
    stele_buf_free(&json);
    return rc;
}
