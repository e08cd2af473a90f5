/* SPDX-License-Identifier: MIT */
#include "sim/region.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    KEPT_MAX = 64,
    KEPT_PAGES = 64 /* of one range: to make more of them zero takes longer than to get new ones */
};

/* Disks come and go, and this process keeps their ranges. */
static struct {
    pthread_mutex_t lock;
    struct sim_region list[KEPT_MAX];
    uint32_t count;
    pid_t process; /* whose they are */
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "sim region: %s\n", what);
    abort();
}

static void set_pages(struct sim_region *r, uint64_t from, uint64_t to, int how)
{
    if (from < to && mprotect(r->at + from, (size_t)(to - from), how) != 0) {
        die("mprotect failed");
    }
}

void sim_region_set(struct sim_region *r, uint64_t inside, bool writable)
{
    set_pages(r, writable == r->writable ? r->inside : 0, inside,
            writable ? PROT_READ | PROT_WRITE : PROT_READ);
    set_pages(r, inside, r->inside, PROT_NONE);
    r->inside = inside;
    r->used = inside > r->used ? inside : r->used;
    r->writable = writable;
}

static void lock_kept(void)
{
    (void)pthread_mutex_lock(&kept.lock);
    if (kept.process != getpid()) {
        kept.process = getpid();
        kept.count = 0;
    }
}

/* The one that needs the least changes, or the count. */
static uint32_t find_kept(uint64_t len, uint64_t size)
{
    uint64_t inside = (size + SIM_PAGE - 1) / SIM_PAGE * SIM_PAGE;
    uint32_t best = kept.count;

    for (uint32_t i = kept.count; i-- > 0;) {
        if (kept.list[i].len == len && (best == kept.count || kept.list[i].inside == inside)) {
            best = i;
            if (kept.list[i].inside == inside) {
                break;
            }
        }
    }
    return best;
}

static bool take_kept(struct sim_region *r, uint64_t len, uint64_t size)
{
    bool found;
    uint32_t i;

    lock_kept();
    i = find_kept(len, size);
    found = i < kept.count;
    if (found) {
        *r = kept.list[i];
        kept.list[i] = kept.list[--kept.count];
    }
    (void)pthread_mutex_unlock(&kept.lock);
    return found;
}

static uint8_t *map_file(int fd, uint64_t len, int how)
{
    void *at = mmap(NULL, (size_t)len, how, MAP_SHARED | MAP_NORESERVE, fd, 0);

    if (at == MAP_FAILED) {
        die("mmap failed");
    }
    return at;
}

void sim_region_take(struct sim_region *r, uint64_t len, uint64_t size)
{
    int fd;

    if (take_kept(r, len, size)) {
        return;
    }
    fd = memfd_create("sim", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)len) != 0) {
        die("memfd_create failed");
    }
    *r = (struct sim_region){.at = map_file(fd, len, PROT_NONE),
            .own = map_file(fd, len, PROT_READ | PROT_WRITE),
            .len = len,
            .process = getpid()};
    (void)close(fd);
}

/* Whether somebody may take it. */
static bool keep(const struct sim_region *r)
{
    bool room;

    lock_kept();
    room = kept.count < KEPT_MAX;
    if (room) {
        kept.list[kept.count++] = *r;
    }
    (void)pthread_mutex_unlock(&kept.lock);
    return room;
}

void sim_region_give(struct sim_region *r, bool hide)
{
    bool usable = r->process == getpid() && r->used <= KEPT_PAGES * SIM_PAGE;

    if (usable) {
        /* Also bytes behind the end of the file may have been stored to. */
        memset(r->own, 0, (size_t)r->used);
        if (hide) {
            sim_region_set(r, 0, r->writable);
        }
        r->used = r->inside;
    }
    if (!usable || !keep(r)) {
        (void)munmap(r->at, (size_t)r->len);
        (void)munmap(r->own, (size_t)r->len);
    }
    memset(r, 0, sizeof *r);
}
