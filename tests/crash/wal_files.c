/* SPDX-License-Identifier: MIT */
#include "crash/wal_files.h"

#include "base/coding.h"
#include "base/crc32c.h"
#include "wal/format.h"
#include "wal/names.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct dir_files files = {WMODEL_DIR, STI_WAL_LOCK_NAME};

uint64_t wfiles_fingerprint(const struct sim_image *image)
{
    return dir_files_fingerprint(&files, image);
}

int wfiles_check_same(
        struct sim_image *before, struct sim_world *w, const char *who, const struct crash_why *why)
{
    return dir_files_check_same(&files, before, w, who, why);
}

bool wfiles_all_there(const struct sim_image *before, struct sim_world *w)
{
    struct sim_image *after = sim_disk_image(w->disk);
    bool all = true;

    for (uint32_t i = 0; i < before->entry_count && all; i++) {
        all = !dir_files_has(&files, before, i) ||
              dir_files_find(&files, after, before->entries[i].name) < after->entry_count;
    }
    sim_image_unref(after);
    return all;
}

bool wfiles_manifest_is_whole(const struct sim_image *image)
{
    uint32_t i = dir_files_find(&files, image, STI_WAL_MANIFEST_NAME);
    uint64_t size = 0;
    uint8_t *bytes;
    bool whole;

    if (i == image->entry_count) {
        return false;
    }
    bytes = sim_image_read(image, i, &size);
    whole = memcmp(bytes, bytes + size / 2, (size_t)size / 2) == 0;
    free(bytes);
    return whole;
}

int wfiles_check_names(struct sim_world *w, const struct crash_why *why)
{
    struct sim_image *image = sim_disk_image(w->disk);
    bool stele = false;
    bool blb = false;
    int result = 0;

    for (uint32_t i = 0; i < image->entry_count && result == 0; i++) {
        const char *name = image->entries[i].name;
        uint64_t number;
        enum sti_wal_name_kind kind = sti_wal_name_parse(name, &number);

        if (!dir_files_has(&files, image, i)) {
            continue;
        }
        stele = stele || kind == STI_WAL_NAME_STELE;
        blb = blb || kind == STI_WAL_NAME_BLB;
        if (kind == STI_WAL_NAME_LEFTOVER || kind == STI_WAL_NAME_OTHER) {
            result = crash_wrong(why, "a leftover: %s", name);
        }
    }
    if (result == 0 && stele && blb) {
        result = crash_wrong(why, "files of both formats");
    }
    sim_image_unref(image);
    return result;
}

/* ---- Quarantine. ---- */

int wfiles_check_quarantine(
        const struct sim_image *before, const struct sim_image *after, const struct crash_why *why)
{
    return dir_files_check_quarantine(&files, before, after, why);
}

/* ---- Records in files. ---- */

/* Whether the data at `at` is that of a whole record, which its header and checksum tell. */
static bool is_whole(const uint8_t *bytes, size_t size, size_t at, const stele_wal_record *record)
{
    size_t len = record->data.len;

    if (at >= STI_WAL_FRAME_SIZE && sti_get_le64(bytes + at - 16) == record->id &&
            sti_get_le32(bytes + at - 20) == len) {
        return sti_crc32c(0, bytes + at - 20, 20 + len) == sti_get_le32(bytes + at - 24);
    }
    return at >= 12 && size - at >= len + 4 && sti_get_le64(bytes + at - 12) == record->id &&
           sti_crc32c(0, bytes + at - 12, 12 + len) == sti_get_le32(bytes + at + len);
}

static bool holds_record(const struct sim_image *image, const struct wmodel_record *made)
{
    bool found = false;

    for (uint32_t i = 0; i < image->entry_count && !found; i++) {
        uint64_t number;
        enum sti_wal_name_kind kind = sti_wal_name_parse(image->entries[i].name, &number);

        if (dir_files_has(&files, image, i) &&
                (kind == STI_WAL_NAME_STELE || kind == STI_WAL_NAME_BLB)) {
            uint64_t size;
            uint8_t *bytes = sim_image_read(image, i, &size);
            const uint8_t *at = memmem(bytes, (size_t)size, made->data, made->record.data.len);

            found = at != NULL &&
                    is_whole(bytes, (size_t)size, (size_t)(at - bytes), &made->record);
            free(bytes);
        }
    }
    return found;
}

/* In any file. Zeros at the end are not looked for: they need not be put aside. */
static bool holds_data(const struct sim_image *image, const struct wmodel_record *made)
{
    size_t len = made->record.data.len;
    bool found = false;

    while (len > 0 && made->data[len - 1] == 0) {
        len--;
    }
    for (uint32_t i = 0; i < image->entry_count && !found; i++) {
        if (dir_files_has(&files, image, i)) {
            uint64_t size;
            uint8_t *bytes = sim_image_read(image, i, &size);

            found = memmem(bytes, (size_t)size, made->data, len) != NULL;
            free(bytes);
        }
    }
    return found;
}

static int check_id(const struct sim_image *before, const struct sim_image *after,
        const struct wmodel *m, uint64_t id, const struct crash_why *why)
{
    uint64_t there = m->ids[id].tried & ~m->ids[id].dead;

    for (unsigned attempt = 0; attempt < WMODEL_ATTEMPTS; attempt++) {
        struct wmodel_record made;

        if ((there >> attempt & 1) == 0) {
            continue;
        }
        wmodel_make(m->config, &made, wmodel_value(id, attempt));
        if (made.record.data.len > 0 && holds_record(before, &made) && !holds_data(after, &made)) {
            return crash_wrong(why, "record %" PRIu64 " was thrown away", id);
        }
    }
    return 0;
}

int wfiles_check_kept(const struct sim_image *before, const struct sim_image *after,
        const struct wmodel *m, const struct wmodel_scan *scan, bool all,
        const struct crash_why *why)
{
    int result = 0;

    for (uint64_t id = m->trim + 1; id < m->limit && result == 0; id++) {
        bool in_log = scan->count > 0 && id >= wmodel_first(scan) && id <= wmodel_last(scan);

        if (!in_log && (all || !m->ids[id].may_go)) {
            result = check_id(before, after, m, id, why);
        }
    }
    return result;
}
