/* SPDX-License-Identifier: MIT
 *
 * snapshot_zstd.c: streams through libzstd.
 */
#include "store/snapshot_zstd.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"

#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
    BUFFER_SIZE = STI_ZSTD_FIRST_MAX
};

static stele_code fail(stele_error *err, stele_code code, size_t rc)
{
    if (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation) {
        code = STELE_ENOMEM;
    }
    return sti_fail(err, code, "zstd: %s", ZSTD_getErrorName(rc));
}

/* ---- Packing. ---- */

struct sti_pack {
    ZSTD_CCtx *z;
    stele_write_fn write;
    void *arg;
    uint64_t written;
    uint8_t out[BUFFER_SIZE];
};

static stele_code set(ZSTD_CCtx *z, ZSTD_cParameter parameter, int value, stele_error *err)
{
    size_t rc = ZSTD_CCtx_setParameter(z, parameter, value);

    return ZSTD_isError(rc) ? fail(err, STELE_EINVAL, rc) : STELE_OK;
}

stele_code sti_pack_new(struct sti_pack **out, int level, uint64_t size, stele_write_fn write,
        void *arg, stele_error *err)
{
    struct sti_pack *p;
    stele_code code;
    size_t rc;

    if (level < 0 || level > STI_ZSTD_LEVEL_MAX) {
        return sti_fail(
                err, STELE_EINVAL, "level %d of zstd is not 1 to %d", level, STI_ZSTD_LEVEL_MAX);
    }
    p = sti_malloc(sizeof *p);
    if (p == NULL) {
        return sti_fail_memory(err, sizeof *p);
    }
    p->write = write;
    p->arg = arg;
    p->written = 0;
    p->z = ZSTD_createCCtx();
    code = p->z == NULL ? sti_fail_memory(err, sizeof *p) : STELE_OK;
    if (code == STELE_OK) {
        code = set(p->z, ZSTD_c_compressionLevel, level == 0 ? STI_ZSTD_LEVEL_DEFAULT : level, err);
    }
    code = code == STELE_OK ? set(p->z, ZSTD_c_checksumFlag, 1, err) : code;
    if (code == STELE_OK) {
        rc = ZSTD_CCtx_setPledgedSrcSize(p->z, size);
        code = ZSTD_isError(rc) ? fail(err, STELE_EINVAL, rc) : STELE_OK;
    }
    if (code != STELE_OK) {
        sti_pack_free(p);
        return code;
    }
    *out = p;
    return STELE_OK;
}

void sti_pack_free(struct sti_pack *p)
{
    if (p != NULL) {
        (void)ZSTD_freeCCtx(p->z);
        sti_free(p);
    }
}

stele_code sti_pack_put(
        struct sti_pack *p, const void *data, size_t len, bool end, stele_error *err)
{
    ZSTD_inBuffer in = {.src = data, .size = len};
    size_t left = 1;

    while (in.pos < in.size || (end && left != 0)) {
        ZSTD_outBuffer out = {.dst = p->out, .size = sizeof p->out};
        stele_code code;

        left = ZSTD_compressStream2(p->z, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left)) {
            return fail(err, STELE_EINVAL, left);
        }
        code = out.pos == 0 ? STELE_OK : p->write(p->arg, p->out, out.pos, err);
        if (code != STELE_OK) {
            return code;
        }
        p->written += out.pos;
    }
    return STELE_OK;
}

uint64_t sti_pack_written(const struct sti_pack *p)
{
    return p->written;
}

/* ---- Unpacking. ---- */

struct sti_unpack {
    ZSTD_DCtx *z;
    stele_read_fn read;
    void *arg;
    bool ended; /* the frame is complete */
    ZSTD_inBuffer in;
    uint8_t buffer[BUFFER_SIZE];
};

stele_code sti_unpack_new(struct sti_unpack **out, const uint8_t *first, size_t len,
        stele_read_fn read, void *arg, stele_error *err)
{
    struct sti_unpack *u = sti_malloc(sizeof *u);
    size_t rc;

    sti_assert(len <= sizeof u->buffer);
    if (u == NULL) {
        return sti_fail_memory(err, sizeof *u);
    }
    u->read = read;
    u->arg = arg;
    u->ended = false;
    memcpy(u->buffer, first, len);
    u->in = (ZSTD_inBuffer){.src = u->buffer, .size = len};
    u->z = ZSTD_createDCtx();
    if (u->z == NULL) {
        sti_unpack_free(u);
        return sti_fail_memory(err, sizeof *u);
    }
    rc = ZSTD_DCtx_setParameter(u->z, ZSTD_d_windowLogMax, STI_ZSTD_WINDOW_LOG);
    if (ZSTD_isError(rc)) {
        sti_unpack_free(u);
        return fail(err, STELE_EINVAL, rc);
    }
    *out = u;
    return STELE_OK;
}

void sti_unpack_free(struct sti_unpack *u)
{
    if (u != NULL) {
        (void)ZSTD_freeDCtx(u->z);
        sti_free(u);
    }
}

/* More of the stream; *end: there is none. */
static stele_code fill(struct sti_unpack *u, bool *end, stele_error *err)
{
    size_t got = 0;
    stele_code code = u->read(u->arg, u->buffer, sizeof u->buffer, &got, err);

    if (code == STELE_OK) {
        u->in = (ZSTD_inBuffer){.src = u->buffer, .size = got};
        *end = got == 0;
    }
    return code;
}

static stele_code find_end(struct sti_unpack *u, stele_error *err)
{
    bool end = false;
    stele_code code = u->in.pos < u->in.size ? STELE_OK : fill(u, &end, err);

    if (code == STELE_OK && !end) {
        code = sti_fail(err, STELE_ECORRUPT, "something follows the frame of zstd");
    }
    return code;
}

stele_code sti_unpack_read(void *arg, void *data, size_t len, size_t *got, stele_error *err)
{
    struct sti_unpack *u = arg;
    ZSTD_outBuffer out = {.dst = data, .size = len};

    while (out.pos == 0 && !u->ended) {
        bool end = false;
        size_t left;
        stele_code code;

        left = ZSTD_decompressStream(u->z, &out, &u->in);
        if (ZSTD_isError(left)) {
            return fail(err, STELE_ECORRUPT, left);
        }
        u->ended = left == 0;
        if (out.pos > 0 || u->ended) {
            break;
        }
        code = u->in.pos < u->in.size ? STELE_OK : fill(u, &end, err);
        if (code != STELE_OK) {
            return code;
        }
        if (end) {
            return sti_fail(err, STELE_ECORRUPT, "the frame of zstd ends too early");
        }
    }
    *got = out.pos;
    return out.pos > 0 ? STELE_OK : find_end(u, err);
}
