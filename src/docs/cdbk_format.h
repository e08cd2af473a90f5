/* SPDX-License-Identifier: MIT
 *
 * cdbk_format.h: what the reader and the writer of backups share (docs/cdbk.h).
 */
#ifndef STI_DOCS_CDBK_FORMAT_H
#define STI_DOCS_CDBK_FORMAT_H

#include "base/sha256.h"
#include "docs/cdbk.h"

enum {
    STI_DOCS_CDBK_HEAD_SIZE = 8,
    STI_DOCS_CDBK_SECTIONS = STI_DOCS_CDBK_DATA + 1,
    STI_DOCS_CDBK_HASHED = STI_DOCS_CDBK_MANIFEST_SIZE - STI_SHA256_SIZE,
    STI_DOCS_CDBK_BUFFER_SIZE = 64 << 10
};

/* The first four bytes of a backup, and of its manifest. */
extern const char sti_docs_cdbk_magic[4];
extern const char sti_docs_cdbk_manifest_magic[4];

/* Where the bytes of a stream come from: a pipe, through zstd if they are compressed. */
struct sti_docs_cdbk_source {
    stele_read_fn read;
    void *arg;
    uint8_t *input; /* as it came; used with zstd alone, but for the first bytes */
    size_t input_at;
    size_t input_len;
    uint8_t *bytes; /* of the stream */
    size_t at;
    size_t len;
    size_t hashed;       /* of `bytes` */
    uint64_t position;   /* of bytes[0] in the stream */
    void *zstd;          /* NULL: not compressed */
    bool frame_is_whole; /* nothing is missing of what is compressed */
    bool input_has_ended;
    bool hash_has_ended;
    struct sti_sha256 hash; /* of all bytes before bytes[hashed] */
};

/* See what the stream is, from its first bytes. */
stele_code sti_docs_cdbk_source_init(
        struct sti_docs_cdbk_source *source, stele_read_fn read, void *arg, stele_error *err);
void sti_docs_cdbk_source_free(struct sti_docs_cdbk_source *source);

static inline uint64_t sti_docs_cdbk_source_position(const struct sti_docs_cdbk_source *source)
{
    return source->position + source->at;
}

/* Exactly so many bytes; STELE_ECORRUPT if the stream ends before. */
stele_code sti_docs_cdbk_source_take(
        struct sti_docs_cdbk_source *source, void *out, size_t len, stele_error *err);

/* Whether the stream has ended, and as a stream that is compressed should. */
stele_code sti_docs_cdbk_source_has_ended(
        struct sti_docs_cdbk_source *source, bool *out, stele_error *err);

/* The SHA-256 of the bytes taken. For once: what is taken after it is not hashed. */
stele_code sti_docs_cdbk_source_hash(
        struct sti_docs_cdbk_source *source, uint8_t out[STI_SHA256_SIZE], stele_error *err);

/* Where they go. */
struct sti_docs_cdbk_sink {
    stele_write_fn write;
    void *arg;
    uint8_t *bytes; /* of the stream, not yet written */
    size_t len;
    uint8_t *output; /* compressed */
    uint64_t size;   /* of the stream so far */
    void *zstd;      /* NULL: not compressed */
    struct sti_sha256 hash;
};

stele_code sti_docs_cdbk_sink_init(struct sti_docs_cdbk_sink *sink, stele_write_fn write, void *arg,
        int zstd_level, stele_error *err);
void sti_docs_cdbk_sink_free(struct sti_docs_cdbk_sink *sink);
stele_code sti_docs_cdbk_sink_put(
        struct sti_docs_cdbk_sink *sink, const void *data, size_t len, stele_error *err);

/* The SHA-256 of all so far. */
stele_code sti_docs_cdbk_sink_hash(
        struct sti_docs_cdbk_sink *sink, uint8_t out[STI_SHA256_SIZE], stele_error *err);

/* Everything goes out, and what is compressed ends. */
stele_code sti_docs_cdbk_sink_end(struct sti_docs_cdbk_sink *sink, stele_error *err);

#endif /* STI_DOCS_CDBK_FORMAT_H */
