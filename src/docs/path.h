/* SPDX-License-Identifier: MIT
 *
 * path.h: places within a document.
 *
 * A field's path is names with "/" between them, "a/b/0": each leads into a member of an object
 * or, if it is a number without leading zeros, to an element of an array, counted from 0. It has
 * no escapes, as the reference has none: members whose names have a "/" cannot be fields. A name
 * may be empty. Paths are compiled once and then applied to many documents.
 *
 * A pointer is that of RFC 6901: "" or "/a/b/0", with "~1" for "/" and "~0" for "~". It comes from
 * callers and is applied as it stands.
 */
#ifndef STI_DOCS_PATH_H
#define STI_DOCS_PATH_H

#include <stele/bytes.h>

#include <jansson.h>

/* Zero-initialised may be freed. */
struct sti_docs_path {
    char *names; /* each with its zero byte */
    struct sti_docs_path_step *steps;
    size_t count;
};

struct sti_docs_path_step {
    const char *name;
    size_t index; /* of an element; SIZE_MAX if the name is no number */
};

stele_code sti_docs_path_compile(struct sti_docs_path *out, const char *text, stele_error *err);
void sti_docs_path_free(struct sti_docs_path *path);

/* What is there, borrowed from the document; NULL if nothing is. */
const json_t *sti_docs_path_find(const struct sti_docs_path *path, const json_t *document);

/* The same for a pointer. STELE_EINVAL if it is none, STELE_ENOTFOUND, STELE_ENOMEM. */
stele_code sti_docs_pointer_find(
        const json_t *document, stele_bytes pointer, const json_t **out, stele_error *err);

#endif /* STI_DOCS_PATH_H */
