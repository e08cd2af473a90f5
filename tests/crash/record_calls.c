/* SPDX-License-Identifier: MIT
 *
 * record_calls.c: the C library's functions that change files, once more. These are found before
 * its own, also by LMDB.
 *
 * They have other names here than for the linker, since the library's headers declare some of them
 * inline.
 */
#include "crash/record_calls.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

bool record_calls_are_here(void)
{
    return true;
}

/* ---- The names of the C library. ---- */

#define INSTEAD_OF(name) __asm__(name) __attribute__((visibility("default"), used))

int instead_open(const char *path, int flags, ...) INSTEAD_OF("open");
int instead_open64(const char *path, int flags, ...) INSTEAD_OF("open64");
int instead_openat(int at, const char *path, int flags, ...) INSTEAD_OF("openat");
int instead_openat64(int at, const char *path, int flags, ...) INSTEAD_OF("openat64");
int instead_close(int fd) INSTEAD_OF("close");
int instead_mkdirat(int at, const char *path, unsigned mode) INSTEAD_OF("mkdirat");
int instead_unlink(const char *path) INSTEAD_OF("unlink");
int instead_unlinkat(int at, const char *path, int flags) INSTEAD_OF("unlinkat");
int instead_rename(const char *from, const char *to) INSTEAD_OF("rename");
int instead_renameat(int from_at, const char *from, int to_at, const char *to)
        INSTEAD_OF("renameat");
ssize_t instead_write(int fd, const void *bytes, size_t len) INSTEAD_OF("write");
ssize_t instead_writev(int fd, const struct iovec *pieces, int count) INSTEAD_OF("writev");
ssize_t instead_pwrite(int fd, const void *bytes, size_t len, off_t at) INSTEAD_OF("pwrite");
ssize_t instead_pwrite64(int fd, const void *bytes, size_t len, off_t at) INSTEAD_OF("pwrite64");
ssize_t instead_pwritev(int fd, const struct iovec *pieces, int count, off_t at)
        INSTEAD_OF("pwritev");
ssize_t instead_pwritev64(int fd, const struct iovec *pieces, int count, off_t at)
        INSTEAD_OF("pwritev64");
int instead_ftruncate(int fd, off_t size) INSTEAD_OF("ftruncate");
int instead_ftruncate64(int fd, off_t size) INSTEAD_OF("ftruncate64");
int instead_fallocate(int fd, int mode, off_t at, off_t len) INSTEAD_OF("fallocate");
int instead_fallocate64(int fd, int mode, off_t at, off_t len) INSTEAD_OF("fallocate64");
int instead_fsync(int fd) INSTEAD_OF("fsync");
int instead_fdatasync(int fd) INSTEAD_OF("fdatasync");

#define OPEN(at, path, flags)                                                          \
    do {                                                                               \
        unsigned mode = 0;                                                             \
        va_list ap;                                                                    \
        if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {                                  \
            va_start(ap, flags);                                                       \
            mode = va_arg(ap, unsigned);                                               \
            va_end(ap);                                                                \
        }                                                                              \
        return record_is_on() ? record_open((at), (path), (flags), mode)               \
                              : (int)syscall(SYS_openat, (at), (path), (flags), mode); \
    } while (0)

int instead_open(const char *path, int flags, ...)
{
    OPEN(AT_FDCWD, path, flags);
}

int instead_open64(const char *path, int flags, ...)
{
    OPEN(AT_FDCWD, path, flags);
}

int instead_openat(int at, const char *path, int flags, ...)
{
    OPEN(at, path, flags);
}

int instead_openat64(int at, const char *path, int flags, ...)
{
    OPEN(at, path, flags);
}

int instead_close(int fd)
{
    return record_has(fd) ? record_close(fd) : (int)syscall(SYS_close, fd);
}

int instead_mkdirat(int at, const char *path, unsigned mode)
{
    return record_is_on() ? record_mkdir(at, path, mode)
                          : (int)syscall(SYS_mkdirat, at, path, mode);
}

int instead_unlinkat(int at, const char *path, int flags)
{
    return record_is_on() ? record_unlink(at, path, flags)
                          : (int)syscall(SYS_unlinkat, at, path, flags);
}

int instead_unlink(const char *path)
{
    return instead_unlinkat(AT_FDCWD, path, 0);
}

int instead_renameat(int from_at, const char *from, int to_at, const char *to)
{
    return record_is_on() ? record_rename(from_at, from, to_at, to)
                          : (int)syscall(SYS_renameat2, from_at, from, to_at, to, 0);
}

int instead_rename(const char *from, const char *to)
{
    return instead_renameat(AT_FDCWD, from, AT_FDCWD, to);
}

ssize_t instead_pwritev(int fd, const struct iovec *pieces, int count, off_t at)
{
    return record_has(fd) ? record_write(fd, pieces, count, at, false)
                          : syscall(SYS_pwritev, fd, pieces, count, at, 0);
}

ssize_t instead_pwritev64(int fd, const struct iovec *pieces, int count, off_t at)
{
    return instead_pwritev(fd, pieces, count, at);
}

ssize_t instead_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    const struct iovec piece = {(void *)(uintptr_t)bytes, len};

    return record_has(fd) ? record_write(fd, &piece, 1, at, false)
                          : syscall(SYS_pwrite64, fd, bytes, len, at);
}

ssize_t instead_pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
    return instead_pwrite(fd, bytes, len, at);
}

ssize_t instead_writev(int fd, const struct iovec *pieces, int count)
{
    return record_has(fd) ? record_write(fd, pieces, count, 0, true)
                          : syscall(SYS_writev, fd, pieces, count);
}

ssize_t instead_write(int fd, const void *bytes, size_t len)
{
    const struct iovec piece = {(void *)(uintptr_t)bytes, len};

    return record_has(fd) ? record_write(fd, &piece, 1, 0, true)
                          : syscall(SYS_write, fd, bytes, len);
}

int instead_ftruncate(int fd, off_t size)
{
    return record_has(fd) ? record_truncate(fd, size) : (int)syscall(SYS_ftruncate, fd, size);
}

int instead_ftruncate64(int fd, off_t size)
{
    return instead_ftruncate(fd, size);
}

int instead_fallocate(int fd, int mode, off_t at, off_t len)
{
    return record_has(fd) && mode == 0 ? record_allocate(fd, at, len)
                                       : (int)syscall(SYS_fallocate, fd, mode, at, len);
}

int instead_fallocate64(int fd, int mode, off_t at, off_t len)
{
    return instead_fallocate(fd, mode, at, len);
}

int instead_fsync(int fd)
{
    return record_has(fd) ? record_sync(fd) : (int)syscall(SYS_fsync, fd);
}

int instead_fdatasync(int fd)
{
    return record_has(fd) ? record_sync(fd) : (int)syscall(SYS_fdatasync, fd);
}
