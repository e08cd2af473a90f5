/* SPDX-License-Identifier: MIT */
#include "stream/put_file.h"

#include "base/error.h"
#include "stream/names.h"

#include <stdio.h>

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
