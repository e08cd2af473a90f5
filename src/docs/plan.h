/* SPDX-License-Identifier: MIT
 *
 * plan.h: which part of an index answers a search.
 *
 * A search names fields and their values, in any order, and may bound one more field. A key fits
 * if its first fields are just those, and the bounded one, if there is one, is the next. Of the
 * keys that fit, one with no further fields is taken before those with some, then one with fewer
 * fields, then the one that stands first in the definition. Without fields and bounds, all
 * documents of the type are found.
 *
 * Values are held equal as the key's orders hold them (order.h), whether they come from a document
 * or a search; 1 finds 1.0, and "x" does not find "x1". A key with further fields also finds
 * documents that lack those.
 *
 * Bounds stay within a kind: what is at least 5 is a number, and no string. The kinds are null,
 * booleans, numbers, strings, times, arrays, objects.
 *
 * The answer are the keys of the index in [start, end), in their order or backwards. To resume
 * behind a key, that key itself is the token.
 */
#ifndef STI_DOCS_PLAN_H
#define STI_DOCS_PLAN_H

#include "docs/keys.h"

/* Zero-initialised finds all documents of a type. */
struct sti_docs_search {
    const json_t *match;     /* an object of paths and values; NULL: none */
    const char *key;         /* the key to take; NULL: the best */
    const char *bound_field; /* the path that low, high or prefix are about; NULL: none */
    const json_t *low;       /* NULL: no bound on this side */
    const json_t *high;
    bool low_open;      /* low itself is not found */
    bool high_open;     /* high itself is not found */
    stele_bytes prefix; /* what strings have to begin with, UTF-8, instead of low and high */
};

/* Zero-initialised may be freed. */
struct sti_docs_plan {
    const struct sti_docs_key *key; /* NULL: the entries that all documents have */
    uint16_t number;
    bool single;     /* one document at most owns what is found */
    bool may_repeat; /* a document may be found more than once: its elements are */
    stele_buf start;
    stele_buf end; /* equal to start, or below it: nothing can be found */
};

/* STELE_EINVAL if no key fits, with a list of the keys there are, and for bounds that make no
 * sense; STELE_ETOOBIG for a bound so long that an index holds it cut; STELE_ENOMEM, STELE_ENOTSUP.
 * The definition is borrowed from the indexer. */
stele_code sti_docs_plan_make(struct sti_docs_plan *out, const struct sti_docs_indexer *indexer,
        const struct sti_docs_search *search, stele_error *err);
void sti_docs_plan_free(struct sti_docs_plan *plan);

/* Leave what was found up to a key of the index, in one direction. STELE_EINVAL if the search did
 * not find that key. */
stele_code sti_docs_plan_resume(
        struct sti_docs_plan *plan, stele_bytes token, bool backward, stele_error *err);

#endif /* STI_DOCS_PLAN_H */
