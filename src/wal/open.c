/* SPDX-License-Identifier: MIT
 *
 * open.c: opening a log, whatever is there.
 */
#include "wal/open.h"

#include "base/error.h"

/* A log begins with its manifest: whatever else a crash leaves of its beginning, there is that. */
static stele_code make_new(struct sti_log *log, stele_error *err)
{
    stele_code rc;

    log->manifest.format = log->format;
    sti_mutex_lock(&log->files);
    rc = sti_log_save_locked(log, false, err);
    sti_mutex_unlock(&log->files);
    return rc;
}

static stele_code choose_format(
        const struct sti_wal_found *found, stele_wal_options *opts, stele_error *err)
{
    stele_wal_format format = found->format;

    if (found->is_new) {
        format = opts->format == STELE_WAL_ANY ? STELE_WAL_STELE : opts->format;
    } else if (opts->format != STELE_WAL_ANY && opts->format != format) {
        return sti_fail(err, STELE_EMISMATCH, "the log has the format %s",
                format == STELE_WAL_BLB ? "blb" : "stele");
    }
    return sti_wal_options_resolve(opts, format, err);
}

/* The handle takes over what was found. */
static stele_code make_handle(struct sti_log **out, struct sti_wal_found *found, const char *path,
        const stele_wal_options *opts, stele_error *err)
{
    struct sti_log *log = NULL;
    stele_code rc = sti_log_new(&log, path, opts, err);

    if (rc != STELE_OK) {
        return rc;
    }
    log->dir = found->dir;
    log->lock = found->lock;
    log->manifest = found->manifest;
    log->manifest_file = found->manifest_file;
    log->manifest_differs = found->slots != STI_WAL_SLOTS_ALIKE;
    memset(&found->dir, 0, sizeof found->dir);
    memset(&found->lock, 0, sizeof found->lock);
    memset(&found->manifest, 0, sizeof found->manifest);
    memset(&found->manifest_file, 0, sizeof found->manifest_file);
    *out = log;
    return STELE_OK;
}

/* A slot that was damaged, or that a crash kept from following the other one, is made good. */
static stele_code mend_manifest(struct sti_log *log, stele_error *err)
{
    stele_code rc;

    sti_mutex_lock(&log->files);
    rc = sti_log_save_locked(log, log->manifest.clean, err);
    sti_mutex_unlock(&log->files);
    return rc;
}

static stele_code open_found(
        struct sti_log *log, const struct sti_wal_found *found, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (log->base.read_only) {
        return sti_log_refresh(log, NULL, err);
    }
    if (found->is_new) {
        rc = make_new(log, err);
    }
    if (rc == STELE_OK) {
        rc = log->format == STELE_WAL_BLB
                     ? sti_log_open_blb(log, &found->listing, found->has_manifest, err)
                     : sti_log_open_stele(log, &found->listing, err);
    }
    if (rc == STELE_OK && found->slots != STI_WAL_SLOTS_ALIKE) {
        rc = mend_manifest(log, err);
    }
    return rc != STELE_OK ? rc : sti_log_work_start(log, err);
}

stele_code sti_log_open(
        struct sti_log **out, const char *dir, const stele_wal_options *options, stele_error *err)
{
    stele_wal_options opts = *options;
    struct sti_wal_found found;
    struct sti_log *log = NULL;
    stele_code rc = sti_wal_find(&found, dir, &opts, err);

    if (opts.read_only) {
        /* A writer in another process replaces and truncates files under a map. */
        opts.no_map = true;
    }
    rc = rc != STELE_OK ? rc : choose_format(&found, &opts, err);
    rc = rc != STELE_OK ? rc : make_handle(&log, &found, dir, &opts, err);
    rc = rc != STELE_OK ? rc : open_found(log, &found, err);
    sti_wal_found_free(&found);
    if (rc != STELE_OK) {
        sti_log_free(log);
        return rc;
    }
    *out = log;
    return STELE_OK;
}

stele_code stele_wal_open(
        stele_wal **out, const char *dir, const stele_wal_options *opts, stele_error *err)
{
    stele_wal_options options;
    struct sti_log *log = NULL;
    stele_code rc;

    if (out == NULL || dir == NULL) {
        return sti_fail(err, STELE_EINVAL, "no directory, or no place for the log");
    }
    rc = sti_wal_options_copy(&options, opts, err);
    rc = rc != STELE_OK ? rc : sti_log_open(&log, dir, &options, err);
    if (rc != STELE_OK) {
        return sti_wrap(err, rc, "open log %s", dir);
    }
    *out = &log->base;
    return STELE_OK;
}
