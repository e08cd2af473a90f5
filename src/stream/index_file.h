/* SPDX-License-Identifier: MIT
 *
 * index_file.h: index files as a whole: built from a log, judged, written.
 *
 * Items are kept in memory as the bytes that they are on disk.
 */
#ifndef STI_STREAM_INDEX_FILE_H
#define STI_STREAM_INDEX_FILE_H

#include "stream/index_format.h"
#include "stream/scan.h"
#include "vfs/vfs.h"

/* The items of a segment, in memory of its own. */
struct sti_items {
    uint8_t *data; /* sti_free() */
    uint64_t count;
    uint64_t capacity;
    size_t item_size;
    uint64_t end;    /* where the last message ends; the first message's place without any */
    int64_t last;    /* its offset; base - 1 without any */
    uint64_t damage; /* position of the first damage, UINT64_MAX for none */
};

void sti_items_free(struct sti_items *items); /* and back to zeros */

stele_code sti_items_add(struct sti_items *items, struct sti_index_params params,
        const struct sti_index_item *item, stele_error *err);

/* Build from the bytes of a log file, over damage (sti_scan_resync()). The
 * first item's time is not below `time_before` (INT64_MIN: its own). */
stele_code sti_items_build(struct sti_items *out, const uint8_t *log, uint64_t len, int64_t base,
        int64_t limit, struct sti_index_params params, int64_t time_before, stele_error *err);

enum sti_index_verdict {
    STI_INDEX_FITS,
    STI_INDEX_MISSING, /* empty, a bare header beside messages, zeros: make it again */
    STI_INDEX_UNFIT,   /* cut, stale, damaged: make it again */
    STI_INDEX_OTHER    /* made with other parameters: STELE_EMISMATCH */
};

/* Whether an index file (its bytes) fits a log file (its first log_len bytes, which are what
 * its messages take: a zero tail is cut off by the caller): whole items, the first at the log's
 * first message, the last at the message that ends at the log's end, with the right parameters.
 * A step, not a scan: it reads the first and the last message only, and verifies no checksum.
 * An empty index or a bare header fits a log without messages. *items and *count are set if it
 * fits.
 *
 * Version 1 does not say its parameters: the verdict is OTHER if the items fit with other ones
 * and not with these. One item that could be the start of a longer one is cut, and UNFIT. */
enum sti_index_verdict sti_index_judge(const uint8_t *index, uint64_t index_len, const uint8_t *log,
        uint64_t log_len, int64_t base, struct sti_index_params params, const uint8_t **items,
        uint64_t *count);

/* Compare every item with what a scan of the log gives. The times of a segment may start from
 * its first message's own or from any higher one. False if one differs. */
bool sti_index_equal(const uint8_t *items, uint64_t count, const struct sti_items *built,
        struct sti_index_params params);

/* Write the index file: to a temporary name, synced, renamed; the directory
 * is not synced. */
stele_code sti_index_write(struct sti_dir *dir, int64_t base, stele_stream_version version,
        struct sti_index_params params, const uint8_t *items, uint64_t count, stele_error *err);

/* The parameters that a segment's files tell: false if they do not (no
 * index, or one of version 1 which nothing settles). Reads first and last
 * items and messages only. */
bool sti_index_detect(struct sti_dir *dir, int64_t base, struct sti_index_params *params);

#endif /* STI_STREAM_INDEX_FILE_H */
