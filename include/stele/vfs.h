/* SPDX-License-Identifier: MIT
 *
 * vfs.h: the whole file system, as the library sees it.
 *
 * Every file operation of the library but LMDB's own goes through these
 * tables, so that a simulated disk that loses, tears and reorders what was
 * not synced can stand in for the real one (tests/sim/disk.h).
 *
 * Conventions of every function below: 0 or a length on success, a negative
 * errno on failure. An implementation never retries and never hides a short
 * read or write (EINTR excepted, which it handles itself); the library's own
 * helpers above this table do. Directories are handles, and names within
 * them are single components: no '/', not "." or "..", not empty. Symbolic
 * links are not followed.
 *
 * What an implementation promises about a power cut:
 *
 *   - sync() makes the content and the length of a file durable;
 *     a directory's sync() makes its names durable: creations, renames, removals;
 *   - rename() replaces the target atomically for other readers, and is
 *     durable only after the sync() of the directory;
 *   - nothing else is ordered or atomic. In particular a write of more than
 *     512 bytes may be torn, and stores through a map reach the disk in any
 *     order until sync() of the file.
 *
 * After a failed sync() the state of what was written since the last success
 * is unknown, and trying again proves nothing: callers make the handle
 * read-only (STELE_EFAILED) and recover by reopening.
 *
 * Threads: any function may be called from any thread, also on one handle,
 * except that close() of a handle is called once and last.
 */
#ifndef STELE_VFS_H
#define STELE_VFS_H

#include <stele/bytes.h>
#include <stele/env.h>

STELE_BEGIN_DECLS

typedef struct stele_vfs stele_vfs;
typedef struct stele_dir stele_dir;
typedef struct stele_file stele_file;

/* Flags of open() and open_dir(). */
enum {
    STELE_OPEN_READ = 0,        /* for reading only */
    STELE_OPEN_WRITE = 1 << 0,  /* for reading and writing */
    STELE_OPEN_CREATE = 1 << 1, /* create if missing: files 0600, directories 0700 */
    STELE_OPEN_EXCL = 1 << 2    /* with CREATE: -EEXIST if it is there */
};

/* One piece of a vectored write. */
typedef struct stele_slice {
    const void *data;
    size_t len;
} stele_slice;

/* Most pieces that one pwritev() takes. */
#define STELE_SLICES_MAX 64

typedef struct stele_file_stat {
    uint64_t size; /* bytes */
    uint64_t id;   /* differs between files that exist at the same time */
    bool is_file;  /* a regular file */
} stele_file_stat;

typedef struct stele_file_ops {
    uint32_t version; /* 1 */
    int (*close)(stele_file *f);
    /* Up to len bytes at `at`; 0 at or behind the end of the file. */
    int64_t (*pread)(stele_file *f, void *out, size_t len, uint64_t at);
    /* Write the pieces back to back at `at`; may write fewer bytes. */
    int64_t (*pwritev)(stele_file *f, const stele_slice *slices, int count, uint64_t at);
    /* Reserve blocks for [at, at + len), growing the file with zeros;
     * -EOPNOTSUPP where the file system cannot, -ENOSPC when full. */
    int (*allocate)(stele_file *f, uint64_t at, uint64_t len);
    int (*truncate)(stele_file *f, uint64_t size);
    int (*stat)(stele_file *f, stele_file_stat *out);
    /* data_only: times need not become durable (fdatasync). */
    int (*sync)(stele_file *f, bool data_only);
    /* Map [0, len) shared; len may reach behind the end of the file, where
     * nothing may be touched until the file has grown. The map outlives
     * close() and unlink(). Stores are allowed if `writable`. */
    int (*map)(stele_file *f, size_t len, bool writable, void **out);
    /* Wake up the pages of [at, at + len) of a map, for writing if it is a
     * writable one: then nobody may store there meanwhile. A hint, whose
     * failure is harmless. */
    int (*prefault)(stele_file *f, void *map, size_t at, size_t len, bool writable);
    int (*unmap)(stele_file *f, void *map, size_t len);
    /* Take a whole-file lock as flock(2) does, without waiting; -EWOULDBLOCK
     * if another handle has one that excludes it. Held until close(). */
    int (*lock)(stele_file *f, bool exclusive);
    /* Let go of the pages of a map, which are not looked at for now: what was
     * stored stays in the file's cache. A hint; may be NULL. */
    int (*release)(stele_file *f, void *map, size_t len);
} stele_file_ops;

/* The first member of every implementation's own file struct. A file object
 * stays valid for unmap() after close(): the implementation counts maps. */
struct stele_file {
    const stele_file_ops *ops;
};

typedef struct stele_dir_ops {
    uint32_t version; /* 1 */
    int (*close)(stele_dir *d);
    int (*open)(stele_dir *d, const char *name, unsigned flags, stele_file **out);
    /* Of a name, without opening it. */
    int (*stat)(stele_dir *d, const char *name, stele_file_stat *out);
    int (*rename)(stele_dir *d, const char *from, const char *to);
    int (*unlink)(stele_dir *d, const char *name);
    int (*sync)(stele_dir *d);
    /* Call each(arg, name) for every entry but "." and "..", in any order;
     * stops at, and returns, the first result that is not 0. */
    int (*list)(stele_dir *d, int (*each)(void *arg, const char *name), void *arg);
    /* Remove a directory, which must be empty: -ENOTEMPTY. May be NULL. */
    int (*remove_dir)(stele_dir *d, const char *name);
} stele_dir_ops;

/* The first member of every implementation's own directory struct. */
struct stele_dir {
    const stele_dir_ops *ops;
};

typedef struct stele_vfs_ops {
    uint32_t version; /* 1 */
    /* Open a directory by path. With STELE_OPEN_CREATE it and its missing
     * parents are made, and each new name is made durable. -ENOTDIR if it is
     * something else. */
    int (*open_dir)(const stele_vfs *v, const char *path, unsigned flags, stele_dir **out);
} stele_vfs_ops;

/* The first member of every implementation's own vfs struct. */
struct stele_vfs {
    const stele_vfs_ops *ops;
};

/* The real file system. Static; never freed. */
STELE_API const stele_vfs *stele_vfs_posix(void);

STELE_END_DECLS

#endif /* STELE_VFS_H */
