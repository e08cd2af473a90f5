/* SPDX-License-Identifier: MIT
 *
 * value.h: documents as JSON values.
 *
 * A document that is set here has to be one that every node can read: a JSON object, UTF-8, with
 * different names in each object, numbers of int64_t or finite doubles, and within the limits.
 *
 * A peer, or a backup, may bring what this parser refuses, and it must be kept: it is a document
 * without a value, of the type "invalid". Whether it is one must not depend on the options of a
 * node, or nodes would hold different indexes; so the limits for it are fixed.
 */
#ifndef STI_DOCS_VALUE_H
#define STI_DOCS_VALUE_H

#include "json/json.h"

#include <jansson.h>

enum {
    STI_DOCS_SIZE_DEFAULT = 16 << 20, /* limits where options do not say others */
    STI_DOCS_DEPTH_DEFAULT = 128,
    STI_DOCS_PEER_SIZE_MAX = 128 << 20, /* limits for what comes from others */
    STI_DOCS_PEER_DEPTH_MAX = 2048
};

#define STI_DOCS_TYPE_INVALID "invalid"

/* A document, or the arguments of a search: a JSON object, to be let go with json_decref().
 * STELE_EINVAL for what is none, STELE_ETOOBIG for the limits, STELE_ENOMEM. */
stele_code sti_docs_value_parse(
        stele_bytes text, const struct sti_json_rules *limits, json_t **out, stele_error *err);

/* A document from elsewhere; *out becomes NULL if it is refused. Fails with STELE_ENOMEM alone. */
stele_code sti_docs_value_of_peer(stele_bytes text, json_t **out, stele_error *err);

/* The type of a document: its member "@type" if that is a string, otherwise "invalid", as for
 * NULL. It may hold any character. Valid as long as the document is and is not changed. */
stele_bytes sti_docs_value_type(const json_t *document);

/* Append a value as text: without blanks, members in the order in which they were, strings as Go
 * writes them (json/json.h), reals with the fewest digits that give the same number. */
stele_code sti_docs_value_print(const json_t *value, stele_buf *out, stele_error *err);

#endif /* STI_DOCS_VALUE_H */
