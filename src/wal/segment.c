/* SPDX-License-Identifier: MIT */
#include "wal/segment.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/coding.h"
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"

#include <inttypes.h>

stele_code sti_wal_segment_new(
        struct sti_segment **out, stele_wal_format format, uint64_t number, stele_error *err)
{
    struct sti_segment *seg = sti_calloc(1, sizeof *seg);

    if (seg == NULL) {
        return sti_fail_memory(err, sizeof *seg);
    }
    atomic_init(&seg->refs, 1);
    seg->format = format;
    seg->number = number;
    sti_wal_name_segment(seg->name, format, number);
    *out = seg;
    return STELE_OK;
}

void sti_segment_hold(struct sti_segment *seg)
{
    atomic_fetch_add(&seg->refs, 1);
}

void sti_segment_drop(struct sti_segment *seg)
{
    if (seg == NULL || atomic_fetch_sub(&seg->refs, 1) != 1) {
        return;
    }
    if (seg->map != NULL) {
        sti_raw_unmap(seg->map_of, seg->map, seg->map_len);
    }
    sti_file_close(&seg->file);
    sti_free(seg->positions);
    sti_free(seg);
}

bool sti_segment_is_alone(const struct sti_segment *seg)
{
    return atomic_load(&seg->refs) == 1;
}

stele_code sti_segment_open_file(struct sti_segment *seg, struct sti_dir *dir, bool writable,
        bool no_map, size_t map_len, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (seg->file.raw == NULL) {
        rc = sti_file_open(
                &seg->file, dir, seg->name, writable ? STELE_OPEN_WRITE : STELE_OPEN_READ, err);
    }
    if (rc == STELE_OK && !no_map && seg->map == NULL && map_len > 0) {
        void *map;

        if (sti_file_map(&seg->file, map_len, false, &map, NULL) == STELE_OK) {
            seg->map = map;
            seg->map_len = map_len;
            seg->map_of = seg->file.raw;
        }
    }
    return rc;
}

/* ---- The index. ---- */

stele_code sti_segment_index_add(
        struct sti_segment *seg, uint64_t id, uint64_t position, stele_error *err)
{
    if ((id - seg->first_id) % STI_WAL_STRIDE != 0) {
        return STELE_OK;
    }
    if (position > UINT32_MAX) {
        return sti_fail_at(err, STELE_ECORRUPT, seg->name, -1, "is larger than a segment can be");
    }
    if (seg->position_count == seg->position_capacity) {
        size_t more = seg->position_capacity == 0 ? 64 : 2 * seg->position_capacity;
        uint32_t *grown = sti_realloc(seg->positions, more, sizeof *grown);

        if (grown == NULL) {
            return sti_fail_memory(err, more * sizeof *grown);
        }
        seg->positions = grown;
        seg->position_capacity = more;
    }
    sti_assert(seg->position_count == (id - seg->first_id) / STI_WAL_STRIDE);
    seg->positions[seg->position_count++] = (uint32_t)position;
    return STELE_OK;
}

void sti_segment_index_cut(struct sti_segment *seg, uint64_t next_id)
{
    uint64_t records = next_id > seg->first_id ? next_id - seg->first_id : 0;
    uint64_t keep = records / STI_WAL_STRIDE + (records % STI_WAL_STRIDE != 0);

    if (keep < seg->position_count && !STI_MUTANT(WAL_INDEX_NOT_CUT)) {
        seg->position_count = (size_t)keep;
    }
}

/* ---- Damage. ---- */

stele_code sti_segment_fail_damaged(const struct sti_segment *seg, stele_error *err)
{
    uint64_t next = atomic_load(&seg->next_id);

    sti_assert(seg->damaged);
    if (next > seg->damage_id) {
        return sti_fail_at(err, STELE_ECORRUPT, seg->name, (int64_t)seg->damage_at,
                "%s: records %" PRIu64 " to %" PRIu64 " cannot be read", seg->damage_text,
                seg->damage_id, next - 1);
    }
    return sti_fail_at(err, STELE_ECORRUPT, seg->name, (int64_t)seg->damage_at,
            "%s: record %" PRIu64 " and what follows cannot be read", seg->damage_text,
            seg->damage_id);
}

/* ---- Writing. ---- */

uint32_t sti_segment_new_salt(const stele_env *env, uint32_t old)
{
    uint32_t salt;

    do {
        salt = (uint32_t)sti_env_random64(env) | 0x01010101U;
    } while (salt == old);
    return STI_MUTANT(WAL_SALT_KEPT) && old != 0 ? old : salt;
}

stele_code sti_segment_encode_seal(const struct sti_segment *seg, uint64_t durable, uint8_t **out,
        size_t *len, stele_error *err)
{
    size_t data_len = 4 + 4 * seg->position_count;
    size_t size = sti_wal_frame_size(STELE_WAL_STELE, data_len);
    uint8_t *data = sti_malloc(data_len);
    uint8_t *frame = sti_malloc(size);

    if (data == NULL || frame == NULL) {
        sti_free(data);
        sti_free(frame);
        return sti_fail_memory(err, size);
    }
    sti_put_le32(data, (uint32_t)seg->position_count);
    for (size_t i = 0; i < seg->position_count; i++) {
        sti_put_le32(data + 4 + 4 * i, seg->positions[i]);
    }
    *len = sti_wal_frame_encode(frame, STELE_WAL_STELE, STI_WAL_SEAL, atomic_load(&seg->next_id),
            seg->salt, (uint32_t)durable, stele_bytes_of(data, data_len));
    *out = frame;
    sti_free(data);
    return STELE_OK;
}
