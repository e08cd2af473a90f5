/* SPDX-License-Identifier: MIT
 *
 * files.c: reading, copying and comparing directories.
 */
#include "lib/files.h"

#include "lib/check.h"
#include "lib/tmpdir.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static uint8_t *read_path(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes;
    long size;

    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    assert_true(size >= 0);
    rewind(f);
    bytes = malloc((size_t)size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)size, f), size);
    (void)fclose(f);
    *len = (size_t)size;
    return bytes;
}

static void write_path(const char *path, const uint8_t *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct one_file *)a)->name, ((const struct one_file *)b)->name);
}

void files_read(struct files *out, const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    out->count = 0;
    out->list = calloc(FILES_MAX, sizeof *out->list);
    assert_non_null(out->list);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        int len;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                strcmp(entry->d_name, ".lock") == 0) {
            continue;
        }
        assert_true(out->count < FILES_MAX);
        len = snprintf(out->list[out->count++].name, FILE_NAME_SIZE, "%s", entry->d_name);
        assert_in_range(len, 1, FILE_NAME_SIZE - 1);
    }
    (void)closedir(dir);
    qsort(out->list, out->count, sizeof *out->list, by_name);
    for (size_t i = 0; i < out->count; i++) {
        char name[2 * TMPDIR_PATH_SIZE];

        (void)snprintf(name, sizeof name, "%s/%s", path, out->list[i].name);
        out->list[i].bytes = read_path(name, &out->list[i].len);
    }
}

void files_free(struct files *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->list[i].bytes);
    }
    free(f->list);
    f->list = NULL;
    f->count = 0;
}

bool files_equal(const struct files *a, const struct files *b)
{
    for (size_t i = 0; i < a->count || i < b->count; i++) {
        const char *left = i < a->count ? a->list[i].name : "(none)";
        const char *right = i < b->count ? b->list[i].name : "(none)";

        if (strcmp(left, right) != 0) {
            print_error("there is %s on one side, %s on the other\n", left, right);
            return false;
        }
        if (a->list[i].len != b->list[i].len ||
                memcmp(a->list[i].bytes, b->list[i].bytes, a->list[i].len) != 0) {
            print_error("%s differs (%zu and %zu bytes)\n", left, a->list[i].len, b->list[i].len);
            return false;
        }
    }
    return true;
}

const char *files_find(const struct files *f, const char *part)
{
    for (size_t i = 0; i < f->count; i++) {
        if (strstr(f->list[i].name, part) != NULL) {
            return f->list[i].name;
        }
    }
    return NULL;
}

void files_copy(const char *from, const char *to, const char *but)
{
    struct files f;

    files_read(&f, from);
    for (size_t i = 0; i < f.count; i++) {
        char name[2 * TMPDIR_PATH_SIZE];

        if (but == NULL || strcmp(f.list[i].name, but) != 0) {
            (void)snprintf(name, sizeof name, "%s/%s", to, f.list[i].name);
            write_path(name, f.list[i].bytes, f.list[i].len);
        }
    }
    files_free(&f);
}
