/* SPDX-License-Identifier: MIT */
#include "json/json.h"

#include "unit/stream_above/support.h"

#include <jansson.h>

#define SIZE_LIMIT ((size_t)1 << 20)

static stele_bytes text_of(const char *s)
{
    return stele_str(s);
}

static stele_code check(stele_bytes text)
{
    return sti_json_check(text, SIZE_LIMIT, STI_JSON_DEPTH_MAX, NULL);
}

static void accepts_json(void **state)
{
    static const char *const texts[] = {
            "0",
            "-0",
            "12",
            "-1.5e+10",
            "1E5",
            "0.0001",
            "true",
            "false",
            "null",
            "\"\"",
            "\"a\"",
            "[]",
            "{}",
            " [ ] ",
            "\t{\n}\r ",
            "[1,2,[3,[4]],{}]",
            "{\"a\":1,\"a\":2}",
            "{\"\":{\"\":[]}}",
            "[null,true,false,\"x\",-1]",
            "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uFFFF\\uabcd\"",
            "\"\xc3\xa9\xf0\x9f\x8e\x89\x7f\"",
            /* Valid, though a parser that makes values refuses them. */
            "18446744073709551616",
            "1e400",
            "-1e-999",
            "\"\\ud800\"",
            "{\"\\u0000\":1}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        stele_error err;

        CHECK_OK(sti_json_check(text_of(texts[i]), SIZE_LIMIT, 10, &err), &err);
    }
}

static const char *const no_json[] = {
        "",
        " ",
        "nul",
        "nulll",
        "tru e",
        "True",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "1e+",
        "0x1",
        "NaN",
        "Infinity",
        "\"",
        "\"a",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u123",
        "\"\x01\"",
        "\"\n\"",
        "'a'",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "}",
        "{1:2}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1]",
        "[1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "1 2",
        "{}x",
        "\"a\" x",
        "[]]",
        "/**/1",
        "\xef\xbb\xbf 1",
        /* Not UTF-8: a lone tail, over-long, surrogate, too high, cut. */
        "\"\x80\"",
        "\"\xc0\xaf\"",
        "\"\xe0\x80\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xf5\x80\x80\x80\"",
        "\"\xe2\x82\"",
        "\"\xff\"",
};

static void refuses_what_is_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof no_json / sizeof no_json[0]; i++) {
        stele_error err = {.message = ""};

        if (sti_json_check(text_of(no_json[i]), SIZE_LIMIT, 10, &err) != STELE_ECORRUPT) {
            fail_msg("accepted %s", no_json[i]);
        }
        assert_memory_equal(err.message, "JSON: ", 6);
    }
    assert_int_equal(check(stele_bytes_of("\0", 1)), STELE_ECORRUPT);
    assert_int_equal(check(stele_bytes_of("\"\0\"", 3)), STELE_ECORRUPT);
    assert_int_equal(check(stele_bytes_of("1\0", 2)), STELE_ECORRUPT);
    assert_int_equal(check(stele_nil()), STELE_ECORRUPT);
}

static void names_the_byte(void **state)
{
    stele_error err;

    (void)state;
    assert_int_equal(sti_json_check(text_of("[1, x]"), SIZE_LIMIT, 10, &err), STELE_ECORRUPT);
    assert_string_equal(err.message, "JSON: byte 4: expected a value");
    assert_int_equal(sti_json_check(text_of("[1, 2"), SIZE_LIMIT, 10, &err), STELE_ECORRUPT);
    assert_string_equal(
            err.message, "JSON: ends after 5 bytes, expected a comma or the end of the array");
}

static void keeps_the_limits(void **state)
{
    enum {
        LEVELS = STI_JSON_DEPTH_MAX + 1
    };

    static char text[LEVELS * 6 + 1];
    stele_error err;

    (void)state;
    assert_int_equal(sti_json_check(text_of("[[1]]"), 5, 2, NULL), STELE_OK);
    assert_int_equal(sti_json_check(text_of("[[1]]"), 4, 2, NULL), STELE_ETOOBIG);
    assert_int_equal(sti_json_check(text_of("[[1]]"), 5, 1, NULL), STELE_ETOOBIG);
    assert_int_equal(sti_json_check(text_of("[]"), 5, 0, &err), STELE_ETOOBIG);
    assert_string_equal(err.message, "JSON: byte 0: more than 0 levels deep");

    /* Arrays and objects in turn, closed in the right order. */
    for (size_t depth = LEVELS - 1; depth <= LEVELS; depth++) {
        size_t len = 0;

        for (size_t i = 0; i < depth; i++) {
            len += (size_t)sprintf(text + len, i % 3 == 0 ? "[" : "{\"\":");
        }
        text[len++] = '1';
        for (size_t i = depth; i-- > 0;) {
            text[len++] = i % 3 == 0 ? ']' : '}';
        }
        assert_int_equal(
                check(stele_bytes_of(text, len)), depth == LEVELS ? STELE_ETOOBIG : STELE_OK);
    }
}

static void swap_random(uint64_t *random, char *text, size_t len)
{
    static const char bytes[] = "{}[]\",:\\u0123456789abcdef.-+eEtrufalsn \n\x01\x80\xc3\xa9";

    text[draw(random) % len] = bytes[draw(random) % (sizeof bytes - 1)];
}

/* jansson alone refuses numbers that do not fit, and escapes of lone
 * surrogates. */
static void compare_answers(const char *text, size_t len, stele_code ours, const json_t *theirs,
        const json_error_t *why)
{
    bool stricter = theirs == NULL && (json_error_code(why) == json_error_numeric_overflow ||
                                              strstr(why->text, "Unicode") != NULL);

    if (ours != (theirs != NULL || stricter ? STELE_OK : STELE_ECORRUPT)) {
        fail_msg("%.*s: %s, jansson says %s", (int)len, text, stele_code_name(ours),
                theirs == NULL ? why->text : "valid");
    }
}

/* Texts with random faults get the same answer as from jansson. */
static void agrees_with_jansson(void **state)
{
    static const char *const seeds[] = {
            "{\"name\":\"x\\n\",\"list\":[1,2.5,-3e2,true,null],\"o\":{\"a\":{}}}",
            "[[],{},\"\\u00e9\xc3\xa9\",0,-1,false,[\"\",[[1]]]]",
            " { \"k\" : [ \"v\" , { \"x\" : 1.0 } ] } ",
    };
    uint64_t random = 2024;
    size_t valid = 0;

    (void)state;
    for (int round = 0; round < 60000; round++) {
        const char *seed = seeds[round % 3];
        size_t len = strlen(seed);
        char text[128];
        stele_code ours;
        json_error_t why;
        json_t *theirs;

        memcpy(text, seed, len);
        for (uint64_t swaps = draw(&random) % 3; swaps > 0; swaps--) {
            swap_random(&random, text, len);
        }
        ours = check(stele_bytes_of(text, len));
        theirs = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
        compare_answers(text, len, ours, theirs, &why);
        valid += ours == STELE_OK;
        json_decref(theirs);
    }
    assert_in_range(valid, 10000, 55000);
}

static stele_code decode(const char *text, stele_buf *out)
{
    struct sti_json_string string;
    stele_code rc = sti_json_string_scan(stele_str(text), &string, NULL);
    uint8_t bytes[64];

    if (rc == STELE_OK) {
        size_t len = sti_json_string_decode(&string, bytes);

        assert_true(len <= string.body.len);
        assert_true(string.escaped || len == string.body.len);
        stele_buf_clear(out);
        assert_int_equal(stele_buf_append(out, stele_bytes_of(bytes, len), NULL), STELE_OK);
    }
    return rc;
}

static void decodes_every_escape(void **state)
{
    static const struct {
        const char *text;
        const char *bytes;
        size_t len;
    } rows[] = {
            {"\"\"", "", 0},
            {" \"a\"\n", "a", 1},
            {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8},
            {"\"x\\u0000y\"", "x\0y", 3},
            {"\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"",
                    "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 11},
            {"\"\\uD83C\\uDF89\"", "\xf0\x9f\x8e\x89", 4},
            {"\"\\ud800\"", "\xef\xbf\xbd", 3},
            {"\"\\udc00x\"", "\xef\xbf\xbdx", 4},
            {"\"\\ud800\\ud83c\\udf89\"", "\xef\xbf\xbd\xf0\x9f\x8e\x89", 7},
            {"\"\\ud800\\n\"", "\xef\xbf\xbd\n", 4},
            {"\"\\ud800\\u0041\"", "\xef\xbf\xbd\x41", 4},
            {"null", "", 0},
    };

    stele_buf out;

    (void)state;
    stele_buf_init(&out, 100);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(decode(rows[i].text, &out), STELE_OK);
        assert_int_equal(out.len, rows[i].len);
        assert_memory_equal(out.data, rows[i].bytes, rows[i].len);
    }
    assert_int_equal(decode("12", &out), STELE_ECORRUPT);
    assert_int_equal(decode("\"a\" x", &out), STELE_ECORRUPT);
    assert_int_equal(decode("nul", &out), STELE_ECORRUPT);
    assert_int_equal(decode("null1", &out), STELE_ECORRUPT);
    assert_int_equal(decode("[\"a\"]", &out), STELE_ECORRUPT);
    assert_int_equal(decode("\"\\ud83c\\udf8\"", &out), STELE_ECORRUPT);
    stele_buf_free(&out);
}

/* Every character below U+3000, one by one: what is encoded is JSON, decodes
 * to the same, and to the same by jansson. */
static void encodes_every_character(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x3000; c++) {
        char utf8[3];
        size_t len = 0;
        stele_buf text;
        struct sti_json_string string;
        uint8_t back[16];
        json_t *theirs;

        if (c < 0x80) {
            utf8[len++] = (char)c;
        } else if (c < 0x800) {
            utf8[len++] = (char)(0xC0 | c >> 6);
            utf8[len++] = (char)(0x80 | (c & 0x3F));
        } else {
            utf8[len++] = (char)(0xE0 | c >> 12);
            utf8[len++] = (char)(0x80 | (c >> 6 & 0x3F));
            utf8[len++] = (char)(0x80 | (c & 0x3F));
        }
        stele_buf_init(&text, 16);
        assert_int_equal(sti_json_string_encode(stele_bytes_of(utf8, len), &text, NULL), STELE_OK);
        assert_int_equal(check(stele_buf_view(&text)), STELE_OK);
        assert_int_equal(sti_json_string_scan(stele_buf_view(&text), &string, NULL), STELE_OK);
        assert_int_equal(sti_json_string_decode(&string, back), len);
        assert_memory_equal(back, utf8, len);
        theirs = json_loadb(
                (const char *)text.data, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(theirs);
        assert_int_equal(json_string_length(theirs), len);
        assert_memory_equal(json_string_value(theirs), utf8, len);
        json_decref(theirs);
        stele_buf_free(&text);
    }
}

static void refuses_to_encode_what_is_not_utf8(void **state)
{
    stele_buf out;

    (void)state;
    stele_buf_init(&out, 100);
    assert_int_equal(sti_json_string_encode(text_of("bad\xff\xfeutf8"), &out, NULL), STELE_EINVAL);
    assert_null(out.data);
    assert_int_equal(sti_json_string_encode(text_of("\xe2\x82"), &out, NULL), STELE_EINVAL);
    stele_buf_free(&out);

    /* Over the limit of the buffer: as before. */
    stele_buf_init(&out, 8);
    assert_int_equal(sti_json_string_encode(text_of("123456789"), &out, NULL), STELE_ETOOBIG);
    assert_null(out.data);
    assert_int_equal(stele_buf_append(&out, text_of("xy"), NULL), STELE_OK);
    assert_int_equal(sti_json_string_encode(text_of("<a>"), &out, NULL), STELE_ETOOBIG);
    assert_int_equal(out.len, 2);
    assert_memory_equal(out.data, "xy", 2);
    stele_buf_free(&out);
}

static stele_code encode_long(void *arg)
{
    stele_buf out;
    char text[400];
    stele_code rc;

    (void)arg;
    memset(text, '<', sizeof text);
    stele_buf_init(&out, 1 << 20);
    rc = sti_json_string_encode(stele_bytes_of(text, sizeof text), &out, NULL);
    assert_int_equal(out.len, rc == STELE_OK ? sizeof text * 6 + 2 : 0);
    stele_buf_free(&out);
    return rc;
}

static void survives_failing_allocations(void **state)
{
    (void)state;
    assert_true(fail_each_allocation(encode_long, NULL) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(accepts_json),
            cmocka_unit_test(refuses_what_is_none),
            cmocka_unit_test(names_the_byte),
            cmocka_unit_test(keeps_the_limits),
            cmocka_unit_test(agrees_with_jansson),
            cmocka_unit_test(decodes_every_escape),
            cmocka_unit_test(encodes_every_character),
            cmocka_unit_test(refuses_to_encode_what_is_not_utf8),
            cmocka_unit_test(survives_failing_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
