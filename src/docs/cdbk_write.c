/* SPDX-License-Identifier: MIT
 *
 * cdbk_write.c: the writer of backups.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/coding.h"
#include "base/error.h"
#include "docs/cdbk_format.h"

const char sti_docs_cdbk_magic[4] = {'C', 'D', 'B', 'K'};
const char sti_docs_cdbk_manifest_magic[4] = {'S', 'T', 'B', 'K'};

struct sti_docs_cdbk_writer {
    struct sti_docs_cdbk_sink sink;
    bool manifest;
    bool has_ended;
    stele_code rc; /* of the first call that the pipe failed */
    uint64_t pairs;
    enum sti_docs_cdbk_section section; /* of the last pair */
    stele_buf key;                      /* likewise */
};

const char *sti_docs_cdbk_section_name(enum sti_docs_cdbk_section section)
{
    static const char *const names[] = {"typ", "chk", "log", "nfo", "dat"};

    sti_assert((size_t)section < sizeof names / sizeof names[0]);
    return names[section];
}

stele_code sti_docs_cdbk_writer_new(struct sti_docs_cdbk_writer **out, stele_write_fn write,
        void *arg, const struct sti_docs_cdbk_write_options *opts, stele_error *err)
{
    struct sti_docs_cdbk_writer *writer = sti_calloc(1, sizeof *writer);
    uint8_t flags[4] = {0};
    stele_code rc;

    if (writer == NULL) {
        return sti_fail_memory(err, sizeof *writer);
    }
    writer->manifest = opts->manifest;
    stele_buf_init(&writer->key, STI_DOCS_CDBK_KEY_MAX);
    rc = sti_docs_cdbk_sink_init(&writer->sink, write, arg, opts->zstd_level, err);
    if (rc == STELE_OK) {
        rc = sti_docs_cdbk_sink_put(
                &writer->sink, sti_docs_cdbk_magic, sizeof sti_docs_cdbk_magic, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_cdbk_sink_put(&writer->sink, flags, sizeof flags, err);
    }
    if (rc != STELE_OK) {
        sti_docs_cdbk_writer_free(writer);
        return rc;
    }
    *out = writer;
    return STELE_OK;
}

void sti_docs_cdbk_writer_free(struct sti_docs_cdbk_writer *writer)
{
    if (writer != NULL) {
        sti_docs_cdbk_sink_free(&writer->sink);
        stele_buf_free(&writer->key);
        sti_free(writer);
    }
}

static stele_code usable(const struct sti_docs_cdbk_writer *writer, stele_error *err)
{
    if (writer->rc != STELE_OK) {
        return sti_fail(err, writer->rc, "an earlier write of the backup failed");
    }
    return writer->has_ended ? sti_fail(err, STELE_ESTATE, "the backup has ended") : STELE_OK;
}

static stele_code check_pair(const struct sti_docs_cdbk_writer *writer,
        const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    const char *name = sti_docs_cdbk_section_name(pair->section);

    if (pair->key.len > STI_DOCS_CDBK_KEY_MAX - STI_DOCS_CDBK_PREFIX_SIZE) {
        return sti_fail(err, STELE_ETOOBIG, "%s: a key of %zu bytes, of at most %d", name,
                pair->key.len, STI_DOCS_CDBK_KEY_MAX - STI_DOCS_CDBK_PREFIX_SIZE);
    }
    if (pair->value.len > STI_DOCS_CDBK_VALUE_MAX) {
        return sti_fail(err, STELE_ETOOBIG, "%s: a value of %zu bytes, of at most %d", name,
                pair->value.len, STI_DOCS_CDBK_VALUE_MAX);
    }
    if (writer->pairs > 0 && pair->section < writer->section) {
        return sti_fail(err, STELE_EINVAL, "%s comes after %s", name,
                sti_docs_cdbk_section_name(writer->section));
    }
    if (writer->pairs > 0 && pair->section == writer->section) {
        stele_bytes last = stele_bytes_of(writer->key.data, writer->key.len);
        stele_bytes key = pair->key.len == 0 ? stele_empty() : pair->key;

        if (stele_bytes_compare(last, key) >= 0) {
            return sti_fail(err, STELE_EINVAL, "%s: the keys do not ascend", name);
        }
    }
    return STELE_OK;
}

static stele_code put_length(struct sti_docs_cdbk_sink *sink, int64_t length, stele_error *err)
{
    uint8_t bytes[STI_VARINT_MAX];

    return sti_docs_cdbk_sink_put(sink, bytes, sti_varint_put(bytes, length), err);
}

static stele_code put_pair(
        struct sti_docs_cdbk_sink *sink, const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    stele_code rc = put_length(sink, (int64_t)pair->key.len + STI_DOCS_CDBK_PREFIX_SIZE, err);

    if (rc == STELE_OK) {
        rc = sti_docs_cdbk_sink_put(
                sink, sti_docs_cdbk_section_name(pair->section), STI_DOCS_CDBK_PREFIX_SIZE, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_cdbk_sink_put(sink, pair->key.data, pair->key.len, err);
    }
    if (rc == STELE_OK) {
        rc = put_length(sink, (int64_t)pair->value.len, err);
    }
    return rc == STELE_OK ? sti_docs_cdbk_sink_put(sink, pair->value.data, pair->value.len, err)
                          : rc;
}

stele_code sti_docs_cdbk_writer_add(struct sti_docs_cdbk_writer *writer,
        const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    stele_buf next;
    stele_code rc = usable(writer, err);

    if (rc == STELE_OK) {
        rc = check_pair(writer, pair, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    /* The memory for the key first, so that a pair is written whole or not at all. */
    next = writer->key;
    stele_buf_clear(&next);
    rc = stele_buf_append(&next, pair->key.len == 0 ? stele_empty() : pair->key, err);
    if (rc != STELE_OK) {
        return rc;
    }
    writer->key = next;
    writer->section = pair->section;
    writer->pairs++;
    writer->rc = put_pair(&writer->sink, pair, err);
    return writer->rc;
}

static stele_code put_manifest(struct sti_docs_cdbk_writer *writer, stele_error *err)
{
    uint8_t bytes[STI_DOCS_CDBK_MANIFEST_SIZE];
    stele_code rc;

    memcpy(bytes, sti_docs_cdbk_manifest_magic, sizeof sti_docs_cdbk_manifest_magic);
    sti_put_be32(bytes + 4, 0);
    sti_put_be64(bytes + 8, writer->pairs);
    sti_put_be64(bytes + 16, writer->sink.size);
    rc = sti_docs_cdbk_sink_put(&writer->sink, bytes, STI_DOCS_CDBK_HASHED, err);
    if (rc == STELE_OK) {
        rc = sti_docs_cdbk_sink_hash(&writer->sink, bytes + STI_DOCS_CDBK_HASHED, err);
    }
    return rc == STELE_OK ? sti_docs_cdbk_sink_put(&writer->sink, bytes + STI_DOCS_CDBK_HASHED,
                                    STI_SHA256_SIZE, err)
                          : rc;
}

stele_code sti_docs_cdbk_writer_end(
        struct sti_docs_cdbk_writer *writer, struct sti_docs_cdbk_summary *out, stele_error *err)
{
    stele_code rc = usable(writer, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = put_length(&writer->sink, -1, err);
    if (rc == STELE_OK && writer->manifest) {
        rc = put_manifest(writer, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_cdbk_sink_end(&writer->sink, err);
    }
    writer->rc = rc;
    writer->has_ended = true;
    if (rc == STELE_OK) {
        *out = (struct sti_docs_cdbk_summary){.pairs = writer->pairs,
                .size = writer->sink.size,
                .has_manifest = writer->manifest,
                .is_compressed = writer->sink.zstd != NULL};
    }
    return rc;
}
