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

/* Does any garbage remain? */
stele_code sti_commit_look_for_garbage(stele_store *s, stele_error *err);

#endif /* STI_STORE_COMMIT_APPLY_H */
