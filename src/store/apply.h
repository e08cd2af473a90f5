/* SPDX-License-Identifier: MIT
 *
 * apply.h: a sorted list of writes as one LMDB transaction.
 *
 * Order of the calls: begin; drops; creates; puts and deletes, ascending by bucket and, for speed,
 * by key; commit or abort. Drops and creates ascend by bucket, too. After a failure of any call but
 * commit, abort.
 *
 * The counts and hashes of each bucket that is touched follow from what the writes replaced, and
 * are written with the commit record. `buckets` is changed once LMDB's commit has succeeded: a
 * failed one leaves it as it was, and the same writes can be applied again.
 *
 * Of a bucket that is dropped only the record goes. Its entries are removed by later commits,
 * some thousand by each, so that no commit takes long.
 *
 * From begin to commit or abort all is one thread's.
 */
#ifndef STI_STORE_APPLY_H
#define STI_STORE_APPLY_H

#include "store/buckets.h"
#include "store/tree.h"

struct sti_apply;

/* `buckets` is what sti_buckets_load() gave, kept up to date by every commit since. */
stele_code sti_apply_begin(struct sti_apply **out, struct sti_lmdb *lmdb,
        struct sti_buckets *buckets, stele_error *err);

/* Delete a bucket. STELE_ENOTFOUND. */
stele_code sti_apply_drop(struct sti_apply *apply, uint32_t bucket, stele_error *err);

/* Make one. Its number is not less than the next one of the commit record. */
stele_code sti_apply_create(
        struct sti_apply *apply, uint32_t bucket, stele_bytes name, stele_error *err);

/* STELE_ENOTFOUND: no such bucket. */
stele_code sti_apply_put(struct sti_apply *apply, uint32_t bucket, stele_bytes key,
        stele_bytes value, stele_error *err);
stele_code sti_apply_delete(
        struct sti_apply *apply, uint32_t bucket, stele_bytes key, stele_error *err);

struct sti_apply_mark {
    uint64_t seq;
    uint64_t wal_id;
    int64_t time;
    uint32_t next_bucket; /* at least behind the largest that was created */
};

/* Frees it, also on failure. The codes of sti_lmdb_commit(). */
stele_code sti_apply_commit(
        struct sti_apply *apply, const struct sti_apply_mark *mark, stele_error *err);
void sti_apply_abort(struct sti_apply *apply); /* accepts NULL */

#endif /* STI_STORE_APPLY_H */
