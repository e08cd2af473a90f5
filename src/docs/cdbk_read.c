/* SPDX-License-Identifier: MIT
 *
 * cdbk_read.c: the reader of backups.
 */
#include "base/alloc.h"
#include "base/coding.h"
#include "base/error.h"
#include "base/mutant.h"
#include "docs/cdbk_format.h"

#include <inttypes.h>

enum {
    MANIFEST_HEAD = 8, /* bytes that tell whether it is one */
    STEP_MIN = 64,
    STEP_MAX = 1 << 20 /* bytes of a value that are asked for before any have come in */
};

/* A buffer that does not keep what was in it when it grows for something new. */
struct piece {
    uint8_t *data;
    size_t len;
    size_t capacity;
};

struct sti_docs_cdbk_reader {
    struct sti_docs_cdbk_source source;
    bool manifest_demanded;
    stele_code rc; /* STELE_END, or what failed */
    struct sti_docs_cdbk_summary summary;
    enum sti_docs_cdbk_section section; /* of the last pair */
    struct piece key;                   /* with the name of the section */
    struct piece last_key;
    struct piece value;
};

static stele_code damaged(stele_error *err, uint64_t position, const char *what)
{
    return sti_fail_at(err, STELE_ECORRUPT, "backup", (int64_t)position, "%s", what);
}

static stele_code read_head(struct sti_docs_cdbk_reader *reader, stele_error *err)
{
    uint8_t head[STI_DOCS_CDBK_HEAD_SIZE];
    stele_code rc = sti_docs_cdbk_source_take(&reader->source, head, sizeof head, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (memcmp(head, sti_docs_cdbk_magic, sizeof sti_docs_cdbk_magic) != 0) {
        return damaged(err, 0, "not a backup of documents");
    }
    if (sti_get_be32(head + 4) != 0) {
        return sti_fail_at(err, STELE_EVERSION, "backup", 4, "flags 0x%08" PRIx32 ", not known",
                sti_get_be32(head + 4));
    }
    return STELE_OK;
}

stele_code sti_docs_cdbk_reader_new(struct sti_docs_cdbk_reader **out, stele_read_fn read,
        void *arg, bool manifest_demanded, stele_error *err)
{
    struct sti_docs_cdbk_reader *reader = sti_calloc(1, sizeof *reader);
    stele_code rc;

    if (reader == NULL) {
        return sti_fail_memory(err, sizeof *reader);
    }
    reader->manifest_demanded = manifest_demanded;
    rc = sti_docs_cdbk_source_init(&reader->source, read, arg, err);
    if (rc == STELE_OK) {
        rc = read_head(reader, err);
    }
    if (rc != STELE_OK) {
        sti_docs_cdbk_reader_free(reader);
        return rc;
    }
    *out = reader;
    return STELE_OK;
}

void sti_docs_cdbk_reader_free(struct sti_docs_cdbk_reader *reader)
{
    if (reader != NULL) {
        sti_docs_cdbk_source_free(&reader->source);
        sti_free(reader->key.data);
        sti_free(reader->last_key.data);
        sti_free(reader->value.data);
        sti_free(reader);
    }
}

/* A length, or -1 for the end mark; at most `max`. */
static stele_code take_length(
        struct sti_docs_cdbk_source *source, int64_t max, int64_t *out, stele_error *err)
{
    uint64_t at = sti_docs_cdbk_source_position(source);
    uint8_t bytes[STI_VARINT_MAX];
    uint8_t shortest[STI_VARINT_MAX];
    size_t len = 0;
    int64_t length = 0;

    do {
        stele_code rc = sti_docs_cdbk_source_take(source, bytes + len, 1, err);

        if (rc != STELE_OK) {
            return rc;
        }
        len++;
    } while (bytes[len - 1] >= 0x80 && len < sizeof bytes);
    if (sti_varint_get(bytes, len, &length) != (int)len ||
            sti_varint_put(shortest, length) != len) {
        return damaged(err, at, "a length that is longer than it need be, or no number");
    }
    if (length < -1 || length > max) {
        return sti_fail_at(err, STELE_ECORRUPT, "backup", (int64_t)at,
                "a length of %" PRId64 " bytes, of at most %" PRId64, length, max);
    }
    *out = length;
    return STELE_OK;
}

static stele_code grow(struct piece *piece, size_t need, stele_error *err)
{
    uint8_t *data;

    if (need <= piece->capacity) {
        return STELE_OK;
    }
    data = sti_realloc(piece->data, need, 1);
    if (data == NULL) {
        return sti_fail_memory(err, need);
    }
    piece->data = data;
    piece->capacity = need;
    return STELE_OK;
}

/* Memory is had as bytes come in: the length alone makes nobody allocate. */
static stele_code take_piece(
        struct sti_docs_cdbk_source *source, struct piece *piece, size_t len, stele_error *err)
{
    stele_code rc = grow(piece, STEP_MIN, err);

    piece->len = 0;
    while (piece->len < len && rc == STELE_OK) {
        size_t step = piece->len < STEP_MAX ? STEP_MAX : piece->len;

        step = step < len - piece->len ? step : len - piece->len;
        rc = grow(piece, piece->len + step, err);
        if (rc == STELE_OK) {
            rc = sti_docs_cdbk_source_take(source, piece->data + piece->len, step, err);
        }
        if (rc == STELE_OK) {
            piece->len += step;
        }
    }
    return rc;
}

/* Which section a key is of, and whether it may come here. */
static stele_code check_key(struct sti_docs_cdbk_reader *reader, uint64_t at, stele_error *err)
{
    const struct piece *key = &reader->key;
    const struct piece *last = &reader->last_key;
    size_t section = 0;

    while (section < STI_DOCS_CDBK_SECTIONS &&
            memcmp(key->data, sti_docs_cdbk_section_name((enum sti_docs_cdbk_section)section),
                    STI_DOCS_CDBK_PREFIX_SIZE) != 0) {
        section++;
    }
    if (section == STI_DOCS_CDBK_SECTIONS) {
        return sti_fail_at(err, STELE_ECORRUPT, "backup", (int64_t)at,
                "a key of no section that is known, beginning with %02x %02x %02x", key->data[0],
                key->data[1], key->data[2]);
    }
    if (reader->summary.pairs > 0 && section < (size_t)reader->section) {
        return sti_fail_at(err, STELE_ECORRUPT, "backup", (int64_t)at, "%s comes after %s",
                sti_docs_cdbk_section_name((enum sti_docs_cdbk_section)section),
                sti_docs_cdbk_section_name(reader->section));
    }
    if (reader->summary.pairs > 0 && section == (size_t)reader->section &&
            stele_bytes_compare(stele_bytes_of(last->data, last->len),
                    stele_bytes_of(key->data, key->len)) >= 0) {
        return damaged(err, at, "the keys of a section do not ascend");
    }
    reader->section = (enum sti_docs_cdbk_section)section;
    return STELE_OK;
}

static stele_code take_pair(
        struct sti_docs_cdbk_reader *reader, size_t key_len, uint64_t at, stele_error *err)
{
    struct piece key = reader->key;
    int64_t length = 0;
    stele_code rc;

    reader->key = reader->last_key;
    reader->last_key = key;
    if (key_len < STI_DOCS_CDBK_PREFIX_SIZE) {
        return damaged(err, at, "a key that is shorter than the name of a section");
    }
    rc = take_piece(&reader->source, &reader->key, key_len, err);
    if (rc == STELE_OK) {
        rc = check_key(reader, at, err);
    }
    if (rc == STELE_OK) {
        rc = take_length(&reader->source, STI_DOCS_CDBK_VALUE_MAX, &length, err);
    }
    if (rc == STELE_OK && length < 0) {
        rc = damaged(err, at, "a pair without a value");
    }
    return rc == STELE_OK ? take_piece(&reader->source, &reader->value, (size_t)length, err) : rc;
}

static stele_code take_manifest(struct sti_docs_cdbk_reader *reader, stele_error *err)
{
    struct sti_docs_cdbk_source *source = &reader->source;
    uint64_t at = sti_docs_cdbk_source_position(source);
    uint8_t bytes[STI_DOCS_CDBK_MANIFEST_SIZE];
    uint8_t hash[STI_SHA256_SIZE] = {0};
    stele_code rc = sti_docs_cdbk_source_take(source, bytes, MANIFEST_HEAD, err);

    if (rc == STELE_OK &&
            memcmp(bytes, sti_docs_cdbk_manifest_magic, sizeof sti_docs_cdbk_manifest_magic) != 0) {
        rc = damaged(err, at, "bytes behind the end that are no manifest");
    }
    if (rc == STELE_OK && sti_get_be32(bytes + 4) != 0) {
        rc = sti_fail_at(err, STELE_EVERSION, "backup", (int64_t)at + 4,
                "flags of the manifest 0x%08" PRIx32 ", not known", sti_get_be32(bytes + 4));
    }
    if (rc == STELE_OK) {
        rc = sti_docs_cdbk_source_take(
                source, bytes + MANIFEST_HEAD, STI_DOCS_CDBK_HASHED - MANIFEST_HEAD, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_cdbk_source_hash(source, hash, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_cdbk_source_take(source, bytes + STI_DOCS_CDBK_HASHED, STI_SHA256_SIZE, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    if (sti_get_be64(bytes + 8) != reader->summary.pairs || sti_get_be64(bytes + 16) != at ||
            (memcmp(bytes + STI_DOCS_CDBK_HASHED, hash, sizeof hash) != 0 &&
                    !STI_MUTANT(DOCS_MANIFEST_BELIEVED))) {
        return damaged(err, at, "the manifest is not that of this backup");
    }
    reader->summary.has_manifest = true;
    return STELE_OK;
}

/* Behind the end mark. */
static stele_code take_end(struct sti_docs_cdbk_reader *reader, stele_error *err)
{
    struct sti_docs_cdbk_source *source = &reader->source;
    bool ended = false;
    stele_code rc = sti_docs_cdbk_source_has_ended(source, &ended, err);

    if (rc == STELE_OK && ended && reader->manifest_demanded) {
        rc = damaged(err, sti_docs_cdbk_source_position(source), "there is no manifest");
    }
    if (rc == STELE_OK && !ended) {
        rc = take_manifest(reader, err);
    }
    if (rc == STELE_OK && !ended) {
        rc = sti_docs_cdbk_source_has_ended(source, &ended, err);
    }
    if (rc == STELE_OK && !ended) {
        rc = damaged(
                err, sti_docs_cdbk_source_position(source), "there are bytes behind the manifest");
    }
    reader->summary.size = sti_docs_cdbk_source_position(source);
    reader->summary.is_compressed = source->zstd != NULL;
    return rc == STELE_OK ? STELE_END : rc;
}

static stele_code next(struct sti_docs_cdbk_reader *reader, uint64_t at, stele_error *err)
{
    int64_t length = 0;
    stele_code rc = take_length(&reader->source, STI_DOCS_CDBK_KEY_MAX, &length, err);

    if (rc != STELE_OK) {
        return rc;
    }
    return length == -1 ? take_end(reader, err) : take_pair(reader, (size_t)length, at, err);
}

stele_code sti_docs_cdbk_reader_next(
        struct sti_docs_cdbk_reader *reader, struct sti_docs_cdbk_pair *out, stele_error *err)
{
    uint64_t at = sti_docs_cdbk_source_position(&reader->source);

    if (reader->rc != STELE_OK) {
        return reader->rc == STELE_END
                       ? STELE_END
                       : sti_fail(err, reader->rc, "an earlier read of the backup failed");
    }
    reader->rc = next(reader, at, err);
    if (reader->rc != STELE_OK) {
        return reader->rc;
    }
    reader->summary.pairs++;
    *out = (struct sti_docs_cdbk_pair){.section = reader->section,
            .key = stele_bytes_of(reader->key.data + STI_DOCS_CDBK_PREFIX_SIZE,
                    reader->key.len - STI_DOCS_CDBK_PREFIX_SIZE),
            .value = stele_bytes_of(reader->value.data, reader->value.len),
            .position = at};
    return STELE_OK;
}

struct sti_docs_cdbk_summary sti_docs_cdbk_reader_summary(const struct sti_docs_cdbk_reader *reader)
{
    return reader->summary;
}
