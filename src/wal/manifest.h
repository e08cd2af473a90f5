/* SPDX-License-Identifier: MIT
 *
 * manifest.h: the file that says which segments there have to be.
 *
 * It is the commit point of everything that concerns more than one file: a new segment, a
 * truncation, a trim, a migration. It holds two slots of equal size. An update overwrites the older
 * one and syncs, then the other one with the same bytes: so it needs no space on a full disk, a
 * torn update leaves one slot, and damage to one later on does not bring an earlier state back. Of
 * two valid slots the one with the higher generation counts. When the slots are too small, larger
 * ones are made in a new file, which replaces the old one.
 *
 *     slot      at 0, and at half of the file's size
 *        0   4  magic, "STWM"
 *        4   1  format version, 1
 *        5   1  format of the segments: 1 stele, 2 blb
 *        6   1  bit 0: files of the other format are left over from a migration
 *               bit 1: closed cleanly, nothing is in doubt; other bits 0
 *        7   1  reserved, 0
 *        8   8  generation, from 1 on
 *       16   8  next number: no segment with this number or a larger one was ever begun
 *       24   4  n, number of entries
 *       28  40n entries, oldest segment first
 *     28+40n  4 CRC-32C of all before
 *
 *     entry     40 bytes
 *        0   8  number of the segment
 *        8   8  first id (sealed; 0: not known)
 *       16   8  sealed: last id. Open, format stele: bytes that the file has at least, or 0
 *       24   8  sealed: bytes before the seal, or at which the segment was cut; else how many
 *               bytes were durable at least when this was written, or 0
 *       32   1  0 open, 1 sealed, 2 open and used before (format stele)
 *       33   7  reserved, 0
 *
 * Numbers ascend, and ids follow each other.
 *
 * Format stele: all segments are listed, sealed ones first, then at most two open ones: the one
 * that takes records, and the one prepared to follow it. A segment that is listed and is not there
 * was lost. One that is not listed and has a lower number than "next number" is a leftover; if its
 * number is not lower, and it has a valid header, the manifest is an old one: corrupt.
 *
 * Format blb: one entry, the last file: open, with the bytes that were durable. The reference may
 * have gone on behind it: more bytes, or later files. Less than that was lost.
 *
 * The text is normative; golden files under tests/golden/wal hold manifests that every later
 * version must read.
 */
#ifndef STI_WAL_MANIFEST_H
#define STI_WAL_MANIFEST_H

#include <stele/wal.h>

#include "vfs/vfs.h"

enum {
    STI_WAL_MANIFEST_HEAD = 28,
    STI_WAL_MANIFEST_ENTRY = 40,
    STI_WAL_MANIFEST_SLOT = 4096 /* smallest slot */
};

enum sti_wal_entry_state {
    STI_WAL_ENTRY_OPEN = 0,
    STI_WAL_ENTRY_SEALED = 1,
    STI_WAL_ENTRY_REUSED = 2
};

struct sti_wal_entry {
    uint64_t number;
    uint64_t first_id;
    uint64_t last_id; /* sealed */
    uint64_t size;    /* open */
    uint64_t end;
    enum sti_wal_entry_state state;
};

/* What a manifest says. Zero-initialised is empty, and owns nothing. */
struct sti_wal_manifest {
    stele_wal_format format;
    bool leftovers; /* of the other format */
    bool clean;     /* closed cleanly; sti_wal_manifest_write() takes it as it is */
    uint64_t generation;
    uint64_t next_number;
    struct sti_wal_entry *entries;
    size_t count;
    size_t capacity;
};

void sti_wal_manifest_free(struct sti_wal_manifest *m);
stele_code sti_wal_manifest_add(
        struct sti_wal_manifest *m, const struct sti_wal_entry *entry, stele_error *err);

/* Pure: a slot's bytes. encode needs room for sti_wal_manifest_size(). */
size_t sti_wal_manifest_size(size_t entries);
void sti_wal_manifest_encode(uint8_t *out, const struct sti_wal_manifest *m);
/* STELE_ECORRUPT, STELE_EVERSION, STELE_ENOMEM; on failure *m is empty. */
stele_code sti_wal_manifest_decode(stele_bytes slot, struct sti_wal_manifest *m, stele_error *err);

/* What the two slots of a file are to each other. */
enum sti_wal_slots {
    STI_WAL_SLOTS_ALIKE,
    STI_WAL_SLOTS_APART,  /* both valid: an update is under way, or a crash interrupted it */
    STI_WAL_SLOTS_DAMAGED /* one is not valid */
};

/* The open manifest file of a writer. Zero-initialised is closed. */
struct sti_wal_manifest_file {
    struct sti_file file;
    uint64_t slot_size;
    unsigned slot; /* where the newest surely is; the other one is written first */
};

/* Read it. STELE_ENOTFOUND: no such file · STELE_ECORRUPT: no valid slot · STELE_EVERSION. `slots`
 * may be NULL. With `out_file` (may be NULL) it stays open for sti_wal_manifest_write(). */
stele_code sti_wal_manifest_read(struct sti_dir *dir, struct sti_wal_manifest *m,
        enum sti_wal_slots *slots, struct sti_wal_manifest_file *out_file, stele_error *err);

/* Make m durable, with the next generation, which is set in m. A file that is closed is created,
 * replacing one that is there. On failure the file is as before, or (STELE_EIO) in doubt: the
 * caller fails for good; with STELE_ENOSPC nothing has changed. */
stele_code sti_wal_manifest_write(struct sti_dir *dir, struct sti_wal_manifest_file *file,
        struct sti_wal_manifest *m, stele_error *err);

void sti_wal_manifest_close(struct sti_wal_manifest_file *file);

#endif /* STI_WAL_MANIFEST_H */
