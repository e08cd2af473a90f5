/* SPDX-License-Identifier: MIT */
#include "stream/quarantine.h"

#include "base/error.h"
#include "base/mutant.h"
#include "stream/put_file.h"

#include <inttypes.h>
#include <string.h>

enum {
    COMPARE_STEP = 4096
};

static stele_code compare_bytes(
        struct sti_file *file, const uint8_t *data, size_t len, bool *same, stele_error *err)
{
    uint8_t step[COMPARE_STEP];
    stele_code rc;

    *same = true;
    for (size_t at = 0; at < len && *same; at += sizeof step) {
        size_t want = len - at < sizeof step ? len - at : sizeof step;

        rc = sti_file_read(file, at, step, want, err);
        if (rc != STELE_OK) {
            return rc;
        }
        *same = memcmp(step, data + at, want) == 0;
    }
    return STELE_OK;
}

/* Whether `name` is there, and whether it holds these very bytes; if it does
 * they are made durable, since nothing tells who put them there. */
static stele_code look_at(struct sti_dir *dir, const char *name, const uint8_t *data, size_t len,
        bool *there, bool *same, stele_error *err)
{
    struct sti_file file = {0};
    stele_file_stat stat;
    stele_error ignored;
    stele_code rc;

    *there = false;
    *same = false;
    rc = sti_dir_stat(dir, name, &stat, err == NULL ? &ignored : err);
    if (rc == STELE_ENOTFOUND) {
        return STELE_OK;
    }
    if (rc != STELE_OK) {
        return rc;
    }
    *there = true;
    if (!stat.is_file || stat.size != len) {
        return STELE_OK;
    }
    rc = sti_file_open(&file, dir, name, STELE_OPEN_READ, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = compare_bytes(&file, data, len, same, err);
    if (rc == STELE_OK && *same) {
        rc = sti_file_sync(&file, true, err);
    }
    sti_file_close(&file);
    return rc;
}

stele_code sti_quarantine_put(struct sti_dir *dir, int64_t base, uint64_t position,
        const uint8_t *data, size_t len, char name[STI_NAME_SIZE], stele_error *err)
{
    stele_slice slice = {data, len};
    char candidate[STI_NAME_SIZE];
    uint64_t number = position;
    bool there;
    bool same;
    stele_code rc;

    for (;;) {
        sti_name_quarantine(candidate, base, number);
        rc = look_at(dir, candidate, data, len, &there, &same, err);
        if (STI_MUTANT(QUARANTINE_OVERWRITTEN)) {
            there = false;
        }
        if (rc != STELE_OK || !there || same) {
            break;
        }
        number++;
    }
    if (rc == STELE_OK && !there) {
        rc = sti_put_file(dir, candidate, &slice, 1, !STI_MUTANT(QUARANTINE_NOT_SYNCED), err);
    }
    if (rc == STELE_OK) {
        rc = sti_dir_sync(dir, err);
    }
    if (rc != STELE_OK) {
        return sti_wrap(err, rc, "keep %zu bytes cut at %" PRIu64, len, position);
    }
    memcpy(name, candidate, sizeof candidate);
    return STELE_OK;
}
