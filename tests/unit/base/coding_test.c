/* SPDX-License-Identifier: MIT
 *
 * coding_test.c: byte orders at any alignment, and varints at their edges.
 */
#include "base/coding.h"

#include "lib/check.h"

static void test_byte_orders(void **state)
{
    uint8_t room[16];

    (void)state;
    for (size_t at = 0; at < 8; at++) {
        uint8_t *p = room + at;

        sti_put_be32(p, 0x01020304U);
        assert_memory_equal(p, "\x01\x02\x03\x04", 4);
        assert_int_equal(sti_get_be32(p), 0x01020304U);
        assert_int_equal(sti_get_le32(p), 0x04030201U);
        sti_put_le32(p, 0x01020304U);
        assert_memory_equal(p, "\x04\x03\x02\x01", 4);
        sti_put_be64(p, 0x0102030405060708ULL);
        assert_memory_equal(p, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
        assert_true(sti_get_be64(p) == 0x0102030405060708ULL);
        assert_true(sti_get_le64(p) == 0x0807060504030201ULL);
        sti_put_le64(p, 0x0102030405060708ULL);
        assert_memory_equal(p, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
    }
}

static void check_pair(int64_t v, const char *bytes, size_t len)
{
    uint8_t out[STI_VARINT_MAX];
    int64_t back = ~v;

    assert_int_equal(sti_varint_put(out, v), len);
    assert_memory_equal(out, bytes, len);
    assert_int_equal(sti_varint_get(out, len, &back), (int)len);
    assert_true(back == v);
}

static void test_known_varints(void **state)
{
    (void)state;
    check_pair(0, "\x00", 1);
    check_pair(-1, "\x01", 1);
    check_pair(1, "\x02", 1);
    check_pair(63, "\x7e", 1);
    check_pair(-64, "\x7f", 1);
    check_pair(64, "\x80\x01", 2);
    check_pair(-65, "\x81\x01", 2);
    check_pair(INT64_MAX, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
    check_pair(INT64_MIN, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
}

/* All numbers next to a power of two, cut at every length. */
static void test_round_trip(void **state)
{
    (void)state;
    for (int bit = 0; bit < 63; bit++) {
        for (int64_t near = -2; near <= 2; near++) {
            for (int sign = -1; sign <= 1; sign += 2) {
                int64_t v = sign * ((INT64_C(1) << bit) + (bit > 2 ? near : 0));
                uint8_t out[STI_VARINT_MAX];
                size_t len = sti_varint_put(out, v);
                int64_t back = 0;

                for (size_t cut = 0; cut < len; cut++) {
                    assert_int_equal(sti_varint_get(out, cut, &back), 0);
                }
                assert_int_equal(sti_varint_get(out, len, &back), (int)len);
                assert_true(back == v);
            }
        }
    }
}

static int get(const char *bytes, size_t len, int64_t *v)
{
    return sti_varint_get((const uint8_t *)bytes, len, v);
}

static void test_as_go_reads_them(void **state)
{
    int64_t v = 4711;

    (void)state;
    assert_int_equal(get("", 0, &v), 0);
    assert_int_equal(get("\x80", 1, &v), 0);
    /* Nine bytes that go on, and then: one bit, too many bits, none. */
    assert_int_equal(get("\x80\x80\x80\x80\x80\x80\x80\x80\x80", 9, &v), 0);
    assert_int_equal(get("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", 10, &v), -1);
    assert_int_equal(get("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10, &v), -1);
    assert_int_equal(get("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", 10, &v), 0);
    assert_int_equal(get("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11, &v), -1);
    assert_int_equal(v, 4711); /* untouched so far */
    /* Padding is accepted. */
    assert_int_equal(get("\x80\x00", 2, &v), 2);
    assert_int_equal(v, 0);
    assert_int_equal(get("\x82\x80\x00", 3, &v), 3);
    assert_int_equal(v, 1);
    assert_int_equal(get("\x82\x80\x80\x80\x80\x80\x80\x80\x80\x00", 10, &v), 10);
    assert_int_equal(v, 1);
    /* What follows is left alone. */
    assert_int_equal(get("\x04\xff\xff", 3, &v), 1);
    assert_int_equal(v, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_byte_orders),
            cmocka_unit_test(test_known_varints),
            cmocka_unit_test(test_round_trip),
            cmocka_unit_test(test_as_go_reads_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
