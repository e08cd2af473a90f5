/* SPDX-License-Identifier: MIT
 *
 * stat_dir.c: the figures of a log that is not open.
 */
#include "base/error.h"
#include "wal/open.h"

stele_code stele_wal_stat_dir(
        const char *dir, const stele_wal_options *opts, stele_wal_stats *out, stele_error *err)
{
    stele_wal_options options;
    struct sti_log *log = NULL;
    stele_code rc;

    if (dir == NULL || out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no directory, or no place for the figures");
    }
    rc = sti_wal_options_copy(&options, opts, err);
    options.read_only = true;
    rc = rc != STELE_OK ? rc : sti_log_open(&log, dir, &options, err);
    rc = rc != STELE_OK ? rc : sti_log_stat(&log->base, out, err);
    sti_log_free(log);
    return rc == STELE_OK ? rc : sti_wrap(err, rc, "look at log %s", dir);
}
