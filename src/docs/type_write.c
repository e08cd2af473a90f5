/* SPDX-License-Identifier: MIT
 *
 * type_write.c: a definition as JSON, byte for byte as the reference writes its own.
 */
#include "docs/type.h"
#include "docs/type_names.h"
#include "json/json.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    NUMBER_SIZE = 24
};

/* The first failure stays, and nothing is written behind it. */
struct writer {
    stele_buf *out;
    stele_error *err;
    stele_code rc;
};

static void raw(struct writer *w, const char *text)
{
    if (w->rc == STELE_OK) {
        w->rc = stele_buf_append(w->out, stele_str(text), w->err);
    }
}

static void string(struct writer *w, const char *text)
{
    if (w->rc == STELE_OK) {
        w->rc = sti_json_string_encode(stele_str(text), w->out, w->err);
    }
}

static bool orders_are_written(const struct sti_docs_key *key)
{
    for (size_t i = 0; i < key->field_count; i++) {
        if (key->fields[i].order != sti_docs_method_order(key->method)) {
            return true;
        }
    }
    return false;
}

static void write_key(struct writer *w, const struct sti_docs_key *key)
{
    raw(w, "{\"name\":");
    string(w, key->name);
    raw(w, ",\"fields\":[");
    for (size_t i = 0; i < key->field_count; i++) {
        raw(w, i == 0 ? "" : ",");
        string(w, key->fields[i].path);
    }
    raw(w, "],\"method\":");
    string(w, sti_docs_method_name(key->method));
    raw(w, key->unique ? ",\"unique\":true" : "");
    raw(w, key->array ? ",\"array\":true" : "");
    if (orders_are_written(key)) {
        raw(w, ",\"orders\":[");
        for (size_t i = 0; i < key->field_count; i++) {
            raw(w, i == 0 ? "" : ",");
            string(w, sti_docs_order_name(key->fields[i].order));
        }
        raw(w, "]");
    }
    raw(w, "}");
}

stele_code sti_docs_type_write(const struct sti_docs_type *type, stele_buf *out, stele_error *err)
{
    struct writer w = {.out = out, .err = err};
    char number[NUMBER_SIZE];
    size_t len = out->len;

    w.rc = sti_docs_type_check(type, err);
    (void)snprintf(number, sizeof number, "%" PRId64, type->version);
    raw(&w, "{\"name\":");
    string(&w, type->name);
    raw(&w, ",\"keys\":");
    raw(&w, type->key_count == 0 ? "null" : "[");
    for (size_t i = 0; i < type->key_count && w.rc == STELE_OK; i++) {
        raw(&w, i == 0 ? "" : ",");
        write_key(&w, &type->keys[i]);
    }
    raw(&w, type->key_count == 0 ? "" : "]");
    raw(&w, ",\"version\":");
    raw(&w, number);
    if (type->expiry != NULL) {
        raw(&w, ",\"expiry\":");
        string(&w, type->expiry);
    }
    raw(&w, "}");
    if (w.rc != STELE_OK) {
        out->len = len;
    }
    return w.rc;
}
