/* SPDX-License-Identifier: MIT */
#include "unit/stream_above/full_disk.h"
#include "unit/stream_above/streams.h"

#include <pthread.h>

enum {
    ROLLOVER = 600
};

struct counter {
    int calls;
    int fail_at; /* the call that fails, from 1; 0: none */
};

static stele_code count_pause(void *arg, stele_error *err)
{
    struct counter *c = arg;

    (void)err;
    return ++c->calls == c->fail_at ? STELE_ESTATE : STELE_OK;
}

/* Ask for an offset; if it is there, the model forgets it. */
static void ask(struct fixture *f, stele_offsets *set, int64_t offset)
{
    stele_error err;

    CHECK_OK(stele_offsets_add(set, offset, &err), &err);
    if (offset < (int64_t)f->count) {
        f->model[offset].there = false;
    }
}

static stele_offsets *new_set(void)
{
    stele_offsets *set;
    stele_error err;

    CHECK_OK(stele_offsets_new(&set, &err), &err);
    return set;
}

/* Random sets, with offsets that were deleted before, in the middle of
 * segments, whole segments, and beyond the end. */
static void deletes_what_is_there(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
    uint64_t random = 5;
    stele_error err;

    (void)state;
    for (int round = 0; round < 30; round++) {
        stele_deleted deleted = {.count = 0};
        stele_offsets *set = new_set();
        int64_t before;
        int64_t first;

        publish_many(f, 40, 7);
        before = model_there(f);
        first = (int64_t)(draw(&random) % f->count);
        for (int64_t i = first; i < first + 60; i++) {
            if (round % 3 == 0 || draw(&random) % 3 == 0) {
                ask(f, set, i);
            }
        }
        ask(f, set, (int64_t)(draw(&random) % f->count));
        CHECK_OK(stele_offsets_new(&deleted.offsets, &err), &err);
        CHECK_OK(stele_messages_new(&deleted.messages, &err), &err);
        CHECK_OK(stele_stream_delete_multi(f->s, set, NULL, &deleted, &err), &err);
        assert_int_equal(deleted.count, before - model_there(f));
        assert_int_equal(stele_offsets_count(deleted.offsets), deleted.count);
        assert_int_equal(stele_messages_count(deleted.messages), deleted.count);
        for (size_t i = 0; i < stele_messages_count(deleted.messages); i++) {
            int64_t offset = stele_messages_at(deleted.messages, i)->offset;

            assert_true(stele_offsets_has(deleted.offsets, offset));
            assert_true(stele_offsets_has(set, offset));
        }
        check_model(f);
        stele_messages_free(deleted.messages);
        stele_offsets_free(deleted.offsets);
        stele_offsets_free(set);
    }
    fixture_close(f);
}

/* The reference stops at the first pass that deletes nothing; here the pass
 * over the first segment has nothing to delete, and one offset is before all
 * segments. */
static void goes_on_where_nothing_is_left(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
    stele_offsets *set = new_set();
    stele_deleted deleted = {.count = 0};
    stele_error err;

    (void)state;
    publish_many(f, 100, 7);
    ask(f, set, 0);
    ask(f, set, 1);
    ask(f, set, 30);
    CHECK_OK(stele_stream_delete_multi(f->s, set, NULL, NULL, &err), &err);
    check_model(f);
    CHECK_CODE(stele_stream_delete(f->s, set, NULL, &err), STELE_ENOTFOUND);
    ask(f, set, 80);
    CHECK_OK(stele_stream_delete_multi(f->s, set, NULL, &deleted, &err), &err);
    assert_int_equal(deleted.count, 1);
    check_model(f);
    /* The caller's set is not touched. */
    assert_int_equal(stele_offsets_count(set), 4);
    stele_offsets_free(set);
    fixture_close(f);
}

static void numbers_are_added_to(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
    stele_offsets *set = new_set();
    stele_deleted deleted = {.count = 1000, .size = 100000, .offsets = new_set()};
    stele_error err;

    (void)state;
    publish_many(f, 20, 7);
    ask(f, deleted.offsets, 7777);
    ask(f, set, 3);
    ask(f, set, 18);
    CHECK_OK(stele_stream_delete_multi(f->s, set, NULL, &deleted, &err), &err);
    assert_int_equal(deleted.count, 1002);
    assert_int_equal(deleted.size, 100000 + 2 * (36 + 32 + 9 + 12));
    assert_int_equal(stele_offsets_count(deleted.offsets), 3);
    check_model(f);
    stele_offsets_free(deleted.offsets);
    stele_offsets_free(set);
    fixture_close(f);
}

static void pauses_between_the_segments(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
    struct counter counter = {.calls = 0};
    stele_backoff backoff = {.pause = count_pause, .arg = &counter};
    stele_offsets *set = new_set();
    stele_error err;

    (void)state;
    publish_many(f, 100, 7);
    ask(f, set, 0);
    ask(f, set, 50);
    ask(f, set, 51);
    ask(f, set, 99);
    CHECK_OK(stele_stream_delete_multi(f->s, set, &backoff, NULL, &err), &err);
    assert_int_equal(counter.calls, 2);
    check_model(f);
    stele_offsets_free(set);
    fixture_close(f);
}

static void a_failing_pause_ends_the_work(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
    struct counter counter = {.fail_at = 2};
    stele_backoff backoff = {.pause = count_pause, .arg = &counter};
    stele_deleted deleted = {.count = 0};
    stele_offsets *set = new_set();
    stele_error err;

    (void)state;
    publish_many(f, 100, 7);
    ask(f, set, 0);
    ask(f, set, 50);
    CHECK_OK(stele_offsets_add(set, 99, &err), &err);
    CHECK_CODE(stele_stream_delete_multi(f->s, set, &backoff, &deleted, &err), STELE_ESTATE);
    assert_int_equal(deleted.count, 2);
    check_model(f);
    stele_offsets_free(set);
    fixture_close(f);
}

static void waits_and_can_be_canceled(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
    stele_backoff_wait_arg arg = {.wait_ms = 1};
    stele_backoff backoff = {.pause = stele_backoff_wait, .arg = &arg};
    stele_deleted deleted = {.count = 0};
    stele_offsets *set = new_set();
    stele_error err;

    (void)state;
    publish_many(f, 60, 7);
    ask(f, set, 0);
    ask(f, set, 20);
    CHECK_OK(stele_stream_delete_multi(f->s, set, &backoff, NULL, &err), &err);
    check_model(f);

    /* Waiting for a day, but for the token. */
    CHECK_OK(stele_cancel_new(&arg.cancel, &err), &err);
    arg.wait_ms = 86400000;
    stele_cancel_trigger(arg.cancel);
    ask(f, set, 30);
    CHECK_OK(stele_offsets_add(set, 59, &err), &err);
    CHECK_CODE(stele_stream_delete_multi(f->s, set, &backoff, &deleted, &err), STELE_ECANCELED);
    assert_int_equal(deleted.count, 1);
    check_model(f);
    CHECK_CODE(stele_backoff_wait(NULL, &err), STELE_EINVAL);
    arg.wait_ms = -1;
    CHECK_CODE(stele_backoff_wait(&arg, &err), STELE_EINVAL);
    stele_cancel_free(arg.cancel);
    stele_offsets_free(set);
    fixture_close(f);
}

static void of_nothing_is_fine(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
    stele_offsets *set = new_set();
    stele_deleted deleted = {.count = 0};
    stele_error err;

    (void)state;
    CHECK_OK(stele_stream_delete_multi(f->s, set, NULL, &deleted, &err), &err);
    CHECK_OK(stele_offsets_add(set, 5, &err), &err);
    CHECK_OK(stele_stream_delete_multi(f->s, set, NULL, &deleted, &err), &err);
    assert_int_equal(deleted.count, 0);
    CHECK_CODE(stele_stream_delete_multi(NULL, set, NULL, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_stream_delete_multi(f->s, NULL, NULL, NULL, &err), STELE_EINVAL);
    stele_offsets_free(set);
    fixture_close(f);
}

/* First offset of each segment, from the names of the logs. */
static size_t segment_bases(struct fixture *f, int64_t *out, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < f->count; i++) {
        char name[40];

        (void)snprintf(name, sizeof name, "%020zu.log", i);
        if (tmpdir_exists(&f->dir, name)) {
            assert_true(count < max);
            out[count++] = (int64_t)i;
        }
    }
    return count;
}

/* Segments 1 to 3 are to go as a whole, of segments 0 and 4 a message each. */
static void ask_five_segments(struct fixture *f, stele_offsets *set, const int64_t *bases)
{
    stele_error err;

    for (int64_t i = bases[1]; i < bases[4]; i++) {
        ask(f, set, i);
    }
    CHECK_OK(stele_offsets_add(set, bases[0] + 1, &err), &err);
    CHECK_OK(stele_offsets_add(set, bases[4] + 1, &err), &err);
}

static void full_disk_drops_whole_segments(void **state)
{
    struct full_disk disk;
    stele_env env;
    struct fixture *f;
    stele_offsets *set = new_set();
    stele_deleted deleted = {.count = 0, .offsets = new_set()};
    int64_t bases[40] = {0};
    stele_error err;

    (void)state;
    full_disk_init(&disk);
    stele_env_init(&env);
    env.vfs = &disk.wrap.vfs;
    f = fixture_open(ROLLOVER, STELE_STREAM_V2, &env);
    publish_many(f, 100, 7);
    assert_true(segment_bases(f, bases, 40) > 6);
    ask_five_segments(f, set, bases);
    disk.full = true;
    CHECK_CODE(stele_stream_delete_multi(f->s, set, NULL, &deleted, &err), STELE_ENOSPC);
    CHECK_MESSAGE_HAS(&err, "2 offsets are left");
    assert_true(disk.refused >= 2);
    assert_int_equal(deleted.count, bases[4] - bases[1]);
    assert_int_equal(stele_offsets_count(deleted.offsets), deleted.count);
    check_model(f);

    /* With room again, the rest goes too; the stream works on. */
    disk.full = false;
    f->model[bases[0] + 1].there = false;
    f->model[bases[4] + 1].there = false;
    CHECK_OK(stele_stream_delete_multi(f->s, set, NULL, &deleted, &err), &err);
    assert_int_equal(deleted.count, bases[4] - bases[1] + 2);
    check_model(f);
    publish_many(f, 3, 7);
    check_model(f);
    stele_offsets_free(deleted.offsets);
    stele_offsets_free(set);
    fixture_close(f);
}

static void dropped_segments_make_room_for_the_rest(void **state)
{
    struct full_disk disk;
    stele_env env;
    struct fixture *f;
    stele_offsets *set = new_set();
    stele_deleted deleted = {.count = 0};
    int64_t bases[40] = {0};
    stele_error err;

    (void)state;
    full_disk_init(&disk);
    stele_env_init(&env);
    env.vfs = &disk.wrap.vfs;
    f = fixture_open(ROLLOVER, STELE_STREAM_V2, &env);
    publish_many(f, 100, 7);
    assert_true(segment_bases(f, bases, 40) > 6);
    ask_five_segments(f, set, bases);
    f->model[bases[0] + 1].there = false;
    f->model[bases[4] + 1].there = false;
    disk.full = true;
    disk.unlink_makes_room = true;
    CHECK_OK(stele_stream_delete_multi(f->s, set, NULL, &deleted, &err), &err);
    assert_true(disk.refused >= 1);
    assert_int_equal(deleted.count, bases[4] - bases[1] + 2);
    check_model(f);
    stele_offsets_free(set);
    fixture_close(f);
}

/* What is reported is what is gone, wherever memory ran out. */
static stele_code delete_newest(struct fixture *f, struct fail_nth *fail)
{
    stele_deleted deleted = {.count = 0, .offsets = new_set()};
    stele_offsets *set = new_set();
    stele_code rc;
    stele_error err;

    for (int64_t i = (int64_t)f->count - 40; i < (int64_t)f->count; i++) {
        if (i % 5 != 0) {
            CHECK_OK(stele_offsets_add(set, i, &err), &err);
        }
    }
    sti_alloc_set_hook(fail_nth_hook, fail);
    rc = stele_stream_delete_multi(f->s, set, NULL, &deleted, &err);
    sti_alloc_set_hook(NULL, NULL);
    assert_int_equal(stele_offsets_count(deleted.offsets), deleted.count);
    assert_true(rc != STELE_OK || deleted.count == 32);
    for (int64_t at = stele_offsets_next(deleted.offsets, 0); at >= 0;
            at = stele_offsets_next(deleted.offsets, at + 1)) {
        f->model[at].there = false;
    }
    check_model(f);
    stele_offsets_free(deleted.offsets);
    stele_offsets_free(set);
    return rc;
}

static void survives_failing_allocations(void **state)
{
    struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
    struct fail_nth fail = {.nth = 0};

    (void)state;
    for (;; fail.nth++) {
        stele_code rc;

        publish_many(f, 40, 7);
        fail.count = 0;
        rc = delete_newest(f, &fail);
        if (fail.count <= fail.nth) {
            CHECK_CODE(rc, STELE_OK);
            break;
        }
        if (rc != STELE_OK) {
            CHECK_CODE(rc, STELE_ENOMEM);
        }
    }
    assert_true(fail.nth > 20);
    fixture_close(f);
}

struct deleter {
    pthread_t thread;
    stele_stream *s;
    stele_offsets *set;
    int64_t count;
    stele_code rc;
};

static void *run_deleter(void *arg)
{
    struct deleter *d = arg;
    stele_deleted deleted = {.count = 0};

    d->rc = stele_stream_delete_multi(d->s, d->set, NULL, &deleted, NULL);
    d->count = deleted.count;
    return NULL;
}

/* One thread deletes every second message, the other those and others. While
 * it waits for the first to finish a segment, that makes the segment begin
 * later than the lowest offset that it is about to ask for. */
static void two_threads_delete_at_once(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct fixture *f = fixture_open(ROLLOVER, STELE_STREAM_V2, NULL);
        struct deleter deleters[2];

        publish_many(f, 200, 7);
        for (int64_t d = 0; d < 2; d++) {
            deleters[d] = (struct deleter){.s = f->s, .set = new_set()};
            for (int64_t i = 0; i < 200; i += 2 - d) {
                if (i % 7 != 3) {
                    ask(f, deleters[d].set, i);
                }
            }
        }
        for (int d = 0; d < 2; d++) {
            assert_int_equal(
                    pthread_create(&deleters[d].thread, NULL, run_deleter, &deleters[d]), 0);
        }
        for (int d = 0; d < 2; d++) {
            assert_int_equal(pthread_join(deleters[d].thread, NULL), 0);
            CHECK_CODE(deleters[d].rc, STELE_OK);
            stele_offsets_free(deleters[d].set);
        }
        assert_int_equal(deleters[0].count + deleters[1].count, 200 - model_there(f));
        check_model(f);
        fixture_close(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(deletes_what_is_there),
            cmocka_unit_test(goes_on_where_nothing_is_left),
            cmocka_unit_test(numbers_are_added_to),
            cmocka_unit_test(pauses_between_the_segments),
            cmocka_unit_test(a_failing_pause_ends_the_work),
            cmocka_unit_test(waits_and_can_be_canceled),
            cmocka_unit_test(of_nothing_is_fine),
            cmocka_unit_test(full_disk_drops_whole_segments),
            cmocka_unit_test(survives_failing_allocations),
            cmocka_unit_test(two_threads_delete_at_once),
            cmocka_unit_test(dropped_segments_make_room_for_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
