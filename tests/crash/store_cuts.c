/* SPDX-License-Identifier: MIT
 *
 * store_cuts.c: power cuts of a real file system. It is shut down beneath a process that writes to
 * a store, as a journal that is never flushed; then it is mounted again, and what it has is judged.
 *
 *     store_cuts [COUNT]
 *
 * This needs the right to mount, a loop device, and a kernel that shuts ext4 down. Where one is
 * missing all cuts are skipped, and it says so.
 */
#include "crash/program.h"
#include "crash/store_load.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
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
    QUICK = 5,
    FULL = 100,
    FRESH = 20, /* cuts, then a new file system */
    SIZE_MIB = 192,
    NO_FLUSH = 2
};

#define SHUTDOWN _IOR('X', 125, uint32_t)

struct place {
    char dir[DISK_PATH_SIZE];
    char image[DISK_PATH_SIZE + 16];
    char mount[DISK_PATH_SIZE + 16];
    char store[DISK_PATH_SIZE + 24];
};

/* ---- The file system. False: it cannot be had here; `why` says what. ---- */

static bool cannot(struct store_why *why, const char *what)
{
    return store_wrong(why, "%s: %s", what, strerror(errno));
}

static bool make_image(const struct place *p, struct store_why *why)
{
    char *argv[] = {(char *)(uintptr_t) "mke2fs", (char *)(uintptr_t) "-q",
            (char *)(uintptr_t) "-F", (char *)(uintptr_t) "-t", (char *)(uintptr_t) "ext4",
            (char *)(uintptr_t)p->image, NULL};
    char path[] = "PATH=/usr/sbin:/sbin:/usr/bin:/bin";
    char *env[] = {path, NULL};
    int fd = open(p->image, O_RDWR | O_CREAT | O_TRUNC, 0600);
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

/* A device for the image, which is free again once nobody has it. */
static int attach(const struct place *p, char device[32])
{
    const struct loop_info64 info = {.lo_flags = LO_FLAGS_AUTOCLEAR};
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int image = open(p->image, O_RDWR | O_CLOEXEC);
    int number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
    int fd;

    (void)snprintf(device, 32, "/dev/loop%d", number);
    fd = number < 0 || image < 0 ? -1 : open(device, O_RDWR | O_CLOEXEC);
    if (fd >= 0 &&
            (ioctl(fd, LOOP_SET_FD, image) != 0 || ioctl(fd, LOOP_SET_STATUS64, &info) != 0)) {
        (void)close(fd);
        fd = -1;
    }
    (void)close(control);
    (void)close(image);
    return fd;
}

static bool mount_image(const struct place *p, struct store_why *why)
{
    char device[32];
    int fd = attach(p, device);
    bool ok;

    if (fd < 0) {
        return cannot(why, "a loop device");
    }
    ok = mount(device, p->mount, "ext4", 0, NULL) == 0;
    if (!ok) {
        (void)cannot(why, "mount");
    }
    (void)close(fd);
    return ok;
}

static bool shut_down(const struct place *p, struct store_why *why)
{
    uint32_t how = NO_FLUSH;
    int fd = open(p->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && ioctl(fd, SHUTDOWN, &how) == 0;

    if (!ok) {
        (void)cannot(why, "shut down");
    }
    (void)close(fd);
    return ok;
}

/* A world of mounts of its own, gone with this process. */
static bool set_up(struct place *p, struct store_why *why)
{
    const char *parent = getenv("TMPDIR");

    (void)snprintf(
            p->dir, sizeof p->dir, "%.100s/stele-cuts-XXXXXX", parent == NULL ? "/tmp" : parent);
    if (mkdtemp(p->dir) == NULL) {
        return cannot(why, "a directory");
    }
    (void)snprintf(p->image, sizeof p->image, "%s/image", p->dir);
    (void)snprintf(p->mount, sizeof p->mount, "%s/mnt", p->dir);
    (void)snprintf(p->store, sizeof p->store, "%s/store", p->mount);
    if (mkdir(p->mount, 0700) != 0) {
        return cannot(why, "a directory");
    }
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        return cannot(why, "mounts of its own");
    }
    return make_image(p, why) && mount_image(p, why);
}

static void tear_down(const struct place *p)
{
    (void)umount2(p->mount, MNT_DETACH);
    (void)unlink(p->image);
    (void)rmdir(p->mount);
    (void)rmdir(p->dir);
}

/* ---- Cuts. ---- */

static bool prepare(
        struct store_load *load, const struct place *p, bool fresh, struct store_why *why)
{
    if (!fresh) {
        return true;
    }
    atomic_store(&load->number, 0);
    atomic_store(&load->acked, 0);
    if (umount(p->mount) != 0) {
        return cannot(why, "unmount");
    }
    return make_image(p, why) && mount_image(p, why) && mkdir(p->store, 0700) == 0;
}

static bool cut(
        struct store_load *load, const struct place *p, uint64_t random, struct store_why *why)
{
    uint64_t until = atomic_load(&load->ends) + random % 40;
    uint64_t acked;
    bool ok = true;
    int status;
    pid_t child = fork();

    if (child == 0) {
        store_load_run(load, p->store, true);
    }
    while (atomic_load(&load->ends) < until && ok) {
        (void)usleep(100);
        ok = waitpid(child, &status, WNOHANG) == 0;
    }
    (void)usleep((useconds_t)(random / 64 % 5000));
    acked = atomic_load(&load->acked);
    if (!ok || !shut_down(p, why)) {
        return ok ? false : store_wrong(why, "the process ended by itself: %s", load->why);
    }
    (void)usleep((useconds_t)(random / 4096 % 3000));
    (void)kill(child, SIGKILL);
    if (waitpid(child, &status, 0) != child || umount(p->mount) != 0) {
        return cannot(why, "unmount");
    }
    /* Of a sync that is under way ext4 says success when it gives the journal up: what came back
     * while it was shut down is not counted. */
    atomic_store(&load->acked, acked);
    return mount_image(p, why) && store_load_judge(load, p->store, why);
}

static bool run(struct store_load *load, const struct place *p, unsigned count, unsigned *done,
        struct store_why *why)
{
    uint64_t random = 1;

    for (*done = 0; *done < count; ++*done) {
        random = sim_mix(random + *done);
        if (!prepare(load, p, *done % FRESH == 0, why) || !cut(load, p, random, why)) {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10)
                              : (program_full() ? (unsigned)FULL : (unsigned)QUICK);
    struct store_load *load = store_load_new();
    struct store_why why = {""};
    struct place p = {.dir = ""};
    unsigned done = 0;
    bool ok = true;

    if (!set_up(&p, &why) || !shut_down(&p, &why) || umount(p.mount) != 0 ||
            !mount_image(&p, &why)) {
        (void)printf("store cuts: SKIPPED, all %u of them: %s\n", count, why.text);
    } else {
        ok = run(load, &p, count, &done, &why);
        if (!ok) {
            (void)printf("store cuts: cut %u: %s\n", done, why.text);
        }
        (void)printf("store cuts: cuts %u, durable ends %" PRIu64 ", reads %" PRIu64
                     ", calls refused %" PRIu64 ", violations %d\n",
                done, atomic_load(&load->ends), atomic_load(&load->reads),
                atomic_load(&load->refused), ok ? 0 : 1);
    }
    tear_down(&p);
    store_load_free(load);
    return ok ? 0 : 1;
}
