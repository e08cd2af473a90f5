/* SPDX-License-Identifier: MIT
 *
 * posix.c: the real file system; the only file that opens one.
 *
 * Every system call that a signal can interrupt is repeated here, and nowhere
 * else. Short reads and writes are passed on as they are.
 *
 * Symbolic links: the last component of a directory's path and all names
 * inside a directory are opened with O_NOFOLLOW, so that nobody who may write
 * into the parent can point the library at foreign files. The components
 * before the last one may be links: they belong to the administrator, who
 * often moves data to another disk that way.
 *
 * A file object is counted: the open handle is one owner and each map is one,
 * since unmap() takes the file even after close(). The last one frees it.
 */
#include <stele/vfs.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "vfs/fill.h"
#include "vfs/vfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    FILE_MODE = 0600,
    DIR_MODE = 0700,
    LIST_BUFFER_SIZE = 4096,
    OPEN_FLAGS_UNKNOWN = ~(STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL)
};

struct posix_file {
    stele_file base;
    int fd;             /* -1 once closed */
    atomic_uint owners; /* the handle, and each map */
};

struct posix_dir {
    stele_dir base;
    int fd;
};

static struct posix_file *file_of(stele_file *f)
{
    return (struct posix_file *)f;
}

static struct posix_dir *dir_of(stele_dir *d)
{
    return (struct posix_dir *)d;
}

/* ---- System calls that are repeated when a signal interrupts them. ---- */

static int open_at(int at, const char *name, int flags)
{
    int fd;

    do {
        fd = openat(at, name, flags | O_CLOEXEC, FILE_MODE);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

/* Linux closes the descriptor even if it reports an interruption, and a
 * second attempt might close one that another thread has just opened. */
static int close_fd(int fd)
{
    return close(fd) == 0 || errno == EINTR ? 0 : -errno;
}

static int sync_fd(int fd, bool data_only)
{
    int rc;

    do {
        rc = data_only ? fdatasync(fd) : fsync(fd);
    } while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
}

/* Some network file systems have no sync of directories (EINVAL, ENOSYS):
 * their names are as durable as they will ever be. */
static int sync_dir_fd(int fd)
{
    int rc = sync_fd(fd, false);

    return rc == -EINVAL || rc == -ENOSYS ? 0 : rc;
}

/* ---- Files. ---- */

static void file_release(struct posix_file *f)
{
    /* Acquire and release: whoever frees must see what the others did. */
    unsigned before = atomic_fetch_sub_explicit(&f->owners, 1, memory_order_acq_rel);

    sti_assert(before > 0);
    if (before == 1) {
        sti_free(f);
    }
}

static int file_close(stele_file *file)
{
    struct posix_file *f = file_of(file);
    int rc = close_fd(f->fd);

    f->fd = -1;
    file_release(f);
    return rc;
}

static int64_t file_pread(stele_file *file, void *out, size_t len, uint64_t at)
{
    ssize_t got;

    if (at > INT64_MAX) {
        return -EINVAL;
    }
    if (len > SSIZE_MAX) {
        len = SSIZE_MAX;
    }
    do {
        got = pread(file_of(file)->fd, out, len, (off_t)at);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static int64_t file_pwritev(stele_file *file, const stele_slice *slices, int count, uint64_t at)
{
    struct iovec pieces[STELE_SLICES_MAX];
    ssize_t put;

    if (at > INT64_MAX || count < 0 || count > STELE_SLICES_MAX) {
        return -EINVAL;
    }
    for (int i = 0; i < count; i++) {
        /* The same struct serves readv(), so its pointer is not const. */
        pieces[i].iov_base = (void *)(uintptr_t)slices[i].data;
        pieces[i].iov_len = slices[i].len;
    }
    do {
        put = pwritev(file_of(file)->fd, pieces, count, (off_t)at);
    } while (put < 0 && errno == EINTR);
    return put < 0 ? -errno : put;
}

static int file_allocate(stele_file *file, uint64_t at, uint64_t len)
{
    int rc;

    if (at > INT64_MAX || len > INT64_MAX) {
        return -EFBIG;
    }
    if (len == 0) {
        return 0;
    }
    do {
        rc = fallocate(file_of(file)->fd, 0, (off_t)at, (off_t)len);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        return errno == ENOSYS ? -EOPNOTSUPP : -errno;
    }
    return 0;
}

static int file_truncate(stele_file *file, uint64_t size)
{
    int rc;

    if (size > INT64_MAX) {
        return -EFBIG;
    }
    do {
        rc = ftruncate(file_of(file)->fd, (off_t)size);
    } while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
}

/* Two files of one device differ in their inode and so in their id; the
 * device is spread over all bits, since inodes are small numbers. */
static void stat_convert(const struct stat *st, stele_file_stat *out)
{
    out->size = st->st_size < 0 ? 0 : (uint64_t)st->st_size;
    out->id = (uint64_t)st->st_ino ^ ((uint64_t)st->st_dev * 0x9E3779B97F4A7C15ULL);
    out->is_file = S_ISREG(st->st_mode);
}

static int file_stat(stele_file *file, stele_file_stat *out)
{
    struct stat st;

    if (fstat(file_of(file)->fd, &st) != 0) {
        return -errno;
    }
    stat_convert(&st, out);
    return 0;
}

static int file_sync(stele_file *file, bool data_only)
{
    return sync_fd(file_of(file)->fd, data_only);
}

static int file_map(stele_file *file, size_t len, bool writable, void **out)
{
    struct posix_file *f = file_of(file);
    int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void *map;

    if (len == 0) {
        return -EINVAL;
    }
    map = mmap(NULL, len, protection, MAP_SHARED, f->fd, 0);
    if (map == MAP_FAILED) {
        return -errno;
    }
    /* Relaxed: the caller's own handle keeps the object alive meanwhile. */
    (void)atomic_fetch_add_explicit(&f->owners, 1, memory_order_relaxed);
    *out = map;
    return 0;
}

/* Pages behind the end of the file are an error here, not a signal. An older
 * kernel gets a weaker hint: touching the pages instead could raise SIGBUS. */
static int wake_pages(void *from, size_t len, bool writable)
{
    int rc;

#ifdef MADV_POPULATE_WRITE
    do {
        rc = madvise(from, len, writable ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
    } while (rc < 0 && errno == EINTR);
    if (rc == 0 || errno != EINVAL) {
        return rc < 0 ? -errno : 0;
    }
#endif
    (void)writable;
    rc = madvise(from, len, MADV_WILLNEED);
    return rc < 0 ? -errno : 0;
}

/* The pages of a shared map go back to the cache with what is in them. */
static int file_let_go(stele_file *file, void *map, size_t len)
{
    (void)file;
    return madvise(map, len, MADV_DONTNEED) == 0 ? 0 : -errno;
}

static int file_prefault(stele_file *file, void *map, size_t at, size_t len, bool writable)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t skip = at % page;

    if (len > SIZE_MAX - skip || at > INT64_MAX / 2 || len > INT64_MAX / 2) {
        return -EINVAL;
    }
    if (writable) {
        sti_fill_holes(file_of(file)->fd, (off_t)at, (off_t)(at + len));
    }
    return wake_pages((uint8_t *)map + (at - skip), len + skip, writable);
}

static int file_unmap(stele_file *file, void *map, size_t len)
{
    if (munmap(map, len) != 0) {
        return -errno;
    }
    file_release(file_of(file));
    return 0;
}

static int file_lock(stele_file *file, bool exclusive)
{
    int rc;

    do {
        rc = flock(file_of(file)->fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB);
    } while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
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
        .release = file_let_go,
        .unmap = file_unmap,
        .lock = file_lock,
};

/* ---- Directories. ---- */

static int dir_close(stele_dir *dir)
{
    int rc = close_fd(dir_of(dir)->fd);

    sti_free(dir_of(dir));
    return rc;
}

/* Open a regular file and nothing else. O_NONBLOCK keeps a pipe without a
 * writer from holding us up until we have seen what it is; it has no meaning
 * for regular files. */
static int open_regular(int at, const char *name, int flags)
{
    struct stat st;
    int fd = open_at(at, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    int rc = 0;

    if (fd < 0) {
        return fd == -ENXIO ? -EINVAL : fd; /* a socket, or a device without driver */
    }
    if (fstat(fd, &st) != 0) {
        rc = -errno;
    } else if (S_ISDIR(st.st_mode)) {
        rc = -EISDIR;
    } else if (!S_ISREG(st.st_mode)) {
        rc = -EINVAL;
    }
    if (rc < 0) {
        (void)close_fd(fd);
        return rc;
    }
    return fd;
}

static int dir_open(stele_dir *dir, const char *name, unsigned flags, stele_file **out)
{
    bool create = (flags & STELE_OPEN_CREATE) != 0;
    bool exclusive = (flags & STELE_OPEN_EXCL) != 0;
    struct posix_file *f;
    int open_flags = (flags & STELE_OPEN_WRITE) != 0 ? O_RDWR : O_RDONLY;
    int fd;

    if ((flags & (unsigned)OPEN_FLAGS_UNKNOWN) != 0 || (exclusive && !create) ||
            !sti_name_is_valid(name)) {
        return -EINVAL;
    }
    open_flags |= (create ? O_CREAT : 0) | (exclusive ? O_EXCL : 0);
    /* Before the file, which would have to be removed again. */
    f = sti_malloc(sizeof *f);
    if (f == NULL) {
        return -ENOMEM;
    }
    fd = open_regular(dir_of(dir)->fd, name, open_flags);
    if (fd < 0) {
        sti_free(f);
        return fd;
    }
    f->base.ops = &file_ops;
    f->fd = fd;
    atomic_init(&f->owners, 1);
    *out = &f->base;
    return 0;
}

static int dir_stat(stele_dir *dir, const char *name, stele_file_stat *out)
{
    struct stat st;

    if (!sti_name_is_valid(name)) {
        return -EINVAL;
    }
    if (fstatat(dir_of(dir)->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return -errno;
    }
    stat_convert(&st, out);
    return 0;
}

static int dir_rename(stele_dir *dir, const char *from, const char *to)
{
    int fd = dir_of(dir)->fd;

    if (!sti_name_is_valid(from) || !sti_name_is_valid(to)) {
        return -EINVAL;
    }
    return renameat(fd, from, fd, to) == 0 ? 0 : -errno;
}

static int dir_remove_dir(stele_dir *dir, const char *name)
{
    if (!sti_name_is_valid(name)) {
        return -EINVAL;
    }
    return unlinkat(dir_of(dir)->fd, name, AT_REMOVEDIR) == 0 ? 0 : -errno;
}

static int dir_unlink(stele_dir *dir, const char *name)
{
    if (!sti_name_is_valid(name)) {
        return -EINVAL;
    }
    return unlinkat(dir_of(dir)->fd, name, 0) == 0 ? 0 : -errno;
}

static int dir_sync(stele_dir *dir)
{
    return sync_dir_fd(dir_of(dir)->fd);
}

/* Pass on the entries of one buffer. */
static int list_buffer(
        const uint8_t *buffer, size_t len, int (*each)(void *arg, const char *name), void *arg)
{
    for (size_t at = 0; at < len;) {
        const struct dirent64 *entry = (const void *)(buffer + at);
        const char *name = entry->d_name;
        bool self = name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
        int rc = self ? 0 : each(arg, name);

        if (rc != 0) {
            return rc;
        }
        at += entry->d_reclen;
    }
    return 0;
}

/* Through a descriptor of its own, since a descriptor has one position for
 * all its users. getdents64() needs no memory and no shared state. */
static int dir_list(stele_dir *dir, int (*each)(void *arg, const char *name), void *arg)
{
    _Alignas(struct dirent64) uint8_t buffer[LIST_BUFFER_SIZE];
    int fd = open_at(dir_of(dir)->fd, ".", O_RDONLY | O_DIRECTORY);
    int rc = 0;
    bool more = true;

    if (fd < 0) {
        return fd;
    }
    while (rc == 0 && more) {
        ssize_t got = getdents64(fd, buffer, sizeof buffer);

        more = got != 0;
        if (got > 0) {
            rc = list_buffer(buffer, (size_t)got, each, arg);
        } else if (got < 0 && errno != EINTR) {
            rc = -errno;
        }
    }
    (void)close_fd(fd);
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

/* ---- Opening a directory by path. ---- */

/* Make a directory and its name durable. If another process was faster, its
 * name is synced too: that one may not have come so far. */
static int make_dir(int at, const char *name, bool exclusive)
{
    bool made = mkdirat(at, name, DIR_MODE) == 0;
    int fd;
    int rc;

    if (!made && (errno != EEXIST || exclusive)) {
        return -errno;
    }
    fd = open_at(at, ".", O_RDONLY | O_DIRECTORY);
    rc = fd;
    if (fd >= 0) {
        rc = sync_dir_fd(fd);
        (void)close_fd(fd);
    }
    if (rc < 0 && made) {
        /* Or the next attempt would find it, and not sync. */
        (void)unlinkat(at, name, AT_REMOVEDIR);
    }
    return rc < 0 ? rc : 0;
}

/* Open one component of a path, making it if that is asked for. */
static int open_component(int at, const char *name, bool last, unsigned flags)
{
    /* O_PATH: passing through a directory needs no permission to read it. */
    int open_flags = O_DIRECTORY | (last ? O_RDONLY | O_NOFOLLOW : O_PATH);
    bool create = (flags & STELE_OPEN_CREATE) != 0;
    bool exclusive = last && (flags & STELE_OPEN_EXCL) != 0;
    int fd = exclusive ? -ENOENT : open_at(at, name, open_flags);

    if (fd == -ENOENT && create) {
        int rc = make_dir(at, name, exclusive);

        if (rc < 0) {
            return rc;
        }
        fd = open_at(at, name, open_flags);
    }
    return fd;
}

/* Component by component, so that each missing one can be made and synced.
 * Slashes at the end are dropped: behind a link they would have it followed. */
static int open_path(const char *path, unsigned flags)
{
    bool absolute = path[0] == '/';
    int at = absolute ? open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY) : AT_FDCWD;
    bool last = false;

    if (absolute && at < 0) {
        return at;
    }
    while (!last) {
        char name[NAME_MAX + 1] = ".";
        size_t len;
        int fd;

        path += strspn(path, "/");
        len = strcspn(path, "/");
        fd = -ENAMETOOLONG;
        if (len < sizeof name) {
            if (len > 0) {
                memcpy(name, path, len);
                name[len] = '\0';
            }
            path += len;
            last = path[strspn(path, "/")] == '\0';
            fd = open_component(at, name, last, flags);
        }
        if (at >= 0) {
            (void)close_fd(at);
        }
        if (fd < 0) {
            return fd;
        }
        at = fd;
    }
    return at;
}

static int vfs_open_dir(const stele_vfs *vfs, const char *path, unsigned flags, stele_dir **out)
{
    struct posix_dir *d;
    int fd;

    (void)vfs;
    if ((flags & (unsigned)OPEN_FLAGS_UNKNOWN) != 0 || path[0] == '\0' ||
            ((flags & STELE_OPEN_EXCL) != 0 && (flags & STELE_OPEN_CREATE) == 0)) {
        return -EINVAL;
    }
    d = sti_malloc(sizeof *d);
    if (d == NULL) {
        return -ENOMEM;
    }
    fd = open_path(path, flags);
    if (fd < 0) {
        sti_free(d);
        return fd;
    }
    d->base.ops = &dir_ops;
    d->fd = fd;
    *out = &d->base;
    return 0;
}

static const stele_vfs_ops vfs_ops = {
        .version = 1,
        .open_dir = vfs_open_dir,
};

static const stele_vfs posix_vfs = {.ops = &vfs_ops};

const stele_vfs *stele_vfs_posix(void)
{
    return &posix_vfs;
}
