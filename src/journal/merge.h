/* SPDX-License-Identifier: MIT
 *
 * merge.h: operations in, those that still count out: pure, without any file.
 *
 * The output has a fixed order, so the same state gives the same operations, whatever came before:
 * the settings of the whole, the settings of keys, plain keys, then tree by tree their
 * subkeys; each by ascending bytes, nil before empty. All are put or config. An operation goes out
 * as its encoding came in. Where the caller keeps the bytes (a map) nothing is copied; else those
 * of the keys that live are. Memory is in proportion to the keys that live, not to the operations.
 *
 * Keys come from outside: the hash is SipHash-1-3 under a seed (base/map.h); nothing that
 * can be seen depends on it.
 */
#ifndef STI_JOURNAL_MERGE_H
#define STI_JOURNAL_MERGE_H

#include "journal/op.h"

struct sti_journal_merge;

/* `copies`: the bytes that are added are the caller's again when the call is over; without, they
 * stay until the merge is freed. */
stele_code sti_journal_merge_new(
        struct sti_journal_merge **out, const uint64_t seed[2], bool copies, stele_error *err);
void sti_journal_merge_free(struct sti_journal_merge *m); /* accepts NULL */

/* `op` is the decoded `encoded`, and points into it (its settings excepted). After STELE_ENOMEM the
 * merge can only be freed. */
stele_code sti_journal_merge_add(struct sti_journal_merge *m, const stele_journal_op *op,
        stele_bytes encoded, stele_error *err);

/* Before the next two: what was added may not be in yet, since look-ups are begun ahead. Failures
 * as above. */
stele_code sti_journal_merge_settle(struct sti_journal_merge *m, stele_error *err);

/* How many operations would go out now. */
uint64_t sti_journal_merge_count(const struct sti_journal_merge *m);

/* Hand out the encodings, in order. */
stele_code sti_journal_merge_each(struct sti_journal_merge *m,
        stele_code (*each)(void *arg, stele_bytes encoded, stele_error *err), void *arg,
        stele_error *err);

#endif /* STI_JOURNAL_MERGE_H */
