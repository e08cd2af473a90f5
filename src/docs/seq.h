/* SPDX-License-Identifier: MIT
 *
 * seq.h: the numbers that entries get as they come, which are the places of the feed.
 *
 * An entry of a peer may come late, with a version below others that a follower has seen: in the
 * order of versions he would miss it. Numbers are a node's own. Each entry gets the next one, also
 * one that takes the place of another with the same version; none is given twice.
 */
#ifndef STI_DOCS_SEQ_H
#define STI_DOCS_SEQ_H

#include "docs/state.h"

enum {
    STI_DOCS_SEQ_SIZE = 8 /* bytes of a key of the bucket */
};

/* Take up the count where it was; number all entries of a database that had none. */
stele_code sti_docs_seq_load(struct sti_docs_write *w, stele_error *err);

/* Give an entry, by its key in the log, the next number. */
stele_code sti_docs_seq_add(struct sti_docs_write *w, stele_bytes log_key, stele_error *err);

/* Give all entries new numbers, in the order of their versions. */
stele_code sti_docs_seq_renumber(struct sti_docs_write *w, stele_error *err);

/* Whether each number leads to an entry, and there are enough of them. */
stele_code sti_docs_seq_check(stele_store_read *read, bool *fit, stele_error *err);

/* The highest number that was trimmed; 0: none. */
stele_code sti_docs_seq_trimmed(stele_store_read *read, uint64_t *seq, stele_error *err);
stele_code sti_docs_seq_put_trimmed(struct sti_docs_write *w, uint64_t seq, stele_error *err);

/* The last number that was given, as a read sees it. */
stele_code sti_docs_seq_last(stele_store_read *read, uint64_t *seq, stele_error *err);

#endif /* STI_DOCS_SEQ_H */
