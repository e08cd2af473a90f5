/* SPDX-License-Identifier: MIT
 *
 * retention_test.c: logs that are trimmed, and nodes that were away for longer than logs reach
 * back: they agree again, what was deleted meanwhile stays so, and what they alone have is not
 * lost.
 *
 * Days pass on the clocks of all nodes at once.
 */
#include "base/coding.h"
#include "docs/peer.h"
#include "fleet/damage.h"
#include "unit/fleet_node/nodes.h"

#include <stdio.h>

#define DAY_US (INT64_C(86400) * 1000000)

enum {
    RETENTION_DAYS = 3,
    SOME = 50, /* naps */
    DAY_S = 86400
};

static void days_pass(struct fleet *f, int days)
{
    for (int i = 0; i < NODES; i++) {
        atomic_fetch_add(&f->list[i].ahead_us, days * DAY_US);
    }
}

static stele_docs_status db_status(struct one *o)
{
    stele_docs_status status;
    stele_error err;

    CHECK_OK(stele_docs_get_status(o->db, &status, &err), &err);
    return status;
}

/* All that may be trimmed is: the horizon is as high as it can be, and what is below it has gone.
 */
static void await_trimmed(struct one *o)
{
    stele_time wall = o->env.wall_clock(o->env.arg);

    while (db_status(o).horizon < wall - (RETENTION_DAYS + 1) * DAY_US) {
        nap();
    }
    for (int i = 0; i < SOME; i++) {
        nap();
    }
}

/* It is stored that all of another one is here that is below the horizon. */
static void await_note(struct one *o)
{
    int64_t seconds = 0;
    stele_buf note;
    stele_error err;

    stele_buf_init(&note, SIZE_MAX);
    while (seconds * 1000000 < db_status(o).horizon) {
        nap();
        stele_buf_clear(&note);
        CHECK_OK(sti_docs_peer_get_note(o->db, &note, &err), &err);
        seconds = note.len <= STI_DOCS_VERSION_SIZE + 8
                          ? 0
                          : (int64_t)sti_get_be64(note.data + note.len - STI_DOCS_VERSION_SIZE);
    }
    stele_buf_free(&note);
}

static void open_all(struct fleet *f, int count)
{
    for (int i = 0; i < count; i++) {
        f->list[i].retention_s = RETENTION_DAYS * DAY_S;
        one_open(f, i);
    }
}

static void forget(struct one *o, const char *peer)
{
    stele_error err;

    CHECK_OK(stele_node_forget(o->node, peer, &err), &err);
}

/* As long as a node is known, nobody trims what it may not have. */
static void test_nobody_trims_what_one_lacks(void **state)
{
    struct fleet *f = *state;

    open_all(f, 3);
    one_set(&f->list[0], "a", "{'n':1}");
    fleet_await_equal(f, 3);
    one_leave(&f->list[2]);
    days_pass(f, 10);
    one_delete(&f->list[0], "a");
    one_set(&f->list[1], "b", "{'n':1}");
    one_await(&f->list[0], "b", "{'n':1}");
    one_await(&f->list[1], "a", NULL);
    days_pass(f, 10);
    for (int i = 0; i < 1000; i++) {
        nap();
    }
    /* That of ten days ago is not trimmed, since one lacks it. */
    assert_int_equal(db_status(&f->list[0]).deleted, 1);
    assert_true(db_status(&f->list[0]).entries >= 2);
    one_join(f, 2);
    one_await(&f->list[2], "a", NULL);
    one_await(&f->list[2], "b", "{'n':1}");
    /* Now all have it. */
    await_trimmed(&f->list[0]);
    await_trimmed(&f->list[1]);
    await_trimmed(&f->list[2]);
    fleet_await_same_documents(f, 3);
}

/* Others have given one up, and have trimmed; it comes back, with what only it has. */
static void test_one_that_was_given_up_comes_back(void **state)
{
    struct fleet *f = *state;
    struct one *a = &f->list[0];
    struct one *b = &f->list[1];
    struct one *c = &f->list[2];

    open_all(f, 3);
    one_set(a, "deleted", "{'@type':'t','u':1}");
    one_set(a, "changed", "{'@type':'t','u':2}");
    one_set(a, "same", "{'@type':'t','u':3}");
    fleet_await_equal(f, 3);
    one_leave(c);
    one_set(c, "alone", "{'n':1}");
    one_set(c, "clash", "{'@type':'t','u':4}");
    days_pass(f, 1);
    one_set(a, "clash", "{'@type':'t','u':5}");
    one_set(a, "first", "{'@type':'t','u':6}");
    forget(a, "n2");
    forget(b, "n2");
    one_delete(a, "deleted");
    one_set(a, "changed", "{'@type':'t','u':1}");
    days_pass(f, 10);
    one_set(a, "late", "{'n':1}");
    one_await(b, "late", "{'n':1}");
    await_trimmed(a);
    await_trimmed(b);
    one_set(c, "later", "{'n':2}");
    one_set(c, "third", "{'@type':'t','u':6}");
    one_join(f, 2);
    fleet_await_same_documents(f, 3);
    for (int i = 0; i < 3; i++) {
        struct one *o = &f->list[i];

        one_await(o, "deleted", NULL);
        one_await(o, "changed", "{'@type':'t','u':1}");
        one_await(o, "same", "{'@type':'t','u':3}");
        one_await(o, "alone", "{'n':1}");
        one_await(o, "clash", "{'@type':'t','u':5}");
        one_await(o, "late", "{'n':1}");
        one_await(o, "later", "{'n':2}");
    }
    /* Who claimed a key first owns it, though its entry is below the horizon. */
    CHECK_CODE(one_try_set(c, "third", "{'@type':'t','u':6,'n':1}"), STELE_ECONFLICT);
    days_pass(f, 10);
    one_set(a, "last", "{}");
    await_trimmed(c);
    fleet_await_same_documents(f, 3);
}

/* Two that have both trimmed, and have never met. */
static void test_two_that_have_trimmed_meet(void **state)
{
    struct fleet *f = *state;
    struct one *a = &f->list[0];
    struct one *b = &f->list[1];

    for (int i = 0; i < 2; i++) {
        f->list[i].retention_s = RETENTION_DAYS * DAY_S;
        one_open(f, i);
        one_set(&f->list[i], i == 0 ? "a" : "b", "{'@type':'t','u':1}");
        one_set(&f->list[i], i == 0 ? "gone-a" : "gone-b", "{'n':1}");
        one_delete(&f->list[i], i == 0 ? "gone-a" : "gone-b");
        one_set(&f->list[i], "both", i == 0 ? "{'n':1}" : "{'n':2}");
        days_pass(f, 10);
        one_set(&f->list[i], "after", i == 0 ? "{'n':1}" : "{'n':2}");
        await_trimmed(&f->list[i]);
        one_close(&f->list[i]);
    }
    open_all(f, 2);
    fleet_await_same_documents(f, 2);
    one_await(a, "both", "{'n':2}");
    one_await(a, "after", "{'n':2}");
    one_await(b, "a", "{'@type':'t','u':1}");
    CHECK_CODE(one_try_set(a, "b", "{'@type':'t','u':1,'n':1}"), STELE_ECONFLICT);
    one_set(b, "a", "{'@type':'t','u':1,'n':1}");
    fleet_await_same_documents(f, 2);
}

/* What is below the horizon is in no session: a snapshot has it. */
static void test_what_was_trimmed_and_damaged_comes_again(void **state)
{
    struct fleet *f = *state;
    struct one *a = &f->list[0];
    struct one *b = &f->list[1];

    open_all(f, 2);
    one_set(a, "old", "{'@type':'t','u':1,'s':'a text that is damaged'}");
    fleet_await_equal(f, 2);
    days_pass(f, 10);
    one_set(a, "new", "{}");
    await_trimmed(a);
    await_trimmed(b);
    await_note(b);
    one_close(b);
    assert_true(damage_text(&b->tmp, "a text that is damaged") >= 2);
    one_open_db(f, 1);
    one_join(f, 1);
    one_await_event(b, STELE_NODE_EV_DAMAGED);
    while (one_status(b).lost == 0) {
        nap();
    }
    fleet_await_same_documents(f, 2);
    one_await(b, "old", "{'@type':'t','u':1,'s':'a text that is damaged'}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(
                    test_nobody_trims_what_one_lacks, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_one_that_was_given_up_comes_back, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_two_that_have_trimmed_meet, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_what_was_trimmed_and_damaged_comes_again, fleet_set_up, fleet_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
