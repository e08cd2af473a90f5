/* SPDX-License-Identifier: MIT
 *
 * stream_golden_test.c: the frozen files beside this source are written today
 * byte for byte, open, and answer every query.
 *
 *     stream_golden_test               compare
 *     stream_golden_test --write DIR   make the directories below DIR, as they were made
 *
 * klevdb's own logs (tests/vectors) have no index or both. These have one of
 * them, in both versions of the format, and what klevdb does not know: side
 * files, and the marker of what may be unsynced.
 */
#include <stele/stream.h>

#include "lib/check.h"
#include "lib/files.h"
#include "lib/tmpdir.h"
#include "stream/keys.h"
#include "stream/marker.h"
#include "stream/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    MESSAGES = 30,
    ALL = MESSAGES + 1, /* one more after the deletions */
    KEYS = 5,
    ROLLOVER = 400,
    TORN_BYTES = 10
};

#define FIRST_TIME ((stele_time)1700000000000000)

struct variant {
    const char *name;
    stele_stream_version version;
    bool keys;
    bool times;
    bool torn; /* as a crash leaves it while segments are sealed behind */
};

static const struct variant variants[] = {
        {"stream-v1-keys", STELE_STREAM_V1, true, false, false},
        {"stream-v1-times", STELE_STREAM_V1, false, true, false},
        {"stream-v2-keys", STELE_STREAM_V2, true, false, false},
        {"stream-v2-times", STELE_STREAM_V2, false, true, false},
        {"stream-v2-tail", STELE_STREAM_V2, true, true, true},
};

enum {
    VARIANTS = sizeof variants / sizeof variants[0]
};

/* ---- What is published and deleted. ---- */

struct content {
    char key[16];
    char value[64];
    stele_message message;
};

/* Nil keys and values, keys that come again, and times that now and then go back. */
static void content_of(int i, struct content *out)
{
    stele_message *m = &out->message;

    m->offset = i;
    m->time = FIRST_TIME + (int64_t)i * 1000000 - (i % 4 == 3 ? 2500000 : 0);
    m->key = stele_nil();
    m->value = stele_nil();
    if (i % 7 != 6) {
        (void)snprintf(out->key, sizeof out->key, "key-%d", i % KEYS);
        m->key = stele_str(out->key);
    }
    if (i % 9 != 8) {
        (void)snprintf(out->value, sizeof out->value, "value %d\n\x01\xff%.*s", i, i * 7 % 40,
                "0123456789012345678901234567890123456789");
        m->value = stele_str(out->value);
    }
}

/* The first of a segment, which gets another name; some in the middle; a whole segment and more;
 * and the newest. */
static bool is_deleted(const struct variant *v, int i)
{
    return !v->torn && (i == 0 || i == 3 || i == 4 || (i >= 8 && i <= 16) || i == MESSAGES - 1);
}

static void options_of(const struct variant *v, stele_stream_options *opts)
{
    stele_stream_options_init(opts);
    opts->new_segments = v->version;
    opts->key_index = v->keys;
    opts->time_index = v->times;
    opts->rollover = ROLLOVER;
}

static stele_stream *open_at(const char *path, const stele_stream_options *opts)
{
    stele_stream *s = NULL;
    stele_error err;

    CHECK_OK(stele_stream_open(&s, path, opts, &err), &err);
    return s;
}

static void close_it(stele_stream *s)
{
    stele_error err;

    CHECK_OK(stele_stream_close(s, &err), &err);
}

/* ---- Writing. ---- */

static void publish(stele_stream *s, int i)
{
    struct content c;
    int64_t next = 0;
    stele_error err;

    content_of(i, &c);
    CHECK_OK(stele_stream_publish_at(s, i, &c.message, 1, &next, &err), &err);
    assert_int_equal(next, i + 1);
}

static void delete_some(const struct variant *v, stele_stream *s)
{
    stele_offsets *set = NULL;
    stele_deleted deleted = {0};
    stele_error err;

    CHECK_OK(stele_offsets_new(&set, &err), &err);
    for (int i = 0; i < MESSAGES; i++) {
        if (is_deleted(v, i)) {
            CHECK_OK(stele_offsets_add(set, i, &err), &err);
        }
    }
    CHECK_OK(stele_stream_delete_multi(s, set, NULL, &deleted, &err), &err);
    assert_int_equal(deleted.count, stele_offsets_count(set));
    stele_offsets_free(set);
}

/* The base offset of the n-th segment, from 0; -1 if there are not so many. */
static int64_t nth_base(const char *path, int n)
{
    struct files files;
    int64_t base = -1;

    files_read(&files, path);
    for (size_t i = 0; i < files.count; i++) {
        int64_t at;

        if (sti_name_parse(files.list[i].name, &at) == STI_NAME_LOG && n-- == 0) {
            base = at;
        }
    }
    files_free(&files);
    return base;
}

static void remove_file(const struct tmpdir *t, const char *name)
{
    char path[TMPDIR_PATH_SIZE];

    tmpdir_path(t, name, path);
    assert_int_equal(remove(path), 0);
}

/* The second segment lacks its end, and from it on none was sealed. */
static void tear(const struct tmpdir *t)
{
    const int64_t torn = nth_base(t->path, 1);
    struct sti_dir dir = {0};
    char name[STI_NAME_SIZE];
    stele_error err;

    sti_name_log(name, torn);
    tmpdir_cut(t, name, tmpdir_size(t, name) - TORN_BYTES);
    for (int i = 1; nth_base(t->path, i) >= 0; i++) {
        sti_name_index(name, nth_base(t->path, i));
        remove_file(t, name);
        sti_name_keys(name, nth_base(t->path, i));
        remove_file(t, name);
    }
    CHECK_OK(sti_dir_open(&dir, NULL, t->path, 0, &err), &err);
    CHECK_OK(sti_marker_write(&dir, torn, &err), &err);
    sti_dir_close(&dir);
}

static void write_variant(const struct variant *v, const struct tmpdir *t)
{
    stele_stream_options opts;
    stele_stream *s;

    options_of(v, &opts);
    s = open_at(t->path, &opts);
    for (int i = 0; i < MESSAGES; i++) {
        publish(s, i);
    }
    delete_some(v, s);
    close_it(s);
    s = open_at(t->path, &opts);
    publish(s, MESSAGES);
    close_it(s);
    if (v->torn) {
        tear(t);
    }
}

/* ---- Reading. ---- */

struct reading {
    const struct variant *v;
    stele_stream *s;
    stele_messages *ms;
    int expected[ALL]; /* the offsets that are there */
    int count;
};

/* Behind a segment that is torn nothing was durable. */
static void expect(struct reading *r, int64_t torn_at)
{
    r->count = 0;
    for (int i = 0; i < ALL; i++) {
        if (!is_deleted(r->v, i) && (torn_at < 0 || i < torn_at)) {
            r->expected[r->count++] = i;
        }
    }
}

static void check_message_is(const stele_message *m, int i)
{
    struct content c;

    content_of(i, &c);
    assert_non_null(m);
    assert_int_equal(m->offset, i);
    assert_int_equal(m->time, c.message.time);
    CHECK_BYTES(m->key, c.message.key);
    CHECK_BYTES(m->value, c.message.value);
}

static void consume_all(struct reading *r)
{
    int64_t at = STELE_OFFSET_OLDEST;
    int seen = 0;
    stele_error err;

    for (;;) {
        CHECK_OK(stele_stream_consume(r->s, at, 4, r->ms, &at, &err), &err);
        if (stele_messages_count(r->ms) == 0) {
            break;
        }
        for (size_t i = 0; i < stele_messages_count(r->ms); i++) {
            assert_true(seen < r->count);
            check_message_is(stele_messages_at(r->ms, i), r->expected[seen++]);
        }
    }
    assert_int_equal(seen, r->count);
}

static void get_each(struct reading *r)
{
    int at = 0;
    stele_error err;

    for (int i = r->expected[0]; i <= r->expected[r->count - 1]; i++) {
        if (r->expected[at] == i) {
            CHECK_OK(stele_stream_get(r->s, i, r->ms, &err), &err);
            check_message_is(stele_messages_at(r->ms, 0), i);
            at++;
        } else {
            CHECK_CODE(stele_stream_get(r->s, i, r->ms, &err), STELE_ENOTFOUND);
        }
    }
}

static bool same_key(stele_bytes key, int i)
{
    struct content c;

    content_of(i, &c);
    return key.len == c.message.key.len &&
           (key.len == 0 || memcmp(key.data, c.message.key.data, key.len) == 0);
}

/* All messages of a key, and the newest of them. */
static void look_for_key(struct reading *r, stele_bytes key)
{
    int64_t next = STELE_OFFSET_OLDEST;
    int newest = -1;
    size_t found = 0;
    size_t want = 0;
    stele_error err;

    for (int i = 0; i < r->count; i++) {
        if (same_key(key, r->expected[i])) {
            newest = r->expected[i];
            want++;
        }
    }
    do {
        CHECK_OK(stele_stream_consume_by_key(r->s, key, next, 1, r->ms, &next, &err), &err);
        found += stele_messages_count(r->ms);
    } while (stele_messages_count(r->ms) > 0);
    assert_int_equal(found, want);
    if (newest < 0) {
        CHECK_CODE(stele_stream_get_by_key(r->s, key, r->ms, &err), STELE_ENOTFOUND);
    } else {
        CHECK_OK(stele_stream_get_by_key(r->s, key, r->ms, &err), &err);
        check_message_is(stele_messages_at(r->ms, 0), newest);
    }
}

static void get_by_keys(struct reading *r)
{
    char key[16];
    stele_error err;

    if (!r->v->keys) {
        CHECK_CODE(stele_stream_get_by_key(r->s, stele_str("key-1"), r->ms, &err), STELE_ENOINDEX);
        return;
    }
    for (int i = 0; i <= KEYS; i++) { /* the last is not there */
        (void)snprintf(key, sizeof key, "key-%d", i);
        look_for_key(r, stele_str(key));
    }
    look_for_key(r, stele_nil());
}

/* From before the first message to behind the last one, between and at times. */
static void get_by_times(struct reading *r)
{
    stele_error err;

    if (!r->v->times) {
        CHECK_CODE(stele_stream_get_by_time(r->s, FIRST_TIME, r->ms, &err), STELE_ENOINDEX);
        return;
    }
    for (stele_time t = FIRST_TIME - 500000; t < FIRST_TIME + ALL * (stele_time)1000000;
            t += 500000) {
        stele_time latest = INT64_MIN;
        int want = -1;

        for (int i = 0; i < r->count && want < 0; i++) {
            struct content c;

            content_of(r->expected[i], &c);
            latest = c.message.time > latest ? c.message.time : latest;
            want = latest >= t ? r->expected[i] : -1;
        }
        if (want < 0) {
            CHECK_CODE(stele_stream_get_by_time(r->s, t, r->ms, &err), STELE_ENOTFOUND);
        } else {
            CHECK_OK(stele_stream_get_by_time(r->s, t, r->ms, &err), &err);
            check_message_is(stele_messages_at(r->ms, 0), want);
        }
    }
}

static void answer_all(const struct variant *v, const char *path, const stele_stream_options *opts,
        int64_t torn_at)
{
    struct reading r = {.v = v};
    stele_stream_stats stats;
    stele_error err;

    expect(&r, torn_at);
    r.s = open_at(path, opts);
    CHECK_OK(stele_messages_new(&r.ms, &err), &err);
    CHECK_OK(stele_stream_stat(r.s, &stats, &err), &err);
    assert_int_equal(stats.messages, r.count);
    assert_int_equal(stats.oldest, r.expected[0]);
    assert_true(torn_at < 0 ? stats.next_offset == ALL : stats.next_offset >= ALL);
    consume_all(&r);
    get_each(&r);
    get_by_keys(&r);
    get_by_times(&r);
    stele_messages_free(r.ms);
    close_it(r.s);
}

/* ---- The tests, for each variant. ---- */

static void frozen_path(const struct variant *v, char out[TMPDIR_PATH_SIZE])
{
    int n = snprintf(out, TMPDIR_PATH_SIZE, "%s/golden/%s", STELE_TESTS_DIR, v->name);

    assert_in_range(n, 1, TMPDIR_PATH_SIZE - 1);
}

static void same_bytes_are_written(void **state)
{
    const struct variant *v = *state;
    char path[TMPDIR_PATH_SIZE];
    struct files frozen;
    struct files written;
    struct tmpdir t;

    tmpdir_make(&t);
    write_variant(v, &t);
    frozen_path(v, path);
    files_read(&frozen, path);
    files_read(&written, t.path);
    assert_true(frozen.count > 6); /* three segments and more */
    assert_true(files_equal(&frozen, &written));
    files_free(&frozen);
    files_free(&written);
    tmpdir_remove(&t);
}

/* The offset of the message whose end is missing. */
static int64_t torn_offset(const struct variant *v, const char *path)
{
    return v->torn ? nth_base(path, 2) - 1 : -1;
}

/* A writer changes nothing, but may make side files that are missing, of rewritten segments. */
static void check_only_side_files_came(const struct files *before, const struct files *after)
{
    size_t at = 0;

    for (size_t i = 0; i < after->count; i++) {
        const struct one_file *f = &after->list[i];
        int64_t base;

        if (at < before->count && strcmp(f->name, before->list[at].name) == 0) {
            assert_int_equal(f->len, before->list[at].len);
            assert_memory_equal(f->bytes, before->list[at].bytes, f->len);
            at++;
        } else {
            assert_int_equal(sti_name_parse(f->name, &base), STI_NAME_KEYS);
        }
    }
    assert_int_equal(at, before->count);
}

static void frozen_files_answer(void **state)
{
    const struct variant *v = *state;
    char path[TMPDIR_PATH_SIZE];
    stele_stream_options opts;
    struct files before;
    struct files after;
    struct tmpdir t;
    int64_t torn_at;

    tmpdir_make(&t);
    frozen_path(v, path);
    files_copy(path, t.path, NULL);
    files_read(&before, t.path);
    torn_at = torn_offset(v, t.path);
    options_of(v, &opts);
    opts.read_only = true;
    answer_all(v, t.path, &opts, torn_at);
    opts.live = true;
    answer_all(v, t.path, &opts, torn_at);
    files_read(&after, t.path);
    assert_true(files_equal(&before, &after));
    files_free(&after);
    options_of(v, &opts);
    answer_all(v, t.path, &opts, torn_at);
    files_read(&after, t.path);
    if (v->torn) {
        assert_null(files_find(&after, ".tail"));
        assert_non_null(files_find(&after, "quarantine"));
    } else {
        check_only_side_files_came(&before, &after);
    }
    files_free(&after);
    files_free(&before);
    tmpdir_remove(&t);
}

static void no_faults(void **state)
{
    const struct variant *v = *state;
    char path[TMPDIR_PATH_SIZE];
    stele_stream_options opts;
    stele_stream_checked checked;
    struct tmpdir t;
    stele_error err;

    tmpdir_make(&t);
    frozen_path(v, path);
    files_copy(path, t.path, NULL);
    options_of(v, &opts);
    if (v->torn) {
        close_it(open_at(t.path, &opts));
    }
    CHECK_OK(stele_stream_check_dir(t.path, &opts, false, NULL, NULL, &checked, &err), &err);
    opts.key_index = !opts.key_index;
    opts.time_index = !opts.time_index;
    if (v->version != STELE_STREAM_V1) {
        stele_stream *s;

        CHECK_CODE(stele_stream_open(&s, t.path, &opts, &err), STELE_EMISMATCH);
    }
    tmpdir_remove(&t);
}

/* Each sealed segment has a side file that fits log and index: it is used, not made again. */
static void side_files_fit(void **state)
{
    const struct variant *v = *state;
    char path[TMPDIR_PATH_SIZE];
    struct files files;
    struct tmpdir t;
    int fitting = 0;

    tmpdir_make(&t);
    frozen_path(v, path);
    files_copy(path, t.path, NULL);
    files_read(&files, t.path);
    for (size_t i = 0; i < files.count; i++) {
        char name[STI_NAME_SIZE];
        struct sti_dir dir = {0};
        struct sti_keys keys;
        uint64_t log_size;
        uint8_t *index;
        size_t index_len;
        int64_t base;
        stele_error err;

        if (sti_name_parse(files.list[i].name, &base) != STI_NAME_KEYS) {
            continue;
        }
        sti_name_log(name, base);
        log_size = tmpdir_size(&t, name);
        sti_name_index(name, base);
        index = tmpdir_read(&t, name, &index_len);
        CHECK_OK(sti_dir_open(&dir, NULL, t.path, 0, &err), &err);
        CHECK_OK(sti_keys_open(&keys, &dir, base, log_size, index, index_len, &err), &err);
        assert_true(v->keys ? keys.count > 0 : keys.count == 0);
        sti_keys_close(&keys);
        sti_dir_close(&dir);
        free(index);
        fitting++;
    }
    assert_true(fitting >= (v->torn ? 1 : 2));
    files_free(&files);
    tmpdir_remove(&t);
}

static void marker_is_read(void **state)
{
    const struct variant *v = &variants[VARIANTS - 1];
    char path[TMPDIR_PATH_SIZE];
    struct sti_dir dir = {0};
    int64_t base = -1;
    stele_error err;

    (void)state;
    frozen_path(v, path);
    CHECK_OK(sti_dir_open(&dir, NULL, path, 0, &err), &err);
    CHECK_OK(sti_marker_read(&dir, &base, &err), &err);
    sti_dir_close(&dir);
    assert_int_equal(base, nth_base(path, 1));
}

/* ---- Freezing. ---- */

static int freeze(const char *dir)
{
    for (int i = 0; i < VARIANTS; i++) {
        struct tmpdir t;
        char path[TMPDIR_PATH_SIZE];
        int n = snprintf(path, sizeof path, "%s/%s", dir, variants[i].name);

        if (n < 0 || (size_t)n >= sizeof path || mkdir(path, 0777) != 0) {
            perror(path);
            return 1;
        }
        tmpdir_make(&t);
        write_variant(&variants[i], &t);
        files_copy(t.path, path, ".lock");
        tmpdir_remove(&t);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        CMUnitTestFunction function;
    } kinds[] = {
            {"written today, the same bytes", same_bytes_are_written},
            {"frozen, all answers", frozen_files_answer},
            {"frozen, no faults", no_faults},
            {"frozen side files fit", side_files_fit},
    };

    enum {
        KINDS = sizeof kinds / sizeof kinds[0]
    };
    struct CMUnitTest tests[VARIANTS * KINDS + 1];
    char names[VARIANTS * KINDS][64];

    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        return freeze(argv[2]);
    }
    for (int i = 0; i < VARIANTS * KINDS; i++) {
        (void)snprintf(names[i], sizeof names[i], "%s: %s", variants[i / KINDS].name,
                kinds[i % KINDS].name);
        tests[i] = (struct CMUnitTest){names[i], kinds[i % KINDS].function, NULL, NULL,
                (void *)(uintptr_t)&variants[i / KINDS]};
    }
    tests[VARIANTS * KINDS] = (struct CMUnitTest)cmocka_unit_test(marker_is_read);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
