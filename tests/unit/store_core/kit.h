/* SPDX-License-Identifier: MIT
 *
 * kit.h: a store in a directory of its own, and short ways to write and read.
 *
 * Names, keys and values are C strings here; what fails ends the test.
 */
#ifndef TESTS_UNIT_STORE_CORE_KIT_H
#define TESTS_UNIT_STORE_CORE_KIT_H

#include <stele/store.h>

#include "lib/check.h"
#include "lib/tmpdir.h"

struct kit {
    struct tmpdir tmp;
    stele_store_options options; /* of open; no sync and no thread at first */
    stele_store *s;              /* NULL while closed */
};

/* Opened, without a thread, so that commits are where the test wants them. */
int kit_set_up(void **state);
int kit_tear_down(void **state);
void kit_open(struct kit *k);
void kit_close(struct kit *k);

stele_store_batch *kit_begin(struct kit *k);
void kit_end(stele_store_batch *b);
void kit_create(stele_store_batch *b, const char *bucket);
void kit_put(stele_store_batch *b, const char *bucket, const char *key, const char *value);
void kit_delete(stele_store_batch *b, const char *bucket, const char *key);

/* One write in a batch of its own; the bucket is made. */
void kit_put_one(struct kit *k, const char *bucket, const char *key, const char *value);
void kit_commit(struct kit *k);

stele_store_read *kit_read(struct kit *k);

/* What a read has for a key, NULL: that there is none. */
void kit_check(stele_store_read *r, const char *bucket, const char *key, const char *value);

/* All of a bucket is "a=1 b=2", forwards, backwards, by a cursor, and by its count; NULL: there is
 * no such bucket. */
void kit_check_all(stele_store_read *r, const char *bucket, const char *all);

/* The same of a read that begins now. */
void kit_check_now(struct kit *k, const char *bucket, const char *all);

#endif /* TESTS_UNIT_STORE_CORE_KIT_H */
