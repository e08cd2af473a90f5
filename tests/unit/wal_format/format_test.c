/* SPDX-License-Identifier: MIT
 *
 * format_test.c: headers, frames and seals, byte for byte and bit by bit.
 */
#include "wal/format.h"

#include "base/coding.h"
#include "base/crc32c.h"
#include "lib/check.h"
#include "lib/tmpdir.h"

#include <stdlib.h>

enum {
    SALT = 0x11223344,
    RECORD_MAX = 1 << 20
};

static void test_header(void **state)
{
    const struct sti_wal_header header = {
            .first_id = 7, .number = 3, .salt = SALT, .used_before = true};
    struct sti_wal_header back;
    uint8_t bytes[STI_WAL_HEADER_SIZE];
    stele_error err;

    (void)state;
    sti_wal_header_encode(bytes, &header);
    assert_memory_equal(bytes, "STWL\1\1\0\0\7\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\x44\x33\x22\x11", 28);
    assert_true(sti_get_le32(bytes + 28) == sti_crc32c(0, bytes, 28));
    CHECK_OK(sti_wal_header_decode(stele_bytes_of(bytes, sizeof bytes), "f", &back, &err), &err);
    assert_true(back.first_id == 7 && back.number == 3 && back.salt == SALT && back.used_before);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        CHECK_CODE(sti_wal_header_decode(stele_bytes_of(bytes, sizeof bytes), "f", &back, &err),
                STELE_ECORRUPT);
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t len = 0; len < sizeof bytes; len++) {
        CHECK_CODE(sti_wal_header_decode(stele_bytes_of(bytes, len), "f", &back, &err),
                STELE_ECORRUPT);
    }
}

static void test_later_version(void **state)
{
    const struct sti_wal_header header = {.salt = 1};
    static const size_t places[] = {4, 5, 6, 7};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        uint8_t bytes[STI_WAL_HEADER_SIZE];
        struct sti_wal_header back;
        stele_error err;

        sti_wal_header_encode(bytes, &header);
        bytes[places[i]] = 2;
        sti_put_le32(bytes + 28, sti_crc32c(0, bytes, 28));
        CHECK_CODE(sti_wal_header_decode(stele_bytes_of(bytes, sizeof bytes), "f", &back, &err),
                STELE_EVERSION);
        assert_string_equal(err.file, "f");
    }
}

static enum sti_wal_decoded decode(const uint8_t *in, size_t len, stele_wal_format format,
        uint64_t id, struct sti_wal_frame *out, size_t *need)
{
    return sti_wal_frame_decode(in, len, format, id, SALT, RECORD_MAX, out, need);
}

/* Every frame is found again, no prefix of it is one, and no bit may differ. */
static void check_frame(stele_wal_format format, enum sti_wal_kind kind, stele_bytes data)
{
    size_t size = sti_wal_frame_size(format, data.len);
    uint8_t *bytes = malloc(size + 8);
    struct sti_wal_frame frame;
    size_t need = 0;

    assert_non_null(bytes);
    memset(bytes, 0xee, size + 8);
    assert_int_equal(sti_wal_frame_encode(bytes, format, kind, 42, SALT, 99, data), size);
    assert_int_equal(bytes[size], 0xee);
    assert_int_equal(decode(bytes, size + 8, format, 42, &frame, &need), STI_WAL_VALID);
    assert_true(frame.kind == kind && frame.id == 42 && frame.size == size);
    assert_true(frame.durable == (format == STELE_WAL_BLB ? 0 : 99));
    assert_int_equal(frame.data.len, data.len);
    assert_true(data.len == 0 || memcmp(frame.data.data, data.data, data.len) == 0);
    for (size_t len = 0; len < size; len++) {
        need = 0;
        assert_int_equal(decode(bytes, len, format, 42, &frame, &need), STI_WAL_SHORT);
        assert_true(need > len && need <= size);
    }
    assert_int_equal(decode(bytes, size, format, 41, &frame, &need), STI_WAL_INVALID);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(decode(bytes, size, format, 42, &frame, &need), STI_WAL_VALID);
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    free(bytes);
}

static void test_frames(void **state)
{
    static const size_t lens[] = {0, 1, 4, 8, 112, 113, 700};
    uint8_t data[700];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(7 * i + 1);
    }
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        check_frame(STELE_WAL_STELE, STI_WAL_RECORD, stele_bytes_of(data, lens[i]));
        check_frame(STELE_WAL_BLB, STI_WAL_RECORD, stele_bytes_of(data, lens[i]));
    }
    check_frame(STELE_WAL_STELE, STI_WAL_RECORD, stele_nil());
    check_frame(STELE_WAL_BLB, STI_WAL_RECORD, stele_nil());
    check_frame(STELE_WAL_STELE, STI_WAL_MARK, stele_nil());
    check_frame(STELE_WAL_STELE, STI_WAL_SEAL, stele_bytes_of(data, 8));
}

/* Lengths that a file claims are refused before anything is read by them. */
static void test_lengths(void **state)
{
    uint8_t bytes[64] = {0};
    struct sti_wal_frame frame;
    size_t need;

    (void)state;
    sti_put_le64(bytes + 8, 42);
    sti_put_le32(bytes + 16, SALT);
    sti_put_le32(bytes + 4, RECORD_MAX + 1);
    assert_int_equal(decode(bytes, 64, STELE_WAL_STELE, 42, &frame, &need), STI_WAL_INVALID);
    sti_put_le32(bytes + 4, 1U << 30 | 4);
    assert_int_equal(decode(bytes, 64, STELE_WAL_STELE, 42, &frame, &need), STI_WAL_INVALID);
    sti_put_le32(bytes + 4, 2U << 30 | 5);
    assert_int_equal(decode(bytes, 64, STELE_WAL_STELE, 42, &frame, &need), STI_WAL_INVALID);
    sti_put_le32(bytes + 4, 3U << 30);
    assert_int_equal(decode(bytes, 64, STELE_WAL_STELE, 42, &frame, &need), STI_WAL_INVALID);
    sti_put_le32(bytes + 4, RECORD_MAX);
    assert_int_equal(decode(bytes, 64, STELE_WAL_STELE, 42, &frame, &need), STI_WAL_SHORT);
    assert_int_equal(need, RECORD_MAX + STI_WAL_FRAME_SIZE);

    memset(bytes, 0, sizeof bytes);
    sti_put_le64(bytes, 42);
    sti_put_le32(bytes + 8, STELE_WAL_BLB_RECORD_MAX + 1);
    assert_int_equal(decode(bytes, 64, STELE_WAL_BLB, 42, &frame, &need), STI_WAL_INVALID);
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(decode(bytes, 64, STELE_WAL_BLB, 0, &frame, &need), STI_WAL_INVALID);
    assert_int_equal(decode(bytes, 64, STELE_WAL_STELE, 0, &frame, &need), STI_WAL_INVALID);
}

static void test_seal(void **state)
{
    uint8_t data[16];

    (void)state;
    sti_put_le32(data, 3);
    sti_put_le32(data + 4, STI_WAL_HEADER_SIZE);
    sti_put_le32(data + 8, 1000);
    sti_put_le32(data + 12, 1001);
    assert_true(sti_wal_seal_is_valid(stele_bytes_of(data, 16), 33));
    assert_true(sti_wal_seal_is_valid(stele_bytes_of(data, 16), 48));
    assert_false(sti_wal_seal_is_valid(stele_bytes_of(data, 16), 32));
    assert_false(sti_wal_seal_is_valid(stele_bytes_of(data, 16), 49));
    assert_false(sti_wal_seal_is_valid(stele_bytes_of(data, 12), 33));
    assert_false(sti_wal_seal_is_valid(stele_bytes_of(data, 14), 33));
    assert_false(sti_wal_seal_is_valid(stele_bytes_of(data, 0), 0));
    assert_int_equal(sti_wal_seal_position(stele_bytes_of(data, 16), 2), 1001);
    sti_put_le32(data + 12, 1000);
    assert_false(sti_wal_seal_is_valid(stele_bytes_of(data, 16), 33));
    sti_put_le32(data + 12, 1001);
    sti_put_le32(data + 4, 31);
    assert_false(sti_wal_seal_is_valid(stele_bytes_of(data, 16), 33));
    sti_put_le32(data, 0);
    assert_true(sti_wal_seal_is_valid(stele_bytes_of(data, 4), 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_header),
            cmocka_unit_test(test_later_version),
            cmocka_unit_test(test_frames),
            cmocka_unit_test(test_lengths),
            cmocka_unit_test(test_seal),
    };

    return cmocka_run_group_tests_name("wal format", tests, NULL, NULL);
}
