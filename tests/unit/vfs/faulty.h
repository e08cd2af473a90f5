/* SPDX-License-Identifier: MIT
 *
 * faulty.h: the real files, with one operation that fails or falls short.
 *
 * Every operation that can fail is counted. The one with the number `fail_at`
 * gives -sys_errno without being done; reads and writes take at most
 * `transfer_max` bytes, and nothing at all if `take_nothing` is set.
 */
#ifndef TESTS_UNIT_VFS_FAULTY_H
#define TESTS_UNIT_VFS_FAULTY_H

#include <stele/vfs.h>

struct faulty {
    stele_vfs base;
    int ops;
    int fail_at; /* from 0; -1: none */
    int sys_errno;
    size_t transfer_max;
    bool take_nothing;
    int writes; /* calls of pwritev() */
    int syncs;  /* of files */
};

/* Fails nothing. */
void faulty_init(struct faulty *f);

/* Count from 0 again, and fail one operation. */
void faulty_fail(struct faulty *f, int fail_at, int sys_errno);

#endif /* TESTS_UNIT_VFS_FAULTY_H */
