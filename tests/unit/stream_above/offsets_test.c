/* SPDX-License-Identifier: MIT */
#include "stream/offsets.h"

#include "unit/stream_above/support.h"

/* The model: a plain array of flags for offsets BASE to BASE + MODEL_SIZE - 1. */
enum {
    MODEL_SIZE = 40000
};

struct model {
    int64_t base;
    uint64_t count;
    bool has[MODEL_SIZE];
};

static int64_t model_next(const struct model *m, int64_t from)
{
    for (int64_t i = from < m->base ? 0 : from - m->base; i < MODEL_SIZE; i++) {
        if (m->has[i]) {
            return m->base + i;
        }
    }
    return STELE_OFFSET_INVALID;
}

static void model_set(struct model *m, int64_t offset, bool has)
{
    bool *flag = &m->has[offset - m->base];

    m->count += has && !*flag;
    m->count -= !has && *flag;
    *flag = has;
}

static void same(const stele_offsets *set, const struct model *m)
{
    int64_t at = stele_offsets_next(set, 0);

    assert_int_equal(stele_offsets_count(set), m->count);
    assert_int_equal(sti_offsets_min(set), model_next(m, 0));
    for (int64_t i = 0; i < MODEL_SIZE; i++) {
        assert_int_equal(stele_offsets_has(set, m->base + i), m->has[i]);
        if (m->has[i]) {
            assert_int_equal(at, m->base + i);
            at = stele_offsets_next(set, at + 1);
        }
    }
    assert_int_equal(at, STELE_OFFSET_INVALID);
}

static void random_step(stele_offsets *set, struct model *m, uint64_t *random)
{
    int64_t offset = m->base + (int64_t)(draw(random) % MODEL_SIZE);
    int64_t beyond = m->base + (MODEL_SIZE - 1) - offset;
    int64_t length = (int64_t)(draw(random) % 9000);
    int64_t last = offset + (length < beyond ? length : beyond);
    stele_error err;

    switch (draw(random) % 40) {
    case 0:
        sti_offsets_remove_range(set, offset, last);
        for (int64_t i = offset; i <= last; i++) {
            model_set(m, i, false);
        }
        break;
    case 1:
        for (int64_t i = offset; i <= last; i++) {
            CHECK_OK(stele_offsets_add(set, i, &err), &err);
            model_set(m, i, true);
        }
        break;
    case 2:
    case 3:
    case 4:
        stele_offsets_remove(set, offset);
        model_set(m, offset, false);
        break;
    default:
        CHECK_OK(stele_offsets_add(set, offset, &err), &err);
        model_set(m, offset, true);
        break;
    }
    assert_int_equal(stele_offsets_next(set, offset), model_next(m, offset));
}

static void agrees_with_the_model(void **state)
{
    static const int64_t bases[] = {0, 4095, 123456789012345, INT64_MAX - MODEL_SIZE};
    struct model *m = calloc(1, sizeof *m);
    uint64_t random = 7;

    (void)state;
    assert_non_null(m);
    for (size_t b = 0; b < sizeof bases / sizeof bases[0]; b++) {
        stele_offsets *set;
        stele_error err;

        memset(m, 0, sizeof *m);
        m->base = bases[b];
        CHECK_OK(stele_offsets_new(&set, &err), &err);
        for (int step = 0; step < 3000; step++) {
            random_step(set, m, &random);
            if (step % 100 == 0) {
                same(set, m);
            }
        }
        same(set, m);
        stele_offsets_clear(set);
        memset(m->has, 0, sizeof m->has);
        m->count = 0;
        same(set, m);
        stele_offsets_free(set);
    }
    free(m);
}

static void merges_two_sets(void **state)
{
    struct model *m = calloc(1, sizeof *m);
    stele_offsets *a;
    stele_offsets *b;
    uint64_t random = 8;
    stele_error err;

    (void)state;
    assert_non_null(m);
    CHECK_OK(stele_offsets_new(&a, &err), &err);
    CHECK_OK(stele_offsets_new(&b, &err), &err);
    for (int i = 0; i < 5000; i++) {
        int64_t offset = (int64_t)(draw(&random) % MODEL_SIZE);

        CHECK_OK(stele_offsets_add(i % 3 == 0 ? a : b, offset, &err), &err);
        model_set(m, offset, true);
    }
    CHECK_OK(sti_offsets_merge(a, b, &err), &err);
    same(a, m);
    CHECK_OK(sti_offsets_reserve(b, a, &err), &err);
    sti_offsets_shrink(b);
    CHECK_OK(sti_offsets_merge(b, a, &err), &err);
    same(b, m);
    sti_offsets_remove_range(b, INT64_MIN, INT64_MAX);
    assert_int_equal(stele_offsets_count(b), 0);
    stele_offsets_free(a);
    stele_offsets_free(b);
    free(m);
}

static void merges_a_range(void **state)
{
    uint64_t random = 9;
    stele_offsets *from;
    stele_error err;

    (void)state;
    CHECK_OK(stele_offsets_new(&from, &err), &err);
    for (int64_t i = 0; i < 20000; i += 1 + (int64_t)(draw(&random) % 5)) {
        CHECK_OK(stele_offsets_add(from, i, &err), &err);
    }
    for (int round = 0; round < 50; round++) {
        int64_t first = (int64_t)(draw(&random) % 21000) - 500;
        int64_t last = first + (int64_t)(draw(&random) % 9000) - 100;
        stele_offsets *set;
        uint64_t count = 0;

        CHECK_OK(stele_offsets_new(&set, &err), &err);
        CHECK_OK(sti_offsets_merge_range(set, from, first, last, &err), &err);
        for (int64_t i = 0; i < 20000; i++) {
            bool expected = i >= first && i <= last && stele_offsets_has(from, i);

            assert_int_equal(stele_offsets_has(set, i), expected);
            count += expected;
        }
        assert_int_equal(stele_offsets_count(set), count);
        stele_offsets_free(set);
    }
    stele_offsets_free(from);
}

static void refuses_negative_offsets(void **state)
{
    stele_offsets *set;
    stele_error err;

    (void)state;
    CHECK_OK(stele_offsets_new(&set, &err), &err);
    assert_int_equal(stele_offsets_add(set, -1, &err), STELE_EOFFSET);
    assert_int_equal(stele_offsets_add(set, INT64_MIN, &err), STELE_EOFFSET);
    assert_int_equal(stele_offsets_count(set), 0);
    assert_false(stele_offsets_has(set, -1));
    stele_offsets_remove(set, -1);
    CHECK_OK(stele_offsets_add(set, INT64_MAX, &err), &err);
    CHECK_OK(stele_offsets_add(set, INT64_MAX, &err), &err);
    assert_int_equal(stele_offsets_count(set), 1);
    assert_int_equal(stele_offsets_next(set, -5), INT64_MAX);
    assert_int_equal(stele_offsets_next(set, INT64_MAX), INT64_MAX);
    stele_offsets_remove(set, INT64_MAX);
    assert_int_equal(stele_offsets_next(set, 0), STELE_OFFSET_INVALID);
    stele_offsets_free(set);
    stele_offsets_free(NULL);
}

/* Add up what is allocated: the hook sees calls alone, so sizes are taken
 * from the number of chunks. */
static bool count_hook(void *arg)
{
    ++*(uint64_t *)arg;
    return false;
}

static void a_million_neighbours_are_small(void **state)
{
    stele_offsets *set;
    uint64_t allocations = 0;
    stele_error err;

    (void)state;
    CHECK_OK(stele_offsets_new(&set, &err), &err);
    sti_alloc_set_hook(count_hook, &allocations);
    for (int64_t i = 0; i < 1000000; i++) {
        CHECK_OK(stele_offsets_add(set, i, &err), &err);
    }
    sti_alloc_set_hook(NULL, NULL);
    assert_int_equal(stele_offsets_count(set), 1000000);
    /* 245 bitmaps of 512 bytes, and an array that grew to 256 in 6 steps. */
    assert_true(allocations <= 251);
    /* Consuming it from the front ends, and ends empty. */
    for (int64_t at = sti_offsets_min(set); at >= 0; at = stele_offsets_next(set, at + 1)) {
        stele_offsets_remove(set, at);
    }
    assert_int_equal(stele_offsets_count(set), 0);
    stele_offsets_free(set);
}

static stele_code build_and_merge(void *arg)
{
    stele_offsets *a = NULL;
    stele_offsets *b = NULL;
    uint64_t before = 0;
    stele_code rc = stele_offsets_new(&a, NULL);

    (void)arg;
    if (rc == STELE_OK) {
        rc = stele_offsets_new(&b, NULL);
    }
    for (int64_t i = 0; i < 20 && rc == STELE_OK; i++) {
        rc = stele_offsets_add(a, i * 5000, NULL);
        if (rc == STELE_OK) {
            assert_int_equal(stele_offsets_count(a), i + 1);
            rc = stele_offsets_add(b, i * 7000 + 1, NULL);
        }
    }
    before = stele_offsets_count(a);
    if (rc == STELE_OK) {
        rc = sti_offsets_merge(a, b, NULL);
        if (rc != STELE_OK) {
            assert_int_equal(stele_offsets_count(a), before);
            assert_int_equal(stele_offsets_next(a, 95001), STELE_OFFSET_INVALID);
        } else {
            assert_int_equal(stele_offsets_count(a), 40);
        }
    }
    stele_offsets_free(a);
    stele_offsets_free(b);
    return rc;
}

static void survives_failing_allocations(void **state)
{
    (void)state;
    assert_true(fail_each_allocation(build_and_merge, NULL) > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(agrees_with_the_model),
            cmocka_unit_test(merges_two_sets),
            cmocka_unit_test(merges_a_range),
            cmocka_unit_test(refuses_negative_offsets),
            cmocka_unit_test(a_million_neighbours_are_small),
            cmocka_unit_test(survives_failing_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
