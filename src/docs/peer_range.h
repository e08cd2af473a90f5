/* SPDX-License-Identifier: MIT
 *
 * peer_range.h: a range of the log as whole seconds, of which sums are stored, and what is over.
 */
#ifndef STI_DOCS_PEER_RANGE_H
#define STI_DOCS_PEER_RANGE_H

#include "docs/peer.h"
#include "docs/state.h"

enum {
    STI_DOCS_SECOND_KEY_SIZE = 8
};

/* The keys of one second at most, in part. */
struct sti_docs_span {
    bool any;
    uint8_t low_bytes[STI_DOCS_SECOND_KEY_SIZE];
    uint8_t high_bytes[STI_DOCS_SECOND_KEY_SIZE];
    stele_bytes low; /* a view of these, or of a bound */
    stele_bytes high;
};

/* Views into itself: it stays where it is. */
struct sti_docs_parts {
    struct sti_docs_span first;
    int64_t from; /* whole seconds, up to but not with `to` */
    int64_t to;
    struct sti_docs_span last;
};

/* A range that begins at the horizon or behind it. */
void sti_docs_parts_make(struct sti_docs_parts *out, const struct sti_docs_view *view,
        stele_bytes low, stele_bytes high);

/* Going over whole seconds in steps as large as there are sums. */
struct sti_docs_walk {
    stele_store_cursor *sums;
    int64_t at;
    int64_t end;
    struct sti_docs_aggregate sum; /* of what is behind us */
};

/* Go on to the end, or to the second with which the count would be more than `limit`: *count is how
 * many that has, else 0. */
stele_code sti_docs_walk_on(
        struct sti_docs_walk *walk, uint64_t limit, uint64_t *count, stele_error *err);

/* The pairs of the log in a range. */
stele_code sti_docs_span_pairs(const struct sti_docs_view *view, stele_bytes low, stele_bytes high,
        stele_store_pair_fn each, void *arg, stele_error *err);

/* Add what the keys of a span add up to; `hashed` false: no more than how many they are. */
stele_code sti_docs_span_sum(const struct sti_docs_view *view, const struct sti_docs_span *span,
        bool hashed, struct sti_docs_aggregate *sum, stele_error *err);

stele_code sti_docs_hash_of(stele_bytes entry, uint8_t out[STI_DOCS_HASH_SIZE], stele_error *err);

#endif /* STI_DOCS_PEER_RANGE_H */
