/* SPDX-License-Identifier: MIT
 *
 * format_test.c: the bytes of messages, logs and index items.
 */
#include "stream/format.h"

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/fnv.h"
#include "lib/check.h"
#include "stream/index_format.h"

#include <stdlib.h>

static const stele_stream_version versions[] = {STELE_STREAM_V1, STELE_STREAM_V2};

/* A copy in memory of exactly its size, so that reading beyond it is seen. */
static uint8_t *exact(const void *data, size_t len)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len);

    assert_non_null(copy);
    memcpy(copy, data, len);
    return copy;
}

static void check_round_trip(stele_stream_version version, int64_t offset, stele_time time,
        stele_bytes key, stele_bytes value)
{
    size_t size = sti_message_size(version, key.len, value.len);
    uint8_t *bytes = malloc(size);
    stele_message out;
    size_t got = 0;

    assert_non_null(bytes);
    sti_message_put(bytes, version, offset, time, key, value);
    assert_int_equal(sti_message_get(bytes, size, version, &out, &got), STI_MESSAGE_WHOLE);
    assert_int_equal(got, size);
    assert_true(out.offset == offset && out.time == time);
    CHECK_BYTES(out.key, key.len == 0 ? stele_nil() : key);
    CHECK_BYTES(out.value, value.len == 0 ? stele_nil() : value);
    for (size_t len = 0; len < size; len++) {
        uint8_t *cut = exact(bytes, len);
        enum sti_message_state state = sti_message_get(cut, len, version, &out, &got);

        /* A few leading zero bytes are no message yet. */
        assert_int_equal(state, sti_all_zero(cut, len) ? STI_MESSAGE_END : STI_MESSAGE_SHORT);
        free(cut);
    }
    free(bytes);
}

static void test_round_trips(void **state)
{
    static const size_t lengths[] = {0, 1, 7, 8, 9, 63, 300};
    static const int64_t numbers[] = {0, 1, 42, INT64_MAX};
    static const stele_time times[] = {1, -1, 1700000000000000, INT64_MIN, INT64_MAX};
    uint8_t bytes[600];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 31 + 5);
    }
    for (size_t i = 0; i < (size_t)2 * 7 * 7; i++) {
        stele_bytes key = stele_bytes_of(bytes, lengths[i / 2 % 7]);
        stele_bytes value = stele_bytes_of(bytes + 300, lengths[i / 14]);

        check_round_trip(versions[i % 2], numbers[i % 4], times[i % 5], key, value);
    }
    check_round_trip(STELE_STREAM_V1, 3, 1, stele_nil(), stele_nil());
    check_round_trip(STELE_STREAM_V2, 3, 1, stele_nil(), stele_nil());
    check_round_trip(STELE_STREAM_V2, 3, 1, stele_empty(), stele_empty());
}

/* Byte for byte as the tables in the header say. */
static void test_layout(void **state)
{
    static const uint8_t body[] = {0, 0, 0, 0, 0, 0, 1, 2, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
            0xFE, 0, 0, 0, 2, 0, 0, 0, 1};
    static const uint8_t trailer[] = {0xDE, 0xAD, 0xBE, 0xEF, 0xFE, 0xED, 0xFA, 0xCE};
    uint8_t out[39];

    (void)state;
    sti_message_put(out, STELE_STREAM_V1, 0x102, -2, stele_str("ab"), stele_str("c"));
    assert_memory_equal(out, body, 24);
    assert_int_equal(sti_get_be32(out + 24), sti_crc32c_table(0, "abc", 3));
    assert_memory_equal(out + 28, "abc", 3);

    sti_message_put(out, STELE_STREAM_V2, 0x102, -2, stele_str("ab"), stele_str("c"));
    assert_memory_equal(out + 4, body, 24);
    assert_memory_equal(out + 28, "abc", 3);
    assert_memory_equal(out + 31, trailer, 8);
    assert_int_equal(sti_get_be32(out), sti_crc32c_table(0, out + 4, 35));

    sti_log_header_put(out);
    assert_memory_equal(out, "\xFFklevs\x01\0", 8);
}

static void test_v2_every_flipped_bit(void **state)
{
    uint8_t bytes[36 + 5 + 11 + 64];
    size_t size = sti_message_size(STELE_STREAM_V2, 5, 11);

    (void)state;
    /* What follows is there, so that longer lengths find bytes, too. */
    memset(bytes, 0xA5, sizeof bytes);
    sti_message_put(bytes, STELE_STREAM_V2, 42, 1700000000000000, stele_str("alpha"),
            stele_str("hello world"));
    for (size_t bit = 0; bit < 8 * size; bit++) {
        stele_message out;
        size_t got;

        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(sti_message_get(bytes, sizeof bytes, STELE_STREAM_V2, &out, &got),
                STI_MESSAGE_WHOLE);
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

/* The bytes of a version 1 message that its checksum does not cover are those
 * of offset and time, 0 to 15, with every bit. A changed length alone moves
 * the end, and is noticed. */
static void test_v1_unprotected_bytes(void **state)
{
    uint8_t bytes[28 + 5 + 11 + 64];
    size_t size = sti_message_size(STELE_STREAM_V1, 5, 11);

    (void)state;
    memset(bytes, 0xA5, sizeof bytes);
    sti_message_put(bytes, STELE_STREAM_V1, 42, 1700000000000000, stele_str("alpha"),
            stele_str("hello world"));
    for (size_t bit = 0; bit < 8 * size; bit++) {
        stele_message out;
        size_t got;
        bool whole;

        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        whole = sti_message_get(bytes, sizeof bytes, STELE_STREAM_V1, &out, &got) ==
                STI_MESSAGE_WHOLE;
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        if (whole != (bit / 8 < 16)) {
            fail_msg("byte %zu, bit %zu", bit / 8, bit % 8);
        }
    }
}

/* Nor does it cover where the key ends: two lengths changed against each
 * other pass. */
static void test_v1_unprotected_border(void **state)
{
    uint8_t bytes[28 + 5 + 11];
    stele_message out;
    size_t got;

    (void)state;
    sti_message_put(bytes, STELE_STREAM_V1, 42, 1, stele_str("alpha"), stele_str("hello world"));
    sti_put_be32(bytes + 16, 6);
    sti_put_be32(bytes + 20, 10);
    assert_int_equal(
            sti_message_get(bytes, sizeof bytes, STELE_STREAM_V1, &out, &got), STI_MESSAGE_WHOLE);
    CHECK_BYTES(out.key, stele_str("alphah"));

    /* Version 2 covers it. */
    uint8_t more[36 + 5 + 11];
    sti_message_put(more, STELE_STREAM_V2, 42, 1, stele_str("alpha"), stele_str("hello world"));
    sti_put_be32(more + 20, 6);
    sti_put_be32(more + 24, 10);
    assert_int_equal(
            sti_message_get(more, sizeof more, STELE_STREAM_V2, &out, &got), STI_MESSAGE_DAMAGED);
}

/* The checksum of nothing is 0, so that 28 zero bytes would pass for a
 * message of version 1: they are the end. */
static void test_zero_bytes(void **state)
{
    uint8_t bytes[64] = {0};
    stele_message out;
    size_t got;

    (void)state;
    assert_int_equal(sti_crc32c(0, "", 0), 0);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        assert_int_equal(sti_message_get(bytes, len, STELE_STREAM_V1, &out, &got), STI_MESSAGE_END);
        assert_int_equal(sti_message_get(bytes, len, STELE_STREAM_V2, &out, &got), STI_MESSAGE_END);
    }
    for (size_t i = 0; i < 64; i++) {
        bytes[i] = 1;
        assert_false(sti_all_zero(bytes, 64));
        assert_true(sti_all_zero(bytes, i));
        assert_int_equal(sti_message_get(bytes, 28, STELE_STREAM_V1, &out, &got) == STI_MESSAGE_END,
                i >= 28);
        assert_int_equal(sti_message_get(bytes, 36, STELE_STREAM_V2, &out, &got) == STI_MESSAGE_END,
                i >= 36);
        bytes[i] = 0;
    }
    /* Offset 0 at time 1 without key and value is a message. */
    sti_message_put(bytes, STELE_STREAM_V1, 0, 1, stele_nil(), stele_nil());
    assert_int_equal(sti_message_get(bytes, 28, STELE_STREAM_V1, &out, &got), STI_MESSAGE_WHOLE);
    sti_message_put(bytes, STELE_STREAM_V2, 0, 0, stele_nil(), stele_nil());
    assert_int_equal(sti_message_get(bytes, 36, STELE_STREAM_V2, &out, &got), STI_MESSAGE_WHOLE);
}

static void check_lengths(uint32_t key_len, uint32_t value_len, enum sti_message_state expected)
{
    for (size_t i = 0; i < 2; i++) {
        size_t at = versions[i] == STELE_STREAM_V1 ? 0 : 4;
        size_t size = sti_message_size(versions[i], 0, 0);
        uint8_t *bytes = calloc(1, size);
        stele_message out;
        size_t got;

        assert_non_null(bytes);
        bytes[at + 7] = 1;
        sti_put_be32(bytes + at + 16, key_len);
        sti_put_be32(bytes + at + 20, value_len);
        assert_int_equal(sti_message_get(bytes, size, versions[i], &out, &got), expected);
        free(bytes);
    }
}

static void test_lengths(void **state)
{
    const uint32_t max = (uint32_t)STELE_MESSAGE_SIZE_MAX;

    (void)state;
    check_lengths(1, 0, STI_MESSAGE_SHORT);
    check_lengths(0, 1, STI_MESSAGE_SHORT);
    check_lengths(max, 0, STI_MESSAGE_SHORT);
    check_lengths(0, max, STI_MESSAGE_SHORT);
    check_lengths(max / 2, max / 2, STI_MESSAGE_SHORT);
    check_lengths(max + 1, 0, STI_MESSAGE_DAMAGED);
    check_lengths(0, max + 1, STI_MESSAGE_DAMAGED);
    check_lengths(max, 1, STI_MESSAGE_DAMAGED);
    check_lengths(1, max, STI_MESSAGE_DAMAGED);
    check_lengths(UINT32_MAX, 1, STI_MESSAGE_DAMAGED);
    check_lengths(UINT32_MAX, UINT32_MAX, STI_MESSAGE_DAMAGED);
    check_lengths(1U << 31, 1U << 31, STI_MESSAGE_DAMAGED);
}

static enum sti_log_kind kind(const char *bytes, size_t len, int64_t base)
{
    uint8_t *copy = exact(bytes, len);
    enum sti_log_kind k = sti_log_kind_of(copy, len, base);

    free(copy);
    return k;
}

static void test_log_kinds(void **state)
{
    static const char zeros[100];
    char later[100] = {0};

    (void)state;
    assert_int_equal(kind("", 0, 0), STI_LOG_EMPTY);
    assert_int_equal(kind(zeros, 1, 5), STI_LOG_EMPTY);
    assert_int_equal(kind(zeros, 100, 0), STI_LOG_EMPTY);
    assert_int_equal(kind("\xFFklevs\x01\0", 8, 0), STI_LOG_V2);
    assert_int_equal(kind("\xFFklevs\x01\0more", 12, 77), STI_LOG_V2);
    assert_int_equal(kind("\xFFklevs\x02\0", 8, 0), STI_LOG_VERSION);
    assert_int_equal(kind("\xFFklevs\x01\1", 8, 0), STI_LOG_VERSION);
    for (size_t len = 1; len < 8; len++) {
        assert_int_equal(kind("\xFFklevs\x01\0", len, 0), STI_LOG_TORN);
    }
    assert_int_equal(kind("\0\0\0\0\0\0\1\2", 8, 0x102), STI_LOG_V1);
    assert_int_equal(kind("\0\0\0\0\0\0\1\2", 8, 0x103), STI_LOG_FOREIGN);
    assert_int_equal(kind("\0\0\0\0\0\0\1", 7, 0x102), STI_LOG_TORN);
    assert_int_equal(kind("\xFFklevi\x01\0", 8, 0), STI_LOG_FOREIGN);
    later[9] = 1; /* offset 0, and a time */
    assert_int_equal(kind(later, 28, 0), STI_LOG_V1);
    assert_int_equal(kind(later, 28, 1), STI_LOG_FOREIGN);
}

static void test_index_items(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 4; bits++) {
        struct sti_index_params params = {.times = (bits & 1) != 0, .keys = (bits & 2) != 0};
        struct sti_index_item in = {.offset = 0x0102030405060708, .position = 0x1112131415161718};
        struct sti_index_item out;
        size_t size = sti_index_item_size(params);
        uint8_t bytes[STI_INDEX_ITEM_MAX + 1];

        assert_int_equal(size, 16 + 8 * (bits & 1) + 4 * (bits & 2));
        in.time = params.times ? -5 : 0;
        in.hash = params.keys ? 0x2122232425262728 : 0;
        memset(bytes, 0xEE, sizeof bytes);
        sti_index_item_put(bytes, params, &in);
        assert_int_equal(bytes[size], 0xEE);
        assert_memory_equal(bytes, "\1\2\3\4\5\6\7\10\x11\x12\x13\x14\x15\x16\x17\x18", 16);
        if (params.times) {
            assert_memory_equal(bytes + 16, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFB", 8);
        }
        if (params.keys) {
            assert_memory_equal(bytes + size - 8, "\x21\x22\x23\x24\x25\x26\x27\x28", 8);
        }
        sti_index_item_get(bytes, params, &out);
        assert_true(out.offset == in.offset && out.position == in.position);
        assert_true(out.time == in.time && out.hash == in.hash);
    }
}

static void test_index_item_of(void **state)
{
    stele_message m = {.offset = 7, .time = 100, .key = stele_str("a"), .value = stele_nil()};
    struct sti_index_params both = {true, true};
    struct sti_index_params none = {false, false};
    struct sti_index_item item;

    (void)state;
    sti_index_item_of(&item, both, &m, 8, INT64_MIN);
    assert_true(item.offset == 7 && item.position == 8 && item.time == 100);
    assert_true(item.hash == 0xaf63dc4c8601ec8cULL); /* the published value for "a" */
    sti_index_item_of(&item, both, &m, 8, 101);
    assert_true(item.time == 101);
    sti_index_item_of(&item, none, &m, 8, 101);
    assert_true(item.time == 0 && item.hash == 0);
    m.key = stele_nil();
    sti_index_item_of(&item, both, &m, 8, 0);
    assert_true(item.hash == 0xcbf29ce484222325ULL); /* of no bytes */
}

static enum sti_index_kind index_kind(
        const char *bytes, size_t len, int64_t base, struct sti_index_params *params)
{
    uint8_t *copy = exact(bytes, len);
    enum sti_index_kind k = sti_index_kind_of(copy, len, base, params);

    free(copy);
    return k;
}

static void test_index_kinds(void **state)
{
    static const char zeros[100];
    struct sti_index_params params;
    uint8_t header[STI_INDEX_HEADER_SIZE];

    (void)state;
    for (unsigned bits = 0; bits < 4; bits++) {
        struct sti_index_params in = {.times = (bits & 1) != 0, .keys = (bits & 2) != 0};

        sti_index_header_put(header, in);
        assert_memory_equal(header, "\xFFklevi\x01", 7);
        assert_int_equal(header[7], bits);
        assert_int_equal(sti_index_kind_of(header, 8, 0, &params), STI_INDEX_V2);
        assert_true(params.times == in.times && params.keys == in.keys);
    }
    assert_int_equal(index_kind("", 0, 0, &params), STI_INDEX_EMPTY);
    assert_int_equal(index_kind(zeros, 8, 0, &params), STI_INDEX_EMPTY);
    assert_int_equal(index_kind(zeros, 16, 0, &params), STI_INDEX_V1);
    assert_int_equal(index_kind(zeros, 16, 1, &params), STI_INDEX_EMPTY);
    assert_int_equal(index_kind("\xFFklevi\x02\0", 8, 0, &params), STI_INDEX_VERSION);
    assert_int_equal(index_kind("\xFFklevi\x01\4", 8, 0, &params), STI_INDEX_VERSION);
    assert_int_equal(index_kind("\xFFklevi\x01", 7, 0, &params), STI_INDEX_TORN);
    assert_int_equal(index_kind("\0\0\0\0\0\0\1\2", 8, 0x102, &params), STI_INDEX_V1);
    assert_int_equal(index_kind("\0\0\0\0\0\0\1\2", 8, 0x103, &params), STI_INDEX_FOREIGN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_round_trips),
            cmocka_unit_test(test_layout),
            cmocka_unit_test(test_v2_every_flipped_bit),
            cmocka_unit_test(test_v1_unprotected_bytes),
            cmocka_unit_test(test_v1_unprotected_border),
            cmocka_unit_test(test_zero_bytes),
            cmocka_unit_test(test_lengths),
            cmocka_unit_test(test_log_kinds),
            cmocka_unit_test(test_index_items),
            cmocka_unit_test(test_index_item_of),
            cmocka_unit_test(test_index_kinds),
    };

    return cmocka_run_group_tests_name("stream format", tests, NULL, NULL);
}
