/* SPDX-License-Identifier: MIT
 *
 * pages_walk.h: the state of a walk over the pages of a data file, one tree after the other.
 *
 * One page for each level is in memory. `key` is the last key of a leaf that was seen, which the
 * next must exceed; `bound` the last separator that the walk came through, which it must reach. A
 * page with a fault is not followed any further.
 */
#ifndef STI_STORE_PAGES_WALK_H
#define STI_STORE_PAGES_WALK_H

#include "store/pages.h"

enum {
    STI_PAGES_LEVELS_MAX = 32,
    STI_PAGES_KEY_MAX = 511
};

struct sti_pages_tree {
    uint16_t flags;
    uint16_t depth;
    uint64_t count[3]; /* of branch, leaf and overflow pages */
    uint64_t entries;
    uint64_t root;
};

struct sti_pages_key {
    bool set;
    size_t len;
    uint8_t bytes[STI_PAGES_KEY_MAX];
};

struct sti_pages_level {
    uint8_t *page;
    uint64_t number;
    size_t next; /* node */
    size_t count;
};

struct sti_pages_walk {
    struct sti_file file;
    uint64_t file_size;
    uint64_t txn_id;
    uint32_t page_size;
    uint64_t last;               /* page that LMDB knows */
    uint8_t *seen;               /* a bit for each page */
    uint8_t *pages;              /* one for each level */
    bool free_list;              /* the present tree is that of free pages */
    struct sti_pages_tree found; /* what the present tree turns out to be */
    struct sti_pages_key key;
    struct sti_pages_key bound;
    struct sti_pages_level levels[STI_PAGES_LEVELS_MAX];
    size_t depth;
    bool second_known; /* the tree in the main tree */
    struct sti_pages_tree second;

    sti_pages_fault_fn each;
    void *arg;
    struct sti_pages_found result;
};

/* Numbers of the machine's byte order, at any place. */
static inline uint16_t sti_pages_get16(const uint8_t *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t sti_pages_get32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t sti_pages_get64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* Tell a fault of a page. */
void sti_pages_fault(struct sti_pages_walk *w, uint64_t page, const char *format, ...)
        STELE_PRINTF(3, 4);

/* The description of a tree, 48 bytes. */
void sti_pages_decode_tree(struct sti_pages_tree *out, const uint8_t *p);

/* ---- pages_tree.c ---- */

/* Walk over a tree, whose description is in page `from`. An error is one of reading or of memory;
 * faults are told. */
stele_code sti_pages_walk_tree(struct sti_pages_walk *w, const struct sti_pages_tree *tree,
        uint64_t from, stele_error *err);

#endif /* STI_STORE_PAGES_WALK_H */
