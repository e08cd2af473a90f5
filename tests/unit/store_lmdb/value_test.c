/* SPDX-License-Identifier: MIT
 *
 * value_test.c: the envelope of a value: every bit of it, and of its place, counts.
 */
#include "store/value.h"

#include "lib/check.h"

#include <stdlib.h>

enum {
    LEN_MAX = 300
};

static stele_bytes wrap(
        uint8_t out[STI_VALUE_HEAD + LEN_MAX], uint32_t bucket, stele_bytes key, stele_bytes value)
{
    sti_value_head(out, sti_value_crc(bucket, key, value));
    if (value.len > 0) {
        memcpy(out + STI_VALUE_HEAD, value.data, value.len);
    }
    return stele_bytes_of(out, STI_VALUE_HEAD + value.len);
}

static void test_values_of_all_lengths(void **state)
{
    uint8_t stored[STI_VALUE_HEAD + LEN_MAX];
    uint8_t bytes[LEN_MAX];
    stele_error err;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    for (size_t len = 0; len <= LEN_MAX; len++) {
        stele_bytes key = stele_bytes_of(bytes, len / 3);
        stele_bytes value = stele_nil();

        CHECK_OK(sti_value_open(
                         &value, 9, key, wrap(stored, 9, key, stele_bytes_of(bytes, len)), &err),
                &err);
        CHECK_BYTES(value, stele_bytes_of(bytes, len));
    }
}

static void test_nil_comes_back_empty(void **state)
{
    uint8_t stored[STI_VALUE_HEAD + LEN_MAX];
    stele_bytes value = stele_nil();
    stele_error err;

    (void)state;
    CHECK_OK(sti_value_open(
                     &value, 1, stele_nil(), wrap(stored, 1, stele_empty(), stele_nil()), &err),
            &err);
    CHECK_BYTES(value, stele_empty());
}

static bool opens(uint32_t bucket, stele_bytes key, stele_bytes stored)
{
    stele_bytes value = stele_nil();
    stele_error err;
    stele_code code = sti_value_open(&value, bucket, key, stored, &err);

    assert_true(code == STELE_OK || code == STELE_ECORRUPT || code == STELE_EVERSION);
    assert_int_equal(code == STELE_OK, !stele_is_nil(value));
    return code == STELE_OK;
}

static void test_every_bit_counts(void **state)
{
    uint8_t stored[STI_VALUE_HEAD + LEN_MAX];
    uint8_t key[] = "a key";
    stele_bytes k = stele_bytes_of(key, 5);
    stele_bytes all = wrap(stored, 6, k, stele_str("a value of some length"));

    (void)state;
    assert_true(opens(6, k, all));
    for (size_t bit = 0; bit < 8 * all.len; bit++) {
        stored[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_false(opens(6, k, all));
        stored[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * k.len; bit++) {
        key[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_false(opens(6, k, all));
        key[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t bit = 0; bit < 32; bit++) {
        assert_false(opens(6U ^ (1U << bit), k, all));
    }
    for (size_t len = 0; len < all.len; len++) {
        assert_false(opens(6, k, stele_bytes_of(stored, len)));
    }
}

/* The same bytes, cut elsewhere into key and value, are something else. */
static void test_the_length_of_the_key_counts(void **state)
{
    (void)state;
    assert_int_not_equal(sti_value_crc(1, stele_str("ab"), stele_str("c")),
            sti_value_crc(1, stele_str("a"), stele_str("bc")));
    assert_int_equal(sti_value_crc(1, stele_nil(), stele_nil()),
            sti_value_crc(1, stele_empty(), stele_empty()));
}

static void test_a_later_version_is_told(void **state)
{
    uint8_t stored[STI_VALUE_HEAD + LEN_MAX];
    stele_bytes value;
    stele_error err;
    stele_bytes all = wrap(stored, 6, stele_nil(), stele_str("v"));

    (void)state;
    stored[0] = 2;
    CHECK_CODE(sti_value_open(&value, 6, stele_nil(), all, &err), STELE_EVERSION);
    stored[0] = 0;
    CHECK_CODE(sti_value_open(&value, 6, stele_nil(), all, &err), STELE_ECORRUPT);
}

static void test_mark_and_hash(void **state)
{
    uint8_t stored[STI_VALUE_HEAD + LEN_MAX];
    struct sti_value_mark mark;
    struct sti_value_mark other;
    stele_error err;

    (void)state;
    CHECK_OK(sti_value_mark(&mark, wrap(stored, 6, stele_nil(), stele_str("vw")), &err), &err);
    assert_int_equal(mark.len, 2);
    assert_int_equal(mark.crc, sti_value_crc(6, stele_nil(), stele_str("vw")));
    other = mark;
    other.crc ^= 1;
    assert_true(sti_value_hash(&mark) != sti_value_hash(&other));
    other.crc ^= 1;
    assert_true(sti_value_hash(&mark) == sti_value_hash(&other));
    other.len++;
    assert_true(sti_value_hash(&mark) != sti_value_hash(&other));
    CHECK_CODE(sti_value_mark(&mark, stele_bytes_of(stored, STI_VALUE_HEAD - 1), &err),
            STELE_ECORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_values_of_all_lengths),
            cmocka_unit_test(test_nil_comes_back_empty),
            cmocka_unit_test(test_every_bit_counts),
            cmocka_unit_test(test_the_length_of_the_key_counts),
            cmocka_unit_test(test_a_later_version_is_told),
            cmocka_unit_test(test_mark_and_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
