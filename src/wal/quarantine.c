/* SPDX-License-Identifier: MIT
 *
 * quarantine.c: nothing that is cut from a log is thrown away.
 *
 * What is cut may be as long as a segment, so it is copied and compared in steps.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "wal/listing.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    STEP = 64 << 10
};

/* The bytes that are to be kept, and two buffers. */
struct kept {
    struct sti_dir *dir;
    struct sti_file *from;
    uint64_t at;
    uint64_t len;
    uint8_t *step;
    uint8_t *other;
};

static size_t step_at(const struct kept *k, uint64_t done)
{
    return k->len - done < STEP ? (size_t)(k->len - done) : (size_t)STEP;
}

static stele_code compare(struct kept *k, struct sti_file *file, bool *same, stele_error *err)
{
    stele_code rc = STELE_OK;

    *same = true;
    for (uint64_t done = 0; done < k->len && *same && rc == STELE_OK; done += STEP) {
        size_t n = step_at(k, done);

        rc = sti_file_read(k->from, k->at + done, k->step, n, err);
        rc = rc != STELE_OK ? rc : sti_file_read(file, done, k->other, n, err);
        *same = rc == STELE_OK && memcmp(k->step, k->other, n) == 0;
    }
    return rc;
}

/* Whether `name` is there, and whether it holds these very bytes; if it does they are made durable,
 * since nothing tells who put them there. */
static stele_code look_at(
        struct kept *k, const char *name, bool *there, bool *same, stele_error *err)
{
    struct sti_file file = {0};
    stele_file_stat stat;
    stele_error why;
    stele_code rc;

    *there = false;
    *same = false;
    rc = sti_dir_stat(k->dir, name, &stat, &why);
    if (rc != STELE_OK) {
        return rc == STELE_ENOTFOUND ? STELE_OK : sti_fail_at(err, rc, name, -1, "%s", why.message);
    }
    *there = true;
    if (!stat.is_file || stat.size != k->len) {
        return STELE_OK;
    }
    rc = sti_file_open(&file, k->dir, name, STELE_OPEN_READ, err);
    rc = rc != STELE_OK ? rc : compare(k, &file, same, err);
    if (rc == STELE_OK && *same) {
        rc = sti_file_sync(&file, false, err);
    }
    sti_file_close(&file);
    return rc;
}

/* Under a temporary name first, which is removed at open. */
static stele_code copy(struct kept *k, const char *name, stele_error *err)
{
    char temp[STI_WAL_NAME_SIZE + 4];
    struct sti_file file = {0};
    stele_code rc;

    (void)snprintf(temp, sizeof temp, "%s.tmp", name);
    rc = sti_dir_unlink(k->dir, temp, NULL, err);
    rc = rc != STELE_OK ? rc
                        : sti_file_open(&file, k->dir, temp,
                                  STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL, err);
    if (rc != STELE_OK) {
        return rc;
    }
    for (uint64_t done = 0; done < k->len && rc == STELE_OK; done += STEP) {
        size_t n = step_at(k, done);

        rc = sti_file_read(k->from, k->at + done, k->step, n, err);
        rc = rc != STELE_OK ? rc : sti_file_write(&file, done, k->step, n, err);
    }
    if (rc == STELE_OK && !STI_MUTANT(WAL_QUARANTINE_NOT_SYNCED)) {
        rc = sti_file_sync(&file, false, err);
    }
    sti_file_close(&file);
    rc = rc != STELE_OK ? rc : sti_dir_rename(k->dir, temp, name, err);
    if (rc != STELE_OK) {
        (void)sti_dir_unlink(k->dir, temp, NULL, NULL);
    }
    return rc;
}

static stele_code put(
        struct kept *k, const char *name, char out[STI_WAL_NAME_SIZE], stele_error *err)
{
    char candidate[STI_WAL_NAME_SIZE];
    uint64_t number = k->at;
    bool there = true;
    bool same = false;
    stele_code rc = STELE_OK;

    for (; rc == STELE_OK; number++) {
        sti_wal_name_quarantine(candidate, name, number);
        rc = look_at(k, candidate, &there, &same, err);
        if (!there || same || STI_MUTANT(WAL_QUARANTINE_OVERWRITTEN)) {
            break;
        }
    }
    if (rc == STELE_OK && !same) {
        rc = copy(k, candidate, err);
    }
    rc = rc != STELE_OK ? rc : sti_dir_sync(k->dir, err);
    if (rc == STELE_OK) {
        memcpy(out, candidate, sizeof candidate);
    }
    return rc;
}

stele_code sti_wal_quarantine(struct sti_dir *dir, struct sti_file *from, const char *name,
        uint64_t at, uint64_t end, char out[STI_WAL_NAME_SIZE], stele_error *err)
{
    struct kept k = {.dir = dir, .from = from, .at = at, .len = end - at};
    stele_code rc = STELE_OK;

    if (STI_MUTANT(WAL_CUT_WITHOUT_QUARANTINE)) {
        out[0] = '\0';
        return STELE_OK;
    }
    k.step = sti_malloc(STEP);
    k.other = sti_malloc(STEP);
    if (k.step == NULL || k.other == NULL) {
        rc = sti_fail_memory(err, STEP);
    }
    rc = rc != STELE_OK ? rc : put(&k, name, out, err);
    sti_free(k.step);
    sti_free(k.other);
    return rc == STELE_OK
                   ? rc
                   : sti_wrap(err, rc, "keep %" PRIu64 " bytes cut at %" PRIu64, end - at, at);
}

stele_code sti_wal_quarantine_file(
        struct sti_dir *dir, const char *name, char out[STI_WAL_NAME_SIZE], stele_error *err)
{
    char candidate[STI_WAL_NAME_SIZE];
    stele_file_stat stat;
    uint64_t number = 0;
    stele_code rc;

    do {
        sti_wal_name_quarantine(candidate, name, number++);
        rc = sti_dir_stat(dir, candidate, &stat, NULL);
    } while (rc == STELE_OK);
    if (rc != STELE_ENOTFOUND) {
        return sti_dir_stat(dir, candidate, &stat, err);
    }
    rc = sti_dir_rename(dir, name, candidate, err);
    rc = rc != STELE_OK ? rc : sti_dir_sync(dir, err);
    if (rc == STELE_OK) {
        memcpy(out, candidate, sizeof candidate);
    }
    return rc;
}
