/* SPDX-License-Identifier: MIT */
#include "stream/put_file.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "stream/names.h"

#include <stdio.h>
#include <string.h>

enum {
    RENEW_STEP = 256 << 10
};

stele_code sti_put_file(struct sti_dir *dir, const char *name, const stele_slice *slices,
        size_t count, bool sync, stele_error *err)
{
    struct sti_file file = {0};
    char temp[STI_NAME_SIZE];
    bool made = false;
    stele_code rc;

    if (snprintf(temp, sizeof temp, "%s.tmp", name) >= (int)sizeof temp) {
        return sti_fail(err, STELE_EINVAL, "%s: the name is too long", name);
    }
    /* A leftover is removed rather than truncated: what another process may
     * still have mapped of it stays as it is. */
    rc = sti_dir_unlink(dir, temp, NULL, err);
    if (rc != STELE_OK) {
        goto out;
    }
    rc = sti_file_open(
            &file, dir, temp, STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL, err);
    if (rc != STELE_OK) {
        goto out;
    }
    made = true;
    rc = sti_file_writev(&file, 0, slices, count, err);
    if (rc == STELE_OK && sync) {
        rc = sti_file_sync(&file, true, err); /* the bytes and the size; times do not matter */
    }
    sti_file_close(&file);
    if (rc == STELE_OK) {
        rc = sti_dir_rename(dir, temp, name, err);
    }
out:
    if (rc != STELE_OK && made) {
        (void)sti_dir_unlink(dir, temp, NULL, NULL);
    }
    return rc;
}

stele_code sti_file_renew(struct sti_file *f, const uint8_t *data, uint64_t len, stele_error *err)
{
    uint8_t *step = sti_malloc(RENEW_STEP);
    stele_code rc = STELE_OK;

    if (step == NULL) {
        return sti_fail_memory(err, RENEW_STEP);
    }
    /* Through memory: `data` may be a map of this very file. */
    for (uint64_t at = 0; at < len && rc == STELE_OK && !STI_MUTANT(REOPEN_BELIEVES_CACHE);
            at += RENEW_STEP) {
        size_t n = len - at < RENEW_STEP ? (size_t)(len - at) : RENEW_STEP;

        memcpy(step, data + at, n);
        rc = sti_file_write(f, at, step, n, err);
    }
    sti_free(step);
    /* The length as well, which may have grown in the cache alone. */
    if (!STI_MUTANT(REOPEN_BELIEVES_CACHE)) {
        rc = rc != STELE_OK ? rc : sti_file_truncate(f, len + 1, err);
        rc = rc != STELE_OK ? rc : sti_file_truncate(f, len, err);
    }
    return rc != STELE_OK ? rc : sti_file_sync(f, false, err);
}
