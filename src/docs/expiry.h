/* SPDX-License-Identifier: MIT
 *
 * expiry.h: when documents end by themselves.
 *
 * The definition of a type can name a field with a time. From that time on reads do not see the
 * document, and local changes take it for deleted. Its delete entry is made later, by
 * stele_docs_expire() or by a change that finds it in its way, on as many nodes as like to: all of
 * them make the same bytes, since the version is the time of the expiry with the server of the
 * document's version. state.h says what of a document that had expired when it was set.
 */
#ifndef STI_DOCS_EXPIRY_H
#define STI_DOCS_EXPIRY_H

#include "docs/state.h"

/* ---- Pure. ---- */

/* Below 0, 0 or above 0. */
int sti_docs_time_compare(struct sti_docs_time a, struct sti_docs_time b);

/* The time at which a document ends, by the definition of its type; false: it does not. Either may
 * be NULL. */
bool sti_docs_expiry_of(
        const struct sti_docs_kind *kind, const json_t *document, struct sti_docs_time *out);

/* The version of the delete entry of a document, which may be the variable of the result.
 * STELE_ETOOBIG at the end of time. */
stele_code sti_docs_expiry_version(struct sti_docs_time expiry, struct sti_docs_version document,
        struct sti_docs_version *out, stele_error *err);

/* ---- What the store holds. ---- */

/* The time at which a document ends. */
stele_code sti_docs_expiry_read(stele_store_read *read, stele_bytes id, struct sti_docs_time *out,
        bool *found, stele_error *err);

/* Whether it has ended at `now`; cheap where nothing ever does. */
stele_code sti_docs_is_expired(stele_docs *db, stele_store_read *read, stele_bytes id,
        struct sti_docs_time now, bool *expired, stele_error *err);

/* Let a document end at a time, in place of the one before; NULL: never. */
stele_code sti_docs_expiry_replace(struct sti_docs_write *w, stele_bytes id,
        const struct sti_docs_time *expiry, stele_error *err);

/* The two keys of a document in exp, in place of what the buffer holds; `expiry` NULL: the one that
 * says when. */
stele_code sti_docs_expiry_key(
        stele_bytes id, const struct sti_docs_time *expiry, stele_buf *out, stele_error *err);

/* What a pair of exp says. STELE_ECORRUPT. */
stele_code sti_docs_expiry_split(
        stele_bytes key, stele_bytes value, struct sti_docs_time *time, stele_bytes *id);

/* The value of the one that says when. */
enum {
    STI_DOCS_EXPIRY_VALUE_SIZE = 1 + 8 + 4
};

void sti_docs_expiry_value(uint8_t out[STI_DOCS_EXPIRY_VALUE_SIZE], struct sti_docs_time expiry);

/* The first of those who claim a unique key and have not ended. The cursor is over idx. */
stele_code sti_docs_live_owner(stele_docs *db, stele_store_read *read, struct sti_docs_time now,
        stele_store_cursor *cursor, stele_bytes claim, stele_bytes *id, bool *found,
        stele_error *err);

/* ---- expire.c ---- */

/* If a document has ended, make its delete entry. */
stele_code sti_docs_expire_one(
        struct sti_docs_write *w, stele_bytes id, bool *expired, stele_error *err);

#endif /* STI_DOCS_EXPIRY_H */
