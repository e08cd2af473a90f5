/* SPDX-License-Identifier: MIT
 *
 * kit.h: an LMDB environment in a directory of its own, and keys to put into it.
 */
#ifndef TESTS_UNIT_STORE_LMDB_KIT_H
#define TESTS_UNIT_STORE_LMDB_KIT_H

#include "lib/check.h"
#include "lib/tmpdir.h"
#include "store/apply.h"
#include "store/buckets.h"
#include "store/generation.h"
#include "store/lmdb.h"

struct kit {
    struct tmpdir tmp;
    struct sti_dir dir;
    struct sti_lmdb *lmdb; /* of gen-1; NULL while closed */
    struct sti_buckets *buckets;
    uint64_t seq;
    uint64_t random;
};

/* A store's generation 1, opened, without syncs. */
int kit_set_up(void **state);
int kit_tear_down(void **state);

void kit_close(struct kit *k);
void kit_open(struct kit *k);

/* A sequence of numbers that depends on the seed in k->random alone. */
uint64_t kit_random(struct kit *k, uint64_t below);

/* "what 000042" */
stele_bytes kit_numbered(char out[32], const char *what, unsigned n);

struct sti_apply *kit_begin(struct kit *k);

/* Commit an apply, with the next seq. */
void kit_commit(struct kit *k, struct sti_apply *apply);

/* Make a bucket with the next number. */
uint32_t kit_bucket(struct kit *k, const char *name);

/* Read a bucket to its end, and compare its record with what it holds: the code that a reader would
 * get. */
stele_code kit_verify(
        struct kit *k, struct sti_lmdb_txn *txn, const struct sti_bucket *bucket, stele_error *err);

/* The same for all buckets, from the commit record on. */
stele_code kit_verify_all(struct kit *k, stele_error *err);

/* What is on disk is whole, and what is in memory is the same. */
void kit_check_whole(struct kit *k);

/* The bucket with this number, as it is in memory. */
struct sti_bucket *kit_find(struct kit *k, uint32_t number);

#endif /* TESTS_UNIT_STORE_LMDB_KIT_H */
