/* SPDX-License-Identifier: MIT
 *
 * file.h: one log or snapshot, open for reading.
 *
 * Both are segments of the write-ahead log in format `stele` (wal/format.h) under other names: a
 * header, and frames whose data are operations (op.h).
 *
 *     log       number: its N; first id: the number of its first operation, counted from 1
 *               through all logs; salt: random. Grows by group commit; its blocks are there ahead.
 *               Ends with a seal when another log follows or the recording was stopped.
 *     snapshot  number: its N; first id: of the first operation that it does not stand for;
 *               salt: STI_JOURNAL_SNAP_SALT, so that the same state gives the same bytes.
 *               Frames with the ids 1 to n are its operations, n + 1 is the end (op.h),
 *               with which the file ends.
 *
 * Logs are at most STI_JOURNAL_LOG_MAX bytes; snapshots have no limit.
 */
#ifndef STI_JOURNAL_FILE_H
#define STI_JOURNAL_FILE_H

#include "journal/names.h"
#include "journal/op.h"
#include "vfs/vfs.h"
#include "wal/wal.h"

#define STI_JOURNAL_SNAP_SALT ((uint32_t)0x50414e53) /* "SNAP" */
#define STI_JOURNAL_LOG_MAX   ((uint64_t)1 << 30)

struct sti_journal_file {
    enum sti_journal_name_kind kind; /* log or snap */
    uint64_t number;
    struct sti_segment *seg; /* owned: open, mapped if it can be; its name is the file's */
    uint64_t size;           /* of the file, when it was opened */
    /* Log: of its first operation, 0 if the header is not there (nothing was recorded). Snapshot:
     * what it stands for ends before this one. */
    uint64_t first_op;
};

/* Open, and verify the header alone. A log whose header is missing (zeros, or torn, or the file is
 * shorter) has first_op 0. STELE_ENOTFOUND, STELE_ECORRUPT (a snapshot without its header, or
 * either with another number than its name), STELE_EVERSION. */
stele_code sti_journal_file_open(struct sti_journal_file *f, struct sti_dir *dir,
        enum sti_journal_name_kind kind, uint64_t number, bool no_map, stele_error *err);
void sti_journal_file_close(struct sti_journal_file *f); /* accepts a closed one */

/* Map a file that was opened with no_map, if it can be. `close`: give back its descriptor then,
 * since there are many files. Not for a log that another process may make shorter: the newest one.
 */
void sti_journal_file_map(struct sti_journal_file *f, bool close);

/* ---- Reading in order. ---- */

struct sti_journal_cursor {
    struct sti_journal_file *file;
    struct sti_wal_reader reader;
    struct sti_journal_settings settings;
    uint64_t at;  /* of the next frame */
    uint64_t id;  /* of the next frame */
    uint64_t end; /* do not read from here on */
    uint64_t awake;
    /* The file was verified: checksums need not be calculated again. Where it is read with pread
     * they are all the same. */
    bool trusted;
    bool sealed; /* STELE_END was a seal */
};

void sti_journal_cursor_init(struct sti_journal_cursor *c, struct sti_journal_file *f);
void sti_journal_cursor_free(struct sti_journal_cursor *c);

/* The next operation; borrowed until the next call. STELE_END: no valid frame follows, or a seal,
 * or the end of a snapshot, with c->at standing there. STELE_ECORRUPT, STELE_EVERSION: valid frame,
 * but no operation. */
stele_code sti_journal_cursor_next(
        struct sti_journal_cursor *c, stele_journal_op *op, stele_bytes *encoded, stele_error *err);

/* STELE_ECORRUPT: a cursor over a log gave STELE_END, but the next log begins with `next_op`. */
stele_code sti_journal_cursor_missing(
        const struct sti_journal_cursor *c, uint64_t next_op, stele_error *err);

/* Where a cursor over a snapshot gave STELE_END: that it is its end. STELE_ECORRUPT. */
stele_code sti_journal_cursor_end(
        struct sti_journal_cursor *c, struct sti_journal_end *end, stele_error *err);

/* Verify a snapshot from its first byte to its last. STELE_ECORRUPT with the position. */
stele_code sti_journal_snap_verify(
        struct sti_journal_file *f, struct sti_journal_end *end, stele_error *err);
/* Read the end alone (the last frame of the file). */
stele_code sti_journal_snap_end(
        struct sti_journal_file *f, struct sti_journal_end *end, stele_error *err);

#endif /* STI_JOURNAL_FILE_H */
