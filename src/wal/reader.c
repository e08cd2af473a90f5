/* SPDX-License-Identifier: MIT
 *
 * reader.c: bytes and frames of a segment, from its map or with pread.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "wal/segment.h"

enum {
    READ_AHEAD = 64 << 10,
    PREFAULT = 4 << 20, /* bytes of a map that are woken up at once */
    PREFETCH = 1 << 10, /* most bytes of a frame that are fetched before the one in front of it */
    CACHE_LINE = 64
};

void sti_wal_reader_forget(struct sti_wal_reader *r)
{
    r->len = 0;
    r->of = NULL;
}

void sti_wal_reader_free(struct sti_wal_reader *r)
{
    sti_free(r->buffer);
    memset(r, 0, sizeof *r);
}

/* Whether the buffer holds `len` bytes at `at`. */
static bool has(
        const struct sti_wal_reader *r, const struct sti_segment *seg, uint64_t at, uint64_t len)
{
    return r->of == seg && at >= r->at && at - r->at <= r->len && len <= r->len - (at - r->at);
}

static stele_code fill(struct sti_wal_reader *r, struct sti_segment *seg, uint64_t at, size_t want,
        stele_error *err)
{
    size_t got = 0;
    stele_code rc;

    sti_wal_reader_forget(r);
    if (want > r->capacity) {
        uint8_t *grown = sti_malloc(want);

        if (grown == NULL) {
            return sti_fail_memory(err, want);
        }
        sti_free(r->buffer);
        r->buffer = grown;
        r->capacity = want;
    }
    rc = sti_file_read_some(&seg->file, at, r->buffer, want, &got, err);
    if (rc == STELE_OK) {
        r->at = at;
        r->len = got;
        r->of = seg;
    }
    return rc;
}

stele_code sti_wal_reader_get(struct sti_wal_reader *r, struct sti_segment *seg, uint64_t at,
        size_t need, uint64_t limit, const uint8_t **out, size_t *len, stele_error *err)
{
    uint64_t left = at < limit ? limit - at : 0;
    uint64_t want = need < left ? need : left;
    stele_code rc;

    if (left == 0) {
        *out = (const uint8_t *)"";
        *len = 0;
        return STELE_OK;
    }
    if (seg->map != NULL && at <= seg->map_len && want <= seg->map_len - at) {
        uint64_t mapped = seg->map_len - at;

        *out = (const uint8_t *)seg->map + at;
        *len = (size_t)(mapped < left ? mapped : left);
        return STELE_OK;
    }
    if (!has(r, seg, at, want)) {
        uint64_t ahead = want < READ_AHEAD ? READ_AHEAD : want;

        rc = fill(r, seg, at, (size_t)(ahead < left ? ahead : left), err);
        if (rc != STELE_OK) {
            return rc;
        }
    }
    *out = r->buffer + (at - r->at);
    *len = r->len - (size_t)(at - r->at);
    *len = *len < left ? *len : (size_t)left;
    return STELE_OK;
}

stele_code sti_segment_frame(struct sti_segment *seg, struct sti_wal_reader *r, uint64_t at,
        uint64_t limit, uint64_t expected_id, uint32_t record_max, struct sti_wal_frame *out,
        bool *valid, stele_error *err)
{
    uint64_t left = at < limit ? limit - at : 0;
    size_t need = sti_wal_frame_size(seg->format, 0);
    size_t asked = 0;

    *valid = false;
    /* Twice at most: for the head of the frame, and for all of it. */
    while (need > asked && need <= left) {
        enum sti_wal_decoded decoded;
        const uint8_t *data;
        size_t len;
        stele_code rc = sti_wal_reader_get(r, seg, at, need, limit, &data, &len, err);

        if (rc != STELE_OK) {
            return rc;
        }
        if (len < need) {
            break; /* the file ends before the limit */
        }
        asked = need;
        decoded = sti_wal_frame_decode(
                data, len, seg->format, expected_id, seg->salt, record_max, out, &need);
        if (decoded != STI_WAL_SHORT) {
            *valid = decoded == STI_WAL_VALID;
            break;
        }
    }
    return STELE_OK;
}

/* ---- Maps that are read in order. ---- */

uint64_t sti_segment_prefault(struct sti_segment *seg, uint64_t at, uint64_t end)
{
    uint64_t awake = atomic_load_explicit(&seg->awake, memory_order_relaxed);
    uint64_t to = end - at < PREFAULT ? end : at + PREFAULT;

    if (seg->map == NULL || seg->file.raw == NULL || end > seg->map_len || to <= awake) {
        return to;
    }
    /* A step begins with a frame, somewhere behind the end of the step before. */
    if (at > awake && at - awake <= PREFAULT) {
        at = awake;
    }
    sti_file_prefault(&seg->file, seg->map, (size_t)at, (size_t)(to - at), false);
    if (at <= awake) {
        /* No other memory depends on it. */
        atomic_store_explicit(&seg->awake, to, memory_order_relaxed);
    }
    return to;
}

void sti_segment_prefetch(const struct sti_segment *seg, uint64_t at, uint64_t end)
{
    const uint8_t *map = seg->map;
    uint64_t limit = end < seg->map_len ? end : seg->map_len;
    uint64_t size;

    if (map == NULL || at >= limit || limit - at < STI_WAL_PEEK) {
        return;
    }
    size = sti_wal_frame_size(seg->format, sti_wal_frame_peek(map + at, seg->format));
    if (size > PREFETCH || size > (limit - at) / 2) {
        return;
    }
    for (uint64_t i = 0; i < size; i += CACHE_LINE) {
        __builtin_prefetch(map + at + size + i);
    }
}
