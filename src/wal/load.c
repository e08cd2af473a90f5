/* SPDX-License-Identifier: MIT
 *
 * load.c: a segment's file, at its first use.
 *
 * Opening a log looks at the newest segment alone. The others are opened when they are first read:
 * their header is verified, and their index comes from the seal, or, if they were cut, from a walk
 * over the records. Each record is verified when it is read.
 */
#include "base/alloc.h"
#include "base/coding.h"
#include "base/error.h"
#include "base/mutant.h"
#include "wal/open.h"

#include <inttypes.h>
#include <stdio.h>

stele_code sti_segment_fail_lost(const struct sti_segment *seg, uint64_t first, uint64_t last,
        int64_t position, stele_error *err, const char *text)
{
    if (last >= first && last != UINT64_MAX) {
        return sti_fail_at(err, STELE_ECORRUPT, seg->name, position,
                "%s: records %" PRIu64 " to %" PRIu64 " are lost", text, first, last);
    }
    return sti_fail_at(err, STELE_ECORRUPT, seg->name, position,
            "%s: record %" PRIu64 " and what follows are lost", text, first);
}

static stele_code fail_whole(
        const struct sti_segment *seg, int64_t position, stele_error *err, const char *text)
{
    return sti_fail_at(err, STELE_ECORRUPT, seg->name, position,
            "%s: records %" PRIu64 " to %" PRIu64 " cannot be read", text, seg->first_id,
            atomic_load(&seg->next_id) - 1);
}

void sti_segment_set_damaged(
        struct sti_segment *seg, uint64_t position, uint64_t id, const char *text)
{
    seg->damaged = true;
    seg->damage_at = position;
    seg->damage_id = id;
    (void)snprintf(seg->damage_text, sizeof seg->damage_text, "%s", text);
}

static stele_code verify_header(struct sti_segment *seg, struct sti_wal_reader *r, stele_error *err)
{
    struct sti_wal_header header;
    const uint8_t *data;
    stele_error why;
    size_t len;
    stele_code rc = sti_wal_reader_get(
            r, seg, 0, STI_WAL_HEADER_SIZE, STI_WAL_HEADER_SIZE, &data, &len, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_wal_header_decode(stele_bytes_of(data, len), seg->name, &header, &why);
    if (rc == STELE_EVERSION) {
        return sti_fail_at(err, rc, seg->name, why.position, "%s", why.message);
    }
    if (rc != STELE_OK) {
        return fail_whole(seg, 0, err, "the header is damaged");
    }
    if (header.number != seg->number || header.first_id != seg->first_id) {
        return fail_whole(seg, 0, err, "the header is that of another segment");
    }
    seg->salt = header.salt;
    seg->reused = header.used_before;
    return STELE_OK;
}

/* The index from the seal. *found is false if there is none that fits. */
static stele_code index_from_seal(struct sti_segment *seg, struct sti_wal_reader *r, uint64_t size,
        bool *found, stele_error *err)
{
    uint64_t end = atomic_load(&seg->end);
    uint64_t next = atomic_load(&seg->next_id);
    struct sti_wal_frame frame;
    uint32_t *positions;
    size_t count;
    bool valid;
    stele_code rc = sti_segment_frame(
            seg, r, end, size, next, sti_wal_record_max(seg->format), &frame, &valid, err);

    *found = false;
    if (rc != STELE_OK || !valid || frame.kind != STI_WAL_SEAL ||
            !sti_wal_seal_is_valid(frame.data, next - seg->first_id)) {
        return rc;
    }
    count = frame.data.len / 4 - 1;
    if (count == 0 || sti_wal_seal_position(frame.data, count - 1) >= end) {
        return STELE_OK;
    }
    positions = sti_calloc(count, sizeof *positions);
    if (positions == NULL) {
        return sti_fail_memory(err, count * sizeof *positions);
    }
    for (size_t i = 0; i < count; i++) {
        positions[i] = sti_wal_seal_position(frame.data, i);
    }
    sti_free(seg->positions);
    seg->positions = positions;
    seg->position_count = count;
    seg->position_capacity = count;
    *found = true;
    return STELE_OK;
}

static stele_code index_from_records(
        struct sti_segment *seg, struct sti_wal_reader *r, stele_error *err)
{
    uint64_t end = atomic_load(&seg->end);
    uint64_t next = atomic_load(&seg->next_id);
    uint64_t stop = 0;
    uint64_t stop_id = 0;
    stele_code rc = sti_segment_index(seg, r, end, &stop, &stop_id, err);

    if (rc == STELE_OK && (stop != end || stop_id != next)) {
        sti_segment_set_damaged(seg, stop, stop_id,
                stop != end ? "the record is damaged" : "records are missing at the end");
    }
    return rc;
}

/* Open the file, and have it as long as it is to be. */
static stele_code open_whole(
        struct sti_segment *seg, struct sti_dir *dir, uint64_t *size, stele_error *err)
{
    stele_file_stat stat;
    stele_code rc = sti_segment_open_file(seg, dir, false, true, 0, err);

    if (rc == STELE_ENOTFOUND) {
        return fail_whole(seg, -1, err, "the file is missing");
    }
    rc = rc != STELE_OK ? rc : sti_file_stat(&seg->file, &stat, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (stat.size < atomic_load(&seg->end)) {
        return fail_whole(seg, (int64_t)stat.size, err, "the file is too short");
    }
    *size = stat.size;
    return STELE_OK;
}

stele_code sti_segment_verify(struct sti_segment *seg, struct sti_dir *dir, stele_error *err)
{
    struct sti_wal_reader r = {0};
    struct sti_wal_frame frame;
    uint64_t size = 0;
    bool seal = false;
    stele_code rc = open_whole(seg, dir, &size, err);

    rc = rc != STELE_OK ? rc : verify_header(seg, &r, err);
    rc = rc != STELE_OK ? rc : index_from_records(seg, &r, err);
    if (rc == STELE_OK && !seg->damaged) {
        uint64_t next = atomic_load(&seg->next_id);

        rc = sti_segment_frame(seg, &r, atomic_load(&seg->end), size, next,
                sti_wal_record_max(seg->format), &frame, &seal, err);
        seal = seal && frame.kind == STI_WAL_SEAL;
        if (rc == STELE_OK && seal && !sti_wal_seal_is_valid(frame.data, next - seg->first_id)) {
            rc = sti_fail_at(err, STELE_ECORRUPT, seg->name, (int64_t)atomic_load(&seg->end),
                    "the seal does not fit the records");
        }
        for (size_t i = 0; rc == STELE_OK && seal && i < seg->position_count; i++) {
            if (sti_wal_seal_position(frame.data, i) != seg->positions[i]) {
                rc = sti_fail_at(err, STELE_ECORRUPT, seg->name, (int64_t)atomic_load(&seg->end),
                        "the seal has a wrong position");
            }
        }
    }
    sti_wal_reader_free(&r);
    return rc;
}

stele_code sti_log_load_locked(struct sti_log *log, struct sti_segment *seg, stele_error *err)
{
    struct sti_wal_reader r = {0};
    uint64_t size = 0;
    bool found = seg->indexed;
    stele_code rc = open_whole(seg, &log->dir, &size, err);

    /* Only now may it be mapped. */
    rc = rc != STELE_OK ? rc
                        : sti_segment_open_file(seg, &log->dir, false, log->options.no_map,
                                  (size_t)atomic_load(&seg->end), err);
    if (rc == STELE_OK && seg->format == STELE_WAL_STELE) {
        rc = verify_header(seg, &r, err);
        if (rc == STELE_OK && !found) {
            rc = index_from_seal(seg, &r, size, &found, err);
        }
    }
    if (rc == STELE_OK && !found) {
        rc = index_from_records(seg, &r, err);
    }
    sti_wal_reader_free(&r);
    if (rc == STELE_OK) {
        seg->indexed = true;
        /* Pairs with the load in sti_log_load(): the index is there. */
        atomic_store_explicit(&seg->loaded, true, memory_order_release);
    }
    return rc;
}

stele_code sti_log_load(struct sti_log *log, struct sti_segment *seg, stele_error *err)
{
    stele_code rc = STELE_OK;

    /* Pairs with the store above. */
    if (atomic_load_explicit(&seg->loaded, memory_order_acquire)) {
        return STELE_OK;
    }
    sti_mutex_lock(&log->load);
    if (!atomic_load(&seg->loaded)) {
        rc = sti_log_load_locked(log, seg, err);
    }
    sti_mutex_unlock(&log->load);
    return rc;
}
