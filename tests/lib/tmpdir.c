/* SPDX-License-Identifier: MIT
 *
 * tmpdir.c: directories for tests, with the plain C library.
 */
#include "lib/tmpdir.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    OPEN_DIRS_MAX = 16
};

_Noreturn static void give_up(const char *what, const char *path)
{
    (void)fprintf(stderr, "tmpdir: cannot %s %s: %s\n", what, path, strerror(errno));
    abort();
}

void tmpdir_make(struct tmpdir *t)
{
    const char *base = getenv("TMPDIR");
    int n = snprintf(t->path, sizeof t->path, "%s/stele-test-XXXXXX",
            base == NULL || base[0] == '\0' ? "/tmp" : base);

    if (n < 0 || (size_t)n >= sizeof t->path || mkdtemp(t->path) == NULL) {
        give_up("make a directory in", base == NULL ? "/tmp" : base);
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

void tmpdir_remove(struct tmpdir *t)
{
    if (nftw(t->path, remove_one, OPEN_DIRS_MAX, FTW_DEPTH | FTW_PHYS) != 0) {
        give_up("remove", t->path);
    }
    t->path[0] = '\0';
}

void tmpdir_path(const struct tmpdir *t, const char *name, char out[TMPDIR_PATH_SIZE])
{
    int n = snprintf(out, TMPDIR_PATH_SIZE, "%s%s%s", t->path, name[0] == '\0' ? "" : "/", name);

    if (n < 0 || n >= TMPDIR_PATH_SIZE) {
        errno = ENAMETOOLONG;
        give_up("name", name);
    }
}

static FILE *open_file(const struct tmpdir *t, const char *name, const char *mode)
{
    char path[TMPDIR_PATH_SIZE];
    FILE *f;

    tmpdir_path(t, name, path);
    f = fopen(path, mode);
    if (f == NULL) {
        give_up("open", path);
    }
    return f;
}

static void close_file(FILE *f, const char *name)
{
    if (fclose(f) != 0) {
        give_up("write", name);
    }
}

uint64_t tmpdir_size(const struct tmpdir *t, const char *name)
{
    char path[TMPDIR_PATH_SIZE];
    struct stat st;

    tmpdir_path(t, name, path);
    if (stat(path, &st) != 0) {
        give_up("look up", path);
    }
    return (uint64_t)st.st_size;
}

uint8_t *tmpdir_read(const struct tmpdir *t, const char *name, size_t *len)
{
    size_t size = (size_t)tmpdir_size(t, name);
    FILE *f = open_file(t, name, "rb");
    uint8_t *data = malloc(size + 1);

    if (data == NULL || fread(data, 1, size, f) != size) {
        give_up("read", name);
    }
    data[size] = 0;
    close_file(f, name);
    *len = size;
    return data;
}

static void put(
        const struct tmpdir *t, const char *name, const char *mode, const void *data, size_t len)
{
    FILE *f = open_file(t, name, mode);

    if (len > 0 && fwrite(data, 1, len, f) != len) {
        give_up("write", name);
    }
    close_file(f, name);
}

void tmpdir_write(const struct tmpdir *t, const char *name, const void *data, size_t len)
{
    put(t, name, "wb", data, len);
}

void tmpdir_append(const struct tmpdir *t, const char *name, const void *data, size_t len)
{
    put(t, name, "ab", data, len);
}

void tmpdir_flip(const struct tmpdir *t, const char *name, uint64_t bit)
{
    FILE *f = open_file(t, name, "r+b");
    int byte = fseek(f, (long)(bit / 8), SEEK_SET) == 0 ? fgetc(f) : EOF;

    if (byte == EOF || fseek(f, (long)(bit / 8), SEEK_SET) != 0 ||
            fputc(byte ^ (1 << (bit % 8)), f) == EOF) {
        give_up("flip a bit of", name);
    }
    close_file(f, name);
}

void tmpdir_cut(const struct tmpdir *t, const char *name, uint64_t size)
{
    char path[TMPDIR_PATH_SIZE];

    tmpdir_path(t, name, path);
    if (tmpdir_size(t, name) < size || truncate(path, (off_t)size) != 0) {
        give_up("cut", path);
    }
}

void tmpdir_mkdir(const struct tmpdir *t, const char *name)
{
    char path[TMPDIR_PATH_SIZE];

    tmpdir_path(t, name, path);
    if (mkdir(path, 0700) != 0) {
        give_up("make", path);
    }
}

bool tmpdir_exists(const struct tmpdir *t, const char *name)
{
    char path[TMPDIR_PATH_SIZE];
    struct stat st;

    tmpdir_path(t, name, path);
    if (lstat(path, &st) == 0) {
        return true;
    }
    if (errno != ENOENT) {
        give_up("look up", path);
    }
    return false;
}

void tmpdir_sha256(const struct tmpdir *t, const char *name, char out[17])
{
    char command[TMPDIR_PATH_SIZE + 16];
    char path[TMPDIR_PATH_SIZE];
    FILE *f;

    tmpdir_path(t, name, path);
    (void)snprintf(command, sizeof command, "sha256sum '%s'", path);
    f = popen(command, "r");
    if (f == NULL || fread(out, 1, 16, f) != 16) {
        give_up("sum up", path);
    }
    out[16] = '\0';
    while (fgetc(f) != EOF) {
    }
    if (pclose(f) != 0) {
        give_up("sum up", path);
    }
}
