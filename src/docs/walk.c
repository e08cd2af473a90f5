/* SPDX-License-Identifier: MIT
 *
 * walk.c: a stack of arrays and objects.
 */
#include "docs/walk.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"

static int compare_names(const void *a, const void *b)
{
    /* Names hold no zero byte: the parser refuses them. */
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* jansson's iterators want an object that is not const, which they do not change. */
static json_t *unlocked(const json_t *value)
{
    return (json_t *)(uintptr_t)value;
}

static stele_code take_names(struct sti_docs_level *level, bool sorted, stele_error *err)
{
    void *iter = json_object_iter(unlocked(level->value));
    size_t count = json_object_size(level->value);

    level->names = (const char **)sti_calloc(count, sizeof *level->names);
    if (level->names == NULL) {
        return sti_fail_memory(err, count * sizeof *level->names);
    }
    for (size_t i = 0; i < count && iter != NULL; i++) {
        level->names[i] = json_object_iter_key(iter);
        iter = json_object_iter_next(unlocked(level->value), iter);
    }
    if (sorted) {
        qsort((void *)level->names, count, sizeof *level->names, compare_names);
    }
    level->count = count;
    return STELE_OK;
}

stele_code sti_docs_walk_enter(struct sti_docs_walk *walk, const json_t *value, stele_error *err)
{
    struct sti_docs_level *level;

    if (walk->count == walk->capacity) {
        size_t capacity = walk->capacity == 0 ? 16 : walk->capacity * 2;
        struct sti_docs_level *levels = sti_realloc(walk->levels, capacity, sizeof *levels);

        if (levels == NULL) {
            return sti_fail_memory(err, capacity * sizeof *levels);
        }
        walk->levels = levels;
        walk->capacity = capacity;
    }
    level = &walk->levels[walk->count++];
    *level = (struct sti_docs_level){.value = value, .count = json_array_size(value)};
    return json_is_object(value) ? take_names(level, walk->sorted, err) : STELE_OK;
}

const json_t *sti_docs_walk_next(struct sti_docs_walk *walk, const char **name)
{
    struct sti_docs_level *level = &walk->levels[walk->count - 1];
    const json_t *value;

    sti_debug_assert(walk->count > 0);
    *name = NULL;
    if (level->next == level->count) {
        sti_free((void *)level->names);
        walk->count--;
        return NULL;
    }
    if (level->names == NULL) {
        value = json_array_get(level->value, level->next);
    } else {
        *name = level->names[level->next];
        value = json_object_get(level->value, *name);
    }
    level->next++;
    return value;
}

void sti_docs_walk_free(struct sti_docs_walk *walk)
{
    while (walk->count > 0) {
        walk->count--;
        sti_free((void *)walk->levels[walk->count].names);
    }
    sti_free(walk->levels);
    *walk = (struct sti_docs_walk){.levels = NULL};
}
