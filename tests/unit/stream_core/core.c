/* SPDX-License-Identifier: MIT
 *
 * core.c: streams of numbered messages.
 */
#include "core.h"

#include <dirent.h>

void core_begin(struct core *c)
{
    memset(c, 0, sizeof *c);
    tmpdir_make(&c->dir);
    stele_stream_options_init(&c->opts);
    c->opts.key_index = true;
    c->opts.time_index = true;
    CHECK_OK(stele_messages_new(&c->ms, &c->err), &c->err);
}

void core_open(struct core *c)
{
    assert_null(c->s);
    CHECK_OK(stele_stream_open(&c->s, c->dir.path, &c->opts, &c->err), &c->err);
}

void core_close(struct core *c)
{
    stele_stream *s = c->s;

    c->s = NULL;
    CHECK_OK(stele_stream_close(s, &c->err), &c->err);
}

void core_reopen(struct core *c)
{
    core_close(c);
    core_open(c);
}

void core_end(struct core *c)
{
    if (c->s != NULL) {
        core_close(c);
    }
    stele_messages_free(c->ms);
    tmpdir_remove(&c->dir);
}

void core_refused(struct core *c, stele_code code)
{
    stele_stream *s = NULL;

    memset(&c->err, 0, sizeof c->err);
    CHECK_CODE(stele_stream_open(&s, c->dir.path, &c->opts, &c->err), code);
    assert_null(s);
    assert_int_equal(c->err.code, code);
    assert_true(c->err.message[0] != '\0');
}

int64_t core_rollover(int messages)
{
    return 8 + (int64_t)messages * CORE_SIZE_V2 - 1;
}

int64_t core_put(struct core *c, const char *key, const char *value, stele_time time)
{
    stele_message m = stele_message_invalid();
    int64_t next = -1;

    m.key = stele_str(key);
    m.value = stele_str(value);
    m.time = time;
    CHECK_OK(stele_stream_publish(c->s, &m, 1, &next, &c->err), &c->err);
    return next - 1;
}

static stele_time time_of(int64_t offset)
{
    return 1000000 + offset * 1000;
}

stele_message core_message(struct core_text *text, int64_t offset)
{
    stele_message m = stele_message_invalid();

    (void)snprintf(text->key, sizeof text->key, "key-%04d", (int)(offset % CORE_KEYS));
    (void)snprintf(text->value, sizeof text->value, "value-%08" PRId64, offset);
    m.key = stele_str(text->key);
    m.value = stele_str(text->value);
    m.time = time_of(offset);
    m.offset = offset;
    return m;
}

void core_fill(struct core *c, int count)
{
    int64_t next = core_next(c);

    for (int i = 0; i < count; i++, next++) {
        struct core_text text;
        stele_message m = core_message(&text, next);
        int64_t after = -1;

        CHECK_OK(stele_stream_publish(c->s, &m, 1, &after, &c->err), &c->err);
        assert_int_equal(after, next + 1);
    }
}

void core_check_numbered(const stele_message *m)
{
    struct core_text text;
    stele_message right = core_message(&text, m->offset);

    CHECK_BYTES(m->key, right.key);
    CHECK_BYTES(m->value, right.value);
    assert_int_equal(m->time, right.time);
}

void core_consume(
        struct core *c, int64_t from, int64_t max, int64_t first, int64_t last, int64_t next)
{
    int64_t got = -100;

    CHECK_OK(stele_stream_consume(c->s, from, max, c->ms, &got, &c->err), &c->err);
    assert_int_equal(stele_messages_count(c->ms), last < first ? 0 : last - first + 1);
    for (size_t i = 0; i < stele_messages_count(c->ms); i++) {
        assert_int_equal(stele_messages_at(c->ms, i)->offset, first + (int64_t)i);
    }
    assert_int_equal(got, next);
}

size_t core_all(struct core *c, int64_t max, int64_t offsets[CORE_ALL_MAX])
{
    int64_t at = STELE_OFFSET_OLDEST;
    size_t count = 0;

    for (;;) {
        int64_t next = -100;

        CHECK_OK(stele_stream_consume(c->s, at, max, c->ms, &next, &c->err), &c->err);
        assert_true(stele_messages_count(c->ms) <= (size_t)max);
        for (size_t i = 0; i < stele_messages_count(c->ms); i++) {
            const stele_message *m = stele_messages_at(c->ms, i);

            core_check_numbered(m);
            assert_true(count == 0 || offsets[count - 1] < m->offset);
            assert_true(count + 1 < CORE_ALL_MAX);
            offsets[count++] = m->offset;
        }
        if (stele_messages_count(c->ms) == 0) {
            break;
        }
        assert_true(count > 0);
        assert_int_equal(next, offsets[count - 1] + 1);
        at = next;
    }
    offsets[count] = -1;
    return count;
}

void core_holds(struct core *c, int64_t first, int64_t last)
{
    int64_t offsets[CORE_ALL_MAX];
    size_t count = core_all(c, 100, offsets);

    assert_int_equal(count, last - first + 1);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(offsets[i], first + (int64_t)i);
    }
}

int64_t core_next(struct core *c)
{
    int64_t next = -1;

    CHECK_OK(stele_stream_next_offset(c->s, &next, &c->err), &c->err);
    return next;
}

stele_stream_stats core_stats(struct core *c)
{
    stele_stream_stats stats;

    CHECK_OK(stele_stream_stat(c->s, &stats, &c->err), &c->err);
    return stats;
}

int64_t core_delete(struct core *c, int64_t first, int64_t last)
{
    stele_deleted deleted = {0};
    stele_offsets *offsets;

    CHECK_OK(stele_offsets_new(&offsets, &c->err), &c->err);
    for (int64_t i = first; i <= last; i++) {
        CHECK_OK(stele_offsets_add(offsets, i, &c->err), &c->err);
    }
    CHECK_OK(stele_stream_delete(c->s, offsets, &deleted, &c->err), &c->err);
    stele_offsets_free(offsets);
    return deleted.count;
}

int core_files(const struct core *c, const char *suffix)
{
    size_t len = strlen(suffix);
    DIR *d = opendir(c->dir.path);
    struct dirent *e;
    int count = 0;

    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        size_t n = strlen(e->d_name);

        count += n >= len && strcmp(e->d_name + n - len, suffix) == 0;
    }
    (void)closedir(d);
    return count;
}
