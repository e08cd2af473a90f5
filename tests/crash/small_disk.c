/* SPDX-License-Identifier: MIT
 *
 * small_disk.c: a small file system of its own, in memory.
 */
#include "crash/small_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CANNOT = 77,
    PIECE = 4096
};

/* By pieces; then the last bytes one by one. */
bool small_disk_fill(const struct small_disk *d, uint64_t leave, struct store_why *why)
{
    static const uint8_t zeros[PIECE];
    int fd = open(d->ballast, O_RDWR | O_CREAT | O_APPEND, 0600);
    off_t size;

    if (fd < 0) {
        return store_wrong(why, "ballast: %s", strerror(errno));
    }
    while (write(fd, zeros, sizeof zeros) == (ssize_t)sizeof zeros) {
    }
    while (write(fd, zeros, 1) == 1) {
    }
    size = lseek(fd, 0, SEEK_END);
    if (leave > 0 && ftruncate(fd, size > (off_t)leave ? size - (off_t)leave : 0) != 0) {
        return store_wrong(why, "ballast: %s", strerror(errno));
    }
    (void)close(fd);
    return true;
}

bool small_disk_make_room(const struct small_disk *d, struct store_why *why)
{
    return unlink(d->ballast) == 0 || store_wrong(why, "ballast: %s", strerror(errno));
}

static bool mount_it(const struct small_disk *d, unsigned mib)
{
    char size[32];

    (void)snprintf(size, sizeof size, "size=%um", mib);
    return (unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", d->dir, "tmpfs", 0, size) == 0;
}

int small_disk_run(
        struct small_disk *d, unsigned mib, const char *what, bool (*run)(void *arg), void *arg)
{
    int status = -1;
    pid_t child;

    disk_scratch(d->dir);
    (void)snprintf(d->ballast, sizeof d->ballast, "%s/ballast", d->dir);
    (void)fflush(NULL);
    child = fork();
    if (child == 0) {
        bool ok;

        if (!mount_it(d, mib)) {
            _exit(CANNOT);
        }
        ok = run(arg);
        (void)fflush(NULL);
        _exit(ok ? 0 : 1);
    }
    if (waitpid(child, &status, 0) != child) {
        return 1;
    }
    (void)rmdir(d->dir);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT) {
        (void)printf("%s: SKIPPED, no file system of its own can be had here\n", what);
        return 0;
    }
    return status == 0 ? 0 : 1;
}
