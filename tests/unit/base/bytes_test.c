/* SPDX-License-Identifier: MIT
 *
 * bytes_test.c: nil apart from empty, order, and buffers at their limits.
 */
#include "base/bytes.h"

#include "base/alloc.h"
#include "lib/check.h"

#include <stdlib.h>

static void test_constructors(void **state)
{
    (void)state;
    assert_true(stele_is_nil(stele_nil()));
    assert_false(stele_is_nil(stele_empty()));
    assert_true(stele_is_nil(stele_str(NULL)));
    assert_false(stele_is_nil(stele_str("")));
    assert_int_equal(stele_str("four").len, 4);
}

/* Every pair of this ascending list compares as its positions do. */
static void test_order(void **state)
{
    const stele_bytes ascending[] = {
            stele_nil(),
            stele_empty(),
            stele_bytes_of("\0", 1),
            stele_bytes_of("\0\0", 2),
            stele_bytes_of("\0a", 2),
            stele_str("a"),
            stele_bytes_of("a\0", 2),
            stele_str("ab"),
            stele_str("b"),
            stele_bytes_of("\x7f", 1),
            stele_bytes_of("\x80", 1),
            stele_bytes_of("\xff", 1),
            stele_bytes_of("\xff\xff", 2),
    };
    const int count = sizeof ascending / sizeof ascending[0];

    (void)state;
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < count; k++) {
            int expected = (i > k) - (i < k);

            assert_int_equal(stele_bytes_compare(ascending[i], ascending[k]), expected);
            assert_int_equal(stele_bytes_equal(ascending[i], ascending[k]), i == k);
        }
    }
    assert_true(stele_bytes_equal(stele_str("same"), stele_bytes_of("same", 4)));
    assert_int_equal(stele_bytes_compare(stele_str("same"), stele_bytes_of("same", 4)), 0);
}

static void test_buf_nil_and_empty(void **state)
{
    stele_buf buf;
    stele_error err;

    (void)state;
    stele_buf_init(&buf, 0);
    CHECK_BYTES(stele_buf_view(&buf), stele_nil());
    CHECK_OK(stele_buf_append(&buf, stele_empty(), &err), &err);
    CHECK_BYTES(stele_buf_view(&buf), stele_empty());
    CHECK_CODE(stele_buf_append(&buf, stele_str("a"), &err), STELE_ETOOBIG);
    CHECK_BYTES(stele_buf_view(&buf), stele_empty());
    stele_buf_free(&buf);
    CHECK_BYTES(stele_buf_view(&buf), stele_nil());
    CHECK_OK(stele_buf_append(&buf, stele_nil(), &err), &err);
    CHECK_BYTES(stele_buf_view(&buf), stele_empty());
    stele_buf_free(&buf);
    stele_buf_free(&buf);
}

static void test_buf_grows_to_its_limit(void **state)
{
    enum {
        LIMIT = 1000
    };

    stele_buf buf;
    stele_error err;
    uint8_t expected[LIMIT];

    (void)state;
    stele_buf_init(&buf, LIMIT);
    for (size_t i = 0; i < LIMIT; i++) {
        expected[i] = (uint8_t)(i * 7);
        CHECK_OK(stele_buf_append(&buf, stele_bytes_of(&expected[i], 1), &err), &err);
        assert_true(buf.capacity <= LIMIT);
    }
    CHECK_BYTES(stele_buf_view(&buf), stele_bytes_of(expected, LIMIT));
    CHECK_CODE(stele_buf_append(&buf, stele_str("x"), &err), STELE_ETOOBIG);
    CHECK_MESSAGE_HAS(&err, "1000");
    CHECK_CODE(stele_buf_append(&buf, stele_bytes_of("x", SIZE_MAX), &err), STELE_ETOOBIG);
    CHECK_BYTES(stele_buf_view(&buf), stele_bytes_of(expected, LIMIT));
    CHECK_OK(stele_buf_append(&buf, stele_empty(), &err), &err);
    stele_buf_clear(&buf);
    CHECK_BYTES(stele_buf_view(&buf), stele_empty());
    assert_int_equal(buf.capacity, LIMIT);
    stele_buf_free(&buf);
    assert_int_equal(buf.limit, LIMIT);
}

static void test_buf_at_once(void **state)
{
    stele_buf buf;
    stele_error err;
    uint8_t *big = calloc(1, 100000);

    (void)state;
    assert_non_null(big);
    stele_buf_init(&buf, SIZE_MAX);
    CHECK_OK(stele_buf_append(&buf, stele_bytes_of(big, 100000), &err), &err);
    CHECK_BYTES(stele_buf_view(&buf), stele_bytes_of(big, 100000));
    stele_buf_free(&buf);
    free(big);
}

static void test_buf_refuses_a_length_without_data(void **state)
{
    stele_buf buf;
    stele_error err;

    (void)state;
    stele_buf_init(&buf, 100);
    CHECK_CODE(stele_buf_append(&buf, stele_bytes_of(NULL, 3), &err), STELE_EINVAL);
    CHECK_BYTES(stele_buf_view(&buf), stele_nil());
}

static void test_buf_takes_its_own_bytes(void **state)
{
    stele_buf buf;
    stele_error err;

    (void)state;
    stele_buf_init(&buf, 4096);
    CHECK_OK(stele_buf_append(&buf, stele_str("0123456789abcdef"), &err), &err);
    for (int i = 0; i < 6; i++) {
        CHECK_OK(stele_buf_append(&buf, stele_buf_view(&buf), &err), &err);
    }
    assert_int_equal(buf.len, 1024);
    for (size_t i = 0; i < buf.len; i++) {
        assert_int_equal(buf.data[i], "0123456789abcdef"[i % 16]);
    }
    CHECK_OK(stele_buf_append(&buf, stele_bytes_of(buf.data + 10, 6), &err), &err);
    assert_memory_equal(buf.data + 1024, "abcdef", 6);
    stele_buf_free(&buf);
}

#ifdef STI_TESTING

static bool always(void *arg)
{
    (void)arg;
    return true;
}

/* An allocator may put the next object right behind a buffer that is full. */
static void test_buf_knows_its_own_bytes(void **state)
{
    uint8_t memory[16] = {0};
    const stele_buf buf = {.data = memory + 4, .len = 8, .capacity = 8, .limit = SIZE_MAX};
    const stele_buf nil = {.limit = SIZE_MAX};

    (void)state;
    assert_true(sti_buf_holds(&buf, stele_bytes_of(memory + 4, 8)));
    assert_true(sti_buf_holds(&buf, stele_bytes_of(memory + 11, 1)));
    assert_false(sti_buf_holds(&buf, stele_bytes_of(memory + 12, 4)));
    assert_false(sti_buf_holds(&buf, stele_bytes_of(memory + 3, 1)));
    assert_false(sti_buf_holds(&buf, stele_nil()));
    assert_false(sti_buf_holds(&nil, stele_nil()));
    assert_false(sti_buf_holds(&nil, stele_bytes_of(memory, 1)));
}

static void test_buf_without_memory(void **state)
{
    stele_buf buf;
    stele_error err;
    stele_code code;

    (void)state;
    stele_buf_init(&buf, 4096);
    sti_alloc_set_hook(always, NULL);
    code = stele_buf_append(&buf, stele_empty(), &err);
    sti_alloc_set_hook(NULL, NULL);
    CHECK_CODE(code, STELE_ENOMEM);
    CHECK_BYTES(stele_buf_view(&buf), stele_nil());

    CHECK_OK(stele_buf_append(&buf, stele_str("kept"), &err), &err);
    uint8_t big[1000] = {0};
    sti_alloc_set_hook(always, NULL);
    code = stele_buf_append(&buf, stele_bytes_of(big, sizeof big), &err);
    sti_alloc_set_hook(NULL, NULL);
    CHECK_CODE(code, STELE_ENOMEM);
    CHECK_BYTES(stele_buf_view(&buf), stele_str("kept"));
    stele_buf_free(&buf);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_constructors),
            cmocka_unit_test(test_order),
            cmocka_unit_test(test_buf_nil_and_empty),
            cmocka_unit_test(test_buf_grows_to_its_limit),
            cmocka_unit_test(test_buf_at_once),
            cmocka_unit_test(test_buf_refuses_a_length_without_data),
            cmocka_unit_test(test_buf_takes_its_own_bytes),
            cmocka_unit_test(test_buf_knows_its_own_bytes),
#ifdef STI_TESTING
            cmocka_unit_test(test_buf_without_memory),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
