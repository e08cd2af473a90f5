/* SPDX-License-Identifier: MIT
 *
 * owner.c: the smallest claim owns.
 */
#include "docs/owner.h"

#include "base/assert.h"

int sti_docs_claimant_compare(const struct sti_docs_claimant *a, const struct sti_docs_claimant *b)
{
    int order = sti_docs_version_compare(a->version, b->version);

    return order != 0 ? order : stele_bytes_compare(a->id, b->id);
}

size_t sti_docs_owner_of(const struct sti_docs_claimant *claimants, size_t count)
{
    size_t owner = 0;

    sti_assert(count > 0);
    for (size_t i = 1; i < count; i++) {
        if (sti_docs_owner_yields(&claimants[owner], &claimants[i])) {
            owner = i;
        }
    }
    return owner;
}

bool sti_docs_owner_yields(
        const struct sti_docs_claimant *owner, const struct sti_docs_claimant *claimant)
{
    return owner == NULL || sti_docs_claimant_compare(claimant, owner) < 0;
}
