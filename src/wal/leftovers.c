/* SPDX-License-Identifier: MIT
 *
 * leftovers.c: what a crash leaves, or may have left in the cache alone.
 */
#include "base/alloc.h"
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "wal/open.h"

#include <inttypes.h>

enum {
    RENEW_STEP = 256 << 10
};

void sti_log_tell_cut(
        struct sti_log *log, const char *name, uint64_t at, uint64_t end, const char *quarantine)
{
    sti_env_log(&log->env, STELE_LOG_WARN,
            "log %s: %s: %" PRIu64 " bytes from %" PRIu64
            " on were torn by a crash, and are kept in %s",
            log->path, name, end - at, at, quarantine);
}

stele_code sti_wal_renew(struct sti_file *f, uint64_t from, uint64_t to, stele_error *err)
{
    uint8_t *step = sti_malloc(RENEW_STEP);
    stele_file_stat stat;
    stele_code rc;

    if (step == NULL) {
        return sti_fail_memory(err, RENEW_STEP);
    }
    rc = sti_file_stat(f, &stat, err);
    if (STI_MUTANT(WAL_CACHE_BELIEVED)) {
        from = to;
    }
    for (uint64_t at = from; at < to && rc == STELE_OK; at += RENEW_STEP) {
        size_t n = to - at < RENEW_STEP ? (size_t)(to - at) : (size_t)RENEW_STEP;

        rc = sti_file_read(f, at, step, n, err);
        rc = rc != STELE_OK ? rc : sti_file_write(f, at, step, n, err);
    }
    sti_free(step);
    /* The length as well, if the file grows with what is written. */
    if (rc == STELE_OK && from < to && stat.size == to) {
        rc = sti_file_truncate(f, to + 1, err);
        rc = rc != STELE_OK ? rc : sti_file_truncate(f, to, err);
    }
    return rc != STELE_OK ? rc : sti_file_sync(f, false, err);
}

/* ---- Leftovers. ---- */

static bool is_listed(const struct sti_wal_manifest *m, uint64_t number)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->entries[i].number == number) {
            return true;
        }
    }
    return false;
}

static bool is_leftover(const struct sti_log *log, const struct sti_wal_listed *item)
{
    switch (item->kind) {
    case STI_WAL_NAME_LEFTOVER:
        return true;
    case STI_WAL_NAME_STELE:
        return log->format == STELE_WAL_STELE ? !is_listed(&log->manifest, item->number)
                                              : log->manifest.leftovers;
    case STI_WAL_NAME_BLB:
        return log->format == STELE_WAL_STELE && log->manifest.leftovers;
    case STI_WAL_NAME_OTHER:
    case STI_WAL_NAME_MANIFEST:
    case STI_WAL_NAME_QUARANTINE:
    default:
        return false;
    }
}

bool sti_log_has_leftovers(const struct sti_log *log, const struct sti_wal_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        if (is_leftover(log, &listing->items[i])) {
            return true;
        }
    }
    return log->manifest.leftovers;
}

stele_code sti_log_remove_leftovers(
        struct sti_log *log, const struct sti_wal_listing *listing, stele_error *err)
{
    bool any = false;
    stele_code rc = STELE_OK;

    for (size_t i = 0; i < listing->count && rc == STELE_OK; i++) {
        if (is_leftover(log, &listing->items[i]) && !STI_MUTANT(WAL_LEFTOVERS_KEPT)) {
            rc = sti_dir_unlink(&log->dir, listing->items[i].name, NULL, err);
            any = true;
        }
    }
    if (rc == STELE_OK && (any || log->manifest.leftovers)) {
        rc = sti_dir_sync(&log->dir, err);
    }
    if (rc == STELE_OK && log->manifest.leftovers) {
        sti_mutex_lock(&log->files);
        log->manifest.leftovers = false;
        rc = sti_log_save_locked(log, false, err);
        sti_mutex_unlock(&log->files);
    }
    return rc == STELE_OK ? rc : sti_wrap(err, rc, "remove what a crash has left over");
}
