/* SPDX-License-Identifier: MIT
 *
 * rollover.c: the end of a segment, and the beginning of the next.
 *
 * A seal is durable before the next segment gets its first byte. So a segment without one is the
 * newest that was begun, and whatever follows one is expected to be there.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"
#include "wal/log.h"

/* ---- Seals. ---- */

static stele_code write_seal(struct sti_log *log, stele_error *err)
{
    struct sti_segment *head = log->head;
    uint64_t end = atomic_load(&head->end);
    uint8_t *frame = NULL;
    size_t len = 0;
    stele_code rc = sti_segment_encode_seal(head, end, &frame, &len, err);

    if (rc != STELE_OK) {
        return rc;
    }
    head->marked_at = 0;
    rc = sti_file_write(&head->file, end, frame, len, err);
    sti_free(frame);
    if (rc == STELE_ENOSPC) {
        return sti_log_put_back(log, NULL) == STELE_OK ? rc : sti_log_fail_in_doubt(log, rc, err);
    }
    if (rc == STELE_OK && !STI_MUTANT(WAL_SEAL_NOT_SYNCED)) {
        rc = sti_file_sync(&head->file, true, err);
    }
    return rc == STELE_OK ? rc : sti_log_fail_in_doubt(log, rc, err);
}

stele_code sti_log_seal(struct sti_log *log, stele_error *err)
{
    stele_code rc = log->format == STELE_WAL_STELE ? write_seal(log, err) : STELE_OK;

    if (rc == STELE_OK) {
        /* Pairs with the load of iterators, who then know the end to be the last. */
        atomic_store_explicit(&log->head->sealed, true, memory_order_release);
    }
    return rc;
}

/* ---- Rolling over. ---- */

stele_code sti_log_roll(struct sti_log *log, uint64_t first_id, uint64_t capacity, stele_error *err)
{
    struct sti_segment *head = log->head;
    bool stele = log->format == STELE_WAL_STELE;
    stele_code rc = STELE_OK;
    bool used;

    if (capacity < log->options.segment_size) {
        capacity = log->options.segment_size;
    }
    /* One that was not begun is too small for a large append, and gives its place up. */
    used = head != NULL && (!stele || atomic_load(&head->end) > 0);
    if (used && stele && !atomic_load(&head->sealed)) {
        rc = sti_log_seal(log, err);
    }
    rc = rc != STELE_OK ? rc : sti_log_begin(log, first_id, capacity, err);
    if (rc != STELE_OK) {
        return rc == STELE_EIO ? sti_log_fail_in_doubt(log, rc, err) : rc;
    }
    sti_assert(log->head != NULL);
    sti_assert(!stele || log->head->capacity >= capacity);
    if (!stele && used) {
        /* As in sti_log_seal(). */
        atomic_store_explicit(&head->sealed, true, memory_order_release);
    }
    log->ahead = false;
    sti_log_rebase(log, first_id);
    if (used) {
        sti_mutex_lock(&log->view);
        log->stats.rollovers++;
        sti_mutex_unlock(&log->view);
    }
    return STELE_OK;
}
