/* SPDX-License-Identifier: MIT
 *
 * given_test.c: messages that are published at the offsets of the log that they come from.
 */
#include <stele/stream.h>

#include "lib/check.h"
#include "lib/tmpdir.h"

#include <stdio.h>

enum {
    COUNT = 300
};

/* Ascending, with gaps; the first is not 0. */
static int64_t offset_of(unsigned i)
{
    return 1000 + (int64_t)i * 3 + (i / 50) * 100000;
}

static stele_message message_of(unsigned i, char text[32])
{
    stele_message m = {.offset = offset_of(i), .time = 1000000 + i};

    (void)snprintf(text, 32, "message %u", i);
    m.key = i % 3 == 0 ? stele_nil() : stele_bytes_of(text, strlen(text));
    m.value = i % 5 == 0 ? stele_nil() : stele_bytes_of(text, strlen(text));
    return m;
}

static void publish_some(stele_stream *s, unsigned from, unsigned count)
{
    char texts[10][32];
    stele_message messages[10];
    int64_t next = 0;
    stele_error err;

    for (unsigned i = 0; i < count; i++) {
        messages[i] = message_of(from + i, texts[i]);
    }
    CHECK_OK(stele_stream_publish_offsets(s, messages, count, &next, &err), &err);
    assert_int_equal(next, offset_of(from + count - 1) + 1);
}

static void check_all(stele_stream *s, unsigned count)
{
    stele_messages *ms = NULL;
    int64_t at = STELE_OFFSET_OLDEST;
    unsigned seen = 0;
    stele_error err;

    CHECK_OK(stele_messages_new(&ms, &err), &err);
    while (seen < count) {
        CHECK_OK(stele_stream_consume(s, at, 7, ms, &at, &err), &err);
        assert_true(stele_messages_count(ms) > 0);
        for (size_t i = 0; i < stele_messages_count(ms); i++) {
            const stele_message *m = stele_messages_at(ms, i);
            char text[32];
            stele_message expected = message_of(seen++, text);

            assert_int_equal(m->offset, expected.offset);
            assert_int_equal(m->time, expected.time);
            CHECK_BYTES(m->key, expected.key);
            CHECK_BYTES(m->value, expected.value);
        }
    }
    CHECK_OK(stele_stream_consume(s, at, 7, ms, &at, &err), &err);
    assert_int_equal(stele_messages_count(ms), 0);
    CHECK_OK(stele_stream_get(s, STELE_OFFSET_OLDEST, ms, &err), &err);
    assert_int_equal(stele_messages_at(ms, 0)->offset, offset_of(0));
    for (unsigned i = 0; i < count; i++) {
        char text[32];
        stele_message expected = message_of(i, text);

        CHECK_OK(stele_stream_get(s, offset_of(i), ms, &err), &err);
        if (i > 0) {
            CHECK_CODE(stele_stream_get(s, offset_of(i) - 1, ms, &err), STELE_ENOTFOUND);
        }
        if (!stele_is_nil(expected.key)) {
            CHECK_OK(stele_stream_get_by_key(s, expected.key, ms, &err), &err);
            assert_int_equal(stele_messages_at(ms, 0)->offset, expected.offset);
        }
        CHECK_OK(stele_stream_get_by_time(s, expected.time, ms, &err), &err);
        assert_int_equal(stele_messages_at(ms, 0)->offset, expected.offset);
    }
    stele_messages_free(ms);
}

static void try_format(stele_stream_version version, bool auto_sync, bool no_background)
{
    stele_stream_options opts;
    stele_stream_checked checked = {.faults = 0};
    stele_stream_stats stats;
    stele_stream *s = NULL;
    struct tmpdir t;
    stele_error err;

    tmpdir_make(&t);
    stele_stream_options_init(&opts);
    opts.new_segments = version;
    opts.auto_sync = auto_sync;
    opts.no_background = no_background;
    opts.key_index = true;
    opts.time_index = true;
    opts.rollover = 1000;
    CHECK_OK(stele_stream_open(&s, t.path, &opts, &err), &err);
    for (unsigned i = 0; i < COUNT; i += 10) {
        publish_some(s, i, 10);
        if (i == 100) {
            check_all(s, i + 10);
            CHECK_OK(stele_stream_close(s, &err), &err);
            CHECK_OK(stele_stream_open(&s, t.path, &opts, &err), &err);
        }
    }
    check_all(s, COUNT);
    CHECK_OK(stele_stream_stat(s, &stats, &err), &err);
    assert_int_equal(stats.oldest, offset_of(0));
    assert_int_equal(stats.next_offset, offset_of(COUNT - 1) + 1);
    assert_int_equal(stats.messages, COUNT);
    CHECK_OK(stele_stream_close(s, &err), &err);
    CHECK_OK(stele_stream_check_dir(t.path, &opts, false, NULL, NULL, &checked, &err), &err);
    assert_int_equal(checked.messages, COUNT);
    CHECK_OK(stele_stream_recover_dir(t.path, &opts, NULL, NULL, &err), &err);
    CHECK_OK(stele_stream_open(&s, t.path, &opts, &err), &err);
    check_all(s, COUNT);
    CHECK_OK(stele_stream_close(s, &err), &err);
    tmpdir_remove(&t);
}

static void test_formats(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        try_format(STELE_STREAM_V1, i % 2 == 0, i / 2 == 0);
        try_format(STELE_STREAM_V2, i % 2 == 0, i / 2 == 0);
    }
}

static void test_refused(void **state)
{
    stele_message messages[2] = {{.offset = 5}, {.offset = 5}};
    stele_stream *s = NULL;
    int64_t next = -1;
    struct tmpdir t;
    stele_error err;

    (void)state;
    tmpdir_make(&t);
    CHECK_OK(stele_stream_open(&s, t.path, NULL, &err), &err);
    CHECK_CODE(stele_stream_publish_offsets(s, messages, 2, &next, &err), STELE_EOFFSET);
    messages[1].offset = INT64_MAX;
    CHECK_CODE(stele_stream_publish_offsets(s, messages, 2, &next, &err), STELE_EOFFSET);
    messages[0].offset = -1;
    CHECK_CODE(stele_stream_publish_offsets(s, messages, 1, &next, &err), STELE_EOFFSET);
    CHECK_CODE(stele_stream_publish_offsets(s, NULL, 1, &next, &err), STELE_EINVAL);
    assert_int_equal(next, -1);
    CHECK_OK(stele_stream_next_offset(s, &next, &err), &err);
    assert_int_equal(next, 0);
    messages[0].offset = 7;
    CHECK_OK(stele_stream_publish_offsets(s, messages, 1, &next, &err), &err);
    CHECK_CODE(stele_stream_publish_offsets(s, messages, 1, &next, &err), STELE_EOFFSET);
    CHECK_OK(stele_stream_publish(s, messages, 1, &next, &err), &err);
    assert_int_equal(next, 9);
    CHECK_OK(stele_stream_close(s, &err), &err);
    {
        stele_stream_options opts;

        stele_stream_options_init(&opts);
        opts.read_only = true;
        CHECK_OK(stele_stream_open(&s, t.path, &opts, &err), &err);
        messages[0].offset = 20;
        CHECK_CODE(stele_stream_publish_offsets(s, messages, 1, &next, &err), STELE_EREADONLY);
        CHECK_OK(stele_stream_close(s, &err), &err);
    }
    tmpdir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_formats), cmocka_unit_test(test_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
