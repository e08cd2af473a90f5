/* SPDX-License-Identifier: MIT
 *
 * log.h: the state of an open log on files, and who may do what when.
 *
 * - commit is group commit. Being its leader (sti_commit_enter(), or inside write()) is the right
 * to write to the newest segment and to put another one in its place.
 * - files is the mutex of all that changes which files there are: preparing, recycling, the
 * manifest. A leader takes it, or the thread that prepares; whoever has it never becomes leader.
 * - view is the mutex of the list of segments, their indexes and the iterators; held for moments.
 *
 * Order: leadership, then files (STI_RANK_WAL_FILES), load, commit's mutex (STI_RANK_WAL_COMMIT),
 * view (STI_RANK_WAL_VIEW). No input or output under commit's mutex or the view.
 *
 * How the log changes, and why a crash does no harm (format stele):
 *
 * - Append: frames go to the published end of the newest segment, in one write and one sync. The
 *   first ones of a segment carry its header with them. An append never spans segments: one that
 *   does not fit begins a new segment, first. A mark, which a clean close leaves at the end, is
 *   overwritten: it need not be durable for what follows it.
 * - Rollover: a seal behind the last frame, synced; then the prepared segment takes its place: no
 * file is created, renamed, or written but by the next append. Afterwards (by the thread, or before
 * the rollover that needs it) another one is prepared.
 * - Prepare: a file is created with its blocks, or a trimmed one gets its header zeroed, synced,
 * and then the new name; synced, directory synced; then the manifest lists it, and only then is it
 * used.
 * - Truncate: the manifest says where the segment was cut, and lists none with records behind it:
 * that is the moment, and needs no space. Then, if nobody reads it, the file gets a seal at the
 * cut, and what lies behind goes; later files are removed or recycled. The next append begins
 * another segment.
 * - Trim: the manifest no longer lists the segments; then they are removed or recycled. An emptied
 * log may have no segment at all until the next append.
 * - Recovery: a torn tail is a truncation: what is cut goes to quarantine first. Old frames behind
 * a cut can never come back: what follows has another salt in another file. What a crash left
 * unsynced in the cache of a living system is written again and synced before anything builds on
 * it.
 *
 * Format blb: files grow, and are what the reference makes of the same calls. A cut file is
 * replaced by a shorter copy (written under a temporary name, synced, renamed), so that maps stay
 * valid; files are removed from the back, each removal synced; the manifest lowers its claim first.
 */
#ifndef STI_WAL_LOG_H
#define STI_WAL_LOG_H

#include "base/thread.h"
#include "wal/commit.h"
#include "wal/manifest.h"
#include "wal/segment.h"
#include "wal/wal.h"

struct sti_wal_prepared {        /* a segment that is listed in the manifest and not yet begun */
    struct sti_segment *segment; /* or NULL */
};

/* What is being written, for when it is done. */
struct sti_log_batch {
    uint64_t first_id;
    uint64_t next_id;
    uint64_t bytes; /* of data */
    uint64_t nanoseconds;
};

struct sti_log {
    struct stele_wal base; /* first: wal.h */
    stele_env env;
    char *path;
    stele_wal_options options; /* all set: no zeros that mean defaults */
    stele_wal_format format;
    struct sti_dir dir;
    struct sti_file lock;
    struct sti_commit *commit;

    /* Leader. */
    struct sti_segment *head; /* the last of `segments`; NULL: none, the next append begins one */
    _Atomic int failed;       /* a stele_code: why the handle refuses to write, or STELE_OK */
    char failed_text[256];    /* set before `failed` is, by whoever comes first (commit's mutex) */
    struct sti_log_batch batch;
    bool ahead; /* the thread was asked to prepare what is to follow the head */

    /* commit's mutex: what the next frame builds on. */
    uint64_t next_id; /* of the next append, pending ones counted */
    bool any_id;      /* the log is empty, and nothing is pending: any id will do */
    uint64_t tail;    /* where the next frame goes in head; pending ones counted */

    /* files */
    struct sti_mutex files;
    struct sti_wal_manifest manifest; /* as it is on disk */
    struct sti_wal_manifest_file manifest_file;
    bool manifest_differs; /* while opening: its slots do, and it is to be written again */
    struct sti_wal_prepared prepared;
    struct sti_segment *spare; /* retired, to be prepared again; its file is a leftover, or NULL */
    char note[256];            /* what is to be logged when no lock is held: sti_log_tell() */

    /* load: taken behind files, before commit's mutex (STI_RANK_WAL_LOAD) */
    struct sti_mutex load; /* opening the file of one segment; reading the log again */

    /* view */
    struct sti_mutex view;
    struct sti_segment **segments; /* oldest first, those with records or that take them; dense */
    size_t segment_count;
    size_t segment_capacity;
    struct stele_wal_iter *iters; /* all that are open, linked */
    uint64_t view_generation;     /* counts changes of the list */
    stele_wal_stats stats;        /* the part since open */

    /* The thread that prepares segments and flushes asynchronous appends. */
    struct sti_mutex work_mutex; /* STI_RANK_WAL_WORK */
    struct sti_cond work_wake;
    bool work_running;
    bool work_stop;
    bool work_prepare; /* asked for */
    _Atomic bool work_flush;
    struct sti_thread work_thread;
};

/* ---- state.c: the memory of a handle, and the list of its segments. ---- */

/* A handle without directory, lock, manifest and segments: mutexes, group commit, copies of the
 * path and of the options (whose defaults are filled in: sti_wal_options_resolve()). */
stele_code sti_log_new(
        struct sti_log **out, const char *path, const stele_wal_options *options, stele_error *err);
/* Drop the segments, close all files, the lock last, and free; accepts a half-opened handle, and
 * NULL. Nothing is written. The thread does not run. */
void sti_log_free(struct sti_log *log);

/* Put a segment behind the last; the list takes over the caller's hold, on success alone. */
stele_code sti_log_list_push_locked(struct sti_log *log, struct sti_segment *seg, stele_error *err)
        STI_REQUIRES(log->view);
/* Take the one at `i` out; the hold is the caller's then. */
struct sti_segment *sti_log_list_remove_locked(struct sti_log *log, size_t i)
        STI_REQUIRES(log->view);
/* Put one back that was taken out of there, with nothing added meanwhile. */
void sti_log_list_restore_locked(struct sti_log *log, size_t i, struct sti_segment *seg)
        STI_REQUIRES(log->view);
/* Index of the first segment whose records end behind `id`; segment_count if there is none. */
size_t sti_log_list_find_locked(struct sti_log *log, uint64_t id) STI_REQUIRES(log->view);
/* Whether no segment holds a record. */
bool sti_log_list_is_empty_locked(struct sti_log *log) STI_REQUIRES(log->view);

/* ---- append.c ---- */

/* What group commit asks of a log; the argument is the struct sti_log. */
extern const struct sti_commit_ops sti_log_commit_ops;
/* After a change of the head by its leader: what the next append builds on is what is published. A
 * log without a head goes on with next_id. Not under any lock. */
void sti_log_rebase(struct sti_log *log, uint64_t next_id);
/* Fail for good after a write or sync that left the disk in doubt: then a full disk is STELE_EIO.
 */
stele_code sti_log_fail_in_doubt(struct sti_log *log, stele_code rc, stele_error *err);
stele_code sti_log_append(stele_wal *w, const stele_wal_record *records, const stele_bytes *data,
        size_t count, uint64_t *first_id, stele_wal_ticket *ticket, stele_error *err);
/* A head without records takes any first id if the log is empty. */
void sti_log_refound_locked(struct sti_log *log, uint64_t first_id) STI_REQUIRES(log->view);

/* ---- rollover.c ---- */

/* As the leader: write a seal behind the last record of the head, and sync. With STELE_ENOSPC
 * nothing has changed. Format blb: nothing to write. */
stele_code sti_log_seal(struct sti_log *log, stele_error *err);
/* As the leader: end the head, and begin one for an append whose first record is first_id, that
 * needs `capacity` bytes (format stele). STELE_ENOSPC: the log is as before, but for a seal. */
stele_code sti_log_roll(
        struct sti_log *log, uint64_t first_id, uint64_t capacity, stele_error *err);

/* ---- truncate.c, trim.c, iter.c, read.c, stat.c, close.c: what sti_log_ops calls. ---- */

stele_code sti_log_truncate(stele_wal *w, uint64_t last_to_keep, stele_error *err);
stele_code sti_log_trim(stele_wal *w, uint64_t discard_up_to, stele_error *err);
stele_code sti_log_read(stele_wal *w, uint64_t id, stele_buf *out, stele_error *err);
stele_code sti_log_stat(stele_wal *w, stele_wal_stats *out, stele_error *err);
stele_code sti_log_close(stele_wal *w, stele_error *err);
/* False if there is no record. */
bool sti_log_bounds_locked(struct sti_log *log, uint64_t *first, uint64_t *last)
        STI_REQUIRES(log->view);
stele_code sti_log_iter_open(stele_wal_iter **out, stele_wal *w, uint64_t start, stele_error *err);
/* Before a segment is retired: its capacity is what the file has. */
void sti_log_measure(struct sti_segment *seg);
/* Records behind `cut`, up to old_next, are gone: iterators that were to give one of them end. */
void sti_log_iters_cut_locked(struct sti_log *log, uint64_t cut, uint64_t old_next)
        STI_REQUIRES(log->view);
/* The empty log begins anew with this id: iterators that were to go on elsewhere end. */
void sti_log_iters_anew_locked(struct sti_log *log, uint64_t first_id) STI_REQUIRES(log->view);
/* The segment that holds the record with this id, or, with a larger first_id, the first one behind
 * it; held for the caller. NULL: none. */
struct sti_segment *sti_log_find(struct sti_log *log, uint64_t id, uint64_t *first_id);
/* How often the list, or what a segment of it holds, was cut. */
uint64_t sti_log_generation(struct sti_log *log);
/* The record that is there, and ends before `end`, verified; its data is borrowed from the map or
 * the reader. STELE_ECORRUPT names the ids that cannot be read. */
stele_code sti_log_frame(struct sti_segment *seg, struct sti_wal_reader *r, uint64_t at,
        uint64_t end, uint64_t id, struct sti_wal_frame *out, stele_error *err);
/* Where the record with this id begins in a loaded segment that holds it.
 * STELE_ECORRUPT at damage. Not under a lock. */
stele_code sti_log_locate(struct sti_log *log, struct sti_segment *seg, struct sti_wal_reader *r,
        uint64_t id, uint64_t *position, stele_error *err);

/* ---- files.c: which files there are. ---- */

/* Write the manifest of what the handle holds: the segments of the list, and the one prepared. With
 * STELE_ENOSPC or STELE_ENOMEM nothing has changed; after other failures the handle must fail. */
stele_code sti_log_save_locked(struct sti_log *log, bool clean, stele_error *err)
        STI_REQUIRES(log->files);

/* Have a segment prepared that takes `capacity` bytes, and listed in the manifest. Nothing to do if
 * there is one. Failures as above. Format blb: nothing to do ever. */
stele_code sti_log_prepare_locked(struct sti_log *log, uint64_t capacity, stele_error *err)
        STI_REQUIRES(log->files);

/* As the leader: put a new, empty segment behind the list, whose first record will be first_id,
 * preparing it if need be. A last segment that has no record is not kept before it: the new one
 * takes its place in the list, and, when the manifest does not list it any more, it is retired.
 * Format stele: its header is written with the first append. Format blb: the file is made, its name
 * is durable, and the manifest claims it. Not under any lock. */
stele_code sti_log_begin(
        struct sti_log *log, uint64_t first_id, uint64_t capacity, stele_error *err);

/* Remove, or recycle, the file of a segment that the manifest does not list any more, and drop the
 * caller's hold. A failure is logged alone: the next writer that opens removes what is left over.
 */
void sti_log_retire_locked(struct sti_log *log, struct sti_segment *seg) STI_REQUIRES(log->files);

/* Remove the file that is kept to be used again; before a clean close. */
void sti_log_drop_spare_locked(struct sti_log *log) STI_REQUIRES(log->files);

/* As the leader, after a write that failed for want of space: have nothing behind the published end
 * of the head, durably. Failing that, the handle must fail. Not under any lock. */
stele_code sti_log_put_back(struct sti_log *log, stele_error *err);

/* Log what was noted under a lock. Not under any lock; after the files mutex was held. */
void sti_log_tell(struct sti_log *log);

/* Make the handle refuse to write from now on; returns `code`. Any thread, not under commit's
 * mutex. */
stele_code sti_log_fail(struct sti_log *log, stele_code code, const stele_error *why);
/* STELE_EFAILED with the reason, if so. */
stele_code sti_log_check_usable(struct sti_log *log, stele_error *err);

/* ---- open.c, close.c ---- */

extern const struct sti_wal_ops sti_log_ops;

/* Open a segment's file for reading, verify its header, and have its index (from the seal, or by a
 * scan): once; cheap when `loaded`. STELE_ECORRUPT names the place and the ids that cannot be read;
 * with damage inside, it succeeds, and seg->damaged says what precedes it. Not under a lock. */
stele_code sti_log_load(struct sti_log *log, struct sti_segment *seg, stele_error *err);

/* Read-only handle: look again at what a writer did: move on the end of the newest segment, or
 * replace the list. *changed (may be NULL): there may be more to read, or less. STELE_ECORRUPT:
 * what can be read ends before what the log holds. Not under a lock. */
stele_code sti_log_refresh(struct sti_log *log, bool *changed, stele_error *err);

/* ---- work.c ---- */

stele_code sti_log_work_start(struct sti_log *log, stele_error *err);
void sti_log_work_stop(struct sti_log *log);
void sti_log_work_prepare(struct sti_log *log); /* ask for it; under any lock */
void sti_log_work_flush(struct sti_log *log);

#endif /* STI_WAL_LOG_H */
