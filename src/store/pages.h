/* SPDX-License-Identifier: MIT
 *
 * pages.h: every page of an LMDB data file, looked at without LMDB.
 *
 * LMDB trusts its pages: a damaged one may end the process, hide entries, or be handed out for
 * writing while it is in use. So check goes over them first: what LMDB would follow is followed,
 * within bounds, and each page must be used once, by a tree or by the list of free pages. What is
 * in the values is not looked at; their checksums are for that.
 *
 * The format is that of LMDB 0.9 on a machine of 64 bits; numbers have its byte order.
 *
 *     page:    0  8  its number            meta page, behind the head of 16:
 *              8  2  (unused)               16   4  0xbeefc0de
 *             10  2  1 branch, 2 leaf,      20   4  version: 1
 *                    4 overflow, 8 meta     24   8  (unused)
 *             12  2  end of the index       32   8  size of the map
 *             14  2  start of the nodes     40  48  tree of free pages
 *             12  4  of an overflow: pages  88  48  main tree
 *             16     index: 2 bytes each   136   8  last page
 *                                          144   8  transaction
 *
 *     tree:    0  4  size of a page        node:  0  4  size of the value; of a branch the low
 *              4  2  flags                              32 bits of the page below
 *              6  2  depth                        4  2  1 in overflow pages, 2 a tree; of a
 *              8  8  branch pages                       branch the next 16 bits
 *             16  8  leaf pages                   6  2  size of the key
 *             24  8  overflow pages               8     key, value
 *             32  8  entries
 *             40  8  root, all bits set: none
 *
 * A value in overflow pages is the number of the first one, 8 bytes. The keys of the tree of free
 * pages are numbers of transactions, the values lists: how many, and their numbers, descending.
 */
#ifndef STI_STORE_PAGES_H
#define STI_STORE_PAGES_H

#include "vfs/vfs.h"

struct sti_pages_found {
    uint64_t pages; /* up to the last one that LMDB knows */
    uint64_t used;  /* by the trees */
    uint64_t free;
    uint64_t faults;
};

/* `position` is that of the page in data.mdb. */
typedef void (*sti_pages_fault_fn)(void *arg, int64_t position, const char *text);

/* Look at both meta pages, which LMDB does not survive if they are damaged: so before it opens the
 * file. *txn_id is that of the newer one. STELE_ECORRUPT; beside a writer it may have been read
 * while it was written, so look twice. */
stele_code sti_pages_newest(struct sti_dir *dir, uint64_t *txn_id, stele_error *err);

/* Look at what transaction `txn_id` left in data.mdb of a generation's directory. A read
 * transaction with that number must be open, or no writer. STELE_OK, also with faults ·
 * STELE_EBUSY: the writer is two transactions further, and the meta page is overwritten: try again
 * with a new number. */
stele_code sti_pages_check(struct sti_dir *dir, uint64_t txn_id, sti_pages_fault_fn each, void *arg,
        struct sti_pages_found *out, stele_error *err);

#endif /* STI_STORE_PAGES_H */
