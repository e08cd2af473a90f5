/* SPDX-License-Identifier: MIT
 *
 * codec.c: the codecs that come with the library.
 *
 * A value that cannot be encoded is the caller's fault (STELE_EINVAL); bytes
 * that cannot be decoded come from a stream, and are STELE_ECORRUPT.
 */
#include <stele/codec.h>
#include <stele/stream.h>

#include "base/alloc.h"
#include "base/coding.h"
#include "base/error.h"
#include "json/json.h"
#include "stream/arena.h"

static stele_code no_value(stele_error *err)
{
    return sti_fail(err, STELE_EINVAL, "no value, and not said to be absent");
}

/* The value as bytes; fails for NULL with a length. */
static stele_code need_bytes(const void *value, stele_bytes *out, stele_error *err)
{
    if (value == NULL) {
        return no_value(err);
    }
    memcpy(out, value, sizeof *out);
    if (out->data == NULL && out->len != 0) {
        return sti_fail(err, STELE_EINVAL, "%zu bytes at no address", out->len);
    }
    return STELE_OK;
}

/* ---- Bytes. ---- */

static stele_code bytes_encode(
        void *arg, const void *value, bool absent, stele_buf *out, stele_error *err)
{
    stele_bytes bytes = stele_nil();
    stele_code rc;

    (void)arg;
    if (absent) {
        return STELE_OK;
    }
    rc = need_bytes(value, &bytes, err);
    if (rc != STELE_OK || stele_is_nil(bytes)) {
        return rc;
    }
    return stele_buf_append(out, bytes, err);
}

static stele_code bytes_decode(
        void *arg, stele_bytes in, stele_arena *arena, void *value, bool *absent, stele_error *err)
{
    (void)arg;
    (void)arena;
    (void)err;
    memcpy(value, &in, sizeof in);
    *absent = stele_is_nil(in);
    return STELE_OK;
}

const stele_codec *stele_codec_bytes(void)
{
    static const stele_codec codec = {
            .struct_size = sizeof codec,
            .name = "bytes",
            .value_size = sizeof(stele_bytes),
            .encode = bytes_encode,
            .decode = bytes_decode,
    };

    return &codec;
}

/* ---- String. ---- */

static stele_code string_encode(
        void *arg, const void *value, bool absent, stele_buf *out, stele_error *err)
{
    stele_bytes bytes = stele_empty();
    stele_code rc;

    (void)arg;
    /* There is no absent string: what is given is written all the same. */
    if (value != NULL || !absent) {
        rc = need_bytes(value, &bytes, err);
        if (rc != STELE_OK) {
            return rc;
        }
    }
    return stele_buf_append(out, bytes, err);
}

static stele_code string_decode(
        void *arg, stele_bytes in, stele_arena *arena, void *value, bool *absent, stele_error *err)
{
    stele_bytes string = stele_is_nil(in) ? stele_empty() : in;

    (void)arg;
    (void)arena;
    (void)err;
    memcpy(value, &string, sizeof string);
    *absent = false;
    return STELE_OK;
}

const stele_codec *stele_codec_string(void)
{
    static const stele_codec codec = {
            .struct_size = sizeof codec,
            .name = "string",
            .value_size = sizeof(stele_bytes),
            .encode = string_encode,
            .decode = string_decode,
    };

    return &codec;
}

/* ---- Optional string. ---- */

static stele_code string_opt_encode(
        void *arg, const void *value, bool absent, stele_buf *out, stele_error *err)
{
    stele_bytes bytes = stele_nil();
    stele_code rc;

    (void)arg;
    if (absent) {
        return STELE_OK;
    }
    rc = need_bytes(value, &bytes, err);
    if (rc != STELE_OK) {
        return rc;
    }
    return sti_json_string_encode(bytes, out, err);
}

static stele_code string_opt_decode(
        void *arg, stele_bytes in, stele_arena *arena, void *value, bool *absent, stele_error *err)
{
    struct sti_json_string string;
    stele_bytes result = stele_empty(); /* of a JSON null, too: it is there */
    stele_code rc;

    (void)arg;
    *absent = stele_is_nil(in);
    if (*absent) {
        return STELE_OK;
    }
    rc = sti_json_string_decode(in, STELE_MESSAGE_SIZE_MAX, &string, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (string.bytes.len != 0) {
        void *copy = stele_arena_alloc(arena, string.bytes.len);

        if (copy == NULL) {
            rc = sti_fail_memory(err, string.bytes.len);
            goto out;
        }
        memcpy(copy, string.bytes.data, string.bytes.len);
        result = stele_bytes_of(copy, string.bytes.len);
    }
    memcpy(value, &result, sizeof result);
out:
    sti_json_string_free(&string);
    return rc;
}

const stele_codec *stele_codec_string_opt(void)
{
    static const stele_codec codec = {
            .struct_size = sizeof codec,
            .name = "string_opt",
            .value_size = sizeof(stele_bytes),
            .encode = string_opt_encode,
            .decode = string_opt_decode,
    };

    return &codec;
}

/* ---- Varint. ---- */

static stele_code varint_encode(
        void *arg, const void *value, bool absent, stele_buf *out, stele_error *err)
{
    uint8_t bytes[STI_VARINT_MAX];
    int64_t number;

    (void)arg;
    if (absent) {
        return STELE_OK;
    }
    if (value == NULL) {
        return no_value(err);
    }
    memcpy(&number, value, sizeof number);
    return stele_buf_append(out, stele_bytes_of(bytes, sti_varint_put(bytes, number)), err);
}

static stele_code varint_decode(
        void *arg, stele_bytes in, stele_arena *arena, void *value, bool *absent, stele_error *err)
{
    int64_t number;
    int taken;

    (void)arg;
    (void)arena;
    *absent = stele_is_nil(in);
    if (*absent) {
        return STELE_OK;
    }
    taken = sti_varint_get(in.data, in.len, &number);
    if (taken == 0) {
        return sti_fail(err, STELE_ECORRUPT, "varint: ends after %zu bytes", in.len);
    }
    if (taken < 0) {
        return sti_fail(err, STELE_ECORRUPT, "varint: more than 64 bits");
    }
    memcpy(value, &number, sizeof number);
    return STELE_OK;
}

const stele_codec *stele_codec_varint(void)
{
    static const stele_codec codec = {
            .struct_size = sizeof codec,
            .name = "varint",
            .value_size = sizeof(int64_t),
            .encode = varint_encode,
            .decode = varint_decode,
    };

    return &codec;
}

/* ---- JSON. ---- */

static stele_code json_encode(
        void *arg, const void *value, bool absent, stele_buf *out, stele_error *err)
{
    stele_bytes text = stele_nil();
    stele_code rc;

    (void)arg;
    if (absent) {
        return STELE_OK;
    }
    rc = need_bytes(value, &text, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_json_check(text, STELE_MESSAGE_SIZE_MAX, err);
    if (rc == STELE_ECORRUPT) {
        return sti_wrap(err, STELE_EINVAL, "not encoded");
    }
    return rc == STELE_OK ? stele_buf_append(out, text, err) : rc;
}

static stele_code json_decode(
        void *arg, stele_bytes in, stele_arena *arena, void *value, bool *absent, stele_error *err)
{
    (void)arg;
    (void)arena;
    *absent = stele_is_nil(in);
    if (*absent) {
        return STELE_OK;
    }
    memcpy(value, &in, sizeof in);
    return sti_json_check(in, STELE_MESSAGE_SIZE_MAX, err);
}

const stele_codec *stele_codec_json(void)
{
    static const stele_codec codec = {
            .struct_size = sizeof codec,
            .name = "json",
            .value_size = sizeof(stele_bytes),
            .encode = json_encode,
            .decode = json_decode,
    };

    return &codec;
}
