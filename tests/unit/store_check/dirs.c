/* SPDX-License-Identifier: MIT
 *
 * dirs.c: listing and copying.
 */
#include "dirs.h"

#include "lib/check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void add(struct dirs *d, const char *folder, const char *name)
{
    char path[TMPDIR_PATH_SIZE];
    char *copy;

    (void)snprintf(path, sizeof path, "%s%s%s", folder, folder[0] == '\0' ? "" : "/", name);
    copy = strdup(path);
    assert_non_null(copy);
    assert_true(d->count < DIRS_MAX);
    d->names[d->count++] = copy;
}

/* The files of one folder, and with `folders` its folders instead. */
static void list_one(struct dirs *d, const struct tmpdir *t, const char *folder, bool folders)
{
    char path[TMPDIR_PATH_SIZE];
    const struct dirent *entry;
    DIR *dir;

    tmpdir_path(t, folder, path);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        char inner[TMPDIR_PATH_SIZE];
        struct stat st;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        (void)snprintf(
                inner, sizeof inner, "%s%s%s", folder, folder[0] == '\0' ? "" : "/", entry->d_name);
        tmpdir_path(t, inner, path);
        assert_int_equal(stat(path, &st), 0);
        if (S_ISDIR(st.st_mode) == folders) {
            add(d, folder, entry->d_name);
        }
    }
    (void)closedir(dir);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void dirs_list(struct dirs *d, const struct tmpdir *t)
{
    struct dirs folders = {.count = 0};

    d->count = 0;
    list_one(&folders, t, "", true);
    list_one(d, t, "", false);
    for (size_t i = 0; i < folders.count; i++) {
        list_one(d, t, folders.names[i], false);
    }
    dirs_free(&folders);
    qsort(d->names, d->count, sizeof *d->names, compare);
}

void dirs_free(struct dirs *d)
{
    for (size_t i = 0; i < d->count; i++) {
        free(d->names[i]);
    }
    d->count = 0;
}

void dirs_copy(const struct tmpdir *from, const struct tmpdir *to)
{
    struct dirs folders = {.count = 0};
    struct dirs files;

    list_one(&folders, from, "", true);
    for (size_t i = 0; i < folders.count; i++) {
        tmpdir_mkdir(to, folders.names[i]);
    }
    dirs_free(&folders);
    dirs_list(&files, from);
    for (size_t i = 0; i < files.count; i++) {
        size_t len = 0;
        uint8_t *bytes = tmpdir_read(from, files.names[i], &len);

        size_t used = len;
        char path[TMPDIR_PATH_SIZE];

        /* What a log has reserved need not be written. */
        while (used > 0 && bytes[used - 1] == 0) {
            used--;
        }
        tmpdir_write(to, files.names[i], bytes, used);
        tmpdir_path(to, files.names[i], path);
        assert_int_equal(truncate(path, (off_t)len), 0);
        free(bytes);
    }
    dirs_free(&files);
}
