/* SPDX-License-Identifier: MIT
 *
 * bbolt_read.h: the buckets and entries of a bbolt file, in order.
 *
 * The file may be damaged in any way, or be none at all. Each page is read once, into memory of our
 * own, and checked as a whole before anything of it is used; what a file says of sizes is compared
 * with what there is before memory is asked for. A page is used once at most, free pages not at
 * all, so that a damaged tree ends, and each page's keys have to be in the range that the page
 * above it gives. Memory is needed for one path from the root to a leaf, the longest value and a
 * bit for each page.
 *
 * What is not noticed, since the format has no checksum of it, is damage inside of keys and values
 * that leaves the order as it is; only the hash behind an etcd snapshot protects them. It is
 * verified when a file is opened.
 *
 * Errors name the file, the position and the page. After one, each call fails.
 *
 * Threads: one at a time. Processes: bbolt locks its file, so one that is open elsewhere for
 * writing is refused.
 */
#ifndef STI_STORE_BBOLT_READ_H
#define STI_STORE_BBOLT_READ_H

#include "vfs/vfs.h"

struct sti_bbolt_reader;

struct sti_bbolt_info {
    uint64_t transaction;
    uint64_t pages;
    uint32_t page_size;
    bool hashed;       /* an etcd snapshot, whose hash is right */
    bool one_meta;     /* the other one is damaged, so a later state may be lost */
    bool knows_unused; /* the free pages are written down: sti_bbolt_check_unused() can tell */
};

/* STELE_ENOTFOUND, STELE_EBUSY, STELE_ECORRUPT, STELE_EVERSION. To be freed with
 * sti_bbolt_close(). */
stele_code sti_bbolt_open(
        struct sti_bbolt_reader **out, struct sti_dir *dir, const char *name, stele_error *err);
void sti_bbolt_close(struct sti_bbolt_reader *r); /* accepts NULL */

struct sti_bbolt_info sti_bbolt_info(const struct sti_bbolt_reader *r);

/* Go to the next bucket, or give STELE_END. Entries of the last one that were not asked for are
 * passed over. The name is valid until the next call of this function. */
stele_code sti_bbolt_next_bucket(struct sti_bbolt_reader *r, stele_bytes *name, stele_error *err);

/* The next entry of this bucket, or STELE_END. Both are valid until the next call, and never nil.
 * STELE_ENOTSUP: it is a bucket in the bucket. */
stele_code sti_bbolt_next_entry(
        struct sti_bbolt_reader *r, stele_bytes *key, stele_bytes *value, stele_error *err);

/* When all was read: no page is left that is neither used nor free, as it would be if a damaged
 * page had lost a part of its tree. Without knowledge of the free pages this is so for every file.
 * STELE_ECORRUPT, STELE_ESTATE. */
stele_code sti_bbolt_check_unused(struct sti_bbolt_reader *r, stele_error *err);

#endif /* STI_STORE_BBOLT_READ_H */
