/* SPDX-License-Identifier: MIT
 *
 * snapshot_read.c: records, and what they must be.
 */
#include "store/snapshot_read.h"

#include "base/alloc.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "store/snapshot_format.h"
#include "store/snapshot_zstd.h"

#include <inttypes.h>

enum {
    BUFFER_SIZE = 64 << 10, /* larger than a key, twice */
    MAGIC_SIZE = 4          /* tells what the stream is */
};

struct input {
    stele_read_fn read;
    void *arg;
    const struct sti_snapshot_events *events;
    uint8_t *ahead; /* bytes that were read and are not used yet: from `ahead_at` to `ahead_len` */
    size_t ahead_at;
    size_t ahead_len;
    uint8_t *value; /* for events */
    size_t value_size;
    uint8_t *buffer;
    uint8_t *key; /* the one before, or the name of the bucket before it */
    size_t key_len;
    bool has_key;
    uint8_t name[STELE_STORE_BUCKET_MAX];
    size_t name_len;
    uint64_t at;
    uint32_t crc;
    uint32_t hash;
    stele_store_contents total;
    uint64_t keys_left; /* of the bucket, as it was announced */
    uint64_t bytes_left;
};

static stele_code fail_at(const struct input *in, stele_error *err, const char *what)
{
    return sti_fail(err, STELE_ECORRUPT, "at byte %" PRIu64 ": %s", in->at, what);
}

/* Read more, when nothing is left. None is the end. */
static stele_code read_ahead(struct input *in, stele_error *err)
{
    size_t got = 0;
    stele_code code = in->read(in->arg, in->ahead, BUFFER_SIZE, &got, err);

    in->ahead_at = 0;
    in->ahead_len = code == STELE_OK ? got : 0;
    return code;
}

/* Exactly so many bytes. */
static stele_code get(struct input *in, void *out, size_t len, stele_error *err)
{
    uint8_t *to = out;
    size_t have = 0;

    while (have < len) {
        size_t n = in->ahead_len - in->ahead_at < len - have ? in->ahead_len - in->ahead_at
                                                             : len - have;
        stele_code code;

        if (n > 0) {
            memcpy(to + have, in->ahead + in->ahead_at, n);
            in->ahead_at += n;
            in->at += n;
            have += n;
            continue;
        }
        code = read_ahead(in, err);
        if (code != STELE_OK) {
            return code;
        }
        if (in->ahead_len == 0) {
            return fail_at(in, err, "it ends too early");
        }
    }
    in->crc = sti_crc32c(in->crc, out, len);
    return STELE_OK;
}

static stele_code get_crc(struct input *in, stele_error *err)
{
    uint32_t expected = in->crc;
    uint8_t bytes[4];
    stele_code code = get(in, bytes, sizeof bytes, err);

    if (code == STELE_OK && sti_get_le32(bytes) != expected) {
        code = fail_at(in, err, "a checksum differs");
    }
    return code;
}

static stele_code get_head(struct input *in, stele_error *err)
{
    uint8_t head[STI_SNAPSHOT_HEAD];
    stele_code code = get(in, head, sizeof head, err);

    if (code == STELE_OK && memcmp(head, STI_SNAPSHOT_MAGIC, 8) != 0) {
        code = fail_at(in, err, "this is no snapshot");
    }
    if (code == STELE_OK && sti_get_le32(head + 8) != STI_SNAPSHOT_VERSION) {
        code = sti_fail(
                err, STELE_EVERSION, "it has version %lu", (unsigned long)sti_get_le32(head + 8));
    }
    return code;
}

static bool is_complete(const struct input *in)
{
    return in->keys_left == 0 && in->bytes_left == 0;
}

static stele_code get_bucket(struct input *in, stele_error *err)
{
    uint8_t name[STELE_STORE_BUCKET_MAX];
    uint8_t counts[16];
    uint8_t len = 0;
    stele_code code = get(in, &len, 1, err);

    code = code == STELE_OK ? get(in, name, len, err) : code;
    code = code == STELE_OK ? get(in, counts, sizeof counts, err) : code;
    code = code == STELE_OK ? get_crc(in, err) : code;
    if (code != STELE_OK) {
        return code;
    }
    if (len == 0 || stele_bytes_compare(stele_bytes_of(in->name, in->name_len),
                            stele_bytes_of(name, len)) >= 0) {
        return fail_at(in, err, "buckets do not ascend");
    }
    if (!is_complete(in)) {
        return fail_at(in, err, "a bucket has less than was announced");
    }
    memcpy(in->name, name, len);
    in->name_len = len;
    in->has_key = false;
    in->keys_left = sti_get_le64(counts);
    in->bytes_left = sti_get_le64(counts + 8);
    in->hash = sti_crc32c(in->hash, name, len);
    in->total.buckets++;
    return in->events == NULL ? STELE_OK
                              : in->events->bucket(in->events->arg, stele_bytes_of(name, len), err);
}

static stele_code get_key(struct input *in, size_t len, stele_error *err)
{
    stele_code code = get(in, in->buffer, len, err);

    if (code != STELE_OK) {
        return code;
    }
    if (in->has_key && stele_bytes_compare(stele_bytes_of(in->key, in->key_len),
                               stele_bytes_of(in->buffer, len)) >= 0) {
        return fail_at(in, err, "keys do not ascend");
    }
    memcpy(in->key, in->buffer, len);
    in->key_len = len;
    in->has_key = true;
    in->hash = sti_crc32c(in->hash, in->key, len);
    return STELE_OK;
}

/* Memory grows with what comes, not with what is announced. */
static stele_code make_room(struct input *in, size_t size, stele_error *err)
{
    size_t larger = in->value_size < BUFFER_SIZE ? BUFFER_SIZE : 2 * in->value_size;
    uint8_t *value;

    if (size <= in->value_size) {
        return STELE_OK;
    }
    value = sti_realloc(in->value, larger, 1);
    if (value == NULL) {
        return sti_fail_memory(err, larger);
    }
    in->value = value;
    in->value_size = larger;
    return STELE_OK;
}

static stele_code get_value(struct input *in, size_t len, stele_error *err)
{
    stele_code code = STELE_OK;
    size_t have = 0;

    while (code == STELE_OK && have < len) {
        size_t n = len - have < BUFFER_SIZE ? len - have : BUFFER_SIZE;
        uint8_t *to = in->buffer;

        if (in->events != NULL) {
            code = make_room(in, have + n, err);
            to = in->value == NULL ? NULL : in->value + have;
        }
        code = code == STELE_OK ? get(in, to, n, err) : code;
        if (code == STELE_OK) {
            in->hash = sti_crc32c(in->hash, to, n);
            have += n;
        }
    }
    if (code == STELE_OK && in->events != NULL) {
        code = in->events->pair(in->events->arg, stele_bytes_of(in->key, in->key_len),
                stele_bytes_of(in->value, len), err);
    }
    return code;
}

static stele_code get_pair(struct input *in, stele_error *err)
{
    uint8_t lens[8];
    uint64_t key_len;
    uint64_t left;
    stele_code code = get(in, lens, sizeof lens, err);

    code = code == STELE_OK ? get_crc(in, err) : code;
    if (code != STELE_OK) {
        return code;
    }
    key_len = sti_get_le32(lens);
    left = sti_get_le32(lens + 4);
    if (key_len > STELE_STORE_KEY_MAX || left > STELE_STORE_VALUE_MAX) {
        return fail_at(in, err, "a key or value is too long");
    }
    if (in->keys_left == 0 || in->bytes_left < key_len + left) {
        return fail_at(in, err, "a bucket has more than was announced");
    }
    in->keys_left--;
    in->bytes_left -= key_len + left;
    in->total.keys++;
    in->total.bytes += key_len + left;
    code = get_key(in, (size_t)key_len, err);
    return code == STELE_OK ? get_value(in, (size_t)left, err) : code;
}

static stele_code get_end(struct input *in, stele_error *err)
{
    uint8_t end[STI_SNAPSHOT_END - 1 - 4];
    stele_code code = get(in, end, sizeof end, err);

    code = code == STELE_OK ? get_crc(in, err) : code;
    if (code != STELE_OK) {
        return code;
    }
    if (!is_complete(in) || sti_get_le64(end) != in->total.buckets ||
            sti_get_le64(end + 8) != in->total.keys || sti_get_le64(end + 16) != in->total.bytes ||
            sti_get_le32(end + 24) != in->hash) {
        return fail_at(in, err, "it does not have what its end says");
    }
    code = in->ahead_at < in->ahead_len ? STELE_OK : read_ahead(in, err);
    return code == STELE_OK && in->ahead_at < in->ahead_len
                   ? fail_at(in, err, "something follows its end")
                   : code;
}

static stele_code get_all(struct input *in, stele_error *err)
{
    stele_code code = get_head(in, err);

    while (code == STELE_OK) {
        uint8_t kind = 0;

        code = get(in, &kind, 1, err);
        if (code != STELE_OK) {
            break;
        }
        if (kind == 'e') {
            return get_end(in, err);
        }
        if (kind == 'b') {
            code = get_bucket(in, err);
        } else if (kind == 'p') {
            code = get_pair(in, err);
        } else {
            code = fail_at(in, err, "a record has no known kind");
        }
    }
    return code;
}

/* What the stream is, and so what to read it through. */
static stele_code find_form(struct input *in, struct sti_unpack **unpack, stele_error *err)
{
    stele_code code = STELE_OK;
    size_t got = 1;

    while (code == STELE_OK && got > 0 && in->ahead_len < MAGIC_SIZE) {
        got = 0;
        code = in->read(in->arg, in->ahead + in->ahead_len, BUFFER_SIZE - in->ahead_len, &got, err);
        in->ahead_len += code == STELE_OK ? got : 0;
    }
    if (code != STELE_OK || in->ahead_len < MAGIC_SIZE ||
            memcmp(in->ahead, STI_ZSTD_MAGIC, MAGIC_SIZE) != 0) {
        return code;
    }
    code = sti_unpack_new(unpack, in->ahead, in->ahead_len, in->read, in->arg, err);
    if (code == STELE_OK) {
        in->read = sti_unpack_read;
        in->arg = *unpack;
        in->ahead_len = 0;
    }
    return code;
}

stele_code sti_snapshot_read(stele_read_fn read, void *arg,
        const struct sti_snapshot_events *events, stele_store_contents *out, stele_error *err)
{
    struct input in = {.read = read, .arg = arg, .events = events};
    struct sti_unpack *unpack = NULL;
    stele_code code;

    in.buffer = sti_malloc(BUFFER_SIZE);
    in.ahead = sti_malloc(BUFFER_SIZE);
    in.key = sti_malloc(STELE_STORE_KEY_MAX);
    code = in.buffer == NULL || in.ahead == NULL || in.key == NULL
                   ? sti_fail_memory(err, BUFFER_SIZE)
                   : find_form(&in, &unpack, err);
    code = code == STELE_OK ? get_all(&in, err) : code;
    sti_unpack_free(unpack);
    sti_free(in.buffer);
    sti_free(in.ahead);
    sti_free(in.key);
    sti_free(in.value);
    if (code == STELE_OK) {
        *out = in.total;
    }
    return code;
}

stele_code stele_store_snapshot_verify(
        stele_read_fn read, void *arg, stele_store_contents *out, stele_error *err)
{
    stele_store_contents total;
    stele_code code;

    if (read == NULL) {
        return sti_fail(err, STELE_EINVAL, "nobody to read from");
    }
    code = sti_snapshot_read(read, arg, NULL, &total, err);
    if (code != STELE_OK) {
        return sti_wrap(err, code, "verify a snapshot");
    }
    if (out != NULL) {
        *out = total;
    }
    return STELE_OK;
}
