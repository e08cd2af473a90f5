/* SPDX-License-Identifier: MIT
 *
 * open.h: what the parts of opening a log share.
 */
#ifndef STI_WAL_OPEN_H
#define STI_WAL_OPEN_H

#include "wal/listing.h"
#include "wal/log.h"

/* What was found in a directory, before any of it is believed. */
struct sti_wal_found {
    struct sti_dir dir;
    struct sti_file lock;
    struct sti_wal_manifest manifest;
    struct sti_wal_manifest_file manifest_file; /* open, for a writer */
    struct sti_wal_listing listing;
    bool has_manifest;
    enum sti_wal_slots slots; /* of the manifest */
    bool is_new;              /* there is no log */
    stele_wal_format format;
};

/* Open the directory, take the writer's lock unless read_only, read manifest and listing, and tell
 * the format. With *is_new the caller decides. STELE_ECORRUPT: no manifest beside segments of the
 * format `stele`, or a damaged one; the rest is set all the same. *found is to be freed in any
 * case. */
stele_code sti_wal_find(struct sti_wal_found *found, const char *path,
        const stele_wal_options *options, stele_error *err);
/* Read manifest and listing of an open directory again. */
stele_code sti_wal_find_again(struct sti_wal_found *found, bool writable, stele_error *err);
void sti_wal_found_free(struct sti_wal_found *found);

/* stele_wal_open() on files, with options that were copied and checked. */
stele_code sti_log_open(
        struct sti_log **out, const char *dir, const stele_wal_options *options, stele_error *err);

/* Make the segments of a writer's handle from what was found, mending what a crash left. */
stele_code sti_log_open_stele(
        struct sti_log *log, const struct sti_wal_listing *listing, stele_error *err);
stele_code sti_log_open_blb(struct sti_log *log, const struct sti_wal_listing *listing,
        bool has_manifest, stele_error *err);

/* What is told of a crash: a warning, and where the cut bytes went. */
void sti_log_tell_cut(
        struct sti_log *log, const char *name, uint64_t at, uint64_t end, const char *quarantine);

/* Remove what a crash left over: temporary names, and segments of a format that the manifest does
 * not list. Durable when it returns. */
stele_code sti_log_remove_leftovers(
        struct sti_log *log, const struct sti_wal_listing *listing, stele_error *err);
/* Whether that would do anything. */
bool sti_log_has_leftovers(const struct sti_log *log, const struct sti_wal_listing *listing);

/* ---- Segments as they are found. ---- */

/* *begun: the manifest does not list it, though it was begun after the manifest was written. */
stele_code sti_wal_is_unlisted(struct sti_dir *dir, const struct sti_wal_manifest *m,
        const struct sti_wal_listed *item, bool *begun, stele_error *err);

/* Verify a sealed segment of format stele whole: file, header, every record, and the seal, if there
 * is one. Damage to a record is noted in it; *err is about the rest. */
stele_code sti_segment_verify(struct sti_segment *seg, struct sti_dir *dir, stele_error *err);
stele_code sti_log_load_locked(struct sti_log *log, struct sti_segment *seg, stele_error *err);
void sti_segment_set_damaged(
        struct sti_segment *seg, uint64_t position, uint64_t id, const char *text);
/* STELE_ECORRUPT: records first to last are gone; last below first: it is not known which. */
stele_code sti_segment_fail_lost(const struct sti_segment *seg, uint64_t first, uint64_t last,
        int64_t position, stele_error *err, const char *text);

/* One that is listed as open, looked at. */
struct sti_wal_examined {
    const struct sti_wal_entry *entry;
    struct sti_segment *seg; /* owned; its file is open unless missing */
    struct sti_scan scan;
    bool missing;
    bool shortened; /* the file is shorter than the manifest says */
    bool begun;     /* something was written, or is damaged */
};

stele_code sti_wal_examine(struct sti_wal_examined *x, struct sti_dir *dir,
        const struct sti_wal_entry *entry, bool writable, stele_error *err);
void sti_wal_examined_free(struct sti_wal_examined *x);

/* What two examined open segments say of each other and of the sealed ones before them. */
enum sti_wal_verdict {
    STI_WAL_GOOD,
    STI_WAL_BAD_FIRST, /* text, position and ids are about the first of them */
    STI_WAL_BAD_SECOND
};

struct sti_wal_judgement {
    enum sti_wal_verdict verdict;
    const char *text;
    int64_t position;
    uint64_t first_lost; /* ids; last_lost below it: not known how many */
    uint64_t last_lost;
};

/* next_id: behind the sealed ones; any: there are none. Pure. */
void sti_wal_judge(const struct sti_wal_examined *first, const struct sti_wal_examined *second,
        uint64_t next_id, bool any, struct sti_wal_judgement *out);

/* ---- Format blb. ---- */

/* The files, oldest first, all scanned. */
struct sti_blb_file {
    struct sti_segment *seg; /* owned; its file is open for the last one alone */
    struct sti_scan scan;
};

struct sti_blb_files {
    struct sti_blb_file *files;
    size_t count;

    /* What is wrong, from the oldest file on; NULL if nothing is. Files up to bad_at can be read.
     */
    const char *text;
    size_t bad_at;    /* index of the file; count: it is not there */
    int64_t position; /* in it */
    uint64_t first_lost;
    uint64_t last_lost; /* below first_lost: it is not known how many */
};

/* Scan all files of a listing, set their segments' fields, and judge. `manifest`: NULL if there is
 * none. Damage inside a file that is not the last is noted in its segment alone. */
stele_code sti_blb_scan(struct sti_blb_files *out, struct sti_dir *dir,
        const struct sti_wal_listing *listing, const struct sti_wal_manifest *manifest,
        bool writable, stele_error *err);
void sti_blb_files_free(struct sti_blb_files *files);

#endif /* STI_WAL_OPEN_H */
