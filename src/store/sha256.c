/* SPDX-License-Identifier: MIT
 *
 * sha256.c: SHA-256 of a file, piece by piece.
 */
#include "store/sha256.h"

#include "base/alloc.h"
#include "base/crc32c.h"

enum {
    PIECE_SIZE = 256 << 10
};

static stele_code add_piece(struct sti_sha256 *hash, struct sti_file_sums *sums, bool is_head,
        const uint8_t *piece, size_t len, stele_error *err)
{
    uint32_t *crc = is_head ? &sums->head : &sums->rest;

    *crc = sti_crc32c(*crc, piece, len);
    return sti_sha256_add(hash, piece, len, err);
}

static stele_code add_pieces(struct sti_sha256 *hash, struct sti_file *file, uint64_t size,
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
    struct sti_sha256 hash = {.context = NULL};
    struct sti_file_sums sums = {.head = 0};
    stele_code rc;

    if (piece == NULL) {
        return sti_fail_memory(err, PIECE_SIZE);
    }
    rc = sti_sha256_init(&hash, err);
    if (rc == STELE_OK) {
        rc = add_pieces(&hash, file, size, head_size, piece, &sums, err);
    }
    if (rc == STELE_OK) {
        rc = sti_sha256_end(&hash, sums.sha256, err);
    }
    if (rc == STELE_OK) {
        *out = sums;
    }
    sti_sha256_free(&hash);
    sti_free(piece);
    return rc;
}
