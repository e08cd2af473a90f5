/* SPDX-License-Identifier: MIT
 *
 * wire.h: reading packets, which anybody may have made, and writing them.
 *
 * A reader is the only way to the bytes of a packet: it never goes beyond their end. The first read
 * that fails makes it bad for good, and what is read then is zeros or nil; so a decoder reads all
 * that it wants and asks once, at the end. Lengths that are read are checked against what is there
 * before anything is done with them.
 *
 * Integers are big endian; a varint is LEB128, in its shortest form.
 */
#ifndef STI_FLEET_WIRE_H
#define STI_FLEET_WIRE_H

#include "docs/docs.h"

struct sti_fleet_reader {
    stele_bytes rest;
    bool bad;
};

static inline struct sti_fleet_reader sti_fleet_reader_of(stele_bytes bytes)
{
    return (struct sti_fleet_reader){.rest = bytes};
}

uint8_t sti_fleet_read_u8(struct sti_fleet_reader *r);
uint32_t sti_fleet_read_be16(struct sti_fleet_reader *r);
uint32_t sti_fleet_read_be32(struct sti_fleet_reader *r);
uint64_t sti_fleet_read_be64(struct sti_fleet_reader *r);
uint64_t sti_fleet_read_varint(struct sti_fleet_reader *r);
/* A view of so many bytes. */
stele_bytes sti_fleet_read_bytes(struct sti_fleet_reader *r, uint64_t len);
/* Of a length that stands before it: a varint, two bytes, one byte. */
stele_bytes sti_fleet_read_sized(struct sti_fleet_reader *r);
stele_bytes sti_fleet_read_str16(struct sti_fleet_reader *r);
stele_bytes sti_fleet_read_str8(struct sti_fleet_reader *r);
/* One that is not valid makes the reader bad. */
struct sti_docs_version sti_fleet_read_version(struct sti_fleet_reader *r);
/* All that is left. */
stele_bytes sti_fleet_read_rest(struct sti_fleet_reader *r);

/* A writer appends to a buffer; the first failure stays, and nothing is written after it. */
struct sti_fleet_writer {
    stele_buf *buf;
    stele_error *err;
    stele_code rc;
};

static inline struct sti_fleet_writer sti_fleet_writer_of(stele_buf *buf, stele_error *err)
{
    return (struct sti_fleet_writer){.buf = buf, .err = err};
}

void sti_fleet_write_bytes(struct sti_fleet_writer *w, stele_bytes bytes);
void sti_fleet_write_u8(struct sti_fleet_writer *w, uint8_t v);
void sti_fleet_write_be32(struct sti_fleet_writer *w, uint32_t v);
void sti_fleet_write_be64(struct sti_fleet_writer *w, uint64_t v);
void sti_fleet_write_varint(struct sti_fleet_writer *w, uint64_t v);
void sti_fleet_write_sized(struct sti_fleet_writer *w, stele_bytes bytes);
/* STELE_ETOOBIG for what has no length in two bytes, or in one. */
void sti_fleet_write_str16(struct sti_fleet_writer *w, stele_bytes bytes);
void sti_fleet_write_str8(struct sti_fleet_writer *w, stele_bytes bytes);
void sti_fleet_write_version(struct sti_fleet_writer *w, struct sti_docs_version v);

/* How many bytes a varint takes. */
size_t sti_fleet_varint_size(uint64_t v);

#endif /* STI_FLEET_WIRE_H */
