/* SPDX-License-Identifier: MIT
 *
 * kit.c: an LMDB environment in a directory of its own.
 */
#include "kit.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>

static const struct sti_generation first = {.number = 1, .store_id = 0x1234567890abcdef};

void kit_open(struct kit *k)
{
    const struct sti_lmdb_options options = {.no_sync = true};
    struct sti_lmdb_txn *txn;
    stele_error err;

    CHECK_OK(sti_generation_open(&k->lmdb, &k->dir, 1, false, &options, &err), &err);
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, &err), &err);
    CHECK_OK(sti_buckets_load(&k->buckets, txn, &err), &err);
    sti_lmdb_abort(txn);
}

void kit_close(struct kit *k)
{
    sti_buckets_free(k->buckets);
    sti_lmdb_close(k->lmdb);
    k->buckets = NULL;
    k->lmdb = NULL;
}

int kit_set_up(void **state)
{
    struct kit *k = calloc(1, sizeof *k);
    stele_error err;

    assert_non_null(k);
    k->random = 1;
    tmpdir_make(&k->tmp);
    CHECK_OK(sti_dir_open(&k->dir, NULL, k->tmp.path, STELE_OPEN_READ, &err), &err);
    CHECK_OK(sti_generation_make(&k->dir, NULL, &first, &err), &err);
    CHECK_OK(sti_generation_finish(&k->dir, NULL, &first, &err), &err);
    kit_open(k);
    *state = k;
    return 0;
}

int kit_tear_down(void **state)
{
    struct kit *k = *state;

    kit_close(k);
    sti_dir_close(&k->dir);
    tmpdir_remove(&k->tmp);
    free(k);
    return 0;
}

uint64_t kit_random(struct kit *k, uint64_t below)
{
    uint64_t x = k->random += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (x ^ (x >> 31)) % below;
}

void kit_commit(struct kit *k, struct sti_apply *apply)
{
    struct sti_apply_mark mark = {.seq = k->seq + 1, .wal_id = 2 * k->seq + 2, .time = 7};

    stele_error err;

    CHECK_OK(sti_apply_commit(apply, &mark, &err), &err);
    k->seq++;
}

uint32_t kit_bucket(struct kit *k, const char *name)
{
    struct sti_apply_mark mark = {.seq = k->seq + 1, .wal_id = 2 * k->seq + 2, .time = 7};

    uint32_t number = k->buckets->commit.next_bucket;
    struct sti_apply *apply;
    stele_error err;

    mark.next_bucket = number + 1;
    CHECK_OK(sti_apply_begin(&apply, k->lmdb, k->buckets, &err), &err);
    CHECK_OK(sti_apply_create(apply, number, stele_str(name), &err), &err);
    CHECK_OK(sti_apply_commit(apply, &mark, &err), &err);
    k->seq++;
    return number;
}

static stele_code add_up(struct sti_tree_cursor *c, struct sti_bucket *sum, stele_error *err)
{
    stele_code code;

    while ((code = sti_tree_next(c, err)) == STELE_OK) {
        struct sti_value_mark mark;
        stele_bytes value;

        code = sti_tree_value(c, &value, err);
        if (code == STELE_OK) {
            code = sti_value_mark(&mark, c->stored, err);
        }
        if (code != STELE_OK) {
            return code;
        }
        sum->keys++;
        sum->bytes += c->key.len + value.len;
        sum->hash += sti_value_hash(&mark);
    }
    return code == STELE_END ? STELE_OK : code;
}

stele_code kit_verify(
        struct kit *k, struct sti_lmdb_txn *txn, const struct sti_bucket *bucket, stele_error *err)
{
    struct sti_bucket sum = {.number = bucket->number};
    struct sti_lmdb_cursor *raw;
    struct sti_tree_cursor c;
    stele_code code = sti_lmdb_cursor_open(&raw, txn, STI_LMDB_DATA, err);

    (void)k;
    if (code != STELE_OK) {
        return code;
    }
    sti_tree_cursor_init(&c, raw, bucket->number);
    code = add_up(&c, &sum, err);
    sti_tree_cursor_free(&c);
    sti_lmdb_cursor_close(raw);
    if (code != STELE_OK) {
        return code;
    }
    if (sum.keys != bucket->keys || sum.bytes != bucket->bytes || sum.hash != bucket->hash) {
        return sti_fail(err, STELE_ECORRUPT, "bucket %u has %llu keys instead of %llu",
                bucket->number, (unsigned long long)sum.keys, (unsigned long long)bucket->keys);
    }
    return STELE_OK;
}

stele_code kit_verify_all(struct kit *k, stele_error *err)
{
    struct sti_buckets *buckets = NULL;
    struct sti_lmdb_txn *txn;
    stele_code code = sti_lmdb_begin(&txn, k->lmdb, false, err);

    if (code != STELE_OK) {
        return code;
    }
    code = sti_buckets_load(&buckets, txn, err);
    for (size_t i = 0; code == STELE_OK && i < buckets->count; i++) {
        code = kit_verify(k, txn, &buckets->list[i].bucket, err);
    }
    sti_buckets_free(buckets);
    sti_lmdb_abort(txn);
    return code;
}

struct sti_apply *kit_begin(struct kit *k)
{
    struct sti_apply *a = NULL;
    stele_error err;

    CHECK_OK(sti_apply_begin(&a, k->lmdb, k->buckets, &err), &err);
    return a;
}

stele_bytes kit_numbered(char out[32], const char *what, unsigned n)
{
    int len = snprintf(out, 32, "%s %06u", what, n);

    return stele_bytes_of(out, (size_t)len);
}

void kit_check_whole(struct kit *k)
{
    struct sti_buckets *again = NULL;
    struct sti_lmdb_txn *txn;
    stele_error err;

    CHECK_OK(kit_verify_all(k, &err), &err);
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, &err), &err);
    CHECK_OK(sti_buckets_load(&again, txn, &err), &err);
    sti_lmdb_abort(txn);
    assert_int_equal(again->count, k->buckets->count);
    assert_memory_equal(&again->commit, &k->buckets->commit, sizeof again->commit);
    for (size_t i = 0; i < again->count; i++) {
        assert_memory_equal(
                &again->list[i].bucket, &k->buckets->list[i].bucket, sizeof again->list[i].bucket);
        CHECK_BYTES(again->list[i].name, k->buckets->list[i].name);
    }
    sti_buckets_free(again);
}

struct sti_bucket *kit_find(struct kit *k, uint32_t number)
{
    struct sti_named_bucket *b = sti_buckets_find(k->buckets, number);

    assert_non_null(b);
    return &b->bucket;
}
