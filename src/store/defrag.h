/* SPDX-License-Identifier: MIT
 *
 * defrag.h: the parts of a defragmentation.
 */
#ifndef STI_STORE_DEFRAG_H
#define STI_STORE_DEFRAG_H

#include "store/state.h"

/* Asked now and then: other than STELE_OK ends the work. */
struct sti_go_on {
    stele_code (*ask)(void *arg, stele_error *err);
    void *arg;
};

/* ---- defrag_copy.c ---- */

/* Copy everything that a read transaction sees, but for what is left of dropped buckets, into an
 * environment without trees, and verify every checksum, and counts and hashes, on the way.
 * `buckets` are those of the transaction; `generation` goes into the commit record. */
stele_code sti_defrag_copy(struct sti_lmdb *to, struct sti_lmdb_txn *from,
        const struct sti_buckets *buckets, uint64_t generation, const struct sti_go_on *go_on,
        stele_error *err);

/* After this failure of a transaction: true if the map was too small and is larger now, so that it
 * can be tried again. Nobody else uses the environment. */
bool sti_defrag_grow(struct sti_lmdb *lmdb, stele_code *code, stele_error *err);

/* ---- defrag_kept.c ---- */

/* Keep every table that is committed from now on, or none any more. By who commits. */
void sti_store_kept_begin(stele_store *s) STI_EXCLUDES(s->write);
void sti_store_kept_end(stele_store *s) STI_EXCLUDES(s->write);

/* The oldest, NULL if there is none, which stays; and letting go of it. */
struct sti_store_table *sti_store_kept_first(stele_store *s) STI_EXCLUDES(s->write);
void sti_store_kept_done(stele_store *s) STI_EXCLUDES(s->write);

#endif /* STI_STORE_DEFRAG_H */
