/* SPDX-License-Identifier: MIT
 *
 * agree_test.c: nodes that are changed at once, or apart, come to have the same.
 */
#include "nodes.h"

#include <pthread.h>
#include <stdio.h>

enum {
    THREE = 3,
    MANY = 300
};

static void open_three(struct fleet *f)
{
    for (int i = 0; i < THREE; i++) {
        one_open(f, i);
    }
}

static void test_a_change_comes_everywhere(void **state)
{
    struct fleet *f = *state;

    open_three(f);
    one_set(&f->list[0], "a", "{'n':1}");
    one_await(&f->list[1], "a", "{'n':1}");
    one_await(&f->list[2], "a", "{'n':1}");
    one_set(&f->list[1], "a", "{'n':2}");
    one_await(&f->list[0], "a", "{'n':2}");
    one_await(&f->list[2], "a", "{'n':2}");
    one_delete(&f->list[2], "a");
    one_await(&f->list[0], "a", NULL);
    one_await(&f->list[1], "a", NULL);
    fleet_await_equal(f, THREE);
}

struct changing {
    struct one *o;
    int first;
};

static void *change(void *arg)
{
    const struct changing *c = arg;

    for (int i = 0; i < MANY; i++) {
        char id[16];
        char json[64];
        stele_code rc;

        (void)snprintf(id, sizeof id, "%d", (c->first + 7 * i) % 100);
        if (i % 5 == 4) {
            rc = stele_docs_delete(c->o->db, stele_str(id), NULL, NULL);
            assert_true(rc == STELE_OK || rc == STELE_ENOTFOUND);
            continue;
        }
        (void)snprintf(
                json, sizeof json, "{'@type':'t','u':%d,'v':%d}", (i * 13 + c->first) % 150, i);
        rc = one_try_set(c->o, id, json);
        if (rc != STELE_OK) {
            CHECK_CODE(rc, STELE_ECONFLICT);
        }
    }
    return NULL;
}

/* All change the same documents, and claim the same keys, at the same time. */
static void test_three_that_change_at_once(void **state)
{
    struct fleet *f = *state;
    struct changing c[THREE];
    pthread_t threads[THREE];

    open_three(f);
    for (int i = 0; i < THREE; i++) {
        c[i] = (struct changing){.o = &f->list[i], .first = i};
        assert_int_equal(pthread_create(&threads[i], NULL, change, &c[i]), 0);
    }
    for (int i = 0; i < THREE; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    fleet_await_equal(f, THREE);
}

/* What was changed apart: the later edit counts, a delete against an older set, a set against an
 * older delete, and of those who claim a key the first. */
static void test_what_was_changed_apart(void **state)
{
    struct fleet *f = *state;
    struct one *a = &f->list[0];
    struct one *b = &f->list[1];

    one_open(f, 0);
    one_open(f, 1);
    one_set(a, "edit", "{'n':0}");
    one_set(a, "gone", "{'n':0}");
    one_set(a, "back", "{'n':0}");
    one_await(b, "back", "{'n':0}");
    one_await(b, "gone", "{'n':0}");
    one_leave(a);
    one_leave(b);
    one_set(a, "edit", "{'n':1}");
    one_set(b, "edit", "{'n':2}");
    one_set(a, "gone", "{'n':1}");
    one_delete(b, "gone");
    one_delete(a, "back");
    one_set(b, "back", "{'n':3}");
    one_set(a, "first", "{'@type':'t','u':1}");
    one_set(b, "second", "{'@type':'t','u':1}");
    one_join(f, 0);
    one_join(f, 1);
    fleet_await_equal(f, 2);
    one_await(a, "edit", "{'n':2}");
    one_await(a, "gone", NULL);
    one_await(a, "back", "{'n':3}");
    one_await_event(a, STELE_NODE_EV_CONFLICT);
    one_await_event(b, STELE_NODE_EV_CONFLICT);
    CHECK_CODE(one_try_set(b, "second", "{'@type':'t','u':1,'n':1}"), STELE_ECONFLICT);
    one_set(a, "first", "{'@type':'t','u':1,'n':1}");
    /* When the owner goes, the other one owns it everywhere. */
    one_delete(a, "first");
    one_await(b, "first", NULL);
    one_set(b, "second", "{'@type':'t','u':1,'n':2}");
    fleet_await_equal(f, 2);
    CHECK_CODE(one_try_set(a, "third", "{'@type':'t','u':1}"), STELE_ECONFLICT);
}

/* Entries of others are told on: the two have never met. */
static void test_what_one_tells_another_of_a_third(void **state)
{
    struct fleet *f = *state;

    one_open(f, 0);
    one_set(&f->list[0], "a", "{'n':1}");
    one_open(f, 1);
    one_await(&f->list[1], "a", "{'n':1}");
    one_close(&f->list[0]);
    one_open(f, 2);
    one_await(&f->list[2], "a", "{'n':1}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(
                    test_a_change_comes_everywhere, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_three_that_change_at_once, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_what_was_changed_apart, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_what_one_tells_another_of_a_third, fleet_set_up, fleet_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
