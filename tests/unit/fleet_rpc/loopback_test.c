/* SPDX-License-Identifier: MIT
 *
 * loopback_test.c: the fleet within one process.
 */
#include "base/alloc.h"
#include "lib/check.h"
#include "lib/fleet_suite.h"

static void *begin(void)
{
    stele_fleet_hub *hub = NULL;
    stele_error err;

    CHECK_OK(stele_fleet_hub_new(&hub, &err), &err);
    return hub;
}

static stele_fleet *join(void *state, const char *name)
{
    stele_fleet *f = NULL;
    stele_error err;

    CHECK_OK(stele_fleet_hub_join(state, name, &f, &err), &err);
    return f;
}

static void end(void *state)
{
    stele_fleet_hub_free(state);
}

static void test_names(void **state)
{
    stele_fleet_hub *hub = begin();
    stele_fleet *a = join(hub, "a");
    stele_fleet *b = NULL;
    char name[STELE_FLEET_NAME_MAX + 2];
    stele_error err;

    (void)state;
    memset(name, 'x', sizeof name);
    name[STELE_FLEET_NAME_MAX + 1] = 0;
    CHECK_CODE(stele_fleet_hub_join(hub, "a", &b, &err), STELE_EEXIST);
    CHECK_CODE(stele_fleet_hub_join(hub, "", &b, &err), STELE_EINVAL);
    CHECK_CODE(stele_fleet_hub_join(hub, NULL, &b, &err), STELE_EINVAL);
    CHECK_CODE(stele_fleet_hub_join(hub, name, &b, &err), STELE_EINVAL);
    name[STELE_FLEET_NAME_MAX] = 0;
    CHECK_OK(stele_fleet_hub_join(hub, name, &b, &err), &err);
    assert_int_equal(a->ops->count_all(a), 2);
    stele_fleet_close(b);
    b = join(hub, name);
    assert_int_equal(a->ops->count_all(a), 2);
    stele_fleet_close(b);
    stele_fleet_close(a);
    stele_fleet_close(NULL);
    end(hub);
    stele_fleet_hub_free(NULL);
}

static stele_code echo(
        void *arg, const char *from, stele_bytes data, stele_buf *reply, stele_error *err)
{
    (void)arg;
    (void)from;
    return stele_buf_append(reply, data, err);
}

static void ignore(void *arg, const char *peer, stele_code code, stele_bytes reply)
{
    (void)arg;
    (void)peer;
    (void)code;
    (void)reply;
}

static bool fails(void *arg)
{
    int *left = arg;

    return (*left)-- == 0;
}

/* Some calls, the n-th allocation of which fails: they fail or not, and leak nothing. Threads of
 * peers allocate only while the test waits for them. */
static stele_code some_calls(void)
{
    stele_fleet_hub *hub = NULL;
    stele_fleet *a = NULL;
    stele_fleet *b = NULL;
    stele_buf reply;
    stele_code rc = stele_fleet_hub_new(&hub, NULL);

    stele_buf_init(&reply, SIZE_MAX);
    rc = rc == STELE_OK ? stele_fleet_hub_join(hub, "a", &a, NULL) : rc;
    rc = rc == STELE_OK ? stele_fleet_hub_join(hub, "b", &b, NULL) : rc;
    rc = rc == STELE_OK ? b->ops->connect(b, echo, NULL, NULL) : rc;
    rc = rc == STELE_OK ? a->ops->request(a, "b", stele_str("x"), NULL, &reply, NULL) : rc;
    rc = rc == STELE_OK ? a->ops->all(a, stele_str("x"), NULL, ignore, NULL, NULL) : rc;
    rc = rc == STELE_OK ? a->ops->broadcast(a, stele_str("x"), NULL) : rc;
    stele_buf_free(&reply);
    stele_fleet_close(b);
    stele_fleet_close(a);
    stele_fleet_hub_free(hub);
    return rc;
}

static void test_memory(void **state)
{
    stele_code rc = STELE_ENOMEM;
    int failed = 0;

    (void)state;
    for (int n = 0; n < 64; n++) {
        int left = n;

        sti_alloc_set_hook(fails, &left);
        rc = some_calls();
        sti_alloc_set_hook(NULL, NULL);
        assert_true(rc == STELE_OK || rc == STELE_ENOMEM || rc == STELE_EPEER);
        failed += rc != STELE_OK;
    }
    assert_int_equal(rc, STELE_OK);
    assert_true(failed >= 8);
}

int main(void)
{
    const struct fleet_suite_factory factory = {
            .name = "loopback", .begin = begin, .join = join, .end = end};
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_names),
            cmocka_unit_test(test_memory),
    };
    int failed = fleet_suite_run(&factory);

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
