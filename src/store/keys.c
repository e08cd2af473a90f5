/* SPDX-License-Identifier: MIT
 *
 * keys.c: encoding and decoding of LMDB's keys.
 */
#include "store/keys.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "store/lmdb.h"

_Static_assert(STI_KEY_SIZE_MAX <= STI_LMDB_KEY_MAX, "a key with its prefix fits");
_Static_assert(STI_KEY_LEVELS == 69, "as documented");

enum {
    KIND_AT = 4,
    LAYER_AT = 5,
    KIND_TOP = 0,
    KIND_LAYER = 1
};

void sti_key_layer(struct sti_key *out, uint32_t bucket, uint64_t layer)
{
    sti_put_be32(out->bytes, bucket);
    if (layer == STI_LAYER_TOP) {
        out->bytes[KIND_AT] = KIND_TOP;
        out->len = LAYER_AT;
        return;
    }
    out->bytes[KIND_AT] = KIND_LAYER;
    sti_put_be64(out->bytes + LAYER_AT, layer);
    out->len = STI_KEY_PREFIX_MAX;
}

void sti_key_behind(struct sti_key *key)
{
    while (key->len > 0 && key->bytes[key->len - 1] == 0xff) {
        key->len--;
    }
    sti_assert(key->len > 0);
    key->bytes[key->len - 1]++;
}

void sti_key_value(struct sti_key *out, uint32_t bucket, uint64_t layer, stele_bytes chunk)
{
    sti_assert(chunk.len <= STI_KEY_CHUNK);
    sti_key_layer(out, bucket, layer);
    if (chunk.len > 0) {
        memcpy(out->bytes + out->len, chunk.data, chunk.len);
    }
    out->len += chunk.len;
}

void sti_key_link(struct sti_key *out, uint32_t bucket, uint64_t layer, stele_bytes chunk)
{
    sti_assert(chunk.len == STI_KEY_CHUNK);
    sti_key_value(out, bucket, layer, chunk);
    out->bytes[out->len++] = 0;
}

bool sti_key_parse(stele_bytes key, struct sti_key_parts *out)
{
    size_t prefix;
    size_t rest;

    if (key.len < LAYER_AT || key.data[KIND_AT] > KIND_LAYER) {
        return false;
    }
    prefix = key.data[KIND_AT] == KIND_TOP ? LAYER_AT : STI_KEY_PREFIX_MAX;
    if (key.len < prefix || key.len - prefix > STI_KEY_CHUNK + 1) {
        return false;
    }
    rest = key.len - prefix;
    out->bucket = sti_get_be32(key.data);
    out->layer = prefix == LAYER_AT ? STI_LAYER_TOP : sti_get_be64(key.data + LAYER_AT);
    out->is_link = rest > STI_KEY_CHUNK;
    out->chunk = stele_bytes_of(key.data + prefix, out->is_link ? STI_KEY_CHUNK : rest);
    if (out->is_link && key.data[key.len - 1] != 0) {
        return false;
    }
    return out->bucket != 0 && (prefix == LAYER_AT || out->layer != STI_LAYER_TOP);
}

static uint32_t link_crc(stele_bytes key, const uint8_t *layer)
{
    return sti_crc32c(sti_crc32c(0, key.data, key.len), layer, 8);
}

void sti_link_encode(uint8_t out[STI_LINK_SIZE], stele_bytes key, uint64_t layer)
{
    sti_put_be64(out, layer);
    sti_put_le32(out + 8, link_crc(key, out));
}

stele_code sti_link_decode(uint64_t *layer, stele_bytes key, stele_bytes link, stele_error *err)
{
    uint64_t number;

    if (link.len != STI_LINK_SIZE) {
        return sti_fail(err, STELE_ECORRUPT, "a link of a long key has %zu bytes instead of %d",
                link.len, STI_LINK_SIZE);
    }
    if (sti_get_le32(link.data + 8) != link_crc(key, link.data)) {
        return sti_fail(err, STELE_ECORRUPT, "the checksum of a link of a long key differs");
    }
    number = sti_get_be64(link.data);
    if (number == STI_LAYER_TOP) {
        return sti_fail(err, STELE_ECORRUPT, "a link of a long key leads to no layer");
    }
    *layer = number;
    return STELE_OK;
}
