/* SPDX-License-Identifier: MIT
 *
 * ahead_test.c: what a store remembers to be faster, and must not believe for too long: the bucket
 * that a slot found last, the least bucket of a table; and writers that are faster than commits.
 */
#include "kit.h"

#include <stdio.h>
#include <string.h>

enum {
    BATCHES = 300,
    PUTS = 20, /* of each batch */
    VALUE_SIZE = 4 << 10
};

/* Each read below has the slot, and what is remembered there, of those before. */
static void test_bucket_made_again(void **state)
{
    struct kit *k = *state;
    stele_store_batch *b;
    stele_error err;

    kit_put_one(k, "b", "a", "1");
    kit_commit(k);
    kit_check_now(k, "b", "a=1");
    kit_check_now(k, "b", "a=1");
    b = kit_begin(k);
    CHECK_OK(stele_store_batch_delete_bucket(b, stele_str("b"), &err), &err);
    kit_check_all(stele_store_batch_view(b), "b", NULL);
    kit_end(b);
    kit_check_now(k, "b", NULL);
    kit_commit(k);
    kit_check_now(k, "b", NULL);
    kit_put_one(k, "b", "b", "2");
    kit_check_now(k, "b", "b=2");
    kit_commit(k);
    kit_check_now(k, "b", "b=2");
    kit_put_one(k, "c", "b", "3");
    kit_commit(k);
    kit_check_now(k, "b", "b=2");
    kit_check_now(k, "c", "b=3");
    kit_check_now(k, "b", "b=2");
}

static void test_bucket_made_again_in_one_batch(void **state)
{
    struct kit *k = *state;
    stele_store_batch *b;
    stele_store_read *before;
    stele_error err;

    kit_put_one(k, "b", "a", "1");
    kit_commit(k);
    before = kit_read(k);
    kit_check_all(before, "b", "a=1");
    b = kit_begin(k);
    CHECK_OK(stele_store_batch_delete_bucket(b, stele_str("b"), &err), &err);
    kit_create(b, "b");
    kit_put(b, "b", "b", "2");
    kit_check_all(stele_store_batch_view(b), "b", "b=2");
    kit_end(b);
    kit_check_now(k, "b", "b=2");
    kit_commit(k);
    kit_check_now(k, "b", "b=2");
    kit_check_all(before, "b", "a=1");
    stele_store_read_end(before);
}

/* Another generation counts LMDB's transactions anew: after as many commits as before the number is
 * the same, and the bucket is another one. */
static void test_bucket_in_another_generation(void **state)
{
    struct kit *k = *state;
    stele_error err;

    kit_put_one(k, "b", "c", "0");
    for (int i = 1; i < 6; i++) {
        stele_store_batch *b = kit_begin(k);
        char value_now[4];
        char all[8];

        (void)snprintf(value_now, sizeof value_now, "%d", i);
        (void)snprintf(all, sizeof all, "c=%d", i);
        CHECK_OK(stele_store_batch_delete_bucket(b, stele_str("b"), &err), &err);
        kit_create(b, "b");
        kit_put(b, "b", "c", value_now);
        kit_end(b);
        CHECK_OK(stele_store_defrag(k->s, NULL, NULL, NULL, &err), &err);
        for (int n = 0; n < 3; n++) {
            kit_put_one(k, "x", "a", value_now);
            kit_commit(k);
        }
        kit_check_now(k, "b", all);
    }
}

/* The first bucket's number is the least: a table with writes to the second one only. */
static void test_least_bucket(void **state)
{
    struct kit *k = *state;
    stele_store_batch *b;

    kit_put_one(k, "first", "a", "1");
    kit_put_one(k, "second", "a", "1");
    kit_commit(k);
    kit_put_one(k, "second", "b", "2");
    kit_check_now(k, "first", "a=1");
    kit_check_now(k, "second", "a=1 b=2");
    b = kit_begin(k);
    kit_put(b, "first", "b", "2");
    kit_check_all(stele_store_batch_view(b), "first", "a=1 b=2");
    stele_store_batch_abort(b);
    kit_check_now(k, "first", "a=1");
    b = kit_begin(k);
    kit_delete(b, "first", "a");
    kit_check_all(stele_store_batch_view(b), "first", "");
    kit_check_now(k, "first", "a=1");
    kit_end(b);
    kit_check_now(k, "first", "");
    kit_commit(k);
    kit_check_now(k, "first", "");
    kit_check_now(k, "second", "a=1 b=2");
}

static uint8_t value[VALUE_SIZE];

static stele_code check_value(void *arg, stele_bytes key, stele_bytes got, stele_error *err)
{
    uint64_t *count = arg;
    char name[16];

    (void)err;
    (void)snprintf(name, sizeof name, "%08d", (int)*count);
    assert_true(stele_bytes_equal(key, stele_str(name)));
    assert_true(stele_bytes_equal(got, stele_bytes_of(value, sizeof value)));
    ++*count;
    return STELE_OK;
}

/* 24 MB, with a thread that commits all the time: batches are spaced, and none is refused or lost.
 */
static void test_faster_than_commits(void **state)
{
    struct kit *k = *state;
    stele_bytes bucket = stele_str("b");
    stele_store_read *r;
    uint64_t count = 0;
    stele_error err;

    kit_close(k);
    k->options.no_background = false;
    k->options.batch_limit = 10;
    kit_open(k);
    memset(value, 'v', sizeof value);
    for (int i = 0; i < BATCHES; i++) {
        stele_store_batch *b = kit_begin(k);

        kit_create(b, "b");
        for (int n = 0; n < PUTS; n++) {
            char key[16];

            (void)snprintf(key, sizeof key, "%08d", i * PUTS + n);
            CHECK_OK(stele_store_batch_put(
                             b, bucket, stele_str(key), stele_bytes_of(value, sizeof value), &err),
                    &err);
        }
        kit_end(b);
    }
    r = kit_read(k);
    CHECK_OK(stele_store_read_for_each(r, bucket, check_value, &count, &err), &err);
    assert_int_equal(count, BATCHES * PUTS);
    stele_store_read_end(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_bucket_made_again, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_bucket_made_again_in_one_batch, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_bucket_in_another_generation, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_least_bucket, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_faster_than_commits, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
