/* SPDX-License-Identifier: MIT
 *
 * consume_test.c: reading in order, from any offset.
 */
#include "core.h"

static stele_code consume(struct core *c, int64_t from, int64_t max)
{
    return stele_stream_consume(c->s, from, max, c->ms, NULL, &c->err);
}

static void never_had_messages(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    core_open(&c);
    core_consume(&c, STELE_OFFSET_OLDEST, 10, 0, -1, 0);
    core_consume(&c, STELE_OFFSET_NEWEST, 10, 0, -1, 0);
    core_consume(&c, 0, 10, 0, -1, 0);
    CHECK_CODE(consume(&c, 1, 10), STELE_EOFFSET);
    CHECK_MESSAGE_HAS(&c.err, "offset 1 ");
    core_reopen(&c);
    core_consume(&c, STELE_OFFSET_OLDEST, 10, 0, -1, 0);
    CHECK_CODE(consume(&c, 1, 10), STELE_EOFFSET);
    core_end(&c);
}

static void emptied_by_deletion(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    core_open(&c);
    core_fill(&c, 4);
    assert_int_equal(core_delete(&c, 0, 3), 4);
    for (int i = 0; i < 2; i++) {
        core_consume(&c, STELE_OFFSET_OLDEST, 10, 0, -1, 4);
        core_consume(&c, STELE_OFFSET_NEWEST, 10, 0, -1, 4);
        core_consume(&c, 0, 10, 0, -1, 4);
        core_consume(&c, 3, 10, 0, -1, 4);
        core_consume(&c, 4, 10, 0, -1, 4);
        CHECK_CODE(consume(&c, 5, 10), STELE_EOFFSET);
        core_reopen(&c);
    }
    core_end(&c);
}

static void special_offsets(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    core_open(&c);
    core_fill(&c, 5);
    core_consume(&c, STELE_OFFSET_OLDEST, 2, 0, 1, 2);
    /* NEWEST is where the next message will be: there is never one there. */
    core_consume(&c, STELE_OFFSET_NEWEST, 10, 0, -1, 5);
    core_consume(&c, 5, 10, 0, -1, 5);
    CHECK_CODE(consume(&c, 6, 10), STELE_EOFFSET);
    CHECK_MESSAGE_HAS(&c.err, "6");
    CHECK_CODE(consume(&c, INT64_MAX, 10), STELE_EOFFSET);
    CHECK_CODE(consume(&c, STELE_OFFSET_INVALID, 10), STELE_EOFFSET);
    CHECK_CODE(consume(&c, -4, 10), STELE_EOFFSET);
    CHECK_CODE(consume(&c, INT64_MIN, 10), STELE_EOFFSET);
    core_end(&c);
}

static void counts(void **state)
{
    struct core c;
    int64_t next = 77;

    (void)state;
    core_begin(&c);
    core_open(&c);
    core_fill(&c, 5);
    CHECK_CODE(consume(&c, 0, 0), STELE_EINVAL);
    CHECK_CODE(consume(&c, 0, -1), STELE_EINVAL);
    CHECK_CODE(consume(&c, 0, INT64_MIN), STELE_EINVAL);
    CHECK_MESSAGE_HAS(&c.err, "-9223372036854775808");
    CHECK_CODE(stele_stream_consume(NULL, 0, 1, c.ms, &next, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_consume(c.s, 0, 1, NULL, &next, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_consume(c.s, 0, 0, c.ms, &next, &c.err), STELE_EINVAL);
    assert_int_equal(next, 77);
    for (int64_t n = 1; n <= 5; n++) {
        core_consume(&c, 0, n, 0, n - 1, n);
    }
    core_consume(&c, 0, INT64_MAX, 0, 4, 5);
    core_consume(&c, 3, 100, 3, 4, 5);
    core_end(&c);
}

/* A call need not cross a segment; all calls together give all messages. */
static void across_segments(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(3);
    core_open(&c);
    core_fill(&c, 20);
    assert_int_equal(core_stats(&c).segments, 7);
    for (int i = 0; i < 2; i++) {
        int64_t offsets[CORE_ALL_MAX];

        for (int64_t max = 1; max <= 21; max++) {
            assert_int_equal(core_all(&c, max, offsets), 20);
        }
        for (int64_t from = 0; from < 20; from++) {
            int64_t next = -1;

            CHECK_OK(stele_stream_consume(c.s, from, 1, c.ms, &next, &c.err), &c.err);
            assert_int_equal(stele_messages_count(c.ms), 1);
            assert_int_equal(stele_messages_at(c.ms, 0)->offset, from);
            assert_int_equal(next, from + 1);
        }
        core_reopen(&c);
    }
    core_end(&c);
}

/* From before the first, of a deleted one, and of one in a segment that is gone. */
static void starts_at_the_next_there(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(4);
    core_open(&c);
    core_fill(&c, 16);
    assert_int_equal(core_delete(&c, 0, 1), 2);
    assert_int_equal(core_delete(&c, 4, 7), 4);  /* a whole segment */
    assert_int_equal(core_delete(&c, 9, 10), 2); /* the middle of one */
    assert_int_equal(core_delete(&c, 15, 15), 1);
    for (int i = 0; i < 2; i++) {
        core_consume(&c, STELE_OFFSET_OLDEST, 1, 2, 2, 3);
        core_consume(&c, 0, 1, 2, 2, 3);
        core_consume(&c, 1, 1, 2, 2, 3);
        core_consume(&c, 4, 1, 8, 8, 9);
        core_consume(&c, 7, 1, 8, 8, 9);
        core_consume(&c, 9, 1, 11, 11, 12);
        core_consume(&c, 10, 1, 11, 11, 12);
        core_consume(&c, 15, 1, 0, -1, 16);
        core_consume(&c, 16, 1, 0, -1, 16);
        CHECK_CODE(consume(&c, 17, 1), STELE_EOFFSET);
        core_reopen(&c);
    }
    core_end(&c);
}

static void next_offset_may_be_left_out(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    core_open(&c);
    core_fill(&c, 3);
    CHECK_CODE(consume(&c, 0, 10), STELE_OK);
    assert_int_equal(stele_messages_count(c.ms), 3);
    core_end(&c);
}

/* Damage in a sealed segment: what lies before and behind is read as ever. */
static void damage_is_met_where_it_is(void **state)
{
    struct core c;
    int64_t next;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(4);
    core_open(&c);
    core_fill(&c, 12);
    core_close(&c);
    /* The value of message 5, the second of the second segment. */
    tmpdir_flip(&c.dir, "00000000000000000004.log", 8 * (8 + CORE_SIZE_V2 + 28 + 8 + 2) + 3);
    core_open(&c);
    core_consume(&c, 0, 4, 0, 3, 4);
    core_consume(&c, 4, 1, 4, 4, 5);
    core_consume(&c, 4, 10, 4, 4, 5); /* up to the damage, */
    CHECK_CODE(consume(&c, 5, 1), STELE_ECORRUPT);
    assert_string_equal(c.err.file, "00000000000000000004.log");
    assert_int_equal(c.err.position, 8 + CORE_SIZE_V2);
    core_consume(&c, 6, 10, 6, 7, 8); /* and from behind it */
    core_consume(&c, 8, 10, 8, 11, 12);
    CHECK_CODE(stele_stream_get(c.s, 5, c.ms, &c.err), STELE_ECORRUPT);
    CHECK_OK(stele_stream_get(c.s, 6, c.ms, &c.err), &c.err);
    CHECK_CODE(stele_stream_get_by_key(c.s, stele_str("key-0005"), c.ms, &c.err), STELE_ECORRUPT);
    CHECK_OK(stele_stream_get_by_key(c.s, stele_str("key-0006"), c.ms, &c.err), &c.err);
    /* Writing goes on. */
    core_fill(&c, 1);
    CHECK_OK(stele_stream_consume(c.s, 12, 1, c.ms, &next, &c.err), &c.err);
    core_check_numbered(stele_messages_at(c.ms, 0));
    core_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(never_had_messages),
            cmocka_unit_test(emptied_by_deletion),
            cmocka_unit_test(special_offsets),
            cmocka_unit_test(counts),
            cmocka_unit_test(across_segments),
            cmocka_unit_test(starts_at_the_next_there),
            cmocka_unit_test(next_offset_may_be_left_out),
            cmocka_unit_test(damage_is_met_where_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
