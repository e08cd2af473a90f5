/* SPDX-License-Identifier: MIT
 *
 * Backups of documents: the reader, and what looks into the pairs.
 *
 *     byte 0: bit 0: a manifest is demanded; bit 1: make the hash of the manifest right first;
 *             bits 4 to 7: bytes that one read gives, 0: all
 *     then the backup
 *
 * What is read to its end and was not compressed is written again as the same bytes. Reading
 * stops after some MiB, since what is compressed can be very long.
 */
#include "base/sha256.h"
#include "docs/cdbk.h"
#include "docs/cdbk_check.h"
#include "fuzz.h"

enum {
    DEMANDED = 1,
    REPAIR = 2,
    TOTAL_MAX = 4 << 20
};

struct source {
    const uint8_t *data;
    size_t len;
    size_t at;
    size_t piece;
};

struct sink {
    const struct source *same; /* what is written is this */
    size_t at;
};

static stele_code read_some(void *arg, void *data, size_t len, size_t *got, stele_error *err)
{
    struct source *s = arg;

    (void)err;
    len = s->piece != 0 && s->piece < len ? s->piece : len;
    *got = len < s->len - s->at ? len : s->len - s->at;
    memcpy(data, s->data + s->at, *got);
    s->at += *got;
    return STELE_OK;
}

static stele_code write_same(void *arg, const void *data, size_t len, stele_error *err)
{
    struct sink *s = arg;

    (void)err;
    fuzz_require(len <= s->same->len - s->at);
    fuzz_require(memcmp(data, s->same->data + s->at, len) == 0);
    s->at += len;
    return STELE_OK;
}

static stele_code write_nothing(void *arg, const void *data, size_t len, stele_error *err)
{
    (void)arg;
    (void)data;
    (void)len;
    (void)err;
    return STELE_OK;
}

/* Every pair, into a writer as well. STELE_OK means that it was stopped. */
static stele_code read_pairs(struct sti_docs_cdbk_reader *reader,
        struct sti_docs_cdbk_writer *writer, struct sti_docs_cdbk_check *check)
{
    size_t total = 0;
    bool fits = true;
    stele_error err;

    while (total < TOTAL_MAX) {
        struct sti_docs_cdbk_pair pair;
        stele_code rc = sti_docs_cdbk_reader_next(reader, &pair, &err);

        if (rc != STELE_OK) {
            if (rc == STELE_END && fits) {
                (void)sti_docs_cdbk_check_end(check, &err);
            }
            return rc;
        }
        total += pair.key.len + pair.value.len + 1;
        fits = sti_docs_cdbk_check_add(check, &pair, &err) == STELE_OK && fits;
        fuzz_require(sti_docs_cdbk_writer_add(writer, &pair, &err) == STELE_OK);
    }
    return STELE_OK;
}

static bool is_zstd(const struct source *s)
{
    return s->len >= 4 && memcmp(s->data, "\x28\xB5\x2F\xFD", 4) == 0;
}

static void run(struct source *source, bool demanded, bool manifest)
{
    const struct sti_docs_cdbk_write_options opts = {.manifest = manifest};
    struct sink sink = {.same = source};
    struct sti_docs_cdbk_reader *reader = NULL;
    struct sti_docs_cdbk_writer *writer = NULL;
    struct sti_docs_cdbk_check *check = NULL;
    struct sti_docs_cdbk_summary summary;
    stele_error err;

    if (sti_docs_cdbk_reader_new(&reader, read_some, source, demanded, &err) != STELE_OK) {
        return;
    }
    fuzz_require(sti_docs_cdbk_check_new(&check, &err) == STELE_OK);
    fuzz_require(sti_docs_cdbk_writer_new(&writer, is_zstd(source) ? write_nothing : write_same,
                         &sink, &opts, &err) == STELE_OK);
    if (read_pairs(reader, writer, check) == STELE_END) {
        fuzz_require(!demanded || sti_docs_cdbk_reader_summary(reader).has_manifest);
        if (sti_docs_cdbk_reader_summary(reader).has_manifest == manifest) {
            fuzz_require(sti_docs_cdbk_writer_end(writer, &summary, &err) == STELE_OK);
            fuzz_require(summary.size == sti_docs_cdbk_reader_summary(reader).size);
            fuzz_require(is_zstd(source) || sink.at == source->len);
        }
    }
    sti_docs_cdbk_check_free(check);
    sti_docs_cdbk_writer_free(writer);
    sti_docs_cdbk_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned options = fuzz_byte(&in);
    size_t len;
    uint8_t *copy = fuzz_bytes(&in, in.size, &len);
    struct source source = {.data = copy, .len = len, .piece = options >> 4};
    bool has_manifest = len >= STI_DOCS_CDBK_MANIFEST_SIZE &&
                        memcmp(copy + len - STI_DOCS_CDBK_MANIFEST_SIZE, "STBK", 4) == 0;

    if ((options & REPAIR) != 0 && has_manifest) {
        stele_bytes hashed = stele_bytes_of(copy, len - STI_SHA256_SIZE);

        fuzz_require(sti_sha256(&hashed, 1, copy + hashed.len, NULL) == STELE_OK);
    }
    run(&source, (options & DEMANDED) != 0, has_manifest);
    free(copy);
    return 0;
}
