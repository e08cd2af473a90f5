/* SPDX-License-Identifier: MIT
 *
 * types.c: definitions of types, registered and loaded.
 */
#include "base/error.h"
#include "base/mutant.h"
#include "docs/state.h"

/* Whether the index has any key of a number. */
static stele_code is_used(struct sti_docs_write *w, uint32_t number, bool *used, stele_error *err)
{
    stele_buf head;
    stele_buf at;
    stele_buf id;
    stele_code rc;

    stele_buf_init(&head, SIZE_MAX);
    stele_buf_init(&at, SIZE_MAX);
    stele_buf_init(&id, SIZE_MAX);
    rc = sti_docs_index_head(number, 0, &head, err);
    if (rc == STELE_OK) {
        rc = sti_docs_next_document(w, stele_buf_view(&head), &at, &id, err);
        if (rc == STELE_OK || rc == STELE_END) {
            *used = rc == STELE_OK;
            rc = STELE_OK;
        }
    }
    stele_buf_free(&head);
    stele_buf_free(&at);
    stele_buf_free(&id);
    return rc;
}

/* The documents are to follow. All of them have a key of the number that was searched until now. */
static stele_code begin_anew(struct sti_docs_write *w, stele_bytes name,
        const struct sti_docs_type_state *before, struct sti_docs_type_state after, bool *anew,
        stele_error *err)
{
    stele_code rc = STELE_OK;

    *anew = false;
    if (before->phase == STI_DOCS_ALONE) {
        /* A change of the collation within another one: some have the one, some the other. */
        rc = sti_docs_reindex(w, before->old_number, err);
        return rc == STELE_OK ? sti_docs_reindex(w, before->number, err) : rc;
    }
    after.old_number = sti_docs_type_searched(before);
    if (after.old_number != 0) {
        rc = is_used(w, after.old_number, anew, err);
    }
    return rc == STELE_OK && *anew ? sti_docs_type_state_put(w, name, &after, err) : rc;
}

stele_code sti_docs_define(struct sti_docs_write *w, struct sti_docs_type *type, stele_bytes json,
        bool collated, bool *anew, stele_error *err)
{
    struct sti_docs_type_state before = {.number = 0};
    struct sti_docs_type_state after = {.phase = collated ? STI_DOCS_ALONE : STI_DOCS_FILLING};
    stele_bytes name = stele_str(type->name);
    bool found = false;
    stele_code rc = sti_docs_type_state_read(w->view, name, &before, err);

    after.old_json = before.old_json;
    if (rc == STELE_OK && before.phase != STI_DOCS_FILLING) {
        after.old_json = stele_nil();
        rc = sti_docs_read(w->view, STI_DOCS_TYP, name, &after.old_json, &found, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_type_new_number(w, name, before.number, &after.number, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_put(w, STI_DOCS_TYP, name, json, err);
    }
    if (rc != STELE_OK) {
        sti_docs_type_free(type);
        return rc;
    }
    rc = sti_docs_kind_add(w->db, after.number, type, err);
    /* The name is now the kind's. */
    return rc == STELE_OK && !STI_MUTANT(DOCS_REGISTER_NOT_INDEXED)
                   ? begin_anew(w, name, &before, after, anew, err)
                   : rc;
}

static stele_code register_type(
        stele_docs *db, struct sti_docs_type *type, stele_bytes json, stele_error *err)
{
    struct sti_docs_write w = {.db = db};
    stele_bytes old = stele_nil();
    bool found = false;
    bool anew = false;
    stele_code rc = sti_docs_write_begin(&w, db, err);

    if (rc != STELE_OK) {
        sti_docs_type_free(type);
        return rc;
    }
    rc = sti_docs_read(w.view, STI_DOCS_TYP, stele_str(type->name), &old, &found, err);
    if (rc == STELE_OK && found && stele_bytes_equal(old, json)) {
        /* What has failed before is tried again. */
        rc = sti_docs_anew_pending(w.view, NULL, &anew, err);
        sti_docs_type_free(type);
    } else if (rc == STELE_OK) {
        rc = sti_docs_define(&w, type, json, false, &anew, err);
    } else {
        sti_docs_type_free(type);
    }
    rc = sti_docs_write_end(&w, rc, err);
    return rc == STELE_OK && anew ? sti_docs_worker_want(db, err) : rc;
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
    rc = sti_docs_read_begin(&read, db, err);
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

struct listing {
    stele_code (*each)(void *arg, stele_bytes definition, stele_error *err);
    void *arg;
};

static stele_code give_type(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    const struct listing *l = arg;

    (void)key;
    return l->each(l->arg, value, err);
}

stele_code stele_docs_types(stele_docs *db,
        stele_code (*each)(void *arg, stele_bytes definition, stele_error *err), void *arg,
        stele_error *err)
{
    struct listing l = {each, arg};
    stele_store_read *read = NULL;
    stele_code rc;

    if (db == NULL || each == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database, or nobody to tell");
    }
    rc = sti_docs_read_begin(&read, db, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_store_read_for_each(read, sti_docs_bucket_name(STI_DOCS_TYP), give_type, &l, err);
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

/* The definition that a type had before; a reader may have it already. */
static stele_code add_kind(struct sti_docs_write *w, uint32_t number, stele_bytes name,
        stele_bytes json, stele_error *err)
{
    struct sti_docs_type *type = NULL;
    stele_code rc;

    if (sti_docs_kind_find(w->db, number, name) != NULL) {
        return STELE_OK;
    }
    rc = sti_docs_type_parse(&type, json, err);
    return rc == STELE_OK ? sti_docs_kind_add(w->db, number, type, err) : rc;
}

/* One stored definition; `collated`: loose keys are of another collation. */
static stele_code load(struct sti_docs_write *w, stele_bytes name, stele_bytes json, bool collated,
        stele_error *err)
{
    struct sti_docs_type_state state = {.number = 0};
    struct sti_docs_type *type = NULL;
    bool anew = false;
    stele_code rc = sti_docs_type_state_read(w->view, name, &state, err);

    if (rc == STELE_OK && state.number == 0) {
        rc = sti_fail(err, STELE_ECORRUPT, "a type has no number");
    }
    if (rc == STELE_OK && state.phase == STI_DOCS_FILLING && state.old_json.len > 0) {
        rc = add_kind(w, state.old_number, name, state.old_json, err);
    }
    if (rc == STELE_OK && sti_docs_kind_find(w->db, state.number, name) != NULL) {
        return STELE_OK; /* a reader has looked before */
    }
    if (rc == STELE_OK) {
        rc = sti_docs_type_read(&type, json, err);
    }
    if (rc != STELE_OK) {
        return sti_wrap(err, rc, "definition of a type");
    }
    if (collated && is_loose(type)) {
        if (w->batch != NULL) {
            return sti_docs_define(w, type, json, true, &anew, err);
        }
        atomic_store(&w->db->other_collation, true);
    }
    return sti_docs_kind_add(w->db, state.number, type, err);
}

/* Whether indexes are of another collation than ours, which is stored from now on. */
static stele_code note_collator(struct sti_docs_write *w, bool *other, stele_error *err)
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
    *other = !found || !stele_bytes_equal(was, stele_bytes_of(now, sizeof now));
    return *other && w->batch != NULL
                   ? sti_docs_put(w, STI_DOCS_MET, key, stele_bytes_of(now, sizeof now), err)
                   : STELE_OK;
}

stele_code sti_docs_types_load(struct sti_docs_write *w, stele_error *err)
{
    stele_store_cursor *cursor = NULL;
    bool collated = false;
    stele_code rc = note_collator(w, &collated, err);

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
            rc = load(w, name, json, collated, err);
        }
        if (rc == STELE_OK) {
            rc = stele_store_cursor_next(cursor, err);
        }
    }
    stele_store_cursor_close(cursor);
    return rc == STELE_END ? STELE_OK : rc;
}

/* A type that is new, or newly defined, has a new number. */
stele_code sti_docs_types_follow(stele_docs *db, stele_store_read *read, stele_error *err)
{
    struct sti_docs_write w = {.db = db, .view = read};
    uint32_t last = 0;
    stele_code rc;

    if (!db->options.read_only) {
        return STELE_OK;
    }
    rc = sti_docs_type_last_number(read, &last, err);
    if (rc != STELE_OK || last == atomic_load(&db->last_number)) {
        return rc;
    }
    rc = sti_docs_types_load(&w, err);
    if (rc == STELE_OK) {
        atomic_store(&db->last_number, last);
    }
    return rc;
}

stele_code sti_docs_check_collation(
        stele_docs *db, const struct sti_docs_type *type, stele_error *err)
{
    if (!atomic_load(&db->other_collation) || (type != NULL && !is_loose(type))) {
        return STELE_OK;
    }
    return sti_fail(err, STELE_EMISMATCH,
            "loose keys are of another collation, until the database is opened for writing");
}
