/* SPDX-License-Identifier: MIT
 *
 * get_test.c: one message by its offset.
 */
#include "core.h"

static stele_code get(struct core *c, int64_t offset)
{
    return stele_stream_get(c->s, offset, c->ms, &c->err);
}

static void check_get(struct core *c, int64_t offset, int64_t expected)
{
    CHECK_OK(get(c, offset), &c->err);
    assert_int_equal(stele_messages_count(c->ms), 1);
    assert_int_equal(stele_messages_at(c->ms, 0)->offset, expected);
    core_check_numbered(stele_messages_at(c->ms, 0));
    assert_null(stele_messages_at(c->ms, 1));
}

static void empty_stream(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    core_open(&c);
    for (int i = 0; i < 2; i++) {
        CHECK_CODE(get(&c, STELE_OFFSET_OLDEST), STELE_EOFFSET);
        CHECK_CODE(get(&c, STELE_OFFSET_NEWEST), STELE_EOFFSET);
        CHECK_CODE(get(&c, STELE_OFFSET_INVALID), STELE_EOFFSET);
        CHECK_CODE(get(&c, 0), STELE_EOFFSET);
        CHECK_CODE(get(&c, 3), STELE_EOFFSET);
        core_reopen(&c);
    }
    core_end(&c);
}

static void exact_oldest_newest(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(3);
    core_open(&c);
    core_fill(&c, 10);
    for (int i = 0; i < 2; i++) {
        for (int64_t offset = 0; offset < 10; offset++) {
            check_get(&c, offset, offset);
        }
        check_get(&c, STELE_OFFSET_OLDEST, 0);
        check_get(&c, STELE_OFFSET_NEWEST, 9);
        CHECK_CODE(get(&c, 10), STELE_EOFFSET);
        CHECK_MESSAGE_HAS(&c.err, "offset 10 is not published; the next is 10");
        CHECK_CODE(get(&c, 11), STELE_EOFFSET);
        CHECK_CODE(get(&c, INT64_MAX), STELE_EOFFSET);
        CHECK_CODE(get(&c, -3), STELE_EOFFSET);
        CHECK_CODE(get(&c, INT64_MIN), STELE_EOFFSET);
        core_reopen(&c);
    }
    core_end(&c);
}

static void deleted_or_before_the_first(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(4);
    core_open(&c);
    core_fill(&c, 12);
    assert_int_equal(core_delete(&c, 0, 0), 1);
    assert_int_equal(core_delete(&c, 5, 6), 2);
    assert_int_equal(core_delete(&c, 11, 11), 1);
    for (int i = 0; i < 2; i++) {
        CHECK_CODE(get(&c, 0), STELE_ENOTFOUND);
        CHECK_CODE(get(&c, 5), STELE_ENOTFOUND);
        CHECK_CODE(get(&c, 6), STELE_ENOTFOUND);
        CHECK_CODE(get(&c, 11), STELE_ENOTFOUND);
        CHECK_CODE(get(&c, 12), STELE_EOFFSET);
        check_get(&c, STELE_OFFSET_OLDEST, 1);
        check_get(&c, 7, 7);
        core_reopen(&c);
    }
    core_end(&c);
}

/* The newest segment is empty after its last message went: NEWEST looks past it. */
static void looks_past_an_empty_newest_segment(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(4);
    core_open(&c);
    core_fill(&c, 6);
    assert_int_equal(core_delete(&c, 4, 5), 2);
    for (int i = 0; i < 2; i++) {
        check_get(&c, STELE_OFFSET_NEWEST, 3);
        check_get(&c, STELE_OFFSET_OLDEST, 0);
        CHECK_CODE(get(&c, 5), STELE_ENOTFOUND);
        CHECK_CODE(get(&c, 6), STELE_EOFFSET);
        core_reopen(&c);
    }
    assert_int_equal(core_delete(&c, 0, 3), 4);
    CHECK_CODE(get(&c, STELE_OFFSET_NEWEST), STELE_EOFFSET);
    CHECK_CODE(get(&c, STELE_OFFSET_OLDEST), STELE_EOFFSET);
    CHECK_CODE(get(&c, 3), STELE_ENOTFOUND);
    core_end(&c);
}

static void nothing_to_read_from_or_into(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    core_open(&c);
    core_fill(&c, 1);
    CHECK_CODE(stele_stream_get(NULL, 0, c.ms, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_get(c.s, 0, NULL, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_get(c.s, 9, c.ms, NULL), STELE_EOFFSET);
    core_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(empty_stream),
            cmocka_unit_test(exact_oldest_newest),
            cmocka_unit_test(deleted_or_before_the_first),
            cmocka_unit_test(looks_past_an_empty_newest_segment),
            cmocka_unit_test(nothing_to_read_from_or_into),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
