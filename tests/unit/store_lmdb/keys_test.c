/* SPDX-License-Identifier: MIT
 *
 * keys_test.c: keys of LMDB: their order, their bounds, and what is none.
 */
#include "store/keys.h"

#include "lib/check.h"

#include <stdlib.h>

/* Every chunk of up to 3 of these bytes, and one of each length near the longest. */
static const uint8_t letters[] = {0x00, 0x01, 0x7f, 0xff};

enum {
    SHORT_COUNT = 1 + 4 + 16 + 64
};

static size_t make_chunk(uint8_t out[STI_KEY_CHUNK], size_t index)
{
    size_t len = 0;
    size_t at_most = 1;

    while (index >= at_most) {
        index -= at_most;
        at_most *= 4;
        len++;
    }
    for (size_t i = 0; i < len; i++) {
        out[i] = letters[index % 4];
        index /= 4;
    }
    return len;
}

static void test_chunks_keep_their_order(void **state)
{
    uint8_t a[STI_KEY_CHUNK];
    uint8_t b[STI_KEY_CHUNK];
    size_t compared = 0;

    (void)state;
    for (size_t i = 0; i < SHORT_COUNT; i++) {
        for (size_t j = 0; j < SHORT_COUNT; j++) {
            stele_bytes x = stele_bytes_of(a, make_chunk(a, i));
            stele_bytes y = stele_bytes_of(b, make_chunk(b, j));
            struct sti_key kx;
            struct sti_key ky;

            sti_key_value(&kx, 7, 0, x);
            sti_key_value(&ky, 7, 0, y);
            assert_int_equal(stele_bytes_compare(sti_key_view(&kx), sti_key_view(&ky)),
                    stele_bytes_compare(x, y));
            compared += x.len + y.len > 0 ? 1 : 0;
        }
    }
    assert_int_equal(compared, SHORT_COUNT * SHORT_COUNT - 1);
}

/* value(chunk) < link(chunk) < value of every larger chunk of the layer. */
static void test_a_link_is_next_to_its_chunk(void **state)
{
    uint8_t chunk[STI_KEY_CHUNK];
    struct sti_key value;
    struct sti_key link;
    struct sti_key larger;

    (void)state;
    for (size_t i = 0; i < 256; i++) {
        memset(chunk, 0, sizeof chunk);
        chunk[STI_KEY_CHUNK - 1] = (uint8_t)i;
        sti_key_value(&value, 1, 9, stele_bytes_of(chunk, sizeof chunk));
        sti_key_link(&link, 1, 9, stele_bytes_of(chunk, sizeof chunk));
        assert_true(stele_bytes_compare(sti_key_view(&value), sti_key_view(&link)) < 0);
        if (i < 255) {
            chunk[STI_KEY_CHUNK - 1]++;
            sti_key_value(&larger, 1, 9, stele_bytes_of(chunk, sizeof chunk));
            assert_true(stele_bytes_compare(sti_key_view(&link), sti_key_view(&larger)) < 0);
        }
    }
}

static void test_layers_and_buckets_are_apart(void **state)
{
    static const struct {
        uint32_t bucket;
        uint64_t layer;
    } ascending[] = {{1, 0}, {1, 1}, {1, 2}, {1, 256}, {1, UINT64_MAX}, {2, 0}, {2, 255}, {256, 0},
            {UINT32_MAX - 1, 0}, {UINT32_MAX - 1, UINT64_MAX}};

    uint8_t full[STI_KEY_CHUNK];
    struct sti_key last;
    struct sti_key behind;
    struct sti_key next;

    (void)state;
    memset(full, 0xff, sizeof full);
    for (size_t i = 0; i + 1 < sizeof ascending / sizeof ascending[0]; i++) {
        sti_key_link(
                &last, ascending[i].bucket, ascending[i].layer, stele_bytes_of(full, sizeof full));
        sti_key_layer(&behind, ascending[i].bucket, ascending[i].layer);
        sti_key_behind(&behind);
        sti_key_value(&next, ascending[i + 1].bucket, ascending[i + 1].layer, stele_nil());
        assert_true(stele_bytes_compare(sti_key_view(&last), sti_key_view(&behind)) < 0);
        assert_true(stele_bytes_compare(sti_key_view(&behind), sti_key_view(&next)) <= 0);
    }
}

static void check_parse(uint32_t bucket, uint64_t layer, size_t len, bool link)
{
    uint8_t chunk[STI_KEY_CHUNK];
    struct sti_key_parts parts;
    struct sti_key key;

    memset(chunk, 'x', sizeof chunk);
    if (link) {
        sti_key_link(&key, bucket, layer, stele_bytes_of(chunk, len));
    } else {
        sti_key_value(&key, bucket, layer, stele_bytes_of(chunk, len));
    }
    assert_true(key.len <= sizeof key.bytes);
    assert_true(sti_key_parse(sti_key_view(&key), &parts));
    assert_int_equal(parts.bucket, bucket);
    assert_true(parts.layer == layer);
    assert_int_equal(parts.is_link, link);
    CHECK_BYTES(parts.chunk, stele_bytes_of(chunk, len));
}

static void test_parse_gives_the_parts(void **state)
{
    (void)state;
    for (size_t len = 0; len <= STI_KEY_CHUNK; len++) {
        check_parse(1, 0, len, false);
        check_parse(UINT32_MAX - 1, UINT64_MAX, len, false);
    }
    check_parse(5, 0, STI_KEY_CHUNK, true);
    check_parse(5, 1, STI_KEY_CHUNK, true);
}

static void test_parse_refuses_all_else(void **state)
{
    uint8_t key[STI_KEY_SIZE_MAX + 1] = {0, 0, 0, 1};
    struct sti_key_parts parts;

    (void)state;
    for (size_t len = 0; len < 5; len++) {
        assert_false(sti_key_parse(stele_bytes_of(key, len), &parts));
    }
    assert_true(sti_key_parse(stele_bytes_of(key, 5), &parts));
    key[4] = 2;
    assert_false(sti_key_parse(stele_bytes_of(key, 5), &parts));
    key[4] = 1;
    key[12] = 1;
    for (size_t len = 5; len < 13; len++) {
        assert_false(sti_key_parse(stele_bytes_of(key, len), &parts));
    }
    assert_true(sti_key_parse(stele_bytes_of(key, 13), &parts));
    assert_true(sti_key_parse(stele_bytes_of(key, STI_KEY_SIZE_MAX), &parts));
    assert_false(sti_key_parse(stele_bytes_of(key, STI_KEY_SIZE_MAX + 1), &parts));
    key[STI_KEY_SIZE_MAX - 1] = 1;
    assert_false(sti_key_parse(stele_bytes_of(key, STI_KEY_SIZE_MAX), &parts));
    key[12] = 0;
    assert_false(sti_key_parse(stele_bytes_of(key, 13), &parts));
    key[3] = 0;
    key[4] = 0;
    assert_false(sti_key_parse(stele_bytes_of(key, 5), &parts));
}

static void test_every_bit_of_a_link_counts(void **state)
{
    uint8_t chunk[STI_KEY_CHUNK] = {1, 2, 3};
    uint8_t link[STI_LINK_SIZE];
    struct sti_key key;
    uint64_t layer = 0;
    stele_error err;

    (void)state;
    sti_key_link(&key, 3, 4, stele_bytes_of(chunk, sizeof chunk));
    sti_link_encode(link, sti_key_view(&key), 77);
    CHECK_OK(sti_link_decode(&layer, sti_key_view(&key), stele_bytes_of(link, sizeof link), &err),
            &err);
    assert_int_equal(layer, 77);
    for (size_t bit = 0; bit < 8 * sizeof link; bit++) {
        link[bit / 8] ^= (uint8_t)(1U << bit % 8);
        CHECK_CODE(sti_link_decode(
                           &layer, sti_key_view(&key), stele_bytes_of(link, sizeof link), &err),
                STELE_ECORRUPT);
        link[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * key.len; bit++) {
        key.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        CHECK_CODE(sti_link_decode(
                           &layer, sti_key_view(&key), stele_bytes_of(link, sizeof link), &err),
                STELE_ECORRUPT);
        key.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t len = 0; len < sizeof link; len++) {
        CHECK_CODE(sti_link_decode(&layer, sti_key_view(&key), stele_bytes_of(link, len), &err),
                STELE_ECORRUPT);
    }
    assert_int_equal(layer, 77);
}

static void test_a_link_leads_somewhere(void **state)
{
    uint8_t chunk[STI_KEY_CHUNK] = {0};
    uint8_t link[STI_LINK_SIZE];
    struct sti_key key;
    uint64_t layer = 5;

    (void)state;
    sti_key_link(&key, 3, 4, stele_bytes_of(chunk, sizeof chunk));
    sti_link_encode(link, sti_key_view(&key), STI_LAYER_TOP);
    CHECK_CODE(sti_link_decode(&layer, sti_key_view(&key), stele_bytes_of(link, sizeof link), NULL),
            STELE_ECORRUPT);
    assert_int_equal(layer, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_chunks_keep_their_order),
            cmocka_unit_test(test_a_link_is_next_to_its_chunk),
            cmocka_unit_test(test_layers_and_buckets_are_apart),
            cmocka_unit_test(test_parse_gives_the_parts),
            cmocka_unit_test(test_parse_refuses_all_else),
            cmocka_unit_test(test_every_bit_of_a_link_counts),
            cmocka_unit_test(test_a_link_leads_somewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
