/* SPDX-License-Identifier: MIT
 *
 * docs_model.h: documents as a plain map, looked through from end to end.
 *
 * It keeps the entries of each ID, and of each type its definition. All else is found by going over
 * them whenever somebody asks: what a document is, who claims a unique key and since when, what a
 * search has to find. Nothing of it is kept, so that nothing can be out of date.
 */
#ifndef TESTS_MODEL_DOCS_MODEL_H
#define TESTS_MODEL_DOCS_MODEL_H

#include "docs/entry.h"
#include "model/docs_values.h"

enum {
    MODEL_IDS = 40,
    MODEL_TYPES = 3,
    MODEL_INVALID = MODEL_TYPES, /* without "@type" */
    MODEL_TYPES_ALL,
    MODEL_FIELDS = 6, /* of a document: b, u, n, w, a, q */
    MODEL_KEYS = 12,  /* that a type may have */
    MODEL_KEY_FIELDS = 3,
    MODEL_ENTRIES = 512, /* of one ID */
    MODEL_JSON_SIZE = (MODEL_FIELDS + 1) * DOCS_VALUE_TEXT_SIZE,
    MODEL_TUPLES = DOCS_ELEMENTS * DOCS_ELEMENTS
};

/* What a document says. */
struct model_doc {
    int type;
    int fields[MODEL_FIELDS];
    bool unreadable; /* JSON that our parser refuses */
};

struct model_entry {
    struct sti_docs_rank rank;
    struct model_doc doc; /* of a set */
    char *json;
    size_t json_len;
};

/* What a type may have as a key. */
struct model_key {
    const char *name;
    size_t field_count;
    int fields[MODEL_KEY_FIELDS];
    enum sti_docs_order orders[MODEL_KEY_FIELDS];
    bool unique;
    bool array;
    const char *text; /* its definition, ' for " */
};

extern const struct model_key docs_model_keys[MODEL_KEYS];
extern const char *const docs_model_fields[MODEL_FIELDS];
extern const char *const docs_model_types[MODEL_TYPES_ALL];

struct model_id {
    stele_bytes id;
    size_t count;
    struct model_entry entries[MODEL_ENTRIES]; /* by version */
};

struct model {
    struct model_id ids[MODEL_IDS]; /* by ID */

    struct model_type {
        bool registered;
        size_t key_count;
        int keys[MODEL_KEYS]; /* of docs_model_keys, in the order of the definition */
    } types[MODEL_TYPES_ALL];
};

/* ---- docs_model.c ---- */

void docs_model_init(struct model *m);
void docs_model_free(struct model *m);

/* Forget all entries; types stay. */
void docs_model_clear(struct model *m);

/* The JSON of a document; `serial` tells it from others that are equal. */
size_t docs_model_json(const struct model_doc *doc, uint64_t serial, char out[MODEL_JSON_SIZE]);

/* What an entry does. */
enum model_added {
    MODEL_CURRENT,
    MODEL_LATE,
    MODEL_KNOWN
};

enum model_added docs_model_add(struct model *m, unsigned id, const struct sti_docs_entry *entry,
        const struct model_doc *doc);

/* Take the newest entry of an ID away again. */
void docs_model_undo(struct model *m, unsigned id);

/* The document that is there; NULL: none. */
const struct model_entry *docs_model_now(const struct model *m, unsigned id);

/* ---- docs_model_keys.c ---- */

/* The values of a key's fields, as far as they are there. */
struct model_tuple {
    size_t count;
    int values[MODEL_KEY_FIELDS];
};

/* Those of a document, no two equal; none if its first field is missing. */
size_t docs_model_tuples(const struct model_key *key, const struct model_doc *doc,
        struct model_tuple out[MODEL_TUPLES]);

int docs_model_compare_tuples(
        const struct model_key *key, const struct model_tuple *a, const struct model_tuple *b);

/* Whether only one document can own it. */
bool docs_model_is_unique(const struct model_key *key, const struct model_tuple *tuple);

/* Who owns a unique tuple of a type; -1: nobody. */
int docs_model_owner(const struct model *m, int type, const struct model_key *key,
        const struct model_tuple *tuple);

/* Whether somebody else owns a unique key of a document. */
bool docs_model_is_refused(const struct model *m, unsigned id, const struct model_doc *doc);

/* How many documents claim a key that another one owns, each counted once for each claim; and
 * whether this is one of them. */
size_t docs_model_conflicts(const struct model *m);
bool docs_model_is_conflict(const struct model *m, const char *type, const char *key,
        stele_bytes owner, stele_bytes id);

/* ---- docs_model_find.c ---- */

struct model_search {
    int type;
    const struct model_key *key; /* NULL: all of the type */
    size_t match_count;
    int match[MODEL_KEY_FIELDS];
    bool bounded;
    int low; /* DOCS_VALUE_NONE: no bound */
    int high;
    bool low_open;
    bool high_open;
    int prefix; /* DOCS_VALUE_NONE: none */
    bool backward;
};

/* The key that is taken where none is named; NULL: the search has no fields. */
const struct model_key *docs_model_best(const struct model *m, const struct model_search *s);

/* The IDs that it finds, in order. */
size_t docs_model_find(
        const struct model *m, const struct model_search *s, unsigned out[MODEL_IDS]);

#endif /* TESTS_MODEL_DOCS_MODEL_H */
