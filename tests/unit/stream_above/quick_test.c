/* SPDX-License-Identifier: MIT
 *
 * quick_test.c: what the quick reader takes is what jansson makes of it, to the last bit.
 */
#include "json/quick.h"

#include "base/alloc.h"
#include "unit/stream_above/support.h"

#include <jansson.h>

#define STRICT (JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES)

enum {
    ROUNDS = 60000,
    TEXT_MAX = 256,
    DEEP = 128
};

static const char *const plain[] = {
        "0",
        "-0",
        "-0.0",
        "12",
        "-1.5e+10",
        "1E5",
        "0.0001",
        "123456789012345678",
        "9007199254740992e0",
        "0.1",
        "3e-22",
        "1e22",
        "true",
        " false ",
        "null",
        "\"\"",
        "[]",
        "{}",
        "\t{\n}\r ",
        "[1,2,[3,[4,{}]],{},\"x\"]",
        "{\"\":{\"\":[]}}",
        "[null,true,false,\"x\",-1]",
        "\"\xc3\xa9\xf0\x9f\x8e\x89\x7f, and more than eight bytes of ASCII\"",
        ("{\"@type\":\"thing\",\"serial\":\"S-000000001\",\"level\":26182.25,\"name\":\"Anna B\xc3\xa9\","
         "\"tags\":[\"a\",\"b\"],\"more\":{\"a\":1,\"b\":[{\"c\":null},2.5]},\"rest\":\"aaaaaaaaaaaaaaaa\"}"),
};

/* Texts that are right or wrong, and none of its business. */
static const char *const others[] = {
        "",
        " ",
        "-",
        "01",
        "1.",
        ".5",
        "1e",
        "+1",
        "1.5.2",
        "9007199254740993.0",
        "1e23",
        "1234567890123456789",
        "0.1234567890123456789",
        "tru",
        "truex",
        "nul",
        "\"a",
        "\"a\\n\"",
        "\"\xc3\"",
        "\"\xed\xa0\x80\"",
        "\"\xc0\xaf\"",
        "\"a\tb\"",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,}",
        "{\"a\"}",
        "{1:2}",
        "{} {}",
        "[]]",
        "[",
        "{\"a\":",
};

static json_t *strict(stele_bytes text)
{
    json_error_t why;

    return json_loadb((const char *)text.data, text.len, STRICT, &why);
}

/* The same values, members in the same order, doubles with the same bits. */
static void check_same(const json_t *a, const json_t *b)
{
    char *x = json_dumps(a, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(17));
    char *y = json_dumps(b, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(17));

    assert_non_null(x);
    assert_non_null(y);
    assert_string_equal(x, y);
    assert_true(json_equal(a, b));
    free(x);
    free(y);
}

/* Whether the quick reader takes a text; what it takes, jansson does. */
static bool agrees(stele_bytes text)
{
    json_t *quick = sti_json_quick(text, DEEP);
    json_t *slow;

    if (quick == NULL) {
        return false;
    }
    slow = strict(text);
    assert_non_null(slow);
    check_same(quick, slow);
    json_decref(quick);
    json_decref(slow);
    return true;
}

static void takes_what_is_plain(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        assert_true(agrees(stele_str(plain[i])));
    }
}

static void leaves_the_rest(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(agrees(stele_str(others[i])));
    }
    assert_false(agrees(stele_bytes_of("1\0", 2)));
    assert_false(agrees(stele_nil()));
}

static void keeps_to_the_depth(void **state)
{
    uint8_t text[2 * (STI_JSON_QUICK_DEPTH + 1)];

    (void)state;
    for (size_t depth = 1; depth <= STI_JSON_QUICK_DEPTH + 1; depth++) {
        stele_bytes bytes = stele_bytes_of(text, 2 * depth);
        json_t *value;

        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(agrees(bytes), depth <= STI_JSON_QUICK_DEPTH);
        value = sti_json_quick(bytes, depth - 1);
        assert_null(value);
    }
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Change a byte, take some away, or put a piece of another text in. */
static size_t change(uint8_t *text, size_t len, uint64_t *random)
{
    static const char bytes[] = "{}[]\",:\\0123456789-+.eE tfn\x1f\x80\xc3\xa9\xf0";
    size_t at = next_random(random) % len;
    const char *other;
    size_t more;

    switch (next_random(random) % 3) {
    case 0:
        text[at] = (uint8_t)bytes[next_random(random) % (sizeof bytes - 1)];
        return len;
    case 1:
        more = 1 + next_random(random) % (len - at);
        memmove(text + at, text + at + more, len - at - more);
        return len - more;
    default:
        other = plain[next_random(random) % (sizeof plain / sizeof plain[0])];
        more = strlen(other);
        if (len + more > TEXT_MAX) {
            return len;
        }
        memmove(text + at + more, text + at, len - at);
        memcpy(text + at, other, more);
        return len + more;
    }
}

static void agrees_about_changed_texts(void **state)
{
    uint64_t random = 20261126;
    size_t taken = 0;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        const char *from = plain[next_random(&random) % (sizeof plain / sizeof plain[0])];
        uint8_t text[TEXT_MAX];
        size_t len = strlen(from);

        memcpy(text, from, len);
        for (uint64_t i = next_random(&random) % 4; i > 0 && len > 0; i--) {
            len = change(text, len, &random);
        }
        taken += agrees(stele_bytes_of(text, len)) ? 1 : 0;
    }
    assert_true(taken > ROUNDS / 10);
    assert_true(taken < ROUNDS);
}

/* As many digits and powers as there are. */
static void agrees_about_numbers(void **state)
{
    uint64_t random = 20261127;
    size_t taken = 0;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        char text[80];
        uint64_t mantissa = next_random(&random) >> next_random(&random) % 64;
        int power = (int)(next_random(&random) % 60) - 30;
        int len = next_random(&random) % 2 == 0
                          ? snprintf(text, sizeof text, "%llu.%03llue%d",
                                    (unsigned long long)(mantissa / 1000),
                                    (unsigned long long)(mantissa % 1000), power)
                          : snprintf(text, sizeof text, "-%llue%d", (unsigned long long)mantissa,
                                    power);

        taken += agrees(stele_bytes_of(text, (size_t)len)) ? 1 : 0;
    }
    assert_true(taken > ROUNDS / 10);
}

/* jansson takes its memory from here during the next test. */
static size_t allocations_left;

static void *limited(size_t size)
{
    return allocations_left-- == 0 ? NULL : malloc(size);
}

static void survives_a_lack_of_memory(void **state)
{
    stele_bytes text = stele_str(plain[sizeof plain / sizeof plain[0] - 1]);
    json_t *value = NULL;
    size_t nth = 0;

    (void)state;
    json_set_alloc_funcs(limited, free);
    for (; value == NULL; nth++) {
        allocations_left = nth;
        value = sti_json_quick(text, DEEP);
    }
    json_set_alloc_funcs(malloc, free);
    json_decref(value);
    assert_true(nth > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(takes_what_is_plain),
            cmocka_unit_test(leaves_the_rest),
            cmocka_unit_test(keeps_to_the_depth),
            cmocka_unit_test(agrees_about_changed_texts),
            cmocka_unit_test(agrees_about_numbers),
            cmocka_unit_test(survives_a_lack_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
