/* SPDX-License-Identifier: MIT
 *
 * record.h: what this process does to the files below one directory, call by call, LMDB's calls
 * included.
 *
 * The functions of the C library that change or sync a file are defined here once more; the
 * program's own come before those of every shared object, so that they are seen, and can fail,
 * wherever they are called from. They make the system call, and write down what it did. Stores
 * through maps are not seen: LMDB's data has none, and its table of readers is worth nothing after
 * a crash.
 *
 * Files and directories are nodes, numbered as they are met; node 0 is the directory itself. A name
 * is an entry of a directory's node, apart from what it names. Nothing that is recorded knows a
 * path, so that a renamed directory keeps what is in it.
 *
 * What is recorded lies in memory that a child process shares: a part of a run may be done by a
 * child that ends without closing anything. One process at a time, any number of threads.
 */
#ifndef TESTS_CRASH_RECORD_H
#define TESTS_CRASH_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum record_kind {
    RECORD_CREATE, /* a new file `node`, by `name` in `dir` */
    RECORD_MKDIR,
    RECORD_WRITE,    /* `len` bytes at `at`; `synced`: through a descriptor that syncs */
    RECORD_TRUNCATE, /* to `at` bytes */
    RECORD_ALLOCATE, /* `len` bytes from `at` on */
    RECORD_SYNC,     /* of a file or a directory */
    RECORD_RENAME,   /* `name` in `dir` to `to` in `to_dir` */
    RECORD_UNLINK,   /* of a file, or an empty directory */
    RECORD_NOTE
};

struct record_event {
    enum record_kind kind;
    bool failed; /* only of a sync: nobody knows what is on the disk */
    bool synced;
    bool is_dir; /* RENAME, UNLINK: of a directory */
    uint32_t node;
    uint32_t dir;
    uint32_t to_dir;
    uint64_t at;
    uint64_t len;
    const char *name; /* these three are valid until the next record_start() */
    const char *to;
    const uint8_t *bytes;
    int note; /* the caller's */
    uint32_t what;
    uint64_t value;
};

/* Begin with an empty record of what is done below `root`. What is there already gets nodes by
 * record_know(). */
void record_start(const char *root);

/* Give the file or directory at `path`, by `name` in `dir`, the next number. */
uint32_t record_know(const char *path, bool is_dir);

/* From now on calls are made as always. */
void record_stop(void);

/* The caller's own event; none while nothing is recorded. */
void record_note(int note, uint32_t what, uint64_t value);

/* How many events there are, and the n-th. */
size_t record_count(void);
struct record_event record_at(size_t n);

/* ---- Faults. ---- */

enum record_fault_kind {
    RECORD_FAULT_ERROR, /* the call is not made, and fails */
    RECORD_FAULT_SHORT, /* a write takes half; of other calls nothing */
    RECORD_FAULT_KILL,  /* the process ends before the call */
    RECORD_FAULT_KILL_AFTER
};

struct record_fault {
    enum record_fault_kind kind;
    uint64_t at; /* the at-th call from now on, from 0 */
    int error;
    bool persistent;  /* and all behind it */
    bool only_syncs;  /* counted are syncs alone, */
    bool only_writes; /* or what needs room alone */
};

/* NULL: none. Counts from 0 again. */
void record_set_fault(const struct record_fault *fault);
/* How often it hit, and how many calls were counted since it was set. */
uint64_t record_fault_hits(void);
uint64_t record_fault_calls(void);

#endif /* TESTS_CRASH_RECORD_H */
