/* SPDX-License-Identifier: MIT
 *
 * docs_model_find.c: what a search has to find, by looking at every document.
 */
#include "model/docs_model.h"

#include <string.h>

/* One key of a document that is within the search. */
struct hit {
    struct model_tuple tuple;
    unsigned id;
};

enum {
    HITS = MODEL_IDS * MODEL_TUPLES
};

/* The key that is taken if none is named: of those whose first fields these are, one with the
 * fewest, and the first of them. */
static bool fits(const struct model_search *s, const struct model_key *key)
{
    size_t count = s->match_count + (s->bounded ? 1 : 0);

    return count <= key->field_count &&
           memcmp(key->fields, s->key->fields, count * sizeof key->fields[0]) == 0;
}

const struct model_key *docs_model_best(const struct model *m, const struct model_search *s)
{
    const struct model_type *type = &m->types[s->type];
    const struct model_key *best = NULL;

    for (size_t k = 0; k < type->key_count; k++) {
        const struct model_key *key = &docs_model_keys[type->keys[k]];

        if (fits(s, key) && (best == NULL || key->field_count < best->field_count)) {
            best = key;
        }
    }
    return s->match_count + (s->bounded ? 1 : 0) > 0 ? best : NULL;
}

static bool is_within(const struct model_search *s, int value)
{
    enum sti_docs_order order = s->key->orders[s->match_count];
    int bound = s->low != DOCS_VALUE_NONE ? s->low : s->high;

    if (s->prefix != DOCS_VALUE_NONE) {
        return docs_value_has_prefix(order, value, s->prefix);
    }
    if (!docs_value_same_kind(order, value, bound)) {
        return false;
    }
    if (s->low != DOCS_VALUE_NONE &&
            docs_value_compare(order, value, s->low) < (s->low_open ? 1 : 0)) {
        return false;
    }
    return s->high == DOCS_VALUE_NONE ||
           docs_value_compare(order, value, s->high) <= (s->high_open ? -1 : 0);
}

static bool is_found(const struct model_search *s, const struct model_tuple *tuple)
{
    if (tuple->count < s->match_count + (s->bounded ? 1 : 0)) {
        return false;
    }
    for (size_t i = 0; i < s->match_count; i++) {
        if (docs_value_compare(s->key->orders[i], tuple->values[i], s->match[i]) != 0) {
            return false;
        }
    }
    return !s->bounded || is_within(s, tuple->values[s->match_count]);
}

/* The hits of a document; of a unique key only if it owns it. */
static size_t add_hits(const struct model *m, const struct model_search *s, unsigned id,
        struct hit *hits, size_t count)
{
    const struct model_entry *now = docs_model_now(m, id);
    struct model_tuple list[MODEL_TUPLES] = {{.count = 0}};
    size_t tuples = 1;

    if (now == NULL || (now->doc.unreadable ? MODEL_INVALID : now->doc.type) != s->type) {
        return count;
    }
    if (s->key != NULL) {
        tuples = docs_model_tuples(s->key, &now->doc, list);
    }
    for (size_t i = 0; i < tuples; i++) {
        bool mine = s->key == NULL || !docs_model_is_unique(s->key, &list[i]) ||
                    docs_model_owner(m, s->type, s->key, &list[i]) == (int)id;

        if (mine && (s->key == NULL || is_found(s, &list[i]))) {
            hits[count++] = (struct hit){list[i], id};
        }
    }
    return count;
}

static int compare_hits(const struct model_search *s, const struct hit *a, const struct hit *b)
{
    int order = s->key == NULL ? 0 : docs_model_compare_tuples(s->key, &a->tuple, &b->tuple);

    if (order == 0) {
        order = a->id < b->id ? -1 : 1;
    }
    return s->backward ? -order : order;
}

static bool is_given(const unsigned *ids, size_t count, unsigned id)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

size_t docs_model_find(const struct model *m, const struct model_search *s, unsigned out[MODEL_IDS])
{
    static struct hit hits[HITS];
    size_t count = 0;
    size_t given = 0;

    for (unsigned i = 0; i < MODEL_IDS; i++) {
        count = add_hits(m, s, i, hits, count);
    }
    /* Each time the least of what is left; each document once. */
    for (; count > 0; count--) {
        size_t least = 0;

        for (size_t i = 1; i < count; i++) {
            if (compare_hits(s, &hits[i], &hits[least]) < 0) {
                least = i;
            }
        }
        if (!is_given(out, given, hits[least].id)) {
            out[given++] = hits[least].id;
        }
        hits[least] = hits[count - 1];
    }
    return given;
}
