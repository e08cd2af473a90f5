/* SPDX-License-Identifier: MIT
 *
 * The decoders of a write-ahead log's bytes: header, frames of both formats,
 * seal, manifest.
 *
 *     byte 0: which; bit 7: make the checksum right first, and expect the id and
 *     the salt that are there. Byte 1: how many records a seal is for
 *
 * What decodes is inside the input, and encodes to the same bytes. A frame that is cut anywhere
 * is short, not valid, and says that it needs more than there is.
 */
#include "base/alloc.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "fuzz.h"
#include "wal/format.h"
#include "wal/manifest.h"

#include <string.h>

enum {
    RECORD_MAX = 1 << 16,
    CHECKSUM = 0x80
};

static void header(uint8_t *data, size_t len, bool repair)
{
    struct sti_wal_header h;
    uint8_t again[STI_WAL_HEADER_SIZE];
    stele_error err;

    if (repair && len >= STI_WAL_HEADER_SIZE) {
        sti_put_le32(data + 28, sti_crc32c(0, data, 28));
    }
    if (sti_wal_header_decode(stele_bytes_of(data, len), "name", &h, &err) == STELE_OK) {
        fuzz_require(len >= STI_WAL_HEADER_SIZE && h.salt != 0);
        sti_wal_header_encode(again, &h);
        fuzz_require(memcmp(again, data, sizeof again) == 0);
    }
}

static void encode_again(const uint8_t *data, stele_wal_format format, uint32_t salt,
        const struct sti_wal_frame *frame)
{
    uint8_t *again = malloc(frame->size + 1);

    fuzz_require(again != NULL);
    fuzz_require(sti_wal_frame_encode(again, format, frame->kind, frame->id, salt, frame->durable,
                         frame->data) == frame->size);
    fuzz_require(memcmp(again, data, frame->size) == 0);
    free(again);
}

static void seal(stele_bytes data, uint64_t records)
{
    uint64_t sum = 0;

    if (sti_wal_seal_is_valid(data, records)) {
        size_t count = (size_t)((records + STI_WAL_STRIDE - 1) / STI_WAL_STRIDE);

        for (size_t i = 0; i < count; i++) {
            sum += sti_wal_seal_position(data, i);
        }
        fuzz_require((count == 0) == (sum == 0));
    }
}

/* Cut at its end, in the middle and in its head it is no frame. */
static void cut(const uint8_t *data, stele_wal_format format, uint32_t salt,
        const struct sti_wal_frame *frame)
{
    const size_t cuts[] = {frame->size - 1, frame->size / 2, 3};

    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        struct fuzz_input in = {data, frame->size};
        struct sti_wal_frame other;
        size_t need = 0;
        size_t len;
        uint8_t *copy = fuzz_bytes(&in, cuts[i], &len);

        fuzz_require(sti_wal_frame_decode(copy, len, format, frame->id, salt, RECORD_MAX, &other,
                             &need) == STI_WAL_SHORT);
        fuzz_require(need > len && need <= frame->size);
        free(copy);
    }
}

static void frame_of(
        uint8_t *data, size_t len, stele_wal_format format, unsigned records, bool repair)
{
    size_t head = format == STELE_WAL_BLB ? 12 : STI_WAL_FRAME_SIZE;
    uint64_t id = 7;
    uint32_t salt = 9;
    struct sti_wal_frame frame;
    size_t need = 0;
    enum sti_wal_decoded decoded;

    if (repair && len >= head) {
        bool blb = format == STELE_WAL_BLB;
        size_t data_len = sti_get_le32(data + (blb ? 8 : 4)) & 0x3FFFFFFF;
        size_t size = sti_wal_frame_size(format, data_len);

        id = sti_get_le64(data + (blb ? 0 : 8));
        salt = blb ? 0 : sti_get_le32(data + 16);
        if (size <= len) {
            sti_put_le32(data + (blb ? size - 4 : 0),
                    blb ? sti_crc32c(0, data, size - 4) : sti_crc32c(0, data + 4, size - 4));
        }
    }
    decoded = sti_wal_frame_decode(data, len, format, id, salt, RECORD_MAX, &frame, &need);
    if (decoded == STI_WAL_SHORT) {
        fuzz_require(need > len);
    } else if (decoded == STI_WAL_VALID) {
        fuzz_require(frame.id == id && frame.size <= len);
        fuzz_require(frame.size == sti_wal_frame_size(format, frame.data.len));
        fuzz_require(frame.kind == STI_WAL_SEAL || frame.data.len <= RECORD_MAX);
        encode_again(data, format, salt, &frame);
        cut(data, format, salt, &frame);
        if (frame.kind == STI_WAL_SEAL) {
            seal(frame.data, records);
        }
    }
}

static void manifest(uint8_t *data, size_t len, bool repair)
{
    struct sti_wal_manifest m;
    stele_error err;
    uint8_t *again;
    size_t size;

    if (repair && len >= STI_WAL_MANIFEST_HEAD) {
        uint64_t end =
                STI_WAL_MANIFEST_HEAD + (uint64_t)STI_WAL_MANIFEST_ENTRY * sti_get_le32(data + 24);

        if (end + 4 <= len) {
            sti_put_le32(data + end, sti_crc32c(0, data, (size_t)end));
        }
    }
    if (sti_wal_manifest_decode(stele_bytes_of(data, len), &m, &err) == STELE_OK) {
        size = sti_wal_manifest_size(m.count);
        fuzz_require(size <= len);
        again = malloc(size);
        fuzz_require(again != NULL);
        sti_wal_manifest_encode(again, &m);
        fuzz_require(memcmp(again, data, size) == 0);
        free(again);
    } else {
        fuzz_require(m.count == 0 && m.entries == NULL);
    }
    sti_wal_manifest_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned what = fuzz_byte(&in);
    unsigned records = fuzz_byte(&in);
    size_t len;
    uint8_t *bytes = fuzz_bytes(&in, in.size, &len);
    bool repair = (what & CHECKSUM) != 0;

    switch (what % CHECKSUM % 5) {
    case 0:
        header(bytes, len, repair);
        break;
    case 1:
        frame_of(bytes, len, STELE_WAL_STELE, records, repair);
        break;
    case 2:
        frame_of(bytes, len, STELE_WAL_BLB, records, repair);
        break;
    case 3:
        seal(stele_bytes_of(bytes, len), records);
        break;
    default:
        manifest(bytes, len, repair);
        break;
    }
    free(bytes);
    return 0;
}
