/* SPDX-License-Identifier: MIT
 *
 * memory_test.c: each allocation of a table fails in turn, and changes nothing.
 */
#include "base/alloc.h"
#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef STI_TESTING

enum {
    WRITES = 600
};

static bool count_down(void *arg)
{
    int *left = arg;

    return (*left)-- == 0;
}

static void check_same(const struct sti_table *t, const struct model *m)
{
    size_t count;
    const struct sti_write **list = model_list(m, 0, m->count, UINT64_MAX, true, &count);
    struct sti_cursor c;
    size_t at = 0;

    sti_cursor_init(&c, t, UINT64_MAX);
    for (bool ok = sti_cursor_seek(&c, 0, stele_nil()); ok; ok = sti_cursor_next(&c)) {
        assert_true(at < count);
        CHECK_BYTES(sti_entry_key(c.entry), list[at]->key);
        CHECK_BYTES(stele_bytes_of(c.version->value, c.version->value_len), list[at]->value);
        at++;
    }
    assert_int_equal(at, count);
    assert_int_equal(sti_table_size(t).writes, m->count);
    free(list);
}

/* Which allocations were met. */
struct met {
    unsigned writes;
    unsigned nodes;
};

/* Write a table while its n-th allocation fails. False: there is no n-th. */
static bool run(int n, size_t value_len, struct met *met)
{
    static const uint8_t value[100] = "value";
    struct sti_table t;
    struct model m = {0};
    int left = n;
    bool failed = false;

    sti_table_init(&t);
    sti_alloc_set_hook(count_down, &left);
    for (unsigned i = 0; i < WRITES; i++) {
        uint64_t seq = i + 1;
        char text[16];
        stele_bytes v = stele_bytes_of(value, value_len);
        stele_bytes key = stele_bytes_of(
                text, (size_t)snprintf(text, sizeof text, "%u", i * 2654435761U % WRITES));
        stele_error err;
        stele_code rc = sti_table_put(&t, seq, 1, key, v, &err);

        if (rc != STELE_OK) {
            char nodes[16];

            (void)snprintf(nodes, sizeof nodes, "%zu bytes", sizeof(struct sti_node));
            assert_int_equal(rc, STELE_ENOMEM);
            assert_false(failed);
            failed = true;
            *(strstr(err.message, nodes) != NULL ? &met->nodes : &met->writes) += 1;
            check_same(&t, &m);
            CHECK_OK(sti_table_put(&t, seq, 1, key, v, NULL), NULL);
        }
        model_add(&m, STI_WRITE_PUT, seq, 1, key, v);
        if (failed && i % 50 == 0) {
            check_same(&t, &m);
        }
    }
    sti_alloc_set_hook(NULL, NULL);
    check_same(&t, &m);
    model_free(&m);
    sti_table_free(&t);
    return failed;
}

/* Memory is asked for in chunks: other sizes meet their ends elsewhere. */
static void test_nth_allocation_fails(void **state)
{
    struct met met = {0, 0};

    (void)state;
    for (size_t len = 0; len < 100; len += 7) {
        int n = 0;

        while (run(n, len, &met)) {
            n++;
        }
        assert_true(n > 3);
    }
    print_message("%u failures in writes, %u in nodes\n", met.writes, met.nodes);
    assert_true(met.writes > 0);
    assert_true(met.nodes > 0);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef STI_TESTING
            cmocka_unit_test(test_nth_allocation_fails),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
