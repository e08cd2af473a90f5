/* SPDX-License-Identifier: MIT
 *
 * cut_disk.c: a real file system whose power can be cut.
 */
#include "crash/cut_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SIZE_MIB = 192,
    NO_FLUSH = 2
};

#define SHUTDOWN _IOR('X', 125, uint32_t)

static bool cannot(struct store_why *why, const char *what)
{
    return store_wrong(why, "%s: %s", what, strerror(errno));
}

static bool make_image(const struct cut_disk *d, struct store_why *why)
{
    char *argv[] = {(char *)(uintptr_t) "mke2fs", (char *)(uintptr_t) "-q",
            (char *)(uintptr_t) "-F", (char *)(uintptr_t) "-t", (char *)(uintptr_t) "ext4",
            (char *)(uintptr_t)d->image, NULL};
    char path[] = "PATH=/usr/sbin:/sbin:/usr/bin:/bin";
    char *env[] = {path, NULL};
    int fd = open(d->image, O_RDWR | O_CREAT | O_TRUNC, 0600);
    int status = -1;
    pid_t child = -1;

    if (fd < 0 || ftruncate(fd, (off_t)SIZE_MIB << 20) != 0 || close(fd) != 0) {
        return cannot(why, "an image");
    }
    (void)setenv("PATH", path + strlen("PATH="), 1);
    errno = posix_spawnp(&child, "mke2fs", NULL, NULL, argv, env);
    if (errno != 0 || waitpid(child, &status, 0) != child || status != 0) {
        return cannot(why, "mke2fs");
    }
    return true;
}

/* Give a device that is free now a file. -1, with EBUSY if somebody else was faster. */
static int attach_to_free(int control, int image, char device[32])
{
    const struct loop_info64 info = {.lo_flags = LO_FLAGS_AUTOCLEAR};
    int number = ioctl(control, LOOP_CTL_GET_FREE);
    int fd;

    (void)snprintf(device, 32, "/dev/loop%d", number);
    fd = number < 0 ? -1 : open(device, O_RDWR | O_CLOEXEC);
    if (fd >= 0 &&
            (ioctl(fd, LOOP_SET_FD, image) != 0 || ioctl(fd, LOOP_SET_STATUS64, &info) != 0)) {
        int why = errno;

        (void)close(fd);
        errno = why;
        fd = -1;
    }
    return fd;
}

/* A device for the image, which is free again once nobody has it. */
static int attach(const struct cut_disk *d, char device[32])
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int image = open(d->image, O_RDWR | O_CLOEXEC);
    int fd = -1;

    if (control >= 0 && image >= 0) {
        do {
            fd = attach_to_free(control, image, device);
        } while (fd < 0 && errno == EBUSY);
    }
    (void)close(control);
    (void)close(image);
    return fd;
}

static bool mount_image(const struct cut_disk *d, struct store_why *why)
{
    char device[32];
    int fd = attach(d, device);
    bool ok;

    if (fd < 0) {
        return cannot(why, "a loop device");
    }
    ok = mount(device, d->mount, "ext4", 0, NULL) == 0;
    if (!ok) {
        (void)cannot(why, "mount");
    }
    (void)close(fd);
    return ok;
}

bool cut_disk_shut_down(const struct cut_disk *d, struct store_why *why)
{
    uint32_t how = NO_FLUSH;
    int fd = open(d->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && ioctl(fd, SHUTDOWN, &how) == 0;

    if (!ok) {
        (void)cannot(why, "shut down");
    }
    (void)close(fd);
    return ok;
}

bool cut_disk_mount_again(const struct cut_disk *d, struct store_why *why)
{
    if (umount(d->mount) != 0) {
        return cannot(why, "unmount");
    }
    return mount_image(d, why);
}

/* A world of mounts of its own, gone with this process. */
bool cut_disk_make(struct cut_disk *d, struct store_why *why)
{
    const char *parent = getenv("TMPDIR");

    (void)snprintf(
            d->dir, sizeof d->dir, "%.100s/stele-cuts-XXXXXX", parent == NULL ? "/tmp" : parent);
    if (mkdtemp(d->dir) == NULL) {
        return cannot(why, "a directory");
    }
    (void)snprintf(d->image, sizeof d->image, "%s/image", d->dir);
    (void)snprintf(d->mount, sizeof d->mount, "%s/mnt", d->dir);
    if (mkdir(d->mount, 0700) != 0) {
        return cannot(why, "a directory");
    }
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        return cannot(why, "mounts of its own");
    }
    return make_image(d, why) && mount_image(d, why) && cut_disk_shut_down(d, why) &&
           cut_disk_mount_again(d, why);
}

bool cut_disk_make_anew(const struct cut_disk *d, struct store_why *why)
{
    if (umount(d->mount) != 0) {
        return cannot(why, "unmount");
    }
    return make_image(d, why) && mount_image(d, why);
}

void cut_disk_remove(const struct cut_disk *d)
{
    (void)umount2(d->mount, MNT_DETACH);
    (void)unlink(d->image);
    (void)rmdir(d->mount);
    (void)rmdir(d->dir);
}
