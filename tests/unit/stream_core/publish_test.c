/* SPDX-License-Identifier: MIT
 *
 * publish_test.c: appending messages.
 */
#include "core.h"

#include <sys/wait.h>
#include <unistd.h>

/* A clock that tests set. */
struct clock {
    stele_env env;
    stele_time now;
    int looks;
};

static stele_time clock_now(void *arg)
{
    struct clock *clock = arg;

    clock->looks++;
    return clock->now;
}

static void clock_init(struct clock *clock, stele_time now)
{
    stele_env_init(&clock->env);
    clock->env.arg = clock;
    clock->env.wall_clock = clock_now;
    clock->now = now;
    clock->looks = 0;
}

static void random_bytes(void *arg, void *out, size_t len)
{
    (void)arg;
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)out)[i] = (uint8_t)(i * 37 + 11);
    }
}

static uint64_t monotonic(void *arg)
{
    (void)arg;
    return 12345;
}

/* Every way to write gives the same bytes. */
struct way {
    bool no_map;
    bool auto_sync;
    bool no_background;
    stele_stream_version version;
};

static const struct way ways[] = {
        {false, false, false, STELE_STREAM_V2},
        {true, false, false, STELE_STREAM_V2},
        {false, true, false, STELE_STREAM_V2},
        {true, true, false, STELE_STREAM_V2},
        {false, false, true, STELE_STREAM_V2},
        {false, false, false, STELE_STREAM_V1},
        {false, true, true, STELE_STREAM_V1},
};

enum {
    WAYS = sizeof ways / sizeof ways[0]
};

static void begin_way(struct core *c, int way)
{
    core_begin(c);
    c->opts.no_map = ways[way].no_map;
    c->opts.auto_sync = ways[way].auto_sync;
    c->opts.no_background = ways[way].no_background;
    c->opts.new_segments = ways[way].version;
}

static void offsets_rise_by_one(void **state)
{
    (void)state;
    for (int way = 0; way < WAYS; way++) {
        struct core c;

        begin_way(&c, way);
        c.opts.rollover = core_rollover(4);
        core_open(&c);
        assert_int_equal(core_next(&c), 0);
        core_fill(&c, 11);
        assert_int_equal(core_next(&c), 11);
        core_holds(&c, 0, 10);
        core_reopen(&c);
        assert_int_equal(core_next(&c), 11);
        core_fill(&c, 6);
        core_holds(&c, 0, 16);
        core_reopen(&c);
        core_holds(&c, 0, 16);
        core_end(&c);
    }
}

static void the_callers_offset_is_ignored(void **state)
{
    struct core c;
    struct core_text text;
    stele_message m = core_message(&text, 0);
    int64_t next = -1;

    (void)state;
    core_begin(&c);
    core_open(&c);
    m.offset = 4711;
    CHECK_OK(stele_stream_publish(c.s, &m, 1, &next, &c.err), &c.err);
    assert_int_equal(next, 1);
    assert_int_equal(m.offset, 4711);
    core_holds(&c, 0, 0);
    core_end(&c);
}

static void publishing_nothing(void **state)
{
    struct core c;
    int64_t next = -1;

    (void)state;
    core_begin(&c);
    core_open(&c);
    CHECK_OK(stele_stream_publish(c.s, NULL, 0, &next, &c.err), &c.err);
    assert_int_equal(next, 0);
    core_fill(&c, 3);
    CHECK_OK(stele_stream_publish(c.s, NULL, 0, &next, &c.err), &c.err);
    assert_int_equal(next, 3);
    CHECK_OK(stele_stream_publish(c.s, NULL, 0, NULL, &c.err), &c.err);
    CHECK_CODE(stele_stream_publish(c.s, NULL, 1, &next, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_publish(NULL, NULL, 0, &next, &c.err), STELE_EINVAL);
    CHECK_OK(stele_stream_publish_at(c.s, 3, NULL, 0, &next, &c.err), &c.err);
    CHECK_CODE(stele_stream_publish_at(c.s, 2, NULL, 0, &next, &c.err), STELE_ECONFLICT);
    core_holds(&c, 0, 2);
    core_end(&c);
}

static void time_zero_is_now(void **state)
{
    struct core c;
    struct clock clock;
    stele_message m[3];
    const stele_time now = 1700000000123456;

    (void)state;
    core_begin(&c);
    clock_init(&clock, now);
    clock.env.random = random_bytes;
    clock.env.monotonic_ns = monotonic;
    c.opts.env = &clock.env;
    core_open(&c);
    for (int i = 0; i < 3; i++) {
        m[i] = stele_message_invalid();
        m[i].key = stele_str("k");
    }
    m[1].time = 5;
    CHECK_OK(stele_stream_publish(c.s, m, 3, NULL, &c.err), &c.err);
    clock.now = -77; /* a clock that is wrong is the clock there is */
    CHECK_OK(stele_stream_publish(c.s, m, 1, NULL, &c.err), &c.err);
    m[0].time = INT64_MIN;
    CHECK_OK(stele_stream_publish(c.s, m, 1, NULL, &c.err), &c.err);
    m[0].time = INT64_MAX;
    CHECK_OK(stele_stream_publish(c.s, m, 1, NULL, &c.err), &c.err);
    for (int i = 0; i < 2; i++) {
        const stele_time right[] = {now, 5, now, -77, INT64_MIN, INT64_MAX};

        CHECK_OK(stele_stream_consume(c.s, 0, 10, c.ms, NULL, &c.err), &c.err);
        assert_int_equal(stele_messages_count(c.ms), 6);
        for (size_t k = 0; k < 6; k++) {
            assert_int_equal(stele_messages_at(c.ms, k)->time, right[k]);
        }
        core_reopen(&c);
    }
    core_end(&c);
}

static void empty_reads_back_as_nil(void **state)
{
    (void)state;
    for (int way = 0; way < WAYS; way++) {
        struct core c;
        stele_message m[4];

        begin_way(&c, way);
        core_open(&c);
        for (int i = 0; i < 4; i++) {
            m[i] = stele_message_invalid();
            m[i].time = 9;
            m[i].key = (i & 1) != 0 ? stele_empty() : stele_nil();
            m[i].value = (i & 2) != 0 ? stele_empty() : stele_nil();
        }
        CHECK_OK(stele_stream_publish(c.s, m, 4, NULL, &c.err), &c.err);
        for (int i = 0; i < 2; i++) {
            CHECK_OK(stele_stream_consume(c.s, 0, 10, c.ms, NULL, &c.err), &c.err);
            assert_int_equal(stele_messages_count(c.ms), 4);
            for (size_t k = 0; k < 4; k++) {
                assert_true(stele_is_nil(stele_messages_at(c.ms, k)->key));
                assert_true(stele_is_nil(stele_messages_at(c.ms, k)->value));
            }
            core_reopen(&c);
        }
        core_end(&c);
    }
}

/* Sizes are checked before anything is read, or written: the bytes need not be there. */
static void over_the_limit(void **state)
{
    struct core c;
    stele_message m[3];
    int64_t size = 0;

    (void)state;
    core_begin(&c);
    core_open(&c);
    core_fill(&c, 1);
    for (int i = 0; i < 3; i++) {
        m[i] = stele_message_invalid();
        m[i].key = stele_str("k");
        m[i].time = 1;
    }
    m[2].value = stele_bytes_of("", STELE_MESSAGE_SIZE_MAX);
    CHECK_CODE(stele_stream_publish(c.s, m, 3, NULL, &c.err), STELE_ETOOBIG);
    CHECK_MESSAGE_HAS(&c.err, "message 2");
    CHECK_CODE(stele_stream_size(c.s, &m[2], &size, &c.err), STELE_ETOOBIG);
    m[2].value.len = SIZE_MAX;
    CHECK_CODE(stele_stream_publish(c.s, m, 3, NULL, &c.err), STELE_ETOOBIG);
    m[2].value = stele_nil();
    m[2].key = stele_bytes_of("", STELE_MESSAGE_SIZE_MAX + 1);
    CHECK_CODE(stele_stream_publish_at(c.s, 1, m, 3, NULL, &c.err), STELE_ETOOBIG);
    /* Bytes without data are a mistake of the caller. */
    m[2].key = stele_bytes_of(NULL, 1);
    CHECK_CODE(stele_stream_publish(c.s, m, 3, NULL, &c.err), STELE_EINVAL);
    CHECK_MESSAGE_HAS(&c.err, "message 2");
    /* Nothing of the calls was published. */
    assert_int_equal(core_next(&c), 1);
    core_holds(&c, 0, 0);
    core_reopen(&c);
    core_holds(&c, 0, 0);
    core_end(&c);
}

static void largest_message(void **state)
{
    uint8_t *bytes = malloc(STELE_MESSAGE_SIZE_MAX);
    const int largest[] = {0, 1, 5}; /* a map, pwrite, version 1 */

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 0xa7, STELE_MESSAGE_SIZE_MAX);
    for (int i = 0; i < 3; i++) {
        struct core c;
        stele_message m = stele_message_invalid();
        int64_t size = 0;

        begin_way(&c, largest[i]);
        core_open(&c);
        core_fill(&c, 1);
        m.key = stele_bytes_of(bytes, 5);
        m.value = stele_bytes_of(bytes, STELE_MESSAGE_SIZE_MAX - 5);
        m.time = 1;
        CHECK_OK(stele_stream_size(c.s, &m, &size, &c.err), &c.err);
        assert_int_equal(size,
                (ways[largest[i]].version == STELE_STREAM_V1 ? 28 : 36) + (64 << 20) + CORE_ITEM);
        CHECK_OK(stele_stream_publish(c.s, &m, 1, NULL, &c.err), &c.err);
        for (int k = 0; k < 2; k++) {
            CHECK_OK(stele_stream_get(c.s, 1, c.ms, &c.err), &c.err);
            CHECK_BYTES(stele_messages_at(c.ms, 0)->key, m.key);
            CHECK_BYTES(stele_messages_at(c.ms, 0)->value, m.value);
            stele_messages_clear(c.ms);
            core_reopen(&c);
        }
        /* It filled its segment. */
        assert_int_equal(core_stats(&c).segments, 1);
        CHECK_OK(stele_stream_publish(c.s, &m, 0, NULL, &c.err), &c.err);
        assert_int_equal(core_stats(&c).segments, 1);
        (void)core_put(&c, "a", "b", 1);
        assert_int_equal(core_stats(&c).segments, 2);
        core_end(&c);
    }
    free(bytes);
}

static void publish_at(void **state)
{
    struct core c;
    struct core_text text;
    stele_message m;
    int64_t next = -1;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(2);
    core_open(&c);
    for (int64_t i = 0; i < 7; i++) {
        m = core_message(&text, i);
        CHECK_CODE(stele_stream_publish_at(c.s, i + 1, &m, 1, &next, &c.err), STELE_ECONFLICT);
        if (i > 0) {
            CHECK_CODE(stele_stream_publish_at(c.s, i - 1, &m, 1, &next, &c.err), STELE_ECONFLICT);
        }
        assert_int_equal(next, i == 0 ? -1 : i);
        CHECK_OK(stele_stream_publish_at(c.s, i, &m, 1, &next, &c.err), &c.err);
        assert_int_equal(next, i + 1);
    }
    CHECK_CODE(stele_stream_publish_at(c.s, 3, &m, 1, &next, &c.err), STELE_ECONFLICT);
    CHECK_MESSAGE(&c.err, "the next offset is 7, not 3");
    CHECK_CODE(stele_stream_publish_at(c.s, -1, &m, 1, &next, &c.err), STELE_EOFFSET);
    CHECK_CODE(stele_stream_publish_at(c.s, INT64_MAX, &m, 1, &next, &c.err), STELE_ECONFLICT);
    core_holds(&c, 0, 6);
    core_end(&c);
}

/* A segment is left when its log is larger than the limit, before the next publish. */
static void rollover_boundary(void **state)
{
    (void)state;
    for (int way = 0; way < WAYS; way++) {
        bool v1 = ways[way].version == STELE_STREAM_V1;
        int64_t three = v1 ? 3 * CORE_SIZE_V1 : 8 + 3 * CORE_SIZE_V2;

        for (int64_t d = -1; d <= 1; d++) {
            struct core c;
            int expected = d < 0 ? 3 : 4; /* at the limit exactly, one more goes in */

            begin_way(&c, way);
            c.opts.rollover = three + d;
            core_open(&c);
            core_fill(&c, expected);
            assert_int_equal(core_stats(&c).segments, 1);
            CHECK_OK(stele_stream_publish(c.s, NULL, 0, NULL, &c.err), &c.err);
            assert_int_equal(core_stats(&c).segments, 1);
            core_reopen(&c);
            core_fill(&c, 1);
            assert_int_equal(core_stats(&c).segments, 2);
            core_close(&c);
            assert_int_equal(core_files(&c, ".log"), 2);
            assert_true(tmpdir_exists(&c.dir,
                    expected == 3 ? "00000000000000000003.log" : "00000000000000000004.log"));
            core_open(&c);
            core_holds(&c, 0, expected);
            core_end(&c);
        }
    }
}

static void fill_batch(stele_message *m, struct core_text *texts, size_t count, int64_t first)
{
    for (size_t i = 0; i < count; i++) {
        m[i] = core_message(&texts[i], first + (int64_t)i);
    }
}

/* A batch stays in one segment, however large it is. */
static void batches(void **state)
{
    enum {
        LARGE = 700
    };

    static stele_message m[LARGE];
    static struct core_text texts[LARGE];

    (void)state;
    for (int way = 0; way < WAYS; way++) {
        struct core c;
        int64_t next = -1;
        int64_t total = 0;
        int64_t segments = 1;

        begin_way(&c, way);
        c.opts.rollover = core_rollover(10);
        core_open(&c);
        for (size_t count = 1; count <= LARGE; count = 3 * count + 1) {
            fill_batch(m, texts, count, total);
            CHECK_OK(stele_stream_publish(c.s, m, count, &next, &c.err), &c.err);
            total += (int64_t)count;
            assert_int_equal(next, total);
        }
        /* 1 + 4 + 13 fill the first segment, 40, 121 and 364 one each. */
        segments = 4;
        assert_int_equal(core_stats(&c).segments, segments);
        core_holds(&c, 0, total - 1);
        core_reopen(&c);
        assert_int_equal(core_stats(&c).segments, segments);
        core_holds(&c, 0, total - 1);
        core_end(&c);
    }
}

/* Messages larger than the limit: one a segment. */
static void every_message_over_the_limit(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    c.opts.rollover = 1;
    core_open(&c);
    core_fill(&c, 9);
    assert_int_equal(core_stats(&c).segments, 9);
    core_reopen(&c);
    core_holds(&c, 0, 8);
    core_end(&c);
}

/* The same messages by whichever way: the same files. */
static void same_bytes(void **state)
{
    (void)state;
    for (int way = 1; way < 5; way++) {
        struct core a;
        struct core b;

        begin_way(&a, 0);
        begin_way(&b, way);
        a.opts.rollover = b.opts.rollover = core_rollover(5);
        core_open(&a);
        core_open(&b);
        core_fill(&a, 23);
        core_fill(&b, 23);
        core_reopen(&b);
        core_close(&a);
        core_close(&b);
        assert_int_equal(core_files(&a, ".log"), 5);
        for (int64_t base = 0; base < 23; base += 5) {
            static const char *const kinds[] = {"log", "index", "keys"};

            for (int k = 0; k < 3; k++) {
                char name[64];
                size_t la;
                size_t lb;
                uint8_t *da;
                uint8_t *db;

                (void)snprintf(name, sizeof name, "%020" PRId64 ".%s", base, kinds[k]);
                da = tmpdir_read(&a.dir, name, &la);
                db = tmpdir_read(&b.dir, name, &lb);
                assert_int_equal(la, lb);
                assert_memory_equal(da, db, la);
                free(da);
                free(db);
            }
        }
        core_end(&a);
        core_end(&b);
    }
}

/* What publish returned is there after the process died, whichever way it was written. */
static void survives_the_process(void **state)
{
    (void)state;
    for (int way = 0; way < WAYS; way++) {
        struct core c;
        int status;
        pid_t pid;

        begin_way(&c, way);
        c.opts.rollover = core_rollover(50);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            core_open(&c);
            core_fill(&c, 123);
            (void)kill(getpid(), SIGKILL);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        core_open(&c);
        core_holds(&c, 0, 122);
        assert_int_equal(core_next(&c), 123);
        assert_int_equal(core_files(&c, ".quarantine."), 0);
        core_fill(&c, 1);
        core_reopen(&c);
        core_holds(&c, 0, 123);
        core_end(&c);
    }
}

static void sync_tells_the_durable_offset(void **state)
{
    (void)state;
    for (int way = 0; way < WAYS; way++) {
        struct core c;
        int64_t durable = -1;

        begin_way(&c, way);
        c.opts.rollover = core_rollover(4);
        core_open(&c);
        CHECK_OK(stele_stream_sync(c.s, &durable, &c.err), &c.err);
        assert_int_equal(durable, 0);
        for (int64_t n = 1; n < 12; n++) {
            core_fill(&c, 1);
            CHECK_OK(stele_stream_sync(c.s, &durable, &c.err), &c.err);
            assert_int_equal(durable, n);
        }
        CHECK_OK(stele_stream_sync(c.s, NULL, &c.err), &c.err);
        core_reopen(&c);
        CHECK_OK(stele_stream_sync(c.s, &durable, &c.err), &c.err);
        assert_int_equal(durable, 11);
        core_end(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(offsets_rise_by_one),
            cmocka_unit_test(the_callers_offset_is_ignored),
            cmocka_unit_test(publishing_nothing),
            cmocka_unit_test(time_zero_is_now),
            cmocka_unit_test(empty_reads_back_as_nil),
            cmocka_unit_test(over_the_limit),
            cmocka_unit_test(largest_message),
            cmocka_unit_test(publish_at),
            cmocka_unit_test(rollover_boundary),
            cmocka_unit_test(batches),
            cmocka_unit_test(every_message_over_the_limit),
            cmocka_unit_test(same_bytes),
            cmocka_unit_test(survives_the_process),
            cmocka_unit_test(sync_tells_the_durable_offset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
