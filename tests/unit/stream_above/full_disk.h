/* SPDX-License-Identifier: MIT
 *
 * full_disk.h: the real file system, on which no file can be made while it is
 * said to be full.
 *
 * That is what deletions meet first on a full disk. Names can be renamed and
 * removed; removing a log may make room.
 */
#ifndef STELE_TESTS_STREAM_ABOVE_FULL_DISK_H
#define STELE_TESTS_STREAM_ABOVE_FULL_DISK_H

#include <stele/vfs.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct full_disk {
    stele_vfs vfs;
    bool full;
    bool unlink_makes_room;
    unsigned refused; /* files that could not be made */
};

struct full_dir {
    stele_dir dir;
    stele_dir *real;
    struct full_disk *disk;
};

static inline stele_dir *real_dir(stele_dir *d)
{
    return ((struct full_dir *)(void *)d)->real;
}

static inline int full_close(stele_dir *d)
{
    int rc = real_dir(d)->ops->close(real_dir(d));

    free(d);
    return rc;
}

static inline int full_open(stele_dir *d, const char *name, unsigned flags, stele_file **out)
{
    struct full_disk *disk = ((struct full_dir *)(void *)d)->disk;
    stele_dir *real = real_dir(d);
    stele_file_stat st;

    if (disk->full && (flags & STELE_OPEN_CREATE) != 0 &&
            real->ops->stat(real, name, &st) == -ENOENT) {
        disk->refused++;
        return -ENOSPC;
    }
    return real->ops->open(real, name, flags, out);
}

static inline int full_stat(stele_dir *d, const char *name, stele_file_stat *out)
{
    return real_dir(d)->ops->stat(real_dir(d), name, out);
}

static inline int full_rename(stele_dir *d, const char *from, const char *to)
{
    return real_dir(d)->ops->rename(real_dir(d), from, to);
}

static inline int full_unlink(stele_dir *d, const char *name)
{
    struct full_disk *disk = ((struct full_dir *)(void *)d)->disk;
    size_t len = strlen(name);
    int rc = real_dir(d)->ops->unlink(real_dir(d), name);

    if (rc == 0 && disk->unlink_makes_room && len > 4 && strcmp(name + len - 4, ".log") == 0) {
        disk->full = false;
    }
    return rc;
}

static inline int full_sync(stele_dir *d)
{
    return real_dir(d)->ops->sync(real_dir(d));
}

static inline int full_list(stele_dir *d, int (*each)(void *arg, const char *name), void *arg)
{
    return real_dir(d)->ops->list(real_dir(d), each, arg);
}

static inline int full_open_dir(
        const stele_vfs *v, const char *path, unsigned flags, stele_dir **out)
{
    static const stele_dir_ops ops = {
            .version = 1,
            .close = full_close,
            .open = full_open,
            .stat = full_stat,
            .rename = full_rename,
            .unlink = full_unlink,
            .sync = full_sync,
            .list = full_list,
    };
    struct full_dir *dir = calloc(1, sizeof *dir);
    int rc;

    if (dir == NULL) {
        return -ENOMEM;
    }
    rc = stele_vfs_posix()->ops->open_dir(stele_vfs_posix(), path, flags, &dir->real);
    if (rc < 0) {
        free(dir);
        return rc;
    }
    dir->dir.ops = &ops;
    /* The disk begins with its vfs, and is never constant. */
    dir->disk = (struct full_disk *)(uintptr_t)v;
    *out = &dir->dir;
    return 0;
}

static inline void full_disk_init(struct full_disk *disk)
{
    static const stele_vfs_ops ops = {.version = 1, .open_dir = full_open_dir};

    memset(disk, 0, sizeof *disk);
    disk->vfs.ops = &ops;
}

#endif /* STELE_TESTS_STREAM_ABOVE_FULL_DISK_H */
