/* SPDX-License-Identifier: MIT
 *
 * keys_test.c: side files find what is there and nothing else, and no byte of
 * them, or of the index that they seal, changes without being noticed.
 */
#include "stream/keys.h"

#include "base/crc32c.h"
#include "base/fnv.h"
#include "fixture.h"
#include "stream/names.h"

#include <stdio.h>
#include <stdlib.h>

static const struct sti_index_params both = {true, true};
static const struct sti_index_params keys_only = {false, true};
static const struct sti_index_params times_only = {true, false};

enum {
    LOG_SIZE = 123456,
    BASE = 42
};

/* An index file as bytes, and its items in it. */
struct index {
    uint8_t *bytes;
    size_t len;
    const uint8_t *items;
    uint64_t count;
    stele_stream_version version;
    struct sti_index_params params;
};

static struct index index_of(stele_stream_version version, struct sti_index_params params,
        const uint64_t *hashes, uint64_t count)
{
    size_t skip = (size_t)sti_index_start(version);
    size_t size = sti_index_item_size(params);
    struct index x = {.len = skip + (size_t)count * size, .count = count};

    x.version = version;
    x.params = params;
    x.bytes = malloc(x.len + 1);
    assert_non_null(x.bytes);
    if (skip > 0) {
        sti_index_header_put(x.bytes, params);
    }
    for (uint64_t i = 0; i < count; i++) {
        struct sti_index_item item = {.offset = BASE + (int64_t)i,
                .position = 8 + 100 * i,
                .time = 1000 + (int64_t)i,
                .hash = hashes == NULL ? i : hashes[i]};

        sti_index_item_put(x.bytes + skip + (size_t)i * size, params, &item);
    }
    x.items = x.bytes + skip;
    return x;
}

static void build(struct sti_keys *keys, const struct index *x)
{
    stele_error err;

    CHECK_OK(sti_keys_build(keys, BASE, LOG_SIZE, x->version, x->params, x->items, x->count, &err),
            &err);
}

/* From a copy of exactly its size. */
static stele_code decode(const uint8_t *bytes, size_t len, const struct index *x, stele_error *err)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    struct sti_keys keys;
    stele_code rc;

    assert_non_null(copy);
    memcpy(copy, bytes, len);
    rc = sti_keys_decode(&keys, copy, len, BASE, LOG_SIZE, x->bytes, x->len, err);
    free(copy);
    return rc;
}

/* Keys that people make: a number of at least so many digits in some words. */
struct key_form {
    const char *before;
    int digits;
    const char *after;
};

static const struct key_form forms[] = {
        {"key-", 8, ""}, {"", 1, ""}, {"", 10, ""}, {"user/", 1, "/profile"}};

static uint64_t hash_of(const struct key_form *form, int number)
{
    char key[64];
    int len =
            snprintf(key, sizeof key, "%s%0*d%s", form->before, form->digits, number, form->after);

    return sti_fnv1a64(key, (size_t)len);
}

/* The hash whose mixed form this is: the mixing undone, to make hashes whose
 * mixed ones lie where a test wants them. */
static uint64_t unmix(uint64_t mixed)
{
    uint64_t inverse = 0x9e3779b97f4a7c15ULL;
    uint64_t hash;

    /* Each step doubles the number of right bits. */
    for (int i = 0; i < 6; i++) {
        inverse *= 2 - 0x9e3779b97f4a7c15ULL * inverse;
    }
    hash = mixed * inverse;
    return hash ^ hash >> 32;
}

/* ---- Finding. ---- */

/* The answers for one hash are those of looking at every item. */
static void check_find(
        const struct sti_keys *keys, const uint64_t *hashes, uint64_t count, uint64_t wanted)
{
    uint64_t first = UINT64_MAX;
    uint64_t last = UINT64_MAX;
    uint64_t place;

    sti_keys_find(keys, wanted, &first, &last);
    assert_true(first <= last);
    assert_true(last <= keys->count);
    place = first;
    for (uint64_t i = 0; i < count; i++) {
        if (hashes[i] == wanted) {
            assert_true(place < last);
            assert_int_equal(sti_keys_ordinal(keys, place), i);
            place++;
        }
    }
    assert_int_equal(place, last);
    if (first < last) {
        assert_true(sti_keys_maybe(keys, wanted, sti_keys_mask(wanted)));
    }
}

static void check_all(const uint64_t *hashes, uint64_t count, uint64_t step)
{
    struct index x = index_of(STELE_STREAM_V2, both, hashes, count);
    struct sti_keys keys;
    stele_error err;

    build(&keys, &x);
    assert_int_equal(keys.count, count);
    CHECK_OK(decode(keys.bytes, keys.bytes_len, &x, &err), &err);
    for (uint64_t i = 0; i < count; i += step) {
        uint64_t mixed = sti_keys_mix(hashes[i]);

        check_find(&keys, hashes, count, hashes[i]);
        check_find(&keys, hashes, count, unmix(mixed + 1));
        check_find(&keys, hashes, count, unmix(mixed - 1));
    }
    check_find(&keys, hashes, count, unmix(0));
    check_find(&keys, hashes, count, unmix(UINT64_MAX));
    check_find(&keys, hashes, count, 0x123456789abcdefULL);
    sti_keys_close(&keys);
    assert_null(keys.bytes);
    free(x.bytes);
}

static void test_mix(void **state)
{
    uint64_t hash = 1;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_true(unmix(sti_keys_mix(hash)) == hash);
        hash = hash * 6364136223846793005ULL + 1442695040888963407ULL;
    }
}

static void test_find(void **state)
{
    static const uint64_t counts[] = {0, 1, 2, 3, 4, 5, 7, 64, 100, 1000, 6060};
    uint64_t *hashes = malloc(6060 * sizeof *hashes);

    (void)state;
    assert_non_null(hashes);
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        uint64_t count = counts[c];

        for (uint64_t i = 0; i < count; i++) {
            hashes[i] = hash_of(&forms[0], (int)i);
        }
        check_all(hashes, count, count / 100 + 1);
        /* Many messages of few keys. */
        for (uint64_t i = 0; i < count; i++) {
            hashes[i] = hash_of(&forms[0], (int)(i * i % 7));
        }
        check_all(hashes, count, count / 10 + 1);
        for (uint64_t i = 0; i < count; i++) {
            hashes[i] = sti_fnv1a64("", 0);
        }
        check_all(hashes, count, count / 2 + 1);
    }
    free(hashes);
}

/* Hashes that somebody made so that they lie unevenly: all upper digits equal
 * (which makes sorting by them useless), clusters at both ends, powers. */
static void test_find_hostile(void **state)
{
    enum {
        COUNT = 5000
    };

    uint64_t *hashes = malloc(COUNT * sizeof *hashes);

    (void)state;
    assert_non_null(hashes);
    for (int shape = 0; shape < 5; shape++) {
        for (uint64_t i = 0; i < COUNT; i++) {
            uint64_t spread = i * 0x9e3779b97f4a7c15ULL;
            uint64_t mixed[5] = {COUNT - i, UINT64_MAX - i * 3, spread >> 30,
                    i % 2 == 0 ? i : UINT64_MAX - i, 1ULL << i % 64};

            hashes[i] = unmix(mixed[shape]);
        }
        check_all(hashes, COUNT, 50);
    }
    free(hashes);
}

/* Few filters say maybe to keys that they do not have, whatever the keys look
 * like; the hashes are fixed, and so are these numbers. */
static void test_false_maybes(void **state)
{
    enum {
        COUNT = 6060,
        ASKED = 100000
    };

    uint64_t *hashes = malloc(COUNT * sizeof *hashes);

    (void)state;
    assert_non_null(hashes);
    for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
        struct sti_keys keys;
        struct index x;
        int wrong = 0;

        for (int i = 0; i < COUNT; i++) {
            hashes[i] = hash_of(&forms[f], 70000 + i);
        }
        x = index_of(STELE_STREAM_V2, both, hashes, COUNT);
        build(&keys, &x);
        for (int i = 0; i < COUNT; i++) {
            assert_true(sti_keys_maybe(&keys, hashes[i], sti_keys_mask(hashes[i])));
        }
        for (int i = 0; i < ASKED; i++) {
            uint64_t hash = hash_of(&forms[f], 100000 + i);

            wrong += sti_keys_maybe(&keys, hash, sti_keys_mask(hash));
        }
        if (wrong > ASKED / 1000) {
            fail_msg("%d of %d keys like \"%s\"", wrong, ASKED, forms[f].before);
        }
        sti_keys_close(&keys);
        free(x.bytes);
    }
    free(hashes);
}

/* ---- Bytes. ---- */

static void test_layout(void **state)
{
    uint64_t hashes[4] = {unmix(9), unmix(7), unmix(9), unmix(UINT64_MAX)};
    struct index x = index_of(STELE_STREAM_V2, both, hashes, 4);
    static const uint64_t sorted[] = {7, 9, 9, UINT64_MAX};
    static const uint32_t ordinals[] = {1, 0, 2, 3};
    struct sti_keys keys;
    const uint8_t *b;

    (void)state;
    build(&keys, &x);
    b = keys.bytes;
    assert_int_equal(keys.bytes_len, 64 + 2 * 8 + 4 * 12);
    assert_memory_equal(b, "STELKEY\1", 8);
    assert_int_equal(sti_get_le64(b + 8), BASE);
    assert_int_equal(sti_get_le64(b + 16), LOG_SIZE);
    assert_int_equal(sti_get_le64(b + 24), x.len);
    assert_int_equal(sti_get_le64(b + 32), 4);
    assert_int_equal(sti_get_le32(b + 40), 2);
    assert_int_equal(sti_get_le32(b + 44), sti_crc32c_table(0, x.bytes, x.len));
    assert_int_equal(sti_get_le32(b + 48), sti_crc32c_table(0, b + 64, keys.bytes_len - 64));
    assert_int_equal(sti_get_le32(b + 52), 1);
    assert_int_equal(sti_get_le32(b + 56), 0);
    assert_int_equal(sti_get_le32(b + 60), sti_crc32c_table(0, b, 60));
    for (size_t i = 0; i < 4; i++) {
        assert_true(sti_get_le64(b + 80 + 8 * i) == sorted[i]);
        assert_int_equal(sti_get_le32(b + 112 + 4 * i), ordinals[i]);
    }
    assert_int_equal(keys.index_crc, sti_get_le32(b + 44));
    sti_keys_close(&keys);
    free(x.bytes);
}

static void test_every_flipped_bit(void **state)
{
    static const stele_stream_version versions[] = {STELE_STREAM_V1, STELE_STREAM_V2};

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct sti_index_params params = i / 2 == 0 ? both : i / 2 == 1 ? keys_only : times_only;
        struct index x = index_of(versions[i % 2], params, NULL, 13);
        struct sti_keys keys;
        stele_error err;

        /* Version 1 begins with the base. */
        build(&keys, &x);
        CHECK_OK(decode(keys.bytes, keys.bytes_len, &x, &err), &err);
        for (size_t bit = 0; bit < 8 * keys.bytes_len; bit++) {
            keys.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
            CHECK_CODE(decode(keys.bytes, keys.bytes_len, &x, &err),
                    bit / 8 == 7 ? STELE_EVERSION : STELE_ECORRUPT);
            CHECK_MESSAGE_HAS(&err, "00000000000000000042.keys");
            keys.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
        for (size_t bit = 0; bit < 8 * x.len; bit++) {
            x.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
            CHECK_CODE(decode(keys.bytes, keys.bytes_len, &x, &err), STELE_ECORRUPT);
            x.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
        for (size_t len = 0; len < keys.bytes_len; len++) {
            CHECK_CODE(decode(keys.bytes, len, &x, &err), STELE_ECORRUPT);
        }
        CHECK_OK(decode(keys.bytes, keys.bytes_len, &x, &err), &err);
        sti_keys_close(&keys);
        free(x.bytes);
    }
}

static void test_of_another_segment(void **state)
{
    struct index x = index_of(STELE_STREAM_V2, both, NULL, 13);
    struct index shorter = index_of(STELE_STREAM_V2, both, NULL, 12);
    struct sti_keys keys;
    struct sti_keys out;
    stele_error err;

    (void)state;
    build(&keys, &x);
    CHECK_CODE(sti_keys_decode(
                       &out, keys.bytes, keys.bytes_len, BASE + 1, LOG_SIZE, x.bytes, x.len, &err),
            STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "made for a log of 123456 bytes");
    CHECK_CODE(sti_keys_decode(
                       &out, keys.bytes, keys.bytes_len, BASE, LOG_SIZE - 1, x.bytes, x.len, NULL),
            STELE_ECORRUPT);
    CHECK_CODE(decode(keys.bytes, keys.bytes_len, &shorter, &err), STELE_ECORRUPT);
    sti_keys_close(&keys);
    free(shorter.bytes);
    free(x.bytes);
}

/* ---- Forged files: wrong, with all checksums right. ---- */

static void seal(uint8_t *bytes, size_t len)
{
    sti_put_le32(bytes + 48, sti_crc32c(0, bytes + 64, len - 64));
    sti_put_le32(bytes + 60, sti_crc32c(0, bytes, 60));
}

static void check_forged(
        const struct sti_keys *keys, const struct index *x, size_t at, size_t size, uint64_t value)
{
    uint8_t *bytes = malloc(keys->bytes_len);
    stele_error err;

    assert_non_null(bytes);
    memcpy(bytes, keys->bytes, keys->bytes_len);
    if (size == 8) {
        sti_put_le64(bytes + at, value);
    } else {
        sti_put_le32(bytes + at, (uint32_t)value);
    }
    seal(bytes, keys->bytes_len);
    CHECK_CODE(decode(bytes, keys->bytes_len, x, &err), STELE_ECORRUPT);
    free(bytes);
}

static void test_forged(void **state)
{
    static const uint64_t counts[] = {0, 1, 12, 14, 1ULL << 32, UINT64_MAX, UINT64_MAX / 12,
            1ULL << 61, 13 + (1ULL << 32), 13 + (1ULL << 62)};
    static const uint64_t words[] = {0, 1, 5, 7, UINT32_MAX, 1U << 29, 1U << 31};
    uint64_t hashes[13] = {unmix(5), unmix(5)};
    struct sti_keys keys;
    struct index x;

    (void)state;
    for (uint64_t i = 2; i < 13; i++) {
        hashes[i] = unmix(i * 1000);
    }
    x = index_of(STELE_STREAM_V2, both, hashes, 13);
    build(&keys, &x);
    assert_int_equal(keys.words, 6);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        check_forged(&keys, &x, 32, 8, counts[i]);
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        check_forged(&keys, &x, 40, 4, words[i]);
    }
    check_forged(&keys, &x, 52, 4, 0);
    check_forged(&keys, &x, 52, 4, 3);
    check_forged(&keys, &x, 56, 4, 1);
    for (size_t i = 0; i < 13; i++) {
        size_t hash = (size_t)(keys.hashes - keys.bytes) + 8 * i;
        size_t ordinal = (size_t)(keys.ordinals - keys.bytes) + 4 * i;

        check_forged(&keys, &x, ordinal, 4, 13);
        check_forged(&keys, &x, ordinal, 4, UINT32_MAX);
        check_forged(&keys, &x, hash, 8, i == 0 ? 6 : 1);
    }
    /* Equal hashes with falling or equal ordinals. */
    check_forged(&keys, &x, (size_t)(keys.ordinals - keys.bytes), 4, 1);
    check_forged(&keys, &x, (size_t)(keys.ordinals - keys.bytes) + 4, 4, 0);
    sti_keys_close(&keys);
    free(x.bytes);
}

/* Sizes that agree with each other, and not with the index. */
static void test_forged_sizes(void **state)
{
    struct index x = index_of(STELE_STREAM_V2, both, NULL, 12);
    struct index with = index_of(STELE_STREAM_V2, keys_only, NULL, 16);
    struct index without = index_of(STELE_STREAM_V2, times_only, NULL, 16);
    struct sti_keys keys;
    stele_error err;

    (void)state;
    assert_int_equal(x.len, with.len);
    build(&keys, &with);
    sti_put_le32(keys.bytes + 44, sti_crc32c(0, x.bytes, x.len));
    seal(keys.bytes, keys.bytes_len);
    CHECK_CODE(decode(keys.bytes, keys.bytes_len, &x, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "16 items do not fit an index of 392 bytes");
    sti_put_le32(keys.bytes + 44, sti_crc32c(0, without.bytes, without.len));
    seal(keys.bytes, keys.bytes_len);
    CHECK_CODE(decode(keys.bytes, keys.bytes_len, &without, &err), STELE_ECORRUPT);
    sti_keys_close(&keys);
    free(x.bytes);
    free(with.bytes);
    free(without.bytes);
}

static void test_too_many(void **state)
{
    struct sti_keys keys;
    stele_error err;

    (void)state;
    memset(&keys, 0x5A, sizeof keys);
    CHECK_CODE(sti_keys_build(&keys, 0, 0, STELE_STREAM_V2, both, NULL, 1ULL << 32, &err),
            STELE_ETOOBIG);
    CHECK_CODE(sti_keys_build(&keys, 0, 0, STELE_STREAM_V2, both, NULL, UINT64_MAX, &err),
            STELE_ETOOBIG);
    assert_int_equal(keys.words, 0x5A5A5A5A);
}

static void test_without_key_index(void **state)
{
    struct index x = index_of(STELE_STREAM_V2, times_only, NULL, 13);
    struct sti_keys keys;
    uint64_t first = 7;
    uint64_t last = 8;

    (void)state;
    build(&keys, &x);
    assert_int_equal(keys.bytes_len, 64);
    assert_true(keys.count == 0 && keys.words == 0);
    assert_false(sti_keys_maybe(&keys, 0, sti_keys_mask(0)));
    sti_keys_find(&keys, 0, &first, &last);
    assert_true(first == 0 && last == 0);
    sti_keys_close(&keys);
    free(x.bytes);
}

static void test_no_memory(void **state)
{
    struct index x = index_of(STELE_STREAM_V2, both, NULL, 100);
    struct sti_keys keys;
    stele_error err;
    uint64_t allocations;

    (void)state;
    fx_alloc_fail(UINT64_MAX, false);
    build(&keys, &x);
    allocations = fx_alloc_count();
    fx_alloc_fail(0, false);
    sti_keys_close(&keys);
    assert_true(allocations >= 2);
    for (uint64_t n = 1; n <= allocations; n++) {
        memset(&keys, 0x5A, sizeof keys);
        fx_alloc_fail(n, false);
        CHECK_CODE(
                sti_keys_build(&keys, BASE, LOG_SIZE, x.version, x.params, x.items, x.count, &err),
                STELE_ENOMEM);
        fx_alloc_fail(0, false);
        assert_int_equal(keys.words, 0x5A5A5A5A);
    }
    free(x.bytes);
}

/* ---- Files. ---- */

static const char name[] = "00000000000000000042.keys";

static stele_code open_keys(struct sti_keys *keys, const struct index *x, stele_error *err)
{
    return sti_keys_open(keys, &fx_files.dir, BASE, LOG_SIZE, x->bytes, x->len, err);
}

static void test_write_and_open(void **state)
{
    uint64_t hashes[500];
    struct index x;
    struct sti_keys built;
    struct sti_keys opened;
    stele_error err;

    (void)state;
    for (int i = 0; i < 500; i++) {
        hashes[i] = hash_of(&forms[0], i % 400);
    }
    x = index_of(STELE_STREAM_V2, both, hashes, 500);
    CHECK_CODE(open_keys(&opened, &x, &err), STELE_ENOTFOUND);
    build(&built, &x);
    tmpdir_write(&fx_files.tmp, "00000000000000000042.keys.tmp", "left over", 9);
    fx_trace_clear(&fx_files.vfs);
    CHECK_OK(sti_keys_write(&fx_files.dir, BASE, &built, &err), &err);
    /* Synced under its temporary name: one that is torn is damaged. */
    assert_non_null(strstr(fx_files.vfs.trace, "sync"));
    assert_false(tmpdir_exists(&fx_files.tmp, "00000000000000000042.keys.tmp"));
    assert_int_equal(tmpdir_size(&fx_files.tmp, name), built.bytes_len);
    CHECK_OK(open_keys(&opened, &x, &err), &err);
    assert_int_equal(opened.index_crc, built.index_crc);
    for (int i = 0; i < 500; i++) {
        check_find(&opened, hashes, 500, hashes[i]);
    }
    check_find(&opened, hashes, 500, hash_of(&forms[0], 400));
    sti_keys_close(&opened);
    assert_null(opened.map);
    sti_keys_close(&opened); /* closed already */
    sti_keys_close(&built);
    free(x.bytes);
}

static void test_damaged_files(void **state)
{
    struct index x = index_of(STELE_STREAM_V2, both, NULL, 13);
    struct sti_keys built;
    struct sti_keys opened;
    stele_error err;

    (void)state;
    build(&built, &x);
    memset(&opened, 0x5A, sizeof opened);
    CHECK_OK(sti_keys_write(&fx_files.dir, BASE, &built, &err), &err);
    tmpdir_append(&fx_files.tmp, name, "", 1);
    CHECK_CODE(open_keys(&opened, &x, &err), STELE_ECORRUPT);
    tmpdir_flip(&fx_files.tmp, name, (uint64_t)8 * 70);
    tmpdir_cut(&fx_files.tmp, name, built.bytes_len);
    CHECK_CODE(open_keys(&opened, &x, &err), STELE_ECORRUPT);
    for (uint64_t size = built.bytes_len; size-- > 0;) {
        tmpdir_cut(&fx_files.tmp, name, size);
        CHECK_CODE(open_keys(&opened, &x, &err), STELE_ECORRUPT);
        CHECK_MESSAGE_HAS(&err, name);
    }
    assert_int_equal(opened.words, 0x5A5A5A5A);
    sti_keys_close(&built);
    free(x.bytes);
}

static void test_every_failure(void **state)
{
    struct index x = index_of(STELE_STREAM_V2, both, NULL, 13);
    struct sti_keys built;
    struct sti_keys opened;
    stele_error err;
    int calls;

    (void)state;
    build(&built, &x);
    CHECK_OK(sti_keys_write(&fx_files.dir, BASE, &built, &err), &err);
    calls = fx_files.vfs.calls;
    assert_true(calls >= 4);
    for (int i = 1; i <= calls; i++) {
        fx_trace_clear(&fx_files.vfs);
        fx_files.vfs.fail_at = i;
        CHECK_CODE(sti_keys_write(&fx_files.dir, BASE, &built, &err), STELE_EIO);
        fx_files.vfs.fail_at = 0;
        assert_false(tmpdir_exists(&fx_files.tmp, "00000000000000000042.keys.tmp"));
        CHECK_OK(open_keys(&opened, &x, &err), &err);
        sti_keys_close(&opened);
    }
    fx_trace_clear(&fx_files.vfs);
    CHECK_OK(open_keys(&opened, &x, &err), &err);
    sti_keys_close(&opened);
    calls = fx_files.vfs.calls;
    assert_true(calls >= 3);
    for (int i = 1; i <= calls; i++) {
        fx_trace_clear(&fx_files.vfs);
        fx_files.vfs.fail_at = i;
        memset(&opened, 0x5A, sizeof opened);
        CHECK_CODE(open_keys(&opened, &x, &err), STELE_EIO);
        fx_files.vfs.fail_at = 0;
        assert_int_equal(opened.words, 0x5A5A5A5A);
    }
    sti_keys_close(&built);
    free(x.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_mix),
            cmocka_unit_test(test_find),
            cmocka_unit_test(test_find_hostile),
            cmocka_unit_test(test_false_maybes),
            cmocka_unit_test(test_layout),
            cmocka_unit_test(test_every_flipped_bit),
            cmocka_unit_test(test_of_another_segment),
            cmocka_unit_test(test_forged),
            cmocka_unit_test(test_forged_sizes),
            cmocka_unit_test(test_too_many),
            cmocka_unit_test(test_without_key_index),
            cmocka_unit_test(test_no_memory),
            cmocka_unit_test_setup_teardown(test_write_and_open, fx_set_up, fx_tear_down),
            cmocka_unit_test_setup_teardown(test_damaged_files, fx_set_up, fx_tear_down),
            cmocka_unit_test_setup_teardown(test_every_failure, fx_set_up, fx_tear_down),
    };

    return cmocka_run_group_tests_name("stream keys", tests, NULL, NULL);
}
