/* SPDX-License-Identifier: MIT
 *
 * scrub.h: all that a transaction sees, read and compared with its checksums, counts and hashes.
 */
#ifndef STI_STORE_SCRUB_H
#define STI_STORE_SCRUB_H

#include "store/deadline.h"
#include "store/faults.h"
#include "store/generation.h"

enum {
    STI_DATA_NAME_SIZE = STI_GENERATION_NAME_SIZE + 16
};

/* "gen-N/data.mdb" */
void sti_data_name(char out[STI_DATA_NAME_SIZE], uint64_t generation);

/* Verify the commit record, the buckets, and every entry. `expected` (may be NULL): the generation
 * and store that it must be. Faults are told; what is returned otherwise is why the rest could not
 * be looked at. */
stele_code sti_scrub(struct sti_faults *faults, struct sti_lmdb_txn *txn,
        const struct sti_generation *expected, const struct sti_deadline *deadline,
        stele_error *err);

#endif /* STI_STORE_SCRUB_H */
