/* SPDX-License-Identifier: MIT
 *
 * iter.h: going over what a search finds, or over documents by their IDs.
 *
 * An iterator has a read of the store of its own, and so sees one state. It moves a cursor over
 * idx, or over dat, within [start, end). Nothing is remembered of what was given: a document that
 * has several keys in the part that is searched is given with the first of them, as kdt has them,
 * so that a search that is resumed gives none twice either.
 */
#ifndef STI_DOCS_ITER_H
#define STI_DOCS_ITER_H

#include "docs/plan.h"
#include "docs/state.h"

enum sti_docs_iter_place {
    STI_DOCS_ITER_BEFORE, /* all, in the direction of the iterator */
    STI_DOCS_ITER_AT,     /* where the cursor is */
    STI_DOCS_ITER_BEHIND, /* all */
    STI_DOCS_ITER_SOUGHT  /* before the key that was sought */
};

struct stele_docs_iter {
    stele_docs *db;
    stele_store_read *read;
    stele_store_cursor *cursor;
    stele_store_cursor *owners; /* of searches: over idx as well, once there is a conflict */
    struct sti_docs_time now;   /* of the wall, when it began */
    bool search;
    bool may_repeat;
    bool backward;
    enum sti_docs_iter_place place;
    stele_code failed; /* it cannot be used any more */
    uint64_t left;     /* documents that may still be given */
    stele_buf start;   /* of what is searched */
    stele_buf end;
    stele_buf moved;   /* the side of it that is elsewhere, since a search is resumed */
    stele_bytes low;   /* the part that is gone over */
    stele_bytes high;  /* the first one behind */
    bool to_end;       /* there is no such one */
    stele_buf sought;  /* a key, if that is the place */
    stele_bytes given; /* the document that was given last; nil: none */
    stele_buf token;   /* the key of the index that was given last; nil: none */
};

/* An iterator at its beginning, with a read, whose cursor is over the bucket; all else is the
 * caller's to set. To be stopped, unless that fails; one that is new is to be ended. */
stele_code sti_docs_iter_start(
        stele_docs_iter *it, stele_docs *db, enum sti_docs_bucket bucket, stele_error *err);
void sti_docs_iter_stop(stele_docs_iter *it);
stele_code sti_docs_iter_new(
        stele_docs_iter **out, stele_docs *db, enum sti_docs_bucket bucket, stele_error *err);

#endif /* STI_DOCS_ITER_H */
