/* SPDX-License-Identifier: MIT
 *
 * manifest_file.c: the two slots of a manifest on disk.
 *
 * The slot that is surely whole is never the first one to be written.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"
#include "wal/manifest.h"
#include "wal/names.h"

/* A manifest of more than that was not written by us: a million segments. */
#define FILE_MAX ((size_t)1 << 27)

void sti_wal_manifest_close(struct sti_wal_manifest_file *file)
{
    sti_file_close(&file->file);
    file->slot_size = 0;
    file->slot = 0;
}

/* Of both slots, the newer one. */
static stele_code choose(const uint8_t *data, size_t slot_size, struct sti_wal_manifest *m,
        unsigned *slot, enum sti_wal_slots *slots, stele_error *err)
{
    struct sti_wal_manifest both[2];
    stele_error errors[2];
    stele_code rc[2];
    unsigned best;

    for (unsigned i = 0; i < 2; i++) {
        rc[i] = sti_wal_manifest_decode(
                stele_bytes_of(data + i * slot_size, slot_size), &both[i], &errors[i]);
    }
    if (rc[0] == STELE_ENOMEM || rc[1] == STELE_ENOMEM) {
        /* The one that could not be read may be the newer one. */
        for (unsigned i = 0; i < 2; i++) {
            if (rc[i] == STELE_OK) {
                sti_wal_manifest_free(&both[i]);
            }
        }
        return sti_fail_memory(err, slot_size);
    }
    best = rc[0] == STELE_OK ? 0 : 1;
    *slots = STI_WAL_SLOTS_DAMAGED;
    if (rc[0] == STELE_OK && rc[1] == STELE_OK) {
        *slots = both[0].generation == both[1].generation ? STI_WAL_SLOTS_ALIKE
                                                          : STI_WAL_SLOTS_APART;
        best = both[1].generation > both[0].generation ? 1 : 0;
        if (STI_MUTANT(WAL_MANIFEST_OLDER_SLOT)) {
            best = 1 - best;
        }
    }
    *slot = best;
    if (rc[best] != STELE_OK) {
        /* A version that is not known tells more than damage does. */
        unsigned told = rc[0] == STELE_ECORRUPT ? 1 : 0;

        return sti_fail_at(err, rc[told], STI_WAL_MANIFEST_NAME, -1, "%s", errors[told].message);
    }
    sti_wal_manifest_free(&both[1 - best]);
    *m = both[best];
    return STELE_OK;
}

stele_code sti_wal_manifest_read(struct sti_dir *dir, struct sti_wal_manifest *m,
        enum sti_wal_slots *slots, struct sti_wal_manifest_file *out_file, stele_error *err)
{
    struct sti_file f = {0};
    uint8_t *data = NULL;
    size_t len = 0;
    unsigned slot = 0;
    enum sti_wal_slots found = STI_WAL_SLOTS_DAMAGED;
    stele_code rc = sti_file_open(&f, dir, STI_WAL_MANIFEST_NAME,
            out_file != NULL ? STELE_OPEN_WRITE : STELE_OPEN_READ, err);

    rc = rc != STELE_OK ? rc : sti_file_read_all(&f, FILE_MAX, &data, &len, err);
    if (rc == STELE_ETOOBIG || (rc == STELE_OK && len % 2 != 0)) {
        rc = sti_fail_at(err, STELE_ECORRUPT, STI_WAL_MANIFEST_NAME, -1,
                "is no manifest: its size is wrong");
    }
    rc = rc != STELE_OK ? rc : choose(data, len / 2, m, &slot, &found, err);
    sti_free(data);
    if (rc != STELE_OK || out_file == NULL) {
        sti_file_close(&f);
    }
    if (rc == STELE_OK && out_file != NULL) {
        out_file->file = f;
        out_file->slot_size = len / 2;
        out_file->slot = slot;
    }
    if (rc == STELE_OK && slots != NULL) {
        *slots = found;
    }
    return rc;
}

/* A new file, with the same in both slots. */
static stele_code write_new(struct sti_dir *dir, struct sti_wal_manifest_file *file, uint8_t *both,
        size_t slot_size, size_t len, stele_error *err)
{
    struct sti_file f = {0};
    stele_code rc;

    memcpy(both + slot_size, both, len);
    rc = sti_dir_replace(dir, STI_WAL_MANIFEST_NAME, both, 2 * slot_size, err);
    rc = rc != STELE_OK ? rc : sti_file_open(&f, dir, STI_WAL_MANIFEST_NAME, STELE_OPEN_WRITE, err);
    if (rc == STELE_OK) {
        sti_wal_manifest_close(file);
        file->file = f;
        file->slot_size = slot_size;
        file->slot = 0;
    }
    return rc;
}

static stele_code write_slot(struct sti_wal_manifest_file *file, unsigned slot, const uint8_t *data,
        size_t len, stele_error *err)
{
    stele_code rc = sti_file_write(&file->file, slot * file->slot_size, data, len, err);

    if (rc == STELE_OK && !STI_MUTANT(WAL_MANIFEST_NOT_SYNCED)) {
        rc = sti_file_sync(&file->file, true, err);
        /* What a failed sync leaves is in doubt, whatever the reason. */
        rc = rc == STELE_ENOSPC ? STELE_EIO : rc;
    }
    return rc;
}

/* What a write that met a full disk left of a slot, made the same as the other one. */
static stele_code put_slot_back(struct sti_wal_manifest_file *file, unsigned slot)
{
    uint8_t *old = sti_malloc((size_t)file->slot_size);
    stele_code rc = old != NULL ? STELE_OK : STELE_ENOMEM;

    if (rc == STELE_OK) {
        rc = sti_file_read(
                &file->file, (1 - slot) * file->slot_size, old, (size_t)file->slot_size, NULL);
    }
    rc = rc != STELE_OK ? rc : write_slot(file, slot, old, (size_t)file->slot_size, NULL);
    sti_free(old);
    return rc;
}

stele_code sti_wal_manifest_write(struct sti_dir *dir, struct sti_wal_manifest_file *file,
        struct sti_wal_manifest *m, stele_error *err)
{
    size_t len = sti_wal_manifest_size(m->count);
    size_t slot_size = STI_WAL_MANIFEST_SLOT;
    uint8_t *both;
    stele_code rc;

    sti_assert(m->generation < UINT64_MAX);
    while (slot_size < len) {
        slot_size *= 2;
    }
    both = sti_calloc(2, slot_size);
    if (both == NULL) {
        return sti_fail_memory(err, 2 * slot_size);
    }
    m->generation++;
    sti_wal_manifest_encode(both, m);
    if (file->file.raw == NULL || file->slot_size < len) {
        rc = write_new(dir, file, both, slot_size, len, err);
    } else {
        rc = write_slot(file, 1 - file->slot, both, len, err);
        if (rc == STELE_ENOSPC && put_slot_back(file, 1 - file->slot) != STELE_OK) {
            rc = sti_fail_at(err, STELE_EIO, STI_WAL_MANIFEST_NAME, -1,
                    "no space left, and what was written cannot be put back");
        }
        if (rc == STELE_OK) {
            file->slot = 1 - file->slot;
            rc = STI_MUTANT(WAL_MANIFEST_ONE_SLOT)
                         ? STELE_OK
                         : write_slot(file, 1 - file->slot, both, len, err);
            /* It counts already; the next update writes that slot first. */
            rc = rc == STELE_ENOSPC ? STELE_OK : rc;
        }
    }
    if (rc != STELE_OK) {
        m->generation--;
    }
    sti_free(both);
    return rc;
}
