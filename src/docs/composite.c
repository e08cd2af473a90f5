/* SPDX-License-Identifier: MIT
 *
 * composite.c: the text of an array or object, however deep, in a loop.
 *
 * Each array or object that is not done yet has a level: what is next of it. The names of an
 * object are sorted when its level begins.
 */
#include "docs/order.h"

#include "base/alloc.h"
#include "base/error.h"

struct level {
    const json_t *value;
    const char **names; /* of an object, sorted; NULL otherwise */
    size_t count;
    size_t next;
};

struct walk {
    struct level *levels;
    size_t count;
    size_t capacity;
};

static int compare_names(const void *a, const void *b)
{
    /* Names hold no zero byte: the parser refuses them. */
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static stele_code sort_names(struct level *level, stele_error *err)
{
    void *iter = json_object_iter((json_t *)(uintptr_t)level->value);
    size_t count = json_object_size(level->value);

    level->names = (const char **)sti_calloc(count, sizeof *level->names);
    if (level->names == NULL) {
        return sti_fail_memory(err, count * sizeof *level->names);
    }
    for (size_t i = 0; i < count && iter != NULL; i++) {
        level->names[i] = json_object_iter_key(iter);
        iter = json_object_iter_next((json_t *)(uintptr_t)level->value, iter);
    }
    qsort((void *)level->names, count, sizeof *level->names, compare_names);
    level->count = count;
    return STELE_OK;
}

static stele_code enter(struct walk *walk, const json_t *value, stele_error *err)
{
    struct level *level;

    if (walk->count == walk->capacity) {
        size_t capacity = walk->capacity == 0 ? 16 : walk->capacity * 2;
        struct level *levels = sti_realloc(walk->levels, capacity, sizeof *levels);

        if (levels == NULL) {
            return sti_fail_memory(err, capacity * sizeof *levels);
        }
        walk->levels = levels;
        walk->capacity = capacity;
    }
    level = &walk->levels[walk->count++];
    *level = (struct level){.value = value, .count = json_array_size(value)};
    return json_is_object(value) ? sort_names(level, err) : STELE_OK;
}

static void leave(struct walk *walk)
{
    sti_free((void *)walk->levels[--walk->count].names);
}

/* The next value of the innermost level, the name of which, if it has one, is appended. */
static stele_code next_value(
        struct level *level, stele_buf *out, const json_t **value, stele_error *err)
{
    const char *name;

    if (level->names == NULL) {
        *value = json_array_get(level->value, level->next++);
        return STELE_OK;
    }
    name = level->names[level->next++];
    *value = json_object_get(level->value, name);
    return sti_docs_put_text(STI_DOCS_TAG_STRING, stele_str(name), out, err);
}

/* One value of the innermost level, or its end. */
static stele_code step(struct walk *walk, stele_buf *out, stele_error *err)
{
    static const uint8_t end = STI_DOCS_TAG_END;
    struct level *level = &walk->levels[walk->count - 1];
    const json_t *value = NULL;
    uint8_t tag;
    stele_code rc;

    if (level->next == level->count) {
        leave(walk);
        return stele_buf_append(out, stele_bytes_of(&end, 1), err);
    }
    rc = next_value(level, out, &value, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (!json_is_array(value) && !json_is_object(value)) {
        return sti_docs_put_scalar(value, out, err);
    }
    tag = json_is_array(value) ? STI_DOCS_TAG_ARRAY : STI_DOCS_TAG_OBJECT;
    rc = stele_buf_append(out, stele_bytes_of(&tag, 1), err);
    return rc == STELE_OK ? enter(walk, value, err) : rc;
}

stele_code sti_docs_put_composite(const json_t *value, stele_buf *out, stele_error *err)
{
    struct walk walk = {.levels = NULL};
    stele_code rc = enter(&walk, value, err);

    while (rc == STELE_OK && walk.count > 0) {
        rc = step(&walk, out, err);
    }
    while (walk.count > 0) {
        leave(&walk);
    }
    sti_free(walk.levels);
    return rc;
}
