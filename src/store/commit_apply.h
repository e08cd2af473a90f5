/* SPDX-License-Identifier: MIT
 *
 * commit_apply.h: a frozen table as one LMDB transaction.
 */
#ifndef STI_STORE_COMMIT_APPLY_H
#define STI_STORE_COMMIT_APPLY_H

#include "store/state.h"

/* Commit the frozen table, if there is one, and some garbage. By whoever set `committing`.
 * *in_doubt: it failed in LMDB's commit. */
stele_code sti_commit_apply(stele_store *s, bool *in_doubt, stele_error *err);

/* Its drops, new buckets and writes, between the begin and the commit of a transaction. `buckets`
 * are those of the transaction. */
stele_code sti_commit_put_table(struct sti_apply *apply, const struct sti_buckets *buckets,
        const struct sti_table *t, stele_error *err);

/* Does any garbage remain? */
stele_code sti_commit_look_for_garbage(stele_store *s, stele_error *err);

#endif /* STI_STORE_COMMIT_APPLY_H */
