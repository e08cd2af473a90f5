/* SPDX-License-Identifier: MIT
 *
 * life_test.c: a node by itself, killed, renumbered, with a clock that is off; and what it says of
 * its peers.
 */
#include "docs/peer.h"
#include "nodes.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    DAY_S = 86400
};

static void test_a_lone_node_becomes_ready(void **state)
{
    struct fleet *f = *state;
    stele_wait wait = {.timeout_ms = 0};
    stele_error err;

    one_open_db(f, 0);
    one_join(f, 0);
    CHECK_CODE(stele_node_wait_ready(f->list[0].node, &wait, &err), STELE_ETIMEDOUT);
    CHECK_OK(stele_node_wait_ready(f->list[0].node, NULL, &err), &err);
    assert_int_equal(one_status(&f->list[0]).state, STELE_NODE_READY);
    one_await_event(&f->list[0], STELE_NODE_EV_READY);
    assert_int_equal(one_status(&f->list[0]).peers, 0);
}

static void test_waiting_can_be_given_up(void **state)
{
    struct fleet *f = *state;
    stele_wait wait = {.timeout_ms = STELE_FOREVER};
    stele_error err;

    one_open(f, 0);
    CHECK_OK(stele_cancel_new(&wait.cancel, &err), &err);
    stele_cancel_trigger(wait.cancel);
    CHECK_CODE(stele_node_wait_ready(f->list[0].node, &wait, &err), STELE_ECANCELED);
    stele_cancel_free(wait.cancel);
}

static void test_what_is_said_of_peers(void **state)
{
    struct fleet *f = *state;
    stele_node_peer peer;
    stele_error err;

    one_open(f, 0);
    one_open(f, 1);
    one_set(&f->list[1], "a", "{}");
    one_await(&f->list[0], "a", "{}");
    do {
        nap();
        peer = one_peer(&f->list[0], "n1");
    } while (!peer.in_step || !peer.online);
    assert_int_equal(peer.protocol, STELE_NODE_STELE);
    assert_int_equal(peer.rate, 1000);
    CHECK_OK(stele_node_wait_ready(f->list[0].node, NULL, &err), &err);
    assert_int_equal(one_status(&f->list[0]).online, 1);
    assert_int_equal(one_status(&f->list[0]).stored, 1);
    one_await_event(&f->list[0], STELE_NODE_EV_ONLINE);
    one_close(&f->list[1]);
    one_await_event(&f->list[0], STELE_NODE_EV_OFFLINE);
    assert_false(one_peer(&f->list[0], "n1").online);
}

/* A node that begins again knows whom it knew, and forgets when it is told to. */
static void test_peers_are_remembered_until_forgotten(void **state)
{
    struct fleet *f = *state;
    stele_error err;

    one_open(f, 0);
    one_open(f, 1);
    one_await_event(&f->list[0], STELE_NODE_EV_ONLINE);
    one_set(&f->list[1], "a", "{}");
    one_await(&f->list[0], "a", "{}");
    one_close(&f->list[1]);
    one_leave(&f->list[0]);
    one_join(f, 0);
    while (one_peer(&f->list[0], "n1").name == NULL) {
        nap();
    }
    assert_false(one_peer(&f->list[0], "n1").online);
    CHECK_CODE(stele_node_forget(f->list[0].node, "", &err), STELE_EINVAL);
    CHECK_OK(stele_node_forget(f->list[0].node, "n1", &err), &err);
    one_leave(&f->list[0]);
    one_join(f, 0);
    CHECK_OK(stele_node_wait_ready(f->list[0].node, NULL, &err), &err);
    assert_int_equal(one_status(&f->list[0]).peers, 0);
}

/* ---- Killed. ---- */

static _Noreturn void change_until_killed(struct fleet *f, int to_parent)
{
    one_open(f, 0);
    for (int i = 0;; i++) {
        char id[16];
        char json[32];

        (void)snprintf(id, sizeof id, "%d", i % 500);
        (void)snprintf(json, sizeof json, "{'n':%d}", i);
        one_set(&f->list[0], id, json);
        if (write(to_parent, &i, sizeof i) != (ssize_t)sizeof i) {
            abort();
        }
    }
}

/* What was acknowledged before the kill comes to another node, with what is changed there. */
static void test_a_node_that_was_killed_goes_on(void **state)
{
    struct fleet *f = *state;
    char last[32];
    char id[16];
    int acked = 0;
    int pipes[2];
    pid_t child;

    f->list[0].durable = true;
    assert_int_equal(pipe(pipes), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        change_until_killed(f, pipes[1]);
    }
    (void)close(pipes[1]);
    for (int i = 0; i < 700; i++) {
        assert_int_equal(read(pipes[0], &acked, sizeof acked), sizeof acked);
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    while (read(pipes[0], &acked, sizeof acked) == (ssize_t)sizeof acked) {
    }
    (void)close(pipes[0]);
    one_open(f, 1);
    one_set(&f->list[1], "other", "{}");
    one_open(f, 0);
    one_await(&f->list[0], "other", "{}");
    fleet_await_equal(f, 2);
    (void)snprintf(id, sizeof id, "%d", acked % 500);
    (void)snprintf(last, sizeof last, "{'n':%d}", acked);
    /* One more may have been made, of another ID. */
    one_await(&f->list[1], id, last);
}

/* ---- Numbers and clocks. ---- */

static void test_of_two_with_one_number_the_younger_draws_another(void **state)
{
    struct fleet *f = *state;
    stele_error err;

    one_open_db(f, 0);
    one_open_db(f, 1);
    CHECK_OK(sti_docs_peer_set_server(f->list[0].db, 5, &err), &err);
    CHECK_OK(sti_docs_peer_set_server(f->list[1].db, 5, &err), &err);
    one_join(f, 0);
    one_join(f, 1);
    one_await_event(&f->list[1], STELE_NODE_EV_RENUMBERED);
    while (stele_docs_server(f->list[1].db) == 5) {
        nap();
    }
    assert_int_equal(stele_docs_server(f->list[0].db), 5);
    assert_int_equal(atomic_load(&f->list[0].events[STELE_NODE_EV_RENUMBERED]), 0);
    one_set(&f->list[0], "a", "{}");
    one_set(&f->list[1], "b", "{}");
    fleet_await_equal(f, 2);
}

/* What a clock that is a day ahead makes waits, and comes in when the clock here is there. */
static void test_what_is_from_tomorrow_waits(void **state)
{
    struct fleet *f = *state;

    f->list[1].ahead_us = (int64_t)DAY_S * 1000000;
    one_open(f, 0);
    one_open(f, 1);
    one_await_event(&f->list[0], STELE_NODE_EV_SKEW);
    one_set(&f->list[1], "a", "{'n':1}");
    one_await_event(&f->list[0], STELE_NODE_EV_QUARANTINED);
    assert_int_equal(one_status(&f->list[0]).quarantined, 1);
    one_await(&f->list[0], "a", NULL);
    one_set(&f->list[0], "b", "{'n':1}");
    one_await(&f->list[1], "b", "{'n':1}");
    atomic_store(&f->list[0].ahead_us, (int64_t)DAY_S * 1000000);
    one_await(&f->list[0], "a", "{'n':1}");
    fleet_await_equal(f, 2);
    assert_int_equal(one_status(&f->list[0]).quarantined, 0);
}

/* ---- Misuse. ---- */

static void test_what_cannot_be_opened(void **state)
{
    struct fleet *f = *state;
    struct one *o = &f->list[0];
    stele_node_options options;
    stele_node *node = NULL;
    stele_error err;

    one_open_db(f, 0);
    CHECK_OK(stele_fleet_hub_join(f->hub, "n0", &o->transport, &err), &err);
    CHECK_CODE(stele_node_open(&node, NULL, o->transport, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_node_open(&node, o->db, NULL, NULL, &err), STELE_EINVAL);
    stele_node_options_init(&options);
    options.look_ms = -1;
    CHECK_CODE(stele_node_open(&node, o->db, o->transport, &options, &err), STELE_EINVAL);
    CHECK_OK(stele_node_open(&o->node, o->db, o->transport, NULL, &err), &err);
    /* The transport is connected already. */
    CHECK_CODE(stele_node_open(&node, o->db, o->transport, NULL, &err), STELE_ESTATE);
    stele_node_close(NULL);
}

static void test_a_reader_has_no_node(void **state)
{
    struct fleet *f = *state;
    struct one *o = &f->list[0];
    stele_docs_options options;
    stele_error err;

    one_open_db(f, 0);
    one_close(o);
    stele_docs_options_init(&options);
    options.read_only = true;
    CHECK_OK(stele_docs_open(&o->db, o->tmp.path, &options, &err), &err);
    CHECK_OK(stele_fleet_hub_join(f->hub, "n0", &o->transport, &err), &err);
    CHECK_CODE(stele_node_open(&o->node, o->db, o->transport, NULL, &err), STELE_EREADONLY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(
                    test_a_lone_node_becomes_ready, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_waiting_can_be_given_up, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_what_is_said_of_peers, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_peers_are_remembered_until_forgotten, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_a_node_that_was_killed_goes_on, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(test_of_two_with_one_number_the_younger_draws_another,
                    fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_what_is_from_tomorrow_waits, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_what_cannot_be_opened, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_a_reader_has_no_node, fleet_set_up, fleet_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
