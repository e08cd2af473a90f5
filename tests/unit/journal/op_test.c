/* SPDX-License-Identifier: MIT
 *
 * op_test.c: operations to bytes and back, and all that is no operation.
 */
#include "journal/op.h"

#include "base/coding.h"
#include "lib/check.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ROOM = 4096
};

static const stele_journal_setting two[] = {
        {{(const uint8_t *)"b", 1}, {(const uint8_t *)"2", 1}},
        {{(const uint8_t *)"a", 1}, {(const uint8_t *)"", 0}},
};

/* The table of op.h, byte for byte. */
static void test_bytes(void **state)
{
    static const uint8_t put[] = {
            0x11, 7, 1, 2, 3, 4, 5, 6, 7, 8, 6, 'k', 'e', 'y', 2, 's', 'v', 'a', 'l'};
    static const uint8_t config[] = {
            0x14, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 4, 2, 'a', 0, 2, 'b', 2, '2'};
    static const uint8_t clear[] = {0x13, 0, 0, 0, 0, 0, 0, 0, 0, 0x80};
    stele_journal_op op = {.kind = STELE_JOURNAL_PUT,
            .timestamp = 0x0807060504030201,
            .key = stele_str("key"),
            .subkey = stele_str("s"),
            .value = stele_str("val")};
    stele_journal_setting scratch[2];
    uint8_t out[ROOM];

    (void)state;
    assert_int_equal(sti_journal_op_size(&op), sizeof put);
    assert_int_equal(sti_journal_op_encode(out, &op, NULL), sizeof put);
    assert_memory_equal(out, put, sizeof put);
    op = (stele_journal_op){
            .kind = STELE_JOURNAL_CONFIG, .timestamp = -1, .settings = two, .setting_count = 2};
    assert_int_equal(sti_journal_op_size(&op), sizeof config);
    assert_int_equal(sti_journal_op_encode(out, &op, scratch), sizeof config);
    assert_memory_equal(out, config, sizeof config);
    op = (stele_journal_op){.kind = STELE_JOURNAL_CLEAR, .timestamp = INT64_MIN};
    assert_int_equal(sti_journal_op_encode(out, &op, NULL), sizeof clear);
    assert_memory_equal(out, clear, sizeof clear);
}

static stele_bytes part_of(unsigned which, const uint8_t *bytes, size_t len)
{
    switch (which) {
    case 0:
        return stele_nil();
    case 1:
        return stele_empty();
    default:
        return stele_bytes_of(bytes, len);
    }
}

static void check_same(const stele_journal_op *a, const stele_journal_op *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_true(a->timestamp == b->timestamp);
    CHECK_BYTES(a->key, b->key);
    CHECK_BYTES(a->subkey, b->subkey);
    CHECK_BYTES(a->value, b->value);
    assert_int_equal(a->setting_count, b->setting_count);
}

static void round_trip(const stele_journal_op *op)
{
    struct sti_journal_settings settings = {0};
    stele_journal_op back;
    uint8_t *bytes = malloc(ROOM);
    stele_error err;
    size_t len;

    assert_non_null(bytes);
    CHECK_OK(sti_journal_op_check(op, &err), &err);
    len = sti_journal_op_encode(bytes, op, NULL);
    assert_int_equal(len, sti_journal_op_size(op));
    CHECK_OK(sti_journal_op_decode(&back, stele_bytes_of(bytes, len), &settings, &err), &err);
    check_same(&back, op);
    sti_journal_settings_free(&settings);
    free(bytes);
}

/* Nil, empty and some, of every part; lengths around those that need another byte. */
static void test_round_trips(void **state)
{
    static const size_t lens[] = {1, 63, 64, 65, 300};
    uint8_t data[300];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 7);
    }
    for (unsigned i = 0; i < 3 * 3 * 3 * 5; i++) {
        size_t len = lens[i / 27];
        stele_journal_op op = {.kind = STELE_JOURNAL_PUT,
                .timestamp = (int64_t)i - 60,
                .key = part_of(i % 3, data, len),
                .subkey = part_of(i / 3 % 3, data + 1, len - 1),
                .value = part_of(i / 9 % 3, data, len)};

        round_trip(&op);
        op.value = stele_nil();
        op.kind = STELE_JOURNAL_DELETE;
        round_trip(&op);
        op.subkey = stele_nil();
        op.kind = STELE_JOURNAL_CLEAR;
        round_trip(&op);
        op.kind = STELE_JOURNAL_CONFIG;
        round_trip(&op);
    }
}

/* Settings come back in the order of their names. */
static void test_settings(void **state)
{
    stele_journal_op op = {.kind = STELE_JOURNAL_CONFIG,
            .key = stele_str("tree"),
            .settings = two,
            .setting_count = 2};
    struct sti_journal_settings settings = {0};
    stele_journal_setting scratch[2];
    stele_journal_op back;
    uint8_t bytes[ROOM];
    stele_error err;
    size_t len = sti_journal_op_encode(bytes, &op, scratch);

    (void)state;
    CHECK_OK(sti_journal_op_decode(&back, stele_bytes_of(bytes, len), &settings, &err), &err);
    check_same(&back, &op);
    CHECK_BYTES(back.settings[0].name, two[1].name);
    CHECK_BYTES(back.settings[0].value, two[1].value);
    CHECK_BYTES(back.settings[1].name, two[0].name);
    CHECK_BYTES(back.settings[1].value, two[0].value);
    sti_journal_settings_free(&settings);
}

static void test_refused(void **state)
{
    const stele_bytes some = stele_str("x");
    const stele_bytes broken = {NULL, 1};
    const stele_journal_setting same[] = {{some, some}, {stele_empty(), some}, {some, some}};
    const stele_journal_setting nameless = {stele_nil(), some};
    const stele_journal_setting valueless = {some, stele_nil()};
    const stele_journal_op bad[] = {
            {.kind = (stele_journal_kind)0},
            {.kind = (stele_journal_kind)5},
            {.kind = (stele_journal_kind)15},
            {.kind = STELE_JOURNAL_PUT, .key = broken},
            {.kind = STELE_JOURNAL_PUT, .subkey = broken},
            {.kind = STELE_JOURNAL_PUT, .value = broken},
            {.kind = STELE_JOURNAL_PUT, .settings = two, .setting_count = 2},
            {.kind = STELE_JOURNAL_DELETE, .key = some, .value = some},
            {.kind = STELE_JOURNAL_DELETE, .key = some, .value = stele_empty()},
            {.kind = STELE_JOURNAL_CLEAR, .key = some, .subkey = some},
            {.kind = STELE_JOURNAL_CLEAR, .key = some, .value = some},
            {.kind = STELE_JOURNAL_CONFIG, .key = some, .subkey = some},
            {.kind = STELE_JOURNAL_CONFIG, .key = some, .value = some},
            {.kind = STELE_JOURNAL_CONFIG, .setting_count = 1},
            {.kind = STELE_JOURNAL_CONFIG, .settings = same, .setting_count = 3},
            {.kind = STELE_JOURNAL_CONFIG, .settings = &nameless, .setting_count = 1},
            {.kind = STELE_JOURNAL_CONFIG, .settings = &valueless, .setting_count = 1},
    };
    stele_error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (sti_journal_op_check(&bad[i], &err) != STELE_EINVAL) {
            fail_msg("operation %zu is taken", i);
        }
    }
}

/* Many settings in no order: the same one twice is found, others are taken. */
static void test_many_settings(void **state)
{
    enum {
        MANY = 100
    };

    stele_journal_setting settings[MANY];
    char names[MANY][8];
    stele_journal_op op = {
            .kind = STELE_JOURNAL_CONFIG, .settings = settings, .setting_count = MANY};
    stele_error err;

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        (void)snprintf(names[i], sizeof names[i], "%zu", i * 37 % MANY);
        settings[i].name = stele_str(names[i]);
        settings[i].value = stele_empty();
    }
    CHECK_OK(sti_journal_op_check(&op, &err), &err);
    settings[MANY - 1].name = settings[3].name;
    CHECK_CODE(sti_journal_op_check(&op, &err), STELE_EINVAL);
}

static void test_too_big(void **state)
{
    uint8_t byte = 0;
    stele_journal_op op = {.kind = STELE_JOURNAL_PUT,
            .key = stele_bytes_of(&byte, 1),
            .value = stele_bytes_of(&byte, STELE_JOURNAL_OP_MAX - 1)};
    stele_journal_setting setting = {
            stele_bytes_of(&byte, STELE_JOURNAL_OP_MAX - 2), stele_empty()};
    stele_error err;

    (void)state;
    CHECK_OK(sti_journal_op_check(&op, &err), &err);
    op.subkey = stele_bytes_of(&byte, 1);
    CHECK_CODE(sti_journal_op_check(&op, &err), STELE_ETOOBIG);
    op.subkey = stele_bytes_of(&byte, SIZE_MAX);
    CHECK_CODE(sti_journal_op_check(&op, &err), STELE_ETOOBIG);
    op = (stele_journal_op){.kind = STELE_JOURNAL_CONFIG, .settings = &setting, .setting_count = 1};
    CHECK_OK(sti_journal_op_check(&op, &err), &err);
    setting.name.len++;
    CHECK_CODE(sti_journal_op_check(&op, &err), STELE_ETOOBIG);
    op.setting_count = SIZE_MAX;
    CHECK_CODE(sti_journal_op_check(&op, &err), STELE_ETOOBIG);
}

static stele_code decode(const void *bytes, size_t len)
{
    struct sti_journal_settings settings = {0};
    stele_journal_op op;
    uint8_t *copy = malloc(len + 1); /* so that a sanitizer sees what is read behind it */
    stele_error err;
    stele_code rc;

    assert_non_null(copy);
    memcpy(copy, bytes, len);
    copy = realloc(copy, len == 0 ? 1 : len);
    assert_non_null(copy);
    rc = sti_journal_op_decode(&op, stele_bytes_of(copy, len), &settings, &err);
    sti_journal_settings_free(&settings);
    free(copy);
    return rc;
}

/* Every version, kind and set of parts, cut at every place. A cut within the value alone is whole
 * again. */
static void test_every_head(void **state)
{
    static const unsigned allowed[16] = {0, 7, 3, 1, 1};
    uint8_t bytes[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 'k', 2, 's', 'v'};

    (void)state;
    for (unsigned head = 0; head < 256; head++) {
        bool known = head >> 4 == 1 && (allowed[head & 15] != 0 || (head & 15) == 15);

        for (unsigned parts = 0; parts < 256; parts++) {
            stele_code rc;

            bytes[0] = (uint8_t)head;
            bytes[1] = (uint8_t)parts;
            rc = decode(bytes, sizeof bytes);
            if (!known) {
                CHECK_CODE(rc, STELE_EVERSION);
            } else if (head == 0x11 && (parts & ~7U) == 0 && (parts & 4) != 0) {
                CHECK_CODE(rc, STELE_OK);
            } else {
                CHECK_CODE(rc, STELE_ECORRUPT);
            }
        }
    }
    bytes[0] = 0x11;
    bytes[1] = 7;
    for (size_t len = 0; len < sizeof bytes; len++) {
        CHECK_CODE(decode(bytes, len), len < 14 ? STELE_ECORRUPT : STELE_OK);
    }
}

static void test_bad_bytes(void **state)
{
#define HEAD(kind, parts) 0x10 | (kind), (parts), 0, 0, 0, 0, 0, 0, 0, 0

    static const struct {
        const char *what;
        size_t len;
        uint8_t bytes[24];
    } bad[] = {
            {"bytes behind a clear", 13, {HEAD(3, 1), 2, 'k', 0}},
            {"a negative length", 12, {HEAD(1, 1), 1, 'k'}},
            {"a length with a byte too many", 13, {HEAD(1, 1), 0x82, 0x00, 'k'}},
            {"a length without its end", 11, {HEAD(1, 1), 0x82}},
            {"a huge length", 20,
                    {HEAD(1, 1), 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01}},
            {"no number of settings", 10, {HEAD(4, 0)}},
            {"more settings than bytes", 13, {HEAD(4, 0), 4, 0, 0}},
            {"a setting without a value", 13, {HEAD(4, 0), 2, 2, 'a'}},
            {"settings out of order", 19, {HEAD(4, 0), 4, 2, 'b', 2, '1', 2, 'a', 2, '2'}},
            {"a setting twice", 19, {HEAD(4, 0), 4, 2, 'a', 2, '1', 2, 'a', 2, '2'}},
            {"bytes behind the settings", 16, {HEAD(4, 0), 2, 2, 'a', 2, '1', 0}},
    };

#undef HEAD

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (decode(bad[i].bytes, bad[i].len) != STELE_ECORRUPT) {
            fail_msg("%s is taken", bad[i].what);
        }
    }
}

static void test_end(void **state)
{
    static const uint8_t bytes[STI_JOURNAL_END_SIZE] = {
            0x1F, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 1};
    struct sti_journal_end end = {.latest = 5, .ops = 6, .count = 0x0100000000000007};
    struct sti_journal_end back = {0};
    uint8_t out[STI_JOURNAL_END_SIZE + 1] = {0};
    stele_error err;

    (void)state;
    sti_journal_end_encode(out, &end);
    assert_memory_equal(out, bytes, sizeof bytes);
    assert_true(sti_journal_is_end(stele_bytes_of(out, 1)));
    assert_false(sti_journal_is_end(stele_bytes_of(out, 0)));
    CHECK_OK(sti_journal_end_decode(&back, stele_bytes_of(out, sizeof bytes), &err), &err);
    assert_true(back.latest == 5 && back.ops == 6 && back.count == end.count);
    CHECK_CODE(
            sti_journal_end_decode(&back, stele_bytes_of(out, sizeof out), &err), STELE_ECORRUPT);
    CHECK_CODE(sti_journal_end_decode(&back, stele_bytes_of(out, 25), &err), STELE_ECORRUPT);
    out[1] = 1;
    CHECK_CODE(
            sti_journal_end_decode(&back, stele_bytes_of(out, sizeof bytes), &err), STELE_ECORRUPT);
    out[0] = 0x2F;
    CHECK_CODE(
            sti_journal_end_decode(&back, stele_bytes_of(out, sizeof bytes), &err), STELE_EVERSION);
    out[0] = 0x11;
    assert_false(sti_journal_is_end(stele_bytes_of(out, sizeof bytes)));
    CHECK_CODE(
            sti_journal_end_decode(&back, stele_bytes_of(out, sizeof bytes), &err), STELE_ECORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_bytes),
            cmocka_unit_test(test_round_trips),
            cmocka_unit_test(test_settings),
            cmocka_unit_test(test_refused),
            cmocka_unit_test(test_many_settings),
            cmocka_unit_test(test_too_big),
            cmocka_unit_test(test_every_head),
            cmocka_unit_test(test_bad_bytes),
            cmocka_unit_test(test_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
