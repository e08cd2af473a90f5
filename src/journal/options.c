/* SPDX-License-Identifier: MIT
 *
 * options.c: the options of a journal, checked, and their defaults.
 */
#include "base/env.h"
#include "base/error.h"
#include "journal/state.h"

#include <inttypes.h>
#include <string.h>

enum {
    INTERVAL_MS = 100
};

/* Larger ones would overflow in nanoseconds. */
#define MS_MAX (INT64_MAX / 1000000 / 2)

void stele_journal_options_init_sized(stele_journal_options *opts, size_t struct_size)
{
    if (opts != NULL && struct_size >= sizeof opts->struct_size) {
        memset(opts, 0, struct_size);
        opts->struct_size = struct_size;
    }
}

static stele_code check(const stele_journal_options *opts, stele_error *err)
{
    if (opts->durability != STELE_JOURNAL_EACH && opts->durability != STELE_JOURNAL_INTERVAL &&
            opts->durability != STELE_JOURNAL_STOP) {
        return sti_fail(err, STELE_EINVAL, "no durability %d", (int)opts->durability);
    }
    if (opts->replay_target_ms < 0 || opts->replay_target_ms > MS_MAX) {
        return sti_fail(
                err, STELE_EINVAL, "no replay_target_ms of %" PRId64, opts->replay_target_ms);
    }
    if (opts->interval_ms < 0 || opts->interval_ms > MS_MAX) {
        return sti_fail(err, STELE_EINVAL, "no interval_ms of %" PRId64, opts->interval_ms);
    }
    if (opts->interval_ms != 0 && opts->durability != STELE_JOURNAL_INTERVAL) {
        return sti_fail(err, STELE_EINVAL, "interval_ms is for STELE_JOURNAL_INTERVAL");
    }
    if (opts->lock_wait_ms < STELE_FOREVER) {
        return sti_fail(err, STELE_EINVAL, "a negative time to wait for the lock");
    }
    return STELE_OK;
}

stele_code sti_journal_options_copy(
        stele_journal_options *out, const stele_journal_options *in, stele_error *err)
{
    stele_journal_options opts;
    stele_code rc = sti_options_copy(&opts, sizeof opts, in, "stele_journal_options", err);

    rc = rc != STELE_OK ? rc : check(&opts, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (opts.interval_ms == 0) {
        opts.interval_ms = INTERVAL_MS;
    }
    *out = opts;
    return STELE_OK;
}
