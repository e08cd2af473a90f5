/* SPDX-License-Identifier: MIT */
#include "lib/tmpdir.h"
#include "unit/stream_above/support.h"

#include <jansson.h>

#define VECTORS STELE_TESTS_DIR "/vectors/klevdb/codecs.jsonl"

struct typed {
    struct tmpdir dir;
    stele_typed_stream *t;
    stele_typed_messages *ms;
};

static void typed_open(struct typed *f, const stele_codec *key, const stele_codec *value)
{
    stele_stream_options opts;
    stele_error err;

    tmpdir_make(&f->dir);
    stele_stream_options_init(&opts);
    opts.key_index = true;
    opts.time_index = true;
    opts.rollover = 600;
    CHECK_OK(stele_typed_open(&f->t, f->dir.path, &opts, key, value, &err), &err);
    CHECK_OK(stele_typed_messages_new(&f->ms, &err), &err);
}

static void typed_close(struct typed *f)
{
    stele_error err;

    stele_typed_messages_free(f->ms);
    CHECK_OK(stele_typed_close(f->t, &err), &err);
    tmpdir_remove(&f->dir);
}

static int64_t number_at(const struct typed *f, size_t i)
{
    return *(const int64_t *)stele_typed_messages_at(f->ms, i)->value;
}

static stele_bytes string_of(const void *value)
{
    return *(const stele_bytes *)value;
}

static void publish_number(struct typed *f, const char *key, int64_t value)
{
    stele_bytes key_bytes = stele_str(key);
    stele_typed_message m = {.time = 1000 * (value + 1), .key = &key_bytes, .value = &value};
    stele_error err;

    m.key_absent = key == NULL;
    CHECK_OK(stele_typed_publish(f->t, &m, 1, NULL, &err), &err);
}

/* ---- Rows of the reference's typed logs. ---- */

static void publish_row(struct typed *f, const json_t *row, bool is_json)
{
    stele_bytes key = stele_str(json_string_value(json_object_get(row, "key")));
    int64_t number = json_integer_value(json_object_get(row, "value"));
    char text[64];
    stele_bytes value;
    stele_typed_message m = {.time = 1};
    int64_t next = -1;
    stele_error err;

    (void)snprintf(text, sizeof text, "{\"a\":\"%s\"}",
            is_json ? json_string_value(json_object_get(row, "value_a")) : "");
    value = stele_str(text);
    m.key = &key;
    m.key_absent = json_is_true(json_object_get(row, "key_empty"));
    m.value = is_json ? (const void *)&value : &number;
    m.value_absent = json_is_true(json_object_get(row, "value_empty"));
    CHECK_OK(stele_typed_publish(f->t, &m, 1, &next, &err), &err);
    assert_int_equal(next, json_integer_value(json_object_get(row, "offset")) + 1);
}

static void check_row(struct typed *f, const json_t *row, bool is_json)
{
    int64_t offset = json_integer_value(json_object_get(row, "offset"));
    const char *key = json_string_value(json_object_get(row, "key"));
    const stele_typed_message *m;
    stele_error err;

    CHECK_OK(stele_typed_get(f->t, offset, f->ms, &err), &err);
    m = stele_typed_messages_at(f->ms, 0);
    assert_int_equal(m->key_absent, json_is_true(json_object_get(row, "key_empty")) && !is_json);
    assert_int_equal(m->value_absent, json_is_true(json_object_get(row, "value_empty")));
    if (!m->key_absent) {
        CHECK_BYTES(string_of(m->key), stele_str(key));
    }
    if (!is_json) {
        assert_int_equal(
                *(const int64_t *)m->value, json_integer_value(json_object_get(row, "value")));
    } else if (!m->value_absent) {
        CHECK_BYTES(string_of(m->value), stele_str("{\"a\":\"1\"}"));
    }
}

/* op "getbykey": the offset that was found. */
static void check_lookup(struct typed *f, const json_t *row)
{
    stele_bytes key = stele_str(json_string_value(json_object_get(row, "key")));
    bool absent = json_is_true(json_object_get(row, "empty"));
    int64_t expected = json_integer_value(json_object_get(row, "got"));
    int64_t offset = -1;
    stele_error err;

    CHECK_OK(stele_typed_get_by_key(f->t, &key, absent, f->ms, &err), &err);
    assert_int_equal(stele_typed_messages_at(f->ms, 0)->offset, expected);
    CHECK_OK(stele_typed_offset_by_key(f->t, &key, absent, &offset, &err), &err);
    assert_int_equal(offset, expected);
}

/* Each row three times over the file: publish, read back, look up. */
static size_t run_rows(struct typed *f, const char *name, bool is_json, int what)
{
    FILE *file = fopen(VECTORS, "r");
    static char line[8192];
    size_t rows = 0;

    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        json_t *row = json_loads(line, 0, NULL);
        bool lookup = json_object_get(row, "op") != NULL;

        assert_non_null(row);
        if (strcmp(json_string_value(json_object_get(row, "codec")), name) == 0 &&
                lookup == (what == 2)) {
            if (what == 2) {
                check_lookup(f, row);
            } else {
                (what == 0 ? publish_row : check_row)(f, row, is_json);
            }
            rows++;
        }
        json_decref(row);
    }
    (void)fclose(file);
    return rows;
}

static void rows_of_the_reference(void **state)
{
    struct typed f;

    (void)state;
    typed_open(&f, stele_codec_string_opt(), stele_codec_varint());
    assert_int_equal(run_rows(&f, "typedlog", false, 0), 3);
    assert_int_equal(run_rows(&f, "typedlog", false, 1), 3);
    assert_int_equal(run_rows(&f, "typedlog", false, 2), 2);
    typed_close(&f);
    typed_open(&f, stele_codec_string(), stele_codec_json());
    assert_int_equal(run_rows(&f, "typedlog_str_json", true, 0), 2);
    assert_int_equal(run_rows(&f, "typedlog_str_json", true, 1), 2);
    typed_close(&f);
}

/* ---- Every call. ---- */

static void reads_what_was_published(void **state)
{
    struct typed f;
    int64_t next = -1;
    int64_t offset = -1;
    stele_time time = -1;
    stele_wait wait = {.timeout_ms = 0};
    stele_bytes key = stele_str("b");
    stele_error err;

    (void)state;
    typed_open(&f, stele_codec_string_opt(), stele_codec_varint());
    for (int64_t i = 0; i < 50; i++) {
        publish_number(&f, i % 5 == 0 ? NULL : i % 5 == 1 ? "a" : "b", i);
    }
    CHECK_OK(stele_typed_next_offset(f.t, &next, &err), &err);
    assert_int_equal(next, 50);
    CHECK_OK(stele_typed_consume(f.t, 3, 2, f.ms, &next, &err), &err);
    assert_int_equal(stele_typed_messages_count(f.ms), 2);
    assert_int_equal(next, 5);
    assert_int_equal(number_at(&f, 1), 4);
    assert_null(stele_typed_messages_at(f.ms, 2));
    CHECK_OK(stele_typed_consume_wait(f.t, 7, 1, &wait, f.ms, &next, &err), &err);
    assert_int_equal(number_at(&f, 0), 7);
    CHECK_CODE(stele_typed_consume_wait(f.t, 50, 1, &wait, f.ms, &next, &err), STELE_ETIMEDOUT);
    /* What failed left the messages alone. */
    assert_int_equal(number_at(&f, 0), 7);
    CHECK_OK(stele_typed_consume_by_key(f.t, &key, false, 10, 2, f.ms, &next, &err), &err);
    assert_int_equal(number_at(&f, 0), 12);
    assert_int_equal(number_at(&f, 1), 13);
    CHECK_OK(stele_typed_consume_by_key(f.t, NULL, true, 1, 1, f.ms, &next, &err), &err);
    assert_int_equal(number_at(&f, 0), 5);
    assert_true(stele_typed_messages_at(f.ms, 0)->key_absent);
    CHECK_BYTES(string_of(stele_typed_messages_at(f.ms, 0)->key), stele_nil());
    CHECK_OK(stele_typed_consume_by_key_wait(f.t, &key, false, 48, 9, &wait, f.ms, &next, &err),
            &err);
    assert_int_equal(number_at(&f, 0), 48);
    CHECK_OK(stele_typed_get(f.t, STELE_OFFSET_NEWEST, f.ms, &err), &err);
    assert_int_equal(number_at(&f, 0), 49);
    CHECK_OK(stele_typed_get_by_key(f.t, &key, false, f.ms, &err), &err);
    assert_int_equal(number_at(&f, 0), 49);
    CHECK_OK(stele_typed_get_by_time(f.t, 31500, f.ms, &err), &err);
    assert_int_equal(number_at(&f, 0), 31);
    CHECK_OK(stele_typed_offset_by_time(f.t, 31500, &offset, &time, &err), &err);
    assert_int_equal(offset, 31);
    assert_int_equal(time, 32000);
    key = stele_str("none");
    CHECK_CODE(stele_typed_offset_by_key(f.t, &key, false, &offset, &err), STELE_ENOTFOUND);
    typed_close(&f);
}

static void the_rest_of_the_calls(void **state)
{
    struct typed f;
    struct tmpdir copy;
    stele_stream_copied copied;
    stele_stream_stats stats;
    stele_bytes key = stele_str("k");
    int64_t number = 64;
    stele_typed_message m = {.time = 1, .key = &key, .value = &number};
    int64_t value = -1;
    stele_error err;

    (void)state;
    typed_open(&f, stele_codec_string_opt(), stele_codec_varint());
    CHECK_OK(stele_typed_publish_at(f.t, 0, &m, 1, &value, &err), &err);
    assert_int_equal(value, 1);
    CHECK_CODE(stele_typed_publish_at(f.t, 0, &m, 1, &value, &err), STELE_ECONFLICT);
    CHECK_OK(stele_typed_publish(f.t, NULL, 0, &value, &err), &err);
    assert_int_equal(value, 1);
    /* 36 for the message, 32 for the index, "k" with quotes, 80 01. */
    CHECK_OK(stele_typed_size(f.t, &m, &value, &err), &err);
    assert_int_equal(value, 36 + 32 + 3 + 2);
    CHECK_OK(stele_typed_stat(f.t, &stats, &err), &err);
    assert_int_equal(stats.messages, 1);
    CHECK_OK(stele_typed_sync(f.t, &value, &err), &err);
    assert_int_equal(value, 1);
    CHECK_OK(stele_typed_gc(f.t, 0, &err), &err);
    tmpdir_make(&copy);
    CHECK_OK(stele_typed_backup(f.t, copy.path, &copied, &err), &err);
    assert_int_equal(copied.messages, 1);
    tmpdir_remove(&copy);
    assert_non_null(stele_typed_raw(f.t));
    typed_close(&f);
}

static void gives_what_was_deleted(void **state)
{
    struct typed f;
    stele_offsets *set;
    stele_offsets *deleted;
    int64_t size = 0;
    stele_error err;

    (void)state;
    typed_open(&f, stele_codec_string_opt(), stele_codec_varint());
    CHECK_OK(stele_offsets_new(&set, &err), &err);
    CHECK_OK(stele_offsets_new(&deleted, &err), &err);
    for (int64_t i = 0; i < 5; i++) {
        publish_number(&f, "a", i);
    }
    CHECK_OK(stele_offsets_add(set, 1, &err), &err);
    CHECK_OK(stele_offsets_add(set, 3, &err), &err);
    CHECK_OK(stele_typed_delete(f.t, set, f.ms, deleted, &size, &err), &err);
    assert_int_equal(stele_typed_messages_count(f.ms), 2);
    assert_int_equal(number_at(&f, 0), 1);
    assert_int_equal(number_at(&f, 1), 3);
    assert_int_equal(stele_offsets_count(deleted), 2);
    assert_int_equal(size, 2 * (36 + 32 + 3 + 1));
    /* Added to, as in stele_deleted. */
    CHECK_OK(stele_offsets_add(set, 4, &err), &err);
    CHECK_OK(stele_typed_delete(f.t, set, f.ms, NULL, NULL, &err), &err);
    assert_int_equal(stele_typed_messages_count(f.ms), 3);
    assert_int_equal(number_at(&f, 2), 4);
    stele_typed_messages_clear(f.ms);
    assert_int_equal(stele_typed_messages_count(f.ms), 0);
    stele_offsets_free(set);
    stele_offsets_free(deleted);
    typed_close(&f);
}

/* ---- Codecs that refuse. ---- */

static void publish_raw(struct typed *f, const char *key, const char *value)
{
    stele_message m = stele_message_invalid();
    stele_error err;

    m.time = 1;
    m.key = stele_str(key);
    m.value = stele_str(value);
    CHECK_OK(stele_stream_publish(stele_typed_raw(f->t), &m, 1, NULL, &err), &err);
}

static void damage_is_named_by_its_offset(void **state)
{
    struct typed f;
    stele_offsets *set;
    stele_offsets *deleted;
    int64_t next = 77;
    stele_error err;

    (void)state;
    typed_open(&f, stele_codec_string_opt(), stele_codec_varint());
    publish_number(&f, "a", 5);
    publish_raw(&f, "\"a\"", "\x80");
    publish_raw(&f, "bad JSON", "\x02");
    CHECK_OK(stele_typed_get(f.t, 0, f.ms, &err), &err);
    CHECK_CODE(stele_typed_consume(f.t, 0, 10, f.ms, &next, &err), STELE_ECORRUPT);
    CHECK_MESSAGE(&err, "message at offset 1: value: varint: ends after 1 bytes");
    assert_int_equal(next, 77);
    assert_int_equal(number_at(&f, 0), 5);
    CHECK_CODE(stele_typed_get(f.t, 2, f.ms, &err), STELE_ECORRUPT);
    CHECK_MESSAGE(&err, "message at offset 2: key: JSON: after 3 bytes: invalid token");
    CHECK_CODE(stele_typed_get(f.t, 2, f.ms, NULL), STELE_ECORRUPT);
    assert_int_equal(stele_typed_messages_count(f.ms), 1);

    /* A deletion is done before anything is decoded. */
    CHECK_OK(stele_offsets_new(&set, &err), &err);
    CHECK_OK(stele_offsets_new(&deleted, &err), &err);
    CHECK_OK(stele_offsets_add(set, 1, &err), &err);
    CHECK_CODE(stele_typed_delete(f.t, set, f.ms, deleted, NULL, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "deleted, but not decoded: message at offset 1");
    assert_true(stele_offsets_has(deleted, 1));
    assert_int_equal(stele_typed_messages_count(f.ms), 1);
    stele_offsets_free(set);
    stele_offsets_free(deleted);
    typed_close(&f);
}

static void nothing_is_published_if_one_is_refused(void **state)
{
    struct typed f;
    stele_bytes texts[3] = {stele_str("{}"), stele_str("{"), stele_str("1")};
    stele_bytes key = stele_str("k");
    stele_typed_message ms[3] = {{.time = 0}};
    int64_t next = -1;
    stele_error err;

    (void)state;
    typed_open(&f, stele_codec_string(), stele_codec_json());
    for (size_t i = 0; i < 3; i++) {
        ms[i].key = &key;
        ms[i].value = &texts[i];
    }
    CHECK_CODE(stele_typed_publish(f.t, ms, 3, &next, &err), STELE_EINVAL);
    CHECK_MESSAGE_HAS(&err, "message 2 of 3: value: ");
    CHECK_CODE(stele_typed_publish_at(f.t, 0, ms, 3, &next, &err), STELE_EINVAL);
    ms[1].value = NULL;
    CHECK_CODE(stele_typed_publish(f.t, ms, 3, &next, &err), STELE_EINVAL);
    CHECK_CODE(stele_typed_publish(f.t, NULL, 3, &next, &err), STELE_EINVAL);
    assert_int_equal(next, -1);
    CHECK_OK(stele_typed_next_offset(f.t, &next, &err), &err);
    assert_int_equal(next, 0);
    ms[1].value_absent = true;
    CHECK_OK(stele_typed_publish(f.t, ms, 3, &next, &err), &err);
    assert_int_equal(next, 3);
    typed_close(&f);
}

/* ---- Codecs of users. ---- */

struct point {
    int32_t x;
    int32_t y;
    const char *label; /* in the arena */
};

struct point_codec {
    int encoded;
    int decoded;
    stele_code fail_with; /* without saying why */
};

static stele_code point_encode(
        void *arg, const void *value, bool absent, stele_buf *out, stele_error *err)
{
    struct point_codec *codec = arg;
    const struct point *p = value;
    char text[64];

    codec->encoded++;
    if (codec->fail_with != STELE_OK) {
        return codec->fail_with;
    }
    if (absent) {
        return stele_buf_append(out, stele_str("none"), err);
    }
    (void)snprintf(text, sizeof text, "%d,%d,%s", p->x, p->y, p->label);
    return stele_buf_append(out, stele_str(text), err);
}

static stele_code point_decode(
        void *arg, stele_bytes in, stele_arena *arena, void *value, bool *absent, stele_error *err)
{
    struct point_codec *codec = arg;
    struct point *p = value;
    char *label = stele_arena_alloc(arena, in.len + 1);

    (void)err;
    codec->decoded++;
    assert_int_equal(p->x, 0);
    assert_null(p->label);
    if (label == NULL) {
        return STELE_ENOMEM;
    }
    p->x = 99;
    *absent = in.len == 4 && memcmp(in.data, "none", 4) == 0;
    if (!*absent) {
        char text[64] = {0};
        char *end;

        assert_true(in.len < sizeof text);
        memcpy(text, in.data, in.len);
        p->x = (int32_t)strtol(text, &end, 10);
        p->y = (int32_t)strtol(end + 1, &end, 10);
        memcpy(label, end + 1, strlen(end + 1) + 1);
        p->label = label;
    }
    return codec->fail_with;
}

static void codecs_of_users_work(void **state)
{
    struct point_codec counts = {.encoded = 0};
    stele_codec codec = {
            .struct_size = sizeof codec,
            .name = "point",
            .arg = &counts,
            .value_size = sizeof(struct point),
            .encode = point_encode,
            .decode = point_decode,
    };
    struct point p = {.x = 3, .y = -4, .label = "corner"};
    stele_typed_message ms[2] = {
            {.key_absent = true, .value = &p}, {.key_absent = true, .value_absent = true}};
    const struct point *back;
    struct typed f;
    int64_t next;
    stele_error err;

    (void)state;
    typed_open(&f, stele_codec_bytes(), &codec);
    CHECK_OK(stele_typed_publish(f.t, ms, 2, &next, &err), &err);
    CHECK_OK(stele_typed_consume(f.t, STELE_OFFSET_OLDEST, 5, f.ms, &next, &err), &err);
    assert_int_equal(counts.encoded, 2);
    assert_int_equal(counts.decoded, 2);
    back = stele_typed_messages_at(f.ms, 0)->value;
    assert_int_equal(back->x, 3);
    assert_int_equal(back->y, -4);
    assert_string_equal(back->label, "corner");
    assert_true(stele_typed_messages_at(f.ms, 1)->value_absent);
    /* What is absent reads as zeros, whatever the codec left there. */
    back = stele_typed_messages_at(f.ms, 1)->value;
    assert_int_equal(back->x, 0);

    /* Without a reason, or with a code that is none. */
    counts.fail_with = STELE_ESTATE;
    CHECK_CODE(stele_typed_publish(f.t, ms, 2, &next, &err), STELE_ESTATE);
    CHECK_MESSAGE_HAS(&err, "message 1 of 2: value: call not allowed in this state");
    CHECK_CODE(stele_typed_get(f.t, 0, f.ms, &err), STELE_ESTATE);
    counts.fail_with = STELE_END;
    CHECK_CODE(stele_typed_get(f.t, 0, f.ms, &err), STELE_EINVAL);
    typed_close(&f);
}

static void wraps_an_open_stream(void **state)
{
    struct typed f;
    stele_typed_stream *other = NULL;
    stele_codec lame = {.struct_size = sizeof lame, .name = "lame"};
    int64_t next = -1;
    stele_error err;

    (void)state;
    typed_open(&f, stele_codec_string_opt(), stele_codec_varint());
    publish_number(&f, "a", 7);
    CHECK_OK(stele_typed_wrap(
                     &other, stele_typed_raw(f.t), stele_codec_bytes(), stele_codec_bytes(), &err),
            &err);
    CHECK_OK(stele_typed_get(other, 0, f.ms, &err), &err);
    CHECK_BYTES(string_of(stele_typed_messages_at(f.ms, 0)->key), stele_str("\"a\""));
    CHECK_BYTES(string_of(stele_typed_messages_at(f.ms, 0)->value), stele_str("\x0e"));
    CHECK_OK(stele_typed_close(other, &err), &err);
    /* The stream beneath is still open. */
    CHECK_OK(stele_typed_next_offset(f.t, &next, &err), &err);
    assert_int_equal(next, 1);

    other = NULL;
    CHECK_CODE(stele_typed_wrap(&other, stele_typed_raw(f.t), NULL, stele_codec_bytes(), &err),
            STELE_EINVAL);
    CHECK_CODE(stele_typed_wrap(&other, stele_typed_raw(f.t), stele_codec_bytes(), &lame, &err),
            STELE_EINVAL);
    CHECK_CODE(stele_typed_wrap(&other, NULL, stele_codec_bytes(), stele_codec_bytes(), &err),
            STELE_EINVAL);
    CHECK_CODE(stele_typed_open(&other, "/nonexistent/stele", NULL, stele_codec_bytes(),
                       stele_codec_bytes(), &err),
            STELE_ENOTFOUND);
    assert_null(other);
    CHECK_CODE(stele_typed_consume(f.t, 0, 1, NULL, &next, &err), STELE_EINVAL);
    CHECK_CODE(stele_typed_consume(NULL, 0, 1, f.ms, &next, &err), STELE_EINVAL);
    CHECK_CODE(stele_typed_stat(NULL, NULL, &err), STELE_EINVAL);
    CHECK_OK(stele_typed_close(NULL, &err), &err);
    stele_typed_messages_free(NULL);
    typed_close(&f);
}

/* ---- Memory that fails. ---- */

static stele_code publish_and_read(void *arg)
{
    struct typed *f = arg;
    stele_bytes key = stele_str("a \"key\"");
    int64_t number = 12;
    stele_typed_message ms[4];
    stele_typed_messages *read = NULL;
    int64_t next = 0;
    stele_code rc = stele_typed_messages_new(&read, NULL);

    for (size_t i = 0; i < 4; i++) {
        ms[i] = (stele_typed_message){.time = 1, .key = &key, .value = &number};
    }
    if (rc == STELE_OK) {
        rc = stele_typed_publish(f->t, ms, 4, &next, NULL);
    }
    if (rc == STELE_OK) {
        rc = stele_typed_consume(f->t, next - 4, 4, read, &next, NULL);
        assert_int_equal(stele_typed_messages_count(read), rc == STELE_OK ? 4 : 0);
    }
    if (rc == STELE_OK) {
        rc = stele_typed_get_by_key(f->t, &key, false, read, NULL);
        assert_int_equal(stele_typed_messages_count(read), rc == STELE_OK ? 1 : 4);
        CHECK_BYTES(string_of(stele_typed_messages_at(read, 0)->key), key);
    }
    stele_typed_messages_free(read);
    return rc;
}

static void survives_failing_allocations(void **state)
{
    struct typed f;

    (void)state;
    typed_open(&f, stele_codec_string_opt(), stele_codec_varint());
    assert_true(fail_each_allocation(publish_and_read, &f) > 15);
    typed_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(rows_of_the_reference),
            cmocka_unit_test(reads_what_was_published),
            cmocka_unit_test(the_rest_of_the_calls),
            cmocka_unit_test(gives_what_was_deleted),
            cmocka_unit_test(damage_is_named_by_its_offset),
            cmocka_unit_test(nothing_is_published_if_one_is_refused),
            cmocka_unit_test(codecs_of_users_work),
            cmocka_unit_test(wraps_an_open_stream),
            cmocka_unit_test(survives_failing_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
