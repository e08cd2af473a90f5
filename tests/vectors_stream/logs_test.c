/* SPDX-License-Identifier: MIT
 *
 * logs_test.c: klevdb's logs open here, hold what they should, and answer
 * every query as klevdb did.
 *
 * Where klevdb is wrong or leaves a choice, the answer here is better, and
 * said so below: successive consumes are compared as one sequence, since a
 * call may end at the end of a segment; by key beyond the next offset it
 * gives the next offset, where here it is an offset out of range.
 */
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>

struct logs {
    const struct vector_log *log;
    stele_stream *s;
    stele_messages *ms;
    int64_t at;
    int64_t seen;
};

/* ---- All that a full consume returns. ---- */

static uint32_t crc_of(stele_bytes b)
{
    uint32_t crc = 0xFFFFFFFFU;

    for (size_t i = 0; i < b.len; i++) {
        crc ^= b.data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0x82F63B78U & (0U - (crc & 1U)));
        }
    }
    return ~crc;
}

static void compare_message(void *arg, json_t *line)
{
    struct logs *l = arg;
    const stele_message *m;
    stele_bytes key = vectors_hex(vectors_string(line, "key"));
    stele_error err;

    CHECK_OK(stele_stream_consume(l->s, l->at, 1, l->ms, &l->at, &err), &err);
    assert_int_equal(stele_messages_count(l->ms), 1);
    m = stele_messages_at(l->ms, 0);
    assert_int_equal(m->offset, vectors_int(line, "offset"));
    assert_int_equal(m->time, vectors_int(line, "time_us"));
    CHECK_BYTES(m->key, key);
    assert_int_equal(m->value.len, vectors_int(line, "value_len"));
    if (m->value.len > 0) {
        assert_int_equal(crc_of(m->value), vectors_int(line, "value_crc32c"));
    }
    free((void *)(uintptr_t)key.data);
    l->seen++;
}

/* ---- Queries. ---- */

static stele_code code_of(const char *name)
{
    if (strcmp(name, "ErrNotFound") == 0) {
        return STELE_ENOTFOUND;
    }
    if (strcmp(name, "ErrInvalidOffset") == 0) {
        return STELE_EOFFSET;
    }
    if (strcmp(name, "ErrNoIndex") == 0) {
        return STELE_ENOINDEX;
    }
    assert_string_equal(name, "ok");
    return STELE_OK;
}

static void query_stat(struct logs *l, json_t *q)
{
    stele_stream_stats stats;
    stele_error err;

    CHECK_OK(stele_stream_stat(l->s, &stats, &err), &err);
    assert_int_equal(stats.messages, vectors_int(q, "messages"));
    assert_int_equal(stats.segments, vectors_int(q, "segments"));
    assert_int_equal(stats.size, vectors_int(q, "size"));
    assert_int_equal(stats.next_offset, vectors_int(q, "next_offset"));
}

static void query_get(struct logs *l, json_t *q)
{
    int64_t offset = vectors_int(q, "offset");
    stele_code want = code_of(vectors_string(q, "err"));
    stele_error err;

    if (offset < STELE_OFFSET_OLDEST) {
        want = STELE_EOFFSET; /* klevdb: not found; no such offset can ever be. */
    }
    CHECK_CODE(stele_stream_get(l->s, offset, l->ms, &err), want);
    if (want == STELE_OK) {
        assert_int_equal(stele_messages_at(l->ms, 0)->offset, vectors_int(q, "got"));
    }
}

/* Read on over the ends of segments until there are as many as klevdb gave. */
static int64_t gather(struct logs *l, json_t *q, stele_bytes key, bool by_key, stele_code want)
{
    const json_t *got = json_object_get(q, "got");
    int64_t offset = vectors_int(q, "offset");
    int64_t left = vectors_run_count(got);
    int64_t max = vectors_int(q, "max");
    int64_t next = STELE_OFFSET_INVALID;
    bool first = true;
    stele_error err;

    while (first || left > 0) {
        int64_t n = left > 0 ? left : max;
        stele_code rc =
                by_key ? stele_stream_consume_by_key(l->s, key, offset, n, l->ms, &next, &err)
                       : stele_stream_consume(l->s, offset, n, l->ms, &next, &err);

        assert_int_equal(rc, want);
        if (rc != STELE_OK) {
            return STELE_OFFSET_INVALID;
        }
        assert_true(left == 0 || stele_messages_count(l->ms) > 0);
        for (size_t i = 0; i < stele_messages_count(l->ms); i++) {
            assert_true(left == 0 || vectors_in_runs(got, stele_messages_at(l->ms, i)->offset));
        }
        if (left == 0) {
            assert_int_equal(stele_messages_count(l->ms), 0);
        }
        left -= (int64_t)stele_messages_count(l->ms);
        offset = next;
        first = false;
    }
    return next;
}

static void query_consume(struct logs *l, json_t *q)
{
    int64_t offset = vectors_int(q, "offset");
    stele_code want = code_of(vectors_string(q, "err"));
    int64_t next;

    if (offset < STELE_OFFSET_OLDEST) {
        /* klevdb reads from the start for a negative offset that stands for nothing. */
        want = STELE_EOFFSET;
    }
    next = gather(l, q, stele_nil(), false, want);
    if (want == STELE_OK) {
        assert_int_equal(next, vectors_int(q, "next"));
    }
}

static void query_by_key(struct logs *l, json_t *q, bool consume)
{
    stele_bytes key = vectors_hex(vectors_string(q, "key"));
    stele_code want = code_of(vectors_string(q, "err"));
    stele_error err;

    if (consume) {
        int64_t next;

        if (want == STELE_OK && vectors_int(q, "offset") > 507) {
            want = STELE_EOFFSET; /* klevdb: nothing, and the next offset. */
        }
        next = gather(l, q, key, true, want);
        if (want == STELE_OK) {
            assert_int_equal(next, vectors_int(q, "next"));
        }
    } else {
        int64_t offset = -9;

        CHECK_CODE(stele_stream_get_by_key(l->s, key, l->ms, &err), want);
        CHECK_CODE(stele_stream_offset_by_key(l->s, key, &offset, &err), want);
        if (want == STELE_OK) {
            assert_int_equal(stele_messages_at(l->ms, 0)->offset, vectors_int(q, "got"));
            assert_int_equal(offset, vectors_int(q, "got"));
        }
    }
    free((void *)(uintptr_t)key.data);
}

static void query_by_time(struct logs *l, json_t *q)
{
    stele_code want = code_of(vectors_string(q, "err"));
    stele_time time = vectors_int(q, "time_us");
    stele_time got_time = 0;
    int64_t offset = -9;
    stele_error err;

    CHECK_CODE(stele_stream_offset_by_time(l->s, time, &offset, &got_time, &err), want);
    CHECK_CODE(stele_stream_get_by_time(l->s, time, l->ms, &err), want);
    if (want == STELE_OK) {
        assert_int_equal(offset, vectors_int(q, "got"));
        assert_int_equal(got_time, vectors_int(q, "got_time_us"));
        assert_int_equal(stele_messages_at(l->ms, 0)->offset, offset);
    }
}

static void answer(void *arg, json_t *q)
{
    struct logs *l = arg;
    const char *what = vectors_string(q, "q");

    l->seen++;
    if (strcmp(what, "stat") == 0) {
        query_stat(l, q);
    } else if (strcmp(what, "get") == 0) {
        query_get(l, q);
    } else if (strcmp(what, "consume") == 0) {
        query_consume(l, q);
    } else if (strcmp(what, "getbykey") == 0) {
        query_by_key(l, q, false);
    } else if (strcmp(what, "consumebykey") == 0) {
        query_by_key(l, q, true);
    } else {
        assert_string_equal(what, "offsetbytime");
        query_by_time(l, q);
    }
}

/* ---- Each log, in each way of opening it. ---- */

enum way {
    WRITER,
    READ_ONLY,
    LIVE,
    INDEXES_GONE
};

static void run(const char *name, const struct vector_log *log, enum way way, bool queries)
{
    struct logs l = {.log = log, .at = STELE_OFFSET_OLDEST};
    stele_stream_options opts;
    struct tmpdir t;
    stele_error err;
    char file[64];

    tmpdir_make(&t);
    (void)snprintf(file, sizeof file, "logs/%s/data", name);
    vectors_copy(file, &t);
    if (way == INDEXES_GONE) {
        char command[TMPDIR_PATH_SIZE + 16];

        (void)snprintf(command, sizeof command, "rm '%s'/*.index", t.path);
        assert_int_equal(system(command), 0);
    }
    vectors_options(log, &opts);
    opts.read_only = way == READ_ONLY;
    opts.live = way == LIVE;
    CHECK_OK(stele_stream_open(&l.s, t.path, &opts, &err), &err);
    CHECK_OK(stele_messages_new(&l.ms, &err), &err);
    (void)snprintf(file, sizeof file, "logs/%s/truth.jsonl", name);
    vectors_each(file, compare_message, &l);
    assert_true(l.seen > 300);
    if (queries) {
        (void)snprintf(file, sizeof file, "logs/%s/queries.jsonl", name);
        vectors_each(file, answer, &l);
    }
    CHECK_OK(stele_stream_close(l.s, &err), &err);
    stele_messages_free(l.ms);
    tmpdir_remove(&t);
}

static void run_all(enum way way)
{
    static const struct vector_log migrated = {"v1_both_migrated_v2", STELE_STREAM_V2, true};

    for (size_t i = 0; i < vector_log_count; i++) {
        run(vector_logs[i].name, &vector_logs[i], way, true);
    }
    run(migrated.name, &migrated, way, false);
}

static void writer_answers(void **state)
{
    (void)state;
    run_all(WRITER);
}

static void reader_answers(void **state)
{
    (void)state;
    run_all(READ_ONLY);
}

static void live_answers(void **state)
{
    (void)state;
    run_all(LIVE);
}

static void answers_without_indexes(void **state)
{
    (void)state;
    run_all(INDEXES_GONE);
}

/* Opening and closing without a change leaves every file as klevdb wrote it. */
static void compare_file(void *arg, json_t *line)
{
    const struct tmpdir *t = arg;
    const char *name = vectors_string(line, "file");
    char sha256[17];

    if (name != NULL) {
        tmpdir_sha256(t, name, sha256);
        assert_string_equal(sha256, vectors_string(line, "sha256"));
    }
}

static void open_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < vector_log_count; i++) {
        stele_stream_options opts;
        stele_stream *s;
        struct tmpdir t;
        stele_error err;
        char file[64];

        tmpdir_make(&t);
        (void)snprintf(file, sizeof file, "logs/%s/data", vector_logs[i].name);
        vectors_copy(file, &t);
        vectors_options(&vector_logs[i], &opts);
        CHECK_OK(stele_stream_open(&s, t.path, &opts, &err), &err);
        CHECK_OK(stele_stream_close(s, &err), &err);
        (void)snprintf(file, sizeof file, "logs/%s/files.jsonl", vector_logs[i].name);
        vectors_each(file, compare_file, &t);
        tmpdir_remove(&t);
    }
}

/* What the files say wins where it says it, and another wish is refused. */
static void wrong_options_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < vector_log_count; i++) {
        for (int wish = 0; wish < 4; wish++) {
            bool same = ((wish & 1) != 0) == vector_logs[i].indexes &&
                        ((wish & 2) != 0) == vector_logs[i].indexes;
            stele_stream_options opts;
            stele_stream *s;
            struct tmpdir t;
            stele_error err;
            char file[64];

            tmpdir_make(&t);
            (void)snprintf(file, sizeof file, "logs/%s/data", vector_logs[i].name);
            vectors_copy(file, &t);
            vectors_options(&vector_logs[i], &opts);
            opts.key_index = (wish & 1) != 0;
            opts.time_index = (wish & 2) != 0;
            if (!same) {
                CHECK_CODE(stele_stream_open(&s, t.path, &opts, &err), STELE_EMISMATCH);
            }
            opts.index_auto = true;
            CHECK_OK(stele_stream_open(&s, t.path, &opts, &err), &err);
            CHECK_OK(stele_stream_close(s, &err), &err);
            tmpdir_remove(&t);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(writer_answers),
            cmocka_unit_test(reader_answers),
            cmocka_unit_test(live_answers),
            cmocka_unit_test(answers_without_indexes),
            cmocka_unit_test(open_changes_nothing),
            cmocka_unit_test(wrong_options_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
