/* SPDX-License-Identifier: MIT
 *
 * memory_test.c: each allocation fails in turn, and is reported; what follows is as if nothing had
 * been. The libraries beneath have memory of their own, which this does not reach.
 */
#include "base/alloc.h"
#include "docs/patch.h"
#include "docs/path.h"
#include "docs/plan.h"
#include "kit.h"

#ifdef STI_TESTING

static const char document[] =
        "{'mail':'Joe@Example.COM','group':'Admins','level':1,'since':'2026-11-26T05:00:00Z',"
        "'tags':['b','a',['x',{'y':[1]}]],'seats':[2,1],'addr':{'city':'Zürich'},'raw':{'a':[1]},"
        "'a':1,'b':'12'}";

static bool count_down(void *arg)
{
    int *left = arg;

    return (*left)-- == 0;
}

/* Everything that allocates, one after the other. */
static stele_code work(const struct kit *kit, const json_t *value, const json_t *match)
{
    const struct sti_docs_search search = {
            .match = match, .bound_field = "since", .low = json_object_get(value, "since")};
    const struct sti_json_rules rules = {.size_max = 1000, .depth_max = 10};
    struct sti_docs_index_keys keys = {.items = NULL};
    struct sti_docs_indexer indexer = {.type_number = 0};
    struct sti_docs_plan plan = {.key = NULL};
    json_t *patched = NULL;
    json_t *parsed = NULL;
    const json_t *found = NULL;
    stele_buf text;
    stele_error err;
    stele_code rc;

    stele_buf_init(&text, SIZE_MAX);
    rc = sti_docs_indexer_init(&indexer, 7, &kit_type, kit->collator, &err);
    if (rc == STELE_OK) {
        rc = sti_docs_index_keys_fill(&keys, &indexer, value, stele_str("id"), false, &err);
    }
    if (rc == STELE_OK) {
        assert_int_equal(keys.count, 12);
        rc = sti_docs_plan_make(&plan, &indexer, &search, &err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_plan_resume(&plan, stele_buf_view(&plan.start), false, &err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_patch(value, match, &patched, &err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_value_print(patched, &text, &err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_value_parse(stele_buf_view(&text), &rules, &parsed, &err);
    }
    if (rc == STELE_OK) {
        json_decref(parsed);
        parsed = NULL;
        rc = sti_docs_value_of_peer(stele_buf_view(&text), &parsed, &err);
    }
    if (rc == STELE_OK) {
        assert_true(json_equal(parsed, patched));
        rc = sti_docs_pointer_find(parsed, stele_str("/addr/city"), &found, &err);
    }
    if (rc != STELE_OK) {
        assert_int_equal(err.code, rc);
    }
    json_decref(parsed);
    json_decref(patched);
    stele_buf_free(&text);
    sti_docs_plan_free(&plan);
    sti_docs_index_keys_free(&keys);
    sti_docs_indexer_free(&indexer);
    return rc;
}

static void test_each(void **state)
{
    json_t *value = json_of(document);
    json_t *match = json_of("{'level':1,'group':'admins'}");
    struct kit kit;
    stele_code rc = STELE_ENOMEM;
    int n = 0;

    (void)state;
    kit_open(&kit);
    while (rc != STELE_OK) {
        int left = n;

        sti_alloc_set_hook(count_down, &left);
        rc = work(&kit, value, match);
        sti_alloc_set_hook(NULL, NULL);
        assert_true(rc == STELE_OK || rc == STELE_ENOMEM);
        assert_true((rc == STELE_OK) == (left >= 0));
        n++;
    }
    print_message("%d allocations\n", n - 1);
    assert_true(n > 40);
    json_decref(value);
    json_decref(match);
    kit_close(&kit);
}

static void test_collator(void **state)
{
    struct sti_docs_collator *collator = NULL;
    int left = 0;

    (void)state;
    sti_alloc_set_hook(count_down, &left);
    CHECK_CODE(sti_docs_collator_open(&collator, NULL), STELE_ENOMEM);
    sti_alloc_set_hook(NULL, NULL);
    assert_null(collator);
    sti_docs_collator_close(collator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_each), cmocka_unit_test(test_collator)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    return 0;
}

#endif
