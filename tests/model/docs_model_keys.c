/* SPDX-License-Identifier: MIT
 *
 * docs_model_keys.c: the keys that documents have, and who owns those that are unique.
 */
#include "model/docs_model.h"

#include <string.h>

#define B STI_DOCS_ORDER_BINARY
#define U STI_DOCS_ORDER_UTF8
#define N STI_DOCS_ORDER_NUMBER
#define W STI_DOCS_ORDER_TIME

const struct model_key docs_model_keys[MODEL_KEYS] = {
        {"kb", 1, {0}, {B}, false, false, "'fields':['b'],'method':'binary'"},
        {"ku", 1, {1}, {U}, false, false, "'fields':['u'],'method':'utf8'"},
        {"kn", 1, {2}, {N}, false, false, "'fields':['n'],'method':'number'"},
        {"kw", 1, {3}, {W}, false, false, "'fields':['w'],'method':'time'"},
        {"ka", 1, {4}, {B}, false, true, "'fields':['a'],'method':'binary','array':true"},
        {"kau", 2, {4, 1}, {U, U}, false, true, "'fields':['a','u'],'method':'utf8','array':true"},
        {"kq", 1, {5}, {B}, true, false, "'fields':['q'],'method':'binary','unique':true"},
        {"kqu", 1, {5}, {U}, true, false, "'fields':['q'],'method':'utf8','unique':true"},
        {"kc", 2, {0, 2}, {N, N}, false, false, "'fields':['b','n'],'method':'number'"},
        {"kc3", 3, {0, 1, 3}, {B, U, W}, false, false,
                "'fields':['b','u','w'],'method':'binary','orders':['binary','utf8','time']"},
        {"kqc", 2, {5, 2}, {N, N}, true, false,
                "'fields':['q','n'],'method':'number','unique':true"},
        {"kqa", 1, {4}, {U}, true, true,
                "'fields':['a'],'method':'utf8','unique':true,'array':true"},
};

#undef B
#undef U
#undef N
#undef W

/* ---- The keys of one document. ---- */

/* What a field gives to a key; 0: it is missing. */
static size_t field_values(const struct model_key *key, int value, int out[DOCS_ELEMENTS])
{
    int count = key->array && value != DOCS_VALUE_NONE ? docs_value_elements(value, out) : -1;

    if (count >= 0) {
        return (size_t)count;
    }
    out[0] = value;
    return value == DOCS_VALUE_NONE ? 0 : 1;
}

static bool has_tuple(const struct model_key *key, const struct model_tuple *list, size_t count,
        const struct model_tuple *tuple)
{
    for (size_t i = 0; i < count; i++) {
        if (docs_model_compare_tuples(key, &list[i], tuple) == 0) {
            return true;
        }
    }
    return false;
}

size_t docs_model_tuples(const struct model_key *key, const struct model_doc *doc,
        struct model_tuple out[MODEL_TUPLES])
{
    struct model_tuple made[MODEL_TUPLES] = {{.count = 0}};
    size_t count = 1;
    size_t kept = 0;

    if (doc->unreadable) {
        return 0;
    }
    for (size_t f = 0; f < key->field_count; f++) {
        struct model_tuple before[MODEL_TUPLES];
        int values[DOCS_ELEMENTS];
        size_t more = field_values(key, doc->fields[key->fields[f]], values);

        if (more == 0) {
            break;
        }
        memcpy(before, made, sizeof before);
        for (size_t i = 0; i < count * more; i++) {
            made[i] = before[i / more];
            made[i].values[made[i].count++] = values[i % more];
        }
        count *= more;
    }
    for (size_t i = 0; i < count && made[0].count > 0; i++) {
        if (!has_tuple(key, out, kept, &made[i])) {
            out[kept++] = made[i];
        }
    }
    return kept;
}

int docs_model_compare_tuples(
        const struct model_key *key, const struct model_tuple *a, const struct model_tuple *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        int order = docs_value_compare(key->orders[i], a->values[i], b->values[i]);

        if (order != 0) {
            return order;
        }
    }
    return (a->count > b->count) - (a->count < b->count);
}

bool docs_model_is_unique(const struct model_key *key, const struct model_tuple *tuple)
{
    for (size_t i = 0; i < tuple->count; i++) {
        if (tuple->values[i] == DOCS_VALUE_NULL) {
            return false;
        }
    }
    return key->unique && tuple->count == key->field_count;
}

/* ---- Owners. ---- */

static bool holds(const struct model_entry *entry, int type, const struct model_key *key,
        const struct model_tuple *tuple)
{
    struct model_tuple list[MODEL_TUPLES];

    return !entry->rank.is_delete && entry->doc.type == type &&
           has_tuple(key, list, docs_model_tuples(key, &entry->doc, list), tuple);
}

/* Since when an ID holds a tuple without a break. */
static bool claim_of(const struct model_id *at, int type, const struct model_key *key,
        const struct model_tuple *tuple, struct sti_docs_version *out)
{
    size_t i = at->count;

    while (i > 0 && holds(&at->entries[i - 1], type, key, tuple)) {
        i--;
        *out = at->entries[i].rank.version;
    }
    return i < at->count;
}

int docs_model_owner(const struct model *m, int type, const struct model_key *key,
        const struct model_tuple *tuple)
{
    struct sti_docs_version first = {.seconds = 0};
    int owner = -1;

    /* IDs ascend: of two with one version the first has it. */
    for (int i = 0; i < MODEL_IDS; i++) {
        struct sti_docs_version version = {.seconds = 0};

        if (claim_of(&m->ids[i], type, key, tuple, &version) &&
                (owner < 0 || sti_docs_version_compare(version, first) < 0)) {
            owner = i;
            first = version;
        }
    }
    return owner;
}

bool docs_model_is_refused(const struct model *m, unsigned id, const struct model_doc *doc)
{
    const struct model_type *type = &m->types[doc->type];

    for (size_t k = 0; type->registered && k < type->key_count; k++) {
        const struct model_key *key = &docs_model_keys[type->keys[k]];
        struct model_tuple list[MODEL_TUPLES];
        size_t count = docs_model_tuples(key, doc, list);

        for (size_t i = 0; i < count; i++) {
            int owner = -1;

            if (docs_model_is_unique(key, &list[i])) {
                owner = docs_model_owner(m, doc->type, key, &list[i]);
            }
            if (owner >= 0 && owner != (int)id) {
                return true;
            }
        }
    }
    return false;
}

/* The claims of one document to a key that others own; with `owner`, only those that he does. */
static size_t lost_claims(
        const struct model *m, int type, const struct model_key *key, int id, int wanted)
{
    const struct model_entry *now = docs_model_now(m, (unsigned)id);
    struct model_tuple list[MODEL_TUPLES];
    size_t count =
            now != NULL && now->doc.type == type ? docs_model_tuples(key, &now->doc, list) : 0;
    size_t lost = 0;

    for (size_t i = 0; i < count; i++) {
        int owner = -1;

        if (docs_model_is_unique(key, &list[i])) {
            owner = docs_model_owner(m, type, key, &list[i]);
        }
        lost += owner >= 0 && owner != id && (wanted < 0 || owner == wanted) ? 1 : 0;
    }
    return lost;
}

size_t docs_model_conflicts(const struct model *m)
{
    size_t sum = 0;

    for (int t = 0; t < MODEL_TYPES; t++) {
        for (size_t k = 0; m->types[t].registered && k < m->types[t].key_count; k++) {
            for (int i = 0; i < MODEL_IDS; i++) {
                sum += lost_claims(m, t, &docs_model_keys[m->types[t].keys[k]], i, -1);
            }
        }
    }
    return sum;
}

static int find_id(const struct model *m, stele_bytes id)
{
    for (int i = 0; i < MODEL_IDS; i++) {
        if (stele_bytes_equal(m->ids[i].id, id)) {
            return i;
        }
    }
    return -1;
}

bool docs_model_is_conflict(
        const struct model *m, const char *type, const char *key, stele_bytes owner, stele_bytes id)
{
    int o = find_id(m, owner);
    int i = find_id(m, id);

    for (int t = 0; t < MODEL_TYPES && o >= 0 && i >= 0; t++) {
        for (size_t k = 0; k < m->types[t].key_count; k++) {
            const struct model_key *mine = &docs_model_keys[m->types[t].keys[k]];

            if (strcmp(docs_model_types[t], type) == 0 && strcmp(mine->name, key) == 0) {
                return lost_claims(m, t, mine, i, o) > 0;
            }
        }
    }
    return false;
}
