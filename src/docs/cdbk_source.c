/* SPDX-License-Identifier: MIT
 *
 * cdbk_source.c: the bytes of a backup, out of a pipe and out of zstd.
 *
 * zstd has its memory from malloc(), as jansson has: what it needs is bounded by the window that
 * is allowed here.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "docs/cdbk_format.h"

#include <zstd.h>

enum {
    MAGIC_SIZE = 4,
    WINDOW_LOG_MAX = 27 /* what zstd allows by itself, 128 MiB */
};

static const uint8_t zstd_magic[MAGIC_SIZE] = {0x28, 0xB5, 0x2F, 0xFD};

static stele_code read_input(struct sti_docs_cdbk_source *source, stele_error *err)
{
    size_t got = 0;
    stele_code rc = source->read(source->arg, source->input + source->input_len,
            STI_DOCS_CDBK_BUFFER_SIZE - source->input_len, &got, err);

    if (rc != STELE_OK) {
        return rc;
    }
    sti_assert(got <= STI_DOCS_CDBK_BUFFER_SIZE - source->input_len);
    source->input_len += got;
    source->input_has_ended = got == 0;
    return STELE_OK;
}

static stele_code begin_zstd(struct sti_docs_cdbk_source *source, stele_error *err)
{
    source->zstd = ZSTD_createDCtx();
    if (source->zstd == NULL || ZSTD_isError(ZSTD_DCtx_setParameter(
                                        source->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
        return sti_fail_memory(err, STI_DOCS_CDBK_BUFFER_SIZE);
    }
    return STELE_OK;
}

stele_code sti_docs_cdbk_source_init(
        struct sti_docs_cdbk_source *source, stele_read_fn read, void *arg, stele_error *err)
{
    stele_code rc;

    *source = (struct sti_docs_cdbk_source){
            .read = read, .arg = arg, .frame_is_whole = true, .hash = {.context = NULL}};
    source->input = sti_malloc(STI_DOCS_CDBK_BUFFER_SIZE);
    source->bytes = sti_malloc(STI_DOCS_CDBK_BUFFER_SIZE);
    rc = source->input == NULL || source->bytes == NULL
                 ? sti_fail_memory(err, STI_DOCS_CDBK_BUFFER_SIZE)
                 : sti_sha256_init(&source->hash, err);
    while (rc == STELE_OK && source->input_len < MAGIC_SIZE && !source->input_has_ended) {
        rc = read_input(source, err);
    }
    if (rc == STELE_OK && source->input_len >= MAGIC_SIZE &&
            memcmp(source->input, zstd_magic, MAGIC_SIZE) == 0) {
        rc = begin_zstd(source, err);
    }
    if (rc != STELE_OK) {
        sti_docs_cdbk_source_free(source);
    }
    return rc;
}

void sti_docs_cdbk_source_free(struct sti_docs_cdbk_source *source)
{
    (void)ZSTD_freeDCtx(source->zstd);
    sti_sha256_free(&source->hash);
    sti_free(source->input);
    sti_free(source->bytes);
    *source = (struct sti_docs_cdbk_source){.hash = {.context = NULL}};
}

static stele_code hash_taken(struct sti_docs_cdbk_source *source, stele_error *err)
{
    size_t len = source->at - source->hashed;

    if (source->hash_has_ended) {
        return STELE_OK;
    }
    source->hashed = source->at;
    return sti_sha256_add(&source->hash, source->bytes + source->at - len, len, err);
}

stele_code sti_docs_cdbk_source_hash(
        struct sti_docs_cdbk_source *source, uint8_t out[STI_SHA256_SIZE], stele_error *err)
{
    stele_code rc = hash_taken(source, err);

    source->hash_has_ended = true;
    return rc == STELE_OK ? sti_sha256_end(&source->hash, out, err) : rc;
}

/* What came in is the stream itself. */
static stele_code refill_plain(struct sti_docs_cdbk_source *source, stele_error *err)
{
    uint8_t *bytes = source->bytes;
    stele_code rc = STELE_OK;

    if (source->input_len == 0 && !source->input_has_ended) {
        rc = read_input(source, err);
    }
    if (rc == STELE_OK) {
        source->bytes = source->input;
        source->len = source->input_len;
        source->input = bytes;
        source->input_len = 0;
    }
    return rc;
}

static stele_code inflate_some(struct sti_docs_cdbk_source *source, stele_error *err)
{
    ZSTD_inBuffer in = {source->input, source->input_len, source->input_at};
    ZSTD_outBuffer out = {source->bytes, STI_DOCS_CDBK_BUFFER_SIZE, 0};
    size_t rc = ZSTD_decompressStream(source->zstd, &out, &in);

    if (ZSTD_isError(rc)) {
        return sti_fail_at(err, STELE_ECORRUPT, "backup", (int64_t)source->position,
                "what is compressed is damaged: %s", ZSTD_getErrorName(rc));
    }
    source->input_at = in.pos;
    source->len = out.pos;
    source->frame_is_whole = rc == 0;
    return STELE_OK;
}

static stele_code refill_zstd(struct sti_docs_cdbk_source *source, stele_error *err)
{
    stele_code rc = STELE_OK;

    while (rc == STELE_OK && source->len == 0) {
        if (source->input_at == source->input_len && !source->input_has_ended) {
            source->input_at = 0;
            source->input_len = 0;
            rc = read_input(source, err);
        }
        if (rc == STELE_OK && source->input_at == source->input_len && source->input_has_ended) {
            /* zstd may still hold back what it could give. */
            if (!source->frame_is_whole) {
                rc = inflate_some(source, err);
            }
            break;
        }
        if (rc == STELE_OK) {
            rc = inflate_some(source, err);
        }
    }
    return rc;
}

/* All bytes are taken: get more, or none at the end. */
static stele_code refill(struct sti_docs_cdbk_source *source, stele_error *err)
{
    stele_code rc = hash_taken(source, err);

    if (rc != STELE_OK) {
        return rc;
    }
    source->position += source->at;
    source->at = 0;
    source->hashed = 0;
    source->len = 0;
    return source->zstd == NULL ? refill_plain(source, err) : refill_zstd(source, err);
}

stele_code sti_docs_cdbk_source_take(
        struct sti_docs_cdbk_source *source, void *out, size_t len, stele_error *err)
{
    uint8_t *to = out;

    while (len > 0) {
        size_t some = source->len - source->at;

        if (some == 0) {
            stele_code rc = refill(source, err);

            if (rc != STELE_OK) {
                return rc;
            }
            if (source->len == 0) {
                return sti_fail_at(err, STELE_ECORRUPT, "backup",
                        (int64_t)sti_docs_cdbk_source_position(source),
                        "it ends in the middle, %zu bytes are missing at least", len);
            }
            continue;
        }
        some = some < len ? some : len;
        memcpy(to, source->bytes + source->at, some);
        source->at += some;
        to += some;
        len -= some;
    }
    return STELE_OK;
}

stele_code sti_docs_cdbk_source_has_ended(
        struct sti_docs_cdbk_source *source, bool *out, stele_error *err)
{
    if (source->at == source->len) {
        stele_code rc = refill(source, err);

        if (rc != STELE_OK) {
            return rc;
        }
        if (source->len == 0 && !source->frame_is_whole) {
            return sti_fail_at(err, STELE_ECORRUPT, "backup", (int64_t)source->position,
                    "what is compressed is cut off");
        }
    }
    *out = source->at == source->len;
    return STELE_OK;
}
