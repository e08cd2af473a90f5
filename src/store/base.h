/* SPDX-License-Identifier: MIT
 *
 * base.h: what a read merges: the tree on disk below tables, and names.
 */
#ifndef STI_STORE_BASE_H
#define STI_STORE_BASE_H

#include "store/state.h"
#include "store/tree.h"

/* A merge over one bucket, with a cursor of its own on disk. */
struct sti_walk {
    struct stele_store_read *read;
    struct sti_lmdb_cursor *raw;
    struct sti_tree_cursor tree;
    struct sti_merge merge;
};

/* The read is ready. To be ended, also if it failed. */
stele_code sti_walk_begin(
        struct sti_walk *walk, struct stele_store_read *read, uint32_t bucket, stele_error *err);
void sti_walk_end(struct sti_walk *walk);

/* The same over the names of buckets, forwards only: sti_merge_seek() and sti_merge_next(). The
 * value is the number, 4 bytes, little endian, until the walk goes on. */
struct sti_names_walk {
    struct stele_store_read *read;
    struct sti_lmdb_cursor *raw;
    uint8_t number[4];
    struct sti_merge merge;
};

stele_code sti_names_walk_begin(
        struct sti_names_walk *walk, struct stele_store_read *read, stele_error *err);
void sti_names_walk_end(struct sti_names_walk *walk);

#endif /* STI_STORE_BASE_H */
