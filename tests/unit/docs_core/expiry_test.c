/* SPDX-License-Identifier: MIT
 *
 * expiry_test.c: documents that end at a time are gone from then on, whether or not somebody has
 * made their delete entries; these are the same everywhere, and make the same in any order.
 */
#include "docs/expiry.h"

#include "docs/apply.h"
#include "kit.h"

#include <stdio.h>

#define TYPE                                                                     \
    "{'name':'t','keys':[{'name':'u','fields':['u'],'method':'binary',"          \
    "'unique':true},{'name':'n','fields':['n'],'method':'binary'}],'version':1," \
    "'expiry':'at/end'}"

#define SECOND      ((stele_time)1000000)
#define NOW_SECONDS INT64_C(1700000000)

static void check_version(struct kit *k, const char *id, stele_docs_version wanted, bool gone)
{
    stele_docs_version version = {.seconds = -1};
    bool deleted = !gone;
    stele_error err;

    CHECK_OK(stele_docs_version_of(k->db, stele_str(id), &version, &deleted, &err), &err);
    assert_int_equal(deleted, gone);
    assert_int_equal(kit_compare_versions(version, wanted), 0);
}

static void check_valid(struct kit *k)
{
    stele_error err;

    CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
}

/* A moment before it is there, at that moment it is not: everywhere. */
static void test_invisible(void **state)
{
    struct kit *k = *state;
    stele_docs_iter *open_before = NULL;
    stele_bytes id = stele_nil();
    stele_buf out;
    stele_error err;

    kit_register(k, TYPE);
    kit_set(k, "a", "{'@type':'t','n':1,'at':{'end':'2023-11-14T22:13:30Z'}}");
    kit_set(k, "b", "{'@type':'t','n':1,'at':{'end':1700000020.5}}");
    kit_set(k, "c", "{'@type':'t','n':1,'at':{'end':'never'}}");
    kit_set(k, "d", "{'at':{'end':1700000001}}");
    k->now = KIT_NOW + 10 * SECOND - 1;
    kit_check_all(k, "a b c d");
    kit_check_match(k, "t", "{'n':1}", "a b c");
    CHECK_OK(stele_docs_prefix(&open_before, k->db, stele_nil(), false, &err), &err);
    k->now++;
    kit_check_all(k, "b c d");
    kit_check_match(k, "t", "{'n':1}", "b c");
    kit_check_match(k, "t", NULL, "b c");
    kit_check(k, "a", NULL);
    stele_buf_init(&out, SIZE_MAX);
    CHECK_CODE(stele_docs_get_field(k->db, stele_str("a"), stele_str("/n"), &out, &err),
            STELE_ENOTFOUND);
    stele_buf_free(&out);
    CHECK_CODE(stele_docs_get_into(k->db, stele_str("a"), NULL, 0, NULL, &err), STELE_ENOTFOUND);
    CHECK_CODE(stele_docs_delete(k->db, stele_str("a"), NULL, &err), STELE_ENOTFOUND);
    CHECK_CODE(
            stele_docs_patch(k->db, stele_str("a"), stele_str("{}"), NULL, &err), STELE_ENOTFOUND);
    CHECK_OK(stele_docs_iter_next(open_before, &id, NULL, &err), &err);
    CHECK_BYTES(id, stele_str("a"));
    stele_docs_iter_end(open_before);
    k->now = KIT_NOW + 21 * SECOND;
    kit_check_all(k, "c d");
    check_valid(k);
    kit_close(k);
    kit_open(k);
    kit_check_all(k, "c d");
}

static void test_delete_entries(void **state)
{
    struct kit *k = *state;
    stele_docs_version a = {.seconds = NOW_SECONDS + 10};
    stele_docs_version b;
    uint64_t count = 9;
    stele_error err;

    kit_register(k, TYPE);
    a.server = kit_set(k, "a", "{'@type':'t','u':1,'at':{'end':1700000010}}").server;
    b = kit_set(k, "b", "{'@type':'t','u':2,'at':{'end':1700000000}}");
    kit_check_all(k, "a");
    b.ns++; /* It had ended when it was set. */
    check_version(k, "b", b, true);
    CHECK_OK(stele_docs_expire(k->db, 0, &count, &err), &err);
    assert_int_equal(count, 1);
    check_version(k, "b", b, true);
    check_valid(k);
    CHECK_OK(stele_docs_expire(k->db, 0, &count, &err), &err);
    assert_int_equal(count, 0);
    k->now = KIT_NOW + 3600 * SECOND;
    check_version(k, "a", a, true);
    for (int i = 0; i < 600; i++) {
        char id[8];

        (void)snprintf(id, sizeof id, "x%d", i);
        kit_set(k, id, "{'@type':'t','at':{'end':-5}}");
    }
    CHECK_OK(stele_docs_expire(k->db, 1, &count, &err), &err);
    assert_int_equal(count, 1);
    CHECK_OK(stele_docs_expire(k->db, 400, &count, &err), &err);
    assert_int_equal(count, 400);
    CHECK_OK(stele_docs_expire(k->db, 0, &count, &err), &err);
    assert_int_equal(count, 200);
    check_version(k, "a", a, true);
    check_valid(k);
    /* Later than the end, though the wall's clock does not say so any more. */
    k->now = KIT_NOW;
    assert_true(kit_compare_versions(kit_set(k, "a", "{'@type':'t'}"), a) > 0);
    kit_check(k, "a", "{'@type':'t'}");
}

/* Who has ended owns nothing, and its ID is free. */
static void test_in_the_way(void **state)
{
    struct kit *k = *state;
    stele_docs_version none = {.seconds = 0};
    stele_docs_version first;
    stele_docs_batch *batch = NULL;
    stele_error err;

    kit_register(k, TYPE);
    first = kit_set(k, "a", "{'@type':'t','u':1,'at':{'end':1700000010}}");
    CHECK_CODE(kit_try_set(k, "b", "{'@type':'t','u':1}", &err), STELE_ECONFLICT);
    k->now = KIT_NOW + 10 * SECOND;
    kit_set(k, "b", "{'@type':'t','u':1}");
    kit_check_match(k, "t", "{'u':1}", "b");
    check_valid(k);
    CHECK_OK(stele_docs_batch_begin(&batch, k->db, &err), &err);
    CHECK_OK(stele_docs_batch_set(batch, stele_str("a"),
                     kit_json("{'@type':'t','u':2,'at':{'end':1700000020}}"), &none, NULL, &err),
            &err);
    CHECK_OK(stele_docs_batch_end(batch, &err), &err);
    k->now = KIT_NOW + 20 * SECOND;
    CHECK_OK(stele_docs_batch_begin(&batch, k->db, &err), &err);
    CHECK_CODE(stele_docs_batch_patch(batch, stele_str("a"), stele_str("{}"), &first, NULL, &err),
            STELE_ESTALE);
    stele_docs_batch_abort(batch);
    kit_set(k, "a", "{'@type':'t','u':2}");
    kit_check_match(k, "t", "{'u':2}", "a");
    check_valid(k);
}

static stele_code count_conflict(void *arg, const stele_docs_conflict *conflict, stele_error *err)
{
    int *count = arg;

    (void)conflict;
    (void)err;
    ++*count;
    return STELE_OK;
}

/* The next of those who claim a key follows at once. */
static void test_next_owner(void **state)
{
    struct kit *k = *state;
    int conflicts = 0;
    stele_error err;

    kit_set(k, "a", "{'@type':'t','u':1,'at':{'end':1700000010}}");
    kit_set(k, "b", "{'@type':'t','u':1}");
    kit_set(k, "c", "{'@type':'t','u':1}");
    kit_register(k, TYPE);
    kit_check_match(k, "t", "{'u':1}", "a");
    k->now = KIT_NOW + 10 * SECOND;
    kit_check_match(k, "t", "{'u':1}", "b");
    CHECK_OK(stele_docs_conflicts(k->db, count_conflict, &conflicts, &err), &err);
    assert_int_equal(conflicts, 1);
    CHECK_OK(stele_docs_expire(k->db, 0, NULL, &err), &err);
    kit_check_match(k, "t", "{'u':1}", "b");
    check_valid(k);
}

/* Another definition says otherwise of when documents end. */
static void test_redefined(void **state)
{
    struct kit *k = *state;

    kit_set(k, "a", "{'@type':'t','e':1,'f':1700000010}");
    kit_register(k, "{'name':'t','keys':[],'version':1}");
    kit_check_all(k, "a");
    kit_register(k, "{'name':'t','keys':[],'version':2,'expiry':'e'}");
    kit_check_all(k, "");
    check_valid(k);
    kit_register(k, "{'name':'t','keys':[],'version':3,'expiry':'f'}");
    kit_check_all(k, "a");
    check_valid(k);
    k->now = KIT_NOW + 10 * SECOND;
    kit_check_all(k, "");
    kit_register(k, "{'name':'t','keys':[],'version':4}");
    kit_check_all(k, "a");
    check_valid(k);
}

/* ---- The entry of an end, and others of the ID, in every order. ---- */

static void apply(struct kit *k, const struct sti_docs_entry *entry)
{
    struct sti_docs_write w;
    struct sti_docs_change change;
    enum sti_docs_applied applied = STI_DOCS_APPLIED_KNOWN;
    stele_error err;

    CHECK_OK(sti_docs_write_begin(&w, k->db, &err), &err);
    CHECK_OK(sti_docs_change_prepare(&change, &w, entry, NULL, false, &err), &err);
    CHECK_OK(sti_docs_apply(&w, &change, &applied, &err), &err);
    sti_docs_change_free(&change);
    CHECK_OK(sti_docs_write_end(&w, STELE_OK, &err), &err);
}

/* Set, set anew, and the end that the first one makes: before the second, or above it. */
static void check_orders(struct kit *k, char name, int64_t end, int64_t again, bool there)
{
    static const int orders[6][3] = {
            {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

    for (int o = 0; o < 6; o++) {
        char id[3] = {name, (char)('0' + o), 0};
        char json[64];
        struct sti_docs_time time = {.seconds = end};
        struct sti_docs_entry entries[3] = {
                {.version = {100, 0, 7}, .id = stele_str(id)},
                {.version = {again, 0, 8},
                        .id = stele_str(id),
                        .json = stele_str("{\"@type\":\"t\"}")},
                {.is_delete = true, .id = stele_str(id)},
        };
        stele_error err;

        (void)snprintf(
                json, sizeof json, "{\"@type\":\"t\",\"at\":{\"end\":%lld}}", (long long)end);
        entries[0].json = stele_str(json);
        CHECK_OK(
                sti_docs_expiry_version(time, entries[0].version, &entries[2].version, &err), &err);
        assert_int_equal(entries[2].version.server, 7);
        for (int i = 0; i < 3; i++) {
            apply(k, &entries[orders[o][i]]);
        }
        kit_check(k, id, there ? "{'@type':'t'}" : NULL);
        check_version(k, id,
                (stele_docs_version){
                        .seconds = there ? again : entries[2].version.seconds,
                        .ns = there ? 0 : entries[2].version.ns,
                        .server = there ? 8 : 7,
                },
                !there);
    }
    check_valid(k);
}

static void test_orders(void **state)
{
    struct kit *k = *state;

    kit_register(k, TYPE);
    check_orders(k, 'a', 200, 300, true);  /* the ID was used again after the end */
    check_orders(k, 'b', 200, 150, false); /* prolonged, which nobody knew in time */
    check_orders(k, 'c', 50, 300, true);   /* ended when it was set */
    check_orders(k, 'd', 50, 99, false);
}

static void test_version(void **state)
{
    struct sti_docs_version version = {100, 999999999, 7};
    struct sti_docs_time end = {.seconds = 100, .ns = 999999999};
    stele_error err;

    (void)state;
    CHECK_OK(sti_docs_expiry_version(end, version, &version, &err), &err);
    assert_int_equal(version.seconds, 101);
    assert_int_equal(version.ns, 0);
    assert_int_equal(version.server, 7);
    version = (struct sti_docs_version){INT64_MAX, 999999999, 7};
    CHECK_CODE(sti_docs_expiry_version(end, version, &version, &err), STELE_ETOOBIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_invisible, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_delete_entries, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_in_the_way, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_next_owner, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_redefined, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_orders, kit_set_up, kit_tear_down),
            cmocka_unit_test(test_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
