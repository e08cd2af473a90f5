/* SPDX-License-Identifier: MIT
 *
 * store_disk.h: from calls that were recorded to a simulated disk, and from one of its states to
 * files.
 *
 * The explorer crashes a simulated disk, which LMDB cannot use. So a workload runs on real files,
 * recorded (record.h), and what it did is then done again on the simulated disk; a state after a
 * crash is made into real files again, and opened there, recorded as well.
 *
 * The simulated disk renames no directories. So each directory of the store is one of its own
 * there, "/d0" being the store's; its name is a small file "D:NAME" in the directory above, which
 * says its number, and is created, renamed and removed as the directory's name is. Files are
 * "F:NAME".
 */
#ifndef TESTS_CRASH_STORE_DISK_H
#define TESTS_CRASH_STORE_DISK_H

#include "sim/world.h"

enum {
    DISK_NODES = 64,
    DISK_PATH_SIZE = 256
};

/* What was there when the recording began: nodes of record.h, and where they are on the disk. */
struct disk_base {
    uint32_t count;
    unsigned next_dir;

    struct disk_node {
        bool is_dir;
        unsigned number; /* of a directory on the disk */
        uint32_t parent; /* of a file: the node of its directory, and its name */
        char name[64];
        char path[DISK_PATH_SIZE]; /* of the real one */
    } nodes[DISK_NODES];
};

/* Nothing but the directory itself. */
void disk_base_init(struct disk_base *base, const char *root);

/* Make the files of an image below an empty directory. `junk`: what lock.mdb holds is nonsense. */
void disk_make_files(
        struct disk_base *base, const struct sim_image *image, const char *root, bool junk);

/* Begin to record there. */
void disk_record(const struct disk_base *base);

/* What a note of record.h means. */
enum disk_note {
    DISK_INTENT,
    DISK_ACK,
    DISK_RECOVERED
};

/* Do what was recorded on a world's disk, and make its notes. False: the disk refused. */
bool disk_repeat(struct sim_world *w, const struct disk_base *base);

/* A directory of this process in memory, empty; and removing it with all that is in it. */
void disk_scratch(char out[DISK_PATH_SIZE]);
void disk_remove(const char *path);

#endif /* TESTS_CRASH_STORE_DISK_H */
