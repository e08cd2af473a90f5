/* SPDX-License-Identifier: MIT
 *
 * append.c: records become frames, and groups of frames become durable.
 *
 * Under commit's mutex an append takes its ids, and encodes its frames into the buffer that is
 * pending; `next_id` and `tail` run ahead of what is published by what is pending. The leader
 * writes the buffer at the published end, syncs, and only then moves the end on. If that fails,
 * everything that was pending is dropped, and `next_id` and `tail` fall back.
 *
 * An append that does not fit has its thread roll over, and tries again.
 */
#include "base/assert.h"
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "wal/log.h"

#include <inttypes.h>

enum {
    PENDING_MAX = 32 << 20 /* asynchronous appends wait when so many bytes do */
};

#define BATCH_SIZE_MAX ((uint64_t)1 << 30)

struct request {
    const stele_wal_record *records; /* or NULL: */
    const stele_bytes *data;
    size_t count;
    uint64_t size; /* of the frames */
    uint64_t first_id;
    size_t pending; /* bytes, this one counted */
};

static struct sti_log *log_of(stele_wal *w)
{
    return (struct sti_log *)(void *)w;
}

static stele_bytes data_of(const struct request *r, size_t i)
{
    return r->records != NULL ? r->records[i].data : r->data[i];
}

/* ---- Room. ---- */

/* Whether the head takes the request; under commit's mutex. */
static bool fits(const struct sti_log *log, const struct request *r)
{
    const struct sti_segment *head = log->head;
    uint64_t tail = log->tail;
    uint64_t records;

    if (head == NULL || atomic_load_explicit(&head->sealed, memory_order_relaxed)) {
        return false;
    }
    if (log->format == STELE_WAL_BLB) {
        return tail < log->options.segment_size && r->size <= UINT32_MAX - tail;
    }
    records = tail == 0 ? r->count : r->first_id - head->first_id + r->count;
    tail = tail == 0 ? (uint64_t)STI_WAL_HEADER_SIZE : tail;
    return tail + r->size + sti_wal_seal_size(records) <= head->capacity;
}

static stele_code roll(struct sti_log *log, struct request *r, stele_error *err)
{
    uint64_t capacity = STI_WAL_HEADER_SIZE + r->size + sti_wal_seal_size(r->count);
    bool wanted;
    stele_code rc;

    sti_commit_enter(log->commit);
    sti_commit_lock(log->commit);
    /* Somebody else may have done it; or the ids that it was for have become free again. */
    wanted = !fits(log, r) && (log->any_id || log->next_id == r->first_id);
    sti_commit_unlock(log->commit);
    rc = sti_log_check_usable(log, err);
    if (rc == STELE_OK && wanted) {
        rc = sti_log_roll(log, r->first_id, capacity, err);
    }
    sti_commit_leave(log->commit);
    sti_log_tell(log);
    return rc;
}

/* ---- Encoding, under commit's mutex. ---- */

static stele_code take_ids(struct sti_log *log, struct request *r, stele_error *err)
{
    uint64_t next = log->any_id ? 1 : log->next_id;

    if (r->records != NULL && r->count > 0) {
        if (!log->any_id && r->records[0].id != next && !STI_MUTANT(WAL_IDS_UNCHECKED)) {
            return sti_fail(err, STELE_ECONFLICT,
                    "id %" PRIu64 " does not follow; expected %" PRIu64, r->records[0].id, next);
        }
        next = r->records[0].id;
    }
    if (r->count > UINT64_MAX - next) {
        return sti_fail(err, STELE_ECONFLICT, "no ids are left");
    }
    r->first_id = next;
    return STELE_OK;
}

static size_t encode_header(uint8_t *out, const struct sti_segment *head)
{
    struct sti_wal_header header = {
            .first_id = head->first_id,
            .number = head->number,
            .salt = head->salt,
            .used_before = head->reused,
    };

    sti_wal_header_encode(out, &header);
    return STI_WAL_HEADER_SIZE;
}

static stele_code encode(
        struct sti_log *log, const struct request *r, stele_wal_ticket *ticket, stele_error *err)
{
    struct sti_segment *head = log->head;
    bool with_header = log->format == STELE_WAL_STELE && log->tail == 0;
    size_t size = (size_t)r->size + (with_header ? (size_t)STI_WAL_HEADER_SIZE : 0);
    uint64_t end = atomic_load_explicit(&head->end, memory_order_relaxed);
    uint32_t durable = (uint32_t)(STI_MUTANT(WAL_DURABLE_TOO_HIGH) ? log->tail + size : end);
    uint8_t *room = sti_commit_reserve(log->commit, size, err);
    uint8_t *at = room;

    if (room == NULL) {
        return STELE_ENOMEM;
    }
    if (log->tail == 0 && head->first_id != r->first_id) {
        sti_mutex_lock(&log->view);
        sti_log_refound_locked(log, r->first_id);
        sti_mutex_unlock(&log->view);
    }
    at += with_header ? encode_header(at, head) : 0;
    for (size_t i = 0; i < r->count; i++) {
        at += sti_wal_frame_encode(at, log->format, STI_WAL_RECORD, r->first_id + i, head->salt,
                durable, data_of(r, i));
    }
    sti_assert(at == room + size);
    *ticket = sti_commit_add(log->commit, size);
    log->tail += size;
    log->next_id = r->first_id + r->count;
    log->any_id = false;
    return STELE_OK;
}

void sti_log_refound_locked(struct sti_log *log, uint64_t first_id)
{
    sti_assert(atomic_load(&log->head->end) == 0);
    log->head->first_id = first_id;
    log->head->position_count = 0;
    atomic_store(&log->head->next_id, first_id);
}

/* *full: a rollover is needed first. */
static stele_code add(struct sti_log *log, struct request *r, stele_wal_ticket *ticket, bool *full,
        stele_error *err)
{
    stele_code rc;

    *full = false;
    sti_commit_lock_to_add(log->commit);
    rc = sti_log_check_usable(log, err);
    rc = rc != STELE_OK ? rc : take_ids(log, r, err);
    if (rc == STELE_OK && r->count == 0) {
        *ticket = sti_commit_add(log->commit, 0);
    } else if (rc == STELE_OK && fits(log, r)) {
        rc = encode(log, r, ticket, err);
    } else if (rc == STELE_OK) {
        *full = true;
    }
    r->pending = sti_commit_pending(log->commit);
    sti_commit_unlock(log->commit);
    return rc;
}

stele_code sti_log_append(stele_wal *w, const stele_wal_record *records, const stele_bytes *data,
        size_t count, uint64_t *first_id, stele_wal_ticket *ticket, stele_error *err)
{
    struct sti_log *log = log_of(w);
    struct request r = {.records = records, .data = data, .count = count};
    stele_wal_ticket given = 0;
    bool full = true;
    stele_code rc = STELE_OK;

    for (size_t i = 0; i < count; i++) {
        r.size += sti_wal_frame_size(log->format, data_of(&r, i).len);
    }
    if (r.size > BATCH_SIZE_MAX) {
        return sti_fail(err, STELE_ETOOBIG, "too many records in one append");
    }
    while (rc == STELE_OK && full) {
        rc = add(log, &r, &given, &full, err);
        if (rc == STELE_OK && full) {
            rc = roll(log, &r, err);
        }
    }
    if (rc == STELE_OK && ticket != NULL) {
        *ticket = given;
        sti_log_work_flush(log);
        if (r.pending > PENDING_MAX) {
            sti_commit_flush(log->commit);
        }
    } else if (rc == STELE_OK) {
        rc = sti_commit_wait(log->commit, given, NULL, err);
    }
    if (rc == STELE_OK && first_id != NULL) {
        *first_id = r.first_id;
    }
    return rc;
}

/* ---- Writing, as the leader. ---- */

/* Look through the frames that are to be written: count them, and put every STRIDE-th into the
 * index. What is in the index ahead of the published end is looked at by nobody. */
static stele_code index_batch(
        struct sti_log *log, const uint8_t *data, size_t len, uint64_t end, stele_error *err)
{
    struct sti_segment *head = log->head;
    struct sti_log_batch *b = &log->batch;
    size_t at = end == 0 && log->format == STELE_WAL_STELE ? (size_t)STI_WAL_HEADER_SIZE : 0;
    uint64_t id = atomic_load_explicit(&head->next_id, memory_order_relaxed);
    stele_code rc = STELE_OK;

    b->first_id = id;
    b->bytes = 0;
    while (at < len && rc == STELE_OK) {
        uint32_t data_len = sti_wal_frame_peek(data + at, log->format);

        if ((id - head->first_id) % STI_WAL_STRIDE == 0) {
            sti_mutex_lock(&log->view);
            rc = sti_segment_index_add(head, id, end + at, err);
            sti_mutex_unlock(&log->view);
        }
        at += sti_wal_frame_size(log->format, data_len);
        b->bytes += data_len;
        id++;
    }
    b->next_id = id;
    return rc;
}

static void index_fall_back(struct sti_log *log)
{
    sti_mutex_lock(&log->view);
    sti_segment_index_cut(log->head, atomic_load(&log->head->next_id));
    sti_mutex_unlock(&log->view);
}

stele_code sti_log_fail_in_doubt(struct sti_log *log, stele_code rc, stele_error *err)
{
    stele_error why = {.code = rc, .position = -1};

    if (err != NULL) {
        why = *err;
    }
    if (rc == STELE_ENOSPC) {
        /* As a promise that nothing has changed, that code would be wrong. */
        rc = sti_fail_at(&why, STELE_EIO, why.file, why.position, "no space left");
    }
    if (err != NULL) {
        *err = why;
    }
    return sti_log_fail(log, rc, &why);
}

static stele_code write_frames(
        struct sti_log *log, const uint8_t *data, size_t len, uint64_t end, stele_error *err)
{
    struct sti_segment *head = log->head;
    stele_code rc;

    head->marked_at = 0;
    if (STI_MUTANT(WAL_ACK_BEFORE_SYNC) && sti_file_sync(&head->file, true, err) != STELE_OK) {
        return sti_log_fail_in_doubt(log, STELE_EIO, err);
    }
    rc = sti_file_write(&head->file, end, data, len, err);
    if (rc == STELE_ENOSPC && !STI_MUTANT(WAL_FULL_DISK_POISONS)) {
        /* What a part of it left must not come back behind what is written there next. */
        stele_code back =
                STI_MUTANT(WAL_APPEND_AFTER_FAILURE) ? STELE_OK : sti_log_put_back(log, NULL);

        return back == STELE_OK ? rc : sti_log_fail_in_doubt(log, rc, err);
    }
    if (rc != STELE_OK) {
        return STI_MUTANT(WAL_APPEND_AFTER_FAILURE) ? rc : sti_log_fail_in_doubt(log, rc, err);
    }
    if (STI_MUTANT(WAL_SYNC_SKIPPED) || STI_MUTANT(WAL_ACK_BEFORE_SYNC)) {
        return STELE_OK;
    }
    rc = sti_file_sync(&head->file, true, err);
    if (rc != STELE_OK && STI_MUTANT(WAL_SYNC_RETRIED)) {
        rc = sti_file_sync(&head->file, true, err);
    }
    return rc == STELE_OK ? rc : sti_log_fail_in_doubt(log, rc, err);
}

static stele_code write_batch(void *arg, const uint8_t *data, size_t len, stele_error *err)
{
    struct sti_log *log = arg;
    uint64_t end = atomic_load_explicit(&log->head->end, memory_order_relaxed);
    stele_code rc = sti_log_check_usable(log, err);
    uint64_t begun;

    rc = rc != STELE_OK ? rc : index_batch(log, data, len, end, err);
    begun = sti_env_monotonic_ns(&log->env);
    rc = rc != STELE_OK ? rc : write_frames(log, data, len, end, err);
    if (rc != STELE_OK) {
        index_fall_back(log);
        return rc;
    }
    log->batch.nanoseconds = sti_env_monotonic_ns(&log->env) - begun;
    return STELE_OK;
}

static void count_batch(struct sti_log *log, size_t appends) STI_REQUIRES(log->view)
{
    stele_wal_stats *s = &log->stats;
    const struct sti_log_batch *b = &log->batch;
    uint64_t records = b->next_id - b->first_id;
    uint64_t us = b->nanoseconds / 1000;
    unsigned slot = 0;

    for (; us > 1 && slot < STELE_WAL_LATENCIES - 1; us >>= 1) {
        slot++;
    }
    s->latency[slot]++;
    s->appends += appends;
    s->records += records;
    s->bytes += b->bytes;
    s->syncs++;
    s->records_max = records > s->records_max ? records : s->records_max;
    s->bytes_max = b->bytes > s->bytes_max ? b->bytes : s->bytes_max;
}

static void publish_batch(void *arg, size_t len, size_t appends)
{
    struct sti_log *log = arg;
    struct sti_segment *head = log->head;
    uint64_t end = atomic_load_explicit(&head->end, memory_order_relaxed) + len;

    sti_mutex_lock(&log->view);
    if (end == len && sti_log_list_is_empty_locked(log)) {
        sti_log_iters_anew_locked(log, log->batch.first_id);
    }
    /* Both pair with the loads of readers, who then find the frames and the index. */
    atomic_store_explicit(&head->end, end, memory_order_release);
    atomic_store_explicit(&head->next_id, log->batch.next_id, memory_order_release);
    count_batch(log, appends);
    sti_mutex_unlock(&log->view);
    if (!log->ahead && log->format == STELE_WAL_STELE && end > head->capacity / 2) {
        log->ahead = true;
        sti_log_work_prepare(log);
    }
}

/* Under commit's mutex. */
static void fall_back(struct sti_log *log, uint64_t next_id)
{
    log->next_id = next_id;
    log->tail = log->head != NULL ? atomic_load(&log->head->end) : 0;
    sti_mutex_lock(&log->view);
    log->any_id = sti_log_list_is_empty_locked(log);
    sti_mutex_unlock(&log->view);
}

static void drop_pending(void *arg, stele_code code)
{
    struct sti_log *log = arg;

    (void)code;
    if (!STI_MUTANT(WAL_IDS_KEPT)) {
        fall_back(log, atomic_load(&log->head->next_id));
    }
}

void sti_log_rebase(struct sti_log *log, uint64_t next_id)
{
    sti_commit_lock(log->commit);
    fall_back(log, next_id);
    sti_commit_unlock(log->commit);
}

const struct sti_commit_ops sti_log_commit_ops = {write_batch, publish_batch, drop_pending};
