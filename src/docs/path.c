/* SPDX-License-Identifier: MIT
 *
 * path.c: names and numbers, one after the other.
 */
#include "docs/path.h"

#include "base/alloc.h"
#include "base/error.h"

/* The number that a name is, without leading zeros; SIZE_MAX if it is none that can be used. */
static size_t index_of(const char *name)
{
    size_t index = 0;

    if (name[0] == '\0' || (name[0] == '0' && name[1] != '\0')) {
        return SIZE_MAX;
    }
    for (const char *c = name; *c != '\0'; c++) {
        if (*c < '0' || *c > '9' || index > (SIZE_MAX - 9) / 10 - 1) {
            return SIZE_MAX;
        }
        index = index * 10 + (size_t)(*c - '0');
    }
    return index;
}

stele_code sti_docs_path_compile(struct sti_docs_path *out, const char *text, stele_error *err)
{
    struct sti_docs_path path = {.count = 1};
    char *name;

    for (const char *c = text; *c != '\0'; c++) {
        path.count += *c == '/' ? 1 : 0;
    }
    path.names = sti_strdup(text);
    path.steps = sti_calloc(path.count, sizeof *path.steps);
    if (path.names == NULL || path.steps == NULL) {
        sti_docs_path_free(&path);
        return sti_fail_memory(err, strlen(text));
    }
    name = path.names;
    for (size_t i = 0; i < path.count; i++) {
        char *end = name + strcspn(name, "/");

        *end = '\0';
        path.steps[i] = (struct sti_docs_path_step){.name = name, .index = index_of(name)};
        name = end + 1;
    }
    *out = path;
    return STELE_OK;
}

void sti_docs_path_free(struct sti_docs_path *path)
{
    sti_free(path->names);
    sti_free(path->steps);
    *path = (struct sti_docs_path){.count = 0};
}

/* One step; NULL if there is nothing. */
static const json_t *follow(const json_t *value, const char *name, size_t index)
{
    if (json_is_array(value)) {
        return index == SIZE_MAX ? NULL : json_array_get(value, index);
    }
    return json_object_get(value, name);
}

const json_t *sti_docs_path_find(const struct sti_docs_path *path, const json_t *document)
{
    const json_t *value = document;

    for (size_t i = 0; i < path->count && value != NULL; i++) {
        value = follow(value, path->steps[i].name, path->steps[i].index);
    }
    return value;
}

/* The name that begins at `at`, up to the next "/", without its escapes, with a zero byte; `at`
 * moves to that "/" or to the end. False if an escape is none. */
static bool take_name(stele_bytes pointer, size_t *at, char *name)
{
    size_t len = 0;

    while (*at < pointer.len && pointer.data[*at] != '/') {
        char c = (char)pointer.data[(*at)++];

        if (c == '~') {
            char which = *at < pointer.len ? (char)pointer.data[(*at)++] : '\0';

            if (which != '0' && which != '1') {
                return false;
            }
            c = which == '0' ? '~' : '/';
        }
        name[len++] = c;
    }
    name[len] = '\0';
    return true;
}

stele_code sti_docs_pointer_find(
        const json_t *document, stele_bytes pointer, const json_t **out, stele_error *err)
{
    const json_t *value = document;
    size_t at = 0;
    char *name;

    if (pointer.len > 0 &&
            (pointer.data[0] != '/' || memchr(pointer.data, 0, pointer.len) != NULL)) {
        return sti_fail(err, STELE_EINVAL,
                pointer.data[0] == '/' ? "a JSON pointer with a zero byte"
                                       : "a JSON pointer that does not begin with \"/\"");
    }
    name = sti_malloc(pointer.len + 1);
    if (name == NULL) {
        return sti_fail_memory(err, pointer.len + 1);
    }
    while (at < pointer.len) {
        at++;
        if (!take_name(pointer, &at, name)) {
            sti_free(name);
            return sti_fail(err, STELE_EINVAL,
                    "a JSON pointer with a \"~\" that neither 0 nor 1 follows, after %zu bytes",
                    at);
        }
        /* Go on though there is nothing, to see whether the rest is right. */
        value = value == NULL ? NULL : follow(value, name, index_of(name));
    }
    sti_free(name);
    if (value == NULL) {
        return sti_fail(err, STELE_ENOTFOUND, "the document has nothing at that JSON pointer");
    }
    *out = value;
    return STELE_OK;
}
