/* SPDX-License-Identifier: MIT
 *
 * keys.h: how a bucket's keys of 0 to 32 KiB become LMDB's of 1 to 511 bytes, in the same order.
 *
 * A key is cut into chunks of 480 bytes, the last of which may be shorter or, of an empty key,
 * empty. Chunks live in layers: one top layer for each bucket, and a layer, with a number of its
 * own, for all keys of the bucket that go on behind the same first chunks. 32 KiB take 69 layers.
 *
 *     bytes  field
 *     4      number of the bucket, big endian, from 1
 *     1      0: top layer; 1: another one, and its number follows
 *     0, 8   number of the layer, big endian, from 1
 *     0-480  chunk
 *     0, 1   of a link: a zero byte
 *
 * An entry whose key ends with the chunk holds the value (value.h) of the logical key that ends
 * there. A link stands behind a chunk of 480 bytes, and holds the number of the layer where keys go
 * on that do not end there:
 *
 *     0      8   number of the layer, big endian
 *     8      4   CRC-32C, little endian, over the entry's key and the number
 *
 * The order is that of the logical keys, by bytes: within a layer chunks have it; a chunk's value
 * comes before its link, since it is a prefix of it; and what lies behind a link is larger than
 * the chunk and smaller than every larger chunk, since no chunk of the layer begins with one of
 * full length but itself. A link is there exactly as long as its layer has an entry.
 *
 * A layer's number is unique in the store and never used again.
 */
#ifndef STI_STORE_KEYS_H
#define STI_STORE_KEYS_H

#include <stele/store.h>

#include "base/coding.h"

enum {
    STI_KEY_CHUNK = 480,
    STI_KEY_LEVELS = STELE_STORE_KEY_MAX / STI_KEY_CHUNK + 1, /* most layers that a key is in */
    STI_KEY_TOP_PREFIX = 4 + 1,
    STI_KEY_PREFIX_MAX = 4 + 1 + 8,
    STI_KEY_SIZE_MAX = STI_KEY_PREFIX_MAX + STI_KEY_CHUNK + 1,
    STI_LINK_SIZE = 8 + 4
};

/* A bucket's top layer is 0. */
#define STI_LAYER_TOP ((uint64_t)0)

/* Numbers of buckets are smaller; see lmdb.h. */
#define STI_BUCKET_LIMIT UINT32_MAX

/* An LMDB key being made. */
struct sti_key {
    size_t len;
    uint8_t bytes[STI_KEY_SIZE_MAX];
};

static inline stele_bytes sti_key_view(const struct sti_key *key)
{
    return stele_bytes_of(key->bytes, key->len);
}

/* What all keys of a layer begin with. */
void sti_key_layer(struct sti_key *out, uint32_t bucket, uint64_t layer);

/* The smallest key that is larger than all that begin with these bytes, which may not all be
 * 0xff. */
void sti_key_behind(struct sti_key *key);

/* The key of a value, and of a link. `chunk` has at most, or exactly, STI_KEY_CHUNK bytes. */
void sti_key_value(struct sti_key *out, uint32_t bucket, uint64_t layer, stele_bytes chunk);
void sti_key_link(struct sti_key *out, uint32_t bucket, uint64_t layer, stele_bytes chunk);

struct sti_key_parts {
    uint32_t bucket;
    uint64_t layer;
    stele_bytes chunk; /* borrowed from the key */
    bool is_link;
};

/* Whether it is the key of a value in a bucket's top layer, which most are. */
static inline bool sti_key_is_top_value(stele_bytes key, uint32_t bucket)
{
    return key.len >= STI_KEY_TOP_PREFIX && key.len <= STI_KEY_TOP_PREFIX + STI_KEY_CHUNK &&
           sti_get_be32(key.data) == bucket && key.data[STI_KEY_TOP_PREFIX - 1] == 0;
}

/* False if this is no key that the above make. */
bool sti_key_parse(stele_bytes key, struct sti_key_parts *out);

/* The value of a link under this key. */
void sti_link_encode(uint8_t out[STI_LINK_SIZE], stele_bytes key, uint64_t layer);

/* STELE_ECORRUPT: not what sti_link_encode() made for this key. */
stele_code sti_link_decode(uint64_t *layer, stele_bytes key, stele_bytes link, stele_error *err);

#endif /* STI_STORE_KEYS_H */
