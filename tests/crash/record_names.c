/* SPDX-License-Identifier: MIT
 *
 * record_names.c: calls that make, change and remove names.
 */
#include "crash/record_calls.h"
#include "crash/record_state.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Names. ---- */

static bool is_there(int at, const char *name)
{
    struct stat st;

    return fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void remember(int fd, int flags)
{
    struct stat st;

    if (fd < RECORD_DESCRIPTORS && fstat(fd, &st) == 0) {
        recorder.node_of[fd] = record_find_node(&st);
        recorder.synced[fd] = (flags & O_DSYNC) != 0;
    }
}

int record_open(int at, const char *path, int flags, unsigned mode)
{
    const char *name;
    uint32_t dir;
    bool made;
    enum record_fate fate = FATE_DONE;
    int fd;

    (void)pthread_mutex_lock(&recorder.lock);
    dir = record_dir_of(at, path, &name);
    made = dir != 0 && (flags & O_CREAT) != 0 && !is_there(at, path);
    if (made) {
        fate = record_decide(RECORD_CREATE);
    }
    fd = fate == FATE_ERROR ? -1 : (int)syscall(SYS_openat, at, path, flags, mode);
    if (fd >= 0 && recorder.on) {
        if (made) {
            struct record_event *e = record_add(RECORD_CREATE);
            struct stat st;

            record_must(fstat(fd, &st) == 0);
            e->dir = dir - 1;
            e->name = record_keep_name(name);
            e->node = record_add_node(&st);
        }
        remember(fd, flags);
    }
    record_end_if_last(fate);
    (void)pthread_mutex_unlock(&recorder.lock);
    return fd;
}

int record_mkdir(int at, const char *path, unsigned mode)
{
    const char *name;
    uint32_t dir;
    enum record_fate fate = FATE_DONE;
    int rc;

    (void)pthread_mutex_lock(&recorder.lock);
    dir = record_dir_of(at, path, &name);
    if (dir != 0 && !is_there(at, path)) {
        fate = record_decide(RECORD_MKDIR);
    }
    rc = fate == FATE_ERROR ? -1 : (int)syscall(SYS_mkdirat, at, path, mode);
    if (rc == 0 && dir != 0) {
        struct record_event *e = record_add(RECORD_MKDIR);
        struct stat st;

        record_must(fstatat(at, path, &st, 0) == 0);
        e->dir = dir - 1;
        e->name = record_keep_name(name);
        e->node = record_add_node(&st);
    }
    record_end_if_last(fate);
    (void)pthread_mutex_unlock(&recorder.lock);
    return rc;
}

/* The node that a name leads to, plus 1. */
static uint32_t node_at(int at, const char *path)
{
    struct stat st;

    return fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? record_find_node(&st) : 0;
}

/* Its number may be given to another file once no name leads to it. */
static void forget(uint32_t node)
{
    if (node != 0) {
        recorder.shared->nodes[node - 1].ino = 0;
    }
}

int record_unlink(int at, const char *path, int flags)
{
    const char *name;
    uint32_t dir;
    uint32_t node;
    enum record_fate fate = FATE_DONE;
    int rc;

    (void)pthread_mutex_lock(&recorder.lock);
    dir = record_dir_of(at, path, &name);
    node = dir == 0 ? 0 : node_at(at, path);
    if (node != 0) {
        fate = record_decide(RECORD_UNLINK);
    }
    rc = fate == FATE_ERROR ? -1 : (int)syscall(SYS_unlinkat, at, path, flags);
    if (rc == 0 && node != 0) {
        struct record_event *e = record_add(RECORD_UNLINK);

        e->dir = dir - 1;
        e->name = record_keep_name(name);
        e->is_dir = (flags & AT_REMOVEDIR) != 0;
        forget(node);
    }
    record_end_if_last(fate);
    (void)pthread_mutex_unlock(&recorder.lock);
    return rc;
}

int record_rename(int from_at, const char *from, int to_at, const char *to)
{
    const char *name;
    const char *to_name;
    uint32_t dir;
    uint32_t to_dir;
    uint32_t replaced;
    enum record_fate fate = FATE_DONE;
    int rc;

    (void)pthread_mutex_lock(&recorder.lock);
    dir = record_dir_of(from_at, from, &name);
    to_dir = record_dir_of(to_at, to, &to_name);
    replaced = to_dir == 0 ? 0 : node_at(to_at, to);
    record_must((dir == 0) == (to_dir == 0));
    if (dir != 0) {
        fate = record_decide(RECORD_RENAME);
    }
    rc = fate == FATE_ERROR ? -1 : (int)syscall(SYS_renameat2, from_at, from, to_at, to, 0);
    if (rc == 0 && dir != 0) {
        struct record_event *e = record_add(RECORD_RENAME);
        uint32_t node = node_at(to_at, to);

        e->dir = dir - 1;
        e->name = record_keep_name(name);
        e->to_dir = to_dir - 1;
        e->to = record_keep_name(to_name);
        e->is_dir = node != 0 && recorder.shared->nodes[node - 1].is_dir;
        forget(replaced);
    }
    record_end_if_last(fate);
    (void)pthread_mutex_unlock(&recorder.lock);
    return rc;
}
