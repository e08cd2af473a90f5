/* SPDX-License-Identifier: MIT
 *
 * ops.c: what a log on files does for the public functions.
 */
#include "base/error.h"
#include "wal/log.h"

static struct sti_log *log_of(stele_wal *w)
{
    return (struct sti_log *)(void *)w;
}

static stele_code log_wait(
        stele_wal *w, stele_wal_ticket ticket, const stele_wait *wait, stele_error *err)
{
    return sti_commit_wait(log_of(w)->commit, ticket, wait, err);
}

static stele_wal_ticket log_durable(stele_wal *w)
{
    return sti_commit_done(log_of(w)->commit);
}

static bool has_records(const struct sti_segment *seg)
{
    return atomic_load(&seg->next_id) > seg->first_id;
}

bool sti_log_bounds_locked(struct sti_log *log, uint64_t *first, uint64_t *last)
{
    size_t i = 0;
    size_t end = log->segment_count;

    while (i < end && !has_records(log->segments[i])) {
        i++;
    }
    while (end > i && !has_records(log->segments[end - 1])) {
        end--;
    }
    if (i == end) {
        return false;
    }
    *first = log->segments[i]->first_id;
    *last = atomic_load(&log->segments[end - 1]->next_id) - 1;
    return true;
}

static void log_bounds(stele_wal *w, uint64_t *first, uint64_t *last, bool *empty)
{
    struct sti_log *log = log_of(w);

    if (log->base.read_only) {
        /* What cannot be read again is what was there before. */
        (void)sti_log_refresh(log, NULL, NULL);
    }
    sti_mutex_lock(&log->view);
    *empty = !sti_log_bounds_locked(log, first, last);
    sti_mutex_unlock(&log->view);
}

static void log_next_id(stele_wal *w, uint64_t *id, bool *any)
{
    struct sti_log *log = log_of(w);
    uint64_t first;
    uint64_t last = 0;

    if (log->base.read_only) {
        log_bounds(w, &first, &last, any);
        *id = last + 1;
        return;
    }
    sti_commit_lock(log->commit);
    *id = log->next_id;
    *any = log->any_id;
    sti_commit_unlock(log->commit);
}

const struct sti_wal_ops sti_log_ops = {
        .close = sti_log_close,
        .append = sti_log_append,
        .wait = log_wait,
        .durable = log_durable,
        .truncate = sti_log_truncate,
        .trim = sti_log_trim,
        .bounds = log_bounds,
        .next_id = log_next_id,
        .read = sti_log_read,
        .iter_open = sti_log_iter_open,
        .stat = sti_log_stat,
};
