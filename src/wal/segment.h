/* SPDX-License-Identifier: MIT
 *
 * segment.h: one file of a log, as a handle knows it.
 *
 * A segment is shared by the log's list and by whoever reads it, and counted. Its file is replaced,
 * renamed or removed only as the map and the descriptor of readers allow: a map outlives all three,
 * and a file is used again only when nobody else holds the segment. Files are never made
 * shorter than their published end.
 *
 * `end` is published: readers take what lies before it as written, durable and unchanging. The
 * one that appends moves it on with a release store after the sync; readers load it with acquire.
 * Everything else that changes is changed under the log's view mutex.
 */
#ifndef STI_WAL_SEGMENT_H
#define STI_WAL_SEGMENT_H

#include "base/thread.h"
#include "vfs/vfs.h"
#include "wal/format.h"
#include "wal/names.h"

#include <stdatomic.h>

struct sti_segment {
    _Atomic uint32_t refs;
    stele_wal_format format;
    uint64_t number;
    char name[STI_WAL_NAME_SIZE];

    uint64_t first_id; /* of the first record there is, or will be; set before it is listed */
    uint32_t salt;     /* format stele; 0 until the header is known */
    bool reused;       /* the file was used before: what is behind the end is old */

    _Atomic uint64_t end;     /* readable bytes, header included; 0: no header yet */
    _Atomic uint64_t next_id; /* behind the last readable record; first_id when empty */
    _Atomic bool sealed;      /* takes no more records */
    /* Format blb: another object stands for the file since a truncation. What is cut off later is
     * not seen here. */
    _Atomic bool replaced;
    uint64_t capacity; /* bytes that the file has, or may grow to without asking */
    bool allocated;    /* its blocks are: the file never becomes shorter than that */
    /* A mark stands there, at the end: closed cleanly. The next frame takes its place. 0: none */
    uint64_t marked_at;

    /* Where every STI_WAL_STRIDE-th record begins. Format stele, sealed: in the seal. */
    uint32_t *positions; /* owned */
    size_t position_count;
    size_t position_capacity;

    /* Opened at first use, see sti_log_load(): what follows is set before `loaded` is. The
     * descriptor of the newest segment is the one that appends write to. */
    _Atomic bool loaded;
    bool indexed;         /* `positions` reach to the end, or to the damage */
    bool damaged;         /* reads at or behind damage_at give STELE_ECORRUPT */
    uint64_t damage_at;   /* a position */
    uint64_t damage_id;   /* the first record that cannot be read */
    char damage_text[96]; /* what is wrong there */
    struct sti_file file;
    void *map; /* NULL: read with pread */
    size_t map_len;
    stele_file *map_of;     /* the file that it is of, which may be closed */
    _Atomic uint64_t awake; /* bytes of the map that somebody has woken up, from its start */
};

stele_code sti_wal_segment_new(
        struct sti_segment **out, stele_wal_format format, uint64_t number, stele_error *err);
void sti_segment_hold(struct sti_segment *seg);
/* Unmaps, closes and frees with the last one; accepts NULL. */
void sti_segment_drop(struct sti_segment *seg);
/* Whether the caller's hold is the only one. */
bool sti_segment_is_alone(const struct sti_segment *seg);

/* Open the file, if it is not, and map `len` bytes of it unless no_map (a map that fails is
 * no failure: reads use pread then). For writing: the descriptor can write. */
stele_code sti_segment_open_file(struct sti_segment *seg, struct sti_dir *dir, bool writable,
        bool no_map, size_t map_len, stele_error *err);

/* Remember a record at `position`; call for each in turn. Only every STRIDE-th is kept. */
stele_code sti_segment_index_add(
        struct sti_segment *seg, uint64_t id, uint64_t position, stele_error *err);
/* Forget what is behind next_id. */
void sti_segment_index_cut(struct sti_segment *seg, uint64_t next_id);

/* The error of reading at or behind the damage of a loaded segment. */
stele_code sti_segment_fail_damaged(const struct sti_segment *seg, stele_error *err);

/* ---- Writing. ---- */

/* For a segment that is about to begin. No byte of it is 0, so that zeros are quick to look through
 * for it. `old`: what it must not be, or 0. */
uint32_t sti_segment_new_salt(const stele_env *env, uint32_t old);

/* The bytes of the seal of a segment whose index is complete, of which so many bytes are durable;
 * to be freed. */
stele_code sti_segment_encode_seal(const struct sti_segment *seg, uint64_t durable, uint8_t **out,
        size_t *len, stele_error *err);

/* Write [from, to) of a file once more, and sync: what it shows may be in the cache alone. */
stele_code sti_wal_renew(struct sti_file *f, uint64_t from, uint64_t to, stele_error *err);

/* ---- Reading frames, through the map or with pread. ---- */

/* A place in a segment, with a buffer of its own for pread. Zero-initialised; free at the end. */
struct sti_wal_reader {
    uint8_t *buffer;
    size_t capacity;
    size_t len;                   /* valid bytes */
    uint64_t at;                  /* their place in the file */
    const struct sti_segment *of; /* the segment that they are of */
};

/* At least `need` bytes at `at`, or as many as there are before `limit`: *out and *len say which.
 * Reads ahead. What lies behind a published end may change, and
 * another segment may get the memory of one that was let go: sti_wal_reader_forget(). */
stele_code sti_wal_reader_get(struct sti_wal_reader *r, struct sti_segment *seg, uint64_t at,
        size_t need, uint64_t limit, const uint8_t **out, size_t *len, stele_error *err);
void sti_wal_reader_forget(struct sti_wal_reader *r); /* keeps the memory */
void sti_wal_reader_free(struct sti_wal_reader *r);

/* The frame at `at`, which ends at or before `limit`. *valid is false, and *need_more untouched, if
 * there is no valid one; STELE_OK in either case. The data is borrowed from the map or the reader.
 */
stele_code sti_segment_frame(struct sti_segment *seg, struct sti_wal_reader *r, uint64_t at,
        uint64_t limit, uint64_t expected_id, uint32_t record_max, struct sti_wal_frame *out,
        bool *valid, stele_error *err);

/* Wake up what is about to be read of a map, in steps large enough to cost little; once for a map.
 * Returns up to where: call it again there. Nothing without a map. */
uint64_t sti_segment_prefault(struct sti_segment *seg, uint64_t at, uint64_t end);
/* Have the processor fetch the frame behind the one at `at`, as far as it is as long, while that
 * one is verified: by itself it stops at the end of each page, and a checksum takes less time than
 * memory. */
void sti_segment_prefetch(const struct sti_segment *seg, uint64_t at, uint64_t end);

/* ---- Scanning a segment whole. ---- */

/* What a scan found, from the start to the first place that holds no valid frame. */
struct sti_scan {
    bool header; /* format stele: a valid one; else `end` is 0, and there are no records */
    struct sti_wal_header head;
    uint64_t end;      /* behind the last valid record */
    uint64_t first_id; /* of the first record; format blb: what it has to be, without any */
    uint64_t next_id;
    uint64_t records;
    uint64_t durable; /* the most that a frame, or known_durable, says was durable */
    bool marked;      /* a mark stands at `end`: closed cleanly there */
    bool sealed;      /* a seal stands at `end` */
    uint64_t file_size;

    /* Of what is behind `end`, and a mark there (not if sealed). */
    bool torn;         /* something was begun there: neither zeros nor what was there before */
    uint64_t torn_at;  /* `end`, or behind the mark */
    uint64_t torn_end; /* behind the last byte of it */
    /* A valid frame behind says that `end` was durable, or known_durable does: what was
     * acknowledged is gone. Format stele without a valid header: that the header was. */
    bool damaged;
    bool resumes;         /* a valid frame follows, as far as can be told; */
    uint64_t resume_at;   /* there */
    uint64_t resume_id;   /* with that id */
    uint64_t resume_next; /* behind the highest id that such frames tell of */
};

/* Scan, and fill the segment's index (not its published fields). The file is open. `any_first`, or
 * `first_id`: format blb, what the first record has to be. `known_durable`: bytes that the manifest
 * says were durable. */
stele_code sti_segment_scan(struct sti_segment *seg, bool any_first, uint64_t first_id,
        uint64_t known_durable, struct sti_scan *out, stele_error *err);

/* Judge only what lies behind `end`, up to which the caller has read all frames; next_id would come
 * next, and no seal is there. Of *out everything but the header, records and what was durable is
 * set. */
stele_code sti_segment_scan_behind(struct sti_segment *seg, uint64_t end, uint64_t next_id,
        struct sti_scan *out, stele_error *err);

/* Fill the index from the start up to `limit`, as far as there are valid records. *end and *next_id
 * say where they stop. The published fields stay. */
stele_code sti_segment_index(struct sti_segment *seg, struct sti_wal_reader *r, uint64_t limit,
        uint64_t *end, uint64_t *next_id, stele_error *err);

/* Go on from where `end` and `next_id` stand, up to `limit`, as long as there are valid records;
 * then, under `view`, add to the index, and publish the new end. *sealed: a seal follows. For a
 * segment that another process appends to. */
stele_code sti_segment_advance(struct sti_segment *seg, struct sti_wal_reader *r, uint64_t limit,
        struct sti_mutex *view, bool *sealed, stele_error *err) STI_EXCLUDES(*view);

#endif /* STI_WAL_SEGMENT_H */
