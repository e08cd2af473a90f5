/* SPDX-License-Identifier: MIT
 *
 * bytime_test.c: the first message from a time on.
 *
 * A message counts with its own time, or with that of an earlier message
 * if that was later. The model below says just that, for all offsets, whatever
 * segments there are and whichever of their indexes were made again.
 */
#include "core.h"

enum {
    MODEL_MAX = 64
};

struct model {
    stele_time times[MODEL_MAX];
    bool there[MODEL_MAX];
    int count;
};

static void put(struct core *c, struct model *m, stele_time time)
{
    struct core_text text;
    stele_message message = core_message(&text, m->count);

    message.time = time;
    CHECK_OK(stele_stream_publish(c->s, &message, 1, NULL, &c->err), &c->err);
    m->there[m->count] = true;
    m->times[m->count++] = time;
}

static int64_t model_find(const struct model *m, stele_time start)
{
    for (int i = 0; i < m->count; i++) {
        if (m->there[i] && m->times[i] >= start) {
            return i;
        }
    }
    return -1;
}

static void check_at(struct core *c, const struct model *m, stele_time start)
{
    int64_t right = model_find(m, start);
    int64_t offset = -1;
    stele_time time = -1;

    if (right < 0) {
        CHECK_CODE(stele_stream_get_by_time(c->s, start, c->ms, &c->err), STELE_ENOTFOUND);
        CHECK_CODE(
                stele_stream_offset_by_time(c->s, start, &offset, &time, &c->err), STELE_ENOTFOUND);
        return;
    }
    CHECK_OK(stele_stream_get_by_time(c->s, start, c->ms, &c->err), &c->err);
    assert_int_equal(stele_messages_count(c->ms), 1);
    assert_int_equal(stele_messages_at(c->ms, 0)->offset, right);
    assert_int_equal(stele_messages_at(c->ms, 0)->time, m->times[right]);
    CHECK_OK(stele_stream_offset_by_time(c->s, start, &offset, &time, &c->err), &c->err);
    assert_int_equal(offset, right);
    assert_int_equal(time, m->times[right]);
}

/* All times that there are, and those beside them. */
static void check_all(struct core *c, const struct model *m)
{
    for (int i = 0; i < m->count; i++) {
        for (stele_time d = -1; d <= 1; d++) {
            check_at(c, m, m->times[i] + d);
        }
    }
    check_at(c, m, 1);
    check_at(c, m, 0);
    check_at(c, m, -1);
    check_at(c, m, INT64_MIN);
    check_at(c, m, INT64_MAX);
}

static void no_index(void **state)
{
    struct core c;
    int64_t offset;

    (void)state;
    core_begin(&c);
    c.opts.time_index = false;
    core_open(&c);
    core_fill(&c, 2);
    CHECK_CODE(stele_stream_get_by_time(c.s, 0, c.ms, &c.err), STELE_ENOINDEX);
    CHECK_CODE(stele_stream_offset_by_time(c.s, 0, &offset, NULL, &c.err), STELE_ENOINDEX);
    core_end(&c);
}

static void empty_stream(void **state)
{
    struct core c;
    struct model m = {.count = 0};

    (void)state;
    core_begin(&c);
    core_open(&c);
    check_all(&c, &m);
    CHECK_CODE(stele_stream_offset_by_time(c.s, 0, NULL, NULL, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_get_by_time(c.s, 0, NULL, &c.err), STELE_EINVAL);
    core_end(&c);
}

static void rising_times(void **state)
{
    struct core c;

    (void)state;
    for (int per = 1; per <= 7; per += 3) {
        struct model m = {.count = 0};

        core_begin(&c);
        c.opts.rollover = core_rollover(per);
        core_open(&c);
        for (int i = 0; i < 20; i++) {
            put(&c, &m, 1000 + 10 * i);
            check_all(&c, &m);
        }
        core_reopen(&c);
        check_all(&c, &m);
        core_end(&c);
    }
}

/* Times that go back, also at a segment's start, and before 1970. */
static const stele_time jumps[] = {500, 100, 300, 700, 600, 650, 200, 900, 50, 60, 70, 80, 1000,
        1000, 10, 20, 2000, 1500, 1, 2, 3, 3000, -5, 2999};

enum {
    JUMPS = sizeof jumps / sizeof jumps[0]
};

static void make_jumps(struct core *c, struct model *m, int per, stele_stream_version version)
{
    m->count = 0;
    core_begin(c);
    c->opts.rollover = core_rollover(per);
    c->opts.new_segments = version;
    core_open(c);
    for (int i = 0; i < JUMPS; i++) {
        put(c, m, jumps[i]);
    }
}

static void times_that_go_back(void **state)
{
    (void)state;
    for (int per = 1; per < JUMPS; per += 2) {
        for (int v = STELE_STREAM_V1; v <= STELE_STREAM_V2; v++) {
            struct model m;
            struct core c;

            make_jumps(&c, &m, per, (stele_stream_version)v);
            check_all(&c, &m);
            core_reopen(&c);
            check_all(&c, &m);
            put(&c, &m, 4);
            check_all(&c, &m);
            core_reopen(&c);
            put(&c, &m, 3500);
            put(&c, &m, 5);
            check_all(&c, &m);
            core_end(&c);
        }
    }
}

static void remove_indexes(struct core *c, int64_t base)
{
    char name[64];
    char path[TMPDIR_PATH_SIZE];

    (void)snprintf(name, sizeof name, "%020" PRId64 ".index", base);
    if (tmpdir_exists(&c->dir, name)) {
        tmpdir_path(&c->dir, name, path);
        assert_int_equal(remove(path), 0);
        (void)snprintf(name, sizeof name, "%020" PRId64 ".keys", base);
        tmpdir_path(&c->dir, name, path);
        (void)remove(path);
    }
}

/* An index that is made again starts from its own messages, not from where
 * the segment before had ended: the answers are the same. */
static void indexes_made_again(void **state)
{
    (void)state;
    for (int per = 2; per < 8; per++) {
        for (int64_t which = -1; which < JUMPS; which++) {
            struct model m;
            struct core c;

            make_jumps(&c, &m, per, STELE_STREAM_V2);
            core_close(&c);
            for (int64_t base = 0; base < JUMPS; base++) {
                if (which < 0 || which == base) {
                    remove_indexes(&c, base);
                }
            }
            core_open(&c);
            check_all(&c, &m);
            put(&c, &m, 7);
            put(&c, &m, 4000);
            check_all(&c, &m);
            core_end(&c);
        }
    }
}

/* The newest segment is empty: the look goes past it, and its first message
 * goes on with the times of what was before. */
static void empty_newest_segment(void **state)
{
    struct model m = {.count = 0};
    struct core c;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(4);
    core_open(&c);
    for (int i = 0; i < 6; i++) {
        put(&c, &m, 100 * (i + 1));
    }
    assert_int_equal(core_delete(&c, 4, 5), 2);
    m.there[4] = m.there[5] = false;
    check_all(&c, &m);
    core_reopen(&c);
    check_all(&c, &m);
    put(&c, &m, 50);
    check_all(&c, &m);
    put(&c, &m, 800);
    check_all(&c, &m);
    core_reopen(&c);
    check_all(&c, &m);
    core_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(no_index),
            cmocka_unit_test(empty_stream),
            cmocka_unit_test(rising_times),
            cmocka_unit_test(times_that_go_back),
            cmocka_unit_test(indexes_made_again),
            cmocka_unit_test(empty_newest_segment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
