/* SPDX-License-Identifier: MIT
 *
 * wire.c: reading and writing packets.
 */
#include "fleet/wire.h"

#include "base/coding.h"
#include "base/error.h"

enum {
    VARINT_MAX = 10,
    VARINT_BITS = 7,
    VARINT_MORE = 0x80,
    LAST_SHIFT = 63 /* of a varint's tenth byte, which has one bit */
};

/* ---- Reading. ---- */

stele_bytes sti_fleet_read_bytes(struct sti_fleet_reader *r, uint64_t len)
{
    stele_bytes out;

    if (r->bad || len > r->rest.len) {
        r->bad = true;
        return stele_nil();
    }
    out = r->rest.data == NULL ? stele_empty() : stele_bytes_of(r->rest.data, (size_t)len);
    if (len > 0) {
        r->rest = stele_bytes_of(r->rest.data + len, r->rest.len - (size_t)len);
    }
    return out;
}

stele_bytes sti_fleet_read_rest(struct sti_fleet_reader *r)
{
    return sti_fleet_read_bytes(r, r->rest.len);
}

uint8_t sti_fleet_read_u8(struct sti_fleet_reader *r)
{
    stele_bytes b = sti_fleet_read_bytes(r, 1);

    return r->bad ? 0 : b.data[0];
}

uint32_t sti_fleet_read_be16(struct sti_fleet_reader *r)
{
    stele_bytes b = sti_fleet_read_bytes(r, 2);

    return r->bad ? 0 : (uint32_t)b.data[0] << 8 | b.data[1];
}

uint32_t sti_fleet_read_be32(struct sti_fleet_reader *r)
{
    stele_bytes b = sti_fleet_read_bytes(r, sizeof(uint32_t));

    return r->bad ? 0 : sti_get_be32(b.data);
}

uint64_t sti_fleet_read_be64(struct sti_fleet_reader *r)
{
    stele_bytes b = sti_fleet_read_bytes(r, sizeof(uint64_t));

    return r->bad ? 0 : sti_get_be64(b.data);
}

uint64_t sti_fleet_read_varint(struct sti_fleet_reader *r)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift <= LAST_SHIFT; shift += VARINT_BITS) {
        uint8_t byte = sti_fleet_read_u8(r);
        uint64_t bits = byte & (VARINT_MORE - 1U);

        if (r->bad || (shift == LAST_SHIFT && byte > 1) || (shift > 0 && byte == 0)) {
            break;
        }
        v |= bits << shift;
        if ((byte & VARINT_MORE) == 0) {
            return v;
        }
    }
    r->bad = true;
    return 0;
}

stele_bytes sti_fleet_read_sized(struct sti_fleet_reader *r)
{
    return sti_fleet_read_bytes(r, sti_fleet_read_varint(r));
}

stele_bytes sti_fleet_read_str16(struct sti_fleet_reader *r)
{
    return sti_fleet_read_bytes(r, sti_fleet_read_be16(r));
}

stele_bytes sti_fleet_read_str8(struct sti_fleet_reader *r)
{
    return sti_fleet_read_bytes(r, sti_fleet_read_u8(r));
}

struct sti_docs_version sti_fleet_read_version(struct sti_fleet_reader *r)
{
    stele_bytes b = sti_fleet_read_bytes(r, STI_DOCS_VERSION_SIZE);
    struct sti_docs_version v = {.seconds = 0};

    if (!r->bad && sti_docs_version_get(&v, b.data, NULL) != STELE_OK) {
        r->bad = true;
    }
    return r->bad ? (struct sti_docs_version){.seconds = 0} : v;
}

/* ---- Writing. ---- */

void sti_fleet_write_bytes(struct sti_fleet_writer *w, stele_bytes bytes)
{
    if (w->rc == STELE_OK) {
        w->rc = stele_buf_append(w->buf, bytes, w->err);
    }
}

void sti_fleet_write_u8(struct sti_fleet_writer *w, uint8_t v)
{
    sti_fleet_write_bytes(w, stele_bytes_of(&v, 1));
}

void sti_fleet_write_be32(struct sti_fleet_writer *w, uint32_t v)
{
    uint8_t bytes[sizeof v];

    sti_put_be32(bytes, v);
    sti_fleet_write_bytes(w, stele_bytes_of(bytes, sizeof bytes));
}

void sti_fleet_write_be64(struct sti_fleet_writer *w, uint64_t v)
{
    uint8_t bytes[sizeof v];

    sti_put_be64(bytes, v);
    sti_fleet_write_bytes(w, stele_bytes_of(bytes, sizeof bytes));
}

size_t sti_fleet_varint_size(uint64_t v)
{
    size_t size = 1;

    for (; v >= VARINT_MORE; v >>= VARINT_BITS) {
        size++;
    }
    return size;
}

void sti_fleet_write_varint(struct sti_fleet_writer *w, uint64_t v)
{
    uint8_t bytes[VARINT_MAX];
    size_t len = 0;

    for (; v >= VARINT_MORE; v >>= VARINT_BITS) {
        bytes[len++] = (uint8_t)(v | VARINT_MORE);
    }
    bytes[len++] = (uint8_t)v;
    sti_fleet_write_bytes(w, stele_bytes_of(bytes, len));
}

void sti_fleet_write_sized(struct sti_fleet_writer *w, stele_bytes bytes)
{
    sti_fleet_write_varint(w, bytes.len);
    sti_fleet_write_bytes(w, bytes);
}

static bool fits(struct sti_fleet_writer *w, stele_bytes bytes, size_t max)
{
    if (w->rc == STELE_OK && bytes.len > max) {
        w->rc = sti_fail(
                w->err, STELE_ETOOBIG, "a string of %zu bytes, of at most %zu", bytes.len, max);
    }
    return w->rc == STELE_OK;
}

void sti_fleet_write_str16(struct sti_fleet_writer *w, stele_bytes bytes)
{
    if (fits(w, bytes, UINT16_MAX)) {
        sti_fleet_write_u8(w, (uint8_t)(bytes.len >> 8));
        sti_fleet_write_u8(w, (uint8_t)bytes.len);
        sti_fleet_write_bytes(w, bytes);
    }
}

void sti_fleet_write_str8(struct sti_fleet_writer *w, stele_bytes bytes)
{
    if (fits(w, bytes, UINT8_MAX)) {
        sti_fleet_write_u8(w, (uint8_t)bytes.len);
        sti_fleet_write_bytes(w, bytes);
    }
}

void sti_fleet_write_version(struct sti_fleet_writer *w, struct sti_docs_version v)
{
    uint8_t bytes[STI_DOCS_VERSION_SIZE];

    sti_docs_version_put(bytes, v);
    sti_fleet_write_bytes(w, stele_bytes_of(bytes, sizeof bytes));
}
