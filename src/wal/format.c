/* SPDX-License-Identifier: MIT */
#include "wal/format.h"

#include "base/assert.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/mutant.h"

enum {
    KIND_SHIFT = 30,
    FLAG_USED_BEFORE = 1,
    BLB_HEAD = 12,
    CRC_SIZE = 4
};

#define LENGTH_MASK (((uint32_t)1 << KIND_SHIFT) - 1)

static const uint8_t magic[4] = {'S', 'T', 'W', 'L'};

/* ---- The header of a segment. ---- */

void sti_wal_header_encode(uint8_t out[STI_WAL_HEADER_SIZE], const struct sti_wal_header *header)
{
    sti_assert(header->salt != 0);
    memset(out, 0, STI_WAL_HEADER_SIZE);
    memcpy(out, magic, sizeof magic);
    out[4] = STI_WAL_VERSION;
    out[5] = header->used_before ? FLAG_USED_BEFORE : 0;
    sti_put_le64(out + 8, header->first_id);
    sti_put_le64(out + 16, header->number);
    sti_put_le32(out + 24, header->salt);
    sti_put_le32(out + 28, sti_crc32c(0, out, 28));
}

stele_code sti_wal_header_decode(
        stele_bytes in, const char *name, struct sti_wal_header *header, stele_error *err)
{
    struct sti_wal_header h;

    if (in.len < STI_WAL_HEADER_SIZE) {
        return sti_fail_at(err, STELE_ECORRUPT, name, 0, "short header, %zu of %d bytes", in.len,
                STI_WAL_HEADER_SIZE);
    }
    if (memcmp(in.data, magic, sizeof magic) != 0) {
        return sti_fail_at(err, STELE_ECORRUPT, name, 0, "is not a segment of a log");
    }
    if (sti_get_le32(in.data + 28) != sti_crc32c(0, in.data, 28) && !STI_MUTANT(WAL_CRC_IGNORED)) {
        return sti_fail_at(err, STELE_ECORRUPT, name, 0, "the checksum of the header is wrong");
    }
    if (in.data[4] != STI_WAL_VERSION || (in.data[5] & ~FLAG_USED_BEFORE) != 0 || in.data[6] != 0 ||
            in.data[7] != 0) {
        return sti_fail_at(err, STELE_EVERSION, name, 4,
                "version %u of the format, with flags %u, is not known", (unsigned)in.data[4],
                (unsigned)in.data[5]);
    }
    h.first_id = sti_get_le64(in.data + 8);
    h.number = sti_get_le64(in.data + 16);
    h.salt = sti_get_le32(in.data + 24);
    h.used_before = (in.data[5] & FLAG_USED_BEFORE) != 0;
    if (h.salt == 0) {
        return sti_fail_at(err, STELE_ECORRUPT, name, 24, "the salt is 0");
    }
    *header = h;
    return STELE_OK;
}

/* ---- Frames. ---- */

size_t sti_wal_frame_size(stele_wal_format format, size_t data_len)
{
    size_t overhead =
            format == STELE_WAL_BLB ? (size_t)STI_WAL_BLB_OVERHEAD : (size_t)STI_WAL_FRAME_SIZE;

    return overhead + data_len;
}

uint64_t sti_wal_seal_size(uint64_t records)
{
    uint64_t positions = records / STI_WAL_STRIDE + (records % STI_WAL_STRIDE != 0 ? 1 : 0);

    return STI_WAL_FRAME_SIZE + 4 + 4 * positions;
}

uint32_t sti_wal_frame_peek(const uint8_t in[STI_WAL_PEEK], stele_wal_format format)
{
    return format == STELE_WAL_BLB ? sti_get_le32(in + 8) : sti_get_le32(in + 4) & LENGTH_MASK;
}

uint32_t sti_wal_record_max(stele_wal_format format)
{
    return format == STELE_WAL_BLB ? STELE_WAL_BLB_RECORD_MAX : STELE_WAL_RECORD_MAX;
}

static void copy_data(uint8_t *out, stele_bytes data)
{
    if (data.len > 0) {
        memcpy(out, data.data, data.len);
    }
}

static size_t encode_blb(uint8_t *out, uint64_t id, stele_bytes data)
{
    size_t end = BLB_HEAD + data.len;

    sti_assert(data.len <= STELE_WAL_BLB_RECORD_MAX);
    sti_put_le64(out, id);
    sti_put_le32(out + 8, (uint32_t)data.len);
    copy_data(out + BLB_HEAD, data);
    sti_put_le32(out + end, sti_crc32c(0, out, end));
    return end + CRC_SIZE;
}

size_t sti_wal_frame_finish(uint8_t *out, enum sti_wal_kind kind, uint64_t id, uint32_t salt,
        uint32_t durable, size_t data_len)
{
    size_t size = STI_WAL_FRAME_SIZE + data_len;

    sti_assert(data_len <= LENGTH_MASK);
    sti_put_le32(out + 4, (uint32_t)data_len | (uint32_t)kind << KIND_SHIFT);
    sti_put_le64(out + 8, id);
    sti_put_le32(out + 16, salt);
    sti_put_le32(out + 20, durable);
    sti_put_le32(out, sti_crc32c(0, out + 4, size - 4));
    return size;
}

size_t sti_wal_frame_encode(uint8_t *out, stele_wal_format format, enum sti_wal_kind kind,
        uint64_t id, uint32_t salt, uint32_t durable, stele_bytes data)
{
    if (format == STELE_WAL_BLB) {
        sti_assert(kind == STI_WAL_RECORD);
        return encode_blb(out, id, data);
    }
    copy_data(out + STI_WAL_FRAME_SIZE, data);
    return sti_wal_frame_finish(out, kind, id, salt, durable, data.len);
}

static enum sti_wal_decoded decode_blb(const uint8_t *in, size_t len, uint64_t expected_id,
        uint32_t record_max, struct sti_wal_frame *out, size_t *need)
{
    size_t data_len;
    size_t size;

    if (len < STI_WAL_BLB_OVERHEAD) {
        *need = STI_WAL_BLB_OVERHEAD;
        return STI_WAL_SHORT;
    }
    data_len = sti_get_le32(in + 8);
    if ((sti_get_le64(in) != expected_id && !STI_MUTANT(WAL_ID_UNCHECKED)) ||
            data_len > STELE_WAL_BLB_RECORD_MAX || data_len > record_max) {
        return STI_WAL_INVALID;
    }
    size = STI_WAL_BLB_OVERHEAD + data_len;
    if (len < size) {
        *need = size;
        return STI_WAL_SHORT;
    }
    if (sti_get_le32(in + BLB_HEAD + data_len) != sti_crc32c(0, in, BLB_HEAD + data_len) &&
            !STI_MUTANT(WAL_CRC_IGNORED)) {
        return STI_WAL_INVALID;
    }
    out->kind = STI_WAL_RECORD;
    out->id = sti_get_le64(in);
    out->durable = 0;
    out->data = stele_bytes_of(in + BLB_HEAD, data_len);
    out->size = size;
    return STI_WAL_VALID;
}

static bool length_is_valid(unsigned kind, size_t data_len, uint32_t record_max)
{
    switch (kind) {
    case STI_WAL_RECORD:
        return data_len <= record_max;
    case STI_WAL_MARK:
        return data_len == 0;
    case STI_WAL_SEAL:
        return data_len >= 4 && data_len % 4 == 0;
    default:
        return false;
    }
}

enum sti_wal_decoded sti_wal_frame_decode_trusted(const uint8_t *in, size_t len,
        uint64_t expected_id, uint32_t salt, uint32_t record_max, struct sti_wal_frame *out,
        size_t *need)
{
    uint32_t word;
    unsigned kind;
    size_t data_len;
    size_t size;

    if (len < STI_WAL_FRAME_SIZE) {
        *need = STI_WAL_FRAME_SIZE;
        return STI_WAL_SHORT;
    }
    word = sti_get_le32(in + 4);
    kind = word >> KIND_SHIFT;
    data_len = word & LENGTH_MASK;
    if ((sti_get_le32(in + 16) != salt && !STI_MUTANT(WAL_SALT_UNCHECKED)) ||
            (sti_get_le64(in + 8) != expected_id && !STI_MUTANT(WAL_ID_UNCHECKED)) ||
            !length_is_valid(kind, data_len, record_max)) {
        return STI_WAL_INVALID;
    }
    size = STI_WAL_FRAME_SIZE + data_len;
    if (len < size) {
        *need = size;
        return STI_WAL_SHORT;
    }
    out->kind = (enum sti_wal_kind)kind;
    out->id = sti_get_le64(in + 8);
    out->durable = sti_get_le32(in + 20);
    out->data = stele_bytes_of(in + STI_WAL_FRAME_SIZE, data_len);
    out->size = size;
    return STI_WAL_VALID;
}

enum sti_wal_decoded sti_wal_frame_decode(const uint8_t *in, size_t len, stele_wal_format format,
        uint64_t expected_id, uint32_t salt, uint32_t record_max, struct sti_wal_frame *out,
        size_t *need)
{
    enum sti_wal_decoded decoded;

    if (format == STELE_WAL_BLB) {
        return decode_blb(in, len, expected_id, record_max, out, need);
    }
    decoded = sti_wal_frame_decode_trusted(in, len, expected_id, salt, record_max, out, need);
    if (decoded == STI_WAL_VALID && sti_get_le32(in) != sti_crc32c(0, in + 4, out->size - 4) &&
            !STI_MUTANT(WAL_CRC_IGNORED)) {
        return STI_WAL_INVALID;
    }
    return decoded;
}

/* ---- Seals. ---- */

bool sti_wal_seal_is_valid(stele_bytes data, uint64_t records)
{
    uint64_t count = records / STI_WAL_STRIDE + (records % STI_WAL_STRIDE != 0);
    uint32_t before = 0;

    if (data.len < 4 || data.len % 4 != 0 || sti_get_le32(data.data) != count ||
            data.len / 4 - 1 != count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t position = sti_wal_seal_position(data, i);

        if (i == 0 ? position != STI_WAL_HEADER_SIZE : position <= before) {
            return false;
        }
        before = position;
    }
    return true;
}

uint32_t sti_wal_seal_position(stele_bytes data, size_t i)
{
    return sti_get_le32(data.data + 4 + 4 * i);
}
