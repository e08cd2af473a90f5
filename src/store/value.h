/* SPDX-License-Identifier: MIT
 *
 * value.h: the envelope of a value in LMDB.
 *
 *     0   1   version: 1
 *     1   4   CRC-32C, little endian, over version (1), number of the bucket (4, little endian),
 *             length of the key (4, little endian), key, value
 *     5   n   the value
 *
 * The checksum ties a value to its place: bytes that a damaged page gives for another key are not
 * taken for the value. Versions above 1 are for other encodings.
 */
#ifndef STI_STORE_VALUE_H
#define STI_STORE_VALUE_H

#include <stele/bytes.h>

enum {
    STI_VALUE_HEAD = 5
};

uint32_t sti_value_crc(uint32_t bucket, stele_bytes key, stele_bytes value);

/* The first bytes; the value is to follow. */
void sti_value_head(uint8_t out[STI_VALUE_HEAD], uint32_t crc);

/* *value is borrowed from `stored`, and never nil. STELE_ECORRUPT · STELE_EVERSION. */
stele_code sti_value_open(
        stele_bytes *value, uint32_t bucket, stele_bytes key, stele_bytes stored, stele_error *err);

/* What is known of an entry without reading its value. */
struct sti_value_mark {
    uint32_t crc;
    uint64_t len; /* of the value */
};

/* STELE_ECORRUPT: too short. */
stele_code sti_value_mark(struct sti_value_mark *out, stele_bytes stored, stele_error *err);

/* What an entry adds to the hash of its bucket, modulo 2^64: so the hash does not depend on the
 * order, and taking an entry out is a subtraction. The key is in it by way of the checksum. */
uint64_t sti_value_hash(const struct sti_value_mark *mark);

#endif /* STI_STORE_VALUE_H */
