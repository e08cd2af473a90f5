/* SPDX-License-Identifier: MIT
 *
 * format.h: the bytes of a stream's log files, versions 1 and 2.
 *
 * Both are klevdb's. Integers are big endian.
 *
 *     log file, version 2: a header, then messages back to back
 *        0   6  magic, FF "klevs"
 *        6   1  format version, 1
 *        7   1  reserved, 0
 *
 *     log file, version 1: messages back to back; its first 8 bytes are the
 *     base offset of the segment, since that is its first message's
 *
 *     message, version 2: 36 bytes, key and value
 *        0   4  CRC-32C of the bytes from 4 to the end, trailer included
 *        4   8  offset
 *       12   8  time, signed, microseconds since 1970 UTC
 *       20   4  length of the key
 *       24   4  length of the value
 *       28   -  key, value
 *        -   8  trailer, DE AD BE EF FE ED FA CE
 *
 *     message, version 1: 28 bytes, key and value
 *        0   8  offset
 *        8   8  time
 *       16   4  length of the key
 *       20   4  length of the value
 *       24   4  CRC-32C of key and value
 *       28   -  key, value
 *
 * In version 1 nothing protects offset, time and lengths: a message counts as
 * whole if its checksum holds, its offset is above the one before, and it is
 * not 28 zero bytes (which is what a preallocated tail looks like, and no
 * message: a published time is never 0).
 *
 * An empty file, or one of zeros only, is a segment without messages. The
 * newest file may have a zero tail while it is open or after a crash.
 */
#ifndef STI_STREAM_FORMAT_H
#define STI_STREAM_FORMAT_H

#include <stele/stream.h>

#include "base/coding.h"

enum {
    STI_LOG_HEADER_SIZE = 8,
    STI_V1_OVERHEAD = 28,
    STI_V2_OVERHEAD = 36,
    STI_V2_TRAILER_SIZE = 8
};

_Static_assert(STI_V2_OVERHEAD == 4 + 8 + 8 + 4 + 4 + STI_V2_TRAILER_SIZE, "table above");
_Static_assert(STI_V1_OVERHEAD == 8 + 8 + 4 + 4 + 4, "table above");

/* What a log file begins with. */
enum sti_log_kind {
    STI_LOG_EMPTY, /* no bytes, or zeros only */
    STI_LOG_V1,
    STI_LOG_V2,
    STI_LOG_TORN,    /* too short to tell, or a cut header */
    STI_LOG_VERSION, /* a klevdb log of a version we do not know */
    STI_LOG_FOREIGN  /* something else */
};

/* `data` is the whole file, or at least its first 64 bytes if it is longer. */
enum sti_log_kind sti_log_kind_of(const uint8_t *data, uint64_t len, int64_t base);

void sti_log_header_put(uint8_t out[STI_LOG_HEADER_SIZE]);

/* Position of the first message: 8 in version 2, 0 in version 1. */
static inline uint64_t sti_log_start(stele_stream_version version)
{
    return version == STELE_STREAM_V1 ? 0 : STI_LOG_HEADER_SIZE;
}

/* Bytes of a message; the lengths are within STELE_MESSAGE_SIZE_MAX. */
static inline size_t sti_message_size(
        stele_stream_version version, size_t key_len, size_t value_len)
{
    return (version == STELE_STREAM_V1 ? STI_V1_OVERHEAD : STI_V2_OVERHEAD) + key_len + value_len;
}

/* Write a message of sti_message_size() bytes. */
void sti_message_put(uint8_t *out, stele_stream_version version, int64_t offset, stele_time time,
        stele_bytes key, stele_bytes value);

enum sti_message_state {
    STI_MESSAGE_WHOLE,
    STI_MESSAGE_END,    /* nothing follows, or zeros only (where that was looked at) */
    STI_MESSAGE_SHORT,  /* the bytes end before the message does */
    STI_MESSAGE_DAMAGED /* lengths, trailer or checksum are wrong */
};

/* Read the message at the start of `data` without judging its checksum: only
 * that it fits into `len`, and has sane lengths. Fills *out (borrowed from
 * `data`; empty keys and values are nil) and *size unless the result is END
 * or SHORT. Twenty-eight zero bytes (version 1) or 36 (version 2) are END. */
enum sti_message_state sti_message_peek(const uint8_t *data, size_t len,
        stele_stream_version version, stele_message *out, size_t *size);

/* The same for the message that is there as a rule, without a call for each:
 * false says nothing, sti_message_peek() has to be asked. */
static inline bool sti_message_quick(const uint8_t *data, uint64_t len,
        stele_stream_version version, stele_message *out, size_t *size)
{
    size_t overhead = version == STELE_STREAM_V1 ? STI_V1_OVERHEAD : STI_V2_OVERHEAD;
    const uint8_t *head = version == STELE_STREAM_V1 ? data : data + 4;
    uint64_t key_len;
    uint64_t value_len;

    if (len < overhead) {
        return false;
    }
    key_len = sti_get_be32(head + 16);
    value_len = sti_get_be32(head + 20);
    if (key_len == 0 || value_len == 0 || key_len + value_len > STELE_MESSAGE_SIZE_MAX ||
            key_len + value_len > len - overhead) {
        return false;
    }
    out->offset = (int64_t)sti_get_be64(head);
    out->time = (int64_t)sti_get_be64(head + 8);
    out->key = stele_bytes_of(data + STI_V1_OVERHEAD, (size_t)key_len);
    out->value = stele_bytes_of(data + STI_V1_OVERHEAD + key_len, (size_t)value_len);
    *size = overhead + (size_t)(key_len + value_len);
    return true;
}

/* Whether checksum and trailer of a message that sti_message_peek() found
 * whole are right. */
bool sti_message_verify(const uint8_t *data, size_t size, stele_stream_version version);

/* Both of the above. */
enum sti_message_state sti_message_get(const uint8_t *data, size_t len,
        stele_stream_version version, stele_message *out, size_t *size);

/* Whether all bytes are zero. */
bool sti_all_zero(const uint8_t *data, size_t len);

#endif /* STI_STREAM_FORMAT_H */
