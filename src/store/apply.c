/* SPDX-License-Identifier: MIT
 *
 * apply.c: puts and deletes in one transaction, with what they change in the counts.
 *
 * The buckets that a commit changes are kept in `changes`: first those that it creates, with a
 * copy of the name, then the others, each by number, with their new records.
 */
#include "store/apply.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"

enum {
    GARBAGE_AT_ONCE = 4096, /* LMDB entries of dropped buckets that one commit removes */
    CAPACITY_MIN = 8
};

struct change {
    struct sti_bucket now;
    stele_bytes name; /* that of the bucket before, or `copy` */
    uint8_t *copy;    /* of a new bucket; else NULL */
    uint64_t hash_before;
};

struct sti_apply {
    struct sti_buckets *buckets;
    struct sti_lmdb_txn *txn;
    struct sti_tree_writer writer;

    uint32_t *dropped;
    size_t dropped_count;
    size_t dropped_capacity;
    uint64_t dropped_hash; /* sum of what they were to the hash of the buckets */

    struct change *changes;
    size_t change_count;
    size_t change_capacity;
    size_t created; /* how many of them; they come first */
    size_t latest;  /* the one that the last write was for */
};

stele_code sti_apply_begin(struct sti_apply **out, struct sti_lmdb *lmdb,
        struct sti_buckets *buckets, stele_error *err)
{
    struct sti_apply *a = sti_calloc(1, sizeof *a);
    stele_code code;

    if (a == NULL) {
        return sti_fail_memory(err, sizeof *a);
    }
    a->buckets = buckets;
    a->writer.next_layer = buckets->commit.next_layer;
    code = sti_lmdb_begin(&a->txn, lmdb, true, err);
    if (code == STELE_OK) {
        code = sti_lmdb_cursor_open(&a->writer.raw, a->txn, STI_LMDB_DATA, err);
    }
    if (code == STELE_OK && sti_lmdb_txn_id(a->txn) != buckets->commit.txn_id + 1) {
        code = sti_fail(err, STELE_ECORRUPT, "LMDB's next transaction is %llu instead of %llu",
                (unsigned long long)sti_lmdb_txn_id(a->txn),
                (unsigned long long)buckets->commit.txn_id + 1);
    }
    if (code != STELE_OK) {
        sti_apply_abort(a);
        return code;
    }
    *out = a;
    return STELE_OK;
}

static void free_apply(struct sti_apply *a)
{
    for (size_t i = 0; i < a->change_count; i++) {
        sti_free(a->changes[i].copy);
    }
    sti_free(a->changes);
    sti_free(a->dropped);
    sti_free(a);
}

void sti_apply_abort(struct sti_apply *apply)
{
    if (apply != NULL) {
        sti_lmdb_abort(apply->txn);
        free_apply(apply);
    }
}

/* Room for one more in a list. */
static stele_code make_room(
        void **list, size_t *capacity, size_t count, size_t size, stele_error *err)
{
    size_t larger = *capacity < CAPACITY_MIN ? CAPACITY_MIN : *capacity * 2;
    void *p;

    if (count < *capacity) {
        return STELE_OK;
    }
    p = sti_realloc(*list, larger, size);
    if (p == NULL) {
        return sti_fail_memory(err, larger * size);
    }
    *list = p;
    *capacity = larger;
    return STELE_OK;
}

static int compare_numbers(const void *a, const void *b)
{
    const uint32_t *x = a;
    const uint32_t *y = b;

    return *x < *y ? -1 : *x > *y;
}

static bool is_dropped(const struct sti_apply *a, uint32_t bucket)
{
    return a->dropped_count > 0 &&
           bsearch(&bucket, a->dropped, a->dropped_count, sizeof bucket, compare_numbers) != NULL;
}

static stele_code fail_bucket(stele_error *err, uint32_t bucket)
{
    return sti_fail(err, STELE_ENOTFOUND, "there is no bucket number %lu", (unsigned long)bucket);
}

static stele_code add_change(struct sti_apply *a, struct change **out, stele_error *err)
{
    void *list = a->changes;
    stele_code code =
            make_room(&list, &a->change_capacity, a->change_count, sizeof *a->changes, err);

    a->changes = list;
    if (code == STELE_OK) {
        *out = &a->changes[a->change_count];
        **out = (struct change){.copy = NULL};
    }
    return code;
}

stele_code sti_apply_drop(struct sti_apply *apply, uint32_t bucket, stele_error *err)
{
    const struct sti_named_bucket *b = sti_buckets_find(apply->buckets, bucket);
    void *list = apply->dropped;
    stele_code code;

    sti_assert(apply->change_count == 0);
    sti_assert(apply->dropped_count == 0 || apply->dropped[apply->dropped_count - 1] < bucket);
    if (b == NULL || is_dropped(apply, bucket)) {
        return fail_bucket(err, bucket);
    }
    code = make_room(
            &list, &apply->dropped_capacity, apply->dropped_count, sizeof *apply->dropped, err);
    apply->dropped = list;
    if (code == STELE_OK) {
        code = sti_bucket_remove(apply->txn, b->name, err);
    }
    if (code == STELE_ENOTFOUND) {
        return sti_fail(err, STELE_ECORRUPT, "the record of bucket number %lu is missing",
                (unsigned long)bucket);
    }
    if (code == STELE_OK) {
        code = sti_garbage_add(apply->txn, bucket, err);
    }
    if (code == STELE_OK) {
        apply->dropped[apply->dropped_count++] = bucket;
        apply->dropped_hash += sti_bucket_hash(b->name, &b->bucket);
    }
    return code;
}

stele_code sti_apply_create(
        struct sti_apply *apply, uint32_t bucket, stele_bytes name, stele_error *err)
{
    struct change *c;
    stele_code code = add_change(apply, &c, err);

    sti_assert(apply->created == apply->change_count);
    sti_assert(bucket >= apply->buckets->commit.next_bucket);
    sti_assert(bucket < STI_BUCKET_LIMIT);
    sti_assert(apply->created == 0 || apply->changes[apply->created - 1].now.number < bucket);
    if (code != STELE_OK) {
        return code;
    }
    c->copy = sti_malloc(name.len);
    if (c->copy == NULL) {
        return sti_fail_memory(err, name.len);
    }
    if (name.len > 0) {
        memcpy(c->copy, name.data, name.len);
    }
    c->name = stele_bytes_of(c->copy, name.len);
    c->now.number = bucket;
    apply->change_count++;
    apply->created++;
    return STELE_OK;
}

/* The change of a bucket that was there before. Writes come in the order of the buckets. */
static stele_code touch(struct sti_apply *a, uint32_t bucket, stele_error *err)
{
    const struct sti_named_bucket *b = sti_buckets_find(a->buckets, bucket);
    struct change *c;
    stele_code code;

    sti_assert(
            a->change_count == a->created || a->changes[a->change_count - 1].now.number < bucket);
    if (b == NULL || is_dropped(a, bucket)) {
        return fail_bucket(err, bucket);
    }
    code = add_change(a, &c, err);
    if (code != STELE_OK) {
        return code;
    }
    c->now = b->bucket;
    c->name = b->name;
    c->hash_before = sti_bucket_hash(b->name, &b->bucket);
    a->latest = a->change_count++;
    return STELE_OK;
}

/* The change of a bucket that this commit creates. */
static stele_code find_created(struct sti_apply *a, uint32_t bucket, stele_error *err)
{
    size_t low = 0;
    size_t high = a->created;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (a->changes[middle].now.number < bucket) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == a->created || a->changes[low].now.number != bucket) {
        return fail_bucket(err, bucket);
    }
    a->latest = low;
    return STELE_OK;
}

static stele_code change_of(
        struct sti_apply *a, uint32_t bucket, struct change **out, stele_error *err)
{
    stele_code code = STELE_OK;

    if (a->change_count == 0 || a->changes[a->latest].now.number != bucket) {
        code = bucket >= a->buckets->commit.next_bucket ? find_created(a, bucket, err)
                                                        : touch(a, bucket, err);
    }
    if (code == STELE_OK) {
        *out = &a->changes[a->latest];
    }
    return code;
}

static void forget_old(struct change *c, stele_bytes key, const struct sti_tree_old *old)
{
    if (old->there) {
        c->now.keys -= STI_MUTANT(STORE_COUNTS_KEPT) ? 0U : 1U;
        c->now.bytes -= key.len + old->mark.len;
        c->now.hash -= STI_MUTANT(STORE_HASH_KEPT) ? 0U : sti_value_hash(&old->mark);
    }
}

stele_code sti_apply_put(struct sti_apply *apply, uint32_t bucket, stele_bytes key,
        stele_bytes value, stele_error *err)
{
    struct sti_value_mark mark;
    struct sti_tree_old old;
    struct change *c;
    stele_code code = change_of(apply, bucket, &c, err);

    if (code == STELE_OK) {
        code = sti_tree_put(&apply->writer, bucket, key, value, &mark, &old, err);
    }
    if (code == STELE_OK) {
        forget_old(c, key, &old);
        c->now.keys++;
        c->now.bytes += key.len + value.len;
        c->now.hash += sti_value_hash(&mark);
    }
    return code;
}

stele_code sti_apply_delete(
        struct sti_apply *apply, uint32_t bucket, stele_bytes key, stele_error *err)
{
    struct sti_tree_old old;
    struct change *c;
    stele_code code = change_of(apply, bucket, &c, err);

    if (code == STELE_OK) {
        code = sti_tree_delete(&apply->writer, bucket, key, &old, err);
    }
    if (code == STELE_OK) {
        forget_old(c, key, &old);
    }
    return code;
}

/* ---- Commit. ---- */

static stele_code collect_garbage(struct sti_apply *a, stele_error *err)
{
    uint64_t budget = GARBAGE_AT_ONCE;

    while (budget > 0) {
        uint32_t bucket = 0;
        bool done = false;
        stele_code code = sti_garbage_first(a->txn, &bucket, err);

        if (code == STELE_ENOTFOUND) {
            return STELE_OK;
        }
        if (code == STELE_OK) {
            code = sti_tree_clear(&a->writer, bucket, &budget, &done, err);
        }
        if (code == STELE_OK && !done) {
            return STELE_OK;
        }
        if (code == STELE_OK) {
            code = sti_garbage_remove(a->txn, bucket, err);
        }
        if (code != STELE_OK) {
            return code;
        }
    }
    return STELE_OK;
}

/* Write all records, and make what the commit record will be. */
static stele_code write_records(struct sti_apply *a, const struct sti_apply_mark *mark,
        struct sti_commit_record *record, stele_error *err)
{
    stele_code code = STELE_OK;

    *record = a->buckets->commit;
    record->buckets += a->created;
    record->buckets -= a->dropped_count;
    record->buckets_hash -= a->dropped_hash;
    for (size_t i = 0; i < a->change_count && code == STELE_OK; i++) {
        const struct change *c = &a->changes[i];

        record->buckets_hash += sti_bucket_hash(c->name, &c->now) - c->hash_before;
        code = sti_bucket_write(a->txn, c->name, &c->now, err);
    }
    if (code == STELE_OK) {
        code = collect_garbage(a, err);
    }
    if (code != STELE_OK) {
        return code;
    }
    record->seq = mark->seq;
    record->wal_id = mark->wal_id;
    record->time = mark->time;
    if (!STI_MUTANT(STORE_LAYERS_GIVEN_TWICE)) {
        record->next_layer = a->writer.next_layer;
    }
    if (mark->next_bucket > record->next_bucket) {
        record->next_bucket = mark->next_bucket;
    }
    sti_assert(a->created == 0 || a->changes[a->created - 1].now.number < record->next_bucket);
    return sti_commit_record_write(a->txn, record, err);
}

/* After LMDB's commit nothing may fail: names and room are there already. */
static void take_over(struct sti_apply *a, const struct sti_commit_record *record)
{
    struct sti_buckets *buckets = a->buckets;

    sti_buckets_remove(buckets, a->dropped, a->dropped_count);
    for (size_t i = 0; i < a->change_count; i++) {
        struct change *c = &a->changes[i];

        if (c->copy != NULL) {
            sti_buckets_adopt(buckets, &c->now, c->copy, c->name.len);
            c->copy = NULL;
        } else {
            sti_buckets_find(buckets, c->now.number)->bucket = c->now;
        }
    }
    buckets->commit = *record;
}

stele_code sti_apply_commit(
        struct sti_apply *apply, const struct sti_apply_mark *mark, stele_error *err)
{
    struct sti_commit_record record;
    stele_code code = sti_buckets_reserve(apply->buckets, apply->created, err);

    if (code == STELE_OK) {
        code = write_records(apply, mark, &record, err);
    }
    if (code != STELE_OK) {
        sti_apply_abort(apply);
        return code;
    }
    code = sti_lmdb_commit(apply->txn, err);
    if (code == STELE_OK) {
        take_over(apply, &record);
    }
    free_apply(apply);
    return code;
}
