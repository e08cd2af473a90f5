/* SPDX-License-Identifier: MIT
 *
 * index_format.h: the bytes of a stream's index files, versions 1 and 2.
 *
 * Both are klevdb's. Integers are big endian.
 *
 *     index file, version 2: a header, then items back to back
 *        0   6  magic, FF "klevi"
 *        6   1  format version, 1
 *        7   1  parameters: bit 0 times, bit 1 keys; others 0
 *
 *     index file, version 1: items back to back; its first 8 bytes are the
 *     base offset of the segment. It does not say its parameters.
 *
 *     item, 16 to 32 bytes, one a message, in the order of the log
 *        0   8  offset
 *        8   8  position of the message in the log file
 *        -   8  [times] time, never lower than that of the item before
 *        -   8  [keys] FNV-1a of the key, 64 bits
 *
 * The first item of a segment has the message's own time, or that of the
 * last item of the segment before if that was higher: both are right.
 * The log is the only truth: an index that is missing, a bare header, or does
 * not fit its log, is made again from it.
 */
#ifndef STI_STREAM_INDEX_FORMAT_H
#define STI_STREAM_INDEX_FORMAT_H

#include <stele/stream.h>

#include "base/coding.h"

enum {
    STI_INDEX_HEADER_SIZE = 8,
    STI_INDEX_ITEM_MAX = 32
};

struct sti_index_params {
    bool times;
    bool keys;
};

struct sti_index_item {
    int64_t offset;
    uint64_t position;
    int64_t time;  /* 0 without times */
    uint64_t hash; /* 0 without keys */
};

static inline size_t sti_index_item_size(struct sti_index_params params)
{
    return 16U + (params.times ? 8U : 0U) + (params.keys ? 8U : 0U);
}

/* Position of the first item. */
static inline uint64_t sti_index_start(stele_stream_version version)
{
    return version == STELE_STREAM_V1 ? 0 : STI_INDEX_HEADER_SIZE;
}

static inline int64_t sti_item_offset(const uint8_t *item)
{
    return (int64_t)sti_get_be64(item);
}

static inline uint64_t sti_item_position(const uint8_t *item)
{
    return sti_get_be64(item + 8);
}

/* Of an index with times. */
static inline int64_t sti_item_time(const uint8_t *item)
{
    return (int64_t)sti_get_be64(item + 16);
}

/* Of an index with keys. */
static inline uint64_t sti_item_hash(const uint8_t *item, size_t item_size)
{
    return sti_get_be64(item + item_size - 8);
}

void sti_index_item_put(
        uint8_t *out, struct sti_index_params params, const struct sti_index_item *item);
void sti_index_item_get(
        const uint8_t *in, struct sti_index_params params, struct sti_index_item *item);

/* The item of a message at `position`, given the time of the item before. */
void sti_index_item_of(struct sti_index_item *item, struct sti_index_params params,
        const stele_message *message, uint64_t position, int64_t time_before);

void sti_index_header_put(uint8_t out[STI_INDEX_HEADER_SIZE], struct sti_index_params params);

/* What an index file begins with. */
enum sti_index_kind {
    STI_INDEX_EMPTY, /* no bytes, or zeros only */
    STI_INDEX_V1,
    STI_INDEX_V2,
    STI_INDEX_TORN,    /* too short to tell */
    STI_INDEX_VERSION, /* a klevdb index of a version we do not know */
    STI_INDEX_FOREIGN
};

/* `data` is the whole file, or at least its first 64 bytes. *params is set
 * for version 2 only. */
enum sti_index_kind sti_index_kind_of(
        const uint8_t *data, uint64_t len, int64_t base, struct sti_index_params *params);

#endif /* STI_STREAM_INDEX_FORMAT_H */
