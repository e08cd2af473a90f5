/* SPDX-License-Identifier: MIT
 *
 * faulty.c: a table that passes on, counts and sometimes fails.
 */
#include "faulty.h"

#include <stdlib.h>

struct faulty_dir {
    stele_dir base;
    stele_dir *real;
    struct faulty *faulty;
};

struct faulty_file {
    stele_file base;
    stele_file *real;
    struct faulty *faulty;
};

static struct faulty_dir *dir_of(stele_dir *d)
{
    return (struct faulty_dir *)d;
}

static struct faulty_file *file_of(stele_file *f)
{
    return (struct faulty_file *)f;
}

static int fault(struct faulty *f)
{
    return f->ops++ == f->fail_at ? -f->sys_errno : 0;
}

static int file_close(stele_file *file)
{
    struct faulty_file *f = file_of(file);
    int rc = f->real->ops->close(f->real);

    free(f);
    return rc;
}

static int64_t file_pread(stele_file *file, void *out, size_t len, uint64_t at)
{
    struct faulty_file *f = file_of(file);
    int rc = fault(f->faulty);

    if (rc < 0) {
        return rc;
    }
    if (len > f->faulty->transfer_max) {
        len = f->faulty->transfer_max;
    }
    return f->real->ops->pread(f->real, out, len, at);
}

static int64_t file_pwritev(stele_file *file, const stele_slice *slices, int count, uint64_t at)
{
    struct faulty_file *f = file_of(file);
    stele_slice some[STELE_SLICES_MAX];
    size_t room = f->faulty->transfer_max;
    int n = 0;
    int rc = fault(f->faulty);

    f->faulty->writes++;
    if (rc < 0) {
        return rc;
    }
    if (f->faulty->take_nothing) {
        return 0;
    }
    while (n < count && room > 0) {
        some[n] = slices[n];
        if (some[n].len > room) {
            some[n].len = room;
        }
        room -= some[n].len;
        n++;
    }
    return f->real->ops->pwritev(f->real, some, n, at);
}

static int file_allocate(stele_file *file, uint64_t at, uint64_t len)
{
    struct faulty_file *f = file_of(file);
    int rc = fault(f->faulty);

    return rc < 0 ? rc : f->real->ops->allocate(f->real, at, len);
}

static int file_truncate(stele_file *file, uint64_t size)
{
    struct faulty_file *f = file_of(file);
    int rc = fault(f->faulty);

    return rc < 0 ? rc : f->real->ops->truncate(f->real, size);
}

static int file_stat(stele_file *file, stele_file_stat *out)
{
    struct faulty_file *f = file_of(file);
    int rc = fault(f->faulty);

    return rc < 0 ? rc : f->real->ops->stat(f->real, out);
}

static int file_sync(stele_file *file, bool data_only)
{
    struct faulty_file *f = file_of(file);
    int rc = fault(f->faulty);

    f->faulty->syncs++;
    return rc < 0 ? rc : f->real->ops->sync(f->real, data_only);
}

static int file_map(stele_file *file, size_t len, bool writable, void **out)
{
    struct faulty_file *f = file_of(file);
    int rc = fault(f->faulty);

    return rc < 0 ? rc : f->real->ops->map(f->real, len, writable, out);
}

static int file_prefault(stele_file *file, void *map, size_t at, size_t len, bool writable)
{
    struct faulty_file *f = file_of(file);
    int rc = fault(f->faulty);

    return rc < 0 ? rc : f->real->ops->prefault(f->real, map, at, len, writable);
}

static int file_unmap(stele_file *file, void *map, size_t len)
{
    struct faulty_file *f = file_of(file);

    return f->real->ops->unmap(f->real, map, len);
}

static int file_lock(stele_file *file, bool exclusive)
{
    struct faulty_file *f = file_of(file);
    int rc = fault(f->faulty);

    return rc < 0 ? rc : f->real->ops->lock(f->real, exclusive);
}

static const stele_file_ops file_ops = {
        .version = 1,
        .close = file_close,
        .pread = file_pread,
        .pwritev = file_pwritev,
        .allocate = file_allocate,
        .truncate = file_truncate,
        .stat = file_stat,
        .sync = file_sync,
        .map = file_map,
        .prefault = file_prefault,
        .unmap = file_unmap,
        .lock = file_lock,
};

static int dir_close(stele_dir *dir)
{
    struct faulty_dir *d = dir_of(dir);
    int rc = d->real->ops->close(d->real);

    free(d);
    return rc;
}

static int dir_open(stele_dir *dir, const char *name, unsigned flags, stele_file **out)
{
    struct faulty_dir *d = dir_of(dir);
    struct faulty_file *f;
    stele_file *real = NULL;
    int rc = fault(d->faulty);

    if (rc == 0) {
        rc = d->real->ops->open(d->real, name, flags, &real);
    }
    if (rc < 0) {
        return rc;
    }
    f = malloc(sizeof *f);
    if (f == NULL) {
        abort();
    }
    f->base.ops = &file_ops;
    f->real = real;
    f->faulty = d->faulty;
    *out = &f->base;
    return 0;
}

static int dir_stat(stele_dir *dir, const char *name, stele_file_stat *out)
{
    struct faulty_dir *d = dir_of(dir);
    int rc = fault(d->faulty);

    return rc < 0 ? rc : d->real->ops->stat(d->real, name, out);
}

static int dir_rename(stele_dir *dir, const char *from, const char *to)
{
    struct faulty_dir *d = dir_of(dir);
    int rc = fault(d->faulty);

    return rc < 0 ? rc : d->real->ops->rename(d->real, from, to);
}

static int dir_unlink(stele_dir *dir, const char *name)
{
    struct faulty_dir *d = dir_of(dir);
    int rc = fault(d->faulty);

    return rc < 0 ? rc : d->real->ops->unlink(d->real, name);
}

static int dir_sync(stele_dir *dir)
{
    struct faulty_dir *d = dir_of(dir);
    int rc = fault(d->faulty);

    return rc < 0 ? rc : d->real->ops->sync(d->real);
}

static int dir_list(stele_dir *dir, int (*each)(void *arg, const char *name), void *arg)
{
    struct faulty_dir *d = dir_of(dir);
    int rc = fault(d->faulty);

    return rc < 0 ? rc : d->real->ops->list(d->real, each, arg);
}

static const stele_dir_ops dir_ops = {
        .version = 1,
        .close = dir_close,
        .open = dir_open,
        .stat = dir_stat,
        .rename = dir_rename,
        .unlink = dir_unlink,
        .sync = dir_sync,
        .list = dir_list,
};

static int open_dir(const stele_vfs *vfs, const char *path, unsigned flags, stele_dir **out)
{
    /* The table takes a const vfs, but this one counts. */
    struct faulty *f = (struct faulty *)(uintptr_t)vfs;
    struct faulty_dir *d;
    stele_dir *real = NULL;
    int rc = fault(f);

    if (rc == 0) {
        rc = stele_vfs_posix()->ops->open_dir(stele_vfs_posix(), path, flags, &real);
    }
    if (rc < 0) {
        return rc;
    }
    d = malloc(sizeof *d);
    if (d == NULL) {
        abort();
    }
    d->base.ops = &dir_ops;
    d->real = real;
    d->faulty = f;
    *out = &d->base;
    return 0;
}

static const stele_vfs_ops vfs_ops = {
        .version = 1,
        .open_dir = open_dir,
};

void faulty_init(struct faulty *f)
{
    memset(f, 0, sizeof *f);
    f->base.ops = &vfs_ops;
    f->fail_at = -1;
    f->transfer_max = SIZE_MAX;
}

void faulty_fail(struct faulty *f, int fail_at, int sys_errno)
{
    f->ops = 0;
    f->fail_at = fail_at;
    f->sys_errno = sys_errno;
}
