/* SPDX-License-Identifier: MIT
 *
 * small_disk.h: a small file system of its own, in memory, that can be filled to the last byte and
 * emptied again.
 */
#ifndef TESTS_CRASH_SMALL_DISK_H
#define TESTS_CRASH_SMALL_DISK_H

#include "crash/store_disk.h"
#include "crash/store_run.h"

struct small_disk {
    char dir[DISK_PATH_SIZE]; /* where it is */
    char ballast[DISK_PATH_SIZE + 16];
};

/* Call `run` in a process that alone sees such a file system, of so many MiB; what main() returns.
 * Skipped, and it says so of `what`, where none can be had. */
int small_disk_run(
        struct small_disk *d, unsigned mib, const char *what, bool (*run)(void *arg), void *arg);

/* All but so many bytes. */
bool small_disk_fill(const struct small_disk *d, uint64_t leave, struct store_why *why);
bool small_disk_make_room(const struct small_disk *d, struct store_why *why);

#endif /* TESTS_CRASH_SMALL_DISK_H */
