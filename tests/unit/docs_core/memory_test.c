/* SPDX-License-Identifier: MIT
 *
 * memory_test.c: each allocation of a call fails in turn: it is reported, and nothing has changed.
 */
#include "base/alloc.h"
#include "base/coding.h"
#include "docs/apply.h"
#include "kit.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#ifdef STI_TESTING

#define TYPE(version)                                                                \
    "{'name':'t','keys':[{'name':'u','fields':['u'],'method':'utf8','unique':true}," \
    "{'name':'n','fields':['n'],'method':'binary','array':true}],'version':" version "}"

enum {
    MOST = 5000 /* allocations of one call, and more */
};

/* The thread that commits has its own allocations, which are none of the call's. */
struct failing {
    pthread_t thread;
    int left;
};

static bool count_down(void *arg)
{
    struct failing *f = arg;

    return pthread_equal(f->thread, pthread_self()) != 0 && f->left-- == 0;
}

static stele_code do_set(struct kit *k, stele_error *err)
{
    return stele_docs_set(k->db, stele_str("b"),
            stele_str("{\"@type\":\"t\",\"u\":\"y\",\"n\":[1,2,3]}"), NULL, err);
}

static stele_code do_delete(struct kit *k, stele_error *err)
{
    return stele_docs_delete(k->db, stele_str("b"), NULL, err);
}

static stele_code do_register(struct kit *k, stele_error *err)
{
    return stele_docs_register(k->db,
            stele_str("{\"name\":\"t\",\"keys\":[{\"name\":\"u\",\"fields\":[\"u\"],\"method\":"
                      "\"binary\",\"unique\":true}],\"version\":2}"),
            err);
}

static stele_code do_search(struct kit *k, stele_error *err)
{
    stele_docs_search search;
    stele_docs_iter *it = NULL;
    stele_code rc;

    stele_docs_search_init(&search);
    search.type = "t";
    search.bound_field = "n";
    search.low = stele_str("1");
    rc = stele_docs_search_begin(&it, k->db, &search, err);
    while (rc == STELE_OK) {
        rc = stele_docs_iter_next(it, NULL, NULL, err);
    }
    stele_docs_iter_end(it);
    return rc == STELE_END ? STELE_OK : rc;
}

static stele_code do_validate(struct kit *k, stele_error *err)
{
    return stele_docs_validate(k->db, NULL, NULL, NULL, err);
}

static stele_code do_reindex(struct kit *k, stele_error *err)
{
    return stele_docs_reindex(k->db, err);
}

static stele_code do_expire(struct kit *k, stele_error *err)
{
    return stele_docs_expire(k->db, 0, NULL, err);
}

static stele_code do_trim(struct kit *k, stele_error *err)
{
    return stele_docs_trim(k->db, k->now, NULL, err);
}

static stele_code hear(void *arg, const stele_docs_entry *entry, stele_error *err)
{
    (void)arg;
    (void)entry;
    (void)err;
    return STELE_OK;
}

static stele_code do_feed(struct kit *k, stele_error *err)
{
    return stele_docs_feed(k->db, 0, hear, NULL, err);
}

static stele_code do_status(struct kit *k, stele_error *err)
{
    stele_docs_status status;
    stele_code rc = stele_docs_get_status(k->db, &status, err);

    return rc == STELE_OK ? stele_docs_wait_ready(k->db, NULL, err) : rc;
}

static stele_code ignore(void *arg, const void *data, size_t len, stele_error *err)
{
    (void)arg;
    (void)data;
    (void)len;
    (void)err;
    return STELE_OK;
}

static stele_code do_dump(struct kit *k, stele_error *err)
{
    return stele_docs_debug_dump(k->db, ignore, NULL, err);
}

static stele_code do_patch(struct kit *k, stele_error *err)
{
    return stele_docs_patch(k->db, stele_str("b"), stele_str("{\"n\":[1,2,3]}"), NULL, err);
}

/* What could not be saved is not there, under its name or another one. */
static stele_code do_save(struct kit *k, stele_error *err)
{
    char path[sizeof k->tmp.path + 16];
    char other[sizeof path + 8];
    stele_code rc;

    (void)snprintf(path, sizeof path, "%s/out", k->tmp.path);
    (void)snprintf(other, sizeof other, "%s.tmp", path);
    rc = stele_docs_backup_save(k->db, path, NULL, NULL, err);
    assert_int_equal(access(path, F_OK), rc == STELE_OK ? 0 : -1);
    assert_int_equal(access(other, F_OK), -1);
    return rc;
}

/* A reader that could not open has nothing open. */
static void test_reader(void **state)
{
    struct kit *k = *state;
    static struct failing failing;
    stele_code rc = STELE_ENOMEM;
    int failed = 0;

    kit_register(k, TYPE("1"));
    kit_set(k, "a", "{'@type':'t','u':'x','n':[2,3]}");
    kit_close(k);
    k->options.read_only = true;
    for (int n = 0; rc != STELE_OK && n < MOST; n++) {
        stele_error err;
        failing = (struct failing){.thread = pthread_self(), .left = n};

        sti_alloc_set_hook(count_down, &failing);
        rc = stele_docs_open(&k->db, k->tmp.path, &k->options, &err);
        sti_alloc_set_hook(NULL, &failing);
        assert_true(rc == STELE_OK || rc == STELE_ENOMEM);
        failed += rc == STELE_OK ? 0 : 1;
    }
    assert_int_equal(rc, STELE_OK);
    assert_true(failed > 0);
    kit_check_match(k, "t", "{'n':2}", "a");
}

/* Until it succeeds: the n-th allocation fails, for every n. */
static void try_all(struct kit *k, stele_code (*call)(struct kit *k, stele_error *err),
        const char *before, const char *after)
{
    static struct failing failing; /* a thread may look at it when the hook has gone */
    stele_code rc = STELE_ENOMEM;
    int failed = 0;

    kit_check(k, "b", before);
    for (int n = 0; rc != STELE_OK && n < MOST; n++) {
        stele_error err;
        failing = (struct failing){.thread = pthread_self(), .left = n};

        sti_alloc_set_hook(count_down, &failing);
        rc = call(k, &err);
        sti_alloc_set_hook(NULL, &failing);
        if (rc != STELE_OK) {
            assert_int_equal(rc, STELE_ENOMEM);
            assert_int_equal(err.code, STELE_ENOMEM);
            kit_check(k, "b", before);
            failed++;
        }
    }
    assert_int_equal(rc, STELE_OK);
    assert_true(failed > 0);
    kit_check(k, "b", after);
}

static void test_each_allocation(void **state)
{
    static const char b[] = "{'@type':'t','u':'y','n':[1,2,3]}";
    struct kit *k = *state;

    kit_register(k, TYPE("1"));
    kit_set(k, "a", "{'@type':'t','u':'x','n':[2,3]}");
    try_all(k, do_set, NULL, b);
    kit_check_match(k, "t", "{'n':2}", "a b");
    kit_check_match(k, "t", "{'u':'Y'}", "b");
    try_all(k, do_search, b, b);
    try_all(k, do_patch, b, b);
    try_all(k, do_validate, b, b);
    try_all(k, do_reindex, b, b);
    try_all(k, do_validate, b, b);
    try_all(k, do_save, b, b);
    try_all(k, do_register, b, b);
    kit_check_match(k, "t", "{'u':'Y'}", "");
    kit_check_match(k, "t", "{'u':'y'}", "b");
    try_all(k, do_feed, b, b);
    try_all(k, do_status, b, b);
    try_all(k, do_dump, b, b);
    k->now += INT64_C(86400) * 1000000;
    kit_set(k, "c", "{}");
    try_all(k, do_trim, b, b);
    try_all(k, do_validate, b, b);
    try_all(k, do_delete, b, NULL);
    kit_check_match(k, "t", NULL, "a");
    kit_close(k);
    kit_open(k);
    kit_check_match(k, "t", NULL, "a");
}

/* What the clock believes to be stored is. */
static void check_ceiling(struct kit *k)
{
    stele_store_read *read = NULL;
    stele_bytes value = stele_nil();
    bool found = false;
    stele_error err;

    CHECK_OK(stele_store_read_begin(&read, k->db->store, &err), &err);
    CHECK_OK(sti_docs_read(read, STI_DOCS_MET, stele_str("ceiling"), &value, &found, &err), &err);
    assert_true(found);
    assert_int_equal(value.len, 1 + 8 + 4);
    assert_true((int64_t)sti_get_be64(value.data + 1) >= k->db->clock.ceiling.seconds);
    stele_store_read_end(read);
}

static void test_ceiling(void **state)
{
    struct kit *k = *state;
    static struct failing failing;
    stele_code rc = STELE_ENOMEM;
    int failed = 0;

    kit_set(k, "a", "{}");
    kit_close(k);
    k->options.not_durable = false;
    kit_open(k);
    /* The first one that is durable makes the store's log, at its end. */
    for (int n = 0; rc != STELE_OK && n < MOST; n++) {
        stele_error err;
        failing = (struct failing){.thread = pthread_self(), .left = n};

        k->now += INT64_C(86400) * 1000000;
        sti_alloc_set_hook(count_down, &failing);
        rc = do_set(k, &err);
        sti_alloc_set_hook(NULL, &failing);
        assert_true(rc == STELE_OK || rc == STELE_ENOMEM);
        check_ceiling(k);
        failed += rc == STELE_OK ? 0 : 1;
    }
    assert_int_equal(rc, STELE_OK);
    assert_true(failed > 0);
}

static void test_expiry(void **state)
{
    static const char b[] = "{'@type':'e','u':1,'at':1800000000}";
    struct kit *k = *state;
    stele_error err;

    kit_register(k, "{'name':'e','keys':[{'name':'u','fields':['u'],'method':'binary',"
                    "'unique':true}],'version':1,'expiry':'at'}");
    kit_set(k, "b", b);
    try_all(k, do_validate, b, b);
    try_all(k, do_dump, b, b);
    k->now = INT64_C(1800000000) * 1000000;
    try_all(k, do_expire, NULL, NULL);
    try_all(k, do_validate, NULL, NULL);
    CHECK_OK(stele_docs_reindex(k->db, &err), &err);
    kit_check_all(k, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_expiry, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_each_allocation, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_reader, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_ceiling, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    return 0;
}

#endif
