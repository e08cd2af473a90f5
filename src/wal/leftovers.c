/* SPDX-License-Identifier: MIT
 *
 * leftovers.c: what a crash leaves.
 */
#include "base/alloc.h"
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "wal/open.h"

#include <inttypes.h>

void sti_log_tell_cut(
        struct sti_log *log, const char *name, uint64_t at, uint64_t end, const char *quarantine)
{
    sti_env_log(&log->env, STELE_LOG_WARN,
            "log %s: %s: %" PRIu64 " bytes from %" PRIu64
            " on were torn by a crash, and are kept in %s",
            log->path, name, end - at, at, quarantine);
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
