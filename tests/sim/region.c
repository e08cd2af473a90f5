/* SPDX-License-Identifier: MIT */
#include "sim/region.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    KEPT_MAX = 64,
    KEPT_PAGES = 64 /* of one range: to make more of them zero takes longer than to get new ones */
};

/* Disks come and go, and this process keeps their ranges. */
static struct {
    pthread_mutex_t lock;
    struct sim_region list[KEPT_MAX];
    uint32_t count;
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

    (void)pthread_mutex_lock(&kept.lock);
    i = find_kept(len, size);
    found = i < kept.count;
    if (found) {
        *r = kept.list[i];
        kept.list[i] = kept.list[--kept.count];
    }
    (void)pthread_mutex_unlock(&kept.lock);
    return found;
}

void sim_region_take(struct sim_region *r, uint64_t len, uint64_t size)
{
    void *at;

    if (take_kept(r, len, size)) {
        return;
    }
    at = mmap(NULL, (size_t)len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        die("mmap failed");
    }
    *r = (struct sim_region){.at = at, .len = len};
}

/* Whether somebody may take it. */
static bool keep(const struct sim_region *r)
{
    bool room;

    (void)pthread_mutex_lock(&kept.lock);
    room = kept.count < KEPT_MAX;
    if (room) {
        kept.list[kept.count++] = *r;
    }
    (void)pthread_mutex_unlock(&kept.lock);
    return room;
}

/* Bytes behind the end of the file may have been stored to as well. */
static void clear(struct sim_region *r)
{
    if (r->used > r->inside &&
            madvise(r->at + r->inside, (size_t)(r->used - r->inside), MADV_DONTNEED) != 0) {
        die("madvise failed");
    }
    sim_region_set(r, r->inside, true);
    memset(r->at, 0, (size_t)r->inside);
    r->used = r->inside;
}

void sim_region_give(struct sim_region *r, bool hide)
{
    bool small = r->used <= KEPT_PAGES * SIM_PAGE;

    if (small) {
        clear(r);
        if (hide) {
            sim_region_set(r, 0, true);
        }
    }
    if (!small || !keep(r)) {
        (void)munmap(r->at, (size_t)r->len);
    }
    memset(r, 0, sizeof *r);
}
