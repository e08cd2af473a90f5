/* SPDX-License-Identifier: MIT
 *
 * buckets.h: the second tree: what belongs to a commit, and the buckets with their counts.
 *
 *     key            value
 *     'b' ‖ name     a bucket
 *     'c'            the commit record
 *     'g' ‖ number   garbage: a bucket that was deleted, whose entries are not yet gone
 *
 * Numbers in values are little endian; the number in a key of garbage is big endian. Each value
 * begins with a version (1) and ends with a CRC-32C over key and value before it.
 *
 *     bucket:  0  1  version       commit:  0   1  version
 *              1  4  number                 1   8  id of the store
 *              5  8  keys                   9   8  generation
 *             13  8  bytes                 17   8  number of the LMDB transaction
 *             21  8  hash                  25   8  seq
 *             29  4  CRC-32C               33   8  last id of the wal that is contained
 *                                          41   8  time, microseconds since 1970
 *     garbage: 0  1  version               49   4  number of the next bucket
 *              1  4  CRC-32C               53   8  number of the next layer
 *                                          61   8  buckets
 *                                          69   8  hash of the buckets
 *                                          77   4  CRC-32C
 *
 * The hash of a bucket is the sum of those of its entries (value.h); the hash of the buckets the
 * sum of one of each record. Bytes are those of keys and values. Numbers of buckets are never used
 * again, so that what is left of a deleted one is never seen, and may go bit by bit.
 */
#ifndef STI_STORE_BUCKETS_H
#define STI_STORE_BUCKETS_H

#include "store/keys.h"
#include "store/lmdb.h"
#include "store/value.h"

struct sti_bucket {
    uint32_t number;
    uint64_t keys;
    uint64_t bytes;
    uint64_t hash;
};

struct sti_commit_record {
    uint64_t store_id;
    uint64_t generation;
    uint64_t txn_id;
    uint64_t seq;
    uint64_t wal_id; /* 0: none */
    int64_t time;
    uint32_t next_bucket;
    uint64_t next_layer;
    uint64_t buckets;
    uint64_t buckets_hash;
};

/* ---- Records, through a transaction. ---- */

/* STELE_ENOTFOUND, without a message · STELE_ECORRUPT · STELE_EVERSION, of all that read. */
stele_code sti_bucket_find(
        struct sti_lmdb_txn *txn, stele_bytes name, struct sti_bucket *out, stele_error *err);
stele_code sti_bucket_write(struct sti_lmdb_txn *txn, stele_bytes name,
        const struct sti_bucket *bucket, stele_error *err);
stele_code sti_bucket_remove(struct sti_lmdb_txn *txn, stele_bytes name, stele_error *err);

/* What a bucket adds to the hash of the buckets. */
uint64_t sti_bucket_hash(stele_bytes name, const struct sti_bucket *bucket);

/* All, in the order of the names, which are borrowed from the transaction. */
stele_code sti_bucket_each(struct sti_lmdb_txn *txn,
        stele_code (*each)(
                void *arg, stele_bytes name, const struct sti_bucket *bucket, stele_error *err),
        void *arg, stele_error *err);

/* Reading verifies that the record was written by the transaction that `txn` sees. */
stele_code sti_commit_record_read(
        struct sti_lmdb_txn *txn, struct sti_commit_record *out, stele_error *err);

/* txn_id is filled in. */
stele_code sti_commit_record_write(
        struct sti_lmdb_txn *txn, struct sti_commit_record *record, stele_error *err);

stele_code sti_garbage_add(struct sti_lmdb_txn *txn, uint32_t number, stele_error *err);
stele_code sti_garbage_remove(struct sti_lmdb_txn *txn, uint32_t number, stele_error *err);

/* The number in a key of the second tree that begins with 'g'; verifies the record. */
stele_code sti_garbage_read(stele_bytes key, stele_bytes value, uint32_t *number, stele_error *err);

/* STELE_ENOTFOUND, without a message: there is none. */
stele_code sti_garbage_first(struct sti_lmdb_txn *txn, uint32_t *number, stele_error *err);

/* ---- All buckets, in memory. ----
 *
 * What the committing thread keeps of the last commit, so that a commit need not read it. */

struct sti_named_bucket {
    struct sti_bucket bucket;
    stele_bytes name; /* in memory of its own */
};

struct sti_buckets {
    struct sti_named_bucket *list; /* by number */
    size_t count;
    size_t capacity;
    struct sti_commit_record commit; /* the last one */
};

/* From a read transaction. Verifies the number of the buckets and their hash. */
stele_code sti_buckets_load(struct sti_buckets **out, struct sti_lmdb_txn *txn, stele_error *err);
void sti_buckets_free(struct sti_buckets *buckets); /* accepts NULL */

/* NULL: none has this number. Valid until one is added or removed. */
struct sti_named_bucket *sti_buckets_find(const struct sti_buckets *buckets, uint32_t number);

/* Make room for more, and add one whose number is larger than all others, for which there is room.
 * `name` is memory that becomes theirs. */
stele_code sti_buckets_reserve(struct sti_buckets *buckets, size_t more, stele_error *err);
void sti_buckets_adopt(
        struct sti_buckets *buckets, const struct sti_bucket *bucket, uint8_t *name, size_t len);

/* Remove those with these numbers, which ascend. */
void sti_buckets_remove(struct sti_buckets *buckets, const uint32_t *numbers, size_t count);

#endif /* STI_STORE_BUCKETS_H */
