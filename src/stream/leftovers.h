/* SPDX-License-Identifier: MIT
 *
 * leftovers.h: what the directory of a stream holds, and what of it a crash left behind.
 *
 * Leftovers are
 *   - files with temporary names;
 *   - indexes and side files without their log;
 *   - a log that the next one covers. A deletion that takes a segment's first
 *     message writes the others under the name of the new first offset, and
 *     unlinks the old log afterwards. Between the two both are there, and
 *     every message of the next log whose offset the old one reaches is one
 *     of the old log's. Segments never overlap otherwise.
 *
 * Finding changes nothing, and is right for readers too. Removing is for the
 * one who holds the writer's lock. Offsets that only a leftover shows must
 * not be given again: whoever removes them first makes sure that the next
 * offset is above `highest`, durably.
 */
#ifndef STI_STREAM_LEFTOVERS_H
#define STI_STREAM_LEFTOVERS_H

#include "stream/names.h"
#include "vfs/vfs.h"

struct sti_listed {
    int64_t base; /* -1 for leftovers without one */
    enum sti_name_kind kind;
    char name[STI_NAME_SIZE];
};

/* The files with names of ours, by base offset, then kind, then name. */
struct sti_listing {
    struct sti_listed *entries; /* sti_listing_free() */
    size_t count;
    size_t capacity;
};

stele_code sti_listing_read(struct sti_listing *out, struct sti_dir *dir, stele_error *err);
void sti_listing_free(struct sti_listing *listing); /* and back to zeros */

/* The index of the next log at or behind `from`; `count` if there is none. */
size_t sti_listing_next_log(const struct sti_listing *listing, size_t from);

/* Whether there is an entry of that kind and base. */
bool sti_listing_has(const struct sti_listing *listing, enum sti_name_kind kind, int64_t base);

struct sti_leftovers {
    struct sti_listing files; /* in the order of their removal */
    int64_t highest;          /* the highest offset that they show, or -1 */
};

/* Find them. Reads names, the ends of indexes, and logs that seem to
 * overlap. STELE_ENOTFOUND if a file went away meanwhile (a writer's deletion):
 * list again. */
stele_code sti_leftovers_find(struct sti_leftovers *out, struct sti_dir *dir,
        const struct sti_listing *listing, stele_error *err);

/* Unlink them, and sync the directory if there were any. */
stele_code sti_leftovers_remove(
        const struct sti_leftovers *leftovers, struct sti_dir *dir, stele_error *err);

void sti_leftovers_free(struct sti_leftovers *leftovers); /* and back to zeros */

/* Whether the log is among them, so that it is no segment. */
bool sti_leftovers_has_log(const struct sti_leftovers *leftovers, int64_t base);

/* Whether the log `older` is covered by `next`, given the bytes of both. */
bool sti_log_is_covered(const uint8_t *older, uint64_t older_len, int64_t older_base,
        const uint8_t *next, uint64_t next_len, int64_t next_base);

/* The highest offset that the bytes of an index show, or -1: of items that
 * can be, from the first one on. */
int64_t sti_index_highest(const uint8_t *index, uint64_t len, int64_t base);

/* Read a whole file. STELE_ENOTFOUND if there is none. sti_free(*out). */
stele_code sti_stream_read_file(
        struct sti_dir *dir, const char *name, uint8_t **out, size_t *len, stele_error *err);

#endif /* STI_STREAM_LEFTOVERS_H */
