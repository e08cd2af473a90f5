/* SPDX-License-Identifier: MIT */
#include "stream/format.h"

#include "base/assert.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/mutant.h"

#include <string.h>

static const uint8_t log_magic[6] = {0xFF, 'k', 'l', 'e', 'v', 's'};
static const uint8_t trailer[STI_V2_TRAILER_SIZE] = {
        0xDE, 0xAD, 0xBE, 0xEF, 0xFE, 0xED, 0xFA, 0xCE};

enum {
    LOG_VERSION = 1,
    KIND_LOOK = 64 /* bytes that decide whether a file is empty; the header is among them */
};

bool sti_all_zero(const uint8_t *data, size_t len)
{
    /* The first bytes by hand, then each byte must equal the one 16 before. */
    size_t head = len < 16 ? len : 16;

    for (size_t i = 0; i < head; i++) {
        if (data[i] != 0) {
            return false;
        }
    }
    return len <= 16 || memcmp(data, data + 16, len - 16) == 0;
}

enum sti_log_kind sti_log_kind_of(const uint8_t *data, uint64_t len, int64_t base)
{
    size_t look = len < KIND_LOOK ? (size_t)len : KIND_LOOK;

    if (sti_all_zero(data, look)) {
        return STI_LOG_EMPTY;
    }
    if (len >= STI_LOG_HEADER_SIZE && memcmp(data, log_magic, sizeof log_magic) == 0) {
        return data[6] == LOG_VERSION && data[7] == 0 ? STI_LOG_V2 : STI_LOG_VERSION;
    }
    if (len >= STI_LOG_HEADER_SIZE && sti_get_be64(data) == (uint64_t)base) {
        return STI_LOG_V1;
    }
    return len < STI_LOG_HEADER_SIZE ? STI_LOG_TORN : STI_LOG_FOREIGN;
}

void sti_log_header_put(uint8_t out[STI_LOG_HEADER_SIZE])
{
    memcpy(out, log_magic, sizeof log_magic);
    out[6] = LOG_VERSION;
    out[7] = 0;
}

static void put_v1(
        uint8_t *out, int64_t offset, stele_time time, stele_bytes key, stele_bytes value)
{
    sti_put_be64(out, (uint64_t)offset);
    sti_put_be64(out + 8, (uint64_t)time);
    sti_put_be32(out + 16, (uint32_t)key.len);
    sti_put_be32(out + 20, (uint32_t)value.len);
    if (key.len > 0) {
        memcpy(out + STI_V1_OVERHEAD, key.data, key.len);
    }
    if (value.len > 0) {
        memcpy(out + STI_V1_OVERHEAD + key.len, value.data, value.len);
    }
    sti_put_be32(out + 24, sti_crc32c(0, out + STI_V1_OVERHEAD, key.len + value.len));
}

static void put_v2(
        uint8_t *out, int64_t offset, stele_time time, stele_bytes key, stele_bytes value)
{
    size_t body = STI_V2_OVERHEAD - STI_V2_TRAILER_SIZE;

    sti_put_be64(out + 4, (uint64_t)offset);
    sti_put_be64(out + 12, (uint64_t)time);
    sti_put_be32(out + 20, (uint32_t)key.len);
    sti_put_be32(out + 24, (uint32_t)value.len);
    if (key.len > 0) {
        memcpy(out + body, key.data, key.len);
    }
    if (value.len > 0) {
        memcpy(out + body + key.len, value.data, value.len);
    }
    body += key.len + value.len;
    memcpy(out + body, trailer, sizeof trailer);
    sti_put_be32(out, sti_crc32c(0, out + 4, body + sizeof trailer - 4));
}

void sti_message_put(uint8_t *out, stele_stream_version version, int64_t offset, stele_time time,
        stele_bytes key, stele_bytes value)
{
    sti_debug_assert(key.len <= STELE_MESSAGE_SIZE_MAX);
    sti_debug_assert(value.len <= STELE_MESSAGE_SIZE_MAX - key.len);

    if (version == STELE_STREAM_V1) {
        put_v1(out, offset, time, key, value);
    } else {
        put_v2(out, offset, time, key, value);
    }
}

/* Bytes on disk; empty ones cannot be told from nil, and read as nil. */
static stele_bytes read_bytes(const uint8_t *data, size_t len)
{
    return len == 0 ? stele_nil() : stele_bytes_of(data, len);
}

enum sti_message_state sti_message_peek(const uint8_t *data, size_t len,
        stele_stream_version version, stele_message *out, size_t *size)
{
    size_t overhead = version == STELE_STREAM_V1 ? STI_V1_OVERHEAD : STI_V2_OVERHEAD;
    size_t at = version == STELE_STREAM_V1 ? 0 : 4; /* where the offset stands */
    size_t body = STI_V1_OVERHEAD;                  /* where the key stands, in both */
    size_t key_len;
    size_t value_len;

    if (len < overhead) {
        return sti_all_zero(data, len) ? STI_MESSAGE_END : STI_MESSAGE_SHORT;
    }
    key_len = sti_get_be32(data + at + 16);
    value_len = sti_get_be32(data + at + 20);
    if (key_len > STELE_MESSAGE_SIZE_MAX || value_len > STELE_MESSAGE_SIZE_MAX - key_len) {
        return STI_MESSAGE_DAMAGED;
    }
    out->offset = (int64_t)sti_get_be64(data + at);
    out->time = (int64_t)sti_get_be64(data + at + 8);
    if (out->offset == 0 && out->time == 0 && sti_all_zero(data, overhead)) {
        return STI_MESSAGE_END;
    }
    if (key_len + value_len > len - overhead) {
        return STI_MESSAGE_SHORT;
    }
    out->key = read_bytes(data + body, key_len);
    out->value = read_bytes(data + body + key_len, value_len);
    *size = overhead + key_len + value_len;
    return STI_MESSAGE_WHOLE;
}

_Static_assert(STI_V2_OVERHEAD - STI_V2_TRAILER_SIZE == STI_V1_OVERHEAD, "the key stands at 28");

bool sti_message_verify(const uint8_t *data, size_t size, stele_stream_version version)
{
    if (STI_MUTANT(CHECKSUM_IGNORED)) {
        return true;
    }
    if (version == STELE_STREAM_V1) {
        return sti_get_be32(data + 24) ==
               sti_crc32c(0, data + STI_V1_OVERHEAD, size - STI_V1_OVERHEAD);
    }
    return memcmp(data + size - sizeof trailer, trailer, sizeof trailer) == 0 &&
           sti_get_be32(data) == sti_crc32c(0, data + 4, size - 4);
}

enum sti_message_state sti_message_get(const uint8_t *data, size_t len,
        stele_stream_version version, stele_message *out, size_t *size)
{
    enum sti_message_state state = sti_message_peek(data, len, version, out, size);

    if (state == STI_MESSAGE_WHOLE && !sti_message_verify(data, *size, version)) {
        return STI_MESSAGE_DAMAGED;
    }
    return state;
}
