/* SPDX-License-Identifier: MIT
 *
 * clock_test.c: versions never go back, whatever the wall's clock does, and across restarts.
 */
#include "kit.h"

enum {
    DAY_US_FACTOR = 86400,
    SECOND_US = 1000000
};

static void test_back_by_a_day(void **state)
{
    struct kit *k = *state;
    stele_docs_version before = kit_set(k, "a", "{'x':1}");
    stele_docs_version after;

    assert_int_equal(before.seconds, KIT_NOW / SECOND_US);
    k->now -= (stele_time)DAY_US_FACTOR * SECOND_US;
    after = kit_set(k, "a", "{'x':2}");
    assert_true(kit_compare_versions(before, after) < 0);
    kit_check(k, "a", "{'x':2}");
    kit_close(k);
    k->now -= (stele_time)DAY_US_FACTOR * SECOND_US;
    kit_open(k);
    before = after;
    after = kit_set(k, "a", "{'x':3}");
    assert_true(kit_compare_versions(before, after) < 0);
    kit_check(k, "a", "{'x':3}");
    assert_true(after.seconds - before.seconds <= 1);
}

static void test_before_1970(void **state)
{
    struct kit *k = *state;
    stele_docs_version first;

    kit_close(k);
    tmpdir_remove(&k->tmp);
    tmpdir_make(&k->tmp);
    k->now = -1;
    kit_open(k);
    first = kit_set(k, "a", "{}");
    assert_int_equal(first.seconds, 0);
    assert_true(kit_compare_versions(first, kit_set(k, "a", "{}")) < 0);
}

static void test_ascending(void **state)
{
    struct kit *k = *state;
    stele_docs_version last = kit_set(k, "a", "{}");

    for (int i = 0; i < 300; i++) {
        stele_docs_version next;

        k->now += (i % 7 - 3) * (stele_time)SECOND_US;
        next = i % 5 == 4 ? kit_delete(k, "a") : kit_set(k, "a", "{}");
        assert_true(kit_compare_versions(last, next) < 0);
        last = next;
        if (i % 50 == 49) {
            kit_close(k);
            kit_open(k);
        }
    }
}

static void test_server_stays(void **state)
{
    struct kit *k = *state;
    uint32_t server = stele_docs_server(k->db);

    assert_int_not_equal(server, 0);
    kit_close(k);
    kit_open(k);
    assert_int_equal(stele_docs_server(k->db), server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_back_by_a_day, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_before_1970, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_ascending, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_server_stays, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
