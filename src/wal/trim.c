/* SPDX-License-Identifier: MIT
 *
 * trim.c: dropping whole segments at the front.
 *
 * Format stele: the manifest no longer lists them; that is the moment, and needs no space. Then
 * their files go, or are used again. Format blb: files are removed from the front one by one, each
 * removal made durable, so that a crash leaves no gap.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "wal/log.h"

/* ---- Format stele. ---- */

struct trimming {
    struct sti_segment **gone; /* oldest first */
    size_t count;
};

/* How many segments in front hold nothing but records up to `discard`. */
static size_t count_covered(struct sti_log *log, uint64_t discard) STI_REQUIRES(log->view)
{
    size_t n = 0;

    while (n < log->segment_count) {
        const struct sti_segment *seg = log->segments[n];
        uint64_t next = atomic_load(&seg->next_id);

        if (next <= seg->first_id || next - 1 > discard + (STI_MUTANT(WAL_TRIM_TOO_FAR) ? 1 : 0)) {
            break;
        }
        n++;
    }
    return n;
}

static stele_code choose(
        struct sti_log *log, uint64_t discard, struct trimming *t, stele_error *err)
{
    sti_mutex_lock(&log->view);
    t->count = count_covered(log, discard);
    sti_mutex_unlock(&log->view);
    if (t->count == 0) {
        return STELE_OK;
    }
    t->gone = sti_calloc(t->count, sizeof(struct sti_segment *));
    return t->gone != NULL ? STELE_OK
                           : sti_fail_memory(err, t->count * sizeof(struct sti_segment *));
}

static void unlist(struct sti_log *log, struct trimming *t)
{
    sti_mutex_lock(&log->view);
    for (size_t i = 0; i < t->count; i++) {
        t->gone[i] = sti_log_list_remove_locked(log, 0);
    }
    sti_mutex_unlock(&log->view);
}

static void restore(struct sti_log *log, const struct trimming *t)
{
    sti_mutex_lock(&log->view);
    for (size_t i = 0; i < t->count; i++) {
        sti_log_list_restore_locked(log, i, t->gone[i]);
    }
    sti_mutex_unlock(&log->view);
}

void sti_log_measure(struct sti_segment *seg)
{
    stele_file_stat stat = {0};

    /* What a full disk refused was put back, and the file is shorter since. */
    if (!seg->allocated && seg->file.raw != NULL) {
        seg->capacity = sti_file_stat(&seg->file, &stat, NULL) == STELE_OK ? stat.size : 0;
    }
}

static void retire(struct sti_log *log, const struct trimming *t, bool keep_files)
        STI_REQUIRES(log->files)
{
    for (size_t i = 0; i < t->count; i++) {
        /* An iterator that has come to its end looks for what follows; see next_here(). */
        atomic_store_explicit(&t->gone[i]->sealed, true, memory_order_release);
        if (keep_files) {
            sti_segment_drop(t->gone[i]);
        } else {
            sti_log_measure(t->gone[i]);
            sti_log_retire_locked(log, t->gone[i]);
        }
    }
}

static stele_code drop_covered(struct sti_log *log, struct trimming *t, stele_error *err)
        STI_REQUIRES(log->files)
{
    stele_code rc;

    unlist(log, t);
    if (STI_MUTANT(WAL_UNLINK_BEFORE_MANIFEST)) {
        (void)sti_dir_unlink(&log->dir, t->gone[0]->name, NULL, NULL);
    }
    rc = sti_log_save_locked(log, false, err);
    if (rc == STELE_ENOSPC || rc == STELE_ENOMEM) {
        restore(log, t);
        return rc;
    }
    if (t->gone[t->count - 1] == log->head) {
        log->head = NULL;
        log->ahead = false;
    }
    /* The manifest that a failure leaves may list them. */
    retire(log, t, rc != STELE_OK);
    sti_log_rebase(log, log->next_id);
    return rc == STELE_OK ? rc : sti_log_fail_in_doubt(log, rc, err);
}

static stele_code trim_stele(struct sti_log *log, uint64_t discard, stele_error *err)
{
    struct trimming t = {0};
    stele_code rc = choose(log, discard, &t, err);

    if (rc == STELE_OK && t.count > 0) {
        sti_mutex_lock(&log->files);
        rc = drop_covered(log, &t, err);
        sti_mutex_unlock(&log->files);
    }
    sti_free(t.gone);
    return rc;
}

/* ---- Format blb. ---- */

/* The first file, if the one behind it begins no later than with `discard`. */
static struct sti_segment *take_first(struct sti_log *log, uint64_t discard)
{
    struct sti_segment *seg = NULL;

    sti_mutex_lock(&log->view);
    if (log->segment_count > 1 && log->segments[1]->first_id <= discard) {
        seg = sti_log_list_remove_locked(log, 0);
        atomic_store_explicit(&seg->sealed, true, memory_order_release);
    }
    sti_mutex_unlock(&log->view);
    return seg;
}

static stele_code trim_blb(struct sti_log *log, uint64_t discard, stele_error *err)
{
    struct sti_segment *seg;
    stele_code rc = STELE_OK;

    sti_mutex_lock(&log->files);
    while (rc == STELE_OK && (seg = take_first(log, discard)) != NULL) {
        rc = sti_dir_unlink(&log->dir, seg->name, NULL, err);
        if (rc == STELE_OK && !STI_MUTANT(WAL_REMOVAL_NOT_SYNCED)) {
            rc = sti_dir_sync(&log->dir, err);
        }
        sti_segment_drop(seg);
    }
    sti_mutex_unlock(&log->files);
    /* The last file may have no record. */
    sti_log_rebase(log, log->next_id);
    return rc == STELE_OK ? rc : sti_log_fail_in_doubt(log, rc, err);
}

stele_code sti_log_trim(stele_wal *w, uint64_t discard_up_to, stele_error *err)
{
    struct sti_log *log = (struct sti_log *)(void *)w;
    stele_code rc;

    sti_commit_enter(log->commit);
    rc = sti_log_check_usable(log, err);
    if (rc == STELE_OK) {
        rc = log->format == STELE_WAL_BLB ? trim_blb(log, discard_up_to, err)
                                          : trim_stele(log, discard_up_to, err);
    }
    sti_commit_leave(log->commit);
    sti_log_tell(log);
    return rc;
}
