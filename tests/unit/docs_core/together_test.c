/* SPDX-License-Identifier: MIT
 *
 * together_test.c: changes of several threads that wait for the same batch.
 */
#include "docs/state.h"
#include "unit/docs_core/kit.h"

#include <pthread.h>
#include <sched.h>

#define TYPE "{'name':'user','keys':[{'name':'mail','fields':['mail'],'unique':true}],'version':1}"

enum {
    SETS,
    PATCHES,
    DELETES
};

/* A change of a thread, and how it ended. */
struct task {
    stele_docs *db;
    int what;
    const char *id;
    char json[128];
    pthread_t thread;
    stele_code rc;
    stele_error err;
    stele_docs_version version;
};

static void *run(void *arg)
{
    struct task *t = arg;

    switch (t->what) {
    case PATCHES:
        t->rc = stele_docs_patch(t->db, stele_str(t->id), stele_str(t->json), &t->version, &t->err);
        break;
    case DELETES:
        t->rc = stele_docs_delete(t->db, stele_str(t->id), &t->version, &t->err);
        break;
    default:
        t->rc = stele_docs_set(t->db, stele_str(t->id), stele_str(t->json), &t->version, &t->err);
    }
    return NULL;
}

/* How many stand in the line; SIZE_MAX: nobody leads. */
static size_t in_line(stele_docs *db)
{
    struct sti_docs_line *line = &db->line;
    size_t count = SIZE_MAX;

    sti_mutex_lock(&line->lock);
    if (line->led) {
        count = line->count;
    }
    sti_mutex_unlock(&line->lock);
    return count;
}

static uint64_t begun(stele_docs *db)
{
    uint64_t count;

    sti_mutex_lock(&db->feed);
    count = db->begun;
    sti_mutex_unlock(&db->feed);
    return count;
}

/* The first thread waits for the batch that is open, the others stand in the line behind it. */
static void line_up(struct kit *k, struct task *tasks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        tasks[i].db = k->db;
        assert_int_equal(pthread_create(&tasks[i].thread, NULL, run, &tasks[i]), 0);
        while (in_line(k->db) != i) {
            (void)sched_yield();
        }
    }
}

static void join(struct task *tasks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(pthread_join(tasks[i].thread, NULL), 0);
    }
}

static stele_docs_batch *begin(struct kit *k)
{
    stele_docs_batch *batch = NULL;
    stele_error err;

    CHECK_OK(stele_docs_batch_begin(&batch, k->db, &err), &err);
    return batch;
}

static void end(stele_docs_batch *batch)
{
    stele_error err;

    CHECK_OK(stele_docs_batch_end(batch, &err), &err);
}

static void prepare(struct kit *k, bool durable)
{
    if (durable) {
        kit_close(k);
        k->options.not_durable = false;
        kit_open(k);
    }
    kit_register(k, TYPE);
    (void)kit_set(k, "old", "{'@type':'user','mail':'owned','n':1}");
    (void)kit_set(k, "gone", "{'@type':'user','mail':'gone'}");
}

/* All in one batch; who is refused is so alone. */
static void make_together(struct kit *k)
{
    struct task tasks[] = {
            {.what = SETS, .id = "a", .json = "{\"@type\":\"user\",\"mail\":\"a\"}"},
            {.what = SETS, .id = "thief", .json = "{\"@type\":\"user\",\"mail\":\"owned\"}"},
            {.what = SETS, .id = "b", .json = "{\"@type\":\"user\",\"mail\":\"b\"}"},
            {.what = SETS, .id = "late", .json = "{\"@type\":\"user\",\"mail\":\"b\"}"},
            {.what = DELETES, .id = "nobody"},
            {.what = DELETES, .id = "gone"},
            {.what = PATCHES, .id = "old", .json = "{\"n\":2}"},
            {.what = SETS, .id = "new", .json = "{\"@type\":\"user\",\"mail\":\"gone\"}"},
    };
    const stele_code codes[] = {STELE_OK, STELE_ECONFLICT, STELE_OK, STELE_ECONFLICT,
            STELE_ENOTFOUND, STELE_OK, STELE_OK, STELE_OK};
    size_t count = sizeof tasks / sizeof tasks[0];
    stele_docs_batch *batch = begin(k);
    uint64_t before = begun(k->db);

    line_up(k, tasks, count);
    end(batch);
    join(tasks, count);
    assert_int_equal(begun(k->db) - before, 1);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(tasks[i].rc, codes[i]);
        assert_int_equal(tasks[i].rc != STELE_OK, tasks[i].err.code != STELE_OK);
    }
    assert_true(kit_compare_versions(tasks[0].version, tasks[2].version) < 0);
    kit_check(k, "old", "{'@type':'user','mail':'owned','n':2}");
    kit_check(k, "a", "{'@type':'user','mail':'a'}");
    kit_check(k, "thief", NULL);
    kit_check(k, "late", NULL);
    kit_check(k, "gone", NULL);
    kit_check_match(k, "user", "{'mail':'gone'}", "new");
    assert_int_equal(in_line(k->db), SIZE_MAX);
}

static void test_one_batch(void **state)
{
    prepare(*state, false);
    make_together(*state);
}

static void test_durable(void **state)
{
    struct kit *k = *state;

    prepare(k, true);
    make_together(k);
    kit_close(k);
    kit_open(k);
    kit_check(k, "old", "{'@type':'user','mail':'owned','n':2}");
    kit_check(k, "b", "{'@type':'user','mail':'b'}");
}

/* The first one fails after it wrote: the clock has gone on, and so it stored a ceiling. */
static void test_each_for_itself(void **state)
{
    struct kit *k = *state;
    struct task tasks[] = {
            {.what = SETS, .id = "thief", .json = "{\"@type\":\"user\",\"mail\":\"owned\"}"},
            {.what = SETS, .id = "a", .json = "{\"@type\":\"user\",\"mail\":\"a\"}"},
            {.what = SETS, .id = "thief", .json = "{\"@type\":\"user\",\"mail\":\"a\"}"},
    };
    stele_docs_batch *batch;
    stele_docs_validated found = {.faults = 0};
    stele_error err;
    uint64_t before;

    prepare(k, false);
    batch = begin(k);
    before = begun(k->db);
    k->now += (stele_time)3600 * 1000000;
    line_up(k, tasks, 3);
    end(batch);
    join(tasks, 3);
    /* The one that was taken back, and one for each. */
    assert_int_equal(begun(k->db) - before, 1 + 3);
    assert_int_equal(tasks[0].rc, STELE_ECONFLICT);
    assert_int_equal(tasks[1].rc, STELE_OK);
    assert_int_equal(tasks[2].rc, STELE_ECONFLICT);
    kit_check_all(k, "a gone old");
    CHECK_OK(stele_docs_validate(k->db, NULL, NULL, &found, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_one_batch, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_durable, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_each_for_itself, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
