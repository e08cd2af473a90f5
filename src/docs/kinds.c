/* SPDX-License-Identifier: MIT
 *
 * kinds.c: types and their numbers.
 */
#include "base/alloc.h"
#include "base/coding.h"
#include "base/error.h"
#include "docs/state.h"

static void kind_free(struct sti_docs_kind *kind)
{
    sti_docs_path_free(&kind->expiry);
    sti_docs_indexer_free(&kind->indexer);
    sti_docs_type_free(kind->type);
    sti_free(kind);
}

const struct sti_docs_kind *sti_docs_kind_find(stele_docs *db, uint32_t number, stele_bytes name)
{
    const struct sti_docs_kind *kind;

    sti_mutex_lock(&db->kinds);
    kind = db->first_kind;
    while (kind != NULL &&
            (kind->number != number || !stele_bytes_equal(stele_str(kind->type->name), name))) {
        kind = kind->next;
    }
    sti_mutex_unlock(&db->kinds);
    return kind;
}

const struct sti_docs_kind *sti_docs_kind_of_claim(
        stele_docs *db, stele_bytes claim, uint16_t *number)
{
    const struct sti_docs_kind *kind;
    uint32_t type_number;

    if (claim.len < STI_DOCS_INDEX_HEAD) {
        return NULL;
    }
    type_number = sti_get_be32(claim.data);
    *number = (uint16_t)(claim.data[4] << 8 | claim.data[5]);
    sti_mutex_lock(&db->kinds);
    kind = db->first_kind;
    while (kind != NULL && kind->number != type_number) {
        kind = kind->next;
    }
    sti_mutex_unlock(&db->kinds);
    return kind != NULL && *number > 0 && *number <= kind->type->key_count ? kind : NULL;
}

stele_code sti_docs_kind_add(
        stele_docs *db, uint32_t number, struct sti_docs_type *type, stele_error *err)
{
    struct sti_docs_kind *kind = sti_calloc(1, sizeof *kind);
    stele_code rc;

    if (kind == NULL) {
        sti_docs_type_free(type);
        return sti_fail_memory(err, sizeof *kind);
    }
    kind->number = number;
    kind->type = type;
    rc = sti_docs_indexer_init(&kind->indexer, number, type, db->collator, err);
    if (rc == STELE_OK && type->expiry != NULL) {
        rc = sti_docs_path_compile(&kind->expiry, type->expiry, err);
        atomic_store(&db->expires, true);
    }
    if (rc != STELE_OK) {
        kind_free(kind);
        return rc;
    }
    sti_mutex_lock(&db->kinds);
    kind->next = db->first_kind;
    db->first_kind = kind;
    sti_mutex_unlock(&db->kinds);
    return STELE_OK;
}

struct sti_docs_kind *sti_docs_kinds_newest(stele_docs *db)
{
    struct sti_docs_kind *kind;

    sti_mutex_lock(&db->kinds);
    kind = db->first_kind;
    sti_mutex_unlock(&db->kinds);
    return kind;
}

void sti_docs_kinds_disown(
        stele_docs *db, struct sti_docs_kind *newest, const struct sti_docs_kind *until)
{
    sti_mutex_lock(&db->kinds);
    for (struct sti_docs_kind *kind = newest; kind != until; kind = kind->next) {
        kind->number = 0;
    }
    sti_mutex_unlock(&db->kinds);
}

void sti_docs_kinds_free(stele_docs *db)
{
    while (db->first_kind != NULL) {
        struct sti_docs_kind *next = db->first_kind->next;

        kind_free(db->first_kind);
        db->first_kind = next;
    }
}

static stele_code read_number(stele_store_read *read, enum sti_docs_bucket bucket, stele_bytes key,
        uint32_t *number, stele_error *err)
{
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc = sti_docs_read(read, bucket, key, &value, &found, err);

    if (rc == STELE_OK && found) {
        rc = sti_docs_check_form(value, sizeof *number, "number of a type", err);
    }
    if (rc == STELE_OK) {
        *number = found ? sti_get_be32(value.data + 1) : 0;
    }
    return rc;
}

stele_code sti_docs_type_number(
        stele_store_read *read, stele_bytes name, uint32_t *number, stele_error *err)
{
    return read_number(read, STI_DOCS_TNO, name, number, err);
}

stele_code sti_docs_type_last_number(stele_store_read *read, uint32_t *number, stele_error *err)
{
    return read_number(read, STI_DOCS_MET, stele_str("types"), number, err);
}

stele_code sti_docs_type_new_number(
        struct sti_docs_write *w, stele_bytes name, uint32_t *number, stele_error *err)
{
    uint8_t value[1 + 4];
    uint32_t last = 0;
    stele_code rc = sti_docs_type_last_number(w->view, &last, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (last == UINT32_MAX) {
        return sti_fail(err, STELE_ETOOBIG, "there are no more numbers for types");
    }
    value[0] = STI_DOCS_FORM;
    sti_put_be32(value + 1, last + 1);
    rc = sti_docs_put(
            w, STI_DOCS_MET, stele_str("types"), stele_bytes_of(value, sizeof value), err);
    if (rc == STELE_OK) {
        rc = sti_docs_put(w, STI_DOCS_TNO, name, stele_bytes_of(value, sizeof value), err);
    }
    if (rc == STELE_OK) {
        *number = last + 1;
    }
    return rc;
}

stele_code sti_docs_type_need_number(
        struct sti_docs_write *w, stele_bytes name, uint32_t *number, stele_error *err)
{
    stele_code rc = sti_docs_type_number(w->view, name, number, err);

    if (rc != STELE_OK || *number != 0) {
        return rc;
    }
    return w->batch != NULL ? sti_docs_type_new_number(w, name, number, err)
                            : sti_fail(err, STELE_ECORRUPT, "its type has no number");
}

stele_bytes sti_docs_type_of(const json_t *document)
{
    stele_bytes name = sti_docs_value_type(document);

    if (name.len == 0 || name.len > STI_DOCS_NAME_MAX || memchr(name.data, 0, name.len) != NULL) {
        return stele_str(STI_DOCS_TYPE_INVALID);
    }
    return name;
}
