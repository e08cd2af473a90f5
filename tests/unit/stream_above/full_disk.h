/* SPDX-License-Identifier: MIT
 *
 * full_disk.h: the real file system, on which no file can be made while it is
 * said to be full.
 *
 * That is what deletions meet first on a full disk. Names can be renamed and
 * removed; removing a log may make room.
 */
#ifndef STELE_TESTS_STREAM_ABOVE_FULL_DISK_H
#define STELE_TESTS_STREAM_ABOVE_FULL_DISK_H

#include "lib/wrap.h"

#include <errno.h>
#include <string.h>

struct full_disk {
    struct wrap_vfs wrap;
    bool full;
    bool unlink_makes_room;
    unsigned refused; /* files that could not be made */
};

static inline int full_disk_before(struct wrap_vfs *w, const struct wrap_call *call)
{
    struct full_disk *disk = (struct full_disk *)w;
    stele_file_stat st;

    if (disk->full && call->op == WRAP_OPEN && (call->flags & STELE_OPEN_CREATE) != 0 &&
            call->dir->ops->stat(call->dir, call->name, &st) == -ENOENT) {
        disk->refused++;
        return -ENOSPC;
    }
    return 0;
}

static inline void full_disk_after(struct wrap_vfs *w, const struct wrap_call *call, int64_t rc)
{
    struct full_disk *disk = (struct full_disk *)w;

    if (call->op == WRAP_UNLINK && rc == 0 && disk->unlink_makes_room) {
        const size_t len = strlen(call->name);

        disk->full = disk->full && (len <= 4 || strcmp(call->name + len - 4, ".log") != 0);
    }
}

static inline void full_disk_init(struct full_disk *disk)
{
    memset(disk, 0, sizeof *disk);
    wrap_init(&disk->wrap, full_disk_before);
    disk->wrap.after = full_disk_after;
}

#endif /* STELE_TESTS_STREAM_ABOVE_FULL_DISK_H */
