/* SPDX-License-Identifier: MIT */
#include "unit/stream_above/streams.h"

enum {
    ROLLOVER = 600,
    KEYS = 12
};

/* ---- What the finders should find, from the model. ---- */

static void model_age(const struct fixture *f, stele_time before, bool *out)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->model[i].there && f->model[i].time > before) {
            return;
        }
        out[i] = f->model[i].there;
    }
}

static void model_count(const struct fixture *f, int64_t count_max, bool *out)
{
    int64_t left = model_there(f) - count_max;

    for (size_t i = 0; i < f->count && left > 0; i++) {
        out[i] = f->model[i].there;
        left -= out[i];
    }
}

static void model_offset(const struct fixture *f, int64_t before, bool *out)
{
    for (size_t i = 0; i < f->count && (int64_t)i < before; i++) {
        out[i] = f->model[i].there;
    }
}

/* 36 bytes of format v2 and 32 of the index, besides key and value. */
static int64_t model_size_of(const struct model_message *m)
{
    return 36 + 32 + (m->key == NO_KEY ? 0 : 9) + (m->has_value ? 12 : 0);
}

static void model_size(const struct fixture *f, int64_t total, int64_t size, bool *out)
{
    for (size_t i = 0; i < f->count && total >= size; i++) {
        out[i] = f->model[i].there;
        total -= out[i] ? model_size_of(&f->model[i]) : 0;
    }
}

static void model_updates(const struct fixture *f, stele_time before, bool *out)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct model_message *m = &f->model[i];

        if (!m->there) {
            continue;
        }
        if (m->time > before) {
            return;
        }
        for (size_t k = 0; k < i && m->key != NO_KEY; k++) {
            out[k] |= f->model[k].there && f->model[k].key == m->key;
        }
    }
}

static void model_deletes(const struct fixture *f, stele_time before, bool *out)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct model_message *m = &f->model[i];
        bool first = m->key != NO_KEY;

        if (!m->there) {
            continue;
        }
        if (m->time > before) {
            return;
        }
        for (size_t k = 0; k < i; k++) {
            first = first && !(f->model[k].there && f->model[k].key == m->key);
        }
        out[i] = first && !m->has_value;
    }
}

/* ---- Streams with anything in them. ---- */

static void delete_some(struct fixture *f, uint64_t *random)
{
    stele_offsets *set;
    stele_error err;

    CHECK_OK(stele_offsets_new(&set, &err), &err);
    for (size_t i = 0; i < f->count; i++) {
        if (f->model[i].there && draw(random) % 4 == 0) {
            CHECK_OK(stele_offsets_add(set, (int64_t)i, &err), &err);
            f->model[i].there = false;
        }
    }
    CHECK_OK(stele_stream_delete_multi(f->s, set, NULL, NULL, &err), &err);
    stele_offsets_free(set);
}

/* Times mostly rise; some keys and values are missing. */
static void publish_random(struct fixture *f, uint64_t *random, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        stele_time time = (stele_time)(f->count * 1000 + draw(random) % 5000) + 1;
        int key = draw(random) % 8 == 0 ? NO_KEY : (int)(draw(random) % KEYS);

        publish(f, time, key, draw(random) % 4 != 0);
    }
}

static void check_finders(struct fixture *f, uint64_t *random)
{
    stele_stream_stats stats = stats_of(f);
    stele_time time = (stele_time)(draw(random) % (f->count * 1000 + 9000));
    int64_t number = (int64_t)(draw(random) % (f->count + 10));
    int64_t size = (int64_t)(draw(random) % ((uint64_t)stats.size + 500));
    stele_offsets *set;
    stele_error err;

    CHECK_OK(stele_offsets_new(&set, &err), &err);
    for (int finder = 0; finder < 6; finder++) {
        static const char *const names[] = {"age", "count", "offset", "size", "updates", "deletes"};
        bool expected[MODEL_MAX] = {false};

        stele_offsets_clear(set);
        switch (finder) {
        case 0:
            CHECK_OK(stele_stream_find_by_age(f->s, time, NULL, set, &err), &err);
            model_age(f, time, expected);
            break;
        case 1:
            CHECK_OK(stele_stream_find_by_count(f->s, number, NULL, set, &err), &err);
            model_count(f, number, expected);
            break;
        case 2:
            CHECK_OK(stele_stream_find_by_offset(f->s, number, NULL, set, &err), &err);
            model_offset(f, number, expected);
            break;
        case 3:
            CHECK_OK(stele_stream_find_by_size(f->s, size, NULL, set, &err), &err);
            model_size(f, stats.size, size, expected);
            break;
        case 4:
            CHECK_OK(stele_stream_find_updates(f->s, time, NULL, set, &err), &err);
            model_updates(f, time, expected);
            break;
        default:
            CHECK_OK(stele_stream_find_deletes(f->s, time, NULL, set, &err), &err);
            model_deletes(f, time, expected);
            break;
        }
        check_set(set, expected, f->count, names[finder]);
    }
    stele_offsets_free(set);
}

static void finds_what_the_model_finds(void **state)
{
    uint64_t random = 11;

    (void)state;
    for (int round = 0; round < 12; round++) {
        struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);

        for (int step = 0; step < 4; step++) {
            publish_random(f, &random, 1 + draw(&random) % 60);
            for (int i = 0; i < 8; i++) {
                check_finders(f, &random);
            }
            delete_some(f, &random);
            check_model(f);
            for (int i = 0; i < 8; i++) {
                check_finders(f, &random);
            }
        }
        fixture_close(f);
    }
}

static void finds_nothing_in_an_empty_stream(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
    stele_offsets *set;
    stele_error err;

    (void)state;
    CHECK_OK(stele_offsets_new(&set, &err), &err);
    CHECK_OK(stele_stream_find_by_age(f->s, INT64_MAX, NULL, set, &err), &err);
    CHECK_OK(stele_stream_find_by_count(f->s, 0, NULL, set, &err), &err);
    CHECK_OK(stele_stream_find_by_offset(f->s, STELE_OFFSET_NEWEST, NULL, set, &err), &err);
    CHECK_OK(stele_stream_find_by_size(f->s, 0, NULL, set, &err), &err);
    CHECK_OK(stele_stream_find_updates(f->s, INT64_MAX, NULL, set, &err), &err);
    CHECK_OK(stele_stream_find_deletes(f->s, INT64_MAX, NULL, set, &err), &err);
    assert_int_equal(stele_offsets_count(set), 0);
    stele_offsets_free(set);
    fixture_close(f);
}

static void knows_relative_offsets(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
    stele_offsets *set;
    stele_error err;

    (void)state;
    CHECK_OK(stele_offsets_new(&set, &err), &err);
    publish_many(f, 20, 3);
    CHECK_OK(stele_stream_find_by_offset(f->s, STELE_OFFSET_OLDEST, NULL, set, &err), &err);
    assert_int_equal(stele_offsets_count(set), 0);
    CHECK_OK(stele_stream_find_by_offset(f->s, 1000, NULL, set, &err), &err);
    assert_int_equal(stele_offsets_count(set), 20);
    stele_offsets_clear(set);
    CHECK_OK(stele_stream_find_by_offset(f->s, STELE_OFFSET_NEWEST, NULL, set, &err), &err);
    assert_int_equal(stele_offsets_count(set), 20);
    stele_offsets_free(set);
    fixture_close(f);
}

static void refuses_bad_bounds(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
    stele_offsets *set;
    stele_error err;

    (void)state;
    CHECK_OK(stele_offsets_new(&set, &err), &err);
    publish_many(f, 20, 3);
    CHECK_CODE(stele_stream_find_by_count(f->s, -1, NULL, set, &err), STELE_EINVAL);
    CHECK_CODE(stele_stream_find_by_size(f->s, -1, NULL, set, &err), STELE_EINVAL);
    CHECK_CODE(stele_stream_find_by_offset(f->s, -3, NULL, set, &err), STELE_EOFFSET);
    CHECK_CODE(stele_stream_find_by_offset(f->s, INT64_MIN, NULL, set, &err), STELE_EOFFSET);
    CHECK_CODE(stele_stream_find_by_age(NULL, 0, NULL, set, &err), STELE_EINVAL);
    CHECK_CODE(stele_stream_find_updates(f->s, 0, NULL, NULL, &err), STELE_EINVAL);
    assert_int_equal(stele_offsets_count(set), 0);
    stele_offsets_free(set);
    fixture_close(f);
}

/* More messages than one batch, so that the search looks at the clock. */
static void ends_when_told_to(void **state)
{
    struct fixture *f = fixture_open(1 << 20, STELE_STREAM_V2, NULL);
    stele_wait wait = {.timeout_ms = 0};
    stele_offsets *set;
    stele_error err;

    (void)state;
    CHECK_OK(stele_offsets_new(&set, &err), &err);
    CHECK_OK(stele_offsets_add(set, 7000, &err), &err);
    publish_many(f, 3000, 5);
    CHECK_CODE(stele_stream_find_updates(f->s, INT64_MAX, &wait, set, &err), STELE_ETIMEDOUT);
    assert_int_equal(stele_offsets_count(set), 1);
    wait.timeout_ms = STELE_FOREVER;
    CHECK_OK(stele_cancel_new(&wait.cancel, &err), &err);
    CHECK_OK(stele_stream_find_by_age(f->s, 10000, &wait, set, &err), &err);
    assert_int_equal(stele_offsets_count(set), 11);
    stele_cancel_trigger(wait.cancel);
    CHECK_CODE(stele_stream_find_updates(f->s, INT64_MAX, &wait, set, &err), STELE_ECANCELED);
    CHECK_CODE(stele_stream_find_by_age(f->s, 5000, &wait, set, &err), STELE_ECANCELED);
    /* A search that failed added nothing; one that did not added to what was there. */
    assert_int_equal(stele_offsets_count(set), 11);
    assert_true(stele_offsets_has(set, 7000));
    stele_cancel_free(wait.cancel);
    stele_offsets_free(set);
    fixture_close(f);
}

static stele_code find_all(void *arg)
{
    struct fixture *f = arg;
    stele_offsets *set = NULL;
    stele_code rc = stele_offsets_new(&set, NULL);

    if (rc == STELE_OK) {
        rc = stele_stream_find_updates(f->s, INT64_MAX, NULL, set, NULL);
        assert_int_equal(stele_offsets_count(set), rc == STELE_OK ? 170 : 0);
    }
    if (rc == STELE_OK) {
        rc = stele_stream_find_by_size(f->s, 0, NULL, set, NULL);
        assert_int_equal(stele_offsets_count(set), rc == STELE_OK ? 200 : 170);
    }
    stele_offsets_free(set);
    return rc;
}

static void survives_failing_allocations(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);

    (void)state;
    publish_many(f, 200, 30);
    assert_true(fail_each_allocation(find_all, f) > 5);
    check_model(f);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(finds_what_the_model_finds),
            cmocka_unit_test(finds_nothing_in_an_empty_stream),
            cmocka_unit_test(knows_relative_offsets),
            cmocka_unit_test(refuses_bad_bounds),
            cmocka_unit_test(ends_when_told_to),
            cmocka_unit_test(survives_failing_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
