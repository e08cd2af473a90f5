/* SPDX-License-Identifier: MIT
 *
 * streams.h: a stream in a directory of its own, and a model of it.
 *
 * The model is an array of what was published, in order, and which of it is
 * still there. Keys and values are short texts that follow from numbers.
 */
#ifndef STELE_TESTS_STREAM_ABOVE_STREAMS_H
#define STELE_TESTS_STREAM_ABOVE_STREAMS_H

#include "lib/tmpdir.h"
#include "unit/stream_above/support.h"

enum {
    MODEL_MAX = 8192,
    NO_KEY = -1
};

struct model_message {
    stele_time time;
    int key; /* number of the key, or NO_KEY */
    bool has_value;
    bool there;
};

struct fixture {
    struct tmpdir dir;
    stele_stream *s;
    size_t count;
    struct model_message model[MODEL_MAX];
};

/* Small segments, so that a few messages make several. */
static inline struct fixture *fixture_open(
        int64_t rollover, stele_stream_version version, const stele_env *env)
{
    struct fixture *f = calloc(1, sizeof *f);
    stele_stream_options opts;
    stele_error err;

    assert_non_null(f);
    tmpdir_make(&f->dir);
    stele_stream_options_init(&opts);
    opts.env = env;
    opts.rollover = rollover;
    opts.new_segments = version;
    opts.key_index = true;
    opts.time_index = true;
    CHECK_OK(stele_stream_open(&f->s, f->dir.path, &opts, &err), &err);
    return f;
}

static inline void fixture_close(struct fixture *f)
{
    stele_error err;

    CHECK_OK(stele_stream_close(f->s, &err), &err);
    tmpdir_remove(&f->dir);
    free(f);
}

static inline void publish(struct fixture *f, stele_time time, int key, bool has_value)
{
    char key_text[32];
    char value_text[32];
    stele_message m = stele_message_invalid();
    int64_t next = -1;
    stele_error err;

    assert_true(f->count < MODEL_MAX);
    m.time = time;
    if (key != NO_KEY) {
        (void)snprintf(key_text, sizeof key_text, "key-%05d", key);
        m.key = stele_str(key_text);
    }
    if (has_value) {
        (void)snprintf(value_text, sizeof value_text, "value-%06zu", f->count);
        m.value = stele_str(value_text);
    }
    CHECK_OK(stele_stream_publish(f->s, &m, 1, &next, &err), &err);
    assert_int_equal(next, f->count + 1);
    f->model[f->count++] =
            (struct model_message){.time = time, .key = key, .has_value = has_value, .there = true};
}

/* Messages of the same size: key i % keys, time 1000, 2000, … */
static inline void publish_many(struct fixture *f, size_t count, int keys)
{
    for (size_t i = 0; i < count; i++) {
        publish(f, (stele_time)(f->count + 1) * 1000, (int)(f->count % (size_t)keys), true);
    }
}

/* The stream holds what the model says, and nothing else. */
static inline void check_model(struct fixture *f)
{
    stele_messages *ms;
    int64_t offset = STELE_OFFSET_OLDEST;
    size_t at = 0;
    stele_error err;

    CHECK_OK(stele_messages_new(&ms, &err), &err);
    for (;;) {
        int64_t next = offset;

        CHECK_OK(stele_stream_consume(f->s, offset, 100, ms, &next, &err), &err);
        for (size_t i = 0; i < stele_messages_count(ms); i++) {
            const stele_message *m = stele_messages_at(ms, i);

            while (at < f->count && !f->model[at].there) {
                at++;
            }
            assert_true(at < f->count);
            assert_int_equal(m->offset, at);
            assert_int_equal(m->time, f->model[at].time);
            assert_int_equal(stele_is_nil(m->key), f->model[at].key == NO_KEY);
            assert_int_equal(stele_is_nil(m->value), !f->model[at].has_value);
            at++;
        }
        if (next == offset) {
            break;
        }
        offset = next;
    }
    while (at < f->count) {
        assert_false(f->model[at++].there);
    }
    stele_messages_free(ms);
}

static inline int64_t model_there(const struct fixture *f)
{
    int64_t there = 0;

    for (size_t i = 0; i < f->count; i++) {
        there += f->model[i].there;
    }
    return there;
}

static inline stele_stream_stats stats_of(struct fixture *f)
{
    stele_stream_stats stats;
    stele_error err;

    CHECK_OK(stele_stream_stat(f->s, &stats, &err), &err);
    return stats;
}

/* The set has exactly the offsets of `expected`, flags by offset. */
static inline void check_set(
        const stele_offsets *set, const bool *expected, size_t count, const char *what)
{
    uint64_t total = 0;

    for (size_t i = 0; i < count; i++) {
        total += expected[i];
        if (stele_offsets_has(set, (int64_t)i) != expected[i]) {
            fail_msg("%s: offset %zu %s", what, i, expected[i] ? "is missing" : "is too many");
        }
    }
    assert_int_equal(stele_offsets_count(set), total);
}

#endif /* STELE_TESTS_STREAM_ABOVE_STREAMS_H */
