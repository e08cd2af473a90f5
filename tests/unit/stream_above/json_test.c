/* SPDX-License-Identifier: MIT */
#include "json/json.h"

#include "unit/stream_above/support.h"

#include <errno.h>

#include <jansson.h>

#define SIZE_LIMIT ((size_t)1 << 20)

static stele_bytes text_of(const char *s)
{
    return stele_str(s);
}

static stele_code check(stele_bytes text)
{
    return sti_json_check(text, SIZE_LIMIT, NULL);
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
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "123456789012345678901234567890123456789012345678901234567890",
            "1e308",
            "-1e-999",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        stele_error err;

        CHECK_OK(sti_json_check(text_of(texts[i]), SIZE_LIMIT, &err), &err);
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
        "[1]]",
        "1,",
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
        "{\"\xff\":1}",
        "\xff",
        /* JSON by its grammar; json.h says why they are refused. */
        "1e400",
        "[-1e309]",
        "\"\\ud800\"",
        "\"\\udc00x\"",
        "\"\\ud800\\ud83c\\udf89\"",
        "\"\\ud800\\n\"",
        "\"\\ud800\\u0041\"",
        "{\"\\u0000\":1}",
};

static void refuses_what_is_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof no_json / sizeof no_json[0]; i++) {
        stele_error err = {.message = ""};

        if (sti_json_check(text_of(no_json[i]), SIZE_LIMIT, &err) != STELE_ECORRUPT) {
            fail_msg("accepted %s", no_json[i]);
        }
        assert_memory_equal(err.message, "JSON: ", 6);
    }
    assert_int_equal(check(stele_nil()), STELE_ECORRUPT);
}

/* Zero bytes at every place of texts that are JSON without them. */
static void refuses_zero_bytes(void **state)
{
    static const char *const texts[] = {"1", "[1,true]", "\"ab\"", "{\"a\": [null, -1.5e3]}"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t len = strlen(texts[i]);

        for (size_t at = 0; at <= len; at++) {
            char text[64];

            memcpy(text, texts[i], at);
            text[at] = '\0';
            memcpy(text + at + 1, texts[i] + at, len - at);
            assert_int_equal(check(stele_bytes_of(text, len + 1)), STELE_ECORRUPT);
        }
    }
}

/* No start of a text is a text, if its end closes something. */
static void refuses_truncated_texts(void **state)
{
    static const char text[] = "{\"k\\u00e9\xc3\xa9\": [1, -2.5e+3, true, null, \"\\ud83c\\udf89\","
                               " \"\xf0\x9f\x8e\x89\", {}, [[]], {\"a\":{\"b\":false}}]}";

    (void)state;
    for (size_t len = 0; len < sizeof text - 1; len++) {
        /* An allocation of its own, so that reading beyond it is seen. */
        char *start = malloc(len + 1);

        assert_non_null(start);
        memcpy(start + 1, text, len);
        assert_int_equal(check(stele_bytes_of(start + 1, len)), STELE_ECORRUPT);
        free(start);
    }
    assert_int_equal(check(stele_bytes_of(text, sizeof text - 1)), STELE_OK);
}

static void names_the_place(void **state)
{
    stele_error err;

    (void)state;
    assert_int_equal(sti_json_check(text_of("[1, x]"), SIZE_LIMIT, &err), STELE_ECORRUPT);
    assert_string_equal(err.message, "JSON: after 5 bytes: invalid token");
    assert_int_equal(sti_json_check(text_of("[1, 2"), SIZE_LIMIT, &err), STELE_ECORRUPT);
    assert_string_equal(err.message, "JSON: after 5 bytes: ']' expected near end of file");
    assert_int_equal(sti_json_check(text_of("1 2"), SIZE_LIMIT, &err), STELE_ECORRUPT);
    assert_string_equal(err.message, "JSON: after 3 bytes: end of file expected");
    assert_int_equal(sti_json_check(stele_bytes_of("[1\0]", 4), SIZE_LIMIT, &err), STELE_ECORRUPT);
    assert_string_equal(err.message, "JSON: after 2 bytes: a zero byte");
    /* Nothing of the text gets into the message: it may be for a terminal. */
    assert_int_equal(sti_json_check(text_of("[\x1b]"), SIZE_LIMIT, &err), STELE_ECORRUPT);
    assert_null(strchr(err.message, '\x1b'));
}

static void keeps_the_limits(void **state)
{
    enum {
        LEVELS = JSON_PARSER_MAX_DEPTH + 1
    };

    static char text[LEVELS * 6 + 1];
    stele_error err;

    (void)state;
    assert_int_equal(sti_json_check(text_of("[[1]]"), 5, NULL), STELE_OK);
    assert_int_equal(sti_json_check(text_of("[[1]]"), 4, &err), STELE_ETOOBIG);
    assert_string_equal(err.message, "JSON: 5 bytes, of at most 4");

    /* Arrays and objects in turn, closed in the right order; the innermost
     * value counts as a level. */
    for (size_t depth = LEVELS - 2; depth < LEVELS; depth++) {
        size_t len = 0;

        for (size_t i = 0; i < depth; i++) {
            len += (size_t)sprintf(text + len, i % 3 == 0 ? "[" : "{\"\":");
        }
        text[len++] = '1';
        for (size_t i = depth; i-- > 0;) {
            text[len++] = i % 3 == 0 ? ']' : '}';
        }
        assert_int_equal(
                check(stele_bytes_of(text, len)), depth == LEVELS - 1 ? STELE_ETOOBIG : STELE_OK);
    }
}

static void survives_texts_that_only_open(void **state)
{
    enum {
        LEVELS = 100000
    };

    static char text[LEVELS * 5];

    (void)state;
    memset(text, '[', LEVELS);
    assert_int_equal(check(stele_bytes_of(text, LEVELS)), STELE_ETOOBIG);
    for (size_t i = 0; i < LEVELS; i++) {
        memcpy(text + i * 5, "{\"\":[", 5);
    }
    assert_int_equal(check(stele_bytes_of(text, sizeof text)), STELE_ETOOBIG);
}

static stele_code decode(stele_bytes text, stele_buf *out)
{
    struct sti_json_string string;
    stele_code rc = sti_json_string_decode(text, SIZE_LIMIT, &string, NULL);

    if (rc == STELE_OK) {
        stele_buf_clear(out);
        assert_int_equal(stele_buf_append(out, string.bytes, NULL), STELE_OK);
        sti_json_string_free(&string);
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
    };

    stele_buf out;

    (void)state;
    stele_buf_init(&out, 100);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(decode(text_of(rows[i].text), &out), STELE_OK);
        assert_int_equal(out.len, rows[i].len);
        assert_memory_equal(out.data, rows[i].bytes, rows[i].len);
    }
    assert_int_equal(decode(stele_bytes_of("\"\0\"", 3), &out), STELE_ECORRUPT);
    assert_int_equal(decode(stele_nil(), &out), STELE_ECORRUPT);
    assert_int_equal(decode(text_of("\"\\ud800\""), &out), STELE_ECORRUPT);
    assert_int_equal(decode(text_of("12"), &out), STELE_ECORRUPT);
    assert_int_equal(decode(text_of("\"a\" x"), &out), STELE_ECORRUPT);
    assert_int_equal(decode(text_of("nul"), &out), STELE_ECORRUPT);
    assert_int_equal(decode(text_of("null1"), &out), STELE_ECORRUPT);
    assert_int_equal(decode(text_of("[\"a\"]"), &out), STELE_ECORRUPT);
    assert_int_equal(decode(text_of("\"\\ud83c\\udf8\""), &out), STELE_ECORRUPT);
    stele_buf_free(&out);
}

static void tells_null_from_the_empty_string(void **state)
{
    struct sti_json_string string;

    (void)state;
    assert_int_equal(sti_json_string_decode(text_of(" null "), 6, &string, NULL), STELE_OK);
    assert_true(stele_is_nil(string.bytes));
    sti_json_string_free(&string);
    assert_int_equal(sti_json_string_decode(text_of("\"\""), 2, &string, NULL), STELE_OK);
    assert_false(stele_is_nil(string.bytes));
    assert_int_equal(string.bytes.len, 0);
    sti_json_string_free(&string);
    assert_int_equal(sti_json_string_decode(text_of("\"\""), 1, &string, NULL), STELE_ETOOBIG);
}

/* Every character below U+3000, one by one: what is encoded is JSON, and
 * decodes to the same. */
static void encodes_every_character(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x3000; c++) {
        char utf8[3];
        size_t len = 0;
        stele_buf text;
        struct sti_json_string string;

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
        assert_int_equal(
                sti_json_string_decode(stele_buf_view(&text), SIZE_LIMIT, &string, NULL), STELE_OK);
        CHECK_BYTES(string.bytes, stele_bytes_of(utf8, len));
        sti_json_string_free(&string);
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

static stele_code read_both(void *arg)
{
    struct sti_json_string string;
    stele_code rc = sti_json_check(text_of("{\"a\":[1,\"x\",null]}"), SIZE_LIMIT, NULL);

    (void)arg;
    if (rc == STELE_OK) {
        rc = sti_json_string_decode(text_of("\"x\\n\""), SIZE_LIMIT, &string, NULL);
    }
    if (rc == STELE_OK) {
        CHECK_BYTES(string.bytes, text_of("x\n"));
        sti_json_string_free(&string);
    }
    return rc;
}

static void survives_failing_allocations(void **state)
{
    (void)state;
    assert_true(fail_each_allocation(encode_long, NULL) > 3);
    assert_true(fail_each_allocation(read_both, NULL) == 2);
    /* The first allocation is the one that asks whether there is room. */
    sti_alloc_set_hook(fail_nth_hook, &(struct fail_nth){.nth = 0});
    assert_int_equal(check(text_of("1")), STELE_ENOMEM);
    sti_alloc_set_hook(NULL, NULL);
}

/* jansson's allocator may be set by a program, such as this one. */
static struct fail_nth jansson_fails;

static void *failing_without_errno(size_t size)
{
    return fail_nth_hook(&jansson_fails) ? NULL : malloc(size);
}

static void *failing_malloc(size_t size)
{
    if (fail_nth_hook(&jansson_fails)) {
        errno = ENOMEM;
        return NULL;
    }
    return malloc(size);
}

/* jansson may report what failed as anything, or not at all; it comes out as
 * STELE_ENOMEM all the same. The last string is longer than what jansson has
 * room for at first: without the check, it would come back a byte short. */
static void tells_memory_from_bad_text(void **state)
{
    static const char *const texts[] = {
            "\"short\"", "[1,true]", "{\"a\":[{},\"x\"]}", "\"0123456789abcdefghij\""};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint64_t nth = 0;

        for (;; nth++) {
            stele_error err;
            stele_code rc;

            jansson_fails = (struct fail_nth){.nth = nth};
            json_set_alloc_funcs(failing_malloc, free);
            rc = sti_json_check(text_of(texts[i]), SIZE_LIMIT, &err);
            json_set_alloc_funcs(malloc, free);
            if (jansson_fails.count <= nth) {
                CHECK_OK(rc, &err);
                break;
            }
            if (rc != STELE_ENOMEM) {
                fail_msg("%s: allocation %d failed: %s", texts[i], (int)nth, stele_code_name(rc));
            }
        }
        assert_true(nth >= 3);
    }

    /* Not even errno is set: jansson failed without saying why. */
    jansson_fails = (struct fail_nth){.nth = 0};
    json_set_alloc_funcs(failing_without_errno, free);
    assert_int_equal(check(text_of("1")), STELE_ENOMEM);
    json_set_alloc_funcs(malloc, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(accepts_json),
            cmocka_unit_test(refuses_what_is_none),
            cmocka_unit_test(refuses_zero_bytes),
            cmocka_unit_test(refuses_truncated_texts),
            cmocka_unit_test(names_the_place),
            cmocka_unit_test(keeps_the_limits),
            cmocka_unit_test(survives_texts_that_only_open),
            cmocka_unit_test(decodes_every_escape),
            cmocka_unit_test(tells_null_from_the_empty_string),
            cmocka_unit_test(encodes_every_character),
            cmocka_unit_test(refuses_to_encode_what_is_not_utf8),
            cmocka_unit_test(survives_failing_allocations),
            cmocka_unit_test(tells_memory_from_bad_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
