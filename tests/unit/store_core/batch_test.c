/* SPDX-License-Identifier: MIT
 *
 * batch_test.c: what batches write, who sees it and when, and what is refused.
 */
#include "kit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void test_visible_after_the_end(void **state)
{
    struct kit *k = *state;
    stele_store_read *before = kit_read(k);
    stele_store_batch *b = kit_begin(k);
    stele_store_read *during;

    kit_create(b, "b");
    kit_put(b, "b", "k", "v");
    during = kit_read(k);
    kit_check_all(during, "b", NULL);
    kit_check_all(stele_store_batch_view(b), "b", "k=v");
    kit_put(b, "b", "k", "w");
    kit_put(b, "b", "a", "1");
    kit_check_all(stele_store_batch_view(b), "b", "a=1 k=w");
    kit_end(b);
    kit_check_all(before, "b", NULL);
    kit_check_all(during, "b", NULL);
    kit_check_now(k, "b", "a=1 k=w");
    kit_commit(k);
    kit_check_all(before, "b", NULL);
    kit_check_all(during, "b", NULL);
    kit_check_now(k, "b", "a=1 k=w");
    stele_store_read_end(before);
    stele_store_read_end(during);
}

static void test_abort(void **state)
{
    struct kit *k = *state;
    stele_store_batch *b;

    kit_put_one(k, "b", "k", "v");
    b = kit_begin(k);
    kit_create(b, "c");
    kit_put(b, "c", "k", "v");
    kit_put(b, "b", "k", "w");
    kit_delete(b, "b", "k");
    CHECK_OK(stele_store_batch_delete_bucket(b, stele_str("b"), NULL), NULL);
    kit_check_all(stele_store_batch_view(b), "b", NULL);
    stele_store_batch_abort(b);
    stele_store_batch_abort(NULL);
    kit_check_now(k, "b", "k=v");
    kit_check_now(k, "c", NULL);
    kit_put_one(k, "c", "l", "x");
    kit_check_now(k, "c", "l=x");
    kit_commit(k);
    kit_check_now(k, "b", "k=v");
    kit_check_now(k, "c", "l=x");
}

/* The same whether it is in the table, committed, or some of each. */
static void test_deletes(void **state)
{
    for (int commits = 0; commits < 4; commits++) {
        struct kit *k = *state;
        stele_store_batch *b = kit_begin(k);

        kit_create(b, "b");
        kit_put(b, "b", "a", "1");
        kit_put(b, "b", "b", "2");
        kit_put(b, "b", "c", "3");
        kit_end(b);
        if ((commits & 1) != 0) {
            kit_commit(k);
        }
        b = kit_begin(k);
        kit_delete(b, "b", "b");
        kit_delete(b, "b", "never");
        kit_check_all(stele_store_batch_view(b), "b", "a=1 c=3");
        kit_end(b);
        kit_check_now(k, "b", "a=1 c=3");
        if ((commits & 2) != 0) {
            kit_commit(k);
        }
        kit_put_one(k, "b", "b", "4");
        kit_check_now(k, "b", "a=1 b=4 c=3");
        b = kit_begin(k);
        CHECK_OK(stele_store_batch_delete_bucket(b, stele_str("b"), NULL), NULL);
        kit_end(b);
        kit_check_now(k, "b", NULL);
        kit_close(k);
        kit_open(k);
        kit_check_now(k, "b", NULL);
    }
}

static void test_bucket_is_made_again(void **state)
{
    for (int commits = 0; commits < 8; commits++) {
        struct kit *k = *state;
        stele_store_read *r;
        stele_store_batch *b;

        kit_put_one(k, "b", "old", "1");
        if ((commits & 1) != 0) {
            kit_commit(k);
        }
        r = kit_read(k);
        b = kit_begin(k);
        CHECK_OK(stele_store_batch_delete_bucket(b, stele_str("b"), NULL), NULL);
        CHECK_CODE(stele_store_batch_delete_bucket(b, stele_str("b"), NULL), STELE_ENOTFOUND);
        CHECK_CODE(stele_store_batch_put(b, stele_str("b"), stele_nil(), stele_nil(), NULL),
                STELE_ENOTFOUND);
        kit_create(b, "b");
        kit_create(b, "b");
        kit_check_all(stele_store_batch_view(b), "b", "");
        kit_put(b, "b", "new", "2");
        kit_end(b);
        if ((commits & 2) != 0) {
            kit_commit(k);
        }
        kit_check_all(r, "b", "old=1");
        stele_store_read_end(r);
        kit_check_now(k, "b", "new=2");
        if ((commits & 4) != 0) {
            kit_close(k);
            kit_open(k);
            kit_check_now(k, "b", "new=2");
        }
        b = kit_begin(k);
        CHECK_OK(stele_store_batch_delete_bucket(b, stele_str("b"), NULL), NULL);
        kit_end(b);
    }
}

static stele_code put(stele_store_batch *b, stele_bytes bucket, stele_bytes key, stele_bytes value)
{
    stele_error err;
    stele_code code = stele_store_batch_put(b, bucket, key, value, &err);

    CHECK_CODE(stele_store_batch_put_seq(b, bucket, key, value, &err), code);
    return code;
}

static void test_limits(void **state)
{
    struct kit *k = *state;
    uint8_t *large = calloc(1, STELE_STORE_KEY_MAX + 1);
    char name[STELE_STORE_BUCKET_MAX + 1];
    stele_bytes bucket = stele_str("b");
    stele_store_batch *b = kit_begin(k);
    stele_bytes value;

    assert_non_null(large);
    memset(name, 'n', sizeof name);
    kit_create(b, "b");
    CHECK_CODE(stele_store_batch_create_bucket(b, stele_nil(), NULL), STELE_EINVAL);
    CHECK_CODE(stele_store_batch_create_bucket(b, stele_empty(), NULL), STELE_EINVAL);
    CHECK_CODE(stele_store_batch_create_bucket(b, stele_bytes_of(name, sizeof name), NULL),
            STELE_EINVAL);
    CHECK_OK(stele_store_batch_create_bucket(b, stele_bytes_of(name, sizeof name - 1), NULL), NULL);
    CHECK_CODE(put(b, stele_str("other"), stele_nil(), stele_nil()), STELE_ENOTFOUND);
    CHECK_CODE(put(b, bucket, stele_bytes_of(large, STELE_STORE_KEY_MAX + 1), stele_nil()),
            STELE_ETOOBIG);
    CHECK_CODE(put(b, bucket, stele_bytes_of(large, STELE_STORE_KEY_MAX), stele_nil()), STELE_OK);
    CHECK_CODE(put(b, bucket, stele_nil(), stele_bytes_of(large, STELE_STORE_VALUE_MAX + 1)),
            STELE_ETOOBIG);
    CHECK_CODE(put(b, bucket, stele_bytes_of(NULL, 1), stele_nil()), STELE_EINVAL);
    CHECK_CODE(put(b, bucket, stele_nil(), stele_bytes_of(NULL, 1)), STELE_EINVAL);
    CHECK_CODE(put(b, bucket, stele_nil(), stele_nil()), STELE_OK);
    CHECK_CODE(stele_store_batch_delete(b, stele_str("other"), stele_nil(), NULL), STELE_ENOTFOUND);
    CHECK_CODE(stele_store_batch_put(NULL, bucket, stele_nil(), stele_nil(), NULL), STELE_EINVAL);
    for (int i = 0; i < 2; i++) {
        stele_store_read *r = i == 0 ? stele_store_batch_view(b) : kit_read(k);

        CHECK_OK(stele_store_read_get(r, bucket, stele_nil(), &value, NULL), NULL);
        CHECK_BYTES(value, stele_empty());
        CHECK_OK(stele_store_read_get(
                         r, bucket, stele_bytes_of(large, STELE_STORE_KEY_MAX), &value, NULL),
                NULL);
        CHECK_BYTES(value, stele_empty());
        if (i == 0) {
            kit_end(b);
            kit_commit(k);
        } else {
            stele_store_read_end(r);
        }
    }
    free(large);
}

/* What the caller gave is copied. */
static void test_given_bytes_may_change(void **state)
{
    struct kit *k = *state;
    char key[] = "key";
    char value[] = "value";
    stele_store_batch *b = kit_begin(k);

    kit_create(b, "b");
    kit_put(b, "b", key, value);
    memcpy(key, "???", 3);
    memcpy(value, "?????", 5);
    kit_check_all(stele_store_batch_view(b), "b", "key=value");
    kit_end(b);
    kit_check_now(k, "b", "key=value");
}

/* ---- One at a time. ---- */

struct other {
    struct kit *k;
    stele_wait wait;
    stele_code code;
};

static void *begin_other(void *arg)
{
    struct other *o = arg;
    stele_store_batch *b = NULL;

    o->code = stele_store_batch_begin(&b, o->k->s, &o->wait, NULL);
    if (o->code == STELE_OK) {
        stele_store_batch_abort(b);
    }
    return NULL;
}

static void test_one_batch_at_a_time(void **state)
{
    struct kit *k = *state;
    stele_store_batch *b = kit_begin(k);
    struct other o = {.k = k, .wait = {.timeout_ms = STELE_FOREVER}};
    stele_wait no_wait = {.timeout_ms = 0};
    stele_wait short_wait = {.timeout_ms = 5};
    stele_store_batch *second = NULL;
    stele_cancel *cancel = NULL;
    pthread_t thread;
    stele_error err;

    CHECK_CODE(stele_store_batch_begin(&second, k->s, &no_wait, &err), STELE_ETIMEDOUT);
    CHECK_CODE(stele_store_batch_begin(&second, k->s, &short_wait, &err), STELE_ETIMEDOUT);
    CHECK_OK(stele_cancel_new(&cancel, &err), &err);
    o.wait.cancel = cancel;
    assert_int_equal(pthread_create(&thread, NULL, begin_other, &o), 0);
    stele_cancel_trigger(cancel);
    assert_int_equal(pthread_join(thread, NULL), 0);
    CHECK_CODE(o.code, STELE_ECANCELED);
    o.wait.cancel = NULL;
    assert_int_equal(pthread_create(&thread, NULL, begin_other, &o), 0);
    kit_end(b);
    assert_int_equal(pthread_join(thread, NULL), 0);
    CHECK_CODE(o.code, STELE_OK);
    stele_cancel_free(cancel);
    CHECK_CODE(stele_store_batch_begin(NULL, k->s, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_batch_begin(&second, NULL, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_batch_end(NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_batch_end_durable(NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_batch_commit(NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_batch_commit_and_stop(NULL, &err), STELE_EINVAL);
    assert_null(stele_store_batch_view(NULL));
}

/* ---- Many buckets. ---- */

static stele_code on_bucket(void *arg, stele_bytes name, stele_error *err)
{
    unsigned *next = arg;
    char text[32];

    (void)err;
    (void)snprintf(text, sizeof text, "bucket %05u", *next);
    CHECK_BYTES(name, stele_str(text));
    ++*next;
    return STELE_OK;
}

static void test_many_buckets(void **state)
{
    struct kit *k = *state;
    stele_store_read *r;
    stele_error err;
    unsigned count = 0;

    for (unsigned round = 0; round < 2; round++) {
        stele_store_batch *b = kit_begin(k);

        /* Odd ones first, so that their numbers are not in the order of the names. */
        for (unsigned i = 0; i < 1000; i++) {
            char name[32];

            (void)snprintf(name, sizeof name, "bucket %05u", 2 * i + 1 - round);
            kit_create(b, name);
            kit_put(b, name, "name", name);
        }
        kit_end(b);
        if (round == 0) {
            kit_commit(k);
        }
    }
    for (int i = 0; i < 2; i++) {
        r = kit_read(k);
        count = 0;
        CHECK_OK(stele_store_read_buckets(r, on_bucket, &count, &err), &err);
        assert_int_equal(count, 2000);
        kit_check(r, "bucket 00777", "name", "bucket 00777");
        kit_check(r, "bucket 00778", "name", "bucket 00778");
        stele_store_read_end(r);
        kit_commit(k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_visible_after_the_end, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_abort, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_deletes, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_bucket_is_made_again, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_limits, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_given_bytes_may_change, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_one_batch_at_a_time, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_many_buckets, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
