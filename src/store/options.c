/* SPDX-License-Identifier: MIT
 *
 * options.c: the options of a store, what may be given to it, and names in messages.
 */
#include "base/env.h"
#include "base/error.h"
#include "store/state.h"

#include <stdio.h>

enum {
    INTERVAL_MS = 100,
    LIMIT = 10000,
    READERS_MAX = 4096,
    READERS_MOST = 1 << 16,
    SHOWN = 24 /* bytes of a name or key in a message */
};

void stele_store_options_init_sized(stele_store_options *opts, size_t struct_size)
{
    if (opts != NULL && struct_size >= sizeof opts->struct_size) {
        memset(opts, 0, struct_size);
        opts->struct_size = struct_size;
    }
}

stele_code sti_store_options_resolve(
        stele_store_options *out, const stele_store_options *in, stele_error *err)
{
    stele_store_options o;
    stele_code code = sti_options_copy(&o, sizeof o, in, "stele_store_options", err);

    if (code != STELE_OK) {
        return code;
    }
    if (o.lock_wait_ms < STELE_FOREVER) {
        return sti_fail(err, STELE_EINVAL, "a negative time to wait for the lock");
    }
    if (o.reader_age_max_ms < 0) {
        return sti_fail(err, STELE_EINVAL, "a negative limit to the age of readers");
    }
    if (o.readers_max > READERS_MOST) {
        return sti_fail(err, STELE_EINVAL, "readers_max %lu is over %d",
                (unsigned long)o.readers_max, READERS_MOST);
    }
    o.batch_interval_ms = o.batch_interval_ms == 0 ? INTERVAL_MS : o.batch_interval_ms;
    o.batch_limit = o.batch_limit == 0 ? LIMIT : o.batch_limit;
    o.readers_max = o.readers_max == 0 ? READERS_MAX : o.readers_max;
    *out = o;
    return STELE_OK;
}

/* ---- What may be given. ---- */

stele_code sti_store_check_name(stele_bytes bucket, stele_error *err)
{
    if (bucket.data == NULL || bucket.len == 0) {
        return sti_fail(err, STELE_EINVAL, "the name of a bucket is empty");
    }
    if (bucket.len > STELE_STORE_BUCKET_MAX) {
        return sti_fail(err, STELE_EINVAL, "the name of a bucket has %zu bytes, more than %d",
                bucket.len, STELE_STORE_BUCKET_MAX);
    }
    return STELE_OK;
}

static stele_code check_size(stele_bytes bytes, size_t most, const char *what, stele_error *err)
{
    if (bytes.data == NULL && bytes.len > 0) {
        return sti_fail(err, STELE_EINVAL, "a %s without bytes has a length", what);
    }
    if (bytes.len > most) {
        return sti_fail(
                err, STELE_ETOOBIG, "a %s has %zu bytes, more than %zu", what, bytes.len, most);
    }
    return STELE_OK;
}

stele_code sti_store_check_key(stele_bytes key, stele_error *err)
{
    return check_size(key, STELE_STORE_KEY_MAX, "key", err);
}

stele_code sti_store_check_value(stele_bytes value, stele_error *err)
{
    return check_size(value, STELE_STORE_VALUE_MAX, "value", err);
}

/* ---- Messages. ---- */

/* The longest text: four characters a byte, quotes, dots. */
struct shown {
    char text[4 * SHOWN + 8];
};

static const char *show(struct shown *out, stele_bytes bytes)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;

    out->text[n++] = '"';
    for (size_t i = 0; i < bytes.len && i < SHOWN; i++) {
        uint8_t b = bytes.data[i];

        if (b >= ' ' && b < 0x7f && b != '"' && b != '\\') {
            out->text[n++] = (char)b;
        } else {
            out->text[n++] = '\\';
            out->text[n++] = 'x';
            out->text[n++] = digits[b >> 4];
            out->text[n++] = digits[b & 15];
        }
    }
    memcpy(out->text + n, bytes.len > SHOWN ? "\"..." : "\"", bytes.len > SHOWN ? 5 : 2);
    return out->text;
}

stele_code sti_store_wrap(stele_error *err, stele_code code, stele_bytes bucket, stele_bytes key)
{
    struct shown b;
    struct shown k;

    if (key.data == NULL) {
        return sti_wrap(err, code, "bucket %s", show(&b, bucket));
    }
    return sti_wrap(err, code, "bucket %s, key %s", show(&b, bucket), show(&k, key));
}

stele_code sti_store_no_bucket(stele_error *err, stele_bytes bucket)
{
    struct shown b;

    return sti_fail(err, STELE_ENOTFOUND, "there is no bucket %s", show(&b, bucket));
}
