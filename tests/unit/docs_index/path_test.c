/* SPDX-License-Identifier: MIT
 *
 * path_test.c: paths of fields, and JSON pointers with the examples of RFC 6901.
 */
#include "docs/path.h"

#include "kit.h"

static const char document[] = "{'a':{'b':[10,{'c':20},[30]],'':40},'':50,'0':60,'x/y':70,'n':null,"
                               "'01':[1],'s':'text'}";

/* -1: nothing is there; -2: something else than an integer is. */
static json_int_t find(const json_t *value, const char *text)
{
    struct sti_docs_path path;
    const json_t *found;
    stele_error err;

    CHECK_OK(sti_docs_path_compile(&path, text, &err), &err);
    found = sti_docs_path_find(&path, value);
    sti_docs_path_free(&path);
    if (found == NULL) {
        return -1;
    }
    return json_is_integer(found) ? json_integer_value(found) : -2;
}

static void test_paths(void **state)
{
    static const struct {
        const char *path;
        json_int_t value;
    } cases[] = {{"a/b/0", 10}, {"a/b/1/c", 20}, {"a/b/2/0", 30}, {"a/", 40}, {"", 50}, {"0", 60},
            {"x/y", -1}, {"n", -2}, {"n/x", -1}, {"a/b", -2}, {"a/b/3", -1}, {"a/b/00", -1},
            {"a/b/-", -1}, {"a/b/-1", -1}, {"a/b/+1", -1}, {"a/b/1 ", -1}, {"01/0", 1},
            {"01/00", -1}, {"a/b/18446744073709551616", -1}, {"a/b/18446744073709551615", -1},
            {"a/c", -1}, {"s/0", -1}, {"/", -1}, {"a//", -1}, {"A", -1}};

    json_t *value = json_of(document);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (find(value, cases[i].path) != cases[i].value) {
            fail_msg("path %s", cases[i].path);
        }
    }
    assert_true(find(NULL, "a") == -1);
    json_decref(value);
}

static void check_pointer(const json_t *value, const char *pointer, const char *expected)
{
    const json_t *found = NULL;
    json_t *wanted = json_of(expected);
    stele_error err;

    CHECK_OK(sti_docs_pointer_find(value, stele_str(pointer), &found, &err), &err);
    assert_true(json_equal(found, wanted));
    json_decref(wanted);
}

/* Section 5 of RFC 6901. */
static void test_pointers(void **state)
{
    json_t *value = json_of("{'foo':['bar','baz'],'':0,'a/b':1,'c%d':2,'e^f':3,'g|h':4,'i\\\\j':5,"
                            "'k\\\"l':6,' ':7,'m~n':8,'~1':9,'o':{'':{'':10}}}");
    const json_t *found = NULL;
    stele_error err;

    (void)state;
    CHECK_OK(sti_docs_pointer_find(value, stele_nil(), &found, &err), &err);
    assert_ptr_equal(found, value);
    check_pointer(value, "/foo", "['bar','baz']");
    check_pointer(value, "/foo/0", "'bar'");
    check_pointer(value, "/", "0");
    check_pointer(value, "/a~1b", "1");
    check_pointer(value, "/c%d", "2");
    check_pointer(value, "/e^f", "3");
    check_pointer(value, "/g|h", "4");
    check_pointer(value, "/i\\j", "5");
    check_pointer(value, "/k\"l", "6");
    check_pointer(value, "/ ", "7");
    check_pointer(value, "/m~0n", "8");
    check_pointer(value, "/~01", "9");
    check_pointer(value, "/o//", "10");
    json_decref(value);
}

static void test_bad_pointers(void **state)
{
    static const char *const bad[] = {"a", "foo/0", "/~", "/~2", "/foo/~", "/nothing/~x"};
    static const char *const nothing[] = {"/foo/2", "/foo/-", "/foo/00", "/bar", "/foo/0/0", "//"};
    json_t *value = json_of("{'foo':['bar','baz']}");
    const json_t *found = NULL;
    stele_error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_CODE(sti_docs_pointer_find(value, stele_str(bad[i]), &found, &err), STELE_EINVAL);
    }
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
        CHECK_CODE(
                sti_docs_pointer_find(value, stele_str(nothing[i]), &found, &err), STELE_ENOTFOUND);
    }
    CHECK_CODE(
            sti_docs_pointer_find(value, stele_bytes_of("/foo\0", 5), &found, &err), STELE_EINVAL);
    assert_null(found);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_paths),
            cmocka_unit_test(test_pointers), cmocka_unit_test(test_bad_pointers)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
