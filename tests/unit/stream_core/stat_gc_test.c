/* SPDX-License-Identifier: MIT
 *
 * stat_gc_test.c: facts about a stream, and letting go of what it does not use.
 */
#include "core.h"

static int64_t bytes_on_disk(const struct core *c)
{
    int64_t sum = 0;

    for (int64_t base = 0; base < 100; base++) {
        char name[64];

        (void)snprintf(name, sizeof name, "%020" PRId64 ".log", base);
        sum += tmpdir_exists(&c->dir, name) ? (int64_t)tmpdir_size(&c->dir, name) : 0;
        (void)snprintf(name, sizeof name, "%020" PRId64 ".index", base);
        sum += tmpdir_exists(&c->dir, name) ? (int64_t)tmpdir_size(&c->dir, name) : 0;
    }
    return sum;
}

/* Whatever the files are while it is open: the size is that after a clean close. */
static void size_as_after_a_clean_close(void **state)
{
    (void)state;
    for (int version = STELE_STREAM_V1; version <= STELE_STREAM_V2; version++) {
        for (int params = 0; params < 4; params++) {
            for (int count = 0; count < 9; count++) {
                struct core c;
                stele_stream_stats open;
                stele_stream_stats again;
                struct core_text text;
                stele_message m = core_message(&text, 0);
                int64_t size = -1;

                core_begin(&c);
                c.opts.new_segments = (stele_stream_version)version;
                c.opts.key_index = (params & 1) != 0;
                c.opts.time_index = (params & 2) != 0;
                c.opts.rollover = core_rollover(3);
                core_open(&c);
                core_fill(&c, count);
                open = core_stats(&c);
                CHECK_OK(stele_stream_size(c.s, &m, &size, &c.err), &c.err);
                assert_int_equal(size, (version == STELE_STREAM_V1 ? CORE_SIZE_V1 : CORE_SIZE_V2) +
                                               16 + 8 * (params & 1) + 4 * (params & 2));
                core_close(&c);
                assert_int_equal(bytes_on_disk(&c), open.size);
                assert_int_equal(open.messages, count);
                assert_int_equal(open.next_offset, count);
                assert_int_equal(open.oldest, count == 0 ? STELE_OFFSET_INVALID : 0);
                assert_int_equal(open.key_index, (params & 1) != 0);
                assert_int_equal(open.time_index, (params & 2) != 0);
                assert_int_equal(open.segments_v1, version == STELE_STREAM_V1 ? open.segments : 0);
                assert_int_equal(core_files(&c, ".log"), open.segments);
                CHECK_OK(stele_stream_stat_dir(c.dir.path, &c.opts, &again, &c.err), &c.err);
                assert_memory_equal(&again.size, &open.size, sizeof open.size);
                assert_int_equal(again.segments, open.segments);
                assert_int_equal(again.messages, open.messages);
                core_open(&c);
                assert_int_equal(core_stats(&c).size, open.size);
                core_end(&c);
            }
        }
    }
}

static void after_deletions(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(4);
    core_open(&c);
    core_fill(&c, 11);
    assert_int_equal(core_delete(&c, 0, 1), 2);
    assert_int_equal(core_stats(&c).oldest, 2);
    assert_int_equal(core_delete(&c, 8, 8), 1);
    assert_int_equal(core_delete(&c, 2, 3), 2);
    assert_int_equal(core_stats(&c).oldest, 4);
    assert_int_equal(core_stats(&c).messages, 6);
    assert_int_equal(core_stats(&c).segments, 2);
    assert_int_equal(core_stats(&c).size, 2 * (8 + 8) + 6 * (CORE_SIZE_V2 + CORE_ITEM));
    core_close(&c);
    assert_int_equal(bytes_on_disk(&c), 2 * (8 + 8) + 6 * (CORE_SIZE_V2 + CORE_ITEM));
    core_open(&c);
    core_end(&c);
}

static void stat_dir_beside_a_writer(void **state)
{
    struct core c;
    stele_stream_stats stats;
    stele_stream_options any;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(4);
    core_open(&c);
    stele_stream_options_init(&any);
    any.index_auto = true;
    for (int i = 0; i < 10; i++) {
        core_fill(&c, 1);
        CHECK_OK(stele_stream_stat_dir(c.dir.path, &any, &stats, &c.err), &c.err);
        assert_int_equal(stats.messages, i + 1);
        assert_int_equal(stats.next_offset, i + 1);
        assert_int_equal(stats.size, core_stats(&c).size);
        assert_true(stats.key_index && stats.time_index);
    }
    CHECK_CODE(stele_stream_stat_dir("/nonexistent/stele", NULL, &stats, &c.err), STELE_ENOTFOUND);
    core_end(&c);
}

static void bad_arguments(void **state)
{
    struct core c;
    stele_stream_stats stats;
    int64_t n;
    stele_message m = stele_message_invalid();

    (void)state;
    core_begin(&c);
    core_open(&c);
    CHECK_CODE(stele_stream_stat(NULL, &stats, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_stat(c.s, NULL, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_gc(NULL, 0, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_gc(c.s, -1, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_size(NULL, &m, &n, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_size(c.s, NULL, &n, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_size(c.s, &m, NULL, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_next_offset(NULL, &n, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_next_offset(c.s, NULL, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_sync(NULL, &n, &c.err), STELE_EINVAL);
    core_end(&c);
}

/* Lines of /proc/self/maps that name a file of the directory with this suffix. */
static int maps_of(const struct core *c, const char *suffix)
{
    FILE *f = fopen("/proc/self/maps", "r");
    char line[TMPDIR_PATH_SIZE + 256];
    int count = 0;

    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        count += strstr(line, c->dir.path) != NULL && strstr(line, suffix) != NULL;
    }
    (void)fclose(f);
    return count;
}

/* gc(0) lets go of every sealed segment; what a container holds is kept until it is cleared. */
static void gc_lets_go_of_maps(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(3);
    core_open(&c);
    core_fill(&c, 20);
    core_reopen(&c);
    core_holds(&c, 0, 19);
    stele_messages_clear(c.ms);
    assert_true(maps_of(&c, ".log") >= 6);
    CHECK_OK(stele_stream_gc(c.s, 0, &c.err), &c.err);
    assert_true(maps_of(&c, ".log") <= 1); /* the head's */
    assert_int_equal(maps_of(&c, ".index"), 0);
    assert_int_equal(maps_of(&c, ".keys"), 0);
    core_holds(&c, 0, 19);
    CHECK_OK(stele_stream_get_by_key(c.s, stele_str("key-0002"), c.ms, &c.err), &c.err);
    assert_int_equal(stele_messages_at(c.ms, 0)->offset, 15);
    core_consume(&c, 3, 10, 3, 5, 6);
    CHECK_OK(stele_stream_gc(c.s, 0, &c.err), &c.err);
    assert_int_equal(maps_of(&c, "00000000000000000003.log"), 1);
    assert_int_equal(maps_of(&c, "00000000000000000006.log"), 0);
    core_check_numbered(stele_messages_at(c.ms, 2));
    stele_messages_clear(c.ms);
    assert_int_equal(maps_of(&c, "00000000000000000003.log"), 0);
    core_end(&c);
}

static uint64_t set_clock(void *arg)
{
    return *(const uint64_t *)arg;
}

/* By the env's clock: what was read since is kept for so long. */
static void gc_of_what_was_not_used(void **state)
{
    struct core c;
    stele_env env;
    uint64_t now = 1000000000000;

    (void)state;
    core_begin(&c);
    stele_env_init(&env);
    env.arg = &now;
    env.monotonic_ns = set_clock;
    c.opts.env = &env;
    c.opts.rollover = core_rollover(3);
    core_open(&c);
    core_fill(&c, 20);
    core_reopen(&c);
    core_holds(&c, 0, 19);
    stele_messages_clear(c.ms);
    CHECK_OK(stele_stream_gc(c.s, 1000, &c.err), &c.err);
    assert_true(maps_of(&c, ".log") >= 6);
    now += 600 * 1000000ULL;
    core_consume(&c, 4, 1, 4, 4, 5); /* the segment of 3 is used again */
    stele_messages_clear(c.ms);
    CHECK_OK(stele_stream_gc(c.s, 1000, &c.err), &c.err);
    assert_true(maps_of(&c, ".log") >= 6);
    now += 600 * 1000000ULL;
    CHECK_OK(stele_stream_gc(c.s, 1000, &c.err), &c.err);
    assert_int_equal(maps_of(&c, "00000000000000000003.log"), 1);
    assert_int_equal(maps_of(&c, "00000000000000000006.log"), 0);
    CHECK_OK(stele_stream_gc(c.s, INT64_MAX, &c.err), &c.err);
    assert_int_equal(maps_of(&c, "00000000000000000003.log"), 1);
    now += 1000 * 1000000ULL;
    CHECK_OK(stele_stream_gc(c.s, 1000, &c.err), &c.err);
    assert_int_equal(maps_of(&c, "00000000000000000003.log"), 0);
    core_holds(&c, 0, 19);
    core_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(size_as_after_a_clean_close),
            cmocka_unit_test(after_deletions),
            cmocka_unit_test(stat_dir_beside_a_writer),
            cmocka_unit_test(bad_arguments),
            cmocka_unit_test(gc_lets_go_of_maps),
            cmocka_unit_test(gc_of_what_was_not_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
