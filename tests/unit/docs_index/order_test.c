/* SPDX-License-Identifier: MIT
 *
 * order_test.c: bytes sort as values do. The model compares values by what the kinds mean, and
 * shares nothing with the encoder.
 */
#include "docs/order.h"

#include "base/sha256.h"
#include "kit.h"

static stele_buf encode(
        const struct sti_docs_collator *collator, enum sti_docs_order order, const json_t *value)
{
    stele_buf buf;
    stele_error err;

    stele_buf_init(&buf, SIZE_MAX);
    CHECK_OK(sti_docs_order_encode(collator, order, value, &buf, NULL, &err), &err);
    assert_true(buf.len <= STI_DOCS_FIELD_SIZE_MAX);
    return buf;
}

/* The bytes of one value, in hexadecimal. */
static void check_bytes_of(enum sti_docs_order order, const char *text, const char *hex)
{
    json_t *value = json_of(text);
    stele_buf buf = encode(NULL, order, value);
    char got[2 * STI_DOCS_FIELD_SIZE_MAX + 1] = "";

    for (size_t i = 0; i < buf.len; i++) {
        (void)snprintf(got + 2 * i, 3, "%02x", buf.data[i]);
    }
    if (strcmp(got, hex) != 0) {
        fail_msg("%s is %s instead of %s", text, got, hex);
    }
    stele_buf_free(&buf);
    json_decref(value);
}

static void test_layout(void **state)
{
    (void)state;
    check_bytes_of(STI_DOCS_ORDER_BINARY, "null", "10");
    check_bytes_of(STI_DOCS_ORDER_BINARY, "false", "18");
    check_bytes_of(STI_DOCS_ORDER_BINARY, "true", "19");
    check_bytes_of(STI_DOCS_ORDER_BINARY, "0", "2080000000000000000000");
    check_bytes_of(STI_DOCS_ORDER_BINARY, "1", "20bff00000000000000000");
    check_bytes_of(STI_DOCS_ORDER_BINARY, "-1", "20400fffffffffffff0000");
    check_bytes_of(STI_DOCS_ORDER_BINARY, "9223372036854775807", "20c3dfffffffffffff03ff");
    check_bytes_of(STI_DOCS_ORDER_BINARY, "9007199254740993", "20c3400000000000000001");
    check_bytes_of(STI_DOCS_ORDER_BINARY, "-9223372036854775807", "203c1fffffffffffff0001");
    check_bytes_of(STI_DOCS_ORDER_BINARY, "-9223372036854775808", "203c1fffffffffffff0000");
    check_bytes_of(STI_DOCS_ORDER_BINARY, "''", "2800");
    check_bytes_of(STI_DOCS_ORDER_BINARY, "'x'", "287800");
    check_bytes_of(STI_DOCS_ORDER_BINARY, "'\\u0000a\\u0001\\u0002'",
            "280101610102"
            "0200");
    check_bytes_of(STI_DOCS_ORDER_TIME, "'1970-01-01T00:00:01.5Z'", "3080000000000000011dcd6500");
    check_bytes_of(STI_DOCS_ORDER_TIME, "-0.5", "307fffffffffffffff1dcd6500");
    check_bytes_of(STI_DOCS_ORDER_BINARY, "[]", "38010200");
    check_bytes_of(STI_DOCS_ORDER_BINARY, "[null,'a']", "381028610101010200");
    check_bytes_of(
            STI_DOCS_ORDER_BINARY, "{'b':[true],'a':{}}", "40286101014001022862010138190102010200");
}

static void check_same(enum sti_docs_order order, const char *a, const char *b, bool same)
{
    json_t *x = json_of(a);
    json_t *y = json_of(b);
    stele_buf bx = encode(NULL, order, x);
    stele_buf by = encode(NULL, order, y);

    if (stele_bytes_equal(stele_buf_view(&bx), stele_buf_view(&by)) != same) {
        fail_msg("%s and %s are %s", a, b, same ? "not equal" : "equal");
    }
    stele_buf_free(&bx);
    stele_buf_free(&by);
    json_decref(x);
    json_decref(y);
}

static void test_one_number(void **state)
{
    static const char *const ones[] = {"1", "1.0", "1e0", "10e-1", "0.1E+1", "1.00000000000000000"};
    static const char *const zeros[] = {"0", "-0", "0.0", "-0.0", "0e9", "1e-999"};

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        check_same(STI_DOCS_ORDER_BINARY, ones[0], ones[i], true);
        check_same(STI_DOCS_ORDER_BINARY, zeros[0], zeros[i], true);
    }
    check_same(STI_DOCS_ORDER_BINARY, "1e15", "1000000000000000", true);
    check_same(STI_DOCS_ORDER_BINARY, "9007199254740992", "9007199254740992.0", true);
    check_same(STI_DOCS_ORDER_BINARY, "9007199254740993", "9007199254740993.0", false);
    check_same(STI_DOCS_ORDER_BINARY, "9223372036854775807", "9223372036854775807.0", false);
    check_same(STI_DOCS_ORDER_BINARY, "{'a':1,'b':[2.0]}", "{'b':[2],'a':1.0}", true);
    check_same(STI_DOCS_ORDER_BINARY, "{'a':1}", "{'a':'1'}", false);
    check_same(STI_DOCS_ORDER_BINARY, "[[],[]]", "[[[]]]", false);
    check_same(STI_DOCS_ORDER_BINARY, "'1'", "1", false);
}

static void test_number_order(void **state)
{
    static const char *const no_numbers[] = {"''", "' 1'", "'1 '", "'+1'", "'01'", "'1.'", "'.5'",
            "'0x10'", "'1e'", "'-'", "'1e400'", "'9223372036854775808'", "'NaN'", "'Infinity'",
            "'1\\u0000'", "'1,2'", "'[1'", "'12abc3'", "'1\\n1'"};

    (void)state;
    check_same(STI_DOCS_ORDER_NUMBER, "'1'", "1", true);
    check_same(STI_DOCS_ORDER_NUMBER, "'1.50'", "15e-1", true);
    check_same(STI_DOCS_ORDER_NUMBER, "'-0'", "0", true);
    check_same(STI_DOCS_ORDER_NUMBER, "'9223372036854775807'", "9223372036854775807", true);
    for (size_t i = 0; i < sizeof no_numbers / sizeof no_numbers[0]; i++) {
        json_t *value = json_of(no_numbers[i]);
        stele_buf plain = encode(NULL, STI_DOCS_ORDER_BINARY, value);
        stele_buf buf = encode(NULL, STI_DOCS_ORDER_NUMBER, value);

        CHECK_BYTES(stele_buf_view(&buf), stele_buf_view(&plain));
        stele_buf_free(&plain);
        stele_buf_free(&buf);
        json_decref(value);
    }
}

static void test_time_order(void **state)
{
    (void)state;
    check_same(STI_DOCS_ORDER_TIME, "'1970-01-01T01:00:00+01:00'", "0", true);
    check_same(STI_DOCS_ORDER_TIME, "'2026-11-26T05:00:00Z'", "1795669200", true);
    check_same(STI_DOCS_ORDER_TIME, "'2026-11-26T05:00:00.5Z'", "1795669200.5", true);
    check_same(STI_DOCS_ORDER_TIME, "'2026-11-26'", "1795651200", false);
    check_same(STI_DOCS_ORDER_BINARY, "'1970-01-01T00:00:00Z'", "0", false);
    check_bytes_of(STI_DOCS_ORDER_TIME, "1e19", "20c3e158e460913d000000");
    check_bytes_of(STI_DOCS_ORDER_TIME, "'soon'", "28736f6f6e00");
}

/* The model. */

static int rank(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_NULL:
        return 0;
    case JSON_FALSE:
        return 1;
    case JSON_TRUE:
        return 2;
    case JSON_INTEGER:
    case JSON_REAL:
        return 3;
    case JSON_STRING:
        return 4;
    default:
        return 5;
    }
}

/* Of an integer and a double: those of 2^63 and more are above all integers; below, the double is
 * compared as an integer, and then by its fraction. */
static int compare_mixed(json_int_t i, double d)
{
    json_int_t whole;

    if (d >= 9223372036854775808.0) {
        return -1;
    }
    if (d < -9223372036854775808.0) {
        return 1;
    }
    whole = (json_int_t)d; /* towards zero */
    if (i != whole) {
        return i < whole ? -1 : 1;
    }
    return (d < (double)whole) - (d > (double)whole);
}

static int compare_numbers(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        json_int_t x = json_integer_value(a);
        json_int_t y = json_integer_value(b);

        return (x > y) - (x < y);
    }
    if (json_is_real(a) && json_is_real(b)) {
        double x = json_real_value(a);
        double y = json_real_value(b);

        return (x > y) - (x < y);
    }
    if (json_is_integer(a)) {
        return compare_mixed(json_integer_value(a), json_real_value(b));
    }
    return -compare_mixed(json_integer_value(b), json_real_value(a));
}

static int compare_scalars(const json_t *a, const json_t *b)
{
    int ra = rank(a);
    int rb = rank(b);

    if (ra != rb) {
        return ra < rb ? -1 : 1;
    }
    if (ra == 3) {
        return compare_numbers(a, b);
    }
    if (ra == 4) {
        return sign_of(
                stele_bytes_compare(stele_bytes_of(json_string_value(a), json_string_length(a)),
                        stele_bytes_of(json_string_value(b), json_string_length(b))));
    }
    return 0;
}

/* Arrays have scalars alone here. */
static int compare_values(const json_t *a, const json_t *b)
{
    size_t i = 0;

    if (!json_is_array(a) || !json_is_array(b)) {
        return compare_scalars(a, b);
    }
    while (i < json_array_size(a) && i < json_array_size(b)) {
        int c = compare_scalars(json_array_get(a, i), json_array_get(b, i));

        if (c != 0) {
            return c;
        }
        i++;
    }
    return (json_array_size(a) > i) - (json_array_size(b) > i);
}

static void check_pair(const json_t *a, const json_t *b)
{
    stele_buf x = encode(NULL, STI_DOCS_ORDER_BINARY, a);
    stele_buf y = encode(NULL, STI_DOCS_ORDER_BINARY, b);
    stele_bytes vx = stele_buf_view(&x);
    stele_bytes vy = stele_buf_view(&y);
    int expected = compare_values(a, b);

    if (sign_of(stele_bytes_compare(vx, vy)) != expected) {
        fail_msg("%s and %s: %d expected", text_of(a), text_of(b), expected);
    }
    /* None is the beginning of another. */
    if (vx.len < vy.len) {
        assert_memory_not_equal(vx.data, vy.data, vx.len);
    }
    stele_buf_free(&x);
    stele_buf_free(&y);
}

static const char *const nasty[] = {"null", "false", "true", "0", "-0.0", "1", "-1", "0.5", "-0.5",
        "5e-324", "-5e-324", "2.2250738585072014e-308", "1.7976931348623157e308",
        "-1.7976931348623157e308", "9007199254740991", "9007199254740992", "9007199254740993",
        "9007199254740994", "-9007199254740993", "9223372036854775807", "9223372036854775806",
        "9223372036854774784", "9223372036854774783", "9223372036854774785",
        "9223372036854775808.0", "9223372036854774784.0", "-9223372036854775808",
        "-9223372036854775807", "-9223372036854775808.0", "-9223372036854777856.0",
        "4611686018427387904", "4611686018427387903", "4611686018427387905", "1e18", "1e19",
        "-1e19", "0.1", "1795669200.123456", "''", "'x'", "'x1'", "'x\\u0000'", "'x\\u0001'",
        "'x\\u0002'", "'x\\u0000s02'", "'x\\u0000\\u0000'", "'x\\u0001\\u0001'",
        "'x\\u0001\\u0002'", "'x\\u00ff'", "'\\u0000'", "'\\u0001'", "'\\u0000\\u0001'",
        "'\\u0001\\u0000'", "'\\udbff\\udfff'", "'x\\uffff'", "'1'", "'null'", "[]", "[null]",
        "[false]", "[0]", "[0,0]", "['']", "['','']", "['x']", "['x','']", "['x\\u0000']",
        "['x\\u0000','']", "[1,'a']", "[1,'a','b']", "['\\u0001']", "['\\u0001\\u0002']"};

static void test_every_pair(void **state)
{
    enum {
        COUNT = sizeof nasty / sizeof nasty[0]
    };

    json_t *values[COUNT];

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = json_of(nasty[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < COUNT; j++) {
            check_pair(values[i], values[j]);
        }
    }
    for (size_t i = 0; i < COUNT; i++) {
        json_decref(values[i]);
    }
}

static json_t *random_number(struct random *r)
{
    uint64_t bits = random_bits(r);
    unsigned shift = (unsigned)random_below(r, 64);
    json_int_t i = (json_int_t)(bits >> shift);
    double d;

    if (random_below(r, 2) == 0) {
        return json_integer(random_below(r, 2) == 0 ? i : -1 - i);
    }
    if (random_below(r, 2) == 0) {
        return json_real((double)i); /* close to integers */
    }
    memcpy(&d, &bits, sizeof d);
    return json_real(d);
}

static json_t *random_string(struct random *r)
{
    static const char alphabet[] = {'\0', '\1', '\2', '\3', 'a', 'b', '\x7f'};
    char text[8];
    size_t len = random_below(r, sizeof text);

    for (size_t i = 0; i < len; i++) {
        text[i] = alphabet[random_below(r, sizeof alphabet)];
    }
    return json_stringn(text, len);
}

static json_t *random_value(struct random *r, bool nested)
{
    json_t *value = NULL;

    while (value == NULL) {
        switch (random_below(r, nested ? 7 : 8)) {
        case 0:
            return random_below(r, 2) == 0 ? json_null() : json_boolean(random_below(r, 2));
        case 1:
        case 2:
        case 3:
            value = random_number(r); /* NULL if it is not finite */
            break;
        default:
            value = random_string(r);
        }
    }
    return value;
}

static json_t *random_array(struct random *r)
{
    json_t *array = json_array();
    size_t count = random_below(r, 4);

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(json_array_append_new(array, random_value(r, true)), 0);
    }
    return array;
}

static void test_random_pairs(void **state)
{
    struct random r = random_of(7);

    (void)state;
    print_message("seed 7\n");
    for (size_t i = 0; i < 60000; i++) {
        bool arrays = i % 4 == 0;
        json_t *a = arrays ? random_array(&r) : random_value(&r, false);
        json_t *b = arrays ? random_array(&r) : random_value(&r, false);

        check_pair(a, b);
        json_decref(a);
        json_decref(b);
    }
}

/* A string of `len` bytes 'q', and then some more. */
static json_t *long_string(size_t len, const char *end)
{
    char *text = malloc(len + strlen(end) + 1);
    json_t *value;

    assert_non_null(text);
    memset(text, 'q', len);
    memcpy(text + len, end, strlen(end) + 1);
    value = json_string(text);
    free(text);
    return value;
}

/* Around the length from which on texts are cut: each differs from each, and the order holds as
 * far as what is kept of them differs. */
static void test_cut(void **state)
{
    static const char *const ends[] = {"", "\1", "\2", "a", "r", "q\1", "\1q", "\2q", "rq"};
    json_t *values[8 * 9];
    size_t count = 0;

    (void)state;
    for (size_t len = 476; len < 484; len++) {
        for (size_t e = 0; e < 9; e++) {
            values[count++] = long_string(len, ends[e]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            stele_buf x = encode(NULL, STI_DOCS_ORDER_BINARY, values[i]);
            stele_buf y = encode(NULL, STI_DOCS_ORDER_BINARY, values[j]);
            const char *a = json_string_value(values[i]);
            const char *b = json_string_value(values[j]);
            int c = sign_of(stele_bytes_compare(stele_buf_view(&x), stele_buf_view(&y)));

            assert_true((c == 0) == (strcmp(a, b) == 0));
            if (strncmp(a, b, 479) != 0) {
                assert_int_equal(c, sign_of(strncmp(a, b, 479)));
            }
            if (x.len < y.len) {
                assert_memory_not_equal(x.data, y.data, x.len);
            }
            stele_buf_free(&x);
            stele_buf_free(&y);
        }
    }
    for (size_t i = 0; i < count; i++) {
        json_decref(values[i]);
    }
}

static void test_cut_layout(void **state)
{
    json_t *value = long_string(481, "");
    stele_bytes text = stele_bytes_of(json_string_value(value), 481);
    uint8_t hash[STI_SHA256_SIZE];
    bool cut = false;
    stele_buf buf;
    stele_error err;

    (void)state;
    stele_buf_init(&buf, SIZE_MAX);
    CHECK_OK(sti_docs_order_encode(NULL, STI_DOCS_ORDER_BINARY, value, &buf, &cut, &err), &err);
    assert_true(cut);
    assert_int_equal(buf.len, STI_DOCS_FIELD_SIZE_MAX);
    assert_int_equal(buf.data[0], STI_DOCS_TAG_STRING);
    assert_memory_equal(buf.data + 1, text.data, 480);
    assert_memory_equal(buf.data + 481, "\1\3", 2);
    CHECK_OK(sti_sha256(&text, 1, hash, &err), &err);
    assert_memory_equal(buf.data + 483, hash, 16);
    json_decref(value);
    value = long_string(480, "");
    stele_buf_clear(&buf);
    CHECK_OK(sti_docs_order_encode(NULL, STI_DOCS_ORDER_BINARY, value, &buf, &cut, &err), &err);
    assert_false(cut);
    assert_int_equal(buf.len, 482);
    json_decref(value);
    stele_buf_free(&buf);
}

/* Whether the field of a text begins with the prefix's bytes, for all short texts of an alphabet.
 */
static void test_prefix(void **state)
{
    static const char alphabet[] = {'\0', '\1', '\2', 'a'};
    char texts[1 + 4 + 16 + 64][3];
    size_t lens[1 + 4 + 16 + 64];
    size_t count = 0;

    (void)state;
    for (size_t len = 0; len <= 3; len++) {
        for (size_t n = 0; n < (size_t)1 << 2 * len; n++) {
            for (size_t i = 0; i < len; i++) {
                texts[count][i] = alphabet[n >> 2 * i & 3];
            }
            lens[count++] = len;
        }
    }
    for (size_t i = 0; i < count; i++) {
        stele_buf prefix;
        stele_error err;

        stele_buf_init(&prefix, SIZE_MAX);
        CHECK_OK(sti_docs_order_prefix(NULL, STI_DOCS_ORDER_BINARY,
                         stele_bytes_of(texts[i], lens[i]), &prefix, &err),
                &err);
        for (size_t j = 0; j < count; j++) {
            json_t *value = json_stringn(texts[j], lens[j]);
            stele_buf buf = encode(NULL, STI_DOCS_ORDER_BINARY, value);
            bool begins = lens[i] <= lens[j] && memcmp(texts[i], texts[j], lens[i]) == 0;

            assert_true(begins ==
                        (prefix.len <= buf.len && memcmp(prefix.data, buf.data, prefix.len) == 0));
            stele_buf_free(&buf);
            json_decref(value);
        }
        stele_buf_free(&prefix);
    }
}

static void test_long_prefix(void **state)
{
    stele_buf out;
    stele_error err;
    char text[481];

    (void)state;
    memset(text, 'q', sizeof text);
    stele_buf_init(&out, SIZE_MAX);
    CHECK_OK(sti_docs_order_prefix(
                     NULL, STI_DOCS_ORDER_BINARY, stele_bytes_of(text, 480), &out, &err),
            &err);
    CHECK_CODE(sti_docs_order_prefix(
                       NULL, STI_DOCS_ORDER_BINARY, stele_bytes_of(text, 481), &out, &err),
            STELE_ETOOBIG);
    stele_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_layout),
            cmocka_unit_test(test_one_number), cmocka_unit_test(test_number_order),
            cmocka_unit_test(test_time_order), cmocka_unit_test(test_every_pair),
            cmocka_unit_test(test_random_pairs), cmocka_unit_test(test_cut),
            cmocka_unit_test(test_cut_layout), cmocka_unit_test(test_prefix),
            cmocka_unit_test(test_long_prefix)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
