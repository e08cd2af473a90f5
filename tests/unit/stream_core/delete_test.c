/* SPDX-License-Identifier: MIT
 *
 * delete_test.c: deleting messages of one segment.
 */
#include "core.h"
#include "lib/wrap.h"

static stele_offsets *set_of(struct core *c, const int64_t *offsets, size_t count)
{
    stele_offsets *set;

    CHECK_OK(stele_offsets_new(&set, &c->err), &c->err);
    for (size_t i = 0; i < count; i++) {
        CHECK_OK(stele_offsets_add(set, offsets[i], &c->err), &c->err);
    }
    return set;
}

static void nothing(void **state)
{
    struct core c;
    stele_offsets *set;
    stele_deleted deleted = {0};

    (void)state;
    core_begin(&c);
    core_open(&c);
    set = set_of(&c, NULL, 0);
    CHECK_OK(stele_stream_delete(c.s, set, &deleted, &c.err), &c.err);
    core_fill(&c, 3);
    CHECK_OK(stele_stream_delete(c.s, set, &deleted, &c.err), &c.err);
    CHECK_OK(stele_stream_delete(c.s, set, NULL, &c.err), &c.err);
    CHECK_CODE(stele_stream_delete(c.s, NULL, &deleted, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_delete(NULL, set, &deleted, &c.err), STELE_EINVAL);
    /* A set has no negative offsets at all. */
    CHECK_CODE(stele_offsets_add(set, -1, &c.err), STELE_EOFFSET);
    assert_int_equal(deleted.count, 0);
    assert_int_equal(deleted.size, 0);
    stele_offsets_free(set);
    core_holds(&c, 0, 2);
    core_end(&c);
}

/* The one segment of the lowest offset; what is not there is passed over. */
static void one_segment_at_a_time(void **state)
{
    const int64_t some[] = {1, 3, 4, 9, 1000};
    struct core c;
    stele_offsets *set;
    stele_deleted deleted = {0};

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(4);
    core_open(&c);
    core_fill(&c, 12);
    set = set_of(&c, some, 5);
    CHECK_OK(stele_stream_delete(c.s, set, &deleted, &c.err), &c.err);
    assert_int_equal(deleted.count, 2);
    assert_int_equal(deleted.size, 2 * (CORE_SIZE_V2 + CORE_ITEM));
    assert_int_equal(core_stats(&c).messages, 10);
    /* Again: the lowest are not there any more, and nothing happens. */
    CHECK_OK(stele_stream_delete(c.s, set, &deleted, &c.err), &c.err);
    assert_int_equal(deleted.count, 2);
    stele_offsets_remove(set, 1);
    stele_offsets_remove(set, 3);
    CHECK_OK(stele_stream_delete(c.s, set, &deleted, &c.err), &c.err);
    assert_int_equal(deleted.count, 3); /* the numbers add up */
    stele_offsets_remove(set, 4);
    stele_offsets_remove(set, 9);
    CHECK_OK(stele_stream_delete(c.s, set, &deleted, &c.err), &c.err);
    assert_int_equal(deleted.count, 3);
    stele_offsets_free(set);
    core_reopen(&c);
    assert_int_equal(core_stats(&c).messages, 9);
    core_consume(&c, 0, 1, 0, 0, 1);
    core_consume(&c, 1, 1, 2, 2, 3);
    core_consume(&c, 3, 5, 5, 7, 8);
    core_end(&c);
}

static void before_the_first_segment(void **state)
{
    const int64_t early[] = {1, 6};
    struct core c;
    stele_offsets *set;
    stele_deleted deleted = {0};

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(4);
    core_open(&c);
    core_fill(&c, 12);
    assert_int_equal(core_delete(&c, 0, 3), 4);
    set = set_of(&c, early, 2);
    CHECK_CODE(stele_stream_delete(c.s, set, &deleted, &c.err), STELE_ENOTFOUND);
    CHECK_MESSAGE_HAS(&c.err, "1");
    assert_int_equal(deleted.count, 0);
    stele_offsets_free(set);
    core_holds(&c, 4, 11);
    core_end(&c);
}

/* What was deleted: the messages themselves, borrowed, and their offsets. */
static void tells_what_was_deleted(void **state)
{
    const int64_t some[] = {0, 2, 3};
    struct core c;
    stele_offsets *set;
    stele_deleted deleted = {0};

    (void)state;
    for (int sealed = 0; sealed < 2; sealed++) {
        core_begin(&c);
        c.opts.rollover = core_rollover(4);
        core_open(&c);
        core_fill(&c, sealed ? 10 : 4);
        set = set_of(&c, some, 3);
        memset(&deleted, 0, sizeof deleted);
        deleted.messages = c.ms;
        CHECK_OK(stele_offsets_new(&deleted.offsets, &c.err), &c.err);
        CHECK_OK(stele_offsets_add(deleted.offsets, 99, &c.err), &c.err);
        CHECK_OK(stele_stream_delete(c.s, set, &deleted, &c.err), &c.err);
        assert_int_equal(deleted.count, 3);
        assert_int_equal(stele_offsets_count(deleted.offsets), 4); /* what was in stays */
        assert_int_equal(stele_messages_count(c.ms), 3);
        for (size_t i = 0; i < 3; i++) {
            assert_true(stele_offsets_has(deleted.offsets, some[i]));
            assert_int_equal(stele_messages_at(c.ms, i)->offset, some[i]);
            core_check_numbered(stele_messages_at(c.ms, i));
        }
        core_close(&c);
        for (size_t i = 0; i < 3; i++) {
            core_check_numbered(stele_messages_at(c.ms, i));
        }
        stele_offsets_free(set);
        stele_offsets_free(deleted.offsets);
        core_end(&c);
    }
}

/* Every run of offsets first .. last of a segment of four, sealed or newest,
 * in each format: what stays, what is next, also after a reopen. */
static void every_run(void **state)
{
    (void)state;
    for (int version = STELE_STREAM_V1; version <= STELE_STREAM_V2; version++) {
        for (int newest = 0; newest < 2; newest++) {
            for (int run = 0; run < 16; run++) {
                int64_t first = 4 + run % 4;
                int64_t last = 4 + run / 4;
                int64_t end = newest ? 8 : 11;
                struct core c;
                int64_t offsets[CORE_ALL_MAX];
                size_t count;

                if (last < first) {
                    continue;
                }
                core_begin(&c);
                c.opts.new_segments = (stele_stream_version)version;
                c.opts.rollover =
                        version == STELE_STREAM_V1 ? 4 * CORE_SIZE_V1 - 1 : core_rollover(4);
                core_open(&c);
                core_fill(&c, (int)end);
                assert_int_equal(core_delete(&c, first, last), last - first + 1);
                for (int look = 0; look < 3; look++) {
                    size_t at = 0;

                    count = core_all(&c, 100, offsets);
                    assert_int_equal(count, end - (last - first + 1));
                    for (int64_t o = 0; o < end; o++) {
                        if (o < first || o > last) {
                            assert_int_equal(offsets[at++], o);
                        }
                    }
                    assert_int_equal(core_next(&c), end);
                    core_reopen(&c);
                }
                core_fill(&c, 1);
                CHECK_OK(stele_stream_get(c.s, STELE_OFFSET_NEWEST, c.ms, &c.err), &c.err);
                assert_int_equal(stele_messages_at(c.ms, 0)->offset, end);
                core_end(&c);
            }
        }
    }
}

/* The newest messages, again and again: no offset comes twice. */
static void offsets_are_never_given_again(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    core_open(&c);
    for (int64_t next = 0; next < 24; next += 3) {
        core_fill(&c, 3);
        assert_int_equal(core_next(&c), next + 3);
        assert_int_equal(core_delete(&c, next + (next % 2), next + 2), next % 2 == 0 ? 3 : 2);
        assert_int_equal(core_next(&c), next + 3);
        if (next % 4 == 0) {
            core_reopen(&c);
            assert_int_equal(core_next(&c), next + 3);
        }
    }
    core_end(&c);
}

static void all_of_it(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(2);
    core_open(&c);
    core_fill(&c, 4);
    assert_int_equal(core_delete(&c, 2, 3), 2); /* the newest segment: a new one starts */
    assert_int_equal(core_stats(&c).segments, 2);
    assert_int_equal(core_delete(&c, 0, 1), 2);
    assert_int_equal(core_stats(&c).segments, 1);
    assert_int_equal(core_stats(&c).messages, 0);
    assert_int_equal(core_stats(&c).oldest, STELE_OFFSET_INVALID);
    assert_int_equal(core_files(&c, ".log"), 1);
    assert_true(tmpdir_exists(&c.dir, "00000000000000000004.log"));
    core_consume(&c, 1, 5, 0, -1, 4);
    core_fill(&c, 1);
    core_holds(&c, 4, 4);
    core_reopen(&c);
    core_holds(&c, 4, 4);
    core_end(&c);
}

/* The segment is named by its lowest offset that is left; no other file stays. */
static void files_are_renamed(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(4);
    core_open(&c);
    core_fill(&c, 8);
    core_reopen(&c);
    assert_int_equal(core_delete(&c, 0, 1), 2);
    assert_int_equal(core_delete(&c, 4, 4), 1);
    core_close(&c);
    assert_int_equal(core_files(&c, ".log"), 2);
    assert_int_equal(core_files(&c, ".index"), 2);
    assert_int_equal(tmpdir_size(&c.dir, "00000000000000000002.log"), 8 + 2 * CORE_SIZE_V2);
    assert_int_equal(tmpdir_size(&c.dir, "00000000000000000002.index"), 8 + 2 * CORE_ITEM);
    assert_int_equal(tmpdir_size(&c.dir, "00000000000000000005.log"), 8 + 3 * CORE_SIZE_V2);
    core_open(&c);
    core_end(&c);
}

/* Sizes are those of the format that the messages were in. */
static void versions_of_rewritten_segments(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        for (int from = STELE_STREAM_V1; from <= STELE_STREAM_V2; from++) {
            int to = STELE_STREAM_V1 + STELE_STREAM_V2 - from;
            int64_t size = from == STELE_STREAM_V1 ? CORE_SIZE_V1 : CORE_SIZE_V2;
            int64_t v1 = 0;
            stele_deleted deleted = {0};
            stele_offsets *set;
            struct core c;

            core_begin(&c);
            c.opts.new_segments = (stele_stream_version)from;
            c.opts.rollover = 3 * size;
            core_open(&c);
            core_fill(&c, 12);
            core_close(&c);
            c.opts.new_segments = (stele_stream_version)to;
            c.opts.keep_rewrite_version = keep == 1;
            core_open(&c);
            v1 = core_stats(&c).segments_v1;
            assert_int_equal(v1, from == STELE_STREAM_V1 ? core_stats(&c).segments : 0);
            set = set_of(&c, (const int64_t[]){1}, 1);
            CHECK_OK(stele_stream_delete(c.s, set, &deleted, &c.err), &c.err);
            assert_int_equal(deleted.count, 1);
            assert_int_equal(deleted.size, size + CORE_ITEM);
            stele_offsets_free(set);
            if (keep == 0) {
                v1 += to == STELE_STREAM_V1 ? 1 : -1;
            }
            assert_int_equal(core_stats(&c).segments_v1, v1);
            core_reopen(&c);
            assert_int_equal(core_stats(&c).segments_v1, v1);
            assert_int_equal(core_stats(&c).messages, 11);
            core_consume(&c, 1, 1, 2, 2, 3);
            core_fill(&c, 5); /* into the head as it is, then into new ones */
            core_consume(&c, 16, 1, 16, 16, 17);
            core_reopen(&c);
            core_consume(&c, 12, 1, 12, 12, 13);
            core_end(&c);
        }
    }
}

/* ---- A publish in the middle of a deletion. ---- */

/* The real files, with a call in between when a deletion makes its new file. */
struct between {
    struct wrap_vfs wrap;
    struct core *c;
    int publish;
};

static int between_before(struct wrap_vfs *w, const struct wrap_call *call)
{
    struct between *b = (struct between *)w;

    if (call->op == WRAP_OPEN && strstr(call->name, ".log.rewrite.") != NULL && b->publish > 0) {
        int count = b->publish;

        b->publish = 0;
        core_fill(b->c, count);
    }
    return 0;
}

/* Messages that come while the survivors are copied are kept. (No more than
 * the segment has room for: whoever needs a new one waits for the deletion.) */
static void publish_in_the_middle(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        for (int more = 1; more < 4; more++) {
            struct between b;
            struct core c;
            stele_env env;
            int64_t offsets[CORE_ALL_MAX];
            size_t count;

            core_begin(&c);
            b = (struct between){.c = &c};
            wrap_init(&b.wrap, between_before);
            stele_env_init(&env);
            env.vfs = &b.wrap.vfs;
            c.opts.env = &env;
            c.opts.rollover = core_rollover(8);
            c.opts.no_background = way == 1;
            c.opts.auto_sync = way == 2;
            core_open(&c);
            core_fill(&c, 5);
            b.publish = more;
            assert_int_equal(core_delete(&c, 1, 2), 2);
            assert_int_equal(b.publish, 0);
            for (int look = 0; look < 2; look++) {
                count = core_all(&c, 100, offsets);
                assert_int_equal(count, 5 + more - 2);
                for (size_t i = 0; i < count; i++) {
                    assert_int_equal(offsets[i], i == 0 ? 0 : (int64_t)i + 2);
                }
                core_reopen(&c);
            }
            core_end(&c);
        }
    }
}

/* Sync comes to an end after a deletion that moved the head's beginning. */
static void sync_after_a_deletion_in_the_head(void **state)
{
    struct core c;
    int64_t durable = -1;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(4);
    core_open(&c);
    core_fill(&c, 7);
    assert_int_equal(core_delete(&c, 4, 4), 1); /* it begins at 5 now */
    core_fill(&c, 1);
    CHECK_OK(stele_stream_sync(c.s, &durable, &c.err), &c.err);
    assert_int_equal(durable, 8);
    assert_int_equal(core_delete(&c, 5, 7), 3); /* and at 8 */
    core_fill(&c, 1);
    CHECK_OK(stele_stream_sync(c.s, &durable, &c.err), &c.err);
    assert_int_equal(durable, 9);
    core_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(nothing),
            cmocka_unit_test(one_segment_at_a_time),
            cmocka_unit_test(before_the_first_segment),
            cmocka_unit_test(tells_what_was_deleted),
            cmocka_unit_test(every_run),
            cmocka_unit_test(offsets_are_never_given_again),
            cmocka_unit_test(all_of_it),
            cmocka_unit_test(files_are_renamed),
            cmocka_unit_test(versions_of_rewritten_segments),
            cmocka_unit_test(publish_in_the_middle),
            cmocka_unit_test(sync_after_a_deletion_in_the_head),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
