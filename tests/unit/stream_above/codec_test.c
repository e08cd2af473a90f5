/* SPDX-License-Identifier: MIT
 *
 * The codecs, row by row against what the reference did (codecs.jsonl). It
 * differs in these, on purpose:
 *
 *   - a string that is not UTF-8 is refused by string_opt, where the reference
 *     silently writes U+FFFD in place of its bytes;
 *   - so are escapes of lone surrogates, which the reference reads as U+FFFD
 *     but never writes;
 *   - what a failed decode leaves behind (out, empty) is not compared.
 *
 * Json[string] and Json[rec] are Go types: their rows are taken as JSON texts.
 */
#include "stream/arena.h"
#include "unit/stream_above/support.h"

#include <jansson.h>

#define VECTORS STELE_TESTS_DIR "/vectors/klevdb/codecs.jsonl"

/* Bytes from hexadecimal digits; nil for a JSON null or a missing member. */
static stele_bytes from_hex(const json_t *hex, uint8_t *out, size_t size)
{
    const char *digits = json_string_value(hex);
    size_t len;

    if (digits == NULL) {
        return stele_nil();
    }
    len = strlen(digits) / 2;
    assert_true(len <= size);
    for (size_t i = 0; i < len; i++) {
        const char byte[3] = {digits[2 * i], digits[2 * i + 1], '\0'};

        out[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    return stele_bytes_of(out, len);
}

static const stele_codec *codec_of(const char *name)
{
    if (strcmp(name, "String") == 0) {
        return stele_codec_string();
    }
    if (strcmp(name, "StringOpt") == 0 || strcmp(name, "Json[string]") == 0) {
        return stele_codec_string_opt();
    }
    if (strcmp(name, "Varint") == 0) {
        return stele_codec_varint();
    }
    return NULL;
}

static void encode_row(const json_t *row, const stele_codec *codec)
{
    uint8_t in[1024];
    uint8_t expected[1024];
    stele_bytes string = from_hex(json_object_get(row, "in_hex"), in, sizeof in);
    int64_t number = json_integer_value(json_object_get(row, "in"));
    bool absent = json_is_true(json_object_get(row, "empty"));
    stele_bytes bytes = from_hex(json_object_get(row, "out"), expected, sizeof expected);
    const void *value = codec == stele_codec_varint() ? (const void *)&number : &string;
    stele_buf out;
    stele_error err;

    stele_buf_init(&out, STELE_MESSAGE_SIZE_MAX);
    if (codec == stele_codec_string_opt() && !absent && string.len != 0 &&
            memchr(string.data, 0xFF, string.len) != NULL) {
        assert_int_equal(codec->encode(codec->arg, value, absent, &out, &err), STELE_EINVAL);
        return;
    }
    CHECK_OK(codec->encode(codec->arg, value, absent, &out, &err), &err);
    CHECK_BYTES(stele_buf_view(&out), bytes);
    stele_buf_free(&out);
}

/* "\ud800", the one row of that kind. */
static bool is_lone_surrogate(const json_t *row, const stele_codec *codec)
{
    const char *in = json_string_value(json_object_get(row, "in"));

    return codec == stele_codec_string_opt() && in != NULL && strcmp(in, "225c756438303022") == 0;
}

static void decode_row(const json_t *row, const stele_codec *codec)
{
    stele_arena arena = {.memory = {.chunks = NULL}};
    uint8_t in[1024];
    uint8_t expected[1024];
    stele_bytes bytes = from_hex(json_object_get(row, "in"), in, sizeof in);
    stele_bytes string = stele_nil();
    int64_t number = 0;
    void *value = codec == stele_codec_varint() ? (void *)&number : &string;
    bool absent = false;
    stele_error err;

    if (json_is_string(json_object_get(row, "err")) || is_lone_surrogate(row, codec)) {
        assert_int_equal(
                codec->decode(codec->arg, bytes, &arena, value, &absent, &err), STELE_ECORRUPT);
        sti_arena_free(&arena.memory);
        return;
    }
    CHECK_OK(codec->decode(codec->arg, bytes, &arena, value, &absent, &err), &err);
    assert_int_equal(absent, json_is_true(json_object_get(row, "empty")));
    if (codec == stele_codec_varint()) {
        assert_int_equal(number, json_integer_value(json_object_get(row, "out")));
    } else if (!absent) {
        CHECK_BYTES(string, from_hex(json_object_get(row, "out_hex"), expected, sizeof expected));
    }
    sti_arena_free(&arena.memory);
}

/* Texts that the reference wrote or read as a struct: all that is JSON passes
 * unchanged, also what does not fit the struct there. */
static void json_row(const json_t *row)
{
    const stele_codec *codec = stele_codec_json();
    bool encodes = strcmp(json_string_value(json_object_get(row, "op")), "encode") == 0;
    bool absent = json_is_true(json_object_get(row, "empty"));
    const char *text = json_string_value(json_object_get(row, encodes ? "out" : "in"));
    const char *why = json_string_value(json_object_get(row, "err"));
    bool valid = why == NULL || strstr(why, "cannot unmarshal") != NULL;
    stele_bytes in = absent ? stele_nil() : stele_str(text);
    stele_bytes value = stele_nil();
    stele_buf out;
    bool read_absent = false;

    stele_buf_init(&out, STELE_MESSAGE_SIZE_MAX);
    assert_int_equal(
            codec->encode(codec->arg, &in, absent, &out, NULL), valid ? STELE_OK : STELE_EINVAL);
    CHECK_BYTES(stele_buf_view(&out), valid ? in : stele_nil());
    stele_buf_free(&out);
    assert_int_equal(codec->decode(codec->arg, in, NULL, &value, &read_absent, NULL),
            valid ? STELE_OK : STELE_ECORRUPT);
    assert_int_equal(read_absent, absent);
    if (valid) {
        CHECK_BYTES(value, in);
    }
}

static void vectors_of_the_reference(void **state)
{
    FILE *f = fopen(VECTORS, "r");
    static char line[8192];
    size_t rows = 0;

    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        json_t *row = json_loads(line, JSON_DECODE_ANY, NULL);
        const char *op = json_string_value(json_object_get(row, "op"));
        const char *name = json_string_value(json_object_get(row, "codec"));

        assert_non_null(row);
        assert_non_null(name);
        if (op != NULL && codec_of(name) != NULL) {
            (strcmp(op, "encode") == 0 ? encode_row : decode_row)(row, codec_of(name));
            rows++;
        } else if (op != NULL && strcmp(name, "Json[rec]") == 0) {
            json_row(row);
            rows++;
        }
        json_decref(row);
    }
    (void)fclose(f);
    /* The other 7 of the 165 are of typed streams: typed_test.c. */
    assert_int_equal(rows, 158);
}

static void bytes_are_left_alone(void **state)
{
    const stele_codec *codec = stele_codec_bytes();
    stele_bytes values[] = {stele_nil(), stele_empty(), stele_str("x\xff")};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        stele_bytes back = stele_str("before");
        bool absent = false;
        stele_buf out;

        stele_buf_init(&out, 10);
        assert_int_equal(codec->encode(NULL, &values[i], false, &out, NULL), STELE_OK);
        CHECK_BYTES(stele_buf_view(&out), values[i]);
        assert_int_equal(codec->decode(NULL, values[i], NULL, &back, &absent, NULL), STELE_OK);
        CHECK_BYTES(back, values[i]);
        assert_int_equal(absent, stele_is_nil(values[i]));
        stele_buf_free(&out);
    }
}

static void refuses_values_that_are_none(void **state)
{
    const stele_codec *codecs[] = {stele_codec_bytes(), stele_codec_string(),
            stele_codec_string_opt(), stele_codec_varint(), stele_codec_json()};
    stele_bytes impossible = {NULL, 3};

    (void)state;
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        stele_buf out;

        stele_buf_init(&out, 100);
        assert_int_equal(codecs[i]->struct_size, sizeof(stele_codec));
        assert_non_null(codecs[i]->name);
        assert_int_equal(codecs[i]->encode(NULL, NULL, false, &out, NULL), STELE_EINVAL);
        if (codecs[i] != stele_codec_varint()) {
            assert_int_equal(codecs[i]->encode(NULL, &impossible, false, &out, NULL), STELE_EINVAL);
        }
        assert_null(out.data);
        /* Absent, and so without a value: nil, but for strings, which are
         * never absent. */
        assert_int_equal(codecs[i]->encode(NULL, NULL, true, &out, NULL), STELE_OK);
        assert_int_equal(out.data == NULL, codecs[i] != stele_codec_string());
        assert_int_equal(out.len, 0);
        stele_buf_free(&out);
    }
}

static stele_code round_trip(void *arg)
{
    const stele_codec *codec = stele_codec_string_opt();
    stele_bytes in = stele_str("a \"quoted\" <text>, long enough to need more than one "
                               "piece of memory when it is encoded");
    stele_bytes back = stele_nil();
    stele_arena arena = {.memory = {.chunks = NULL}};
    bool absent = false;
    stele_buf out;
    stele_code rc;

    (void)arg;
    stele_buf_init(&out, 1000);
    rc = codec->encode(NULL, &in, false, &out, NULL);
    if (rc == STELE_OK) {
        rc = codec->decode(NULL, stele_buf_view(&out), &arena, &back, &absent, NULL);
    }
    if (rc == STELE_OK) {
        CHECK_BYTES(in, back);
    }
    stele_buf_free(&out);
    sti_arena_free(&arena.memory);
    return rc;
}

static void survives_failing_allocations(void **state)
{
    (void)state;
    assert_true(fail_each_allocation(round_trip, NULL) >= 3);
}

static void json_passes_unchanged(void **state)
{
    stele_bytes in = stele_str(" {\"id\": 18446744073709551615, \"x\": 1.0, \"x\": 1.00} ");
    stele_bytes back = stele_nil();
    bool absent = true;

    (void)state;
    /* Without an arena there is nowhere to copy to. */
    assert_int_equal(stele_codec_json()->decode(NULL, in, NULL, &back, &absent, NULL), STELE_OK);
    assert_ptr_equal(back.data, in.data);
    assert_int_equal(back.len, in.len);
    assert_false(absent);
    in = stele_str("1e400");
    assert_int_equal(
            stele_codec_json()->decode(NULL, in, NULL, &back, &absent, NULL), STELE_ECORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(vectors_of_the_reference),
            cmocka_unit_test(bytes_are_left_alone),
            cmocka_unit_test(refuses_values_that_are_none),
            cmocka_unit_test(json_passes_unchanged),
            cmocka_unit_test(survives_failing_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
