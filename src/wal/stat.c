/* SPDX-License-Identifier: MIT
 *
 * stat.c: the figures of an open log.
 */
#include "wal/log.h"

stele_code sti_log_stat(stele_wal *w, stele_wal_stats *out, stele_error *err)
{
    struct sti_log *log = (struct sti_log *)(void *)w;

    bool any;
    uint64_t first = 0;
    uint64_t last = 0;

    (void)err;
    if (log->base.read_only) {
        /* What cannot be read again is what was there before. */
        (void)sti_log_refresh(log, NULL, NULL);
    }
    sti_mutex_lock(&log->view);
    any = sti_log_bounds_locked(log, &first, &last);
    *out = log->stats;
    out->empty = !any;
    out->first_id = first;
    out->last_id = last;
    out->segments = log->segment_count;
    out->size = 0;
    for (size_t i = 0; i < log->segment_count; i++) {
        out->size += atomic_load(&log->segments[i]->end);
    }
    out->format = log->format;
    out->failed = atomic_load(&log->failed) != STELE_OK;
    sti_mutex_unlock(&log->view);
    return STELE_OK;
}
