/* SPDX-License-Identifier: MIT
 *
 * wal_walk.h: what a store's wal has beyond a commit.
 *
 * Records follow the commit's last id without a gap, and so do the batches in them its seq. What a
 * record has for the second time is passed over.
 */
#ifndef STI_STORE_WAL_WALK_H
#define STI_STORE_WAL_WALK_H

#include <stele/wal.h>

#include "store/buckets.h"
#include "store/table.h"

/* The log cannot end before what the commit says was durable in it: STELE_ECORRUPT. *expected is
 * the id that the next record has, behind those that are walked over. */
stele_code sti_wal_walk_end(stele_wal *wal, const struct sti_commit_record *commit,
        uint64_t *expected, stele_error *err);

/* Each write that is not committed, in order. *last is the seq of the last one, or of the commit.
 * STELE_ECORRUPT · STELE_EVERSION. */
stele_code sti_wal_walk(stele_wal *wal, const struct sti_commit_record *commit,
        stele_code (*each)(void *arg, const struct sti_write *write, stele_error *err), void *arg,
        uint64_t *last, stele_error *err);

#endif /* STI_STORE_WAL_WALK_H */
