/* SPDX-License-Identifier: MIT
 *
 * iter.c: iterators over a log on files.
 *
 * An iterator holds the segment that it is in, and lends what lies in its map. It takes no lock for
 * a record: it looks at the segment's published end, and verifies the frame. Only for the next
 * segment it looks into the list.
 *
 * A truncation lowers the end of segments, to 0 if they are gone: an iterator that finds itself
 * behind the end was truncated away. Those that are between segments are told by a flag.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "wal/log.h"

#include <inttypes.h>

struct log_iter {
    struct stele_wal_iter base; /* first: wal.h */
    struct sti_log *log;
    struct log_iter *prev;
    struct log_iter *following;
    _Atomic uint64_t next; /* id; read by those who truncate */
    _Atomic bool begun;    /* `next` follows a record that was given out */
    _Atomic bool lost;     /* what is at `next` does not follow what was given out */

    struct sti_segment *seg; /* held; NULL: to be looked up */
    uint64_t at;
    uint64_t awake; /* the map's pages are, up to there */
    struct sti_wal_reader reader;
};

static struct log_iter *iter_of(stele_wal_iter *it)
{
    return (struct log_iter *)(void *)it;
}

static uint64_t next_of(const struct log_iter *it)
{
    return atomic_load_explicit(&it->next, memory_order_relaxed);
}

static stele_code fail_gone(const struct log_iter *it, const char *how, stele_error *err)
{
    return sti_fail(err, STELE_ESTATE, "record %" PRIu64 " was %s away", next_of(it), how);
}

static void let_go(struct log_iter *it)
{
    sti_segment_drop(it->seg);
    it->seg = NULL;
    sti_wal_reader_forget(&it->reader);
}

/* Hold the segment that has the next record, or the first one behind it. STELE_END: none has. */
static stele_code enter_segment(struct log_iter *it, stele_error *err)
{
    struct sti_log *log = it->log;
    uint64_t generation = sti_log_generation(log);
    uint64_t first_id = 0;
    struct sti_segment *seg = sti_log_find(log, next_of(it), &first_id);
    uint64_t at = 0;
    stele_code rc = STELE_OK;

    if (seg == NULL) {
        return STELE_END;
    }
    if (first_id > next_of(it)) {
        if (atomic_load(&it->begun)) {
            sti_segment_drop(seg);
            return fail_gone(it, "trimmed", err);
        }
        atomic_store(&it->next, first_id);
    }
    rc = sti_log_load(log, seg, err);
    rc = rc != STELE_OK ? rc : sti_log_locate(log, seg, &it->reader, next_of(it), &at, err);
    if (rc != STELE_OK) {
        sti_segment_drop(seg);
        sti_wal_reader_forget(&it->reader);
        /* It was cut off at this moment, or there is something wrong with it. */
        return generation != sti_log_generation(log) ? STELE_END : rc;
    }
    let_go(it);
    it->seg = seg;
    it->at = at;
    it->awake = at;
    return STELE_OK;
}

/* The next record of the segment. *ended: there is none, nor will there be. */
static stele_code next_here(
        struct log_iter *it, stele_wal_record *record, bool *ended, stele_error *err)
{
    struct sti_segment *seg = it->seg;
    struct sti_wal_frame frame;
    uint64_t end;
    stele_code rc;

    /* Pairs with the store when it is sealed, behind which the end does not move on. */
    *ended = atomic_load_explicit(&seg->sealed, memory_order_acquire);
    /* Pairs with the store of the one that appends, or truncates. */
    end = atomic_load_explicit(&seg->end, memory_order_acquire);
    if (it->at > end && STI_MUTANT(WAL_ITER_IGNORES_CUT)) {
        return STELE_END;
    }
    if (it->at > end || atomic_load_explicit(&it->lost, memory_order_relaxed)) {
        return fail_gone(it, "truncated", err);
    }
    if (atomic_load_explicit(&seg->replaced, memory_order_relaxed)) {
        *ended = true;
        return STELE_END;
    }
    if (seg->damaged && it->at >= seg->damage_at && next_of(it) < atomic_load(&seg->next_id)) {
        return sti_segment_fail_damaged(seg, err);
    }
    if (it->at == end) {
        return STELE_END;
    }
    if (it->at >= it->awake) {
        it->awake = sti_segment_prefault(seg, it->at, end);
    }
    sti_segment_prefetch(seg, it->at, end);
    rc = sti_log_frame(seg, &it->reader, it->at, end, next_of(it), &frame, err);
    if (rc != STELE_OK) {
        return rc;
    }
    record->id = frame.id;
    record->data = frame.data;
    it->at += frame.size;
    atomic_store_explicit(&it->next, frame.id + 1, memory_order_relaxed);
    if (!atomic_load_explicit(&it->begun, memory_order_relaxed)) {
        atomic_store(&it->begun, true);
    }
    return STELE_OK;
}

static stele_code next_known(struct log_iter *it, stele_wal_record *record, stele_error *err)
{
    bool ended = true;
    stele_code rc = STELE_END;

    if (atomic_load(&it->lost)) {
        return fail_gone(it, "truncated", err);
    }
    if (it->seg != NULL) {
        rc = next_here(it, record, &ended, err);
    }
    /* A segment may have been sealed without getting another record. */
    while (rc == STELE_END && ended) {
        rc = enter_segment(it, err);
        if (rc == STELE_END) {
            return rc;
        }
        rc = rc != STELE_OK ? rc : next_here(it, record, &ended, err);
    }
    return rc;
}

static stele_code iter_next(stele_wal_iter *iter, stele_wal_record *record, stele_error *err)
{
    struct log_iter *it = iter_of(iter);
    struct sti_log *log = it->log;
    stele_code rc = next_known(it, record, err);
    stele_code looked;

    if (!log->base.read_only || rc == STELE_OK || rc == STELE_ESTATE) {
        return rc;
    }
    /* Beside a writer: it may have appended, or moved on and used the file again; then the segment
     * may be another one by now. */
    looked = sti_log_refresh(log, NULL, rc == STELE_END ? err : NULL);
    if (looked != STELE_OK) {
        return rc == STELE_END ? looked : rc;
    }
    let_go(it);
    return next_known(it, record, err);
}

static void iter_close(stele_wal_iter *iter)
{
    struct log_iter *it = iter_of(iter);
    struct sti_log *log = it->log;

    sti_mutex_lock(&log->view);
    if (it->prev != NULL) {
        it->prev->following = it->following;
    } else {
        log->iters = it->following != NULL ? &it->following->base : NULL;
    }
    if (it->following != NULL) {
        it->following->prev = it->prev;
    }
    sti_mutex_unlock(&log->view);
    let_go(it);
    sti_wal_reader_free(&it->reader);
    sti_free(it);
}

static const struct sti_wal_iter_ops log_iter_ops = {iter_next, iter_close};

stele_code sti_log_iter_open(stele_wal_iter **out, stele_wal *w, uint64_t start, stele_error *err)
{
    struct sti_log *log = (struct sti_log *)(void *)w;
    struct log_iter *it = sti_calloc(1, sizeof *it);

    if (it == NULL) {
        return sti_fail_memory(err, sizeof *it);
    }
    it->base.ops = &log_iter_ops;
    it->log = log;
    atomic_init(&it->next, start);
    sti_mutex_lock(&log->view);
    it->following = log->iters != NULL ? iter_of(log->iters) : NULL;
    if (it->following != NULL) {
        it->following->prev = it;
    }
    log->iters = &it->base;
    sti_mutex_unlock(&log->view);
    *out = &it->base;
    return STELE_OK;
}

/* ---- Told by those who change the log. ---- */

void sti_log_iters_cut_locked(struct sti_log *log, uint64_t cut, uint64_t old_next)
{
    struct log_iter *it = log->iters != NULL ? iter_of(log->iters) : NULL;

    for (; it != NULL; it = it->following) {
        uint64_t next = atomic_load(&it->next);

        if (next > cut && next <= old_next && !STI_MUTANT(WAL_ITER_IGNORES_CUT)) {
            atomic_store(&it->lost, true);
        }
    }
}

void sti_log_iters_anew_locked(struct sti_log *log, uint64_t first_id)
{
    struct log_iter *it = log->iters != NULL ? iter_of(log->iters) : NULL;

    for (; it != NULL; it = it->following) {
        if (atomic_load(&it->begun) && atomic_load(&it->next) != first_id) {
            atomic_store(&it->lost, true);
        }
    }
}
