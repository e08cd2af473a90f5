/* SPDX-License-Identifier: MIT
 *
 * cut_disk.h: a real file system whose power can be cut: ext4 on a loop device, which is shut down
 * beneath a process, as a journal that is never flushed.
 *
 * This needs the right to mount, a loop device, and a kernel that shuts ext4 down. Every call says
 * false, and in `why` what is missing, where one is not to be had.
 */
#ifndef TESTS_CRASH_CUT_DISK_H
#define TESTS_CRASH_CUT_DISK_H

#include "crash/store_disk.h"
#include "crash/store_run.h"

struct cut_disk {
    char dir[DISK_PATH_SIZE];
    char image[DISK_PATH_SIZE + 16];
    char mount[DISK_PATH_SIZE + 16]; /* where it is */
};

/* A new one, in a world of mounts of its own, which is gone with this process; tried once. */
bool cut_disk_make(struct cut_disk *d, struct store_why *why);
void cut_disk_remove(const struct cut_disk *d);

/* Another one in its place, empty. */
bool cut_disk_make_anew(const struct cut_disk *d, struct store_why *why);

/* The power is cut: nothing gets to it any more. Then, when nobody has it open, it is there again
 * with what it had. */
bool cut_disk_shut_down(const struct cut_disk *d, struct store_why *why);
bool cut_disk_mount_again(const struct cut_disk *d, struct store_why *why);

#endif /* TESTS_CRASH_CUT_DISK_H */
