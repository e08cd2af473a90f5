/* SPDX-License-Identifier: MIT
 *
 * apply_test.c: commits: what they write, count, and leave as it was.
 */
#include "store/apply.h"

#include "base/alloc.h"
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>

static void put_range(
        struct sti_apply *a, uint32_t bucket, unsigned first, unsigned count, const char *value)
{
    char key[32];
    stele_error err;

    for (unsigned i = first; i < first + count; i++) {
        CHECK_OK(sti_apply_put(a, bucket, kit_numbered(key, "key", i), stele_str(value), &err),
                &err);
    }
}

static uint64_t entries(struct kit *k)
{
    struct sti_lmdb_stat stat;
    struct sti_lmdb_txn *txn;
    stele_error err;

    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, &err), &err);
    CHECK_OK(sti_lmdb_stat(txn, &stat, &err), &err);
    sti_lmdb_abort(txn);
    return stat.entries;
}

static void test_counts_follow_the_writes(void **state)
{
    struct kit *k = *state;
    uint32_t b = kit_bucket(k, "b");
    struct sti_apply *a = kit_begin(k);
    stele_error err;

    put_range(a, b, 0, 100, "12345");
    kit_commit(k, a);
    assert_int_equal(kit_find(k, b)->keys, 100);
    assert_int_equal(kit_find(k, b)->bytes, 100 * (10 + 5));
    kit_check_whole(k);
    a = kit_begin(k);
    put_range(a, b, 50, 100, "1");
    CHECK_OK(sti_apply_delete(a, b, stele_str("key 000000"), &err), &err);
    CHECK_OK(sti_apply_delete(a, b, stele_str("key 000000"), &err), &err);
    CHECK_OK(sti_apply_delete(a, b, stele_str("nothing"), &err), &err);
    kit_commit(k, a);
    assert_int_equal(kit_find(k, b)->keys, 149);
    assert_int_equal(kit_find(k, b)->bytes, 49 * 15 + 100 * 11);
    kit_check_whole(k);
    kit_close(k);
    kit_open(k);
    kit_check_whole(k);
    a = kit_begin(k);
    for (unsigned i = 0; i < 150; i++) {
        char key[32];

        CHECK_OK(sti_apply_delete(a, b, kit_numbered(key, "key", i), &err), &err);
    }
    kit_commit(k, a);
    assert_int_equal(kit_find(k, b)->keys, 0);
    assert_int_equal(kit_find(k, b)->bytes, 0);
    assert_true(kit_find(k, b)->hash == 0);
    assert_int_equal(entries(k), 0);
    kit_check_whole(k);
}

static void test_the_hash_does_not_depend_on_the_way(void **state)
{
    struct kit *k = *state;
    uint32_t b = kit_bucket(k, "b");
    struct sti_apply *a = kit_begin(k);
    uint64_t hash;
    stele_error err;

    put_range(a, b, 0, 50, "x");
    put_range(a, b, 50, 50, "y");
    kit_commit(k, a);
    hash = kit_find(k, b)->hash;
    assert_true(hash != 0);
    a = kit_begin(k);
    put_range(a, b, 0, 100, "something else");
    kit_commit(k, a);
    assert_true(kit_find(k, b)->hash != hash);
    a = kit_begin(k);
    put_range(a, b, 50, 60, "y");
    put_range(a, b, 0, 50, "x");
    for (unsigned i = 100; i < 110; i++) {
        char key[32];

        CHECK_OK(sti_apply_delete(a, b, kit_numbered(key, "key", i), &err), &err);
    }
    kit_commit(k, a);
    assert_true(kit_find(k, b)->hash == hash);
    kit_check_whole(k);
}

static void test_the_commit_record(void **state)
{
    struct kit *k = *state;
    const struct sti_apply_mark mark = {
            .seq = UINT64_MAX - 1, .wal_id = 12345678901, .time = -5, .next_bucket = 77};
    struct sti_commit_record r;
    struct sti_lmdb_txn *txn;
    stele_error err;

    CHECK_OK(sti_apply_commit(kit_begin(k), &mark, &err), &err);
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, &err), &err);
    CHECK_OK(sti_commit_record_read(txn, &r, &err), &err);
    assert_true(r.seq == UINT64_MAX - 1);
    assert_true(r.wal_id == 12345678901);
    assert_true(r.time == -5);
    assert_true(r.next_bucket == 77);
    assert_true(r.next_layer == 1);
    assert_true(r.txn_id == sti_lmdb_txn_id(txn));
    assert_true(r.generation == 1);
    assert_true(r.store_id == 0x1234567890abcdef);
    sti_lmdb_abort(txn);
    kit_check_whole(k);
}

/* Buckets of the same name and the same content are told apart, and keys do not mix. */
static void test_drop_and_make_again(void **state)
{
    struct kit *k = *state;
    struct sti_apply_mark mark = {.seq = 50, .next_bucket = 10};
    uint32_t first = kit_bucket(k, "same");
    uint32_t other = kit_bucket(k, "other");
    struct sti_bucket found;
    struct sti_lmdb_txn *txn;
    struct sti_apply *a = kit_begin(k);
    stele_bytes value;
    stele_error err;

    put_range(a, first, 0, 10, "old");
    put_range(a, other, 0, 10, "old");
    kit_commit(k, a);
    a = kit_begin(k);
    CHECK_OK(sti_apply_drop(a, first, &err), &err);
    CHECK_CODE(sti_apply_drop(a, 999, &err), STELE_ENOTFOUND);
    CHECK_OK(sti_apply_create(a, 9, stele_str("same"), &err), &err);
    CHECK_CODE(sti_apply_put(a, first, stele_str("k"), stele_nil(), &err), STELE_ENOTFOUND);
    CHECK_CODE(sti_apply_put(a, 8, stele_str("k"), stele_nil(), &err), STELE_ENOTFOUND);
    put_range(a, other, 10, 1, "new");
    put_range(a, 9, 5, 1, "new");
    CHECK_OK(sti_apply_commit(a, &mark, &err), &err);
    assert_null(sti_buckets_find(k->buckets, first));
    assert_int_equal(kit_find(k, 9)->keys, 1);
    assert_int_equal(kit_find(k, other)->keys, 11);
    kit_check_whole(k);
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, &err), &err);
    CHECK_OK(sti_bucket_find(txn, stele_str("same"), &found, &err), &err);
    assert_int_equal(found.number, 9);
    assert_int_equal(found.keys, 1);
    CHECK_CODE(sti_bucket_find(txn, stele_str("sam"), &found, &err), STELE_ENOTFOUND);
    CHECK_CODE(sti_tree_get(txn, 9, stele_str("key 000001"), &value, &err), STELE_ENOTFOUND);
    CHECK_OK(sti_tree_get(txn, 9, stele_str("key 000005"), &value, &err), &err);
    CHECK_BYTES(value, stele_str("new"));
    sti_lmdb_abort(txn);
    assert_int_equal(entries(k), 12);
}

static void test_a_large_bucket_goes_bit_by_bit(void **state)
{
    struct kit *k = *state;
    uint32_t b = kit_bucket(k, "large");
    uint32_t number = 0;
    uint64_t before = 10000;
    struct sti_lmdb_txn *txn;
    struct sti_apply *a = kit_begin(k);
    unsigned commits = 0;
    stele_error err;

    put_range(a, b, 0, 10000, "value");
    kit_commit(k, a);
    a = kit_begin(k);
    CHECK_OK(sti_apply_drop(a, b, &err), &err);
    kit_commit(k, a);
    kit_check_whole(k);
    while (entries(k) > 0) {
        assert_true(entries(k) < before);
        assert_true(before - entries(k) <= 4096);
        before = entries(k);
        CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, &err), &err);
        CHECK_OK(sti_garbage_first(txn, &number, &err), &err);
        assert_int_equal(number, b);
        sti_lmdb_abort(txn);
        kit_commit(k, kit_begin(k));
        commits++;
        kit_check_whole(k);
    }
    assert_int_equal(commits, 2);
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, &err), &err);
    CHECK_CODE(sti_garbage_first(txn, &number, &err), STELE_ENOTFOUND);
    sti_lmdb_abort(txn);
}

static void test_ten_thousand_buckets(void **state)
{
    struct kit *k = *state;
    struct sti_apply_mark mark = {.seq = 1, .next_bucket = 10001};
    struct sti_apply *a = kit_begin(k);
    char name[32];
    stele_error err;

    for (unsigned i = 1; i <= 10000; i++) {
        CHECK_OK(sti_apply_create(a, i, kit_numbered(name, "bucket", 20000 - i), &err), &err);
    }
    for (unsigned i = 1; i <= 10000; i += 3) {
        put_range(a, i, i, 1, "v");
    }
    CHECK_OK(sti_apply_commit(a, &mark, &err), &err);
    k->seq = 1;
    kit_check_whole(k);
    kit_close(k);
    kit_open(k);
    assert_int_equal(k->buckets->count, 10000);
    a = kit_begin(k);
    for (unsigned i = 2; i <= 10000; i += 2) {
        CHECK_OK(sti_apply_drop(a, i, &err), &err);
    }
    for (unsigned i = 1; i <= 10000; i += 2) {
        put_range(a, i, i, 1, "w");
    }
    kit_commit(k, a);
    assert_int_equal(k->buckets->count, 5000);
    kit_check_whole(k);
}

static void test_abort_leaves_all_as_it_was(void **state)
{
    struct kit *k = *state;
    uint32_t b = kit_bucket(k, "b");
    uint32_t c = kit_bucket(k, "c");
    struct sti_commit_record before;
    struct sti_apply *a = kit_begin(k);
    stele_error err;

    put_range(a, b, 0, 10, "v");
    kit_commit(k, a);
    before = k->buckets->commit;
    a = kit_begin(k);
    CHECK_OK(sti_apply_drop(a, c, &err), &err);
    CHECK_OK(sti_apply_create(a, c + 5, stele_str("new"), &err), &err);
    put_range(a, b, 5, 10, "w");
    put_range(a, c + 5, 0, 3, "w");
    sti_apply_abort(a);
    sti_apply_abort(NULL);
    assert_memory_equal(&before, &k->buckets->commit, sizeof before);
    assert_int_equal(k->buckets->count, 2);
    kit_check_whole(k);
}

/* Everything that one commit can do. */
static stele_code do_all(struct kit *k, uint32_t b, uint32_t c, stele_error *err)
{
    const struct sti_apply_mark mark = {.seq = 9, .next_bucket = 100};
    uint8_t key[1500] = {1};
    struct sti_apply *a = NULL;
    stele_code code = sti_apply_begin(&a, k->lmdb, k->buckets, err);

    if (code == STELE_OK) {
        code = sti_apply_drop(a, c, err);
    }
    for (uint32_t i = 20; code == STELE_OK && i < 40; i++) {
        char name[32];

        code = sti_apply_create(a, i, kit_numbered(name, "new", i), err);
    }
    if (code == STELE_OK) {
        code = sti_apply_put(a, b, stele_bytes_of(key, sizeof key), stele_str("v"), err);
    }
    if (code == STELE_OK) {
        code = sti_apply_delete(a, b, stele_str("key 000001"), err);
    }
    for (uint32_t i = 20; code == STELE_OK && i < 40; i++) {
        code = sti_apply_put(a, i, stele_str("k"), stele_str("v"), err);
    }
    if (code != STELE_OK) {
        sti_apply_abort(a);
        return code;
    }
    return sti_apply_commit(a, &mark, err);
}

#ifdef STI_TESTING
static bool fails_at(void *arg)
{
    int *left = arg;

    return (*left)-- == 0;
}

static void test_any_allocation_fails(void **state)
{
    struct kit *k = *state;
    uint32_t b = kit_bucket(k, "b");
    uint32_t c = kit_bucket(k, "c");
    struct sti_apply *a = kit_begin(k);
    struct sti_commit_record before;
    stele_code code = STELE_ENOMEM;
    int failed = 0;
    stele_error err;

    put_range(a, b, 0, 10, "v");
    put_range(a, c, 0, 10, "v");
    kit_commit(k, a);
    before = k->buckets->commit;
    for (int at = 0; code != STELE_OK; at++) {
        int left = at;

        sti_alloc_set_hook(fails_at, &left);
        code = do_all(k, b, c, &err);
        sti_alloc_set_hook(NULL, NULL);
        if (code != STELE_OK) {
            CHECK_CODE(code, STELE_ENOMEM);
            failed++;
            assert_memory_equal(&before, &k->buckets->commit, sizeof before);
            kit_check_whole(k);
        }
    }
    assert_true(failed > 20);
    assert_int_equal(k->buckets->count, 21);
    kit_check_whole(k);
    for (int at = 0;; at++) {
        struct sti_buckets *again = NULL;
        struct sti_lmdb_txn *txn;
        int left = at;

        CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, &err), &err);
        sti_alloc_set_hook(fails_at, &left);
        code = sti_buckets_load(&again, txn, &err);
        sti_alloc_set_hook(NULL, NULL);
        sti_lmdb_abort(txn);
        sti_buckets_free(again);
        if (code == STELE_OK) {
            assert_true(at > 20);
            break;
        }
        CHECK_CODE(code, STELE_ENOMEM);
    }
}

/* A cursor that comes to a long key wants memory; without it it is where it was before all. */
static void test_a_cursor_without_memory(void **state)
{
    struct kit *k = *state;
    uint32_t b = kit_bucket(k, "b");
    struct sti_apply *a = kit_begin(k);
    struct sti_tree_cursor c;
    struct sti_lmdb_cursor *raw;
    struct sti_lmdb_txn *txn;
    uint8_t key[1500] = {1};
    stele_error err;

    CHECK_OK(sti_apply_put(a, b, stele_str(""), stele_str("v"), &err), &err);
    CHECK_OK(sti_apply_put(a, b, stele_bytes_of(key, sizeof key), stele_str("v"), &err), &err);
    kit_commit(k, a);
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, &err), &err);
    CHECK_OK(sti_lmdb_cursor_open(&raw, txn, STI_LMDB_DATA, &err), &err);
    sti_tree_cursor_init(&c, raw, b);
    for (int at = 0; at < 2; at++) {
        int left = at;

        sti_alloc_set_hook(fails_at, &left);
        CHECK_OK(sti_tree_next(&c, &err), &err);
        CHECK_CODE(sti_tree_next(&c, &err), STELE_ENOMEM);
        sti_alloc_set_hook(NULL, NULL);
    }
    CHECK_OK(sti_tree_next(&c, &err), &err);
    CHECK_OK(sti_tree_next(&c, &err), &err);
    CHECK_BYTES(c.key, stele_bytes_of(key, sizeof key));
    sti_tree_cursor_free(&c);
    sti_lmdb_cursor_close(raw);
    sti_lmdb_abort(txn);
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(test_counts_follow_the_writes),
            TEST(test_the_hash_does_not_depend_on_the_way),
            TEST(test_the_commit_record),
            TEST(test_drop_and_make_again),
            TEST(test_a_large_bucket_goes_bit_by_bit),
            TEST(test_ten_thousand_buckets),
            TEST(test_abort_leaves_all_as_it_was),
#ifdef STI_TESTING
            TEST(test_any_allocation_fails),
            TEST(test_a_cursor_without_memory),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
