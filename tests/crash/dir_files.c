/* SPDX-License-Identifier: MIT */
#include "crash/dir_files.h"

#include <stdlib.h>
#include <string.h>

bool dir_files_has(const struct dir_files *d, const struct sim_image *image, uint32_t i)
{
    const struct sim_entry *e = &image->entries[i];

    return strcmp(image->dirs[e->dir].path, d->dir) == 0 && strcmp(e->name, d->lock) != 0;
}

uint32_t dir_files_find(const struct dir_files *d, const struct sim_image *image, const char *name)
{
    uint32_t i = 0;

    while (i < image->entry_count &&
            !(dir_files_has(d, image, i) && strcmp(image->entries[i].name, name) == 0)) {
        i++;
    }
    return i;
}

bool dir_files_holds(const struct sim_image *image, uint32_t entry, const uint8_t *part, size_t len)
{
    uint64_t size = 0;
    uint8_t *bytes = sim_image_read(image, entry, &size);
    bool found = len == 0 || memmem(bytes, (size_t)size, part, len) != NULL;

    free(bytes);
    return found;
}

uint64_t dir_files_fingerprint(const struct dir_files *d, const struct sim_image *image)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < image->entry_count; i++) {
        const struct sim_entry *e = &image->entries[i];

        if (dir_files_has(d, image, i)) {
            sum += sim_mix(sim_hash_name(e->name) + sim_mix(e->content->hash));
        }
    }
    return sum;
}

/* A file of `a` that `b` has not, or not so; NULL for none. */
static const char *first_missing(
        const struct dir_files *d, const struct sim_image *a, const struct sim_image *b)
{
    for (uint32_t i = 0; i < a->entry_count; i++) {
        const struct sim_entry *e = &a->entries[i];
        uint32_t j = dir_files_find(d, b, e->name);

        if (dir_files_has(d, a, i) &&
                (j == b->entry_count || b->entries[j].content->size != e->content->size ||
                        b->entries[j].content->hash != e->content->hash)) {
            return e->name;
        }
    }
    return NULL;
}

int dir_files_check_same(const struct dir_files *d, struct sim_image *before, struct sim_world *w,
        const char *who, const struct crash_why *why)
{
    struct sim_image *after = sim_disk_image(w->disk);
    const char *name = first_missing(d, before, after);
    int result;

    name = name != NULL ? name : first_missing(d, after, before);
    result = name == NULL ? 0 : crash_wrong(why, "%s changed %s", who, name);
    sim_image_unref(after);
    sim_image_unref(before);
    return result;
}

/* ---- Quarantine. ---- */

bool dir_files_quarantine_of(const char *file, char name[SIM_NAME_SIZE])
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

static int check_new(const struct dir_files *d, const struct sim_image *before,
        const struct sim_image *after, uint32_t entry, const struct crash_why *why)
{
    const char *file = after->entries[entry].name;
    char name[SIM_NAME_SIZE];
    uint64_t len = 0;
    uint8_t *part;
    uint32_t from;
    int result = 0;

    if (!dir_files_quarantine_of(file, name)) {
        return 0;
    }
    from = dir_files_find(d, before, name);
    if (from == before->entry_count) {
        return crash_wrong(why, "%s is of a file that was not there", file);
    }
    part = sim_image_read(after, entry, &len);
    if (!dir_files_holds(before, from, part, (size_t)len)) {
        result = crash_wrong(why, "%s does not hold what was there", file);
    }
    free(part);
    return result;
}

int dir_files_check_quarantine(const struct dir_files *d, const struct sim_image *before,
        const struct sim_image *after, const struct crash_why *why)
{
    char name[SIM_NAME_SIZE];
    int result = 0;

    for (uint32_t i = 0; i < after->entry_count && result == 0; i++) {
        if (dir_files_has(d, after, i) &&
                dir_files_find(d, before, after->entries[i].name) == before->entry_count) {
            result = check_new(d, before, after, i, why);
        }
    }
    for (uint32_t i = 0; i < before->entry_count && result == 0; i++) {
        const struct sim_entry *e = &before->entries[i];
        uint32_t j = dir_files_find(d, after, e->name);

        if (dir_files_has(d, before, i) && dir_files_quarantine_of(e->name, name) &&
                strstr(e->name, ".tmp") == NULL &&
                (j == after->entry_count || after->entries[j].content->hash != e->content->hash)) {
            result = crash_wrong(why, "%s is not as it was", e->name);
        }
    }
    return result;
}
