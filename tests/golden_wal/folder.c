/* SPDX-License-Identifier: MIT */
#include "folder.h"

#include "lib/check.h"
#include "lib/tmpdir.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    SECTOR = 512,
    FILES_MAX = 64
};

static void path_of(struct tmpdir *t, const char *folder)
{
    int n = snprintf(t->path, sizeof t->path, "%s", folder);

    assert_in_range(n, 1, sizeof t->path - 1);
}

struct sim_image *folder_load(const char *folder, const char *dir)
{
    struct sim_image *image = sim_image_new(SECTOR, 1, FILES_MAX);
    DIR *d = opendir(folder);
    const struct dirent *found;
    struct tmpdir t;
    uint32_t count = 0;

    if (d == NULL) {
        print_error("%s: %s\n", folder, strerror(errno));
        fail();
    }
    path_of(&t, folder);
    (void)snprintf(image->dirs[0].path, sizeof image->dirs[0].path, "%s", dir);
    while ((found = readdir(d)) != NULL) {
        struct sim_entry *entry = &image->entries[count];
        uint8_t *bytes;
        size_t len;
        int n;

        if (found->d_name[0] == '.') {
            continue;
        }
        assert_true(count < FILES_MAX);
        n = snprintf(entry->name, sizeof entry->name, "%s", found->d_name);
        assert_in_range(n, 1, sizeof entry->name - 1);
        bytes = tmpdir_read(&t, found->d_name, &len);
        entry->content = sim_content_of_bytes(bytes, len, SECTOR);
        free(bytes);
        count++;
    }
    (void)closedir(d);
    image->entry_count = count;
    sim_image_seal(image);
    return image;
}

void folder_save(const struct sim_image *image, const char *folder)
{
    struct tmpdir t;

    path_of(&t, folder);
    assert_true(mkdir(folder, 0777) == 0 || errno == EEXIST);
    for (uint32_t i = 0; i < image->entry_count; i++) {
        uint64_t size;
        uint8_t *bytes;

        if (image->entries[i].name[0] != '.') {
            bytes = sim_image_read(image, i, &size);
            tmpdir_write(&t, image->entries[i].name, bytes, (size_t)size);
            free(bytes);
        }
    }
}

static void compare_file(
        const struct tmpdir *t, const char *name, const uint8_t *bytes, uint64_t size)
{
    uint8_t *want;
    size_t len;

    if (!tmpdir_exists(t, name)) {
        print_error("%s is not in %s\n", name, t->path);
        fail();
    }
    want = tmpdir_read(t, name, &len);
    for (uint64_t i = 0; i < len && i < size; i++) {
        if (bytes[i] != want[i]) {
            print_error("%s/%s: byte %llu is 0x%02x now, and was 0x%02x\n", t->path, name,
                    (unsigned long long)i, bytes[i], want[i]);
            fail();
        }
    }
    assert_int_equal(size, len);
    free(want);
}

void folder_compare(const struct sim_image *image, const char *folder)
{
    struct sim_image *frozen = folder_load(folder, "/");
    struct tmpdir t;
    uint32_t count = 0;

    path_of(&t, folder);
    for (uint32_t i = 0; i < image->entry_count; i++) {
        if (image->entries[i].name[0] != '.') {
            uint64_t size;
            uint8_t *bytes = sim_image_read(image, i, &size);

            compare_file(&t, image->entries[i].name, bytes, size);
            free(bytes);
            count++;
        }
    }
    assert_int_equal(count, frozen->entry_count);
    sim_image_unref(frozen);
}
