/* SPDX-License-Identifier: MIT
 *
 * crc32c_test.c: all ways to the checksum agree, and with the reference; so
 * does the key hash.
 */
#include "base/crc32c.h"

#include "base/fnv.h"
#include "lib/check.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

enum {
    LENGTH_MAX = 300,
    SHIFT_MAX = 16,
    VECTOR_LINES = 52 /* in hashes.jsonl */
};

/* One bit at a time, straight from the definition. */
static uint32_t by_bits(uint32_t crc, const uint8_t *p, size_t len)
{
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0x82F63B78U & (0U - (crc & 1U)));
        }
    }
    return ~crc;
}

static void fill(uint8_t *p, size_t len)
{
    uint64_t x = 88172645463325252ULL;

    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        p[i] = (uint8_t)x;
    }
}

/* In blocks of exact size, so that a sanitizer sees a read outside. */
static void test_short_lengths(void **state)
{
    (void)state;
    for (size_t len = 0; len <= LENGTH_MAX; len++) {
        for (size_t shift = 0; shift < SHIFT_MAX; shift++) {
            uint8_t *block = malloc(shift + len + 1);
            uint32_t expected;

            assert_non_null(block);
            fill(block, shift + len + 1);
            expected = by_bits(0, block + shift, len);
            assert_int_equal(sti_crc32c_table(0, block + shift, len), expected);
            assert_int_equal(sti_crc32c(0, block + shift, len), expected);
            expected = by_bits(0xDEADBEEF, block + shift, len);
            assert_int_equal(sti_crc32c_table(0xDEADBEEF, block + shift, len), expected);
            assert_int_equal(sti_crc32c(0xDEADBEEF, block + shift, len), expected);
            free(block);
        }
    }
}

static void test_no_read_behind_the_end(void **state)
{
    (void)state;
    for (size_t len = 1; len <= LENGTH_MAX; len++) {
        uint8_t *block = malloc(len);

        assert_non_null(block);
        fill(block, len);
        assert_int_equal(sti_crc32c(0, block, len), by_bits(0, block, len));
        free(block);
    }
}

static void test_long_lengths(void **state)
{
    enum {
        SIZE = 200000
    };

    uint8_t *block = malloc(SIZE);

    (void)state;
    assert_non_null(block);
    fill(block, SIZE);
    for (size_t len = LENGTH_MAX; len < SIZE; len = len * 9 / 8 + 1) {
        uint32_t expected = sti_crc32c_table(0, block, len);

        assert_int_equal(sti_crc32c(0, block, len), expected);
        assert_int_equal(sti_crc32c_ahead(block, len, len), expected);
        assert_int_equal(sti_crc32c_ahead(block, len, SIZE), expected);
        /* In two parts, cut where it may hurt. */
        for (size_t cut = 0; cut <= len; cut = cut * 2 + 1) {
            uint32_t crc = sti_crc32c(0, block, cut);

            assert_int_equal(sti_crc32c(crc, block + cut, len - cut), expected);
        }
    }
    free(block);
}

static void test_every_bit_counts(void **state)
{
    uint8_t block[150];
    uint32_t crc;

    (void)state;
    fill(block, sizeof block);
    crc = sti_crc32c(0, block, sizeof block);
    for (size_t bit = 0; bit < 8 * sizeof block; bit++) {
        block[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_int_not_equal(sti_crc32c(0, block, sizeof block), crc);
        block[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
}

static const char *text_of(const json_t *line, const char *name)
{
    const char *text = json_string_value(json_object_get(line, name));

    assert_non_null(text);
    return text;
}

/* The input of a line: in hex, or byte j = j * 7 + seed. */
static uint8_t *input_of(const json_t *line, size_t len)
{
    uint8_t *bytes = malloc(len + 1);
    const json_t *seed = json_object_get(line, "seed");
    const char *hex = seed == NULL ? text_of(line, "in") : NULL;

    assert_non_null(bytes);
    assert_true(hex == NULL || strlen(hex) == 2 * len);
    for (size_t j = 0; j < len; j++) {
        if (hex == NULL) {
            bytes[j] = (uint8_t)(j * 7 + (size_t)json_integer_value(seed));
        } else {
            const char digits[3] = {hex[2 * j], hex[2 * j + 1], '\0'};

            bytes[j] = (uint8_t)strtoul(digits, NULL, 16);
        }
    }
    return bytes;
}

static void test_vectors(void **state)
{
    FILE *f = fopen(STELE_TESTS_DIR "/vectors/klevdb/hashes.jsonl", "r");
    json_t *line;
    int lines = 0;

    (void)state;
    assert_non_null(f);
    while ((line = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL)) != NULL) {
        size_t len = (size_t)json_integer_value(json_object_get(line, "len"));
        uint8_t *bytes = input_of(line, len);

        assert_int_equal(sti_crc32c(0, bytes, len), strtoul(text_of(line, "crc32c"), NULL, 16));
        assert_int_equal(
                sti_crc32c_table(0, bytes, len), strtoul(text_of(line, "crc32c"), NULL, 16));
        assert_true(sti_fnv1a64(bytes, len) == strtoull(text_of(line, "fnv1a64"), NULL, 16));
        free(bytes);
        json_decref(line);
        lines++;
    }
    (void)fclose(f);
    assert_int_equal(lines, VECTOR_LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_short_lengths),
            cmocka_unit_test(test_no_read_behind_the_end),
            cmocka_unit_test(test_long_lengths),
            cmocka_unit_test(test_every_bit_counts),
            cmocka_unit_test(test_vectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
