/* SPDX-License-Identifier: MIT
 *
 * sha256.h: SHA-256, of bytes at once or piece by piece.
 *
 * libcrypto does the work. It has its memory from malloc(), which the loops that fail each
 * allocation do not reach. A system may be set up so that it refuses what is not approved there;
 * that is STELE_ENOTSUP.
 */
#ifndef STI_BASE_SHA256_H
#define STI_BASE_SHA256_H

#include <stele/bytes.h>

enum {
    STI_SHA256_SIZE = 32
};

/* Of some pieces as if they were one, nil pieces being empty. */
stele_code sti_sha256(
        const stele_bytes *pieces, size_t count, uint8_t out[STI_SHA256_SIZE], stele_error *err);

/* Piece by piece. Zero-initialised may be freed. */
struct sti_sha256 {
    void *context;
};

/* As sti_sha256(), with what a hash (zero-initialised, or one that has ended) keeps from one to the
 * next: to look up who does it costs more than to hash some hundred bytes. */
stele_code sti_sha256_again(struct sti_sha256 *hash, const stele_bytes *pieces, size_t count,
        uint8_t out[STI_SHA256_SIZE], stele_error *err);

/* Begin, also with one that has ended. */
stele_code sti_sha256_init(struct sti_sha256 *hash, stele_error *err);
stele_code sti_sha256_add(struct sti_sha256 *hash, const void *data, size_t len, stele_error *err);

/* Of all so far. Nothing can be added after it. */
stele_code sti_sha256_end(struct sti_sha256 *hash, uint8_t out[STI_SHA256_SIZE], stele_error *err);
void sti_sha256_free(struct sti_sha256 *hash);

#endif /* STI_BASE_SHA256_H */
