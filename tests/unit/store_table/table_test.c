/* SPDX-License-Identifier: MIT
 *
 * table_test.c: versions, drops, rollbacks, the order of writing, cursors.
 */
#include "store/table.h"

#include "lib/check.h"

#include <inttypes.h>
#include <stdio.h>

static stele_code put(struct sti_table *t, uint64_t seq, uint32_t b, const char *k, const char *v)
{
    return sti_table_put(t, seq, b, stele_str(k), stele_str(v), NULL);
}

static stele_code del(struct sti_table *t, uint64_t seq, uint32_t b, const char *k)
{
    return sti_table_delete(t, seq, b, stele_str(k), NULL);
}

/* `value` NULL: deleted; "-": absent. */
static void gives(const struct sti_table *t, uint64_t seq, uint32_t bucket, const char *key,
        const char *value)
{
    stele_bytes got = stele_nil();
    enum sti_found found = sti_table_get(t, seq, bucket, stele_str(key), &got);

    if (value == NULL) {
        assert_int_equal(found, STI_DELETED);
    } else if (strcmp(value, "-") == 0) {
        assert_int_equal(found, STI_ABSENT);
    } else {
        assert_int_equal(found, STI_PRESENT);
        CHECK_BYTES(got, stele_str(value));
    }
}

/* The keys and values that a cursor gives: "1/a=x 1/b 2/c=y ", where b is
 * deleted. */
static void lists(const struct sti_table *t, uint64_t seq, const char *expected)
{
    struct sti_cursor c;
    char text[1000] = "";
    size_t len = 0;

    sti_cursor_init(&c, t, seq);
    for (bool ok = sti_cursor_seek(&c, 0, stele_nil()); ok; ok = sti_cursor_next(&c)) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%" PRIu32 "/%.*s%s%.*s ",
                c.entry->bucket, (int)c.entry->key_len, (const char *)c.entry->key,
                c.version->kind == STI_WRITE_DELETE ? "" : "=", (int)c.version->value_len,
                (const char *)c.version->value);
    }
    assert_string_equal(text, expected);
    assert_null(c.entry);
}

static void test_empty(void **state)
{
    struct sti_table t;
    struct sti_cursor c;
    struct sti_write w;
    struct sti_table_mark mark = {0};

    (void)state;
    sti_table_init(&t);
    gives(&t, UINT64_MAX, 1, "a", "-");
    assert_false(sti_table_dropped(&t, UINT64_MAX, 1));
    sti_cursor_init(&c, &t, UINT64_MAX);
    assert_false(sti_cursor_seek(&c, 0, stele_nil()));
    assert_false(sti_cursor_before(&c, 1, stele_nil()));
    assert_false(sti_cursor_last(&c));
    assert_false(sti_table_written(&t, UINT64_MAX, &mark, &w));
    sti_table_rollback(&t, &mark);
    assert_int_equal(sti_table_size(&t).memory, 0);
    sti_table_free(&t);
}

static void test_versions(void **state)
{
    static const uint8_t large[100000];
    struct sti_table t;

    (void)state;
    sti_table_init(&t);
    CHECK_OK(put(&t, 1, 1, "a", "one"), NULL);
    CHECK_OK(put(&t, 2, 1, "a", "two"), NULL);
    CHECK_OK(put(&t, 2, 1, "", "empty key"), NULL);
    CHECK_OK(put(&t, 2, 1, "a", "two again"), NULL);
    CHECK_OK(del(&t, 4, 1, "a"), NULL);
    CHECK_OK(del(&t, 4, 1, "never there"), NULL);
    CHECK_OK(put(&t, 4, 2, "a", ""), NULL);
    gives(&t, 0, 1, "a", "-");
    gives(&t, 1, 1, "a", "one");
    gives(&t, 2, 1, "a", "two again");
    gives(&t, 3, 1, "a", "two again");
    gives(&t, 4, 1, "a", NULL);
    gives(&t, 4, 1, "never there", NULL);
    gives(&t, 3, 1, "never there", "-");
    gives(&t, 2, 1, "", "empty key");
    gives(&t, 4, 2, "a", "");
    gives(&t, 4, 3, "a", "-");
    lists(&t, 0, "");
    lists(&t, 1, "1/a=one ");
    lists(&t, 3, "1/=empty key 1/a=two again ");
    lists(&t, 4, "1/=empty key 1/a 1/never there 2/a= ");
    assert_int_equal(sti_table_size(&t).writes, 7);
    assert_int_equal(sti_table_size(&t).bytes, 4 + 4 + 9 + 10 + 1 + 11 + 1);
    assert_int_equal(sti_table_size(&t).memory, 4096); /* the first chunk */
    CHECK_OK(sti_table_put(&t, 5, 1, stele_str("b"), stele_bytes_of(large, sizeof large), NULL),
            NULL);
    assert_true(sti_table_size(&t).memory >= 4096 + sizeof large);
    sti_table_free(&t);
}

static void test_drop(void **state)
{
    struct sti_table t;

    (void)state;
    sti_table_init(&t);
    CHECK_OK(put(&t, 1, 1, "a", "x"), NULL);
    CHECK_OK(put(&t, 1, 2, "a", "other"), NULL);
    CHECK_OK(sti_table_drop(&t, 2, 1, NULL), NULL);
    CHECK_OK(put(&t, 3, 1, "b", "new"), NULL);
    CHECK_OK(put(&t, 4, 1, "c", "gone"), NULL);
    CHECK_OK(sti_table_drop(&t, 4, 1, NULL), NULL);
    CHECK_OK(put(&t, 4, 1, "d", "in the same batch"), NULL);
    lists(&t, 1, "1/a=x 2/a=other ");
    lists(&t, 2, "2/a=other ");
    lists(&t, 3, "1/b=new 2/a=other ");
    lists(&t, 4, "1/d=in the same batch 2/a=other ");
    gives(&t, 1, 1, "b", "-");
    gives(&t, 2, 1, "b", NULL); /* whatever is below */
    gives(&t, 2, 1, "a", NULL);
    gives(&t, 3, 1, "b", "new");
    gives(&t, 4, 1, "c", NULL);
    gives(&t, 4, 1, "d", "in the same batch");
    gives(&t, 4, 2, "a", "other");
    assert_false(sti_table_dropped(&t, 1, 1));
    assert_true(sti_table_dropped(&t, 2, 1));
    assert_false(sti_table_dropped(&t, 9, 2));
    sti_table_free(&t);
}

static void test_rollback(void **state)
{
    struct sti_table t;
    struct sti_table_mark mark;

    (void)state;
    sti_table_init(&t);
    mark = sti_table_mark(&t);
    CHECK_OK(put(&t, 1, 1, "x", "first of all"), NULL);
    sti_table_rollback(&t, &mark);
    lists(&t, UINT64_MAX, "");
    CHECK_OK(put(&t, 1, 1, "a", "kept"), NULL);
    CHECK_OK(put(&t, 1, 1, "b", "kept"), NULL);
    mark = sti_table_mark(&t);
    CHECK_OK(put(&t, 2, 1, "a", "1"), NULL);
    CHECK_OK(put(&t, 2, 1, "a", "2"), NULL);
    CHECK_OK(del(&t, 2, 1, "b"), NULL);
    CHECK_OK(put(&t, 2, 1, "c", "3"), NULL);
    CHECK_OK(sti_table_drop(&t, 2, 1, NULL), NULL);
    CHECK_OK(sti_table_drop(&t, 2, 2, NULL), NULL);
    gives(&t, 2, 1, "a", NULL);
    sti_table_rollback(&t, &mark);
    lists(&t, UINT64_MAX, "1/a=kept 1/b=kept ");
    gives(&t, 2, 1, "c", "-");
    assert_false(sti_table_dropped(&t, 2, 1));
    assert_int_equal(sti_table_size(&t).writes, 2);
    assert_int_equal(sti_table_size(&t).bytes, 10);
    /* The seq and the keys may be used again. */
    CHECK_OK(put(&t, 2, 1, "c", "again"), NULL);
    lists(&t, 2, "1/a=kept 1/b=kept 1/c=again ");
    sti_table_free(&t);
}

static void test_order_of_writing(void **state)
{
    struct sti_table t;
    struct sti_table_mark mark = {0};
    struct sti_table_mark middle;
    struct sti_write w;

    (void)state;
    sti_table_init(&t);
    CHECK_OK(put(&t, 1, 1, "b", "x"), NULL);
    CHECK_OK(del(&t, 2, 1, "a"), NULL);
    middle = sti_table_mark(&t);
    CHECK_OK(put(&t, 3, 7, "taken back", ""), NULL);
    sti_table_rollback(&t, &middle);
    CHECK_OK(put(&t, 3, 1, "b", "y"), NULL);
    CHECK_OK(sti_table_drop(&t, 4, 1, NULL), NULL);
    assert_true(sti_table_written(&t, 2, &mark, &w));
    assert_int_equal(w.kind, STI_WRITE_PUT);
    assert_int_equal(w.seq, 1);
    assert_int_equal(w.bucket, 1);
    CHECK_BYTES(w.key, stele_str("b"));
    CHECK_BYTES(w.value, stele_str("x"));
    assert_true(sti_table_written(&t, 2, &mark, &w));
    assert_int_equal(w.kind, STI_WRITE_DELETE);
    CHECK_BYTES(w.key, stele_str("a"));
    CHECK_BYTES(w.value, stele_nil());
    assert_memory_equal(&mark, &middle, sizeof mark);
    assert_false(sti_table_written(&t, 2, &mark, &w));
    assert_true(sti_table_written(&t, 3, &mark, &w));
    CHECK_BYTES(w.value, stele_str("y"));
    assert_false(sti_table_written(&t, 3, &mark, &w));
    assert_true(sti_table_written(&t, 4, &mark, &w));
    assert_int_equal(w.kind, STI_WRITE_DROP);
    assert_int_equal(w.bucket, 1);
    middle = sti_table_mark(&t);
    assert_memory_equal(&mark, &middle, sizeof mark);
    assert_false(sti_table_written(&t, UINT64_MAX, &mark, &w));
    sti_table_free(&t);
}

/* ---- Many keys. ---- */

enum {
    MANY = 5000
};

/* The i-th key of some order of writing, as a text of its rank. */
static stele_bytes numbered(char text[16], unsigned rank)
{
    return stele_bytes_of(text, (size_t)snprintf(text, 16, "key %07u", rank));
}

/* Ascending, descending, from both ends, in the middle, and shuffled. */
static unsigned rank_in(unsigned way, unsigned i)
{
    switch (way) {
    case 0:
        return i;
    case 1:
        return MANY - 1 - i;
    case 2:
        return i % 2 == 0 ? i / 2 : MANY - 1 - i / 2;
    case 3:
        return i % 2 == 0 ? MANY / 2 + i / 2 : MANY / 2 - 1 - i / 2;
    default:
        return (unsigned)((uint64_t)i * 2654435761U % MANY);
    }
}

static void test_ways_to_grow(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 5; way++) {
        struct sti_table t;
        struct sti_cursor c;
        char text[16];
        unsigned at = 0;
        bool ok;

        sti_table_init(&t);
        for (unsigned i = 0; i < MANY; i++) {
            stele_bytes key = numbered(text, rank_in(way, i));

            CHECK_OK(sti_table_put(&t, i + 1, 3, key, key, NULL), NULL);
        }
        sti_cursor_init(&c, &t, UINT64_MAX);
        for (ok = sti_cursor_seek(&c, 0, stele_nil()); ok; ok = sti_cursor_next(&c)) {
            CHECK_BYTES(sti_entry_key(c.entry), numbered(text, at));
            at++;
        }
        assert_int_equal(at, MANY);
        for (ok = sti_cursor_last(&c); ok; ok = sti_cursor_prev(&c)) {
            at--;
            CHECK_BYTES(sti_entry_key(c.entry), numbered(text, at));
        }
        assert_int_equal(at, 0);
        for (unsigned i = 0; i < MANY; i++) {
            stele_bytes value = stele_nil();
            stele_bytes key = numbered(text, rank_in(way, i));

            assert_int_equal(sti_table_get(&t, i + 1, 3, key, &value), STI_PRESENT);
            CHECK_BYTES(value, key);
            assert_int_equal(sti_table_get(&t, i, 3, key, &value), STI_ABSENT);
        }
        sti_table_free(&t);
    }
}

/* A cursor may stand in a leaf that was divided since, and goes on as if
 * nothing had happened. */
static void test_cursor_outlives_its_leaf(void **state)
{
    (void)state;
    for (unsigned forwards = 0; forwards < 2; forwards++) {
        struct sti_table t;
        struct sti_cursor c;
        char text[16];
        bool ok;

        sti_table_init(&t);
        for (unsigned i = 0; i < MANY; i++) {
            unsigned rank = rank_in(4, i);

            if (rank % 10 == 0) {
                CHECK_OK(sti_table_put(&t, 1, 3, numbered(text, rank), stele_empty(), NULL), NULL);
            }
        }
        sti_cursor_init(&c, &t, 1);
        ok = forwards ? sti_cursor_seek(&c, 3, stele_nil()) : sti_cursor_last(&c);
        for (unsigned i = 0; i < MANY / 10; i++) {
            unsigned rank = (forwards ? i : MANY / 10 - 1 - i) * 10;

            assert_true(ok);
            CHECK_BYTES(sti_entry_key(c.entry), numbered(text, rank));
            for (unsigned k = 1; k < 10; k++) { /* around it */
                unsigned near = (rank + k + MANY - 5) % MANY;

                CHECK_OK(sti_table_put(&t, 2 + i, 3, numbered(text, near), stele_empty(), NULL),
                        NULL);
            }
            ok = forwards ? sti_cursor_next(&c) : sti_cursor_prev(&c);
        }
        assert_false(ok);
        sti_table_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_empty),
            cmocka_unit_test(test_versions),
            cmocka_unit_test(test_drop),
            cmocka_unit_test(test_rollback),
            cmocka_unit_test(test_order_of_writing),
            cmocka_unit_test(test_ways_to_grow),
            cmocka_unit_test(test_cursor_outlives_its_leaf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
