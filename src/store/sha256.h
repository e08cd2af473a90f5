/* SPDX-License-Identifier: MIT
 *
 * sha256.h: SHA-256 of a file, which etcd puts behind the snapshots that it saves.
 */
#ifndef STI_STORE_SHA256_H
#define STI_STORE_SHA256_H

#include "base/sha256.h"
#include "vfs/vfs.h"

/* What a file holds, in numbers. */
struct sti_file_sums {
    uint8_t sha256[STI_SHA256_SIZE];
    /* CRC-32C of its first bytes, and of the others: who wrote them compares. */
    uint32_t head;
    uint32_t rest;
};

/* Of the first `size` bytes, head_size of which are the head. STELE_ECORRUPT if the file ends
 * before. */
stele_code sti_sha256_file(struct sti_file *file, uint64_t size, uint64_t head_size,
        struct sti_file_sums *out, stele_error *err);

#endif /* STI_STORE_SHA256_H */
