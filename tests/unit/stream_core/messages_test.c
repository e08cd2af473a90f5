/* SPDX-License-Identifier: MIT
 *
 * messages_test.c: what was read stays readable, and as it was.
 */
#include "core.h"

#include <unistd.h>

enum {
    COUNT = 40
};

static void begin(struct core *c, int way)
{
    core_begin(c);
    c->opts.rollover = core_rollover(COUNT + 10); /* all in the head, */
    c->opts.no_map = way == 1;
    c->opts.auto_sync = way == 2;
    c->opts.new_segments = way == 3 ? STELE_STREAM_V1 : STELE_STREAM_V2;
    core_open(c);
    core_fill(c, COUNT);
    if (way >= 4) {
        c->opts.rollover = 1; /* or all in a sealed segment */
        core_reopen(c);
        core_fill(c, 1);
    }
}

enum {
    BEGIN_WAYS = 5
};

static void take(struct core *c)
{
    CHECK_OK(stele_stream_consume(c->s, 0, COUNT, c->ms, NULL, &c->err), &c->err);
    assert_int_equal(stele_messages_count(c->ms), COUNT);
}

static void intact(struct core *c)
{
    assert_int_equal(stele_messages_count(c->ms), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(stele_messages_at(c->ms, i)->offset, i);
        core_check_numbered(stele_messages_at(c->ms, i));
    }
    assert_null(stele_messages_at(c->ms, COUNT));
    assert_null(stele_messages_at(c->ms, SIZE_MAX));
}

/* Delete, trim, gc, rewrite, close, and the files' end: the container is as it was. */
static void outlive_everything(void **state)
{
    (void)state;
    for (int way = 0; way < BEGIN_WAYS; way++) {
        struct core c;

        begin(&c, way);
        take(&c);
        assert_int_equal(core_delete(&c, 3, 9), 7);
        intact(&c);
        core_fill(&c, 20);
        intact(&c);
        CHECK_OK(stele_stream_gc(c.s, 0, &c.err), &c.err);
        intact(&c);
        CHECK_OK(stele_stream_trim_by_offset_multi(c.s, 30, NULL, NULL, NULL, &c.err), &c.err);
        intact(&c);
        CHECK_OK(stele_stream_trim_by_count_multi(c.s, 0, NULL, NULL, NULL, &c.err), &c.err);
        CHECK_OK(stele_stream_gc(c.s, 0, &c.err), &c.err);
        intact(&c);
        core_fill(&c, 30);
        intact(&c);
        core_close(&c);
        intact(&c);
        core_open(&c);
        core_fill(&c, 30);
        intact(&c);
        core_end(&c);
    }
}

static void after_close_and_removal(void **state)
{
    (void)state;
    for (int way = 0; way < BEGIN_WAYS; way++) {
        struct core c;

        begin(&c, way);
        take(&c);
        core_close(&c);
        tmpdir_remove(&c.dir);
        intact(&c);
        stele_messages_free(c.ms);
    }
}

static void own(void **state)
{
    (void)state;
    for (int way = 0; way < BEGIN_WAYS; way++) {
        struct core c;
        const uint8_t *borrowed;

        begin(&c, way);
        take(&c);
        borrowed = stele_messages_at(c.ms, 7)->value.data;
        CHECK_OK(stele_messages_own(c.ms, &c.err), &c.err);
        assert_true(stele_messages_at(c.ms, 7)->value.data != borrowed);
        intact(&c);
        CHECK_OK(stele_messages_own(c.ms, &c.err), &c.err); /* twice is once */
        intact(&c);
        core_close(&c);
        intact(&c);
        core_open(&c);
        take(&c); /* and back to borrowing */
        intact(&c);
        core_end(&c);
    }
}

static void own_of_nil_and_of_nothing(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    core_open(&c);
    CHECK_OK(stele_messages_own(c.ms, &c.err), &c.err);
    assert_int_equal(stele_messages_count(c.ms), 0);
    (void)core_put(&c, NULL, "v", 1);
    (void)core_put(&c, "k", NULL, 1);
    (void)core_put(&c, NULL, NULL, 1);
    core_consume(&c, 0, 5, 0, 2, 3);
    CHECK_OK(stele_messages_own(c.ms, &c.err), &c.err);
    assert_true(stele_is_nil(stele_messages_at(c.ms, 0)->key));
    CHECK_BYTES(stele_messages_at(c.ms, 0)->value, stele_str("v"));
    CHECK_BYTES(stele_messages_at(c.ms, 1)->key, stele_str("k"));
    assert_true(stele_is_nil(stele_messages_at(c.ms, 1)->value));
    assert_true(stele_is_nil(stele_messages_at(c.ms, 2)->key));
    core_end(&c);
}

/* One container for all calls, and from one stream to another. */
static void used_again(void **state)
{
    struct core a;
    struct core b;

    (void)state;
    core_begin(&a);
    core_begin(&b);
    a.opts.rollover = core_rollover(2);
    core_open(&a);
    core_open(&b);
    core_fill(&a, 10);
    core_fill(&b, 5);
    for (int i = 0; i < 20; i++) {
        CHECK_OK(stele_stream_consume(a.s, i % 10, 3, a.ms, NULL, &a.err), &a.err);
        assert_int_equal(stele_messages_at(a.ms, 0)->offset, i % 10);
        CHECK_OK(stele_stream_get(b.s, i % 5, a.ms, &a.err), &a.err);
        assert_int_equal(stele_messages_count(a.ms), 1);
        assert_int_equal(stele_messages_at(a.ms, 0)->offset, i % 5);
        core_check_numbered(stele_messages_at(a.ms, 0));
        if (i % 3 == 0) {
            CHECK_OK(stele_messages_own(a.ms, &a.err), &a.err);
        }
        if (i % 4 == 0) {
            stele_messages_clear(a.ms);
            assert_int_equal(stele_messages_count(a.ms), 0);
            assert_null(stele_messages_at(a.ms, 0));
        }
    }
    core_end(&b);
    core_end(&a);
    stele_messages_free(NULL);
    CHECK_CODE(stele_messages_new(NULL, NULL), STELE_EINVAL);
}

/* Of a live handle the newest messages lie in memory: they last as long. */
static void of_a_live_handle(void **state)
{
    struct core c;
    struct core reader;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(COUNT + 10);
    core_open(&c);
    core_fill(&c, COUNT);
    core_begin(&reader);
    tmpdir_remove(&reader.dir);
    reader.dir = c.dir;
    reader.opts.live = true;
    core_open(&reader);
    take(&reader);
    core_fill(&c, 3000); /* more than the memory that it had */
    assert_int_equal(core_next(&reader), COUNT + 3000);
    intact(&reader);
    CHECK_OK(stele_stream_trim_by_offset_multi(c.s, 3000, NULL, NULL, NULL, &c.err), &c.err);
    assert_int_equal(core_stats(&reader).oldest, 3000);
    intact(&reader);
    core_close(&reader);
    core_close(&c);
    intact(&reader);
    stele_messages_free(reader.ms);
    core_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(outlive_everything),
            cmocka_unit_test(after_close_and_removal),
            cmocka_unit_test(own),
            cmocka_unit_test(own_of_nil_and_of_nothing),
            cmocka_unit_test(used_again),
            cmocka_unit_test(of_a_live_handle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
