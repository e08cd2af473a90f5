/* SPDX-License-Identifier: MIT
 *
 * disk.h: a file system in memory that can lose power.
 *
 * The disk implements the tables of <stele/vfs.h>. Every file has a page
 * cache, which the program reads and writes, and every change of it is also
 * recorded as one or more effects:
 *
 *     WRITE    one sector of a file: its whole content after the write
 *     SIZE     a new length of a file; a shorter one discards what is behind
 *     LINK     a name for a new file
 *     UNLINK   a name is gone
 *     RENAME   a file has another name, and its old one is gone
 *
 * The calls that change or sync something are numbered from 1 (the
 * operations). An effect has the number of the operation that issued it, and
 * of the one that made it durable. A sync of a file makes its WRITE and SIZE
 * effects durable, never its name; a sync of a directory does that for the
 * names. After a crash at operation i the disk holds every effect that was
 * durable by then, and ANY subset of those that were issued and not durable:
 * that gives lost, torn and reordered writes all at once (crash.h builds such
 * states). As effects are whole sectors, a sector itself is never torn.
 *
 * With `ordered`, names and sizes are kept as a prefix of the order in which
 * they were issued, and any successful sync makes all earlier ones durable,
 * as a journaling file system does it. Without it any subset is possible.
 *
 * Directories are made with open_dir() and are durable as soon as it has
 * returned, since the real one syncs each new name. There are no hard links.
 *
 * A failed sync: what was pending will never be written and later syncs
 * succeed without it, as Linux file systems behave. What the cache shows then
 * is the new content (ext4, xfs) or, with `sync_failure_reverts`, the old
 * (btrfs). The same holds for the names of a directory whose sync failed.
 *
 * Maps: all maps of a file give the same, fixed address, in a range that is
 * as long as the longest file may be. Behind the file's last page, and for
 * stores through a read-only map, touching it is a real segmentation fault.
 * Stores through a writable map are found at the next call (or note, see
 * world.h) by comparing with a copy, and are an operation of their own.
 *
 * Threads: any, under one lock of the disk.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include <stele/vfs.h>

#include "sim/image.h"

struct sim_disk;

struct sim_disk_options {
    uint32_t sector_size; /* 0: 512; a multiple of 32 */
    uint64_t file_max;    /* longest file; 0: 16 MiB */
    uint64_t capacity;    /* bytes of all files, in whole sectors; 0: no limit */
    bool ordered;
    bool no_allocate; /* allocate() answers -EOPNOTSUPP */
    bool sync_failure_reverts;
    bool no_trace; /* record no effects: faster, but no crash states */
};

/* Classes of calls, for counting and for faults. */
enum sim_call {
    SIM_CALL_OPEN = 1 << 0,   /* of a file or directory that exists, or fails to */
    SIM_CALL_CREATE = 1 << 1, /* an open() that makes the file, or open_dir() a directory */
    SIM_CALL_READ = 1 << 2,
    SIM_CALL_WRITE = 1 << 3,
    SIM_CALL_ALLOCATE = 1 << 4,
    SIM_CALL_TRUNCATE = 1 << 5,
    SIM_CALL_SYNC = 1 << 6,
    SIM_CALL_DIR_SYNC = 1 << 7,
    SIM_CALL_RENAME = 1 << 8,
    SIM_CALL_UNLINK = 1 << 9,
    SIM_CALL_LIST = 1 << 10,
    SIM_CALL_STAT = 1 << 11,
    SIM_CALL_MAP = 1 << 12,
    SIM_CALL_PREFAULT = 1 << 13,
    SIM_CALL_LOCK = 1 << 14
};

#define SIM_CALLS_ALL   0x7fffU
#define SIM_CALLS_SPACE (SIM_CALL_CREATE | SIM_CALL_WRITE | SIM_CALL_ALLOCATE | SIM_CALL_TRUNCATE)
#define SIM_CALLS_SYNC  (SIM_CALL_SYNC | SIM_CALL_DIR_SYNC)

/* As `error` of a fault: half of the bytes are read or written. */
#define SIM_SHORT (-1)
/* A bit in the middle of what is written is another one, and no error tells. */
#define SIM_FLIP (-2)

struct sim_fault {
    unsigned calls;  /* the classes that it can hit, of enum sim_call */
    uint64_t at;     /* the at-th such call from now on, counted from 0 */
    int error;       /* errno, SIM_SHORT or SIM_FLIP */
    bool persistent; /* and all such calls behind it */
    bool done;       /* of a write: the bytes are in the file when the error comes */
};

/* An empty disk, or one that starts with an image (whose sector size must be
 * that of the options). NULL options: all defaults. */
struct sim_disk *sim_disk_new(const struct sim_disk_options *options);
struct sim_disk *sim_disk_of_image(struct sim_image *image, const struct sim_disk_options *options);
/* Handles and maps that are still open are gone, too. */
void sim_disk_free(struct sim_disk *d);

const stele_vfs *sim_disk_vfs(struct sim_disk *d);

/* Whether effects are recorded; if not, what is done there is of no use to the explorer. */
bool sim_disk_traces(const struct sim_disk *d);

/* Numbers so far: operations, calls of these classes, handles and maps that are open. */
uint64_t sim_disk_ops(struct sim_disk *d);
uint64_t sim_disk_calls(struct sim_disk *d, unsigned calls);
uint64_t sim_disk_open_count(struct sim_disk *d);

/* NULL: no fault. Counts from zero again. */
void sim_disk_set_fault(struct sim_disk *d, const struct sim_fault *fault);
/* How many calls failed or were cut by the present fault. */
uint64_t sim_disk_fault_hits(struct sim_disk *d);

/* From now on every call fails with EIO. Handles can still be closed. */
void sim_disk_power_off(struct sim_disk *d);

/* Find the stores through maps now. Returns the number of operations. */
uint64_t sim_disk_settle(struct sim_disk *d);

/* What a new process would see: the cache, as after a kill. */
struct sim_image *sim_disk_image(struct sim_disk *d);

/* ---- The trace, for crash.h. Valid until the next call of the disk. ---- */

enum sim_effect_type {
    SIM_WRITE,
    SIM_SIZE,
    SIM_LINK,
    SIM_UNLINK,
    SIM_RENAME
};

#define SIM_NEVER UINT64_MAX

struct sim_effect {
    enum sim_effect_type type;
    uint32_t file;            /* files are numbered: those of the base image first */
    uint32_t dir;             /* names */
    uint32_t sector;          /* WRITE */
    uint32_t next;            /* the one before it that is pending, plus 1; or 0 */
    bool cut;                 /* SIZE: it was a shorter one */
    uint64_t size;            /* SIZE */
    struct sim_sector *image; /* WRITE; NULL: zeros */
    char *name;               /* LINK, UNLINK, and RENAME's target */
    uint64_t name_hash;
    char *from; /* RENAME */
    uint64_t issued;
    uint64_t durable; /* or SIM_NEVER */
    uint64_t dropped; /* by a failed sync, or SIM_NEVER */
};

struct sim_trace_dir {
    char path[SIM_PATH_SIZE];
    uint64_t hash;
    uint64_t created; /* the operation */
    uint32_t pending;
};

struct sim_trace {
    const struct sim_image *base; /* NULL: empty */
    const struct sim_effect *effects;
    const struct sim_trace_dir *dirs;
    size_t effect_count;
    uint32_t dir_count;
    uint32_t file_count;
    uint32_t sector_size;
    uint64_t ops;
    bool ordered;
};

void sim_disk_trace(struct sim_disk *d, struct sim_trace *out);

#endif /* SIM_DISK_H */
