/* SPDX-License-Identifier: MIT
 *
 * cdbk.h: backups of documents as one stream of bytes, read and written by the reference too.
 *
 *     4 bytes   "CDBK"
 *     4         flags, big endian: 0
 *     pairs, each:
 *               length of the key, the key, length of the value, the value
 *     1         0x01: the end mark, which is -1 as a length
 *     56        the manifest, which may be missing
 *
 * Lengths are zig-zag varints (base/coding.h), in their shortest form. A key begins with the name
 * of its section, three letters; sections come in the order that is below, and the keys of each
 * ascend. The manifest, all of it big endian:
 *
 *     at  size
 *      0    4   "STBK"
 *      4    4   flags: 0
 *      8    8   count of the pairs
 *     16    8   size of everything before the manifest
 *     24   32   SHA-256 of everything before these bytes
 *
 * The reference stops at the end mark, and so takes a backup with a manifest. One without shows
 * by itself neither that a pair is missing at the end of a section nor that bytes of a document
 * are others; a reader can demand the manifest. Behind it nothing may follow.
 *
 * The whole stream may be inside zstd, which its first four bytes tell.
 *
 * Reading needs memory for two keys and one value, at most 128 MiB, and for a value only as much
 * as has come in of it. Errors say at which byte of the stream, before it was compressed, they
 * are. Neither reader nor writer is for several threads at once.
 */
#ifndef STI_DOCS_CDBK_H
#define STI_DOCS_CDBK_H

#include <stele/bytes.h>
#include <stele/env.h>

enum {
    STI_DOCS_CDBK_PREFIX_SIZE = 3,
    STI_DOCS_CDBK_KEY_MAX = 65535, /* with the name of the section */
    STI_DOCS_CDBK_VALUE_MAX = 128 << 20,
    STI_DOCS_CDBK_MANIFEST_SIZE = 56
};

/* In the order of the stream. */
enum sti_docs_cdbk_section {
    STI_DOCS_CDBK_TYPE,       /* "typ", name -> definition as JSON */
    STI_DOCS_CDBK_CHECKPOINT, /* "chk", epoch in 8 bytes -> checkpoint */
    STI_DOCS_CDBK_LOG,        /* "log", key in the log -> entry */
    STI_DOCS_CDBK_INFO,       /* "nfo", ID of a live document -> version */
    STI_DOCS_CDBK_DATA        /* "dat", ID -> JSON */
};

struct sti_docs_cdbk_pair {
    enum sti_docs_cdbk_section section;
    stele_bytes key; /* without the name of the section */
    stele_bytes value;
    uint64_t position;   /* of the pair in the stream */
    const uint8_t *hash; /* of an entry that was checked (backup.h) */
};

/* What is known of a stream once its end was read or written. */
struct sti_docs_cdbk_summary {
    uint64_t pairs;
    uint64_t size; /* of the stream before it was compressed, with the manifest */
    bool has_manifest;
    bool is_compressed;
};

/* The name of a section, three letters. */
const char *sti_docs_cdbk_section_name(enum sti_docs_cdbk_section section);

struct sti_docs_cdbk_reader;

/* Read the head. STELE_ECORRUPT if it is no backup, STELE_EVERSION for flags that are not known;
 * what `read` fails with. */
stele_code sti_docs_cdbk_reader_new(struct sti_docs_cdbk_reader **out, stele_read_fn read,
        void *arg, bool manifest_demanded, stele_error *err);

/* The next pair, valid until the next call; STELE_END behind the last, when the manifest, if
 * there is one, holds and nothing follows. A failure stays. What the keys and values are is not
 * looked at (docs/cdbk_check.h). */
stele_code sti_docs_cdbk_reader_next(
        struct sti_docs_cdbk_reader *reader, struct sti_docs_cdbk_pair *out, stele_error *err);

/* After STELE_END. */
struct sti_docs_cdbk_summary sti_docs_cdbk_reader_summary(
        const struct sti_docs_cdbk_reader *reader);
void sti_docs_cdbk_reader_free(struct sti_docs_cdbk_reader *reader);

struct sti_docs_cdbk_writer;

struct sti_docs_cdbk_write_options {
    int zstd_level; /* 0: not compressed */
    bool manifest;
};

/* Nothing is written yet. STELE_EINVAL for a level that zstd does not have. */
stele_code sti_docs_cdbk_writer_new(struct sti_docs_cdbk_writer **out, stele_write_fn write,
        void *arg, const struct sti_docs_cdbk_write_options *opts, stele_error *err);

/* Sections in their order, keys ascending: STELE_EINVAL if not, STELE_ETOOBIG for what could not
 * be read; nothing is written of such a pair. What `write` fails with stays. The position of the
 * pair does not matter. */
stele_code sti_docs_cdbk_writer_add(struct sti_docs_cdbk_writer *writer,
        const struct sti_docs_cdbk_pair *pair, stele_error *err);

/* The end mark, the manifest, and all that was kept back. A stream without it cannot be read. */
stele_code sti_docs_cdbk_writer_end(
        struct sti_docs_cdbk_writer *writer, struct sti_docs_cdbk_summary *out, stele_error *err);
void sti_docs_cdbk_writer_free(struct sti_docs_cdbk_writer *writer);

#endif /* STI_DOCS_CDBK_H */
