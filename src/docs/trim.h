/* SPDX-License-Identifier: MIT
 *
 * trim.h: the horizon, before which the log has only what is still needed.
 */
#ifndef STI_DOCS_TRIM_H
#define STI_DOCS_TRIM_H

#include "docs/state.h"

/* The horizon as a read sees it, in seconds since 1970, at the beginning of a day; 0: none. */
stele_code sti_docs_horizon(stele_store_read *read, int64_t *horizon, stele_error *err);

/* The last epoch of checkpoints below it. */
static inline int64_t sti_docs_horizon_epoch(int64_t horizon)
{
    return horizon / STI_DOCS_DAY_SECONDS;
}

/* Whether an entry of the log has to stay, though it is below the horizon. *dead: it is a deletion
 * that counts, and the ID goes with it. `info` is that of its ID, `next` the version of the entry
 * that follows it in the log of the ID; NULL: none does. */
bool sti_docs_trim_keeps(const struct sti_docs_info *info, struct sti_docs_version version,
        const struct sti_docs_version *next, bool *dead);

#endif /* STI_DOCS_TRIM_H */
