/* SPDX-License-Identifier: MIT
 *
 * The table that a merge collects operations in: few keys and many come out in order, those without
 * bytes, those that begin alike, and those that go on behind where others end included.
 */
#include "journal/table.h"

#include "base/alloc.h"
#include "lib/check.h"

enum {
    KEY_MAX = 24
};

/* A key of at most KEY_MAX bytes that depends on i alone; different for each i of one kind. */
static size_t make_key(unsigned kind, size_t i, uint8_t *out)
{
    static const char same[] = "all of them begin";
    size_t len = 0;

    if (kind == 1) {
        len = sizeof same - 1;
        memcpy(out, same, len);
    } else if (kind == 2) {
        /* Eight bytes that few have for themselves. */
        memset(out, (int)(i % 7), 8);
        len = 8;
    }
    for (size_t rest = i; rest > 0; rest /= 251) {
        out[len++] = (uint8_t)(rest % 251);
    }
    return len;
}

static void sort_keys(unsigned kind, size_t count)
{
    struct sti_journal_table t = {0};
    struct sti_journal_order order = {0};
    uint8_t *keys = sti_malloc(count * KEY_MAX + 1);

    assert_non_null(keys);
    for (size_t i = 0; i < count; i++) {
        uint8_t *key = keys + i * KEY_MAX;
        stele_bytes bytes = stele_bytes_of(key, make_key(kind, i, key));
        struct sti_journal_slot *slot =
                sti_journal_table_add(&t, (i + 1) * UINT64_C(0x9e3779b97f4a7c15) >> 20, bytes);

        assert_non_null(slot);
        slot->item.encoded = key;
    }
    for (int again = 0; again < 2; again++) {
        assert_true(sti_journal_table_sort(&t, &order));
        assert_int_equal(order.count, count);
        for (size_t i = 1; i < count; i++) {
            assert_true(stele_bytes_compare(sti_journal_slot_key(order.items[i - 1].slot),
                                sti_journal_slot_key(order.items[i].slot)) < 0);
        }
    }
    sti_journal_order_free(&order);
    sti_journal_table_free(&t);
    sti_free(keys);
}

static void test_order(void **state)
{
    static const size_t counts[] = {0, 1, 2, 3, 100, 511, 512, 513, 5000, 70000};

    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) {
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            sort_keys(kind, counts[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
