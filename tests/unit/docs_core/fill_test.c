/* SPDX-License-Identifier: MIT
 *
 * fill_test.c: documents into structs.
 */
#include "kit.h"

struct person {
    bool member;
    int64_t age;
    double height;
    stele_buf name;
    stele_buf rest;
};

static const stele_docs_field fields[] = {
        {"/member", STELE_DOCS_FIELD_BOOL, offsetof(struct person, member), false},
        {"/age", STELE_DOCS_FIELD_INT64, offsetof(struct person, age), true},
        {"/size/0", STELE_DOCS_FIELD_DOUBLE, offsetof(struct person, height), false},
        {"/name", STELE_DOCS_FIELD_STRING, offsetof(struct person, name), false},
        {"/rest", STELE_DOCS_FIELD_JSON, offsetof(struct person, rest), true},
};

enum {
    FIELDS = sizeof fields / sizeof fields[0]
};

static void person_init(struct person *p)
{
    *p = (struct person){.age = -1};
    stele_buf_init(&p->name, 100);
    stele_buf_init(&p->rest, 100);
}

static void person_free(struct person *p)
{
    stele_buf_free(&p->name);
    stele_buf_free(&p->rest);
}

static void check_person(const struct person *p, int64_t age, const char *name, const char *rest)
{
    assert_true(p->member);
    assert_int_equal(p->age, age);
    assert_true(p->height > 1.49 && p->height < 2.01);
    CHECK_BYTES(stele_buf_view(&p->name), stele_str(name));
    CHECK_BYTES(stele_buf_view(&p->rest), rest == NULL ? stele_nil() : kit_json(rest));
    assert_int_equal(p->name.limit, 100);
}

static void test_fill(void **state)
{
    struct kit *k = *state;
    struct person p;
    stele_error err;

    person_init(&p);
    kit_set(k, "a", "{'member':true,'size':[1.5],'name':'Ada'}");
    kit_set(k, "b", "{'member':true,'size':[2],'name':'','age':7,'rest':{ 'x':[1] }}");
    CHECK_OK(stele_docs_get_into(k->db, stele_str("a"), fields, FIELDS, &p, &err), &err);
    check_person(&p, -1, "Ada", NULL);
    CHECK_OK(stele_docs_get_into(k->db, stele_str("b"), fields, FIELDS, &p, &err), &err);
    check_person(&p, 7, "", "{'x':[1]}");
    CHECK_OK(stele_docs_get_into(k->db, stele_str("a"), fields, FIELDS, &p, &err), &err);
    check_person(&p, 7, "Ada", "{'x':[1]}");
    person_free(&p);
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"{'member':1,'size':[1.5],'name':'x'}",
            "{'member':false,'size':[1.5],'name':'x','age':1.5}",
            "{'member':false,'size':['1'],'name':'x','age':1}",
            "{'member':false,'size':[1],'name':null,'age':1}", "no JSON"};
    struct kit *k = *state;
    struct person p;
    stele_error err;

    person_init(&p);
    kit_set(k, "a", "{'member':true,'size':[1.5],'name':'Ada'}");
    CHECK_OK(stele_docs_get_into(k->db, stele_str("a"), fields, FIELDS, &p, &err), &err);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_CODE(stele_docs_fill(kit_json(bad[i]), fields, FIELDS, &p, &err), STELE_EINVAL);
        check_person(&p, -1, "Ada", NULL);
    }
    CHECK_CODE(stele_docs_fill(
                       kit_json("{'member':false,'size':[],'name':'x'}"), fields, FIELDS, &p, &err),
            STELE_ENOTFOUND);
    CHECK_CODE(
            stele_docs_get_into(k->db, stele_str("b"), fields, FIELDS, &p, &err), STELE_ENOTFOUND);
    check_person(&p, -1, "Ada", NULL);
    person_free(&p);
}

static void test_iterator(void **state)
{
    struct kit *k = *state;
    stele_docs_iter *it = NULL;
    struct person p;
    stele_error err;

    person_init(&p);
    kit_set(k, "a", "{'member':true,'size':[1.5],'name':'Ada'}");
    kit_set(k, "b", "{'member':true,'size':[2],'name':'Bo','age':7}");
    CHECK_OK(stele_docs_prefix(&it, k->db, stele_nil(), false, &err), &err);
    CHECK_CODE(stele_docs_iter_fill(it, fields, FIELDS, &p, &err), STELE_ESTATE);
    CHECK_OK(stele_docs_iter_next(it, NULL, NULL, &err), &err);
    CHECK_OK(stele_docs_iter_fill(it, fields, FIELDS, &p, &err), &err);
    check_person(&p, -1, "Ada", NULL);
    CHECK_OK(stele_docs_iter_next(it, NULL, NULL, &err), &err);
    CHECK_OK(stele_docs_iter_fill(it, fields, FIELDS, &p, &err), &err);
    check_person(&p, 7, "Bo", NULL);
    CHECK_CODE(stele_docs_iter_next(it, NULL, NULL, &err), STELE_END);
    CHECK_CODE(stele_docs_iter_fill(it, fields, FIELDS, &p, &err), STELE_ESTATE);
    CHECK_OK(stele_docs_iter_prev(it, NULL, NULL, &err), &err);
    CHECK_OK(stele_docs_iter_seek(it, stele_str("a"), &err), &err);
    CHECK_CODE(stele_docs_iter_fill(it, fields, FIELDS, &p, &err), STELE_ESTATE);
    stele_docs_iter_end(it);
    CHECK_CODE(stele_docs_iter_fill(NULL, fields, FIELDS, &p, &err), STELE_EINVAL);
    person_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_fill, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_refused, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_iterator, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
