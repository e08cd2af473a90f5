/* SPDX-License-Identifier: MIT
 *
 * sha256.c: SHA-256 of a file, piece by piece.
 */
#include "store/sha256.h"

#include "base/alloc.h"
#include "base/crc32c.h"
#include "base/error.h"

#include <openssl/evp.h>

enum {
    PIECE_SIZE = 256 << 10
};

static stele_code add_piece(EVP_MD_CTX *hash, struct sti_file_sums *sums, bool is_head,
        const uint8_t *piece, size_t len, stele_error *err)
{
    uint32_t *crc = is_head ? &sums->head : &sums->rest;

    *crc = sti_crc32c(*crc, piece, len);
    if (EVP_DigestUpdate(hash, piece, len) != 1) {
        return sti_fail(err, STELE_ENOTSUP, "SHA-256 is not to be had");
    }
    return STELE_OK;
}

static stele_code add_pieces(EVP_MD_CTX *hash, struct sti_file *file, uint64_t size,
        uint64_t head_size, uint8_t *piece, struct sti_file_sums *sums, stele_error *err)
{
    for (uint64_t at = 0; at < size;) {
        uint64_t end = at < head_size && head_size < size ? head_size : size;
        size_t len = end - at < PIECE_SIZE ? (size_t)(end - at) : PIECE_SIZE;
        stele_code rc = sti_file_read(file, at, piece, len, err);

        if (rc == STELE_OK) {
            rc = add_piece(hash, sums, at < head_size, piece, len, err);
        }
        if (rc != STELE_OK) {
            return rc;
        }
        at += len;
    }
    return STELE_OK;
}

stele_code sti_sha256_file(struct sti_file *file, uint64_t size, uint64_t head_size,
        struct sti_file_sums *out, stele_error *err)
{
    uint8_t *piece = sti_malloc(PIECE_SIZE);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    struct sti_file_sums sums = {.head = 0};
    stele_code rc;

    if (piece == NULL || hash == NULL) {
        rc = sti_fail_memory(err, PIECE_SIZE);
        goto out;
    }
    /* A system may be set up so that OpenSSL refuses what is not approved there. */
    if (EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1) {
        rc = sti_fail(err, STELE_ENOTSUP, "SHA-256 is not to be had");
        goto out;
    }
    rc = add_pieces(hash, file, size, head_size, piece, &sums, err);
    if (rc == STELE_OK && EVP_DigestFinal_ex(hash, sums.sha256, NULL) != 1) {
        rc = sti_fail(err, STELE_ENOTSUP, "SHA-256 is not to be had");
    }
    if (rc == STELE_OK) {
        *out = sums;
    }
out:
    EVP_MD_CTX_free(hash);
    sti_free(piece);
    return rc;
}
