/* SPDX-License-Identifier: MIT
 *
 * records_test.c: records of buckets and commits that are damaged, or do not fit together.
 */
#include "kit.h"

/* ---- Records that do not fit together. ---- */

static stele_code load(struct kit *k, stele_error *err)
{
    struct sti_buckets *buckets = NULL;
    struct sti_lmdb_txn *txn;
    stele_code code;

    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, err), err);
    code = sti_buckets_load(&buckets, txn, err);
    sti_buckets_free(buckets);
    sti_lmdb_abort(txn);
    return code;
}

static void test_records_that_do_not_fit(void **state)
{
    struct kit *k = *state;
    struct sti_commit_record record;
    struct sti_bucket changed;
    struct sti_lmdb_txn *txn;
    stele_error err;

    (void)kit_bucket(k, "one");
    (void)kit_bucket(k, "two");
    record = k->buckets->commit;
    changed = *kit_find(k, 1);
    /* A transaction without a commit record of its own. */
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    CHECK_OK(sti_lmdb_put(txn, STI_LMDB_NAMES, stele_str("x"), stele_nil(), &err), &err);
    CHECK_OK(sti_lmdb_commit(txn, &err), &err);
    CHECK_CODE(load(k, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "transaction");
    /* A bucket that is gone, one with another count, one too many. */
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    CHECK_OK(sti_bucket_remove(txn, stele_str("one"), &err), &err);
    CHECK_OK(sti_commit_record_write(txn, &record, &err), &err);
    CHECK_OK(sti_lmdb_commit(txn, &err), &err);
    CHECK_CODE(load(k, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "there are 1 buckets instead of 2");
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    changed.keys++;
    CHECK_OK(sti_bucket_write(txn, stele_str("one"), &changed, &err), &err);
    CHECK_OK(sti_commit_record_write(txn, &record, &err), &err);
    CHECK_OK(sti_lmdb_commit(txn, &err), &err);
    CHECK_CODE(load(k, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "the hash of the buckets differs");
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    changed.keys--;
    CHECK_OK(sti_bucket_write(txn, stele_str("one"), &changed, &err), &err);
    CHECK_OK(sti_commit_record_write(txn, &record, &err), &err);
    CHECK_OK(sti_lmdb_commit(txn, &err), &err);
    CHECK_OK(load(k, &err), &err);
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    CHECK_OK(sti_lmdb_delete(txn, STI_LMDB_NAMES, stele_str("c"), &err), &err);
    CHECK_OK(sti_lmdb_commit(txn, &err), &err);
    CHECK_CODE(load(k, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "missing");
}

/* Another writer in between: what is known in memory no longer holds. */
static void test_a_foreign_transaction_is_noticed(void **state)
{
    struct kit *k = *state;
    struct sti_apply *a = NULL;
    struct sti_lmdb_txn *txn;
    stele_error err;

    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    CHECK_OK(sti_lmdb_put(txn, STI_LMDB_NAMES, stele_str("x"), stele_nil(), &err), &err);
    CHECK_OK(sti_lmdb_commit(txn, &err), &err);
    CHECK_CODE(sti_apply_begin(&a, k->lmdb, k->buckets, &err), STELE_ECORRUPT);
    assert_null(a);
}

static void test_every_bit_of_the_records_counts(void **state)
{
    static const char *const keys[] = {"c", "bname", "g"};
    struct kit *k = *state;
    uint32_t number = kit_bucket(k, "name");
    struct sti_lmdb_txn *txn;
    struct sti_bucket found;
    struct sti_commit_record record;
    uint8_t garbage_key[5] = {'g', 0, 0, 0, 9};
    stele_error err;

    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    record = k->buckets->commit;
    CHECK_OK(sti_commit_record_write(txn, &record, &err), &err);
    CHECK_OK(sti_garbage_add(txn, 9, &err), &err);
    for (size_t i = 0; i < 3; i++) {
        stele_bytes key = i == 2 ? stele_bytes_of(garbage_key, 5) : stele_str(keys[i]);
        uint8_t bytes[100];
        stele_bytes value;
        size_t len;

        CHECK_OK(sti_lmdb_get(txn, STI_LMDB_NAMES, key, &value, &err), &err);
        len = value.len;
        assert_true(len < sizeof bytes);
        memcpy(bytes, value.data, len);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            stele_code code;

            bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
            CHECK_OK(
                    sti_lmdb_put(txn, STI_LMDB_NAMES, key, stele_bytes_of(bytes, len), &err), &err);
            code = i == 0   ? sti_commit_record_read(txn, &record, &err)
                   : i == 1 ? sti_bucket_find(txn, stele_str("name"), &found, &err)
                            : sti_garbage_first(txn, &number, &err);
            assert_true(code == STELE_ECORRUPT || code == STELE_EVERSION);
            bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
        CHECK_OK(sti_lmdb_put(txn, STI_LMDB_NAMES, key, stele_bytes_of(bytes, len), &err), &err);
    }
    CHECK_OK(sti_commit_record_read(txn, &record, &err), &err);
    CHECK_OK(sti_garbage_first(txn, &number, &err), &err);
    assert_int_equal(number, 9);
    sti_lmdb_abort(txn);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(test_records_that_do_not_fit),
            TEST(test_a_foreign_transaction_is_noticed),
            TEST(test_every_bit_of_the_records_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
