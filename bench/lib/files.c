/* SPDX-License-Identifier: MIT
 *
 * Directories of data, and what /proc says about memory.
 */
#include "lib/bench.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void bench_path(char *out, const char *dir, const char *name)
{
    int len = snprintf(out, BENCH_PATH_SIZE, "%s/%s", dir, name);

    if (len < 0 || len >= BENCH_PATH_SIZE) {
        bench_die("%s/%s: name too long", dir, name);
    }
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void bench_remove_dir(const char *path)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT) {
        bench_die("%s: %s", path, strerror(errno));
    }
}

void bench_fresh_dir(const char *path)
{
    bench_remove_dir(path);
    if (mkdir(path, 0700) != 0) {
        bench_die("%s: %s", path, strerror(errno));
    }
}

void bench_each_file(
        const char *dir, const char *ending, void (*each)(const char *path, void *arg), void *arg)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;

    if (d == NULL) {
        bench_die("%s: %s", dir, strerror(errno));
    }
    while ((entry = readdir(d)) != NULL) {
        size_t len = strlen(entry->d_name);
        size_t end = strlen(ending);
        char path[BENCH_PATH_SIZE];

        if (len >= end && strcmp(entry->d_name + len - end, ending) == 0) {
            bench_path(path, dir, entry->d_name);
            each(path, arg);
        }
    }
    (void)closedir(d);
}

double bench_memory_malloc(void)
{
    struct mallinfo2 info = mallinfo2();

    return (double)(info.uordblks + info.hblkhd);
}

double bench_memory_status(const char *field)
{
    FILE *f = fopen("/proc/self/status", "r");
    char text[256];
    double kib = -1;

    if (f == NULL) {
        bench_die("/proc/self/status: %s", strerror(errno));
    }
    while (kib < 0 && fgets(text, sizeof text, f) != NULL) {
        size_t len = strlen(field);

        if (strncmp(text, field, len) == 0 && text[len] == ':') {
            kib = strtod(text + len + 1, NULL);
        }
    }
    (void)fclose(f);
    if (kib < 0) {
        bench_die("/proc/self/status: no %s", field);
    }
    return 1024 * kib;
}

void bench_sync_file(FILE *f)
{
    if (fflush(f) != 0 || fdatasync(fileno(f)) != 0) {
        bench_die("sync: %s", strerror(errno));
    }
}
