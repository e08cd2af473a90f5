/* SPDX-License-Identifier: MIT
 *
 * entry_test.c: entries of the log, checkpoints and aggregates.
 */
#include "docs/entry.h"

#include "docs/aggregate.h"
#include "docs/checkpoint.h"
#include "unit/docs_formats/kit.h"

#include <stdlib.h>

enum {
    BUF_LIMIT = 1 << 20
};

static struct sti_docs_entry random_entry(struct kit_random *r, uint8_t *bytes, size_t size)
{
    struct sti_docs_entry e = {.version = kit_version(r), .is_delete = kit_below(r, 3) == 0};

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)kit_draw(r);
    }
    e.id = stele_bytes_of(bytes, 1 + kit_below(r, kit_below(r, 10) == 0 ? STI_DOCS_ID_MAX : 40));
    if (!e.is_delete) {
        e.json = stele_bytes_of(bytes + e.id.len, 1 + kit_below(r, size - e.id.len));
    }
    return e;
}

static void test_round_trip(void **state)
{
    struct kit_random r = kit_random_of(4);
    static uint8_t bytes[STI_DOCS_ID_MAX + 1000];
    stele_buf buf;

    (void)state;
    stele_buf_init(&buf, BUF_LIMIT);
    for (int i = 0; i < 2000; i++) {
        struct sti_docs_entry e = random_entry(&r, bytes, sizeof bytes);
        struct sti_docs_entry again;
        struct sti_docs_version version;
        stele_bytes id;

        stele_buf_clear(&buf);
        CHECK_OK(sti_docs_entry_encode(&e, &buf, NULL), NULL);
        CHECK_OK(sti_docs_entry_decode(&again, stele_buf_view(&buf), NULL), NULL);
        assert_int_equal(sti_docs_version_compare(again.version, e.version), 0);
        assert_int_equal(again.is_delete, e.is_delete);
        CHECK_BYTES(again.id, e.id);
        assert_int_equal(again.json.len, e.json.len);
        assert_memory_equal(
                again.json.data, e.is_delete ? again.json.data : e.json.data, e.json.len);
        stele_buf_clear(&buf);
        CHECK_OK(sti_docs_log_key_encode(e.version, e.id, &buf, NULL), NULL);
        CHECK_OK(sti_docs_log_key_decode(&version, &id, stele_buf_view(&buf), NULL), NULL);
        assert_int_equal(sti_docs_version_compare(version, e.version), 0);
        CHECK_BYTES(id, e.id);
    }
    stele_buf_free(&buf);
}

/* An entry of the ID "id" whose bytes are put together here: head, length of the ID, rest. */
static void decodes(const char *magic, uint32_t flags, unsigned id_len, const char *rest,
        size_t total, stele_code code)
{
    uint8_t bytes[64] = {0};
    struct sti_docs_entry e;
    uint8_t *exact;

    assert_true(26 + strlen(rest) <= sizeof bytes && total <= sizeof bytes);
    memcpy(bytes, magic, 4);
    for (int i = 0; i < 4; i++) {
        bytes[4 + i] = (uint8_t)(flags >> (24 - 8 * i));
    }
    bytes[24] = (uint8_t)(id_len >> 8);
    bytes[25] = (uint8_t)id_len;
    memcpy(bytes + 26, rest, strlen(rest));
    exact = malloc(total + 1);
    assert_non_null(exact);
    memcpy(exact, bytes, total);
    CHECK_CODE(sti_docs_entry_decode(&e, stele_bytes_of(exact, total), NULL), code);
    free(exact);
}

static void test_refused(void **state)
{
    (void)state;
    decodes("CDBL", 0, 2, "id{}", 30, STELE_OK);
    decodes("CDBL", 1, 2, "id", 28, STELE_OK);
    for (size_t total = 0; total < 29; total++) {
        decodes("CDBL", 0, 2, "id{}", total, STELE_ECORRUPT);
    }
    decodes("CDBK", 0, 2, "id{}", 30, STELE_ECORRUPT);
    decodes("CDBL", 2, 2, "id{}", 30, STELE_EVERSION);
    decodes("CDBL", 0x100, 2, "id{}", 30, STELE_EVERSION);
    decodes("CDBL", 0x80000001, 2, "id", 28, STELE_EVERSION);
    decodes("CDBL", 0, 0, "{}", 28, STELE_ECORRUPT);
    decodes("CDBL", 0, 2, "id", 28, STELE_ECORRUPT);
    decodes("CDBL", 1, 2, "id{}", 30, STELE_ECORRUPT);
    decodes("CDBL", 0, 5, "id{}", 30, STELE_ECORRUPT);
    decodes("CDBL", 0, 65535, "id{}", 30, STELE_ECORRUPT); /* 26 + n wraps in 16 bits */
    decodes("CDBL", 0, 65510, "id{}", 30, STELE_ECORRUPT);
}

static void test_limits(void **state)
{
    static uint8_t bytes[26 + 65535 + 1];
    struct sti_docs_entry e = {
            .id = stele_bytes_of(bytes, STI_DOCS_ID_MAX + 1), .json = stele_str("{}")};
    uint8_t hash[STI_DOCS_HASH_SIZE];
    stele_buf buf;

    (void)state;
    memcpy(bytes, "CDBL", 4);
    bytes[24] = (STI_DOCS_ID_MAX + 1) >> 8;
    bytes[25] = (STI_DOCS_ID_MAX + 1) & 0xFF;
    CHECK_CODE(sti_docs_entry_decode(&e, stele_bytes_of(bytes, sizeof bytes), NULL), STELE_ETOOBIG);
    bytes[25]--;
    bytes[24] = STI_DOCS_ID_MAX >> 8;
    bytes[25] = STI_DOCS_ID_MAX & 0xFF;
    CHECK_OK(sti_docs_entry_decode(&e, stele_bytes_of(bytes, sizeof bytes), NULL), NULL);
    assert_int_equal(e.id.len, STI_DOCS_ID_MAX);

    stele_buf_init(&buf, BUF_LIMIT);
    e = (struct sti_docs_entry){
            .id = stele_bytes_of(bytes, STI_DOCS_ID_MAX + 1), .json = stele_str("{}")};
    CHECK_CODE(sti_docs_entry_encode(&e, &buf, NULL), STELE_ETOOBIG);
    e.id = stele_empty();
    CHECK_CODE(sti_docs_entry_encode(&e, &buf, NULL), STELE_EINVAL);
    CHECK_CODE(sti_docs_entry_hash(&e, hash, NULL), STELE_EINVAL);
    e.id = stele_str("id");
    e.is_delete = true;
    CHECK_CODE(sti_docs_entry_encode(&e, &buf, NULL), STELE_EINVAL);
    e.json = stele_nil();
    e.version.ns = STI_DOCS_SECOND_NS;
    CHECK_CODE(sti_docs_entry_encode(&e, &buf, NULL), STELE_EINVAL);
    assert_int_equal(buf.len, 0);
    /* What does not fit leaves the buffer as it was. */
    e.version.ns = 0;
    stele_buf_free(&buf);
    stele_buf_init(&buf, 27);
    CHECK_CODE(sti_docs_entry_encode(&e, &buf, NULL), STELE_ETOOBIG);
    assert_int_equal(buf.len, 0);
    stele_buf_free(&buf);
}

static void test_rank(void **state)
{
    struct sti_docs_rank low = {.version = {5, 5, 5}, .is_delete = false, .hash = {1}};
    struct sti_docs_rank high = low;

    (void)state;
    assert_int_equal(sti_docs_rank_compare(&low, &high), 0);
    high.hash[31] = 1;
    assert_true(sti_docs_rank_compare(&low, &high) < 0);
    low.is_delete = true; /* over any hash */
    assert_true(sti_docs_rank_compare(&low, &high) > 0);
    high.version.server++; /* over any kind */
    assert_true(sti_docs_rank_compare(&low, &high) < 0);
}

static void test_checkpoint(void **state)
{
    static const uint8_t a[STI_DOCS_HASH_SIZE] = {1, 2, 3};
    static const uint8_t b[STI_DOCS_HASH_SIZE] = {[31] = 9};
    struct sti_docs_version v = {.seconds = 3 * 86400 - 1};
    struct sti_docs_checkpoint c;
    struct sti_docs_checkpoint again;
    uint8_t bytes[STI_DOCS_CHECKPOINT_SIZE];

    (void)state;
    sti_docs_checkpoint_init(&c, v);
    assert_int_equal(c.epoch, 3);
    assert_true(sti_docs_checkpoint_covers(&c, v));
    v.seconds++;
    assert_false(sti_docs_checkpoint_covers(&c, v));
    assert_true(sti_docs_checkpoint_is_empty(&c));
    CHECK_CODE(sti_docs_checkpoint_remove(&c, a, NULL), STELE_ECORRUPT);
    CHECK_OK(sti_docs_checkpoint_add(&c, a, NULL), NULL);
    CHECK_OK(sti_docs_checkpoint_add(&c, b, NULL), NULL);
    sti_docs_checkpoint_put(bytes, &c);
    CHECK_OK(sti_docs_checkpoint_get(&again, stele_bytes_of(bytes, sizeof bytes), NULL), NULL);
    assert_int_equal(again.count, 2);
    assert_int_equal(again.sum[0], 1);
    assert_int_equal(again.sum[31], 9);
    CHECK_OK(sti_docs_checkpoint_remove(&c, a, NULL), NULL);
    CHECK_CODE(sti_docs_checkpoint_remove(&c, a, NULL), STELE_ECORRUPT);
    CHECK_OK(sti_docs_checkpoint_remove(&c, b, NULL), NULL);
    assert_true(sti_docs_checkpoint_is_empty(&c));
    assert_memory_equal(c.sum, (uint8_t[STI_DOCS_HASH_SIZE]){0}, sizeof c.sum);
    c.count = UINT64_MAX;
    CHECK_CODE(sti_docs_checkpoint_add(&c, a, NULL), STELE_ECORRUPT);
}

static void test_checkpoint_refused(void **state)
{
    uint8_t bytes[STI_DOCS_CHECKPOINT_SIZE + 1] = {0};
    stele_bytes view = stele_bytes_of(bytes, STI_DOCS_CHECKPOINT_SIZE);
    struct sti_docs_checkpoint c;

    (void)state;
    CHECK_CODE(sti_docs_checkpoint_get(&c, view, NULL), STELE_ECORRUPT); /* epoch 0 */
    bytes[11] = 1;
    CHECK_OK(sti_docs_checkpoint_get(&c, view, NULL), NULL);
    CHECK_CODE(
            sti_docs_checkpoint_get(&c, stele_bytes_of(bytes, sizeof bytes), NULL), STELE_ECORRUPT);
    CHECK_CODE(sti_docs_checkpoint_get(&c, stele_bytes_of(bytes, 59), NULL), STELE_ECORRUPT);
    bytes[59] = 1; /* a sum of nothing */
    CHECK_CODE(sti_docs_checkpoint_get(&c, view, NULL), STELE_ECORRUPT);
    bytes[19] = 1;
    CHECK_OK(sti_docs_checkpoint_get(&c, view, NULL), NULL);
    bytes[3] = 1;
    CHECK_CODE(sti_docs_checkpoint_get(&c, view, NULL), STELE_EVERSION);
    bytes[3] = 0;
    bytes[4] = 0x80;
    CHECK_CODE(sti_docs_checkpoint_get(&c, view, NULL), STELE_ECORRUPT);
    bytes[4] = 0x7F;
    CHECK_CODE(sti_docs_checkpoint_get(&c, view, NULL), STELE_ECORRUPT);
}

/* Byte by byte, from the last. */
static void add_naive(uint8_t sum[STI_DOCS_HASH_SIZE], const uint8_t hash[STI_DOCS_HASH_SIZE])
{
    unsigned carry = 0;

    for (size_t i = STI_DOCS_HASH_SIZE; i-- > 0;) {
        carry += (unsigned)sum[i] + hash[i];
        sum[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

static void random_hash(struct kit_random *r, uint8_t hash[STI_DOCS_HASH_SIZE])
{
    size_t kind = kit_below(r, 4);

    for (size_t i = 0; i < STI_DOCS_HASH_SIZE; i++) {
        hash[i] = kind == 0 ? 0xFF : kind == 1 ? (uint8_t)(i == 31) : (uint8_t)kit_draw(r);
    }
}

static void test_aggregate(void **state)
{
    struct kit_random r = kit_random_of(5);

    (void)state;
    for (int round = 0; round < 300; round++) {
        uint8_t hashes[40][STI_DOCS_HASH_SIZE];
        uint8_t naive[STI_DOCS_HASH_SIZE] = {0};
        uint8_t bytes[STI_DOCS_AGGREGATE_SIZE];
        size_t count = kit_below(&r, 40);
        size_t cut = count == 0 ? 0 : kit_below(&r, count);
        struct sti_docs_aggregate all = {.count = 0};
        struct sti_docs_aggregate half = {.count = 0};
        struct sti_docs_aggregate again;

        for (size_t i = 0; i < count; i++) {
            random_hash(&r, hashes[i]);
            add_naive(naive, hashes[i]);
            sti_docs_aggregate_add_hash(&all, hashes[i]);
            if (i < cut) {
                sti_docs_aggregate_add_hash(&half, hashes[i]);
            }
        }
        sti_docs_aggregate_put(bytes, &all);
        assert_memory_equal(bytes, naive, sizeof naive);
        assert_int_equal(bytes[39], count);
        CHECK_OK(sti_docs_aggregate_get(&again, stele_bytes_of(bytes, sizeof bytes), NULL), NULL);
        assert_true(sti_docs_aggregate_equal(&again, &all));
        /* The rest of the range is the whole without the half, in any order. */
        sti_docs_aggregate_subtract(&again, &half);
        for (size_t i = count; i-- > cut;) {
            sti_docs_aggregate_remove_hash(&again, hashes[i]);
        }
        assert_true(sti_docs_aggregate_equal(&again, &(struct sti_docs_aggregate){.count = 0}));
        sti_docs_aggregate_add(&again, &all);
        assert_true(sti_docs_aggregate_equal(&again, &all));
    }
}

static void test_aggregate_bytes(void **state)
{
    /* SHA-256 of 40 zero bytes, and of 31 zeros, 1, 7 zeros, 1: the sums of nothing and of 1. */
    static const uint8_t of_none[] = {0x2c, 0x34, 0xce, 0x1d, 0xf2, 0x3b, 0x83, 0x8c, 0x5a, 0xbf,
            0x2a, 0x7f, 0x64, 0x37, 0xcc, 0xa3};
    static const uint8_t of_one[] = {0x64, 0xaf, 0x77, 0xcf, 0x4e, 0xfc, 0x95, 0xce, 0xed, 0x9d,
            0xf5, 0x94, 0x65, 0xae, 0xb1, 0x58};
    static const uint8_t one[STI_DOCS_HASH_SIZE] = {[31] = 1};
    uint8_t print[STI_DOCS_FINGERPRINT_SIZE];
    struct sti_docs_aggregate a = {.count = 0};
    uint8_t bytes[STI_DOCS_AGGREGATE_SIZE] = {1};

    (void)state;
    CHECK_OK(sti_docs_aggregate_fingerprint(&a, print, NULL), NULL);
    assert_memory_equal(print, of_none, sizeof print);
    sti_docs_aggregate_add_hash(&a, one);
    CHECK_OK(sti_docs_aggregate_fingerprint(&a, print, NULL), NULL);
    assert_memory_equal(print, of_one, sizeof print);
    CHECK_CODE(sti_docs_aggregate_get(&a, stele_bytes_of(bytes, 39), NULL), STELE_ECORRUPT);
    CHECK_CODE(sti_docs_aggregate_get(&a, stele_bytes_of(bytes, 40), NULL), STELE_ECORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_round_trip),
            cmocka_unit_test(test_refused),
            cmocka_unit_test(test_limits),
            cmocka_unit_test(test_rank),
            cmocka_unit_test(test_checkpoint),
            cmocka_unit_test(test_checkpoint_refused),
            cmocka_unit_test(test_aggregate),
            cmocka_unit_test(test_aggregate_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
