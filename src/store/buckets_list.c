/* SPDX-License-Identifier: MIT
 *
 * buckets_list.c: all buckets, in memory.
 *
 * Loading reads them in the order of their names and sorts them by number; after that new ones
 * come at the end.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "store/buckets.h"

enum {
    CAPACITY_MIN = 16
};

static int compare_numbers(const void *a, const void *b)
{
    const struct sti_named_bucket *x = a;
    const struct sti_named_bucket *y = b;

    return x->bucket.number < y->bucket.number ? -1 : x->bucket.number > y->bucket.number;
}

stele_code sti_buckets_reserve(struct sti_buckets *buckets, size_t more, stele_error *err)
{
    size_t capacity = buckets->capacity < CAPACITY_MIN ? CAPACITY_MIN : buckets->capacity;
    struct sti_named_bucket *list;

    if (more <= buckets->capacity - buckets->count) {
        return STELE_OK;
    }
    while (capacity - buckets->count < more) {
        if (capacity > SIZE_MAX / 2 / sizeof *list) {
            return sti_fail_memory(err, SIZE_MAX);
        }
        capacity *= 2;
    }
    list = sti_realloc(buckets->list, capacity, sizeof *list);
    if (list == NULL) {
        return sti_fail_memory(err, capacity * sizeof *list);
    }
    buckets->list = list;
    buckets->capacity = capacity;
    return STELE_OK;
}

static void append(
        struct sti_buckets *buckets, const struct sti_bucket *bucket, uint8_t *name, size_t len)
{
    struct sti_named_bucket *b = &buckets->list[buckets->count++];

    b->bucket = *bucket;
    b->name = stele_bytes_of(name, len);
}

void sti_buckets_adopt(
        struct sti_buckets *buckets, const struct sti_bucket *bucket, uint8_t *name, size_t len)
{
    sti_assert(buckets->count < buckets->capacity);
    sti_assert(buckets->count == 0 ||
               buckets->list[buckets->count - 1].bucket.number < bucket->number);
    append(buckets, bucket, name, len);
}

static stele_code on_bucket(
        void *arg, stele_bytes name, const struct sti_bucket *bucket, stele_error *err)
{
    struct sti_buckets *buckets = arg;
    stele_code code = sti_buckets_reserve(buckets, 1, err);
    uint8_t *copy;

    if (code != STELE_OK) {
        return code;
    }
    copy = sti_malloc(name.len);
    if (copy == NULL) {
        return sti_fail_memory(err, name.len);
    }
    if (name.len > 0) {
        memcpy(copy, name.data, name.len);
    }
    append(buckets, bucket, copy, name.len);
    return STELE_OK;
}

/* What was read against what the commit says. */
static stele_code verify(const struct sti_buckets *buckets, stele_error *err)
{
    uint64_t hash = 0;

    if (buckets->count != buckets->commit.buckets) {
        return sti_fail(err, STELE_ECORRUPT, "there are %zu buckets instead of %llu",
                buckets->count, (unsigned long long)buckets->commit.buckets);
    }
    for (size_t i = 0; i < buckets->count; i++) {
        const struct sti_named_bucket *b = &buckets->list[i];

        hash += sti_bucket_hash(b->name, &b->bucket);
        if (b->bucket.number == 0 || b->bucket.number >= buckets->commit.next_bucket ||
                (i > 0 && buckets->list[i - 1].bucket.number == b->bucket.number)) {
            return sti_fail(err, STELE_ECORRUPT, "a bucket has the number %lu, which cannot be",
                    (unsigned long)b->bucket.number);
        }
    }
    if (hash != buckets->commit.buckets_hash) {
        return sti_fail(err, STELE_ECORRUPT, "the hash of the buckets differs");
    }
    return STELE_OK;
}

stele_code sti_buckets_load(struct sti_buckets **out, struct sti_lmdb_txn *txn, stele_error *err)
{
    struct sti_buckets *buckets = sti_calloc(1, sizeof *buckets);
    stele_code code;

    if (buckets == NULL) {
        return sti_fail_memory(err, sizeof *buckets);
    }
    code = sti_commit_record_read(txn, &buckets->commit, err);
    if (code == STELE_OK) {
        code = sti_bucket_each(txn, on_bucket, buckets, err);
    }
    if (code == STELE_OK && buckets->count > 0) {
        qsort(buckets->list, buckets->count, sizeof *buckets->list, compare_numbers);
    }
    if (code == STELE_OK) {
        code = verify(buckets, err);
    }
    if (code != STELE_OK) {
        sti_buckets_free(buckets);
        return code;
    }
    *out = buckets;
    return STELE_OK;
}

static void free_name(struct sti_named_bucket *b)
{
    sti_free((void *)(uintptr_t)b->name.data);
}

void sti_buckets_free(struct sti_buckets *buckets)
{
    if (buckets != NULL) {
        for (size_t i = 0; i < buckets->count; i++) {
            free_name(&buckets->list[i]);
        }
        sti_free(buckets->list);
        sti_free(buckets);
    }
}

struct sti_named_bucket *sti_buckets_find(const struct sti_buckets *buckets, uint32_t number)
{
    size_t low = 0;
    size_t high = buckets->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (buckets->list[middle].bucket.number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < buckets->count && buckets->list[low].bucket.number == number ? &buckets->list[low]
                                                                              : NULL;
}

void sti_buckets_remove(struct sti_buckets *buckets, const uint32_t *numbers, size_t count)
{
    size_t kept = 0;
    size_t next = 0;

    for (size_t i = 0; i < buckets->count; i++) {
        struct sti_named_bucket *b = &buckets->list[i];

        if (next < count && numbers[next] == b->bucket.number) {
            free_name(b);
            next++;
        } else {
            buckets->list[kept++] = *b;
        }
    }
    sti_assert(next == count);
    buckets->count = kept;
}
