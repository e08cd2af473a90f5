/* SPDX-License-Identifier: MIT */
#include "unit/stream_above/streams.h"

enum {
    ROLLOVER = 600
};

/* A clock that stands still at *arg. */
static stele_time stopped_clock(void *arg)
{
    return *(stele_time *)arg;
}

static void stopped_env(stele_env *env, stele_time *now)
{
    stele_env_init(env);
    env->wall_clock = stopped_clock;
    env->arg = now;
}

/* Of the messages up to `before`, forget those whose key comes again there. */
static int64_t forget_updates(struct fixture *f, stele_time before)
{
    int64_t gone = 0;

    for (size_t i = 0; i < f->count; i++) {
        for (size_t k = i + 1; k < f->count && f->model[i].there; k++) {
            if (f->model[i].key != NO_KEY && f->model[k].there && f->model[k].time <= before &&
                    f->model[k].key == f->model[i].key) {
                f->model[i].there = false;
                gone++;
            }
        }
    }
    return gone;
}

static int64_t forget_deletes(struct fixture *f, stele_time before)
{
    int64_t gone = 0;
    bool seen[100] = {false};

    for (size_t i = 0; i < f->count && f->model[i].time <= before; i++) {
        struct model_message *m = &f->model[i];

        if (!m->there || m->key == NO_KEY) {
            continue;
        }
        if (!seen[m->key] && !m->has_value) {
            m->there = false;
            gone++;
        }
        seen[m->key] = true;
    }
    return gone;
}

/* Updates of 20 keys, deletions of some, and messages without key. */
static void fill(struct fixture *f)
{
    for (int i = 0; i < 200; i++) {
        int key = i % 11 == 0 ? NO_KEY : i * 7 % 20;

        publish(f, (stele_time)(i + 1) * 1000, key, i % 3 != 0);
    }
}

static void updates_in_all_segments(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
    stele_deleted deleted = {.count = 0};
    int64_t gone;
    stele_error err;

    (void)state;
    fill(f);
    CHECK_OK(stele_offsets_new(&deleted.offsets, &err), &err);
    CHECK_OK(stele_stream_compact_updates_multi(f->s, 150000, NULL, NULL, &deleted, &err), &err);
    gone = forget_updates(f, 150000);
    assert_in_range(gone, 100, 140);
    assert_int_equal(deleted.count, gone);
    assert_int_equal(stele_offsets_count(deleted.offsets), gone);
    check_model(f);
    /* Once more finds nothing. */
    deleted.count = 0;
    CHECK_OK(stele_stream_compact_updates_multi(f->s, 150000, NULL, NULL, &deleted, &err), &err);
    assert_int_equal(deleted.count, 0);
    stele_offsets_free(deleted.offsets);
    fixture_close(f);
}

static void deletes_in_all_segments(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
    stele_deleted deleted = {.count = 0};
    stele_error err;

    (void)state;
    fill(f);
    CHECK_OK(stele_stream_compact_updates_multi(f->s, INT64_MAX, NULL, NULL, NULL, &err), &err);
    (void)forget_updates(f, INT64_MAX);
    CHECK_OK(stele_stream_compact_deletes_multi(f->s, 195000, NULL, NULL, &deleted, &err), &err);
    assert_int_equal(deleted.count, forget_deletes(f, 195000));
    assert_true(deleted.count > 3);
    check_model(f);
    fixture_close(f);
}

static void one_segment_at_a_time(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
    int64_t total = 0;
    int calls = 0;
    stele_error err;

    (void)state;
    fill(f);
    for (;;) {
        stele_deleted deleted = {.count = 0};

        CHECK_OK(stele_stream_compact_updates(f->s, INT64_MAX, NULL, &deleted, &err), &err);
        if (deleted.count == 0) {
            break;
        }
        /* A segment of this size has 11 messages at most. */
        assert_true(deleted.count <= 11);
        total += deleted.count;
        calls++;
    }
    assert_true(calls > 10);
    assert_int_equal(total, forget_updates(f, INT64_MAX));
    check_model(f);
    for (;;) {
        stele_deleted deleted = {.count = 0};

        CHECK_OK(stele_stream_compact_deletes(f->s, INT64_MAX, NULL, &deleted, &err), &err);
        if (deleted.count == 0) {
            break;
        }
    }
    assert_true(forget_deletes(f, INT64_MAX) > 0);
    check_model(f);
    fixture_close(f);
}

/* At 300 ms, with an age of 110 ms: updates up to 190 ms, then what is left of
 * the deletes up to 80 ms. */
static void by_age(void **state)
{
    stele_time now = 300000;
    stele_env env;
    struct fixture *f;
    stele_deleted deleted = {.count = 0};
    int64_t gone;
    stele_error err;

    (void)state;
    stopped_env(&env, &now);
    f = fixture_open(ROLLOVER, STELE_STREAM_V2, &env);
    publish(f, 500, 50, false);
    fill(f);
    CHECK_OK(stele_stream_compact(f->s, 110000, NULL, NULL, &deleted, &err), &err);
    gone = forget_updates(f, 190000);
    assert_int_equal(forget_deletes(f, 80000), 1);
    assert_int_equal(deleted.count, gone + 1);
    check_model(f);
    /* An age beyond all time compacts nothing. */
    CHECK_OK(stele_stream_compact(f->s, INT64_MAX, NULL, NULL, &deleted, &err), &err);
    assert_int_equal(deleted.count, gone + 1);
    CHECK_CODE(stele_stream_compact(f->s, -1, NULL, NULL, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_stream_compact(NULL, 1, NULL, NULL, NULL, &err), STELE_EINVAL);
    CHECK_OK(stele_stream_compact(f->s, 0, NULL, NULL, NULL, &err), &err);
    (void)forget_updates(f, now);
    (void)forget_deletes(f, now);
    check_model(f);
    fixture_close(f);
}

/* The newest value of each key is what it was, whatever was compacted. */
static void keeps_the_newest_values(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
    stele_messages *ms;
    stele_error err;

    (void)state;
    CHECK_OK(stele_messages_new(&ms, &err), &err);
    publish_many(f, 300, 25);
    CHECK_OK(stele_stream_compact_updates_multi(f->s, INT64_MAX, NULL, NULL, NULL, &err), &err);
    assert_int_equal(stats_of(f).messages, 25);
    for (int key = 0; key < 25; key++) {
        char text[32];

        (void)snprintf(text, sizeof text, "key-%05d", key);
        CHECK_OK(stele_stream_get_by_key(f->s, stele_str(text), ms, &err), &err);
        assert_int_equal(stele_messages_at(ms, 0)->offset, 275 + key);
    }
    stele_messages_free(ms);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(updates_in_all_segments),
            cmocka_unit_test(deletes_in_all_segments),
            cmocka_unit_test(one_segment_at_a_time),
            cmocka_unit_test(by_age),
            cmocka_unit_test(keeps_the_newest_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
