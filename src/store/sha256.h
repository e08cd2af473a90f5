/* SPDX-License-Identifier: MIT
 *
 * sha256.h: SHA-256 of a file, which etcd puts behind the snapshots that it saves.
 *
 * libcrypto does the work. It has its memory from malloc(), which the loops that fail each
 * allocation do not reach.
 */
#ifndef STI_STORE_SHA256_H
#define STI_STORE_SHA256_H

#include "vfs/vfs.h"

enum {
    STI_SHA256_SIZE = 32
};

/* Of the first `size` bytes; STELE_ECORRUPT if the file ends before. */
stele_code sti_sha256_file(
        struct sti_file *file, uint64_t size, uint8_t out[STI_SHA256_SIZE], stele_error *err);

#endif /* STI_STORE_SHA256_H */
