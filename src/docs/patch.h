/* SPDX-License-Identifier: MIT
 *
 * patch.h: changing some members of a document, by a merge patch (RFC 7396).
 */
#ifndef STI_DOCS_PATCH_H
#define STI_DOCS_PATCH_H

#include <stele/bytes.h>

#include <jansson.h>

/* A new value: `target` with each member of `patch` set or, where that is null, removed, and so
 * within objects. A target that is no object, or NULL, counts as {}. The patch must be an object
 * (STELE_EINVAL), since a document is one. STELE_ENOMEM. To be let go with json_decref(). */
stele_code sti_docs_patch(
        const json_t *target, const json_t *patch, json_t **out, stele_error *err);

#endif /* STI_DOCS_PATCH_H */
