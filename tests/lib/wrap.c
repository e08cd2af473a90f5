/* SPDX-License-Identifier: MIT
 *
 * wrap.c: the real files, with a word before and after each operation.
 */
#include "lib/wrap.h"

#include <stdlib.h>
#include <string.h>

struct wrap_dir {
    stele_dir dir;
    stele_dir *real;
    struct wrap_vfs *w;
};

struct wrap_file {
    stele_file file;
    stele_file *real;
    struct wrap_vfs *w;
    int users; /* the handle, and its maps, which outlive it */
};

static struct wrap_dir *dir_of(stele_dir *d)
{
    return (struct wrap_dir *)d;
}

static struct wrap_file *file_of(stele_file *f)
{
    return (struct wrap_file *)f;
}

static void tell(struct wrap_vfs *w, const struct wrap_call *call, int64_t rc)
{
    if (w->after != NULL) {
        w->after(w, call, rc);
    }
}

/* `real` is evaluated if the operation is to be done. */
#define PASS_ON(w, call, rc, real)       \
    do {                                 \
        (rc) = (w)->before((w), (call)); \
        if ((rc) >= 0) {                 \
            (rc) = (real);               \
            tell((w), (call), (rc));     \
        }                                \
    } while (0)

/* ---- Files. ---- */

static void file_release(struct wrap_file *f)
{
    if (--f->users == 0) {
        free(f);
    }
}

static int file_close(stele_file *file)
{
    struct wrap_file *f = file_of(file);
    int rc = f->real->ops->close(f->real);

    file_release(f);
    return rc;
}

static int64_t file_pread(stele_file *file, void *out, size_t len, uint64_t at)
{
    struct wrap_file *f = file_of(file);
    const struct wrap_call call = {.op = WRAP_READ};
    int64_t rc;

    PASS_ON(f->w, &call, rc,
            f->real->ops->pread(f->real, out, len < f->w->read_max ? len : f->w->read_max, at));
    return rc;
}

/* The first `max` bytes of the pieces. */
static int64_t write_some(struct wrap_file *f, const stele_slice *slices, int count, uint64_t at)
{
    stele_slice some[STELE_SLICES_MAX];
    size_t room = f->w->write_max;
    int n = 0;

    while (n < count && room > 0) {
        some[n] = slices[n];
        some[n].len = some[n].len < room ? some[n].len : room;
        room -= some[n].len;
        n++;
    }
    return n == 0 ? 0 : f->real->ops->pwritev(f->real, some, n, at);
}

static int64_t file_pwritev(stele_file *file, const stele_slice *slices, int count, uint64_t at)
{
    struct wrap_file *f = file_of(file);
    const struct wrap_call call = {.op = WRAP_WRITE};
    int64_t rc;

    PASS_ON(f->w, &call, rc, write_some(f, slices, count, at));
    return rc;
}

static int file_allocate(stele_file *file, uint64_t at, uint64_t len)
{
    struct wrap_file *f = file_of(file);
    const struct wrap_call call = {.op = WRAP_ALLOCATE};
    int rc;

    PASS_ON(f->w, &call, rc, f->real->ops->allocate(f->real, at, len));
    return rc;
}

static int file_truncate(stele_file *file, uint64_t size)
{
    struct wrap_file *f = file_of(file);
    const struct wrap_call call = {.op = WRAP_TRUNCATE};
    int rc;

    PASS_ON(f->w, &call, rc, f->real->ops->truncate(f->real, size));
    return rc;
}

static int file_stat(stele_file *file, stele_file_stat *out)
{
    struct wrap_file *f = file_of(file);
    const struct wrap_call call = {.op = WRAP_STAT};
    int rc;

    PASS_ON(f->w, &call, rc, f->real->ops->stat(f->real, out));
    return rc;
}

static int file_sync(stele_file *file, bool data_only)
{
    struct wrap_file *f = file_of(file);
    const struct wrap_call call = {.op = WRAP_SYNC};
    int rc;

    PASS_ON(f->w, &call, rc, f->real->ops->sync(f->real, data_only));
    return rc;
}

static int file_map(stele_file *file, size_t len, bool writable, void **out)
{
    struct wrap_file *f = file_of(file);
    const struct wrap_call call = {.op = WRAP_MAP};
    int rc;

    PASS_ON(f->w, &call, rc, f->real->ops->map(f->real, len, writable, out));
    f->users += rc == 0;
    return rc;
}

static int file_prefault(stele_file *file, void *map, size_t at, size_t len, bool writable)
{
    struct wrap_file *f = file_of(file);
    const struct wrap_call call = {.op = WRAP_PREFAULT};
    int rc;

    PASS_ON(f->w, &call, rc, f->real->ops->prefault(f->real, map, at, len, writable));
    return rc;
}

static int file_unmap(stele_file *file, void *map, size_t len)
{
    struct wrap_file *f = file_of(file);
    int rc = f->real->ops->unmap(f->real, map, len);

    file_release(f);
    return rc;
}

static int file_lock(stele_file *file, bool exclusive)
{
    struct wrap_file *f = file_of(file);
    const struct wrap_call call = {.op = WRAP_LOCK};
    int rc;

    PASS_ON(f->w, &call, rc, f->real->ops->lock(f->real, exclusive));
    return rc;
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

/* ---- Directories. ---- */

static int dir_close(stele_dir *dir)
{
    struct wrap_dir *d = dir_of(dir);
    int rc = d->real->ops->close(d->real);

    free(d);
    return rc;
}

static int dir_open(stele_dir *dir, const char *name, unsigned flags, stele_file **out)
{
    struct wrap_dir *d = dir_of(dir);
    const struct wrap_call call = {WRAP_OPEN, name, flags, d->real};
    stele_file *real = NULL;
    struct wrap_file *f;
    int rc;

    PASS_ON(d->w, &call, rc, d->real->ops->open(d->real, name, flags, &real));
    if (rc < 0) {
        return rc;
    }
    f = malloc(sizeof *f);
    if (f == NULL) {
        abort();
    }
    *f = (struct wrap_file){{&file_ops}, real, d->w, 1};
    *out = &f->file;
    return 0;
}

static int dir_stat(stele_dir *dir, const char *name, stele_file_stat *out)
{
    struct wrap_dir *d = dir_of(dir);
    const struct wrap_call call = {WRAP_LOOK, name, 0, d->real};
    int rc;

    PASS_ON(d->w, &call, rc, d->real->ops->stat(d->real, name, out));
    return rc;
}

static int dir_rename(stele_dir *dir, const char *from, const char *to)
{
    struct wrap_dir *d = dir_of(dir);
    const struct wrap_call call = {WRAP_RENAME, to, 0, d->real};
    int rc;

    PASS_ON(d->w, &call, rc, d->real->ops->rename(d->real, from, to));
    return rc;
}

static int dir_unlink(stele_dir *dir, const char *name)
{
    struct wrap_dir *d = dir_of(dir);
    const struct wrap_call call = {WRAP_UNLINK, name, 0, d->real};
    int rc;

    PASS_ON(d->w, &call, rc, d->real->ops->unlink(d->real, name));
    return rc;
}

static int dir_remove_dir(stele_dir *dir, const char *name)
{
    struct wrap_dir *d = dir_of(dir);
    const struct wrap_call call = {WRAP_UNLINK, name, 0, d->real};
    int rc;

    PASS_ON(d->w, &call, rc, d->real->ops->remove_dir(d->real, name));
    return rc;
}

static int dir_sync(stele_dir *dir)
{
    struct wrap_dir *d = dir_of(dir);
    const struct wrap_call call = {WRAP_SYNC_DIR, NULL, 0, d->real};
    int rc;

    PASS_ON(d->w, &call, rc, d->real->ops->sync(d->real));
    return rc;
}

static int dir_list(stele_dir *dir, int (*each)(void *arg, const char *name), void *arg)
{
    struct wrap_dir *d = dir_of(dir);
    const struct wrap_call call = {WRAP_LIST, NULL, 0, d->real};
    int rc;

    PASS_ON(d->w, &call, rc, d->real->ops->list(d->real, each, arg));
    return rc;
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
        .remove_dir = dir_remove_dir,
};

static int open_dir(const stele_vfs *vfs, const char *path, unsigned flags, stele_dir **out)
{
    /* The table takes a const vfs; this one is a test's own, and never constant. */
    struct wrap_vfs *w = (struct wrap_vfs *)(uintptr_t)vfs;
    const struct wrap_call call = {.op = WRAP_OPEN_DIR, .flags = flags};
    stele_dir *real = NULL;
    struct wrap_dir *d;
    int rc;

    PASS_ON(w, &call, rc, stele_vfs_posix()->ops->open_dir(stele_vfs_posix(), path, flags, &real));
    if (rc < 0) {
        return rc;
    }
    d = malloc(sizeof *d);
    if (d == NULL) {
        abort();
    }
    *d = (struct wrap_dir){{&dir_ops}, real, w};
    *out = &d->dir;
    return 0;
}

void wrap_init(struct wrap_vfs *w, int (*before)(struct wrap_vfs *w, const struct wrap_call *call))
{
    static const stele_vfs_ops ops = {.version = 1, .open_dir = open_dir};

    *w = (struct wrap_vfs){
            .vfs = {&ops}, .before = before, .read_max = SIZE_MAX, .write_max = SIZE_MAX};
}
