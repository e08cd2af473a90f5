/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include "unit/stream_above/support.h"

/* The key of number n: ten bytes and more, some with zero bytes inside. */
static stele_bytes key_of(uint64_t n, char out[40])
{
    int len = snprintf(out, 40, "key-%07llu", (unsigned long long)n);

    if (n % 7 == 0) {
        out[3] = '\0';
    }
    return stele_bytes_of(out, (size_t)len);
}

/* Of the bytes 00 01 … len-1, under a seed of zeros. The values are those of
 * CPython 3.11: hash(bytes(range(len))) with PYTHONHASHSEED=0. */
static void hash_is_siphash_1_3(void **state)
{
    static const struct {
        size_t len;
        uint64_t hash;
    } known[] = {
            {1, 0x68a914128e01e473},
            {2, 0x010bac45c41e3669},
            {7, 0x2f098ab0c751325a},
            {8, 0xead411e67ebe2eea},
            {9, 0x75927f9d95124362},
            {15, 0xf30eb725bb91c9ea},
            {16, 0x8972188433a5c5b7},
    };

    const uint64_t seed[2] = {0, 0};
    uint8_t in[16];

    (void)state;
    for (size_t i = 0; i < sizeof in; i++) {
        in[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_true(sti_siphash13(seed, stele_bytes_of(in, known[i].len)) == known[i].hash);
    }
}

static void hash_depends_on_the_seed_and_each_byte(void **state)
{
    const uint64_t one[2] = {1, 2};
    const uint64_t other[2] = {1, 3};
    uint8_t in[33] = {0};

    (void)state;
    for (size_t len = 0; len <= sizeof in; len++) {
        uint64_t hash = sti_siphash13(one, stele_bytes_of(in, len));

        assert_true(hash != sti_siphash13(other, stele_bytes_of(in, len)));
        for (size_t i = 0; i < len; i++) {
            in[i] = 1;
            assert_true(hash != sti_siphash13(one, stele_bytes_of(in, len)));
            in[i] = 0;
        }
    }
}

static void keeps_a_hundred_thousand_keys(void **state)
{
    enum {
        KEYS = 100000
    };

    struct sti_bytemap map;
    stele_error err;
    char key[40];

    (void)state;
    sti_bytemap_init(&map, 42, 43);
    assert_null(sti_bytemap_find(&map, stele_str("none")));
    for (uint64_t i = 0; i < KEYS; i++) {
        uint64_t *value = NULL;
        bool added = false;

        CHECK_OK(sti_bytemap_put(&map, key_of(i, key), &value, &added, &err), &err);
        assert_true(added);
        assert_int_equal(*value, 0);
        *value = i * 3;
    }
    assert_int_equal(map.count, KEYS);
    for (uint64_t i = 0; i < KEYS; i++) {
        uint64_t *value = NULL;
        bool added = true;

        CHECK_OK(sti_bytemap_put(&map, key_of(i, key), &value, &added, &err), &err);
        assert_false(added);
        assert_int_equal(*value, i * 3);
        assert_ptr_equal(sti_bytemap_find(&map, key_of(i, key)), value);
    }
    assert_int_equal(map.count, KEYS);
    assert_null(sti_bytemap_find(&map, key_of(KEYS, key)));
    assert_null(sti_bytemap_find(&map, stele_bytes_of(key_of(1, key).data, 10)));
    sti_bytemap_free(&map);
    assert_null(sti_bytemap_find(&map, key_of(1, key)));
}

static void nil_and_empty_are_one_key(void **state)
{
    struct sti_bytemap map;
    uint64_t *nil;
    uint64_t *empty;
    bool added;
    stele_error err;

    (void)state;
    sti_bytemap_init(&map, 1, 2);
    CHECK_OK(sti_bytemap_put(&map, stele_nil(), &nil, &added, &err), &err);
    assert_true(added);
    CHECK_OK(sti_bytemap_put(&map, stele_empty(), &empty, &added, &err), &err);
    assert_false(added);
    assert_ptr_equal(nil, empty);
    sti_bytemap_free(&map);
}

static void long_keys_lie_beside_short_ones(void **state)
{
    enum {
        LONG = 3 << 20
    };

    struct sti_bytemap map;
    uint8_t *key = malloc(LONG);
    stele_error err;

    (void)state;
    assert_non_null(key);
    memset(key, 'x', LONG);
    sti_bytemap_init(&map, 1, 2);
    for (size_t len = 1; len <= LONG; len = len * 3 + 1) {
        uint64_t *value;
        bool added;

        CHECK_OK(sti_bytemap_put(&map, stele_bytes_of(key, len), &value, &added, &err), &err);
        assert_true(added);
        *value = len;
    }
    for (size_t len = 1; len <= LONG; len = len * 3 + 1) {
        assert_int_equal(*sti_bytemap_find(&map, stele_bytes_of(key, len)), len);
        assert_null(sti_bytemap_find(&map, stele_bytes_of(key, len + 1)));
    }
    sti_bytemap_free(&map);
    free(key);
}

static stele_code put_many(void *arg)
{
    struct sti_bytemap map;
    stele_code rc = STELE_OK;
    char key[40];
    uint64_t done = 0;

    (void)arg;
    sti_bytemap_init(&map, 5, 6);
    while (rc == STELE_OK && done < 2000) {
        uint64_t *value;
        bool added;

        rc = sti_bytemap_put(&map, key_of(done, key), &value, &added, NULL);
        if (rc == STELE_OK) {
            *value = done++;
        }
    }
    /* A failure leaves what was there. */
    assert_int_equal(map.count, done);
    for (uint64_t i = 0; i < done; i++) {
        assert_int_equal(*sti_bytemap_find(&map, key_of(i, key)), i);
    }
    sti_bytemap_free(&map);
    return rc;
}

static void survives_failing_allocations(void **state)
{
    (void)state;
    assert_true(fail_each_allocation(put_many, NULL) > 10);
}

static void arena_aligns_and_keeps_pieces_apart(void **state)
{
    enum {
        PIECES = 600
    };

    struct sti_arena arena = {.chunks = NULL};
    uint8_t *pieces[PIECES];
    size_t sizes[PIECES];
    uint64_t random = 99;

    (void)state;
    for (int round = 0; round < 10; round++) {
        size_t all = 0;

        for (size_t i = 0; i < PIECES; i++) {
            size_t align = (size_t)1 << draw(&random) % 5;

            sizes[i] = draw(&random) % (i % 100 == 0 ? 20000 : 100);
            pieces[i] = sti_arena_alloc(&arena, sizes[i], align);
            assert_non_null(pieces[i]);
            assert_int_equal((uintptr_t)pieces[i] % align, 0);
            memset(pieces[i], (int)(i & 0xFF), sizes[i]);
            all += sizes[i];
        }
        assert_true(arena.memory >= all);
        for (size_t i = 0; i < PIECES; i++) {
            for (size_t k = 0; k < sizes[i]; k++) {
                assert_int_equal(pieces[i][k], i & 0xFF);
            }
        }
        sti_arena_reset(&arena);
        assert_true(arena.memory <= 1 << 20); /* one chunk */
    }
    assert_null(sti_arena_alloc(&arena, SIZE_MAX, 1));
    assert_null(sti_arena_alloc(&arena, SIZE_MAX - 8, 16));
    sti_arena_free(&arena);
    assert_int_equal(arena.memory, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(hash_is_siphash_1_3),
            cmocka_unit_test(hash_depends_on_the_seed_and_each_byte),
            cmocka_unit_test(keeps_a_hundred_thousand_keys),
            cmocka_unit_test(nil_and_empty_are_one_key),
            cmocka_unit_test(long_keys_lie_beside_short_ones),
            cmocka_unit_test(survives_failing_allocations),
            cmocka_unit_test(arena_aligns_and_keeps_pieces_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
