/* SPDX-License-Identifier: MIT
 *
 * patch_test.c: merge patches: the examples of RFC 7396 that have objects, and some of depth.
 */
#include "docs/patch.h"

#include "kit.h"

static void check_patch(const char *target, const char *patch, const char *expected)
{
    json_t *old = target == NULL ? NULL : json_of(target);
    json_t *before = json_deep_copy(old);
    json_t *change = json_of(patch);
    json_t *wanted = json_of(expected);
    json_t *result = NULL;
    stele_error err;

    CHECK_OK(sti_docs_patch(old, change, &result, &err), &err);
    if (!json_equal(result, wanted)) {
        fail_msg("%s patched with %s", target, patch);
    }
    assert_true(old == NULL || json_equal(old, before));
    json_decref(old);
    json_decref(before);
    json_decref(change);
    json_decref(wanted);
    json_decref(result);
}

static void test_examples(void **state)
{
    (void)state;
    check_patch("{'a':'b'}", "{'a':'c'}", "{'a':'c'}");
    check_patch("{'a':'b'}", "{'b':'c'}", "{'a':'b','b':'c'}");
    check_patch("{'a':'b'}", "{'a':null}", "{}");
    check_patch("{'a':'b','b':'c'}", "{'a':null}", "{'b':'c'}");
    check_patch("{'a':['b']}", "{'a':'c'}", "{'a':'c'}");
    check_patch("{'a':'c'}", "{'a':['b']}", "{'a':['b']}");
    check_patch("{'a':{'b':'c'}}", "{'a':{'b':'d','c':null}}", "{'a':{'b':'d'}}");
    check_patch("{'a':[{'b':'c'}]}", "{'a':[1]}", "{'a':[1]}");
    check_patch("{'e':null}", "{'a':1}", "{'e':null,'a':1}");
    check_patch("[1,2]", "{'a':'b','c':null}", "{'a':'b'}");
    check_patch("{}", "{'a':{'bb':{'ccc':null}}}", "{'a':{'bb':{}}}");
    check_patch(NULL, "{'a':{'b':[null]},'c':null}", "{'a':{'b':[null]}}");
    check_patch("{'title':'Goodbye!','author':{'givenName':'John','familyName':'Doe'},"
                "'tags':['example','sample'],'content':'This will be unchanged'}",
            "{'title':'Hello!','phoneNumber':'+01-123-456-7890','author':{'familyName':null},"
            "'tags':['example']}",
            "{'title':'Hello!','author':{'givenName':'John'},'tags':['example'],"
            "'content':'This will be unchanged','phoneNumber':'+01-123-456-7890'}");
}

/* {"a":{"a":… as often, with `inner` in the innermost. */
static char *deep(size_t depth, const char *inner)
{
    char *text = malloc(depth * 6 + strlen(inner) + 1);
    size_t len = 0;

    assert_non_null(text);
    for (size_t i = 0; i < depth; i++) {
        memcpy(text + len, "{'a':", 5);
        len += 5;
    }
    memcpy(text + len, inner, strlen(inner));
    len += strlen(inner);
    memset(text + len, '}', depth);
    text[len + depth] = '\0';
    return text;
}

static void test_deep(void **state)
{
    char *target = deep(1000, "{'x':1,'y':2}");
    char *patch = deep(1000, "{'x':null,'z':{'n':null}}");
    char *expected = deep(1000, "{'y':2,'z':{}}");

    (void)state;
    check_patch(target, patch, expected);
    check_patch("{'b':1}", "{'a':{'a':{'a':{'a':1}},'b':{'c':2}},'b':{'d':3}}",
            "{'b':{'d':3},'a':{'a':{'a':{'a':1}},'b':{'c':2}}}");
    free(target);
    free(patch);
    free(expected);
}

static void test_no_object(void **state)
{
    static const char *const patches[] = {"null", "[1]", "'x'", "1"};
    json_t *target = json_of("{}");
    json_t *result = NULL;
    stele_error err;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        json_t *patch = json_of(patches[i]);

        CHECK_CODE(sti_docs_patch(target, patch, &result, &err), STELE_EINVAL);
        json_decref(patch);
    }
    assert_null(result);
    json_decref(target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_examples), cmocka_unit_test(test_deep),
            cmocka_unit_test(test_no_object)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
