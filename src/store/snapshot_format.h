/* SPDX-License-Identifier: MIT
 *
 * snapshot_format.h: the bytes of a snapshot.
 *
 *     0   8   "stelesnp"
 *     8   4   version: 1
 *
 * Then records. Numbers are little endian; each crc is the CRC-32C of all bytes of the stream
 * before it, so that no length is believed before it was verified, and nothing can be left out.
 *
 *     bucket:  1 'b' · 1 length of the name · name · 8 keys · 8 bytes of keys and values · 4 crc
 *     pair:    1 'p' · 4 length of the key · 4 length of the value · 4 crc · key · value
 *     end:     1 'e' · 8 buckets · 8 keys · 8 bytes · 4 hash, that of stele_store_hash() · 4 crc
 *
 * Buckets ascend by name, and the pairs of a bucket, which follow it, by key.
 */
#ifndef STI_STORE_SNAPSHOT_FORMAT_H
#define STI_STORE_SNAPSHOT_FORMAT_H

#include <stele/store.h>

#define STI_SNAPSHOT_MAGIC "stelesnp"

enum {
    STI_SNAPSHOT_VERSION = 1,
    STI_SNAPSHOT_HEAD = 8 + 4,
    STI_SNAPSHOT_BUCKET = 1 + 1 + 8 + 8 + 4, /* and the name */
    STI_SNAPSHOT_PAIR = 1 + 4 + 4 + 4,       /* and key and value */
    STI_SNAPSHOT_END = 1 + 3 * 8 + 4 + 4
};

#endif /* STI_STORE_SNAPSHOT_FORMAT_H */
