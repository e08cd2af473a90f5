/* SPDX-License-Identifier: MIT
 *
 * join_test.c: a new node takes over all documents of another one; how long that takes, and how
 * much memory, is printed.
 */
#include "nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    DOCUMENTS = 20000,
    BATCH = 1000
};

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What the process has in memory of its own, in KiB; 0 where the system does not tell. */
static long memory(void)
{
    char line[128];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");

    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "RssAnon:", 8) == 0) {
            kib = strtol(line + 8, NULL, 10);
        }
    }
    (void)fclose(file);
    return kib;
}

static void fill(struct one *o)
{
    stele_docs_batch *batch = NULL;
    stele_error err;

    for (int i = 0; i < DOCUMENTS; i++) {
        char id[16];
        char json[200];

        if (i % BATCH == 0) {
            CHECK_OK(stele_docs_batch_begin(&batch, o->db, &err), &err);
        }
        (void)snprintf(id, sizeof id, "doc-%06d", i);
        (void)snprintf(json, sizeof json,
                "{\"@type\":\"t\",\"u\":%d,\"name\":\"A document with some text in it, number %d\","
                "\"more\":[1,2,3,4,5,6,7,8,9,10]}",
                i, i);
        CHECK_OK(stele_docs_batch_set(batch, stele_str(id), stele_str(json), NULL, NULL, &err),
                &err);
        if (i % BATCH == BATCH - 1) {
            CHECK_OK(stele_docs_batch_end(batch, &err), &err);
        }
    }
}

static void test_a_new_node_takes_all(void **state)
{
    struct fleet *f = *state;
    stele_error err;
    double began;
    double took;
    long before;
    long most = 0;

    f->list[0].durable = f->list[1].durable = true;
    one_open_db(f, 0);
    fill(&f->list[0]);
    one_join(f, 0);
    CHECK_OK(stele_node_wait_ready(f->list[0].node, NULL, &err), &err);
    one_open_db(f, 1);
    before = memory();
    began = now();
    one_join(f, 1);
    while (one_status(&f->list[1]).stored < DOCUMENTS) {
        long is = memory();

        most = is > most ? is : most;
        nap();
    }
    took = now() - began;
    print_message("%d documents in %.3f s, at most %ld KiB more memory; %u sessions\n", DOCUMENTS,
            took, most - before, (unsigned)one_status(&f->list[1]).sessions);
    assert_int_equal(one_status(&f->list[1]).stored, DOCUMENTS);
    fleet_await_equal(f, 2);
    CHECK_OK(stele_node_wait_ready(f->list[1].node, NULL, &err), &err);
}

/* Changes go on at both meanwhile. */
static void test_a_new_node_while_all_change(void **state)
{
    struct fleet *f = *state;

    one_open_db(f, 0);
    fill(&f->list[0]);
    one_join(f, 0);
    one_open(f, 1);
    for (int i = 0; i < BATCH; i++) {
        char id[16];

        (void)snprintf(id, sizeof id, "doc-%06d", i);
        if (i % 3 == 0) {
            one_delete(&f->list[0], id);
        } else {
            one_set(&f->list[i % 2], id, "{'n':1}");
        }
    }
    fleet_await_equal(f, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(
                    test_a_new_node_takes_all, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_a_new_node_while_all_change, fleet_set_up, fleet_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
