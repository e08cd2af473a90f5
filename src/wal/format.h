/* SPDX-License-Identifier: MIT
 *
 * format.h: the bytes of a write-ahead log segment, in both formats.
 *
 * Format `stele`, version 1. A segment is a header and then frames, back to back.
 * Integers are little endian.
 *
 *     header    32 bytes
 *        0   4  magic, "STWL"
 *        4   1  format version, 1
 *        5   1  bit 0: the file was used before; other bits 0
 *        6   2  reserved, 0; other values are STELE_EVERSION
 *        8   8  id of the first record
 *       16   8  number of the segment, as in its name
 *       24   4  salt, random, not 0, new each time that the segment is begun
 *       28   4  CRC-32C of bytes 0 to 27; so in every version
 *
 *     frame     24 bytes, then its data
 *        0   4  CRC-32C of the bytes from 4 to the end of the data
 *        4   4  length of the data (bits 0 to 29) and kind (bits 30 and 31)
 *        8   8  id: of the record; of a mark or seal, the one that comes next
 *       16   4  salt of the segment
 *       20   4  how many bytes of the segment were durable when this was written
 *       24   -  data
 *
 *     kind 0  a record; its id is one more than that of the record before
 *     kind 1  a mark, without data: written at a clean close; the next record takes its place
 *     kind 2  a seal: the segment takes no more records; nothing behind it counts. Data:
 *        0   4  n, the number of positions
 *        4  4n  position of the frame of every 16th record, from the first on
 *
 * A frame is valid if checksum, id, salt and kind are. The log ends before the
 * first frame that is not valid. What comes from there on was torn by a crash,
 * and is dropped: writes that were not synced may survive in any combination,
 * so valid frames may well follow. But if one of those says that the place was durable when it was
 * written, then acknowledged data is damaged, and the segment is corrupt
 * (STELE_ECORRUPT). Damage to the last durable records, with nothing written after them, cannot be
 * told from a torn tail.
 *
 * Format `blb`: no header; records back to back.
 *
 *        0   8  id
 *        8   4  n, length of the data, at most 1,048,576
 *       12   n  data
 *     12+n   4  CRC-32C of bytes 0 to 12+n
 */
#ifndef STI_WAL_FORMAT_H
#define STI_WAL_FORMAT_H

#include <stele/wal.h>

enum {
    STI_WAL_VERSION = 1,
    STI_WAL_HEADER_SIZE = 32,
    STI_WAL_FRAME_SIZE = 24,
    STI_WAL_BLB_OVERHEAD = 16,
    STI_WAL_PEEK = 12,
    STI_WAL_STRIDE = 16 /* records for one position of an index */
};

enum sti_wal_kind {
    STI_WAL_RECORD = 0,
    STI_WAL_MARK = 1,
    STI_WAL_SEAL = 2
};

struct sti_wal_header {
    uint64_t first_id;
    uint64_t number;
    uint32_t salt;
    bool used_before;
};

void sti_wal_header_encode(uint8_t out[STI_WAL_HEADER_SIZE], const struct sti_wal_header *header);
/* STELE_ECORRUPT, STELE_EVERSION. `name` is for the message. */
stele_code sti_wal_header_decode(
        stele_bytes in, const char *name, struct sti_wal_header *header, stele_error *err);

struct sti_wal_frame {
    enum sti_wal_kind kind;
    uint64_t id;
    uint32_t durable; /* format blb: 0 */
    stele_bytes data;
    size_t size; /* of the whole frame */
};

/* Write a frame of `kind` at out, which has room for sti_wal_frame_size(). Format blb has records
 * only, and ignores salt and durable. Returns its size. */
size_t sti_wal_frame_encode(uint8_t *out, stele_wal_format format, enum sti_wal_kind kind,
        uint64_t id, uint32_t salt, uint32_t durable, stele_bytes data);

/* The same for format stele, around data that are at out + STI_WAL_FRAME_SIZE already. */
size_t sti_wal_frame_finish(uint8_t *out, enum sti_wal_kind kind, uint64_t id, uint32_t salt,
        uint32_t durable, size_t data_len);

size_t sti_wal_frame_size(stele_wal_format format, size_t data_len);

/* Bytes of the seal of a segment with so many records. */
uint64_t sti_wal_seal_size(uint64_t records);

/* The longest record that a file may hold: what readers take, since the option record_size_max may
 * have been larger when the record was written. */
uint32_t sti_wal_record_max(stele_wal_format format);

/* Length of the data of a record that is known to be whole, from the first STI_WAL_PEEK bytes. */
uint32_t sti_wal_frame_peek(const uint8_t in[STI_WAL_PEEK], stele_wal_format format);

enum sti_wal_decoded {
    STI_WAL_VALID,
    STI_WAL_SHORT,  /* `in` ends before the frame does: *need says how much is needed at least */
    STI_WAL_INVALID /* checksum, salt, id, kind or length are wrong, or zeros */
};

/* Decode the frame at the start of `in`. expected_id: what a record's or mark's id has to be.
 * Lengths over record_max are invalid (seals excepted, which the end of the segment bounds). *need
 * may be set without checking anything but the length. */
enum sti_wal_decoded sti_wal_frame_decode(const uint8_t *in, size_t len, stele_wal_format format,
        uint64_t expected_id, uint32_t salt, uint32_t record_max, struct sti_wal_frame *out,
        size_t *need);

/* The same of format stele, where the checksum was verified before: it is not calculated. */
enum sti_wal_decoded sti_wal_frame_decode_trusted(const uint8_t *in, size_t len,
        uint64_t expected_id, uint32_t salt, uint32_t record_max, struct sti_wal_frame *out,
        size_t *need);

/* The positions of a seal's data. False if it is not well-formed for `records` records. */
bool sti_wal_seal_is_valid(stele_bytes data, uint64_t records);
uint32_t sti_wal_seal_position(stele_bytes data, size_t i);

#endif /* STI_WAL_FORMAT_H */
