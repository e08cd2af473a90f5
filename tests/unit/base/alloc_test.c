/* SPDX-License-Identifier: MIT
 *
 * alloc_test.c: sizes at the edges, and failures by plan.
 */
#include "base/alloc.h"

#include "lib/check.h"

static void test_sizes_of_zero(void **state)
{
    void *a = sti_malloc(0);
    void *b = sti_calloc(0, 8);
    void *c = sti_calloc(8, 0);
    void *d = sti_realloc(NULL, 0, 8);

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_non_null(d);
    d = sti_realloc(d, 8, 0);
    assert_non_null(d);
    sti_free(a);
    sti_free(b);
    sti_free(c);
    sti_free(d);
    sti_free(NULL);
}

static void test_content(void **state)
{
    uint8_t *p = sti_calloc(100, 10);
    char *s;

    (void)state;
    assert_non_null(p);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(p[i], 0);
        p[i] = (uint8_t)i;
    }
    p = sti_realloc(p, 500, 10);
    assert_non_null(p);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(p[i], (uint8_t)i);
    }
    sti_free(p);
    s = sti_strdup("copy");
    assert_non_null(s);
    assert_string_equal(s, "copy");
    sti_free(s);
}

static void test_products_that_overflow(void **state)
{
    /* Volatile, or the compiler foresees that it cannot work. */
    volatile size_t half = SIZE_MAX / 2 + 1;
    uint8_t *p = sti_malloc(1);

    (void)state;
    assert_non_null(p);
    *p = 7;
    assert_null(sti_calloc(half, 2));
    assert_null(sti_calloc(half, half));
    assert_null(sti_realloc(p, half, 2)); /* 0 when it wraps */
    assert_null(sti_realloc(p, half + 1, 2));
    assert_int_equal(*p, 7);
    sti_free(p);
}

static void test_error(void **state)
{
    stele_error err;

    (void)state;
    CHECK_CODE(sti_fail_memory(&err, 4711), STELE_ENOMEM);
    CHECK_MESSAGE_HAS(&err, "4711 bytes");
    CHECK_CODE(sti_fail_memory(NULL, 1), STELE_ENOMEM);
}

#ifdef STI_TESTING

static bool count_down(void *arg)
{
    int *left = arg;

    return (*left)-- == 0;
}

static void test_nth_fails(void **state)
{
    int left = 2;
    void *a;
    void *b;
    void *c;
    void *d;

    (void)state;
    sti_alloc_set_hook(count_down, &left);
    a = sti_malloc(1);
    b = sti_calloc(1, 1);
    c = sti_strdup("x");
    d = sti_realloc(NULL, 1, 1);
    sti_alloc_set_hook(NULL, NULL);
    assert_non_null(a);
    assert_non_null(b);
    assert_null(c);
    assert_non_null(d);
    assert_int_equal(left, -2);
    sti_free(a);
    sti_free(b);
    sti_free(d);
    a = sti_malloc(1);
    assert_non_null(a);
    assert_int_equal(left, -2); /* switched off */
    sti_free(a);
}

/* Each function asks, and a failed realloc leaves the old block. */
static void test_each_kind_fails(void **state)
{
    char *p = sti_strdup("old");
    int left = 0;

    (void)state;
    assert_non_null(p);
    sti_alloc_set_hook(count_down, &left);
    assert_null(sti_malloc(1));
    left = 0;
    assert_null(sti_calloc(1, 1));
    left = 0;
    assert_null(sti_realloc(p, 100, 1));
    sti_alloc_set_hook(NULL, NULL);
    assert_string_equal(p, "old");
    sti_free(p);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_sizes_of_zero),
            cmocka_unit_test(test_content),
            cmocka_unit_test(test_products_that_overflow),
            cmocka_unit_test(test_error),
#ifdef STI_TESTING
            cmocka_unit_test(test_nth_fails),
            cmocka_unit_test(test_each_kind_fails),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
