/* SPDX-License-Identifier: MIT
 *
 * region.h: address ranges for the maps of simulated files.
 *
 * A file that is mapped lies at one place from then on, in a range that is
 * longer than it will ever be. Its first pages may be read, or read and written;
 * the rest may not be touched: who does so gets a SIGSEGV, as a real map gives a
 * SIGBUS there. The disk itself has the same memory at a second address, where
 * it may always read and write.
 *
 * Ranges are kept for the next disk, since to make and drop them, and to change
 * what may be done there, is half of the work of a disk that lives for a
 * millisecond. A process that forks does not share them: the child must not
 * change a file that its parent had mapped.
 */
#ifndef SIM_REGION_H
#define SIM_REGION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Protection is set for whole pages; other machines may have longer ones. */
#if defined(__x86_64__)
#define SIM_PAGE ((uint64_t)4096)
#else
#define SIM_PAGE ((uint64_t)65536)
#endif

struct sim_region {
    uint8_t *at;  /* for maps */
    uint8_t *own; /* for the disk */
    uint64_t len;
    uint64_t inside; /* bytes that may be touched */
    uint64_t used;   /* the most that it ever was */
    bool writable;   /* they may be written */
    pid_t process;   /* that made it */
};

/* A range of `len` bytes, whole pages, that are zero; best one where so many can be touched. */
void sim_region_take(struct sim_region *r, uint64_t len, uint64_t size);

/* With `hide`, at once nobody may touch it. */
void sim_region_give(struct sim_region *r, bool hide);

/* Let the first `inside` bytes, whole pages, be touched and no others. Most calls change nothing.
 */
void sim_region_set(struct sim_region *r, uint64_t inside, bool writable);

#endif /* SIM_REGION_H */
