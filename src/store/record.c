/* SPDX-License-Identifier: MIT
 *
 * record.c: encoding and decoding writes.
 */
#include "store/record.h"

#include "base/coding.h"
#include "base/error.h"
#include "store/keys.h"

enum {
    VERSION = 1,
    NUMBER_SIZE = 4
};

void sti_record_begin(uint8_t out[STI_RECORD_HEAD])
{
    out[0] = VERSION;
    out[1] = 0;
}

size_t sti_record_write_size(const struct sti_write *write)
{
    return STI_RECORD_WRITE_HEAD + write->key.len + write->value.len;
}

size_t sti_record_write(uint8_t *out, const struct sti_write *write)
{
    uint8_t *at = out + STI_RECORD_WRITE_HEAD;

    out[0] = (uint8_t)write->kind;
    sti_put_le64(out + 1, write->seq);
    sti_put_le32(out + 9, write->bucket);
    sti_put_le32(out + 13, (uint32_t)write->key.len);
    sti_put_le32(out + 17, (uint32_t)write->value.len);
    if (write->key.len > 0) {
        memcpy(at, write->key.data, write->key.len);
        at += write->key.len;
    }
    if (write->value.len > 0) {
        memcpy(at, write->value.data, write->value.len);
        at += write->value.len;
    }
    return (size_t)(at - out);
}

stele_code sti_record_open(stele_bytes record, size_t *at, stele_error *err)
{
    if (record.len < STI_RECORD_HEAD) {
        return sti_fail(err, STELE_ECORRUPT, "a record of %zu bytes is too short", record.len);
    }
    if (record.data[0] != VERSION || record.data[1] != 0) {
        return sti_fail(
                err, STELE_EVERSION, "a record has version %d.%d", record.data[0], record.data[1]);
    }
    *at = STI_RECORD_HEAD;
    return STELE_OK;
}

/* Whether the lengths are those of the kind. */
static bool is_valid(const struct sti_write *w)
{
    if (w->bucket >= STI_BUCKET_LIMIT) {
        return false;
    }
    switch (w->kind) {
    case STI_WRITE_PUT:
        return w->bucket != 0 || (w->key.len >= 1 && w->key.len <= STELE_STORE_BUCKET_MAX &&
                                         w->value.len == NUMBER_SIZE);
    case STI_WRITE_DELETE:
        return w->value.len == 0;
    case STI_WRITE_DROP:
        return w->key.len == 0 && w->value.len == 0 && w->bucket != 0;
    }
    return false;
}

stele_code sti_record_next(stele_bytes record, size_t *at, struct sti_write *out, stele_error *err)
{
    const uint8_t *p = record.data + *at;
    size_t left = record.len - *at;
    struct sti_write w;
    size_t key_len;
    size_t value_len;

    if (left == 0) {
        return STELE_END;
    }
    if (left < STI_RECORD_WRITE_HEAD) {
        return sti_fail(err, STELE_ECORRUPT, "a write ends after %zu bytes", left);
    }
    key_len = sti_get_le32(p + 13);
    value_len = sti_get_le32(p + 17);
    left -= STI_RECORD_WRITE_HEAD;
    if (key_len > STI_TABLE_KEY_MAX || key_len > left || value_len > left - key_len ||
            p[0] > STI_WRITE_DROP) {
        return sti_fail(err, STELE_ECORRUPT, "a write of kind %d has lengths that cannot be", p[0]);
    }
    w.kind = (enum sti_write_kind)p[0];
    w.seq = sti_get_le64(p + 1);
    w.bucket = sti_get_le32(p + 9);
    w.key = stele_bytes_of(p + STI_RECORD_WRITE_HEAD, key_len);
    w.value = stele_bytes_of(p + STI_RECORD_WRITE_HEAD + key_len, value_len);
    if (!is_valid(&w)) {
        return sti_fail(err, STELE_ECORRUPT, "a write of kind %d cannot be", p[0]);
    }
    *at += STI_RECORD_WRITE_HEAD + key_len + value_len;
    *out = w;
    return STELE_OK;
}
