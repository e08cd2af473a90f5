/* SPDX-License-Identifier: MIT
 *
 * bbolt_state.h: what a reader of a bbolt file knows.
 *
 * Two cursors walk the file: one through the tree of buckets, one through that of the present
 * bucket. A cursor keeps the pages from its root to where it is. The leaf of an inline bucket is
 * inside a page of the first cursor, which stands still meanwhile.
 */
#ifndef STI_STORE_BBOLT_STATE_H
#define STI_STORE_BBOLT_STATE_H

#include "store/bbolt_format.h"
#include "store/bbolt_read.h"

struct sti_bbolt_level {
    struct sti_bbolt_page page;
    uint64_t number;   /* of the page; of an inline one, the page around it */
    uint64_t position; /* of page.data in the file */
    uint32_t next;     /* element */
    uint8_t *memory;   /* of a run; kept for the next one */
    size_t capacity;
};

struct sti_bbolt_cursor {
    struct sti_bbolt_level levels[STI_BBOLT_DEPTH_MAX];
    unsigned depth; /* levels in use; 0: at the end */
};

struct sti_bbolt_reader {
    struct sti_file file;
    struct sti_bbolt_meta meta;
    struct sti_bbolt_info info;
    uint64_t size;  /* without the hash */
    uint8_t *used;  /* a bit for each page: in a tree, or free */
    bool skipped;   /* a bucket was not read to its end */
    bool in_bucket; /* one was begun */
    bool at_end;    /* there are no more buckets */
    stele_code failed;
    struct sti_bbolt_cursor buckets;
    struct sti_bbolt_cursor entries;
};

/* Say of what page, and where, something is wrong. */
stele_code sti_bbolt_fail(const struct sti_bbolt_reader *r, uint64_t number, uint64_t position,
        const char *fault, stele_error *err);

/* Read the run of a page into a level: its head is sound and none of its pages was used before. */
stele_code sti_bbolt_load_run(struct sti_bbolt_reader *r, struct sti_bbolt_level *level,
        uint64_t number, struct sti_bbolt_head *head, stele_bytes *run, stele_error *err);

/* Mark a page as used; false if it already was. */
bool sti_bbolt_use(struct sti_bbolt_reader *r, uint64_t number);

#endif /* STI_STORE_BBOLT_STATE_H */
