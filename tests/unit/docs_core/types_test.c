/* SPDX-License-Identifier: MIT
 *
 * types_test.c: types registered before and after their documents, redefined, and unique keys.
 */
#include "docs/state.h"
#include "kit.h"

#include <stdio.h>

#define USER                                                                                  \
    "{'name':'user','keys':[{'name':'mail','fields':['mail'],'method':'utf8','unique':true}," \
    "{'name':'place','fields':['group','level'],'method':'binary'}],'version':1}"

static void test_unknown_type(void **state)
{
    struct kit *k = *state;
    stele_docs_iter *it = NULL;
    stele_docs_search search;
    stele_error err;

    kit_set(k, "a", "{'@type':'user','mail':'A@x','group':1}");
    kit_set(k, "b", "{'@type':'user','mail':'B@x','group':1,'level':2}");
    kit_set(k, "c", "{'mail':'C@x'}");
    kit_check_match(k, "user", NULL, "a b");
    kit_check_match(k, "invalid", NULL, "c");
    stele_docs_search_init(&search);
    search.type = "other";
    CHECK_CODE(stele_docs_search_begin(&it, k->db, &search, &err), STELE_ETYPE);
    search.type = "user";
    search.match = kit_json("{'mail':'a@x'}");
    CHECK_CODE(stele_docs_search_begin(&it, k->db, &search, &err), STELE_ETYPE);
    kit_register(k, USER);
    kit_check_match(k, "user", "{'mail':'a@x'}", "a");
    kit_check_match(k, "user", "{'group':1}", "a b");
    kit_check_match(k, "user", NULL, "a b");
}

static void test_kept_across_open(void **state)
{
    struct kit *k = *state;
    stele_buf before;
    stele_buf after;
    stele_error err;

    stele_buf_init(&before, SIZE_MAX);
    stele_buf_init(&after, SIZE_MAX);
    kit_register(k, USER);
    kit_register(k, USER);
    kit_set(k, "a", "{'@type':'user','mail':'A@x','group':1}");
    CHECK_OK(stele_docs_type(k->db, "user", &before, &err), &err);
    CHECK_CODE(stele_docs_type(k->db, "other", &after, &err), STELE_ETYPE);
    kit_close(k);
    kit_open(k);
    kit_check_match(k, "user", "{'mail':'a@x'}", "a");
    CHECK_OK(stele_docs_type(k->db, "user", &after, &err), &err);
    CHECK_BYTES(stele_buf_view(&after), stele_buf_view(&before));
    CHECK_BYTES(stele_buf_view(&after), kit_json(USER));
    CHECK_CODE(kit_try_set(k, "b", "{'@type':'user','mail':'a@X'}", &err), STELE_ECONFLICT);
    stele_buf_free(&before);
    stele_buf_free(&after);
}

static void test_redefined(void **state)
{
    struct kit *k = *state;
    stele_docs_iter *it = NULL;
    stele_docs_search search;
    stele_error err;

    kit_register(k, USER);
    kit_set(k, "a", "{'@type':'user','mail':'A@x','group':1}");
    kit_set(k, "b", "{'@type':'user','mail':'B@x','group':2}");
    kit_set(k, "z", "{'@type':'other','mail':'B@x','group':2}");
    stele_docs_search_init(&search);
    search.type = "user";
    CHECK_OK(stele_docs_search_begin(&it, k->db, &search, &err), &err);
    kit_register(k, "{'name':'user','keys':[{'name':'m','fields':['mail'],'method':'binary'}],"
                    "'version':2}");
    kit_check_match(k, "user", "{'mail':'A@x'}", "a");
    kit_check_match(k, "user", "{'mail':'a@x'}", "");
    kit_check_match(k, "user", NULL, "a b");
    kit_check_match(k, "other", NULL, "z");
    search.match = kit_json("{'group':1}");
    CHECK_OK(stele_docs_iter_next(it, NULL, NULL, &err), &err);
    CHECK_OK(stele_docs_iter_next(it, NULL, NULL, &err), &err);
    CHECK_CODE(stele_docs_iter_next(it, NULL, NULL, &err), STELE_END);
    stele_docs_iter_end(it);
    it = NULL;
    CHECK_CODE(stele_docs_search_begin(&it, k->db, &search, &err), STELE_EINVAL);
    kit_set(k, "c", "{'@type':'user','mail':'A@x'}");
    kit_check_match(k, "user", "{'mail':'A@x'}", "a c");
    kit_close(k);
    kit_open(k);
    kit_check_match(k, "user", "{'mail':'A@x'}", "a c");
}

static uint32_t number_of(struct kit *k, const char *type)
{
    stele_store_read *read = NULL;
    uint32_t number = 0;
    stele_error err;

    CHECK_OK(stele_store_read_begin(&read, k->db->store, &err), &err);
    CHECK_OK(sti_docs_type_number(read, stele_str(type), &number, &err), &err);
    stele_store_read_end(read);
    return number;
}

/* Another collation than the one that indexes were made with: loose keys are made anew. */
static void test_collation(void **state)
{
    static const uint8_t other[] = {1, 'o', 't', 'h', 'e', 'r'};
    struct kit *k = *state;
    struct sti_docs_write w;
    uint32_t loose;
    uint32_t exact;
    stele_error err;

    kit_register(k, USER);
    kit_register(k, "{'name':'exact','keys':[{'name':'m','fields':['m'],'method':'binary'}],"
                    "'version':2}");
    kit_set(k, "a", "{'@type':'user','mail':'A@x'}");
    kit_set(k, "b", "{'@type':'user','mail':'B@x'}");
    kit_set(k, "c", "{'@type':'exact','m':1}");
    loose = number_of(k, "user");
    exact = number_of(k, "exact");
    CHECK_OK(sti_docs_write_begin(&w, k->db, &err), &err);
    CHECK_OK(sti_docs_put(&w, STI_DOCS_MET, stele_str("collator"),
                     stele_bytes_of(other, sizeof other), &err),
            &err);
    CHECK_OK(sti_docs_write_end(&w, STELE_OK, &err), &err);
    for (int i = 0; i < 2; i++) {
        kit_close(k);
        kit_open(k);
        assert_true(number_of(k, "user") > loose);
        assert_int_equal(number_of(k, "exact"), exact);
        loose = i == 0 ? number_of(k, "user") - 1 : loose;
        kit_check_match(k, "user", "{'mail':'b@x'}", "b");
        kit_check_match(k, "exact", "{'m':1}", "c");
        CHECK_CODE(kit_try_set(k, "d", "{'@type':'user','mail':'a@X'}", &err), STELE_ECONFLICT);
        CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
    }
    assert_int_equal(number_of(k, "user"), loose + 1);
}

static void test_in_options(void **state)
{
    struct kit *k = *state;
    stele_bytes types[1];
    stele_buf json;
    stele_error err;

    kit_set(k, "a", "{'@type':'user','mail':'A@x'}");
    kit_close(k);
    types[0] = kit_json(USER);
    k->options.types = types;
    k->options.type_count = 1;
    kit_open(k);
    stele_buf_init(&json, SIZE_MAX);
    CHECK_OK(stele_docs_type(k->db, "user", &json, &err), &err);
    stele_buf_free(&json);
    kit_check_match(k, "user", "{'mail':'a@x'}", "a");
    kit_close(k);
    types[0] = stele_str("{}");
    CHECK_CODE(stele_docs_open(&k->db, k->tmp.path, &k->options, &err), STELE_EINVAL);
    k->options.types = NULL;
    CHECK_CODE(stele_docs_open(&k->db, k->tmp.path, &k->options, &err), STELE_EINVAL);
    k->options.type_count = 0;
    kit_open(k);
    kit_check_match(k, "user", "{'mail':'a@x'}", "a");
}

static void test_bad_definitions(void **state)
{
    struct kit *k = *state;
    stele_error err;

    CHECK_CODE(stele_docs_register(k->db, kit_json("{}"), &err), STELE_EINVAL);
    CHECK_CODE(stele_docs_register(
                       k->db, kit_json("{'name':'t','keys':[],'version':1,'expiry':''}"), &err),
            STELE_EINVAL);
    CHECK_CODE(stele_docs_type(k->db, "t", NULL, &err), STELE_EINVAL);
}

/* ---- Unique keys. ---- */

static void test_unique(void **state)
{
    struct kit *k = *state;
    stele_error err;

    kit_register(k, USER);
    kit_set(k, "a", "{'@type':'user','mail':'A@x'}");
    CHECK_CODE(kit_try_set(k, "b", "{'@type':'user','mail':'\xc3\xa1@X'}", &err), STELE_ECONFLICT);
    CHECK_MESSAGE_HAS(&err, "key mail is that of document a");
    kit_check(k, "b", NULL);
    kit_check_match(k, "user", NULL, "a");
    kit_set(k, "b", "{'@type':'user'}");
    kit_set(k, "c", "{'@type':'user','mail':null}");
    kit_set(k, "d", "{'@type':'user','mail':null}");
    kit_check_match(k, "user", "{'mail':null}", "c d");
    kit_set(k, "a", "{'@type':'user','mail':'a@X','more':1}");
    kit_check_match(k, "user", "{'mail':'A@X'}", "a");
    kit_delete(k, "a");
    kit_set(k, "b", "{'@type':'user','mail':'a@x'}");
    kit_check_match(k, "user", "{'mail':'A@X'}", "b");
    CHECK_CODE(kit_try_set(k, "a", "{'@type':'user','mail':'a@x'}", &err), STELE_ECONFLICT);
    kit_set(k, "b", "{'@type':'none','mail':'a@x'}");
    kit_set(k, "a", "{'@type':'user','mail':'a@x'}");
    kit_check_match(k, "user", "{'mail':'A@X'}", "a");
}

static stele_code on_conflict(void *arg, const stele_docs_conflict *conflict, stele_error *err)
{
    stele_buf *text = arg;
    const stele_bytes parts[] = {stele_str(conflict->type), stele_str("."),
            stele_str(conflict->key), stele_str(":"), conflict->owner, stele_str("<"), conflict->id,
            stele_str(" ")};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        CHECK_OK(stele_buf_append(text, parts[i], err), err);
    }
    return STELE_OK;
}

static void check_conflicts(struct kit *k, const char *expected)
{
    stele_buf text;
    stele_error err;

    stele_buf_init(&text, SIZE_MAX);
    CHECK_OK(stele_buf_append(&text, stele_empty(), &err), &err);
    CHECK_OK(stele_docs_conflicts(k->db, on_conflict, &text, &err), &err);
    CHECK_BYTES(stele_buf_view(&text), stele_str(expected));
    stele_buf_free(&text);
}

/* Documents that were there before their key was unique: the oldest unbroken claim owns it, though
 * its document was edited since. */
static void test_conflicts(void **state)
{
    struct kit *k = *state;
    stele_error err;

    kit_set(k, "b", "{'@type':'user','mail':'a@x'}");
    kit_set(k, "c", "{'@type':'user','mail':'A@x'}");
    kit_set(k, "a", "{'@type':'user','mail':'other'}");
    kit_set(k, "a", "{'@type':'user','mail':'a@X'}");
    kit_set(k, "b", "{'@type':'user','mail':'a@x','edited':true}");
    kit_register(k, USER);
    check_conflicts(k, "user.mail:b<c user.mail:b<a ");
    kit_check_match(k, "user", "{'mail':'a@x'}", "b");
    kit_check_match(k, "user", NULL, "a b c");
    CHECK_CODE(kit_try_set(k, "c", "{'@type':'user','mail':'a@x'}", &err), STELE_ECONFLICT);
    kit_set(k, "b", "{'@type':'user','mail':'a@x','edited':2}");
    kit_set(k, "b", "{'@type':'user','mail':'b@x'}");
    check_conflicts(k, "user.mail:c<a ");
    kit_check_match(k, "user", "{'mail':'a@x'}", "c");
    kit_delete(k, "c");
    check_conflicts(k, "");
    kit_check_match(k, "user", "{'mail':'a@x'}", "a");
}

/* A definition that is stored is damage where it is none, and no fault of who opens. */
static void test_damaged_definition(void **state)
{
    struct kit *k = *state;
    struct sti_docs_write w;
    stele_error err;

    kit_register(k, USER);
    CHECK_OK(sti_docs_write_begin(&w, k->db, &err), &err);
    CHECK_OK(sti_docs_put(&w, STI_DOCS_TYP, stele_str("user"), stele_str("{}"), &err), &err);
    CHECK_OK(sti_docs_write_end(&w, STELE_OK, &err), &err);
    kit_close(k);
    CHECK_CODE(stele_docs_open(&k->db, k->tmp.path, &k->options, &err), STELE_ECORRUPT);
    assert_int_equal(err.code, STELE_ECORRUPT);
    k->db = NULL;
}

/* Keys that the store holds in pieces, and puts together anew for each step over them. */
static void test_long_conflicts(void **state)
{
    struct kit *k = *state;
    char json[2000];
    char mail[700];

    memset(mail, 'x', sizeof mail - 1);
    mail[sizeof mail - 1] = '\0';
    (void)snprintf(json, sizeof json, "{'@type':'user','mail':'%s'}", mail);
    kit_set(k, "a", json);
    kit_set(k, "b", json);
    kit_set(k, "c", json);
    kit_register(k, USER);
    kit_close(k);
    kit_open(k);
    check_conflicts(k, "user.mail:a<b user.mail:a<c ");
    kit_delete(k, "a");
    check_conflicts(k, "user.mail:b<c ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_unknown_type, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_kept_across_open, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_redefined, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_collation, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_in_options, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_bad_definitions, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_unique, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_conflicts, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_damaged_definition, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_long_conflicts, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
