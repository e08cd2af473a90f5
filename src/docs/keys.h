/* SPDX-License-Identifier: MIT
 *
 * keys.h: all keys by which an index finds a document.
 *
 * A key of the index is
 *
 * | at | size | what |
 * | --- | --- | --- |
 * | 0 | 4 BE | number of the type, local to a node |
 * | 4 | 2 BE | number of the key within the type, from 1; 0: the entry that each document has |
 * | 6 | … | the fields of the key (order.h), of the entry none |
 * | … | 1 | 01 |
 * | … | … | the id of the document, as it is |
 *
 * Fields say themselves where they end, and 01 is no field's beginning. So what is before the id
 * needs no further care, and the id, which is last, none at all: keys whose fields are equal
 * differ in their ids and sort by them, and nobody's fields or ids can pass for another's.
 *
 * What is before the id is the key's *claim*: for a unique key, that is what only one document can
 * own. A claim is unique if the definition says so, all fields are there, and none is null: null,
 * though it is indexed, holds no place, as the reference has it.
 *
 * A document whose first field is missing has no such key; where a later one is missing, it is
 * indexed by those before it. A key with `array` takes each element of a field that is an array;
 * elements that are equal in the index count once, and an array without elements is missing. With
 * several such fields, each is combined with each.
 *
 * This can be more than is good. A document that is set here is refused then; one of a peer cannot
 * be, and goes without that key. The bounds are fixed, so that all nodes agree.
 *
 * All of this is a pure function of its arguments.
 */
#ifndef STI_DOCS_KEYS_H
#define STI_DOCS_KEYS_H

#include "docs/collate.h"
#include "docs/entry.h"
#include "docs/path.h"
#include "docs/type.h"

enum {
    STI_DOCS_COMBINATIONS_MAX = 4096,  /* index keys of one document for one key */
    STI_DOCS_KEYS_SIZE_MAX = 64 << 20, /* bytes of all index keys of a document */
    STI_DOCS_INDEX_HEAD = 6            /* bytes before the fields */
};

/* A definition, ready for use. */
struct sti_docs_indexer {
    uint32_t type_number;
    const struct sti_docs_type *type;         /* borrowed; NULL: not known, so no keys */
    const struct sti_docs_collator *collator; /* borrowed */
    struct sti_docs_path *paths;              /* of all fields of all keys, one after the other */
    size_t path_count;
};

/* Type and collator are borrowed until it is freed. The type keeps to its limits. Any number of
 * threads may use one at once. STELE_ENOMEM. */
stele_code sti_docs_indexer_init(struct sti_docs_indexer *out, uint32_t type_number,
        const struct sti_docs_type *type, const struct sti_docs_collator *collator,
        stele_error *err);
void sti_docs_indexer_free(struct sti_docs_indexer *indexer);

struct sti_docs_index_key {
    stele_bytes bytes; /* the whole; valid until the keys are filled again or freed */
    size_t claim_len;  /* what of it is before the id */
    uint16_t number;   /* of the key; 0: the entry */
    bool complete;     /* all fields are there */
    bool unique;       /* only one document can own what is before the id */
};

/* The keys of one document. Zero-initialised is empty, and may be freed. */
struct sti_docs_index_keys {
    struct sti_docs_index_key *items; /* ascending by their bytes, all different */
    size_t count;
    size_t skipped; /* keys of the type for which there would have been too many */

    size_t capacity; /* the rest is keys.c's own */
    stele_buf bytes;
};

/* Fill `keys`, whatever was in it, with those of a document; a document of NULL, which is one that
 * could not be read, has the entry alone. If there are too many, STELE_ETOOBIG naming the key, or,
 * with skip_excess, they are left out and counted. STELE_ENOMEM, STELE_ENOTSUP. */
stele_code sti_docs_index_keys_fill(struct sti_docs_index_keys *keys,
        const struct sti_docs_indexer *indexer, const json_t *document, stele_bytes id,
        bool skip_excess, stele_error *err);

/* Add to them those by another definition, whose number is above the one of the first. On failure
 * there are none. */
stele_code sti_docs_index_keys_add(struct sti_docs_index_keys *keys,
        const struct sti_docs_indexer *indexer, const json_t *document, stele_bytes id,
        bool skip_excess, stele_error *err);
void sti_docs_index_keys_free(struct sti_docs_index_keys *keys);

/* What a key of the index consists of. */
struct sti_docs_index_parts {
    uint32_t type_number;
    uint16_t number;
    size_t field_count;
    size_t claim_len;
    stele_bytes id; /* within the key */
};

/* Take a key apart. STELE_ECORRUPT if it is none. */
stele_code sti_docs_index_split(
        stele_bytes key, struct sti_docs_index_parts *out, stele_error *err);

/* Append the first six bytes. */
stele_code sti_docs_index_head(
        uint32_t type_number, uint16_t number, stele_buf *out, stele_error *err);

#endif /* STI_DOCS_KEYS_H */
