/* SPDX-License-Identifier: MIT */
#include "crash/wal_files.h"

#include "base/coding.h"
#include "base/crc32c.h"
#include "wal/format.h"
#include "wal/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool counts(const struct sim_image *image, uint32_t i)
{
    const struct sim_entry *e = &image->entries[i];

    return strcmp(image->dirs[e->dir].path, WMODEL_DIR) == 0 &&
           strcmp(e->name, STI_WAL_LOCK_NAME) != 0;
}

/* The entry with this name, or entry_count. */
static uint32_t find(const struct sim_image *image, const char *name)
{
    uint32_t i = 0;

    while (i < image->entry_count &&
            !(counts(image, i) && strcmp(image->entries[i].name, name) == 0)) {
        i++;
    }
    return i;
}

uint64_t wfiles_fingerprint(const struct sim_image *image)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < image->entry_count; i++) {
        const struct sim_entry *e = &image->entries[i];

        if (counts(image, i)) {
            sum += sim_mix(sim_hash_name(e->name) + sim_mix(e->content->hash));
        }
    }
    return sum;
}

/* A file of `a` that `b` has not, or not so; NULL for none. */
static const char *first_missing(const struct sim_image *a, const struct sim_image *b)
{
    for (uint32_t i = 0; i < a->entry_count; i++) {
        const struct sim_entry *e = &a->entries[i];
        uint32_t j = find(b, e->name);

        if (counts(a, i) &&
                (j == b->entry_count || b->entries[j].content->size != e->content->size ||
                        b->entries[j].content->hash != e->content->hash)) {
            return e->name;
        }
    }
    return NULL;
}

int wfiles_check_same(struct sim_image *before, struct sim_world *w, const char *who,
        const struct wmodel_why *why)
{
    struct sim_image *after = sim_disk_image(w->disk);
    const char *name = first_missing(before, after);
    int result;

    name = name != NULL ? name : first_missing(after, before);
    result = name == NULL ? 0 : wmodel_wrong(why, "%s changed %s", who, name);
    sim_image_unref(after);
    sim_image_unref(before);
    return result;
}

bool wfiles_all_there(const struct sim_image *before, struct sim_world *w)
{
    struct sim_image *after = sim_disk_image(w->disk);
    bool all = true;

    for (uint32_t i = 0; i < before->entry_count && all; i++) {
        all = !counts(before, i) || find(after, before->entries[i].name) < after->entry_count;
    }
    sim_image_unref(after);
    return all;
}

bool wfiles_manifest_is_whole(const struct sim_image *image)
{
    uint32_t i = find(image, STI_WAL_MANIFEST_NAME);
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

int wfiles_check_names(struct sim_world *w, const struct wmodel_why *why)
{
    struct sim_image *image = sim_disk_image(w->disk);
    bool stele = false;
    bool blb = false;
    int result = 0;

    for (uint32_t i = 0; i < image->entry_count && result == 0; i++) {
        const char *name = image->entries[i].name;
        uint64_t number;
        enum sti_wal_name_kind kind = sti_wal_name_parse(name, &number);

        if (!counts(image, i)) {
            continue;
        }
        stele = stele || kind == STI_WAL_NAME_STELE;
        blb = blb || kind == STI_WAL_NAME_BLB;
        if (kind == STI_WAL_NAME_LEFTOVER || kind == STI_WAL_NAME_OTHER) {
            result = wmodel_wrong(why, "a leftover: %s", name);
        }
    }
    if (result == 0 && stele && blb) {
        result = wmodel_wrong(why, "files of both formats");
    }
    sim_image_unref(image);
    return result;
}

/* ---- Quarantine. ---- */

/* Taken apart: quarantine-NAME-NUMBER. The number is the place in the file, or, if that name was
 * taken, another one. False if it is not one. */
static bool parse_quarantine(const char *file, char name[SIM_NAME_SIZE])
{
    static const char prefix[] = "quarantine-";
    const char *dash = strrchr(file, '-');
    size_t len;

    if (strncmp(file, prefix, sizeof prefix - 1) != 0 || dash < file + sizeof prefix) {
        return false;
    }
    len = (size_t)(dash - (file + sizeof prefix - 1));
    memcpy(name, file + sizeof prefix - 1, len);
    name[len] = '\0';
    return true;
}

static int check_one_quarantine(const struct sim_image *before, const struct sim_image *after,
        uint32_t entry, const struct wmodel_why *why)
{
    const char *file = after->entries[entry].name;
    char name[SIM_NAME_SIZE];
    uint64_t len;
    uint64_t size = 0;
    uint8_t *part;
    uint8_t *whole;
    uint32_t from;
    int result = 0;

    if (!parse_quarantine(file, name)) {
        return 0;
    }
    from = find(before, name);
    if (from == before->entry_count) {
        return wmodel_wrong(why, "%s is of a file that was not there", file);
    }
    part = sim_image_read(after, entry, &len);
    whole = sim_image_read(before, from, &size);
    if (len > 0 && memmem(whole, (size_t)size, part, (size_t)len) == NULL) {
        result = wmodel_wrong(why, "%s does not hold what was there", file);
    }
    free(part);
    free(whole);
    return result;
}

int wfiles_check_quarantine(
        const struct sim_image *before, const struct sim_image *after, const struct wmodel_why *why)
{
    char name[SIM_NAME_SIZE];
    int result = 0;

    for (uint32_t i = 0; i < after->entry_count && result == 0; i++) {
        if (counts(after, i) && find(before, after->entries[i].name) == before->entry_count) {
            result = check_one_quarantine(before, after, i, why);
        }
    }
    for (uint32_t i = 0; i < before->entry_count && result == 0; i++) {
        const struct sim_entry *e = &before->entries[i];
        uint32_t j = find(after, e->name);

        if (counts(before, i) && parse_quarantine(e->name, name) &&
                strstr(e->name, ".tmp") == NULL &&
                (j == after->entry_count || after->entries[j].content->hash != e->content->hash)) {
            result = wmodel_wrong(why, "%s is not as it was", e->name);
        }
    }
    return result;
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

        if (counts(image, i) && (kind == STI_WAL_NAME_STELE || kind == STI_WAL_NAME_BLB)) {
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
        if (counts(image, i)) {
            uint64_t size;
            uint8_t *bytes = sim_image_read(image, i, &size);

            found = memmem(bytes, (size_t)size, made->data, len) != NULL;
            free(bytes);
        }
    }
    return found;
}

static int check_id(const struct sim_image *before, const struct sim_image *after,
        const struct wmodel *m, uint64_t id, const struct wmodel_why *why)
{
    uint64_t there = m->ids[id].tried & ~m->ids[id].dead;

    for (unsigned attempt = 0; attempt < WMODEL_ATTEMPTS; attempt++) {
        struct wmodel_record made;

        if ((there >> attempt & 1) == 0) {
            continue;
        }
        wmodel_make(m->config, &made, wmodel_value(id, attempt));
        if (made.record.data.len > 0 && holds_record(before, &made) && !holds_data(after, &made)) {
            return wmodel_wrong(why, "record %" PRIu64 " was thrown away", id);
        }
    }
    return 0;
}

int wfiles_check_kept(const struct sim_image *before, const struct sim_image *after,
        const struct wmodel *m, const struct wmodel_scan *scan, bool all,
        const struct wmodel_why *why)
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
