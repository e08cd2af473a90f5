/* SPDX-License-Identifier: MIT
 *
 * value.c: making and opening envelopes.
 */
#include "store/value.h"

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/error.h"

enum {
    VERSION = 1,
    CRC_AT = 1,
    PLACE_SIZE = 1 + 4 + 4,
    SHORT_KEY = 119 /* with what comes before it two lines of the cache */
};

uint32_t sti_value_crc(uint32_t bucket, stele_bytes key, stele_bytes value)
{
    uint8_t place[PLACE_SIZE + SHORT_KEY];
    uint32_t crc;

    place[0] = VERSION;
    sti_put_le32(place + 1, bucket);
    sti_put_le32(place + 5, (uint32_t)key.len);
    if (key.len > 0 && key.len <= SHORT_KEY) {
        /* In one call, which is most of the cost of a short key. */
        memcpy(place + PLACE_SIZE, key.data, key.len);
        crc = sti_crc32c(0, place, PLACE_SIZE + key.len);
    } else {
        crc = sti_crc32c(sti_crc32c(0, place, PLACE_SIZE), key.data, key.len);
    }
    return sti_crc32c(crc, value.data, value.len);
}

void sti_value_head(uint8_t out[STI_VALUE_HEAD], uint32_t crc)
{
    out[0] = VERSION;
    sti_put_le32(out + CRC_AT, crc);
}

stele_code sti_value_open(
        stele_bytes *value, uint32_t bucket, stele_bytes key, stele_bytes stored, stele_error *err)
{
    stele_bytes inner;

    if (stored.len < STI_VALUE_HEAD) {
        return sti_fail(err, STELE_ECORRUPT,
                "a stored value has %zu bytes, less than its head of %d", stored.len,
                STI_VALUE_HEAD);
    }
    inner = stele_bytes_of(stored.data + STI_VALUE_HEAD, stored.len - STI_VALUE_HEAD);
    if (stored.data[0] == VERSION &&
            sti_get_le32(stored.data + CRC_AT) == sti_value_crc(bucket, key, inner)) {
        *value = inner;
        return STELE_OK;
    }
    if (stored.data[0] > VERSION) {
        return sti_fail(err, STELE_EVERSION, "a stored value has version %d, or is damaged",
                stored.data[0]);
    }
    return sti_fail(err, STELE_ECORRUPT, "the checksum of a stored value differs");
}

stele_code sti_value_mark(struct sti_value_mark *out, stele_bytes stored, stele_error *err)
{
    if (stored.len < STI_VALUE_HEAD) {
        return sti_fail(err, STELE_ECORRUPT,
                "a stored value has %zu bytes, less than its head of %d", stored.len,
                STI_VALUE_HEAD);
    }
    out->crc = sti_get_le32(stored.data + CRC_AT);
    out->len = stored.len - STI_VALUE_HEAD;
    return STELE_OK;
}

uint64_t sti_value_hash(const struct sti_value_mark *mark)
{
    /* The finalizer of splitmix64 over both: every bit of the input moves half of the output's. */
    uint64_t x = mark->crc + mark->len * UINT64_C(0x9e3779b97f4a7c15) + 1;

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}
