/* SPDX-License-Identifier: MIT
 *
 * plan.c: the key that fits, and its range.
 */
#include "docs/plan.h"

#include "base/error.h"
#include "base/mutant.h"
#include "docs/order.h"

#include <stdio.h>

enum {
    LIST_SIZE = 360 /* of a message */
};

static size_t match_count(const struct sti_docs_search *search)
{
    return json_object_size(search->match);
}

/* Whether the key's first fields are those of the search, each once, and the bounded one is next.
 */
static bool fits(const struct sti_docs_key *key, const struct sti_docs_search *search)
{
    size_t count = match_count(search);

    if (count + (search->bound_field != NULL ? 1 : 0) > key->field_count ||
            (search->key != NULL && strcmp(search->key, key->name) != 0)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (json_object_get(search->match, key->fields[i].path) == NULL) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(key->fields[i].path, key->fields[j].path) == 0) {
                return false;
            }
        }
    }
    return search->bound_field == NULL || strcmp(search->bound_field, key->fields[count].path) == 0;
}

/* The number of the best key, from 1; 0 if none fits. */
static uint16_t choose(const struct sti_docs_type *type, const struct sti_docs_search *search)
{
    size_t best = 0;

    for (size_t k = 0; type != NULL && k < type->key_count; k++) {
        /* All that fit share their first fields: those without further ones have the fewest. */
        if (fits(&type->keys[k], search) &&
                (best == 0 ||
                        (!STI_MUTANT(DOCS_FIRST_KEY_TAKEN) &&
                                type->keys[k].field_count < type->keys[best - 1].field_count))) {
            best = k + 1;
        }
    }
    return (uint16_t)best;
}

/* Add to a text as much as there is room for. */
static void add(char *text, size_t *len, const char *more)
{
    int added = snprintf(text + *len, LIST_SIZE - *len, "%s", more);

    *len += added < 0 ? 0 : (size_t)added;
    *len = *len < LIST_SIZE ? *len : LIST_SIZE - 1;
}

static stele_code fail_no_key(
        const struct sti_docs_type *type, const struct sti_docs_search *search, stele_error *err)
{
    char list[LIST_SIZE] = "";
    size_t len = 0;

    if (type == NULL || type->key_count == 0) {
        return sti_fail(err, STELE_EINVAL, "search: %s has no keys",
                type == NULL ? "this type" : type->name);
    }
    for (size_t k = 0; k < type->key_count; k++) {
        const struct sti_docs_key *key = &type->keys[k];

        add(list, &len, k == 0 ? "" : ", ");
        add(list, &len, key->name);
        for (size_t f = 0; f < key->field_count; f++) {
            add(list, &len, f == 0 ? " (" : ", ");
            add(list, &len, key->fields[f].path);
        }
        add(list, &len, ")");
    }
    if (search->key != NULL) {
        return sti_fail(err, STELE_EINVAL, "search: key %s does not fit these fields; %s has %s",
                search->key, type->name, list);
    }
    return sti_fail(
            err, STELE_EINVAL, "search: no key fits these fields; %s has %s", type->name, list);
}

static stele_code put_byte(stele_buf *out, uint8_t byte, stele_error *err)
{
    return stele_buf_append(out, stele_bytes_of(&byte, 1), err);
}

/* The end of a kind of values, from the tag of one of them; and its start. */
static uint8_t kind_start(uint8_t tag)
{
    return tag == STI_DOCS_TAG_TRUE ? STI_DOCS_TAG_FALSE : tag;
}

static uint8_t kind_end(uint8_t tag)
{
    return tag == STI_DOCS_TAG_FALSE ? STI_DOCS_TAG_TRUE + 1 : (uint8_t)(tag + 1);
}

/* Encode a bound behind what is there already. */
static stele_code put_bound(const struct sti_docs_indexer *indexer, enum sti_docs_order order,
        const json_t *value, stele_buf *out, uint8_t *tag, stele_error *err)
{
    size_t at = out->len;
    bool cut = false;
    stele_code rc = sti_docs_order_encode(indexer->collator, order, value, out, &cut, err);

    if (rc == STELE_OK && cut) {
        return sti_fail(err, STELE_ETOOBIG,
                "search: a bound that takes more than the %d bytes in an index", STI_DOCS_TEXT_MAX);
    }
    if (rc == STELE_OK) {
        *tag = out->data[at];
    }
    return rc;
}

/* Low and high, behind the fields that are in start and in end already. */
static stele_code put_bounds(struct sti_docs_plan *plan, const struct sti_docs_indexer *indexer,
        const struct sti_docs_search *search, enum sti_docs_order order, stele_error *err)
{
    uint8_t low = 0;
    uint8_t high = 0;
    stele_code rc = STELE_OK;

    if (search->low != NULL) {
        rc = put_bound(indexer, order, search->low, &plan->start, &low, err);
    }
    if (rc == STELE_OK && search->high != NULL) {
        rc = put_bound(indexer, order, search->high, &plan->end, &high, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    if (search->low == NULL) {
        rc = put_byte(&plan->start, kind_start(high), err);
    } else if (search->low_open) {
        rc = put_byte(&plan->start, STI_DOCS_TAG_ABOVE, err);
    }
    if (rc == STELE_OK && search->high == NULL) {
        rc = put_byte(
                &plan->end, STI_MUTANT(DOCS_KINDS_MIXED) ? STI_DOCS_TAG_ABOVE : kind_end(low), err);
    } else if (rc == STELE_OK && (!search->high_open || STI_MUTANT(DOCS_HIGH_IS_CLOSED))) {
        rc = put_byte(&plan->end, STI_DOCS_TAG_ABOVE, err);
    }
    if (rc == STELE_OK && search->low != NULL && search->high != NULL &&
            kind_start(low) != kind_start(high)) {
        rc = sti_fail(err, STELE_EINVAL, "search: bounds of different kinds");
    }
    return rc;
}

/* Make bytes the least that is above all that begin with them. There is a tag among them, which
 * can be made larger. */
static void step_above(stele_buf *bytes)
{
    while (bytes->data[bytes->len - 1] == 0xff) {
        bytes->len--;
    }
    bytes->data[bytes->len - 1]++;
}

static stele_code put_prefix(struct sti_docs_plan *plan, const struct sti_docs_indexer *indexer,
        const struct sti_docs_search *search, enum sti_docs_order order, stele_error *err)
{
    stele_code rc =
            sti_docs_order_prefix(indexer->collator, order, search->prefix, &plan->start, err);

    stele_buf_clear(&plan->end);
    if (rc == STELE_OK) {
        rc = stele_buf_append(&plan->end, stele_buf_view(&plan->start), err);
    }
    if (rc == STELE_OK) {
        step_above(&plan->end);
    }
    return rc;
}

/* What is behind the fields that have values: the bounds, the id alone, or anything. */
static stele_code put_rest(struct sti_docs_plan *plan, const struct sti_docs_indexer *indexer,
        const struct sti_docs_search *search, stele_error *err)
{
    size_t count = match_count(search);
    stele_code rc;

    if (search->bound_field != NULL) {
        enum sti_docs_order order = plan->key->fields[count].order;

        return stele_is_nil(search->prefix) ? put_bounds(plan, indexer, search, order, err)
                                            : put_prefix(plan, indexer, search, order, err);
    }
    if (plan->key == NULL || count == plan->key->field_count) {
        rc = put_byte(&plan->start, STI_DOCS_TAG_END, err);
        return rc == STELE_OK ? put_byte(&plan->end, STI_DOCS_TAG_END + 1, err) : rc;
    }
    return put_byte(&plan->end, STI_DOCS_TAG_ABOVE, err);
}

/* The fields that have values, in start and in end. */
static stele_code put_fields(struct sti_docs_plan *plan, const struct sti_docs_indexer *indexer,
        const struct sti_docs_search *search, stele_error *err)
{
    size_t count = plan->key == NULL ? 0 : match_count(search);
    bool null = false;
    stele_code rc = sti_docs_index_head(indexer->type_number, plan->number, &plan->start, err);

    for (size_t i = 0; i < count && rc == STELE_OK; i++) {
        const struct sti_docs_field *field = &plan->key->fields[i];
        const json_t *value = json_object_get(search->match, field->path);

        null = null || json_is_null(value);
        rc = sti_docs_order_encode(indexer->collator, field->order, value, &plan->start, NULL, err);
    }
    if (rc == STELE_OK) {
        rc = stele_buf_append(&plan->end, stele_buf_view(&plan->start), err);
    }
    if (plan->key != NULL) {
        bool all = search->bound_field == NULL && count == plan->key->field_count;

        plan->single = plan->key->unique && all && !null;
        plan->may_repeat = plan->key->array && !all;
    }
    return rc;
}

static stele_code check_bounds(const struct sti_docs_search *search, stele_error *err)
{
    bool bounds = search->low != NULL || search->high != NULL;
    bool prefix = !stele_is_nil(search->prefix);

    if (search->match != NULL && !json_is_object(search->match)) {
        return sti_fail(err, STELE_EINVAL, "search: the fields are not a JSON object");
    }
    if (search->bound_field == NULL && (bounds || prefix)) {
        return sti_fail(err, STELE_EINVAL, "search: bounds, but no field for them");
    }
    if (search->bound_field != NULL && bounds == prefix) {
        return sti_fail(err, STELE_EINVAL, "search: %s, for field %s",
                bounds ? "bounds as well as a prefix" : "neither bounds nor a prefix",
                search->bound_field);
    }
    return STELE_OK;
}

stele_code sti_docs_plan_make(struct sti_docs_plan *out, const struct sti_docs_indexer *indexer,
        const struct sti_docs_search *search, stele_error *err)
{
    struct sti_docs_plan plan = {.key = NULL};
    stele_code rc = check_bounds(search, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (match_count(search) > 0 || search->bound_field != NULL || search->key != NULL) {
        plan.number = choose(indexer->type, search);
        if (plan.number == 0) {
            return fail_no_key(indexer->type, search, err);
        }
        plan.key = &indexer->type->keys[plan.number - 1];
    }
    stele_buf_init(&plan.start, SIZE_MAX);
    stele_buf_init(&plan.end, SIZE_MAX);
    rc = put_fields(&plan, indexer, search, err);
    if (rc == STELE_OK) {
        rc = put_rest(&plan, indexer, search, err);
    }
    if (rc != STELE_OK) {
        sti_docs_plan_free(&plan);
        return rc;
    }
    *out = plan;
    return STELE_OK;
}

void sti_docs_plan_free(struct sti_docs_plan *plan)
{
    stele_buf_free(&plan->start);
    stele_buf_free(&plan->end);
    *plan = (struct sti_docs_plan){.key = NULL};
}

stele_code sti_docs_plan_resume(
        struct sti_docs_plan *plan, stele_bytes token, bool backward, stele_error *err)
{
    stele_buf *side = backward ? &plan->end : &plan->start;
    stele_buf moved;
    stele_code rc;

    if (stele_bytes_compare(token, stele_buf_view(&plan->start)) < 0 ||
            stele_bytes_compare(token, stele_buf_view(&plan->end)) >= 0) {
        return sti_fail(err, STELE_EINVAL, "search: the place to resume is of another search");
    }
    stele_buf_init(&moved, SIZE_MAX);
    rc = stele_buf_append(&moved, token, err);
    if (rc == STELE_OK && !backward && !STI_MUTANT(DOCS_RESUME_REPEATS)) {
        rc = put_byte(&moved, 0, err);
    }
    if (rc != STELE_OK) {
        stele_buf_free(&moved);
        return rc;
    }
    stele_buf_free(side);
    *side = moved;
    return STELE_OK;
}
