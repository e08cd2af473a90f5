/* SPDX-License-Identifier: MIT
 *
 * cdbk_sink.c: the bytes of a backup, into zstd and into a pipe.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "docs/cdbk_format.h"

#include <zstd.h>

static stele_code begin_zstd(struct sti_docs_cdbk_sink *sink, int level, stele_error *err)
{
    sink->zstd = ZSTD_createCCtx();
    sink->output = sti_malloc(STI_DOCS_CDBK_BUFFER_SIZE);
    if (sink->zstd == NULL || sink->output == NULL ||
            ZSTD_isError(ZSTD_CCtx_setParameter(sink->zstd, ZSTD_c_compressionLevel, level)) ||
            ZSTD_isError(ZSTD_CCtx_setParameter(sink->zstd, ZSTD_c_checksumFlag, 1))) {
        return sti_fail_memory(err, STI_DOCS_CDBK_BUFFER_SIZE);
    }
    return STELE_OK;
}

stele_code sti_docs_cdbk_sink_init(struct sti_docs_cdbk_sink *sink, stele_write_fn write, void *arg,
        int zstd_level, stele_error *err)
{
    stele_code rc;

    *sink = (struct sti_docs_cdbk_sink){.write = write, .arg = arg, .hash = {.context = NULL}};
    if (zstd_level < 0 || zstd_level > ZSTD_maxCLevel()) {
        return sti_fail(err, STELE_EINVAL, "zstd has no level %d: they are 1 to %d", zstd_level,
                ZSTD_maxCLevel());
    }
    sink->bytes = sti_malloc(STI_DOCS_CDBK_BUFFER_SIZE);
    rc = sink->bytes == NULL ? sti_fail_memory(err, STI_DOCS_CDBK_BUFFER_SIZE)
                             : sti_sha256_init(&sink->hash, err);
    if (rc == STELE_OK && zstd_level != 0) {
        rc = begin_zstd(sink, zstd_level, err);
    }
    if (rc != STELE_OK) {
        sti_docs_cdbk_sink_free(sink);
    }
    return rc;
}

void sti_docs_cdbk_sink_free(struct sti_docs_cdbk_sink *sink)
{
    (void)ZSTD_freeCCtx(sink->zstd);
    sti_sha256_free(&sink->hash);
    sti_free(sink->bytes);
    sti_free(sink->output);
    *sink = (struct sti_docs_cdbk_sink){.hash = {.context = NULL}};
}

static stele_code deflate(struct sti_docs_cdbk_sink *sink, const void *data, size_t len,
        ZSTD_EndDirective how, stele_error *err)
{
    ZSTD_inBuffer in = {data, len, 0};
    bool done = false;

    while (!done) {
        ZSTD_outBuffer out = {sink->output, STI_DOCS_CDBK_BUFFER_SIZE, 0};
        size_t left = ZSTD_compressStream2(sink->zstd, &out, &in, how);
        stele_code rc = STELE_OK;

        if (ZSTD_isError(left)) {
            return sti_fail(err, STELE_ENOMEM, "zstd: %s", ZSTD_getErrorName(left));
        }
        if (out.pos > 0) {
            rc = sink->write(sink->arg, sink->output, out.pos, err);
        }
        if (rc != STELE_OK) {
            return rc;
        }
        done = how == ZSTD_e_end ? left == 0 : in.pos == in.size;
    }
    return STELE_OK;
}

static stele_code write_out(
        struct sti_docs_cdbk_sink *sink, const void *data, size_t len, stele_error *err)
{
    stele_code rc = sti_sha256_add(&sink->hash, data, len, err);

    if (rc != STELE_OK || len == 0) {
        return rc;
    }
    return sink->zstd == NULL ? sink->write(sink->arg, data, len, err)
                              : deflate(sink, data, len, ZSTD_e_continue, err);
}

static stele_code flush(struct sti_docs_cdbk_sink *sink, stele_error *err)
{
    size_t len = sink->len;

    sink->len = 0;
    return write_out(sink, sink->bytes, len, err);
}

stele_code sti_docs_cdbk_sink_put(
        struct sti_docs_cdbk_sink *sink, const void *data, size_t len, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (len > STI_DOCS_CDBK_BUFFER_SIZE - sink->len) {
        rc = flush(sink, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    sink->size += len;
    if (len > STI_DOCS_CDBK_BUFFER_SIZE) {
        return write_out(sink, data, len, err);
    }
    if (len > 0) {
        memcpy(sink->bytes + sink->len, data, len);
    }
    sink->len += len;
    return STELE_OK;
}

stele_code sti_docs_cdbk_sink_hash(
        struct sti_docs_cdbk_sink *sink, uint8_t out[STI_SHA256_SIZE], stele_error *err)
{
    stele_code rc = flush(sink, err);

    return rc == STELE_OK ? sti_sha256_end(&sink->hash, out, err) : rc;
}

stele_code sti_docs_cdbk_sink_end(struct sti_docs_cdbk_sink *sink, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (sink->zstd != NULL) {
        rc = deflate(sink, sink->bytes, sink->len, ZSTD_e_end, err);
    } else if (sink->len > 0) {
        rc = sink->write(sink->arg, sink->bytes, sink->len, err);
    }
    sink->len = 0;
    return rc;
}
