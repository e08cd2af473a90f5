/* SPDX-License-Identifier: MIT
 *
 * record_state.h: what record.c and record_names.c share. All of it under the recorder's lock.
 */
#ifndef TESTS_CRASH_RECORD_STATE_H
#define TESTS_CRASH_RECORD_STATE_H

#include "crash/record.h"

#include <pthread.h>
#include <sys/stat.h>
#include <sys/types.h>

enum {
    RECORD_DESCRIPTORS = 1024,
    RECORD_NODES = 4096,
    RECORD_EVENTS = 1 << 17
};

struct record_node {
    dev_t dev;
    ino_t ino; /* 0: nothing has a name for it any more */
    bool is_dir;
};

/* With a child. */
struct record_shared {
    size_t count;
    size_t used; /* of the bytes behind */
    uint32_t node_count;
    struct record_fault fault;
    bool has_fault;
    uint64_t fault_calls;
    uint64_t fault_hits;
    struct record_node nodes[RECORD_NODES];
    struct record_event events[RECORD_EVENTS];
    uint8_t bytes[];
};

struct recorder {
    pthread_mutex_t lock;
    struct record_shared *shared;
    pid_t owner;
    bool on;
    uint32_t node_of[RECORD_DESCRIPTORS]; /* plus 1; 0: not ours */
    bool synced[RECORD_DESCRIPTORS];
};

extern struct recorder recorder;

/* Where a failure is no result of a test. */
void record_must(bool holds);

struct record_event *record_add(enum record_kind kind);
const char *record_keep_name(const char *name);

/* Nodes, plus 1; 0: none. */
uint32_t record_add_node(const struct stat *st); /* its number itself */
uint32_t record_find_node(const struct stat *st);
uint32_t record_node_of(int fd);

/* The directory that a path leads to, and the name in it. */
uint32_t record_dir_of(int at, const char *path, const char **name);

/* What becomes of a call. */
enum record_fate {
    FATE_DONE,
    FATE_ERROR, /* it is not made; errno is set */
    FATE_SHORT,
    FATE_LAST /* it is made, and the process ends */
};

enum record_fate record_decide(enum record_kind kind);
void record_end_if_last(enum record_fate fate);

#endif /* TESTS_CRASH_RECORD_STATE_H */
