/* SPDX-License-Identifier: MIT
 *
 * state.c: the memory of an open log, and the list of its segments.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/env.h"
#include "base/error.h"
#include "wal/log.h"

#include <string.h>

enum {
    MUTEXES = 4
};

static stele_code init_locks(struct sti_log *log, stele_error *err)
{
    struct sti_mutex *mutexes[MUTEXES] = {&log->files, &log->load, &log->view, &log->work_mutex};
    static const int ranks[MUTEXES] = {
            STI_RANK_WAL_FILES, STI_RANK_WAL_LOAD, STI_RANK_WAL_VIEW, STI_RANK_WAL_WORK};
    size_t made = 0;
    stele_code rc = STELE_OK;

    while (made < MUTEXES && rc == STELE_OK) {
        rc = sti_mutex_init(mutexes[made], ranks[made], err);
        made += rc == STELE_OK ? 1 : 0;
    }
    rc = rc != STELE_OK ? rc : sti_cond_init(&log->work_wake, err);
    if (rc == STELE_OK) {
        return STELE_OK;
    }
    while (made > 0) {
        sti_mutex_destroy(mutexes[--made]);
    }
    return rc;
}

stele_code sti_log_new(
        struct sti_log **out, const char *path, const stele_wal_options *options, stele_error *err)
{
    struct sti_log *log = sti_calloc(1, sizeof *log);
    stele_code rc;

    if (log == NULL) {
        return sti_fail_memory(err, sizeof *log);
    }
    rc = init_locks(log, err);
    if (rc != STELE_OK) {
        sti_free(log);
        return rc;
    }
    sti_env_copy(&log->env, options->env);
    log->options = *options;
    log->format = options->format;
    log->base.ops = &sti_log_ops;
    log->base.record_max = options->record_size_max;
    log->base.read_only = options->read_only;
    log->path = sti_strdup(path);
    rc = log->path != NULL ? STELE_OK : sti_fail_memory(err, strlen(path) + 1);
    rc = rc != STELE_OK ? rc : sti_commit_new(&log->commit, &sti_log_commit_ops, log, err);
    if (rc != STELE_OK) {
        sti_log_free(log);
        return rc;
    }
    *out = log;
    return STELE_OK;
}

void sti_log_free(struct sti_log *log)
{
    if (log == NULL) {
        return;
    }
    sti_assert(!log->work_running);
    sti_commit_free(log->commit);
    for (size_t i = 0; i < log->segment_count; i++) {
        sti_segment_drop(log->segments[i]);
    }
    sti_free(log->segments);
    sti_segment_drop(log->prepared.segment);
    sti_segment_drop(log->spare);
    sti_wal_manifest_close(&log->manifest_file);
    sti_wal_manifest_free(&log->manifest);
    sti_cond_destroy(&log->work_wake);
    sti_mutex_destroy(&log->work_mutex);
    sti_mutex_destroy(&log->view);
    sti_mutex_destroy(&log->load);
    sti_mutex_destroy(&log->files);
    sti_dir_close(&log->dir);
    sti_file_close(&log->lock);
    sti_free(log->path);
    sti_free(log);
}

/* ---- The list. ---- */

stele_code sti_log_list_push_locked(struct sti_log *log, struct sti_segment *seg, stele_error *err)
{
    if (log->segment_count == log->segment_capacity) {
        size_t more = log->segment_capacity == 0 ? 16 : 2 * log->segment_capacity;
        struct sti_segment **grown = sti_realloc(log->segments, more, sizeof(struct sti_segment *));

        if (grown == NULL) {
            return sti_fail_memory(err, more * sizeof(struct sti_segment *));
        }
        log->segments = grown;
        log->segment_capacity = more;
    }
    log->segments[log->segment_count++] = seg;
    log->view_generation++;
    return STELE_OK;
}

struct sti_segment *sti_log_list_remove_locked(struct sti_log *log, size_t i)
{
    struct sti_segment *seg = log->segments[i];

    memmove(&log->segments[i], &log->segments[i + 1],
            (log->segment_count - i - 1) * sizeof(struct sti_segment *));
    log->segment_count--;
    log->view_generation++;
    return seg;
}

void sti_log_list_restore_locked(struct sti_log *log, size_t i, struct sti_segment *seg)
{
    /* The memory is there still. */
    sti_assert(log->segment_count < log->segment_capacity);
    memmove(&log->segments[i + 1], &log->segments[i],
            (log->segment_count - i) * sizeof(struct sti_segment *));
    log->segments[i] = seg;
    log->segment_count++;
    log->view_generation++;
}

size_t sti_log_list_find_locked(struct sti_log *log, uint64_t id)
{
    size_t low = 0;
    size_t high = log->segment_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        /* Pairs with the store of the one that appends. */
        if (atomic_load_explicit(&log->segments[middle]->next_id, memory_order_acquire) > id) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

bool sti_log_list_is_empty_locked(struct sti_log *log)
{
    for (size_t i = 0; i < log->segment_count; i++) {
        const struct sti_segment *seg = log->segments[i];

        if (atomic_load(&seg->next_id) > seg->first_id) {
            return false;
        }
    }
    return true;
}
