/* SPDX-License-Identifier: MIT
 *
 * search.c: searches, from their arguments to an iterator.
 */
#include "base/alloc.h"
#include "base/env.h"
#include "base/error.h"
#include "docs/iter.h"

void stele_docs_search_init_sized(stele_docs_search *search, size_t struct_size)
{
    if (search != NULL && struct_size >= sizeof search->struct_size) {
        memset(search, 0, struct_size);
        search->struct_size = struct_size;
    }
}

/* The arguments as values. Zero-initialised may be freed. */
struct arguments {
    stele_docs_search given;
    struct sti_docs_search search;
    json_t *match;
    json_t *low;
    json_t *high;
};

static void arguments_free(struct arguments *a)
{
    json_decref(a->match);
    json_decref(a->low);
    json_decref(a->high);
}

/* A JSON value of any kind; nil: none. */
static stele_code parse_bound(
        const stele_docs *db, stele_bytes text, json_t **out, stele_error *err)
{
    stele_code rc;

    if (stele_is_nil(text)) {
        return STELE_OK;
    }
    rc = sti_json_load(text, &db->rules, out, err);
    if (rc == STELE_ECORRUPT) {
        return sti_fail(err, STELE_EINVAL, "search: a bound that is no JSON value");
    }
    return rc;
}

static stele_code arguments_take(struct arguments *a, const stele_docs *db,
        const stele_docs_search *search, stele_error *err)
{
    stele_code rc = sti_options_copy(&a->given, sizeof a->given, search, "stele_docs_search", err);

    if (rc == STELE_OK && a->given.type == NULL) {
        rc = sti_fail(err, STELE_EINVAL, "search: of no type");
    }
    if (rc == STELE_OK && !stele_is_nil(a->given.match)) {
        rc = sti_docs_value_parse(a->given.match, &db->rules, &a->match, err);
        if (rc != STELE_OK) {
            return sti_wrap(err, rc, "search: fields");
        }
    }
    if (rc == STELE_OK) {
        rc = parse_bound(db, a->given.low, &a->low, err);
    }
    if (rc == STELE_OK) {
        rc = parse_bound(db, a->given.high, &a->high, err);
    }
    a->search = (struct sti_docs_search){
            .match = a->match,
            .key = a->given.key,
            .bound_field = a->given.bound_field,
            .low = a->low,
            .high = a->high,
            .low_open = a->given.low_open,
            .high_open = a->given.high_open,
            .prefix = a->given.prefix,
    };
    return rc;
}

/* The number and the kind of a type as the read sees it. `stamp`: what is noted of it under this
 * one holds for the read; 0: nothing does. */
static stele_code find_type(stele_docs_iter *it, stele_bytes name, uint64_t stamp, uint32_t *number,
        const struct sti_docs_kind **kind, stele_error *err)
{
    struct sti_docs_type_state state = {.number = 0};
    stele_code rc = STELE_OK;

    *kind = stamp == 0 ? NULL : sti_docs_kind_noted(it->db, name, stamp);
    if (*kind != NULL) {
        *number = (*kind)->number;
        return STELE_OK;
    }
    if (name.len > 0 && name.len <= STI_DOCS_NAME_MAX) {
        rc = sti_docs_type_state_read(it->read, name, &state, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    *number = sti_docs_type_searched(&state);
    if (*number == 0) {
        return sti_fail(err, STELE_ETYPE, "type %.64s is not known", (const char *)name.data);
    }
    if (state.phase == STI_DOCS_ALONE) {
        /* Beside the writer that has just begun. */
        return sti_fail(
                err, STELE_EMISMATCH, "type %.64s is being indexed anew", (const char *)name.data);
    }
    *kind = sti_docs_kind_find(it->db, *number, name);
    if (*kind != NULL && state.phase == STI_DOCS_WHOLE) {
        sti_docs_kind_note(it->db, *number, name, stamp);
    }
    return STELE_OK;
}

/* The plan by the definition that the read sees. */
static stele_code make_plan(struct sti_docs_plan *plan, stele_docs_iter *it,
        const struct arguments *a, uint64_t stamp, stele_error *err)
{
    struct sti_docs_indexer plain = {.type = NULL};
    const struct sti_docs_indexer *indexer = &plain;
    const struct sti_docs_kind *kind = NULL;
    uint32_t number = 0;
    stele_code rc = sti_docs_types_follow(it->db, it->read, err);

    if (rc == STELE_OK) {
        rc = find_type(it, stele_str(a->given.type), stamp, &number, &kind, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    if (kind != NULL) {
        indexer = &kind->indexer;
        rc = sti_docs_check_collation(it->db, kind->type, err);
    } else if (json_object_size(a->match) > 0 || a->search.bound_field != NULL ||
               a->search.key != NULL) {
        return sti_fail(
                err, STELE_ETYPE, "type %.64s is not registered, and has no keys", a->given.type);
    } else {
        plain.type_number = number;
    }
    return rc == STELE_OK ? sti_docs_plan_make(plan, indexer, &a->search, err) : rc;
}

static stele_buf take(stele_buf *buf)
{
    stele_buf taken = *buf;

    stele_buf_init(buf, SIZE_MAX);
    return taken;
}

/* A resumed search begins elsewhere within its part of the index. */
static stele_code set_out_again(stele_docs_iter *it, struct sti_docs_plan *plan,
        const stele_docs_search *given, stele_error *err)
{
    stele_code rc = stele_buf_append(&it->start, stele_buf_view(&plan->start), err);

    if (rc == STELE_OK) {
        rc = stele_buf_append(&it->end, stele_buf_view(&plan->end), err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_plan_resume(plan, given->after, given->backward, err);
    }
    if (rc == STELE_OK) {
        it->moved = take(given->backward ? &plan->end : &plan->start);
        it->low = stele_buf_view(given->backward ? &it->start : &it->moved);
        it->high = stele_buf_view(given->backward ? &it->moved : &it->end);
    }
    return rc;
}

/* The part of the index that the plan says. */
static stele_code set_out(stele_docs_iter *it, struct sti_docs_plan *plan,
        const stele_docs_search *given, stele_error *err)
{
    it->may_repeat = plan->may_repeat;
    it->backward = given->backward;
    it->left = given->limit == 0 ? UINT64_MAX : given->limit;
    if (!stele_is_nil(given->after)) {
        return set_out_again(it, plan, given, err);
    }
    it->start = take(&plan->start);
    it->end = take(&plan->end);
    it->low = stele_buf_view(&it->start);
    it->high = stele_buf_view(&it->end);
    return STELE_OK;
}

/* An iterator over what the search finds; to be stopped, unless that fails. */
static stele_code start(
        stele_docs_iter *it, stele_docs *db, const stele_docs_search *search, stele_error *err)
{
    struct arguments a = {.match = NULL};
    struct sti_docs_plan plan = {.key = NULL};
    bool started = false;
    uint64_t stamp = sti_docs_types_stamp(db);
    stele_code rc = arguments_take(&a, db, search, err);

    if (rc == STELE_OK) {
        rc = sti_docs_iter_start(it, db, STI_DOCS_IDX, err);
        started = rc == STELE_OK;
    }
    if (rc == STELE_OK) {
        rc = make_plan(&plan, it, &a, sti_docs_types_stamp(db) == stamp ? stamp : 0, err);
    }
    if (rc == STELE_OK) {
        rc = set_out(it, &plan, &a.given, err);
    }
    if (rc != STELE_OK && started) {
        sti_docs_iter_stop(it);
    }
    sti_docs_plan_free(&plan);
    arguments_free(&a);
    return rc;
}

stele_code stele_docs_search_begin(
        stele_docs_iter **out, stele_docs *db, const stele_docs_search *search, stele_error *err)
{
    stele_docs_iter *it;
    stele_code rc;

    if (out == NULL || db == NULL || search == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database or search, or nowhere to put the answer");
    }
    it = sti_malloc(sizeof *it);
    if (it == NULL) {
        return sti_fail_memory(err, sizeof *it);
    }
    rc = start(it, db, search, err);
    if (rc != STELE_OK) {
        sti_free(it);
        return rc;
    }
    *out = it;
    return STELE_OK;
}

stele_code stele_docs_search_first(stele_docs *db, const stele_docs_search *search, stele_buf *id,
        stele_buf *json, stele_error *err)
{
    stele_docs_iter it;
    stele_bytes found_id = stele_nil();
    stele_bytes found_json = stele_nil();
    size_t len = id == NULL ? 0 : id->len;
    stele_code rc;

    if (db == NULL || search == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database or search");
    }
    rc = start(&it, db, search, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_docs_iter_next(&it, &found_id, &found_json, err);
    if (rc == STELE_END) {
        rc = sti_fail(err, STELE_ENOTFOUND, "the search finds nothing");
    }
    if (rc == STELE_OK && id != NULL) {
        rc = stele_buf_append(id, found_id, err);
    }
    if (rc == STELE_OK && json != NULL) {
        rc = stele_buf_append(json, found_json, err);
        if (rc != STELE_OK && id != NULL) {
            id->len = len;
        }
    }
    sti_docs_iter_stop(&it);
    return rc;
}
