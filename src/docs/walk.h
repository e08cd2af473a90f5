/* SPDX-License-Identifier: MIT
 *
 * walk.h: going over a JSON value, however deep, without recursion.
 *
 * Each array or object that is not done yet has a level; the innermost is the last. The value is
 * not to change meanwhile.
 */
#ifndef STI_DOCS_WALK_H
#define STI_DOCS_WALK_H

#include <stele/bytes.h>

#include <jansson.h>

struct sti_docs_level {
    const json_t *value;
    const char **names; /* of an object, in the order in which they are visited */
    size_t count;
    size_t next;
};

struct sti_docs_walk {
    struct sti_docs_level *levels;
    size_t count;
    size_t capacity;
    bool sorted; /* names in the order of their bytes, rather than as they were set */
};

/* Go into an array or object. STELE_ENOMEM; the walk is to be freed in any case. */
stele_code sti_docs_walk_enter(struct sti_docs_walk *walk, const json_t *value, stele_error *err);

/* The next value of the innermost level and, in an object, its name (NULL in an array); NULL at
 * the level's end, which is then left. There must be a level. */
const json_t *sti_docs_walk_next(struct sti_docs_walk *walk, const char **name);

void sti_docs_walk_free(struct sti_docs_walk *walk);

#endif /* STI_DOCS_WALK_H */
