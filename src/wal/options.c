/* SPDX-License-Identifier: MIT
 *
 * options.c: the options of a log, checked, and their defaults.
 */
#include "base/env.h"
#include "base/error.h"
#include "wal/wal.h"

#include <inttypes.h>
#include <string.h>

#define SEGMENT_SIZE_STELE ((uint64_t)64 << 20)
#define SEGMENT_SIZE_BLB   ((uint64_t)4 << 20)
#define SEGMENT_SIZE_MIN   ((uint64_t)4 << 10)
#define SEGMENT_SIZE_MAX   ((uint64_t)1 << 30)
#define RECORD_SIZE_STELE  ((uint32_t)64 << 20)

void stele_wal_options_init_sized(stele_wal_options *opts, size_t struct_size)
{
    if (opts != NULL && struct_size >= sizeof opts->struct_size) {
        memset(opts, 0, struct_size);
        opts->struct_size = struct_size;
    }
}

stele_code sti_wal_options_copy(
        stele_wal_options *out, const stele_wal_options *in, stele_error *err)
{
    stele_wal_options opts;
    stele_code rc = sti_options_copy(&opts, sizeof opts, in, "stele_wal_options", err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (opts.format != STELE_WAL_ANY && opts.format != STELE_WAL_STELE &&
            opts.format != STELE_WAL_BLB) {
        return sti_fail(err, STELE_EINVAL, "no log format %d", (int)opts.format);
    }
    if (opts.lock_wait_ms < STELE_FOREVER) {
        return sti_fail(err, STELE_EINVAL, "a negative time to wait for the lock");
    }
    if (opts.segment_size > SEGMENT_SIZE_MAX) {
        return sti_fail(err, STELE_EINVAL, "segment_size %" PRIu64 " is over %" PRIu64,
                opts.segment_size, SEGMENT_SIZE_MAX);
    }
    if (opts.record_size_max > STELE_WAL_RECORD_MAX) {
        return sti_fail(err, STELE_EINVAL, "record_size_max %" PRIu32 " is over %" PRIu32,
                opts.record_size_max, STELE_WAL_RECORD_MAX);
    }
    if (opts.format == STELE_WAL_BLB && opts.record_size_max > STELE_WAL_BLB_RECORD_MAX) {
        return sti_fail(err, STELE_EINVAL,
                "record_size_max %" PRIu32 " is over %" PRIu32 ", the most in format blb",
                opts.record_size_max, STELE_WAL_BLB_RECORD_MAX);
    }
    *out = opts;
    return STELE_OK;
}

stele_code sti_wal_options_resolve(
        stele_wal_options *opts, stele_wal_format format, stele_error *err)
{
    bool blb = format == STELE_WAL_BLB;

    if (opts->segment_size == 0) {
        opts->segment_size = blb ? SEGMENT_SIZE_BLB : SEGMENT_SIZE_STELE;
    }
    if (!blb && opts->segment_size < SEGMENT_SIZE_MIN) {
        return sti_fail(err, STELE_EINVAL, "segment_size %" PRIu64 " is below %" PRIu64,
                opts->segment_size, SEGMENT_SIZE_MIN);
    }
    if (opts->record_size_max == 0) {
        opts->record_size_max = RECORD_SIZE_STELE;
    }
    /* One who did not ask for a format gets what that of the files can take. */
    if (blb && opts->record_size_max > STELE_WAL_BLB_RECORD_MAX) {
        opts->record_size_max = STELE_WAL_BLB_RECORD_MAX;
    }
    opts->format = format;
    return STELE_OK;
}
