/* SPDX-License-Identifier: MIT
 *
 * read.c: one record by its id.
 *
 * The list gives the segment, the segment's index the place of at most fifteen records before, and
 * from there the lengths lead on. Only the record itself is verified: a wrong length before it
 * leads to where no frame with its id is.
 */
#include "base/error.h"
#include "base/mutant.h"
#include "wal/log.h"

#include <inttypes.h>

/* The place that the index knows at or before the record. */
static bool find_anchor(struct sti_log *log, struct sti_segment *seg, uint64_t id,
        uint64_t *position, uint64_t *anchor_id)
{
    uint64_t i = (id - seg->first_id) / STI_WAL_STRIDE;
    bool found;

    sti_mutex_lock(&log->view);
    found = i < seg->position_count;
    if (found) {
        *position = seg->positions[i];
        *anchor_id =
                seg->first_id + i * STI_WAL_STRIDE + (STI_MUTANT(WAL_INDEX_OFF_BY_ONE) ? 1 : 0);
    }
    sti_mutex_unlock(&log->view);
    return found;
}

static stele_code fail_unreadable(
        const struct sti_segment *seg, uint64_t at, uint64_t id, stele_error *err)
{
    uint64_t next = atomic_load(&seg->next_id);

    return sti_fail_at(err, STELE_ECORRUPT, seg->name, (int64_t)at,
            "the record is damaged: records %" PRIu64 " to %" PRIu64 " cannot be read", id,
            next > id ? next - 1 : id);
}

stele_code sti_log_locate(struct sti_log *log, struct sti_segment *seg, struct sti_wal_reader *r,
        uint64_t id, uint64_t *position, stele_error *err)
{
    uint64_t end = atomic_load_explicit(&seg->end, memory_order_acquire);
    uint64_t at = 0;
    uint64_t at_id = 0;

    if (seg->damaged && id >= seg->damage_id) {
        return sti_segment_fail_damaged(seg, err);
    }
    if (!find_anchor(log, seg, id, &at, &at_id)) {
        /* A record that is there without being in the index was cut off at this moment. */
        return sti_fail(err, STELE_ENOTFOUND, "no record with id %" PRIu64, id);
    }
    for (; at_id < id; at_id++) {
        const uint8_t *data;
        size_t len;
        stele_code rc = sti_wal_reader_get(r, seg, at, STI_WAL_PEEK, end, &data, &len, err);

        if (rc != STELE_OK) {
            return rc;
        }
        if (len < STI_WAL_PEEK) {
            return fail_unreadable(seg, at, at_id, err);
        }
        at += sti_wal_frame_size(seg->format, sti_wal_frame_peek(data, seg->format));
    }
    *position = at;
    return STELE_OK;
}

stele_code sti_log_frame(struct sti_segment *seg, struct sti_wal_reader *r, uint64_t at,
        uint64_t end, uint64_t id, struct sti_wal_frame *out, stele_error *err)
{
    bool valid;
    stele_code rc = sti_segment_frame(
            seg, r, at, end, id, sti_wal_record_max(seg->format), out, &valid, err);

    if (rc == STELE_OK && (!valid || out->kind != STI_WAL_RECORD)) {
        return fail_unreadable(seg, at, id, err);
    }
    return rc;
}

uint64_t sti_log_generation(struct sti_log *log)
{
    uint64_t generation;

    sti_mutex_lock(&log->view);
    generation = log->view_generation;
    sti_mutex_unlock(&log->view);
    return generation;
}

struct sti_segment *sti_log_find(struct sti_log *log, uint64_t id, uint64_t *first_id)
{
    struct sti_segment *seg = NULL;
    size_t i;

    sti_mutex_lock(&log->view);
    i = sti_log_list_find_locked(log, id);
    while (i < log->segment_count &&
            atomic_load(&log->segments[i]->next_id) == log->segments[i]->first_id) {
        i++;
    }
    if (i < log->segment_count) {
        seg = log->segments[i];
        *first_id = seg->first_id;
        sti_segment_hold(seg);
    }
    sti_mutex_unlock(&log->view);
    return seg;
}

static stele_code read_once(struct sti_log *log, uint64_t id, stele_buf *out, stele_error *err)
{
    struct sti_wal_reader reader = {0};
    struct sti_wal_frame frame;
    uint64_t first_id = 0;
    uint64_t at = 0;
    struct sti_segment *seg = sti_log_find(log, id, &first_id);
    stele_code rc;

    if (seg == NULL || first_id > id) {
        sti_segment_drop(seg);
        return sti_fail(err, STELE_ENOTFOUND, "no record with id %" PRIu64, id);
    }
    rc = sti_log_load(log, seg, err);
    rc = rc != STELE_OK ? rc : sti_log_locate(log, seg, &reader, id, &at, err);
    if (rc == STELE_OK) {
        rc = sti_log_frame(seg, &reader, at, atomic_load_explicit(&seg->end, memory_order_acquire),
                id, &frame, err);
    }
    if (rc == STELE_OK) {
        rc = stele_buf_append(out, frame.data.len > 0 ? frame.data : stele_empty(), err);
    }
    sti_wal_reader_free(&reader);
    sti_segment_drop(seg);
    return rc;
}

stele_code sti_log_read(stele_wal *w, uint64_t id, stele_buf *out, stele_error *err)
{
    struct sti_log *log = (struct sti_log *)(void *)w;
    uint64_t generation;
    stele_code rc;

    do {
        bool changed = false;

        generation = sti_log_generation(log);
        rc = read_once(log, id, out, err);
        if (rc != STELE_ECORRUPT && rc != STELE_ENOTFOUND) {
            return rc;
        }
        /* A writer may have appended, or moved on and used the file again. */
        if (log->base.read_only && sti_log_refresh(log, &changed, NULL) == STELE_OK && changed) {
            continue;
        }
        /* So may a truncation or a trim beside this have done. */
    } while (generation != sti_log_generation(log));
    return rc;
}
