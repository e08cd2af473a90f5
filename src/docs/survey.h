/* SPDX-License-Identifier: MIT
 *
 * survey.h: whether all that follows from documents and log is there, and nothing else.
 *
 * Making anew asks this first: a database that is whole is gone over once, bucket by bucket in the
 * order of the keys, instead of being looked up key by key. Where two buckets are in different
 * orders, what one should have is compared with what the other has by their sums: a count, and the
 * sum of a hash of 64 bits of each. Chance makes two that differ alike once in 2^64; whoever makes
 * up such sums on purpose can write to the store, and has no need to.
 */
#ifndef STI_DOCS_SURVEY_H
#define STI_DOCS_SURVEY_H

#include "docs/apply.h"
#include "docs/tally.h"

/* A look at everything, at one moment. */
struct sti_docs_survey {
    struct sti_docs_write w; /* no batch: its view is a read */
    bool differs;            /* something is not as it should be */
};

/* *whole: there is nothing to mend. What cannot be read is not whole, and no failure. */
stele_code sti_docs_survey(stele_docs *db, bool *whole, stele_error *err);

/* ---- survey_docs.c ---- */

/* Documents, their versions and claims, the keys they keep, and which of them are not JSON; the
 * index, its conflicts, and when documents end. */
stele_code sti_docs_survey_docs(struct sti_docs_survey *s, stele_error *err);

/* ---- rebuild_sums.c ---- */

/* Checkpoints and aggregates. */
stele_code sti_docs_survey_sums(struct sti_docs_survey *s, stele_error *err);

#endif /* STI_DOCS_SURVEY_H */
