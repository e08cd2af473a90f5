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

/* Batches that change what types are count themselves before they put anything, and when they have
 * ended. With as many ended as begun, each is seen by whatever read begins now, unless another one
 * begins before; and then there is another stamp afterwards. Those of other processes do not count.
 */
uint64_t sti_docs_types_stamp(stele_docs *db)
{
    uint64_t changed = atomic_load(&db->types_changed);
    uint64_t changing = atomic_load(&db->types_changing);

    return changed == changing && !db->options.read_only ? changing + 1 : 0;
}

const struct sti_docs_kind *sti_docs_kind_noted(stele_docs *db, stele_bytes name, uint64_t stamp)
{
    const struct sti_docs_kind *kind;

    sti_mutex_lock(&db->kinds);
    kind = db->first_kind;
    while (kind != NULL && (atomic_load(&kind->noted) != stamp ||
                                   !stele_bytes_equal(stele_str(kind->type->name), name))) {
        kind = kind->next;
    }
    sti_mutex_unlock(&db->kinds);
    return kind;
}

void sti_docs_kind_note(stele_docs *db, uint32_t number, stele_bytes name, uint64_t stamp)
{
    sti_mutex_lock(&db->kinds);
    for (struct sti_docs_kind *kind = db->first_kind; kind != NULL; kind = kind->next) {
        if (kind->number == number && stele_bytes_equal(stele_str(kind->type->name), name)) {
            atomic_store(&kind->noted, stamp);
        }
    }
    sti_mutex_unlock(&db->kinds);
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

/* ---- Numbers. ---- */

enum {
    STATE_WHOLE = 1 + 4,
    STATE_HEAD = 1 + 4 + 1 + 4
};

stele_code sti_docs_type_state_get(
        struct sti_docs_type_state *out, stele_bytes value, stele_error *err)
{
    size_t len = value.len <= STATE_WHOLE ? STATE_WHOLE - 1 : value.len - 1;
    stele_code rc = sti_docs_check_form(value, len, "number of a type", err);

    if (rc != STELE_OK) {
        return rc;
    }
    *out = (struct sti_docs_type_state){.number = sti_get_be32(value.data + 1)};
    if (value.len == STATE_WHOLE) {
        return STELE_OK;
    }
    if (value.len < STATE_HEAD || value.data[STATE_WHOLE] == STI_DOCS_WHOLE ||
            value.data[STATE_WHOLE] > STI_DOCS_ALONE) {
        return sti_fail(err, STELE_ECORRUPT, "number of a type: no phase that there is");
    }
    out->phase = (enum sti_docs_phase)value.data[STATE_WHOLE];
    out->old_number = sti_get_be32(value.data + STATE_WHOLE + 1);
    if (out->old_number >= out->number) {
        return sti_fail(err, STELE_ECORRUPT, "number of a type: the one before it is not below");
    }
    out->old_json = stele_bytes_of(value.data + STATE_HEAD, value.len - STATE_HEAD);
    return STELE_OK;
}

stele_code sti_docs_type_state_read(
        stele_store_read *read, stele_bytes name, struct sti_docs_type_state *out, stele_error *err)
{
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc = sti_docs_read(read, STI_DOCS_TNO, name, &value, &found, err);

    if (rc == STELE_OK && !found) {
        *out = (struct sti_docs_type_state){.number = 0};
        return STELE_OK;
    }
    return rc == STELE_OK ? sti_docs_type_state_get(out, value, err) : rc;
}

stele_code sti_docs_type_state_put(struct sti_docs_write *w, stele_bytes name,
        const struct sti_docs_type_state *state, stele_error *err)
{
    uint8_t head[STATE_HEAD] = {STI_DOCS_FORM};
    stele_buf value;
    stele_code rc;

    sti_put_be32(head + 1, state->number);
    head[STATE_WHOLE] = (uint8_t)state->phase;
    sti_put_be32(head + STATE_WHOLE + 1, state->old_number);
    stele_buf_init(&value, SIZE_MAX);
    rc = stele_buf_append(&value,
            stele_bytes_of(head, state->phase == STI_DOCS_WHOLE ? STATE_WHOLE : STATE_HEAD), err);
    if (rc == STELE_OK && state->phase != STI_DOCS_WHOLE) {
        rc = stele_buf_append(&value, state->old_json, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_put(w, STI_DOCS_TNO, name, stele_buf_view(&value), err);
    }
    stele_buf_free(&value);
    return rc;
}

stele_code sti_docs_type_number(
        stele_store_read *read, stele_bytes name, uint32_t *number, stele_error *err)
{
    struct sti_docs_type_state state = {.number = 0};
    stele_code rc = sti_docs_type_state_read(read, name, &state, err);

    if (rc == STELE_OK) {
        *number = state.number;
    }
    return rc;
}

stele_code sti_docs_type_last_number(stele_store_read *read, uint32_t *number, stele_error *err)
{
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc = sti_docs_read(read, STI_DOCS_MET, stele_str("types"), &value, &found, err);

    if (rc == STELE_OK && found) {
        rc = sti_docs_check_form(value, sizeof *number, "last number of a type", err);
    }
    if (rc == STELE_OK) {
        *number = found ? sti_get_be32(value.data + 1) : 0;
    }
    return rc;
}

stele_code sti_docs_type_new_number(struct sti_docs_write *w, stele_bytes name, uint32_t above,
        uint32_t *number, stele_error *err)
{
    struct sti_docs_type_state state = {.number = 0};
    uint8_t value[1 + 4] = {STI_DOCS_FORM};
    stele_code rc = sti_docs_type_last_number(w->view, &state.number, err);

    if (rc != STELE_OK) {
        return rc;
    }
    state.number = state.number < above ? above : state.number;
    if (state.number == UINT32_MAX) {
        return sti_fail(err, STELE_ETOOBIG, "there are no more numbers for types");
    }
    sti_put_be32(value + 1, ++state.number);
    rc = sti_docs_put(
            w, STI_DOCS_MET, stele_str("types"), stele_bytes_of(value, sizeof value), err);
    if (rc == STELE_OK) {
        rc = sti_docs_type_state_put(w, name, &state, err);
    }
    if (rc == STELE_OK) {
        *number = state.number;
    }
    return rc;
}

stele_code sti_docs_type_need_number(struct sti_docs_write *w, stele_bytes name,
        struct sti_docs_type_state *state, stele_error *err)
{
    struct sti_docs_memo *memo = &w->memo;
    stele_code rc;

    if (memo->type_number != 0 &&
            stele_bytes_equal(name, stele_bytes_of(memo->type, memo->type_len))) {
        *state = (struct sti_docs_type_state){.number = memo->type_number};
        return STELE_OK;
    }
    rc = sti_docs_type_state_read(w->view, name, state, err);
    if (rc == STELE_OK && state->number != 0 && state->phase == STI_DOCS_WHOLE &&
            name.len <= sizeof memo->type) {
        memcpy(memo->type, name.data, name.len);
        memo->type_len = name.len;
        memo->type_number = state->number;
    }
    if (rc != STELE_OK || state->number != 0) {
        return rc;
    }
    return w->batch != NULL ? sti_docs_type_new_number(w, name, 0, &state->number, err)
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
