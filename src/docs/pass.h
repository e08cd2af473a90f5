/* SPDX-License-Identifier: MIT
 *
 * pass.h: going over a bucket and changing what is there, in batches between which others write.
 */
#ifndef STI_DOCS_PASS_H
#define STI_DOCS_PASS_H

#include "docs/state.h"

enum {
    STI_DOCS_PASS_KEYS = 256 /* in a batch */
};

/* The key is the pass's until it returns; the batch is that of `w`. */
typedef stele_code (*sti_docs_pass_fn)(
        void *arg, struct sti_docs_write *w, stele_bytes key, stele_error *err);

/* Each key of [start, end) of a bucket, in order, also those that come while it goes; `end` nil: to
 * the last. Batches that have ended stay when a later one fails. */
stele_code sti_docs_pass(stele_docs *db, enum sti_docs_bucket bucket, stele_bytes start,
        stele_bytes end, sti_docs_pass_fn each, void *arg, stele_error *err);

#endif /* STI_DOCS_PASS_H */
