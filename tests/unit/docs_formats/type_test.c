/* SPDX-License-Identifier: MIT
 *
 * type_test.c: definitions of types, from JSON and to it.
 */
#include "docs/type.h"

#include "base/alloc.h"
#include "unit/docs_formats/kit.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    BUF_LIMIT = STI_DOCS_TYPE_SIZE_MAX
};

static struct sti_docs_type *parsed(const char *text)
{
    struct sti_docs_type *type = NULL;
    stele_error err;

    CHECK_OK(sti_docs_type_parse(&type, stele_str(text), &err), &err);
    return type;
}

static void written(const struct sti_docs_type *type, const char *expected)
{
    stele_buf buf;
    stele_error err;

    stele_buf_init(&buf, BUF_LIMIT);
    CHECK_OK(sti_docs_type_write(type, &buf, &err), &err);
    CHECK_BYTES(stele_buf_view(&buf), stele_str(expected));
    stele_buf_free(&buf);
}

/* What is read is written so, and a copy of it too. */
static void becomes(const char *text, const char *expected)
{
    struct sti_docs_type *type = parsed(text);
    struct sti_docs_type *copy = NULL;
    stele_error err;

    written(type, expected);
    CHECK_OK(sti_docs_type_copy(&copy, type, &err), &err);
    sti_docs_type_free(type);
    written(copy, expected);
    sti_docs_type_free(copy);
}

#define PLAIN  "{\"name\":\"t\",\"keys\":null,\"version\":0}"
#define KEY(k) "{\"name\":\"t\",\"keys\":[" k "],\"version\":0}"

static void test_texts(void **state)
{
    (void)state;
    becomes(PLAIN, PLAIN);
    becomes("{\"name\":\"t\"}", PLAIN);
    becomes("{\"version\":0,\"keys\":[],\"name\":\"t\"}", PLAIN);
    becomes("{\"name\":\"t\",\"version\":-9223372036854775808}",
            "{\"name\":\"t\",\"keys\":null,\"version\":-9223372036854775808}");
    becomes(KEY("{\"name\":\"k\",\"fields\":[\"a/b\",\"c\"],\"method\":\"utf8\",\"unique\":true}"),
            KEY("{\"name\":\"k\",\"fields\":[\"a/b\",\"c\"],\"method\":\"utf8\",\"unique\":true}"));
    becomes(KEY("{\"name\":\"k\",\"fields\":[\"a\"],\"unique\":false}"),
            KEY("{\"name\":\"k\",\"fields\":[\"a\"],\"method\":\"\"}"));
    becomes(KEY("{\"name\":\"k\",\"fields\":[\"a\"],\"method\":\"int\"}"),
            KEY("{\"name\":\"k\",\"fields\":[\"a\"],\"method\":\"int\"}"));
    becomes(KEY("{\"array\":true,\"name\":\"k\",\"fields\":[\"a\"],\"method\":\"time\"}"),
            KEY("{\"name\":\"k\",\"fields\":[\"a\"],\"method\":\"time\",\"array\":true}"));
    becomes(KEY("{\"name\":\"k\",\"fields\":[\"a\",\"b\"],\"method\":\"utf8\",\"orders\":"
                "[\"utf8\",\"number\"]}"),
            KEY("{\"name\":\"k\",\"fields\":[\"a\",\"b\"],\"method\":\"utf8\",\"orders\":"
                "[\"utf8\",\"number\"]}"));
    becomes(KEY("{\"name\":\"k\",\"fields\":[\"a\"],\"method\":\"number\",\"orders\":[\"number\"]}"),
            KEY("{\"name\":\"k\",\"fields\":[\"a\"],\"method\":\"number\"}"));
    becomes("{\"name\":\"t\",\"expiry\":\"a/b\"}",
            "{\"name\":\"t\",\"keys\":null,\"version\":0,\"expiry\":\"a/b\"}");
    /* As Go writes strings. */
    becomes("{\"name\":\"<\\u00e9>&\\u2028\\\"\\u0001\"}",
            "{\"name\":\"\\u003c\xc3\xa9\\u003e\\u0026\\u2028\\\"\\u0001\",\"keys\":null,"
            "\"version\":0}");
}

static void test_orders(void **state)
{
    (void)state;
    assert_int_equal(sti_docs_method_order(STI_DOCS_METHOD_DEFAULT), STI_DOCS_ORDER_BINARY);
    assert_int_equal(sti_docs_method_order(STI_DOCS_METHOD_BINARY), STI_DOCS_ORDER_BINARY);
    assert_int_equal(sti_docs_method_order(STI_DOCS_METHOD_INT), STI_DOCS_ORDER_BINARY);
    assert_int_equal(sti_docs_method_order(STI_DOCS_METHOD_UTF8), STI_DOCS_ORDER_UTF8);
    assert_int_equal(sti_docs_method_order(STI_DOCS_METHOD_NUMBER), STI_DOCS_ORDER_NUMBER);
    assert_int_equal(sti_docs_method_order(STI_DOCS_METHOD_TIME), STI_DOCS_ORDER_TIME);
}

static void test_struct(void **state)
{
    struct sti_docs_type *type = parsed(
            "{\"name\":\"t\",\"keys\":[{\"name\":\"k\",\"fields\":[\"a\",\"b\"],\"unique\":true},"
            "{\"name\":\"l\",\"fields\":[\"c\"],\"method\":\"time\",\"array\":true}],\"version\":7,"
            "\"expiry\":\"x\"}");

    (void)state;
    assert_string_equal(type->name, "t");
    assert_int_equal(type->version, 7);
    assert_string_equal(type->expiry, "x");
    assert_int_equal(type->key_count, 2);
    assert_string_equal(type->keys[0].name, "k");
    assert_true(type->keys[0].unique);
    assert_false(type->keys[0].array);
    assert_int_equal(type->keys[0].field_count, 2);
    assert_string_equal(type->keys[0].fields[1].path, "b");
    assert_int_equal(type->keys[0].fields[1].order, STI_DOCS_ORDER_BINARY);
    assert_int_equal(type->keys[1].method, STI_DOCS_METHOD_TIME);
    assert_int_equal(type->keys[1].fields[0].order, STI_DOCS_ORDER_TIME);
    assert_true(type->keys[1].array);
    sti_docs_type_free(type);
    sti_docs_type_free(NULL);
}

/* As sha256sum gives it of the text and a line feed. */
static void test_hash(void **state)
{
    static const uint8_t expected[] = {0x86, 0x84, 0x36, 0xc9, 0xc0, 0x7e, 0x9f, 0x43, 0xb2, 0x61,
            0x97, 0xdf, 0xdf, 0x68, 0xfe, 0x6c, 0x37, 0xa5, 0xbf, 0xc4, 0x15, 0x3d, 0x8a, 0xc8,
            0x71, 0x57, 0x8a, 0xf8, 0x2c, 0xe7, 0xd9, 0xac};
    struct sti_docs_type *type = parsed(PLAIN);
    uint8_t hash[STI_DOCS_TYPE_HASH_SIZE];

    (void)state;
    CHECK_OK(sti_docs_type_hash(type, hash, NULL), NULL);
    assert_memory_equal(hash, expected, sizeof hash);
    sti_docs_type_free(type);
}

static void refuses(const char *text, const char *message)
{
    struct sti_docs_type *type = NULL;
    stele_error err;

    CHECK_CODE(sti_docs_type_parse(&type, stele_str(text), &err), STELE_EINVAL);
    CHECK_MESSAGE_HAS(&err, message);
    assert_null(type);
}

static void test_refused(void **state)
{
    (void)state;
    refuses("", "not JSON");
    refuses("{", "not JSON");
    refuses("[]", "not an object");
    refuses(PLAIN " x", "not JSON");
    refuses("{\"name\":\"t\",\"name\":\"t\"}", "not JSON");
    refuses("{\"name\":\"a\\u0000b\"}", "not JSON");
    refuses("{}", "the name of a type is missing");
    refuses("{\"name\":7}", "not a string");
    refuses("{\"name\":\"\"}", "no bytes");
    refuses("{\"name\":\"t\",\"key\":[]}", "type \"t\": the member \"key\" is not known");
    refuses("{\"name\":\"t\",\"version\":1.5}", "not an integer");
    refuses("{\"name\":\"t\",\"keys\":{}}", "\"keys\" is not a list");
    refuses("{\"name\":\"t\",\"expiry\":\"\"}", "the field of the expiry has no bytes");
    refuses("{\"name\":\"t\",\"expiry\":null}", "\"expiry\" is not a string");
    refuses(KEY("7"), "key 1 is not an object");
    refuses(KEY("{\"fields\":[\"a\"]}"), "key 1: \"name\" is missing");
    refuses(KEY("{\"name\":\"\",\"fields\":[\"a\"]}"), "key 1: the name has no bytes");
    refuses(KEY("{\"name\":\"k\"}"), "key \"k\": \"fields\" is not a list");
    refuses(KEY("{\"name\":\"k\",\"fields\":[]}"), "key \"k\": \"fields\" is not a list");
    refuses(KEY("{\"name\":\"k\",\"fields\":[7]}"), "key \"k\": a field is not a string");
    refuses(KEY("{\"name\":\"k\",\"fields\":[\"\"]}"), "key \"k\": a field has no bytes");
    refuses(KEY("{\"name\":\"k\",\"fields\":[\"a\",\"a\"]}"),
            "key \"k\": the field \"a\" is there");
    refuses(KEY("{\"name\":\"k\",\"fields\":[\"a\"],\"uniqe\":true}"),
            "key \"k\": the member \"uniqe\" is not known");
    refuses(KEY("{\"name\":\"k\",\"fields\":[\"a\"],\"unique\":1}"), "key \"k\": \"unique\"");
    refuses(KEY("{\"name\":\"k\",\"fields\":[\"a\"],\"method\":\"utf9\"}"),
            "key \"k\": \"method\"");
    refuses(KEY("{\"name\":\"k\",\"fields\":[\"a\"],\"method\":7}"), "key \"k\": \"method\"");
    refuses(KEY("{\"name\":\"k\",\"fields\":[\"a\"],\"orders\":[]}"), "key \"k\": \"orders\"");
    refuses(KEY("{\"name\":\"k\",\"fields\":[\"a\"],\"orders\":[\"\"]}"), "key \"k\": order 1");
    refuses(KEY("{\"name\":\"k\",\"fields\":[\"a\"]},{\"name\":\"k\",\"fields\":[\"b\"]}"),
            "key \"k\": another key has this name");
}

static void test_zero_byte(void **state)
{
    static const char text[] = "{\"name\":\"t\",\"version\":1\0}";
    struct sti_docs_type *type = NULL;

    (void)state;
    CHECK_CODE(
            sti_docs_type_parse(&type, stele_bytes_of(text, sizeof text - 1), NULL), STELE_EINVAL);
}

/* A definition with `keys` keys of `fields` fields, and names of `len` bytes. */
static stele_code check_size(size_t keys, size_t fields, size_t name_len, size_t path_len)
{
    static char names[STI_DOCS_KEY_MAX + 2][STI_DOCS_NAME_MAX + 3];
    static char paths[STI_DOCS_FIELD_MAX + 2][STI_DOCS_PATH_MAX + 3];
    static struct sti_docs_field field[STI_DOCS_FIELD_MAX + 2];
    static struct sti_docs_key key[STI_DOCS_KEY_MAX + 2];
    struct sti_docs_type type = {.name = names[0], .keys = key, .key_count = keys};
    struct sti_docs_type *copy = NULL;
    struct sti_docs_type *again = NULL;
    stele_buf buf;
    stele_code rc;

    for (size_t i = 0; i < fields; i++) {
        memset(paths[i], '\1', path_len);
        (void)snprintf(paths[i], 3, "%02zu", i);
        paths[i][2] = '\1';
        paths[i][path_len] = 0;
        field[i] = (struct sti_docs_field){.path = paths[i], .order = STI_DOCS_ORDER_TIME};
    }
    for (size_t i = 0; i < keys; i++) {
        memset(names[i], '\1', name_len);
        (void)snprintf(names[i], 3, "%02zu", i);
        names[i][2] = '\1';
        names[i][name_len] = 0;
        key[i] = (struct sti_docs_key){.name = names[i], .fields = field, .field_count = fields};
    }
    rc = sti_docs_type_copy(&copy, &type, NULL);
    if (rc == STELE_OK) {
        stele_buf_init(&buf, BUF_LIMIT);
        CHECK_OK(sti_docs_type_write(copy, &buf, NULL), NULL);
        CHECK_OK(sti_docs_type_parse(&again, stele_buf_view(&buf), NULL), NULL);
        assert_int_equal(again->key_count, keys);
        sti_docs_type_free(again);
        sti_docs_type_free(copy);
        stele_buf_free(&buf);
    }
    return rc;
}

static void test_limits(void **state)
{
    (void)state;
    CHECK_CODE(
            check_size(STI_DOCS_KEY_MAX, STI_DOCS_FIELD_MAX, STI_DOCS_NAME_MAX, STI_DOCS_PATH_MAX),
            STELE_OK); /* the largest there is can be written and read */
    CHECK_CODE(check_size(STI_DOCS_KEY_MAX + 1, 1, 9, 9), STELE_EINVAL);
    CHECK_CODE(check_size(1, STI_DOCS_FIELD_MAX + 1, 9, 9), STELE_EINVAL);
    CHECK_CODE(check_size(1, 0, 9, 9), STELE_EINVAL);
    CHECK_CODE(check_size(1, 1, STI_DOCS_NAME_MAX + 1, 9), STELE_EINVAL);
    CHECK_CODE(check_size(1, 1, 9, STI_DOCS_PATH_MAX + 1), STELE_EINVAL);
}

static void test_struct_refused(void **state)
{
    struct sti_docs_field field = {.path = "\xff"};
    struct sti_docs_key key = {.name = "k", .fields = &field, .field_count = 1};
    struct sti_docs_type type = {.name = "t", .keys = &key, .key_count = 1};
    stele_error err;

    (void)state;
    CHECK_CODE(sti_docs_type_check(&type, &err), STELE_EINVAL);
    CHECK_MESSAGE_HAS(&err, "type \"t\": key \"k\": a field");
    field.path = "a";
    field.order = (enum sti_docs_order)9;
    CHECK_CODE(sti_docs_type_check(&type, &err), STELE_EINVAL);
    field.order = STI_DOCS_ORDER_TIME;
    key.method = (enum sti_docs_method)9;
    CHECK_CODE(sti_docs_type_check(&type, &err), STELE_EINVAL);
    key.method = STI_DOCS_METHOD_UTF8;
    CHECK_OK(sti_docs_type_check(&type, &err), &err);
    key.name = NULL;
    CHECK_CODE(sti_docs_type_check(&type, &err), STELE_EINVAL);
    type.keys = NULL;
    CHECK_CODE(sti_docs_type_check(&type, &err), STELE_EINVAL);
}

#ifdef STI_TESTING
/* Each allocation fails in turn. */
static void test_memory(void **state)
{
    static const char text[] =
            KEY("{\"name\":\"k\",\"fields\":[\"a\",\"b\"],\"method\":\"utf8\",\"unique\":true}");
    stele_code rc = STELE_ENOMEM;
    int n = 0;

    (void)state;
    for (; rc != STELE_OK; n++) {
        struct sti_docs_type *type = NULL;
        struct sti_docs_type *copy = NULL;
        uint8_t hash[STI_DOCS_TYPE_HASH_SIZE];
        int left = n;

        sti_alloc_set_hook(kit_count_down, &left);
        rc = sti_docs_type_parse(&type, stele_str(text), NULL);
        if (rc == STELE_OK) {
            rc = sti_docs_type_copy(&copy, type, NULL);
        }
        if (rc == STELE_OK) {
            rc = sti_docs_type_hash(copy, hash, NULL);
        }
        sti_alloc_set_hook(NULL, NULL);
        if (rc != STELE_OK) {
            CHECK_CODE(rc, STELE_ENOMEM);
        }
        sti_docs_type_free(type);
        sti_docs_type_free(copy);
    }
    assert_true(n > 10);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_texts),
            cmocka_unit_test(test_orders),
            cmocka_unit_test(test_struct),
            cmocka_unit_test(test_hash),
            cmocka_unit_test(test_refused),
            cmocka_unit_test(test_zero_byte),
            cmocka_unit_test(test_limits),
            cmocka_unit_test(test_struct_refused),
#ifdef STI_TESTING
            cmocka_unit_test(test_memory),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
