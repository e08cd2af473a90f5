/* SPDX-License-Identifier: MIT
 *
 * anew_test.c: documents get the keys of a new definition in batches: what is found meanwhile, what
 * is changed meanwhile, and where it is interrupted.
 */
#include "base/alloc.h"
#include "docs/apply.h"
#include "kit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define BY(unique, version)                                                               \
    "{'name':'t','keys':[{'name':'n','fields':['n'],'method':'binary'},{'name':'unique'," \
    "'fields':['" unique "'],'method':'binary','unique':true}],'version':" version "}"

enum {
    MANY = 1000,
    GROUPS = 5
};

static void check_valid(struct kit *k)
{
    stele_error err;

    CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
}

static stele_docs_status status_of(struct kit *k)
{
    stele_docs_status status;
    stele_error err;

    CHECK_OK(stele_docs_get_status(k->db, &status, &err), &err);
    return status;
}

static void set_one(struct kit *k, int i)
{
    char id[16];
    char json[64];

    (void)snprintf(id, sizeof id, "%04d", i);
    (void)snprintf(
            json, sizeof json, "{'@type':'t','n':%d,'u':%d,'v':%d}", i % GROUPS, i, MANY - i);
    kit_set(k, id, json);
}

static void fill(struct kit *k)
{
    for (int i = 0; i < MANY; i++) {
        set_one(k, i);
    }
}

/* How many documents a search finds; -1: the definition does not have the key. */
static int find(struct kit *k, const char *match)
{
    stele_docs_search search;
    stele_docs_iter *it = NULL;
    int count = 0;
    stele_code rc;
    stele_error err;

    stele_docs_search_init(&search);
    search.type = "t";
    search.match = match == NULL ? stele_nil() : kit_json(match);
    rc = stele_docs_search_begin(&it, k->db, &search, &err);
    if (rc != STELE_OK) {
        assert_true(rc == STELE_EINVAL || rc == STELE_ETYPE);
        return -1;
    }
    for (;;) {
        rc = stele_docs_iter_next(it, NULL, NULL, &err);
        if (rc == STELE_END) {
            break;
        }
        CHECK_OK(rc, &err);
        count++;
    }
    stele_docs_iter_end(it);
    return count;
}

/* What both definitions have is found whole at any time. */
static void check_whole(struct kit *k)
{
    assert_int_equal(find(k, "{'n':3}"), MANY / GROUPS);
    assert_int_equal(find(k, NULL), MANY);
}

static void begin_background(struct kit *k)
{
    kit_close(k);
    k->options.no_background = false;
    kit_open(k);
}

static void test_background(void **state)
{
    struct kit *k = *state;
    stele_wait now = {.timeout_ms = 0};
    bool ready = false;
    int rounds = 0;
    stele_error err;

    kit_register(k, BY("u", "1"));
    fill(k);
    begin_background(k);
    CHECK_OK(stele_docs_wait_ready(k->db, &now, &err), &err);
    assert_int_equal(status_of(k).state, STELE_DOCS_READY);
    kit_register(k, BY("v", "2"));
    while (!ready) {
        stele_docs_status status = status_of(k);

        ready = status.state == STELE_DOCS_READY;
        assert_true(ready || status.state == STELE_DOCS_REINDEXING);
        assert_true(status.reindex_done <= MANY);
        set_one(k, rounds++ % MANY);
        check_whole(k);
    }
    CHECK_OK(stele_docs_wait_ready(k->db, NULL, &err), &err);
    assert_int_equal(find(k, "{'unique':7}"), -1);
    assert_int_equal(find(k, "{'u':7}"), -1);
    assert_int_equal(find(k, "{'v':7}"), 1);
    check_valid(k);
    assert_int_equal(status_of(k).documents, MANY);
    assert_int_equal(status_of(k).types, 1);
    assert_int_equal(status_of(k).entries, MANY + rounds);
    assert_int_equal(status_of(k).seq, MANY + rounds);
}

/* Closed at once, again and again: it goes on where it was. */
static void test_closed(void **state)
{
    struct kit *k = *state;
    stele_error err;

    fill(k);
    begin_background(k);
    kit_register(k, BY("u", "1"));
    assert_int_equal(find(k, NULL), MANY);
    for (int i = 0; i < 10; i++) {
        kit_close(k);
        k->options.no_background = i % 3 == 2;
        kit_open(k);
        assert_int_equal(find(k, NULL), MANY);
        check_valid(k);
        if (i == 4) {
            kit_register(k, BY("v", "2"));
        }
    }
    CHECK_OK(stele_docs_wait_ready(k->db, NULL, &err), &err);
    check_whole(k);
    assert_int_equal(find(k, "{'v':7}"), 1);
    check_valid(k);
}

static void test_killed(void **state)
{
    struct kit *k = *state;
    stele_error err;

    kit_register(k, BY("v", "2"));
    fill(k);
    for (int i = 0; i < 8; i++) {
        int status = 0;
        pid_t child;

        kit_close(k);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            k->options.no_background = false;
            k->options.not_durable = false;
            if (stele_docs_open(&k->db, k->tmp.path, &k->options, NULL) == STELE_OK &&
                    stele_docs_register(k->db, kit_json(i % 2 == 0 ? BY("u", "1") : BY("v", "2")),
                            NULL) == STELE_OK) {
                (void)usleep((useconds_t)(i * 7000));
                (void)kill(getpid(), SIGKILL);
            }
            _exit(1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        k->options.no_background = false;
        kit_open(k);
        check_whole(k);
        check_valid(k);
    }
    CHECK_OK(stele_docs_wait_ready(k->db, NULL, &err), &err);
    check_whole(k);
    assert_int_equal(find(k, "{'v':7}"), 1);
    check_valid(k);
}

#ifdef STI_TESTING

struct failing {
    pthread_t thread;
    bool others; /* the other threads, rather than this one */
    int left;
};

static bool count_down(void *arg)
{
    struct failing *f = arg;

    return (pthread_equal(f->thread, pthread_self()) != 0) != f->others && f->left-- == 0;
}

/* Begin with a definition, and fail at the n-th allocation. */
static stele_code register_failing(struct kit *k, const char *definition, int n)
{
    static struct failing failing; /* a thread may look at it when the hook has gone */
    stele_bytes json = kit_json(definition);
    stele_code rc;

    failing = (struct failing){.thread = pthread_self(), .left = n};
    sti_alloc_set_hook(count_down, &failing);
    rc = stele_docs_register(k->db, json, NULL);
    sti_alloc_set_hook(NULL, &failing);
    return rc;
}

/* Until some documents have been done, and others not. */
static void stop_in_the_middle(struct kit *k, const char *definition, int n)
{
    assert_int_equal(register_failing(k, definition, n), STELE_ENOMEM);
    assert_int_equal(status_of(k).state, STELE_DOCS_REINDEXING);
    assert_int_equal(status_of(k).reindex_failed, STELE_ENOMEM);
    CHECK_CODE(stele_docs_wait_ready(k->db, NULL, NULL), STELE_ENOMEM);
    assert_true(status_of(k).reindex_done > 0);
    assert_true(status_of(k).reindex_done < MANY);
}

static void test_changed_meanwhile(void **state)
{
    struct kit *k = *state;
    stele_error err;

    kit_register(k, BY("u", "1"));
    fill(k);
    stop_in_the_middle(k, BY("v", "2"), 13000);
    check_valid(k);
    check_whole(k);
    assert_int_equal(find(k, "{'u':7}"), 1);
    /* Before and behind where it is, and new ones. */
    for (int i = 0; i < MANY; i += 100) {
        set_one(k, i);
    }
    kit_set(k, "x", "{'@type':'t','n':9,'u':-1,'v':-1}");
    kit_set(k, "0001", "{'@type':'other'}");
    kit_delete(k, "0002");
    kit_delete(k, "0999");
    check_valid(k);
    assert_int_equal(find(k, NULL), MANY - 2);
    assert_int_equal(find(k, "{'n':9}"), 1);
    /* The old definition holds for all, the new one for those that are done. */
    CHECK_CODE(kit_try_set(k, "y", "{'@type':'t','u':900}", &err), STELE_ECONFLICT);
    CHECK_MESSAGE_HAS(&err, "key unique is that of document 0900");
    CHECK_CODE(kit_try_set(k, "y", "{'@type':'t','v':-1}", &err), STELE_ECONFLICT);
    CHECK_OK(kit_try_set(k, "y", "{'@type':'t','v':50}", &err), &err);
    kit_close(k);
    kit_open(k);
    assert_int_equal(status_of(k).state, STELE_DOCS_READY);
    check_valid(k);
    assert_int_equal(find(k, NULL), MANY - 1);
    assert_int_equal(find(k, "{'n':9}"), 1);
    assert_int_equal(find(k, "{'u':7}"), -1);
    assert_int_equal(status_of(k).conflicts, 1);
    kit_check_match(k, "t", "{'v':50}", "0950");
    kit_check_match(k, "t", "{'v':-1}", "x");
}

/* Whichever allocation fails: whole, also when it is defined anew in the middle. */
static void test_each_failure(void **state)
{
    struct kit *k = *state;
    int failed = 0;
    stele_error err;

    fill(k);
    for (int i = 0; i < 18; i++) {
        const char *definition = i % 3 == 0   ? BY("u", "1")
                                 : i % 3 == 1 ? BY("v", "2")
                                              : "{'name':'t','keys':[{'name':'n','fields':"
                                                "['n'],'method':'binary'}],'version':3}";

        failed += register_failing(k, definition, i * i * 180) != STELE_OK;
        assert_int_equal(find(k, NULL), MANY);
        check_valid(k);
        set_one(k, i * 50);
        if (i % 5 == 4) {
            kit_close(k);
            k->options.no_background = i % 2 == 0;
            kit_open(k);
        }
    }
    assert_true(failed > 8);
    kit_register(k, BY("u", "9"));
    CHECK_OK(stele_docs_wait_ready(k->db, NULL, &err), &err);
    check_whole(k);
    check_valid(k);
    assert_int_equal(find(k, "{'u':7}"), 1);
}

/* In the background it stops, says why, and goes on when it is asked again. */
static void test_failure_in_background(void **state)
{
    static struct failing failing;
    struct kit *k = *state;
    stele_error err;

    fill(k);
    /* The database's thread is to be the only one besides this. */
    k->db->options.no_background = false;
    failing = (struct failing){.thread = pthread_self(), .others = true, .left = 3000};
    sti_alloc_set_hook(count_down, &failing);
    kit_register(k, BY("u", "1"));
    CHECK_CODE(stele_docs_wait_ready(k->db, NULL, &err), STELE_ENOMEM);
    sti_alloc_set_hook(NULL, &failing);
    assert_int_equal(status_of(k).reindex_failed, STELE_ENOMEM);
    check_valid(k);
    kit_register(k, BY("u", "1"));
    CHECK_OK(stele_docs_wait_ready(k->db, NULL, &err), &err);
    check_whole(k);
    check_valid(k);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_background, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_closed, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_killed, kit_set_up, kit_tear_down),
#ifdef STI_TESTING
            cmocka_unit_test_setup_teardown(test_changed_meanwhile, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_each_failure, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_failure_in_background, kit_set_up, kit_tear_down),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
