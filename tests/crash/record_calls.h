/* SPDX-License-Identifier: MIT
 *
 * record_calls.h: between the names of the C library, and what is made of calls by them.
 */
#ifndef TESTS_CRASH_RECORD_CALLS_H
#define TESTS_CRASH_RECORD_CALLS_H

#include "crash/record.h"

#include <sys/types.h>
#include <sys/uio.h>

/* Whether there is anything to record, and whether a descriptor belongs to it. */
bool record_is_on(void);
bool record_has(int fd);

/* With the arguments and results of the system calls. The first four while something is recorded,
 * the others of descriptors that belong to it. */
int record_open(int at, const char *path, int flags, unsigned mode);
int record_mkdir(int at, const char *path, unsigned mode);
int record_unlink(int at, const char *path, int flags);
int record_rename(int from_at, const char *from, int to_at, const char *to);
int record_close(int fd);
/* At `at`, or, if `here`, where the descriptor is. */
ssize_t record_write(int fd, const struct iovec *pieces, int count, off_t at, bool here);
int record_truncate(int fd, off_t size);
int record_allocate(int fd, off_t at, off_t len);
int record_sync(int fd);

/* True: so that the linker takes them. */
bool record_calls_are_here(void);

#endif /* TESTS_CRASH_RECORD_CALLS_H */
