/* SPDX-License-Identifier: MIT
 *
 * renew.c: what a crash may have left in the cache alone.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "wal/segment.h"

enum {
    RENEW_STEP = 256 << 10
};

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
