/* SPDX-License-Identifier: MIT
 *
 * content.h: a store with something of everything, and what it looks like as one number.
 */
#ifndef TESTS_UNIT_STORE_DEFRAG_CONTENT_H
#define TESTS_UNIT_STORE_DEFRAG_CONTENT_H

#include "kit.h"

/* Short and long keys that share what they begin with, the empty key, small and large values, an
 * empty bucket, one that was dropped, and many writes that were taken back: all committed. */
void content_fill(struct kit *k, unsigned rounds);

/* Of all buckets, keys and values that a read sees now. */
uint32_t content_hash(stele_store *s);
uint32_t content_hash_of(stele_store_read *r);

stele_store_stats content_stat(stele_store *s);

/* The only generation there is has this number, and nothing is left over. */
void content_check_files(struct kit *k, uint64_t generation);

#endif /* TESTS_UNIT_STORE_DEFRAG_CONTENT_H */
