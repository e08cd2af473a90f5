/* SPDX-License-Identifier: MIT
 *
 * owner.h: who owns a unique key.
 *
 * Every live document that holds a unique key claims it (docs/info.h); the one with the smallest
 * claim, by version and then by ID, owns it. The others stay readable by their IDs, and are listed
 * as conflicts. When the owner goes, the next one follows: who owns depends on the claims there
 * are, and not on how they came.
 */
#ifndef STI_DOCS_OWNER_H
#define STI_DOCS_OWNER_H

#include "docs/version.h"

struct sti_docs_claimant {
    struct sti_docs_version version; /* of its claim */
    stele_bytes id;
};

/* Below 0, 0 or above 0. 0 means the same document. */
int sti_docs_claimant_compare(const struct sti_docs_claimant *a, const struct sti_docs_claimant *b);

/* The place of the owner among one or more. */
size_t sti_docs_owner_of(const struct sti_docs_claimant *claimants, size_t count);

/* Whether a claimant takes the key from its owner, who stays if it is himself. NULL: nobody owns
 * it. */
bool sti_docs_owner_yields(
        const struct sti_docs_claimant *owner, const struct sti_docs_claimant *claimant);

#endif /* STI_DOCS_OWNER_H */
