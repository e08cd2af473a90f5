/* SPDX-License-Identifier: MIT
 *
 * fill.c: a document's values into a struct of the caller's.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "docs/path.h"
#include "docs/state.h"

/* One value that was found; what can fail is done before anything is written. */
struct found {
    const json_t *value; /* NULL: it is missing, and may be */
    stele_buf text;
};

static stele_code fail_kind(const stele_docs_field *field, const char *wanted, stele_error *err)
{
    return sti_fail(err, STELE_EINVAL, "the value at \"%.128s\" is no %s", field->pointer, wanted);
}

static stele_code take_text(struct found *found, const stele_docs_field *field, stele_error *err)
{
    stele_buf_init(&found->text, SIZE_MAX);
    if (field->kind == STELE_DOCS_FIELD_JSON) {
        return sti_docs_value_print(found->value, &found->text, err);
    }
    return stele_buf_append(&found->text,
            stele_bytes_of(json_string_value(found->value), json_string_length(found->value)), err);
}

/* Whether the value is of the kind that is wanted; texts are copied. */
static stele_code take(struct found *found, const stele_docs_field *field, stele_error *err)
{
    switch (field->kind) {
    case STELE_DOCS_FIELD_BOOL:
        return json_is_boolean(found->value) ? STELE_OK : fail_kind(field, "boolean", err);
    case STELE_DOCS_FIELD_INT64:
        return json_is_integer(found->value) ? STELE_OK : fail_kind(field, "integer", err);
    case STELE_DOCS_FIELD_DOUBLE:
        return json_is_number(found->value) ? STELE_OK : fail_kind(field, "number", err);
    case STELE_DOCS_FIELD_STRING:
        return json_is_string(found->value) ? take_text(found, field, err)
                                            : fail_kind(field, "string", err);
    case STELE_DOCS_FIELD_JSON:
        return take_text(found, field, err);
    default:
        return sti_fail(err, STELE_EINVAL, "a field of no kind that is known");
    }
}

static stele_code find(struct found *found, const json_t *document, const stele_docs_field *field,
        stele_error *err)
{
    stele_code rc;

    if (field->pointer == NULL) {
        return sti_fail(err, STELE_EINVAL, "a field without a pointer");
    }
    rc = sti_docs_pointer_find(document, stele_str(field->pointer), &found->value, err);
    if (rc == STELE_ENOTFOUND && field->optional) {
        return STELE_OK;
    }
    return rc == STELE_OK ? take(found, field, err) : rc;
}

static void move_text(stele_buf *text, void *out)
{
    stele_buf *there = out;
    stele_buf old = *there;

    *there = *text;
    there->limit = old.limit;
    *text = old;
}

/* Into its place; nothing can fail any more. */
static void put(struct found *found, const stele_docs_field *field, void *out)
{
    uint8_t *at = (uint8_t *)out + field->offset;
    bool truth = json_is_true(found->value);
    int64_t integer = json_integer_value(found->value);
    double real = json_number_value(found->value);

    switch (field->kind) {
    case STELE_DOCS_FIELD_BOOL:
        memcpy(at, &truth, sizeof truth);
        break;
    case STELE_DOCS_FIELD_INT64:
        memcpy(at, &integer, sizeof integer);
        break;
    case STELE_DOCS_FIELD_DOUBLE:
        memcpy(at, &real, sizeof real);
        break;
    case STELE_DOCS_FIELD_STRING:
    case STELE_DOCS_FIELD_JSON:
    default:
        move_text(&found->text, at);
    }
}

static stele_code fill(const json_t *document, const stele_docs_field *fields, size_t count,
        void *out, stele_error *err)
{
    struct found *found = sti_calloc(count, sizeof *found);
    stele_code rc = STELE_OK;

    if (found == NULL) {
        return sti_fail_memory(err, count * sizeof *found);
    }
    for (size_t i = 0; i < count && rc == STELE_OK; i++) {
        rc = find(&found[i], document, &fields[i], err);
    }
    for (size_t i = 0; i < count; i++) {
        if (rc == STELE_OK && found[i].value != NULL) {
            put(&found[i], &fields[i], out);
        }
        stele_buf_free(&found[i].text);
    }
    sti_free(found);
    return rc;
}

stele_code stele_docs_fill(
        stele_bytes json, const stele_docs_field *fields, size_t count, void *out, stele_error *err)
{
    json_t *document = NULL;
    stele_code rc;

    if (json.data == NULL || (count > 0 && (fields == NULL || out == NULL))) {
        return sti_fail(err, STELE_EINVAL, "no document or fields, or nowhere to put them");
    }
    rc = sti_docs_value_of_peer(json, &document, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = document == NULL ? sti_fail(err, STELE_EINVAL, "the document is not JSON")
                          : fill(document, fields, count, out, err);
    json_decref(document);
    return rc;
}

stele_code stele_docs_get_into(stele_docs *db, stele_bytes id, const stele_docs_field *fields,
        size_t count, void *out, stele_error *err)
{
    stele_buf json;
    stele_code rc;

    stele_buf_init(&json, SIZE_MAX);
    rc = stele_docs_get(db, id, &json, err);
    if (rc == STELE_OK) {
        rc = stele_docs_fill(stele_buf_view(&json), fields, count, out, err);
    }
    stele_buf_free(&json);
    return rc;
}
