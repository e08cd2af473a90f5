/* SPDX-License-Identifier: MIT
 *
 * types.c: definitions of types, registered and loaded.
 */
#include "base/error.h"
#include "base/mutant.h"
#include "docs/state.h"

stele_code sti_docs_define(
        struct sti_docs_write *w, struct sti_docs_type *type, stele_bytes json, stele_error *err)
{
    stele_bytes name = stele_str(type->name);
    uint32_t old_number = 0;
    uint32_t number = 0;
    stele_code rc = sti_docs_type_number(w->view, name, &old_number, err);

    if (rc == STELE_OK) {
        rc = sti_docs_type_new_number(w, name, &number, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_put(w, STI_DOCS_TYP, name, json, err);
    }
    if (rc != STELE_OK) {
        sti_docs_type_free(type);
        return rc;
    }
    rc = sti_docs_kind_add(w->db, number, type, err);
    return rc == STELE_OK && old_number != 0 && !STI_MUTANT(DOCS_REGISTER_NOT_INDEXED)
                   ? sti_docs_reindex(w, old_number, err)
                   : rc;
}

static stele_code register_type(
        stele_docs *db, struct sti_docs_type *type, stele_bytes json, stele_error *err)
{
    struct sti_docs_write w = {.db = db};
    stele_bytes old = stele_nil();
    bool found = false;
    stele_code rc = sti_docs_write_begin(&w, db, err);

    if (rc != STELE_OK) {
        sti_docs_type_free(type);
        return rc;
    }
    rc = sti_docs_read(w.view, STI_DOCS_TYP, stele_str(type->name), &old, &found, err);
    if (rc != STELE_OK || (found && stele_bytes_equal(old, json))) {
        sti_docs_type_free(type);
        return sti_docs_write_end(&w, rc, err);
    }
    rc = sti_docs_define(&w, type, json, err);
    return sti_docs_write_end(&w, rc, err);
}

stele_code stele_docs_register(stele_docs *db, stele_bytes definition, stele_error *err)
{
    struct sti_docs_type *type = NULL;
    stele_buf json;
    stele_code rc;

    if (db == NULL || definition.data == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database, or no definition");
    }
    rc = sti_docs_type_parse(&type, definition, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (type->expiry != NULL) {
        rc = sti_fail(err, STELE_ENOTSUP, "type %s: documents do not expire here", type->name);
        sti_docs_type_free(type);
        return rc;
    }
    stele_buf_init(&json, SIZE_MAX);
    rc = sti_docs_type_write(type, &json, err);
    if (rc == STELE_OK) {
        rc = register_type(db, type, stele_buf_view(&json), err);
    } else {
        sti_docs_type_free(type);
    }
    stele_buf_free(&json);
    return rc;
}

stele_code stele_docs_type(stele_docs *db, const char *name, stele_buf *out, stele_error *err)
{
    stele_store_read *read = NULL;
    stele_bytes json = stele_nil();
    bool found = false;
    stele_code rc;

    if (db == NULL || name == NULL || out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database, name or buffer");
    }
    rc = stele_store_read_begin(&read, db->store, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (name[0] != 0 && strlen(name) <= STI_DOCS_NAME_MAX) {
        rc = sti_docs_read(read, STI_DOCS_TYP, stele_str(name), &json, &found, err);
    }
    if (rc == STELE_OK) {
        rc = found ? stele_buf_append(out, json, err)
                   : sti_fail(err, STELE_ETYPE, "type %.64s is not registered", name);
    }
    stele_store_read_end(read);
    return rc;
}

/* ---- At open. ---- */

static bool is_loose(const struct sti_docs_type *type)
{
    for (size_t i = 0; i < type->key_count; i++) {
        for (size_t f = 0; f < type->keys[i].field_count; f++) {
            if (type->keys[i].fields[f].order == STI_DOCS_ORDER_UTF8) {
                return true;
            }
        }
    }
    return false;
}

/* One stored definition; `anew`: its loose keys are of another collation. */
static stele_code load(
        struct sti_docs_write *w, stele_bytes name, stele_bytes json, bool anew, stele_error *err)
{
    struct sti_docs_type *type = NULL;
    uint32_t number = 0;
    stele_code rc = sti_docs_type_number(w->view, name, &number, err);

    if (rc == STELE_OK && number == 0) {
        rc = sti_fail(err, STELE_ECORRUPT, "a type has no number");
    }
    if (rc == STELE_OK) {
        rc = sti_docs_type_read(&type, json, err);
    }
    if (rc != STELE_OK) {
        return sti_wrap(err, rc, "definition of a type");
    }
    if (anew && is_loose(type)) {
        return sti_docs_define(w, type, json, err);
    }
    return sti_docs_kind_add(w->db, number, type, err);
}

/* Whether indexes are of another collation than ours, which is stored from now on. */
static stele_code note_collator(struct sti_docs_write *w, bool *anew, stele_error *err)
{
    uint8_t now[1 + STI_DOCS_COLLATOR_VERSION_SIZE] = {STI_DOCS_FORM};
    stele_bytes key = stele_str("collator");
    stele_bytes was = stele_nil();
    bool found = false;
    stele_code rc = sti_docs_read(w->view, STI_DOCS_MET, key, &was, &found, err);

    if (rc != STELE_OK) {
        return rc;
    }
    sti_docs_collator_version(w->db->collator, now + 1);
    *anew = !found || !stele_bytes_equal(was, stele_bytes_of(now, sizeof now));
    return *anew ? sti_docs_put(w, STI_DOCS_MET, key, stele_bytes_of(now, sizeof now), err)
                 : STELE_OK;
}

stele_code sti_docs_types_load(struct sti_docs_write *w, stele_error *err)
{
    stele_store_cursor *cursor = NULL;
    bool anew = false;
    stele_code rc = note_collator(w, &anew, err);

    if (rc == STELE_OK) {
        rc = stele_store_cursor_open(&cursor, w->view, sti_docs_bucket_name(STI_DOCS_TYP), err);
    }
    if (rc == STELE_OK) {
        rc = stele_store_cursor_first(cursor, err);
    }
    while (rc == STELE_OK) {
        stele_bytes name = stele_nil();
        stele_bytes json = stele_nil();

        rc = stele_store_cursor_pair(cursor, &name, &json, err);
        if (rc == STELE_OK) {
            rc = load(w, name, json, anew, err);
        }
        if (rc == STELE_OK) {
            rc = stele_store_cursor_next(cursor, err);
        }
    }
    stele_store_cursor_close(cursor);
    return rc == STELE_END ? STELE_OK : rc;
}
