/* SPDX-License-Identifier: MIT
 *
 * faulty.h: the real files, with one operation that fails or falls short.
 *
 * Every operation that can fail is counted. The one with the number `fail_at`
 * gives -sys_errno without being done.
 */
#ifndef TESTS_LIB_FAULTY_H
#define TESTS_LIB_FAULTY_H

#include "lib/wrap.h"

struct faulty {
    struct wrap_vfs wrap;
    int ops;
    int fail_at; /* from 0; -1: none */
    int sys_errno;
    int writes; /* calls of pwritev() */
    int syncs;  /* of files */
};

/* Fails nothing. */
void faulty_init(struct faulty *f);

/* Count from 0 again, and fail one operation. */
void faulty_fail(struct faulty *f, int fail_at, int sys_errno);

/* Reads and writes take at most so many bytes. */
void faulty_limit(struct faulty *f, size_t transfer_max);

#endif /* TESTS_LIB_FAULTY_H */
