/* SPDX-License-Identifier: MIT
 *
 * bbolt_tree.h: a tree of bbolt pages, made of entries that come in order.
 *
 * Each level collects the elements of one page. When the next one does not fit, the page is written
 * and an element that leads to it goes to the level above. A branch keeps its last element for the
 * next page, so that each page of branches has two at least, as bbolt makes them.
 */
#ifndef STI_STORE_BBOLT_TREE_H
#define STI_STORE_BBOLT_TREE_H

#include "store/bbolt_output.h"

struct sti_bbolt_collect {
    struct sti_bbolt_item *items;
    uint32_t count;
    uint32_t capacity;
    uint8_t *bytes; /* of all items */
    size_t len;
    size_t bytes_capacity;
    uint64_t pages; /* written so far */
};

/* Zero-initialised is empty. */
struct sti_bbolt_tree {
    struct sti_bbolt_collect levels[STI_BBOLT_DEPTH_MAX]; /* from the leaves up */
    /* Keys on their way up: one that is put, and the one that follows from it. */
    uint8_t *keys[2];
};

void sti_bbolt_tree_free(struct sti_bbolt_tree *t);

/* Add an element to the leaves. Its key is larger than the one before. */
stele_code sti_bbolt_tree_put(struct sti_bbolt_tree *t, struct sti_bbolt_output *o, stele_bytes key,
        stele_bytes value, bool bucket, stele_error *err);

/* Whether all is in one leaf of so many bytes at most, which is not yet written. */
bool sti_bbolt_tree_fits(const struct sti_bbolt_tree *t, size_t size);

/* That leaf, encoded as an inline page; returns its bytes. Then the tree is empty. */
size_t sti_bbolt_tree_take(struct sti_bbolt_tree *t, uint8_t *out);

/* Write what is left; *root is the page to begin from. Then the tree is empty. */
stele_code sti_bbolt_tree_finish(
        struct sti_bbolt_tree *t, struct sti_bbolt_output *o, uint64_t *root, stele_error *err);

#endif /* STI_STORE_BBOLT_TREE_H */
