/* SPDX-License-Identifier: MIT
 *
 * replay_test.c: the calls that made klevdb's logs, made here, give the same
 * results and, after close, the same files byte for byte.
 */
#include "vectors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ITEMS_MAX = 600
};

struct items {
    stele_message messages[ITEMS_MAX];
    size_t count;
};

static struct items items;

static void load_item(void *arg, json_t *line)
{
    stele_message *m = &items.messages[items.count];
    int64_t len = vectors_int(line, "value_len");
    uint8_t *value = malloc((size_t)len + 1);

    (void)arg;
    assert_true(items.count < ITEMS_MAX);
    assert_non_null(value);
    assert_int_equal(vectors_int(line, "i"), items.count);
    for (int64_t j = 0; j < len; j++) {
        value[j] = (uint8_t)((uint64_t)j * 7 + items.count);
    }
    m->time = vectors_int(line, "time_us");
    m->key = vectors_hex(vectors_string(line, "key"));
    /* One item says nil, and has a length: the log holds the bytes. */
    m->value = strcmp(vectors_string(line, "value_kind"), "nil") == 0 && len == 0
                       ? stele_nil()
                       : stele_bytes_of(value, (size_t)len);
    if (stele_is_nil(m->value)) {
        free(value);
    }
    items.count++;
}

static int load_items(void **state)
{
    (void)state;
    vectors_each("logs/items.jsonl", load_item, NULL);
    return 0;
}

static int free_items(void **state)
{
    (void)state;
    for (size_t i = 0; i < items.count; i++) {
        free((void *)(uintptr_t)items.messages[i].key.data);
        free((void *)(uintptr_t)items.messages[i].value.data);
    }
    return 0;
}

struct replay {
    stele_stream *s;
    size_t published;
};

static void replay_publish(struct replay *r, json_t *line)
{
    int64_t n = vectors_int(line, "n");
    int64_t next = -1;
    stele_error err;

    CHECK_OK(stele_stream_publish(r->s, items.messages + r->published, (size_t)n, &next, &err),
            &err);
    assert_int_equal(next, vectors_int(line, "next"));
    r->published += (size_t)n;
}

static void replay_delete(struct replay *r, json_t *line)
{
    const json_t *want = json_object_get(line, "deleted");
    stele_deleted deleted = {0};
    stele_offsets *offsets;
    stele_error err;
    stele_code rc;
    size_t i;
    json_t *offset;

    CHECK_OK(stele_offsets_new(&offsets, &err), &err);
    CHECK_OK(stele_offsets_new(&deleted.offsets, &err), &err);
    CHECK_OK(stele_messages_new(&deleted.messages, &err), &err);
    json_array_foreach(json_object_get(line, "offsets"), i, offset)
    {
        CHECK_OK(stele_offsets_add(offsets, json_integer_value(offset), &err), &err);
    }
    rc = stele_stream_delete(r->s, offsets, &deleted, &err);
    if (strcmp(vectors_string(line, "err"), "ErrNotFound") == 0) {
        assert_int_equal(rc, STELE_ENOTFOUND);
    } else {
        CHECK_OK(rc, &err);
    }
    assert_int_equal(deleted.size, vectors_int(line, "size"));
    assert_int_equal(deleted.count, vectors_run_count(want));
    assert_int_equal(stele_offsets_count(deleted.offsets), vectors_run_count(want));
    assert_int_equal(stele_messages_count(deleted.messages), vectors_run_count(want));
    for (int64_t o = stele_offsets_next(deleted.offsets, 0); o >= 0;
            o = stele_offsets_next(deleted.offsets, o + 1)) {
        assert_true(vectors_in_runs(want, o));
    }
    stele_messages_free(deleted.messages);
    stele_offsets_free(deleted.offsets);
    stele_offsets_free(offsets);
}

static void replay_line(void *arg, json_t *line)
{
    struct replay *r = arg;

    if (strcmp(vectors_string(line, "op"), "publish") == 0) {
        replay_publish(r, line);
    } else {
        replay_delete(r, line);
    }
}

static void compare_file(void *arg, json_t *line)
{
    const struct tmpdir *t = arg;
    const char *name = vectors_string(line, "file");
    char sha256[17];

    if (name == NULL) {
        return; /* The line of options. */
    }
    assert_int_equal(tmpdir_size(t, name), vectors_int(line, "size"));
    tmpdir_sha256(t, name, sha256);
    assert_string_equal(sha256, vectors_string(line, "sha256"));
}

static void run(const struct vector_log *log, void (*change)(stele_stream_options *opts))
{
    struct replay r = {0};
    stele_stream_options opts;
    struct tmpdir t;
    stele_error err;
    char file[64];

    tmpdir_make(&t);
    vectors_options(log, &opts);
    change(&opts);
    CHECK_OK(stele_stream_open(&r.s, t.path, &opts, &err), &err);
    (void)snprintf(file, sizeof file, "logs/%s/ops.jsonl", log->name);
    vectors_each(file, replay_line, &r);
    CHECK_OK(stele_stream_close(r.s, &err), &err);
    (void)snprintf(file, sizeof file, "logs/%s/files.jsonl", log->name);
    vectors_each(file, compare_file, &t);
    tmpdir_remove(&t);
}

static void plain(stele_stream_options *opts)
{
    (void)opts;
}

static void with_pwrite(stele_stream_options *opts)
{
    opts->no_map = true;
}

static void with_auto_sync(stele_stream_options *opts)
{
    opts->auto_sync = true;
}

static void inline_work(stele_stream_options *opts)
{
    opts->no_background = true;
}

static void gives_the_same_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < vector_log_count; i++) {
        run(&vector_logs[i], plain);
        run(&vector_logs[i], with_pwrite);
        run(&vector_logs[i], with_auto_sync);
        run(&vector_logs[i], inline_work);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(gives_the_same_files),
    };

    return cmocka_run_group_tests(tests, load_items, free_items);
}
