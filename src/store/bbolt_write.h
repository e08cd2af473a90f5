/* SPDX-License-Identifier: MIT
 *
 * bbolt_write.h: a bbolt file from buckets and entries that come in order.
 *
 * The file is written once, from front to back: leaves as they fill, a branch when it is full of
 * them, and at the end the metas, without which it is no bbolt file. Both metas name the same
 * trees, so that one may be damaged. Memory is needed for one page of each level of two trees.
 *
 * The caller makes the file, under a temporary name, and renames it when sti_bbolt_end() has made
 * it durable. After an error each call fails, and the file is for nothing.
 *
 * Threads: one at a time.
 */
#ifndef STI_STORE_BBOLT_WRITE_H
#define STI_STORE_BBOLT_WRITE_H

#include "vfs/vfs.h"

struct sti_bbolt_writer;

enum {
    STI_BBOLT_PAGE_DEFAULT = 4096
};

/* Into a file that is empty, borrowed until the writer is freed. page_size: a power of two, 512 to
 * 65,536; what reads the file finds it there. To be freed with sti_bbolt_writer_free(). */
stele_code sti_bbolt_begin(
        struct sti_bbolt_writer **out, struct sti_file *file, uint32_t page_size, stele_error *err);
void sti_bbolt_writer_free(struct sti_bbolt_writer *w); /* accepts NULL */

/* Begin a bucket. Names ascend as bytes do, and have 1 to 32,768 bytes: STELE_EINVAL,
 * STELE_ETOOBIG. */
stele_code sti_bbolt_put_bucket(struct sti_bbolt_writer *w, stele_bytes name, stele_error *err);

/* Add an entry to it. Keys ascend, and have 1 to 32,768 bytes; values have at most 2^31-2.
 * STELE_ENOTSUP for an empty key, which bbolt cannot have. A nil value is an empty one. */
stele_code sti_bbolt_put(
        struct sti_bbolt_writer *w, stele_bytes key, stele_bytes value, stele_error *err);

/* Write what is missing and sync the file. `hashed`: with a SHA-256 behind it, as etcd's tools
 * expect of a snapshot. */
stele_code sti_bbolt_end(struct sti_bbolt_writer *w, bool hashed, stele_error *err);

#endif /* STI_STORE_BBOLT_WRITE_H */
