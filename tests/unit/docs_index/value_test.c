/* SPDX-License-Identifier: MIT
 *
 * value_test.c: what is a document, here and from a peer; its type; its text.
 */
#include "kit.h"

static const struct sti_json_rules limits = {.size_max = 1000, .depth_max = 4};

static stele_code parse(const char *text, size_t len, stele_error *err)
{
    json_t *value = NULL;
    stele_code rc = sti_docs_value_parse(stele_bytes_of(text, len), &limits, &value, err);

    assert_true((rc == STELE_OK) == (value != NULL));
    json_decref(value);
    return rc;
}

static void test_documents(void **state)
{
    static const char *const good[] = {"{}", " {\"a\":1}\n", "{\"a\":{\"b\":[[1]]}}",
            "{\"a\":9223372036854775807,\"b\":-9223372036854775808,\"c\":1.7976931348623157e308}",
            "{\"a\":\"\\u0000\"}", "{\"\":1,\"@type\":null}", "{\"a\":\"]]]]]{{{{{\\\"[[[[[\"}",
            "{\"a\":5e-324,\"b\":1e-999}"};
    stele_error err;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CHECK_OK(parse(good[i], strlen(good[i]), &err), &err);
    }
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"", "not json", "[1,2]", "\"str\"", "1", "null", "{", "{}}",
            "{} {}", "{\"a\":1,\"a\":1}", "{\"o\":{\"a\":1,\"b\":2,\"a\":3}}",
            "{\"a\":9223372036854775808}", "{\"a\":-9223372036854775809}", "{\"a\":1e400}",
            "{\"a\":\"\\ud800\"}", "{\"a\\u0000\":1}", "{\"a\":\"\xff\"}", "{\"a\":\"\xc0\x80\"}",
            "{\"a\":01}", "{\"a\":+1}", "{\"a\":.5}", "{\"a\":NaN}", "{'a':1}", "{\"a\":1,}",
            "\xef\xbb\xbf{}", "{\"a\":\"\n\"}"};
    stele_error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_CODE(parse(bad[i], strlen(bad[i]), &err), STELE_EINVAL);
        assert_int_equal(err.code, STELE_EINVAL);
        CHECK_MESSAGE_HAS(&err, "JSON: ");
    }
    CHECK_CODE(parse("{}\0", 3, &err), STELE_EINVAL);
    CHECK_CODE(parse("{\"a\":1\0}", 8, &err), STELE_EINVAL);
}

static void test_limits(void **state)
{
    char text[1002];
    stele_error err;

    (void)state;
    CHECK_OK(parse("{\"a\":[{\"b\":[]}]}", 16, &err), &err);
    CHECK_CODE(parse("{\"a\":[{\"b\":[[]]}]}", 18, &err), STELE_ETOOBIG);
    CHECK_MESSAGE(&err, "JSON: 5 levels deep, of at most 4");
    memset(text, ' ', sizeof text);
    memcpy(text, "{}", 2);
    CHECK_OK(parse(text, 1000, &err), &err);
    CHECK_CODE(parse(text, 1001, &err), STELE_ETOOBIG);
    CHECK_MESSAGE(&err, "JSON: 1001 bytes, of at most 1000");
}

/* "{"a":" as often, something, and the closing brackets. */
static char *nested(size_t depth)
{
    char *text = malloc(depth * 6 + 1);

    assert_non_null(text);
    text[0] = '\0';
    for (size_t i = 0; i < depth; i++) {
        memcpy(text + i * 5, "{\"a\":", 5);
    }
    memcpy(text + (depth - 1) * 5, "{", 1);
    memset(text + (depth - 1) * 5 + 1, '}', depth);
    text[(depth - 1) * 5 + 1 + depth] = '\0';
    return text;
}

static void check_peer(const char *text, bool valid)
{
    json_t *value = NULL;
    stele_error err;

    CHECK_OK(sti_docs_value_of_peer(stele_str(text), &value, &err), &err);
    assert_true((value != NULL) == valid);
    if (!valid) {
        CHECK_BYTES(sti_docs_value_type(value), stele_str("invalid"));
    }
    json_decref(value);
}

static void test_peer(void **state)
{
    char *deepest = nested(2048);
    char *too_deep = nested(2049);

    (void)state;
    check_peer("{\"a\":1}", true);
    check_peer(deepest, true);
    check_peer(too_deep, false);
    check_peer("[1]", false);
    check_peer("{\"@type\":\"x\",\"a\":18446744073709551616}", false);
    check_peer("{\"@type\":\"x\",\"a\":1,\"a\":2}", false);
    check_peer("", false);
    free(deepest);
    free(too_deep);
}

static void check_type(const char *text, const char *type, size_t len)
{
    json_t *value = json_of(text);

    CHECK_BYTES(sti_docs_value_type(value), stele_bytes_of(type, len));
    json_decref(value);
}

static void test_type(void **state)
{
    (void)state;
    check_type("{'@type':'user'}", "user", 4);
    check_type("{'@type':''}", "", 0);
    check_type("{'@type':'a\\u0000b'}", "a\0b", 3);
    check_type("{'@type':5}", "invalid", 7);
    check_type("{'@type':null}", "invalid", 7);
    check_type("{'type':'user'}", "invalid", 7);
    check_type("{'a':{'@type':'user'}}", "invalid", 7);
}

static void check_print(const char *text, const char *expected)
{
    json_t *value = json_of(text);
    char *printed = text_of(value);

    assert_string_equal(printed, expected);
    free(printed);
    json_decref(value);
}

static void test_print(void **state)
{
    (void)state;
    check_print(
            " { 'b' : [ 1 , 2.5 , [ ] , { } ] , 'a' : null } ", "{\"b\":[1,2.5,[],{}],\"a\":null}");
    check_print("[true,false,'',{'x':{'y':[[['z']]]}}]",
            "[true,false,\"\",{\"x\":{\"y\":[[[\"z\"]]]}}]");
    check_print("'<\\u0000\\n\u00e9'", "\"\\u003c\\u0000\\n\u00e9\"");
    check_print("[0.1,0.30000000000000004,1.0,-0.0,1e21,9223372036854775807,1e-7,5e-324]",
            "[0.1,0.30000000000000004,1.0,-0.0,1e21,9223372036854775807,1e-7,4.94065645841247e-324]");
    check_print("5", "5");
}

/* What is printed is read as the same, and printed again the same. */
static void test_print_numbers(void **state)
{
    struct random r = random_of(1);

    (void)state;
    print_message("seed 1\n");
    for (size_t i = 0; i < 20000; i++) {
        uint64_t bits = random_bits(&r);
        double d;
        json_t *value;
        json_t *again;
        char *text;

        memcpy(&d, &bits, sizeof d);
        value = json_real(d);
        if (value == NULL) {
            continue; /* no finite number */
        }
        text = text_of(value);
        again = json_of(text);
        assert_true(json_equal(value, again));
        free(text);
        json_decref(value);
        json_decref(again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_documents),
            cmocka_unit_test(test_refused), cmocka_unit_test(test_limits),
            cmocka_unit_test(test_peer), cmocka_unit_test(test_type), cmocka_unit_test(test_print),
            cmocka_unit_test(test_print_numbers)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
