/* SPDX-License-Identifier: MIT
 *
 * patch.c: goes over the patch, and keeps for each level the object that it changes.
 */
#include "docs/patch.h"

#include "base/alloc.h"
#include "base/error.h"
#include "docs/walk.h"

struct target {
    json_t *object; /* borrowed */
};

struct merge {
    struct sti_docs_walk walk; /* of the patch */
    struct target *targets;    /* one for each of its levels */
    size_t capacity;
};

static stele_code no_memory(stele_error *err)
{
    return sti_fail(err, STELE_ENOMEM, "JSON: out of memory for a patched document");
}

static stele_code enter(struct merge *merge, json_t *target, const json_t *patch, stele_error *err)
{
    size_t depth = merge->walk.count;

    if (depth == merge->capacity) {
        size_t capacity = depth == 0 ? 16 : depth * 2;
        struct target *targets = sti_realloc(merge->targets, capacity, sizeof *targets);

        if (targets == NULL) {
            return sti_fail_memory(err, capacity * sizeof *targets);
        }
        merge->targets = targets;
        merge->capacity = capacity;
    }
    merge->targets[depth].object = target;
    return sti_docs_walk_enter(&merge->walk, patch, err);
}

static stele_code set_member(json_t *target, const char *name, json_t *value, stele_error *err)
{
    return json_object_set_new(target, name, value) == 0 ? STELE_OK : no_memory(err);
}

/* One member of the innermost level of the patch, or its end. */
static stele_code step(struct merge *merge, stele_error *err)
{
    json_t *target = merge->targets[merge->walk.count - 1].object;
    const char *name;
    const json_t *value = sti_docs_walk_next(&merge->walk, &name);
    json_t *inner;
    stele_code rc = STELE_OK;

    if (value == NULL) {
        return STELE_OK;
    }
    if (json_is_null(value)) {
        (void)json_object_del(target, name); /* fails if it is not there */
        return STELE_OK;
    }
    if (!json_is_object(value)) {
        return set_member(target, name, json_deep_copy(value), err);
    }
    inner = json_object_get(target, name);
    if (!json_is_object(inner)) {
        rc = set_member(target, name, json_object(), err);
        inner = json_object_get(target, name);
    }
    return rc == STELE_OK ? enter(merge, inner, value, err) : rc;
}

stele_code sti_docs_patch(const json_t *target, const json_t *patch, json_t **out, stele_error *err)
{
    struct merge merge = {.targets = NULL};
    json_t *result;
    stele_code rc;

    if (!json_is_object(patch)) {
        return sti_fail(err, STELE_EINVAL, "a patch that is not an object");
    }
    result = json_is_object(target) ? json_deep_copy(target) : json_object();
    if (result == NULL) {
        return no_memory(err);
    }
    rc = enter(&merge, result, patch, err);
    while (rc == STELE_OK && merge.walk.count > 0) {
        rc = step(&merge, err);
    }
    sti_docs_walk_free(&merge.walk);
    sti_free(merge.targets);
    if (rc != STELE_OK) {
        json_decref(result);
        return rc;
    }
    *out = result;
    return STELE_OK;
}
