/* SPDX-License-Identifier: MIT
 *
 * wrap.h: the real files, with a word before and after each operation.
 *
 * A test's own struct begins with a struct wrap_vfs. What it may say: that an
 * operation fails, how much a read or write takes, and anything else that it
 * does in between. One operation is asked about at a time if the test calls
 * from one thread.
 */
#ifndef TESTS_LIB_WRAP_H
#define TESTS_LIB_WRAP_H

#include <stele/vfs.h>

enum wrap_op {
    WRAP_OPEN_DIR,
    WRAP_OPEN,
    WRAP_LOOK, /* stat() of a directory */
    WRAP_RENAME,
    WRAP_UNLINK,
    WRAP_SYNC_DIR,
    WRAP_LIST,
    WRAP_READ,
    WRAP_WRITE,
    WRAP_ALLOCATE,
    WRAP_TRUNCATE,
    WRAP_STAT,
    WRAP_SYNC,
    WRAP_MAP,
    WRAP_PREFAULT,
    WRAP_LOCK
};

struct wrap_call {
    enum wrap_op op;
    const char *name; /* in a directory; of a rename the new one; else NULL */
    unsigned flags;   /* of WRAP_OPEN */
    stele_dir *dir;   /* the real one of operations in a directory, or NULL */
};

struct wrap_vfs {
    stele_vfs vfs;
    /* A negative errno: the operation gives that, and is not done. */
    int (*before)(struct wrap_vfs *w, const struct wrap_call *call);
    /* With what it gave; may be NULL. */
    void (*after)(struct wrap_vfs *w, const struct wrap_call *call, int64_t rc);
    size_t read_max; /* bytes of one call */
    size_t write_max;
};

/* Everything is passed on whole. */
void wrap_init(struct wrap_vfs *w, int (*before)(struct wrap_vfs *w, const struct wrap_call *call));

#endif /* TESTS_LIB_WRAP_H */
