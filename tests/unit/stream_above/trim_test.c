/* SPDX-License-Identifier: MIT */
#include "unit/stream_above/streams.h"

enum {
    ROLLOVER = 600
};

/* Marks the first `count` messages that are there as gone. */
static void forget_oldest(struct fixture *f, int64_t count)
{
    for (size_t i = 0; i < f->count && count > 0; i++) {
        count -= f->model[i].there;
        f->model[i].there = false;
    }
}

static int64_t message_size(struct fixture *f)
{
    stele_message m = stele_message_invalid();
    int64_t size = 0;
    stele_error err;

    m.key = stele_str("key-00000");
    m.value = stele_str("value-000000");
    CHECK_OK(stele_stream_size(f->s, &m, &size, &err), &err);
    return size;
}

/* What a trim of one segment did: `count` messages of equal size, the oldest. */
static void check_trimmed(struct fixture *f, const stele_deleted *deleted, int64_t count)
{
    assert_int_equal(deleted->count, count);
    assert_int_equal(deleted->size, count * message_size(f));
    assert_int_equal(stele_offsets_count(deleted->offsets), count);
    assert_int_equal(stele_messages_count(deleted->messages), count);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(stele_messages_at(deleted->messages, (size_t)i)->offset, i);
        assert_true(stele_offsets_has(deleted->offsets, i));
    }
    forget_oldest(f, count);
    check_model(f);
}

static void deleted_init(stele_deleted *deleted)
{
    stele_error err;

    memset(deleted, 0, sizeof *deleted);
    CHECK_OK(stele_messages_new(&deleted->messages, &err), &err);
    CHECK_OK(stele_offsets_new(&deleted->offsets, &err), &err);
}

static void deleted_free(stele_deleted *deleted)
{
    stele_messages_free(deleted->messages);
    stele_offsets_free(deleted->offsets);
}

/* 20 messages in one segment, of which 10 are to go: by each of the four. */
static void trims_half_of_a_segment(void **state)
{
    (void)state;
    for (int by = 0; by < 4; by++) {
        struct fixture *f = fixture_open(1 << 20, STELE_STREAM_V2, NULL);
        stele_deleted deleted;
        stele_error err;

        deleted_init(&deleted);
        publish_many(f, 20, 3);
        switch (by) {
        case 0:
            /* 10000 is the time of the tenth: a bound includes it. */
            CHECK_OK(stele_stream_trim_by_age(f->s, 10000, NULL, &deleted, &err), &err);
            break;
        case 1:
            CHECK_OK(stele_stream_trim_by_count(f->s, 10, NULL, &deleted, &err), &err);
            break;
        case 2:
            CHECK_OK(stele_stream_trim_by_offset(f->s, 10, NULL, &deleted, &err), &err);
            break;
        default:
            CHECK_OK(stele_stream_trim_by_size(f->s, message_size(f) * 11, NULL, &deleted, &err),
                    &err);
            break;
        }
        check_trimmed(f, &deleted, 10);
        deleted_free(&deleted);
        fixture_close(f);
    }
}

static void trims_nothing_within_the_bounds(void **state)
{
    struct fixture *f = fixture_open(1 << 20, STELE_STREAM_V2, NULL);
    stele_deleted deleted;
    stele_error err;

    (void)state;
    deleted_init(&deleted);
    publish_many(f, 20, 3);
    CHECK_OK(stele_stream_trim_by_age(f->s, 999, NULL, &deleted, &err), &err);
    CHECK_OK(stele_stream_trim_by_count(f->s, 20, NULL, &deleted, &err), &err);
    CHECK_OK(stele_stream_trim_by_offset(f->s, 0, NULL, &deleted, &err), &err);
    CHECK_OK(stele_stream_trim_by_offset(f->s, STELE_OFFSET_OLDEST, NULL, &deleted, &err), &err);
    CHECK_OK(stele_stream_trim_by_size(f->s, stats_of(f).size + 1, NULL, &deleted, &err), &err);
    check_trimmed(f, &deleted, 0);
    deleted_free(&deleted);
    fixture_close(f);
}

static void one_segment_at_a_time(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
    stele_deleted deleted;
    int64_t segments;
    stele_error err;

    (void)state;
    deleted_init(&deleted);
    publish_many(f, 100, 3);
    segments = stats_of(f).segments;
    assert_true(segments > 5);
    CHECK_OK(stele_stream_trim_by_count(f->s, 10, NULL, &deleted, &err), &err);
    assert_in_range(deleted.count, 1, 30);
    assert_int_equal(stats_of(f).segments, segments - 1);
    check_trimmed(f, &deleted, deleted.count);
    deleted_free(&deleted);
    fixture_close(f);
}

/* From 100 messages in many segments to 33, which ends within a segment. */
static void trims_all_segments(void **state)
{
    (void)state;
    for (int by = 0; by < 4; by++) {
        struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
        stele_deleted deleted;
        int64_t bound;
        stele_error err;

        deleted_init(&deleted);
        publish_many(f, 100, 3);
        switch (by) {
        case 0:
            CHECK_OK(stele_stream_trim_by_age_multi(f->s, 67000, NULL, NULL, &deleted, &err), &err);
            break;
        case 1:
            CHECK_OK(stele_stream_trim_by_count_multi(f->s, 33, NULL, NULL, &deleted, &err), &err);
            break;
        case 2:
            CHECK_OK(stele_stream_trim_by_offset_multi(f->s, 67, NULL, NULL, &deleted, &err), &err);
            break;
        default:
            bound = stats_of(f).size / 3;
            CHECK_OK(
                    stele_stream_trim_by_size_multi(f->s, bound, NULL, NULL, &deleted, &err), &err);
            assert_true(stats_of(f).size < bound);
            /* Not more than it takes: headers of 20 dropped segments, and one message. */
            assert_true(stats_of(f).size + 640 + message_size(f) >= bound);
            break;
        }
        check_trimmed(f, &deleted, by == 3 ? deleted.count : 67);
        assert_int_equal(stats_of(f).messages, model_there(f));
        deleted_free(&deleted);
        fixture_close(f);
    }
}

/* Format v1 segments, which shrink by less than the finder expects when new
 * segments are to be v2: the size is reached all the same. */
static void size_is_reached_with_mixed_formats(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V1, NULL);
    stele_stream_options opts;
    stele_error err;

    (void)state;
    publish_many(f, 100, 3);
    CHECK_OK(stele_stream_close(f->s, &err), &err);
    stele_stream_options_init(&opts);
    opts.rollover = ROLLOVER;
    opts.key_index = true;
    opts.time_index = true;
    opts.new_segments = STELE_STREAM_V2;
    CHECK_OK(stele_stream_open(&f->s, f->dir.path, &opts, &err), &err);
    publish_many(f, 20, 3);
    for (int64_t bound = stats_of(f).size; bound > 500; bound = bound * 3 / 4) {
        stele_deleted deleted = {.count = 0};

        CHECK_OK(stele_stream_trim_by_size_multi(f->s, bound, NULL, NULL, &deleted, &err), &err);
        assert_true(stats_of(f).size < bound);
        forget_oldest(f, deleted.count);
        check_model(f);
    }
    fixture_close(f);
}

static void to_nothing_and_on(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
    stele_error err;

    (void)state;
    publish_many(f, 50, 3);
    CHECK_OK(stele_stream_trim_by_offset_multi(f->s, STELE_OFFSET_NEWEST, NULL, NULL, NULL, &err),
            &err);
    forget_oldest(f, 50);
    check_model(f);
    assert_int_equal(stats_of(f).messages, 0);
    publish_many(f, 5, 3);
    check_model(f);
    CHECK_OK(stele_stream_trim_by_size_multi(f->s, 0, NULL, NULL, NULL, &err), &err);
    forget_oldest(f, 5);
    check_model(f);
    fixture_close(f);
}

static void refuses_bad_bounds_and_readers(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
    stele_stream_options opts;
    stele_error err;

    (void)state;
    publish_many(f, 10, 3);
    CHECK_CODE(stele_stream_trim_by_count(f->s, -1, NULL, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_stream_trim_by_size_multi(f->s, -1, NULL, NULL, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_stream_trim_by_offset(f->s, -9, NULL, NULL, &err), STELE_EOFFSET);
    CHECK_CODE(stele_stream_trim_by_age(NULL, 0, NULL, NULL, &err), STELE_EINVAL);
    CHECK_OK(stele_stream_close(f->s, &err), &err);
    stele_stream_options_init(&opts);
    opts.key_index = true;
    opts.time_index = true;
    opts.read_only = true;
    CHECK_OK(stele_stream_open(&f->s, f->dir.path, &opts, &err), &err);
    CHECK_CODE(stele_stream_trim_by_count(f->s, 5, NULL, NULL, &err), STELE_EREADONLY);
    CHECK_CODE(stele_stream_trim_by_age_multi(f->s, 5, NULL, NULL, NULL, &err), STELE_EREADONLY);
    check_model(f);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(trims_half_of_a_segment),
            cmocka_unit_test(trims_nothing_within_the_bounds),
            cmocka_unit_test(one_segment_at_a_time),
            cmocka_unit_test(trims_all_segments),
            cmocka_unit_test(size_is_reached_with_mixed_formats),
            cmocka_unit_test(to_nothing_and_on),
            cmocka_unit_test(refuses_bad_bounds_and_readers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
