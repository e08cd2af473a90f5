/* SPDX-License-Identifier: MIT
 *
 * log.c: one log as it is written: made, begun, extended, sealed.
 *
 * Its blocks are there before anything is dumped into it, also those that its seal will take.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "journal/state.h"

#include <string.h>

#define CHUNK_MIN ((uint64_t)64 << 10)
#define CHUNK_MAX ((uint64_t)16 << 20)
#define BLOCK     ((uint64_t)4 << 10)

static uint64_t chunk_of(stele_journal *j)
{
    uint64_t limit;

    sti_commit_lock(j->commit);
    limit = j->limit;
    sti_commit_unlock(j->commit);
    if (limit == 0 || limit > CHUNK_MAX / 2) {
        return CHUNK_MAX;
    }
    return 2 * limit < CHUNK_MIN ? CHUNK_MIN : 2 * limit;
}

/* Dumps look at it. */
static void set_capacity(stele_journal *j, struct sti_segment *log, uint64_t capacity)
{
    sti_commit_lock(j->commit);
    log->capacity = capacity;
    sti_commit_unlock(j->commit);
}

/* Where the file system does not know how, the file grows as it is written. */
static stele_code allocate(stele_journal *j, struct sti_segment *log, uint64_t to, stele_error *err)
{
    stele_code rc = sti_file_allocate(&log->file, log->capacity, to - log->capacity, err);

    if (rc == STELE_ENOTSUP) {
        log->allocated = false;
        set_capacity(j, log, STI_JOURNAL_LOG_MAX);
        return STELE_OK;
    }
    if (rc == STELE_OK) {
        set_capacity(j, log, to);
    }
    return rc;
}

stele_code sti_journal_log_extend(
        stele_journal *j, struct sti_segment *log, uint64_t to, stele_error *err)
{
    uint64_t chunk = log->capacity + chunk_of(j);
    uint64_t least = (to + BLOCK - 1) / BLOCK * BLOCK;
    stele_code rc;

    if (to <= log->capacity) {
        return STELE_OK;
    }
    rc = allocate(j, log, least > chunk ? least : chunk, err);
    /* On a disk that is nearly full, as long as there is any room. */
    return rc == STELE_ENOSPC && least < chunk ? allocate(j, log, least, err) : rc;
}

/* Blocks for a start; at least the one that the header is in, so that it can be written. */
static stele_code reserve(stele_journal *j, struct sti_segment *log, stele_error *err)
{
    static const uint8_t zeros[STI_WAL_HEADER_SIZE] = {0};
    stele_code rc = sti_journal_log_extend(j, log, BLOCK, err);

    return rc == STELE_OK && !log->allocated
                   ? sti_file_write(&log->file, 0, zeros, sizeof zeros, err)
                   : rc;
}

stele_code sti_journal_log_begin(struct sti_segment *log, uint64_t first_op, stele_error *err)
{
    struct sti_wal_header header = {
            .first_id = first_op,
            .number = log->number,
            .salt = log->salt,
    };
    uint8_t bytes[STI_WAL_HEADER_SIZE];
    stele_code rc;

    sti_wal_header_encode(bytes, &header);
    rc = sti_file_write(&log->file, 0, bytes, sizeof bytes, err);
    if (rc == STELE_OK) {
        log->first_id = first_op;
        atomic_store(&log->next_id, first_op);
        atomic_store(&log->end, STI_WAL_HEADER_SIZE);
    }
    return rc;
}

void sti_journal_log_forget(stele_journal *j, struct sti_segment *log)
{
    uint64_t number = log->number;

    sti_segment_drop(log);
    sti_journal_remove(j, STI_JOURNAL_NAME_LOG, number);
}

stele_code sti_journal_log_new(stele_journal *j, uint64_t number, uint64_t first_op,
        struct sti_segment **out, stele_error *err)
{
    struct sti_segment *log = NULL;
    stele_code rc = sti_wal_segment_new(&log, STELE_WAL_STELE, number, err);

    if (rc != STELE_OK) {
        return rc;
    }
    sti_journal_name(log->name, STI_JOURNAL_NAME_LOG, number);
    log->salt = sti_segment_new_salt(&j->env, 0);
    log->allocated = true;
    rc = sti_file_open(&log->file, &j->dir, log->name,
            STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL, err);
    if (rc != STELE_OK) {
        sti_segment_drop(log);
        return sti_wrap(err, rc, "begin a log");
    }
    rc = reserve(j, log, err);
    if (rc == STELE_OK && first_op != 0) {
        rc = sti_journal_log_begin(log, first_op, err);
    }
    rc = rc != STELE_OK ? rc : sti_file_sync(&log->file, false, err);
    if (!STI_MUTANT(JOURNAL_LOG_NAME_NOT_SYNCED)) {
        rc = rc != STELE_OK ? rc : sti_journal_sync_names(j, err);
    }
    if (rc != STELE_OK) {
        sti_journal_log_forget(j, log);
        return sti_wrap(err, rc, "begin a log");
    }
    *out = log;
    return STELE_OK;
}

stele_code sti_journal_log_seal(
        struct sti_segment *log, uint64_t durable, uint64_t *end, stele_error *err)
{
    uint64_t at = atomic_load(&log->end);
    uint8_t *frame = NULL;
    size_t len = 0;
    stele_code rc = sti_segment_encode_seal(log, durable, &frame, &len, err);

    rc = rc != STELE_OK ? rc : sti_file_write(&log->file, at, frame, len, err);
    if (rc == STELE_OK) {
        *end = at + len;
    }
    sti_free(frame);
    return rc;
}

stele_code sti_journal_log_put_back(stele_journal *j, struct sti_segment *log, stele_error *err)
{
    uint64_t end = atomic_load(&log->end);
    stele_code rc = sti_file_truncate(&log->file, end, err);

    if (rc == STELE_OK && log->allocated) {
        set_capacity(j, log, end);
    }
    return rc != STELE_OK ? rc : sti_file_sync(&log->file, false, err);
}
