/* SPDX-License-Identifier: MIT
 *
 * read_test.c: get, ranges, cursors, long keys; snapshots that do not move.
 */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>

/* "a" to "h": in LMDB, in the frozen or active table, replaced, deleted. */
static void fill(struct kit *k)
{
    stele_store_batch *b;

    kit_put_one(k, "b", "a", "old");
    b = kit_begin(k);
    kit_put(b, "b", "c", "1");
    kit_put(b, "b", "d", "gone");
    kit_put(b, "b", "g", "2");
    kit_put(b, "b", "h", "gone");
    kit_end(b);
    kit_commit(k);
    b = kit_begin(k);
    kit_put(b, "b", "a", "new");
    kit_put(b, "b", "b", "3");
    kit_delete(b, "b", "d");
    kit_put(b, "b", "e", "gone");
    kit_end(b);
    b = kit_begin(k);
    kit_delete(b, "b", "e");
    kit_put(b, "b", "f", "4");
    kit_delete(b, "b", "h");
    kit_end(b);
}

struct text {
    char bytes[256];
    uint64_t stop_at; /* so many; 0: never */
    stele_code stop;
    uint64_t count;
};

static stele_code on_pair(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct text *t = arg;

    (void)value;
    (void)err;
    assert_true(strlen(t->bytes) + key.len + 1 < sizeof t->bytes);
    strncat(t->bytes, (const char *)key.data, key.len);
    t->count++;
    return t->count == t->stop_at ? t->stop : STELE_OK;
}

static void check_range(stele_store_read *r, const stele_store_range *range, const char *keys)
{
    struct text t = {.count = 0};
    uint64_t count = UINT64_MAX;
    stele_error err;

    CHECK_OK(stele_store_read_range(r, stele_str("b"), range, on_pair, &t, &count, &err), &err);
    assert_string_equal(t.bytes, keys);
    assert_int_equal(count, t.count);
}

#define RANGE(...) (&(stele_store_range){__VA_ARGS__})

static void check_ranges(stele_store_read *r)
{
    kit_check_all(r, "b", "a=new b=3 c=1 f=4 g=2");
    kit_check(r, "b", "a", "new");
    kit_check(r, "b", "d", NULL);
    kit_check(r, "b", "e", NULL);
    kit_check(r, "b", "", NULL);
    check_range(r, RANGE(.start = stele_nil()), "");
    check_range(r, RANGE(.start = stele_str("c")), "c");
    check_range(r, RANGE(.start = stele_str("d")), "");
    check_range(r, RANGE(.start = stele_str("c"), .end = stele_empty()), "c");
    check_range(r, RANGE(.to_end = true), "abcfg");
    check_range(r, RANGE(.to_end = true, .reverse = true), "gfcba");
    check_range(r, RANGE(.to_end = true, .limit = 2), "ab");
    check_range(r, RANGE(.to_end = true, .reverse = true, .limit = 3), "gfc");
    check_range(r, RANGE(.start = stele_str("b"), .end = stele_str("g")), "bcf");
    check_range(r, RANGE(.start = stele_str("b"), .end = stele_str("g"), .reverse = true), "fcb");
    check_range(r, RANGE(.start = stele_str("bb"), .end = stele_str("ff")), "cf");
    check_range(r, RANGE(.start = stele_str("bb"), .to_end = true, .reverse = true), "gfc");
    check_range(r, RANGE(.end = stele_str("c")), "ab");
    check_range(r, RANGE(.start = stele_str("g"), .end = stele_str("b")), "");
    check_range(r, RANGE(.start = stele_str("g"), .end = stele_str("b"), .reverse = true), "");
    check_range(r, RANGE(.start = stele_str("c"), .end = stele_str("c")), "");
    check_range(r, RANGE(.start = stele_str("h"), .to_end = true), "");
}

static void test_ranges(void **state)
{
    struct kit *k = *state;
    stele_store_read *r;
    stele_store_batch *b;

    fill(k);
    r = kit_read(k);
    check_ranges(r);
    b = kit_begin(k);
    check_ranges(stele_store_batch_view(b));
    kit_put(b, "b", "z", "later");
    kit_end(b);
    kit_commit(k);
    check_ranges(r);
    stele_store_read_end(r);
    b = kit_begin(k);
    kit_delete(b, "b", "z");
    kit_end(b);
    kit_commit(k);
    r = kit_read(k);
    check_ranges(r);
    stele_store_read_end(r);
}

static void test_ends_of_a_walk(void **state)
{
    struct kit *k = *state;
    const stele_store_range all = {.to_end = true};
    struct text t = {.stop_at = 2, .stop = STELE_END};
    stele_store_read *r;
    uint64_t count = 7;
    stele_error err;

    fill(k);
    r = kit_read(k);
    CHECK_OK(stele_store_read_range(r, stele_str("b"), &all, on_pair, &t, &count, &err), &err);
    assert_int_equal(count, 2);
    t = (struct text){.stop_at = 3, .stop = STELE_EPEER};
    CHECK_CODE(stele_store_read_range(r, stele_str("b"), &all, on_pair, &t, &count, &err),
            STELE_EPEER);
    assert_int_equal(count, 2);
    assert_string_equal(t.bytes, "abc");
    CHECK_CODE(stele_store_read_range(r, stele_str("b"), NULL, on_pair, &t, &count, &err),
            STELE_EINVAL);
    CHECK_CODE(
            stele_store_read_range(r, stele_str("b"), &all, NULL, &t, &count, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_read_range(r, stele_str("c"), &all, on_pair, &t, &count, &err),
            STELE_ENOTFOUND);
    CHECK_MESSAGE_HAS(&err, "there is no bucket \"c\"");
    CHECK_CODE(stele_store_read_get(r, stele_str("b"), stele_str("\n"), NULL, &err), STELE_EINVAL);
    {
        stele_bytes value;

        CHECK_CODE(stele_store_read_get(r, stele_str("b"), stele_str("\n"), &value, &err),
                STELE_ENOTFOUND);
        CHECK_MESSAGE(&err, "bucket \"b\", key \"\\x0a\": there is no such key");
        CHECK_CODE(
                stele_store_read_get(r, stele_nil(), stele_str("a"), &value, &err), STELE_EINVAL);
        CHECK_CODE(stele_store_read_get(NULL, stele_str("b"), stele_str("a"), &value, &err),
                STELE_EINVAL);
        CHECK_CODE(stele_store_read_begin(NULL, k->s, &err), STELE_EINVAL);
    }
    stele_store_read_end(r);
    stele_store_read_end(NULL);
}

static stele_code on_outer(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    stele_store_read *r = arg;
    char copy[8] = "";

    memcpy(copy, key.data, key.len);
    check_ranges(r);
    CHECK_BYTES(key, stele_str(copy));
    (void)value;
    (void)err;
    return STELE_OK;
}

/* A walk within a walk has a cursor of its own. */
static void test_nested_walks(void **state)
{
    struct kit *k = *state;
    stele_store_read *r;
    stele_error err;

    fill(k);
    r = kit_read(k);
    CHECK_OK(stele_store_read_for_each(r, stele_str("b"), on_outer, r, &err), &err);
    check_ranges(r);
    stele_store_read_end(r);
}

static void test_cursor(void **state)
{
    struct kit *k = *state;
    stele_store_cursor *c = NULL;
    stele_store_read *r;
    stele_bytes key;
    stele_error err;

    fill(k);
    r = kit_read(k);
    CHECK_CODE(stele_store_cursor_open(&c, r, stele_str("no"), &err), STELE_ENOTFOUND);
    CHECK_CODE(stele_store_cursor_open(NULL, r, stele_str("b"), &err), STELE_EINVAL);
    CHECK_OK(stele_store_cursor_open(&c, r, stele_str("b"), &err), &err);
    CHECK_CODE(stele_store_cursor_prev(c, &err), STELE_END);
    CHECK_OK(stele_store_cursor_seek(c, stele_str("d"), &err), &err);
    CHECK_OK(stele_store_cursor_pair(c, &key, NULL, &err), &err);
    CHECK_BYTES(key, stele_str("f"));
    CHECK_OK(stele_store_cursor_prev(c, &err), &err);
    CHECK_OK(stele_store_cursor_pair(c, &key, NULL, &err), &err);
    CHECK_BYTES(key, stele_str("c"));
    CHECK_OK(stele_store_cursor_next(c, &err), &err);
    CHECK_OK(stele_store_cursor_next(c, &err), &err);
    CHECK_CODE(stele_store_cursor_next(c, &err), STELE_END);
    CHECK_CODE(stele_store_cursor_pair(c, &key, NULL, &err), STELE_ESTATE);
    CHECK_OK(stele_store_cursor_prev(c, &err), &err);
    CHECK_OK(stele_store_cursor_pair(c, &key, NULL, &err), &err);
    CHECK_BYTES(key, stele_str("g"));
    CHECK_OK(stele_store_cursor_first(c, &err), &err);
    CHECK_OK(stele_store_cursor_pair(c, &key, NULL, &err), &err);
    CHECK_BYTES(key, stele_str("a"));
    CHECK_OK(stele_store_cursor_last(c, &err), &err);
    CHECK_CODE(stele_store_cursor_seek(c, stele_str("h"), &err), STELE_END);
    CHECK_OK(stele_store_cursor_prev(c, &err), &err);
    CHECK_OK(stele_store_cursor_pair(c, &key, NULL, &err), &err);
    CHECK_BYTES(key, stele_str("g"));
    CHECK_CODE(stele_store_cursor_next(NULL, &err), STELE_EINVAL);
    stele_store_cursor_close(c);
    stele_store_cursor_close(NULL);
    stele_store_read_end(r);
}

/* A cursor of the batch's view sees what is written while it stands. */
static void test_cursor_of_a_batch(void **state)
{
    struct kit *k = *state;
    stele_store_cursor *c = NULL;
    stele_store_batch *b;
    stele_bytes key;
    stele_error err;

    fill(k);
    b = kit_begin(k);
    CHECK_OK(stele_store_cursor_open(&c, stele_store_batch_view(b), stele_str("b"), &err), &err);
    CHECK_OK(stele_store_cursor_seek(c, stele_str("c"), &err), &err);
    kit_put(b, "b", "cc", "x");
    kit_delete(b, "b", "f");
    CHECK_OK(stele_store_cursor_next(c, &err), &err);
    CHECK_OK(stele_store_cursor_pair(c, &key, NULL, &err), &err);
    CHECK_BYTES(key, stele_str("cc"));
    CHECK_OK(stele_store_cursor_next(c, &err), &err);
    CHECK_OK(stele_store_cursor_pair(c, &key, NULL, &err), &err);
    CHECK_BYTES(key, stele_str("g"));
    stele_store_cursor_close(c);
    stele_store_batch_abort(b);
}

static const size_t lens[] = {0, 1, 2, 479, 480, 481, 510, 511, 512, 959, 960, 961, 32767, 32768};

enum {
    LENS = sizeof lens / sizeof lens[0]
};

/* Keys that differ in their length, or in their last byte alone. */
static void test_long_keys(void **state)
{
    struct kit *k = *state;
    uint8_t *bytes = malloc(STELE_STORE_KEY_MAX);
    stele_bytes bucket = stele_str("b");
    stele_error err;

    assert_non_null(bytes);
    memset(bytes, 'k', STELE_STORE_KEY_MAX);
    for (int round = 0; round < 3; round++) {
        stele_store_batch *b = kit_begin(k);
        stele_store_read *r;

        kit_create(b, "b");
        for (size_t i = 0; i < LENS && round < 2; i++) {
            /* Each round half of them: some lie in LMDB, and others above. */
            if (i % 2 == (size_t)round) {
                CHECK_OK(stele_store_batch_put(b, bucket, stele_bytes_of(bytes, lens[i]),
                                 stele_bytes_of(&lens[i], sizeof lens[i]), &err),
                        &err);
            }
        }
        kit_end(b);
        if (round != 1) {
            kit_commit(k);
        }
        r = kit_read(k);
        for (size_t i = 0; i < LENS && round > 0; i++) {
            stele_bytes value;

            CHECK_OK(stele_store_read_get(r, bucket, stele_bytes_of(bytes, lens[i]), &value, &err),
                    &err);
            CHECK_BYTES(value, stele_bytes_of(&lens[i], sizeof lens[i]));
        }
        if (round > 0) {
            stele_store_cursor *c = NULL;
            size_t at = 0;

            CHECK_OK(stele_store_cursor_open(&c, r, bucket, &err), &err);
            while (stele_store_cursor_next(c, &err) == STELE_OK) {
                stele_bytes key;

                CHECK_OK(stele_store_cursor_pair(c, &key, NULL, &err), &err);
                assert_int_equal(key.len, lens[at]);
                at++;
            }
            assert_int_equal(at, LENS);
            while (stele_store_cursor_prev(c, &err) == STELE_OK) {
                stele_bytes key;

                CHECK_OK(stele_store_cursor_pair(c, &key, NULL, &err), &err);
                at--;
                assert_int_equal(key.len, lens[at]);
            }
            assert_int_equal(at, 0);
            stele_store_cursor_close(c);
        }
        stele_store_read_end(r);
    }
    free(bytes);
}

/* Many reads at once, in any order, each with what it saw first. */
static void test_many_reads(void **state)
{
    struct kit *k = *state;
    stele_store_read *reads[200];
    char text[16];

    for (int i = 0; i < 200; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        kit_put_one(k, "b", "k", text);
        if (i % 7 == 0) {
            kit_commit(k);
        }
        reads[i] = kit_read(k);
    }
    for (int i = 0; i < 200; i++) {
        int at = i * 77 % 200;

        (void)snprintf(text, sizeof text, "%d", at);
        kit_check(reads[at], "b", "k", text);
    }
    for (int i = 0; i < 200; i++) {
        stele_store_read_end(reads[i * 33 % 200]);
    }
}

static void test_readers_max(void **state)
{
    struct kit *k = *state;
    stele_store_read *reads[3];
    stele_store_read *more = NULL;
    stele_error err;

    kit_close(k);
    k->options.readers_max = 3;
    kit_open(k);
    for (int i = 0; i < 3; i++) {
        reads[i] = kit_read(k);
    }
    CHECK_CODE(stele_store_read_begin(&more, k->s, &err), STELE_EBUSY);
    CHECK_MESSAGE_HAS(&err, "readers_max");
    stele_store_read_end(reads[1]);
    reads[1] = kit_read(k);
    for (int i = 0; i < 3; i++) {
        stele_store_read_end(reads[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_ranges, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_ends_of_a_walk, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_nested_walks, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_cursor, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_cursor_of_a_batch, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_long_keys, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_many_reads, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_readers_max, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
