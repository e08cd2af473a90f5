/* SPDX-License-Identifier: MIT
 *
 * state.h: the state of an open store, how its parts work together, and why a crash does no harm.
 *
 * A store is a directory:
 *
 *     .lock       flock of the process that writes, with its process number
 *     current     which generation is in use (generation.h)
 *     gen-N/      a generation: data.mdb and lock.mdb, both LMDB's
 *     wal/        the log of durable batches: a stele_wal, records as in record.h
 *     *.tmp       what a crash may leave; removed by the next open that writes
 *
 * A state of the data has a sequence number, seq: each batch that writes and ends gets the next
 * one. What is committed is the state at one seq, and the commit record (buckets.h) has that seq.
 * Above it, in memory, lie two tables (table.h) at most: the active one takes writes, a frozen one
 * waits to be committed. Each entry of a table has its batch's seq. A read at seq q merges the
 * newest versions with seq <= q of the tables and LMDB's entries.
 *
 * A write. stele_store_batch_begin() takes the right to write: a flag under `write` (a batch may
 * move between threads, so that it is no mutex which is held meanwhile). Puts and deletes go into
 * the active table with seq = visible + 1, which no reader sees yet; the batch's view reads at that
 * seq. End stores `visible` = seq with release order, gives the right back, and wakes the committer
 * if a limit is reached. Abort takes the versions with that seq back out of the table, and the
 * seq is used again. Bucket numbers are given when a bucket is made, and never again; the names
 * are entries of the table, under bucket 0, with the number (4, little endian) as their value.
 *
 * A durable end. Still with the right to write, and before `visible` moves, all that was written
 * and not logged yet is encoded as one record of the wal (record.h): a mark in each table says how
 * far it is logged. What survives must be a prefix of the batches, so it has the writes of batches
 * that did not ask for durability, too, each with its seq. The record goes to
 * stele_wal_append_async() with the id that follows; the batch becomes visible, and the right to
 * write is given back. Only then the caller waits for its ticket, beside others: that is the shared
 * sync. Where more than STI_RECORD_MAX bytes would have to be logged, a commit takes their place.
 *   An append that finds no room fails, and all that were pending with it; their ids are free
 * again. So the next durable end sees another next id than it expects, before it appends or by
 * STELE_ECONFLICT, and logs both tables again from their first write: no record ever stands behind
 * a hole, and what is there twice is passed over by a replay. Any other failure poisons the store.
 *
 * A commit is done by whoever sets `committing`: the committer thread, when a limit or the interval
 * is reached, or a caller who asks for it. One thread does all of it, since LMDB's write lock
 * belongs to a thread. It:
 *   1. takes the right to write, calls before_commit with a batch, ends that, freezes the active
 *      table (seq S), publishes a view with an empty active table, and gives the right back: no
 *      input or output in between. A batch that commits and goes on lends its right meanwhile;
 *   2. applies the frozen table, all of it sorted, in one LMDB transaction (apply.h), with seq, the
 *      last wal id W of which it is known that it is durable and that its writes have seq <= S,
 *      counts and hashes in the commit record; that commit is LMDB's two syncs;
 *   3. publishes a view without that table and with the new LMDB transaction's number, retires the
 *      old view, and trims the wal to W. A crash between 2 and 3 leaves records that are in LMDB
 *      already: replay passes over writes whose seq is not above that of the commit record.
 * Meanwhile writers go on in the active table. As it fills before the frozen one is committed,
 * batch_begin waits: shortly at first, and from STALL_BYTES on until the commit has ended.
 *
 * A full disk. A commit that found no room has changed nothing (LMDB aborts; its pages are free as
 * before): the table stays frozen, `no_room` is set, and it is tried again each interval and
 * whenever it is asked for; batch_begin gives STELE_ENOSPC once more than 4 times batch_limit wait
 * in the active table. MDB_MAP_FULL is another thing (STELE_ETOOBIG of the layer below): the map is
 * grown by sti_lmdb_resize() once all reads of this process have ended; beginning a read waits
 * meanwhile, for two seconds at most. If they do not end, or there is no room in the address space,
 * it is as with a full disk. It can only happen where less than 1 TiB could be reserved. Any other
 * failed commit
 * poisons: `failed` is set, views stay as they are, waiting writes can be read on until close, and
 * every call that would write says how many are lost.
 *
 * A read begins (at most 100 ns, waits for nobody): it takes a free slot (one compare-and-swap,
 * starting where the thread's stack says), then
 *     v = view; slot.view = v; again unless view == v; q = visible; renew the slot's LMDB
 *     transaction; again unless view == v
 * The slot's pointer keeps the view and all that it names from being freed, from the first
 * comparison on. Why this is consistent: the view was current after the renewal, so every commit
 * that the LMDB snapshot can hold is one of a table that was frozen in v or before, all of whose
 * seqs are <= q, since q was loaded after v. If the snapshot is newer than v.txn_id, a frozen table
 * of v is in it already, and lies above it as well with equal contents; so begin need not wait for
 * the committer to publish. A snapshot older than v.txn_id cannot be; it is asserted. Slots are
 * never freed before close. Each has a cursor of its own over the tree, renewed at the first use:
 * threads share neither transactions nor cursors.
 *
 * Ending a read stores NULL to slot.view with release order, after resetting the LMDB transaction,
 * and frees the slot. A retired view is freed once no slot points at it, by the next commit or the
 * committer; tables are counted by the views that name them.
 *
 * Generations. A view names the data (a generation that is open) which its tables lie above, and a
 * slot's transaction belongs to one: where the two differ, beginning a read moves the slot. Data
 * that is no longer current is closed, and its files are removed, when no view and no slot uses it
 * any more.
 *
 * Defragmentation, one at a time, in the caller's thread, stops nobody:
 *   1. with the right to commit, for a moment, it begins a read of what is committed. From then on
 *      every table that is committed is kept for it, with its mark (STELE_EBUSY if they take too
 *      much memory);
 *   2. it copies what the read sees, in order, into gen-(N+1).tmp, and ends the read. The map that
 *      has to grow meanwhile waits for no read as long as this one: it gives up (STELE_EBUSY);
 *   3. it applies the kept tables, the oldest first; others come meanwhile, fewer each time;
 *   4. with little left it takes the right to commit again, and keeps it: applies the rest,
 * compares counts and hashes of both generations, syncs, renames gen-(N+1).tmp to gen-(N+1),
 * replaces `current` (that is the moment), and publishes a view of the new data, with the same
 * tables. Writers and readers go on all the time: only commits wait. A crash before `current` was
 * replaced leaves gen-(N+1) or .tmp, which the next open removes; after it gen-N. Both have every
 * commit up to then with the same seq and wal id, so that the wal fits either. If replacing
 * `current` fails with the new one in its place, a power cut would leave either: the store is
 * poisoned, and both stay.
 *
 * Open: lock; leftovers removed; `current` read. None: a new generation is made, `current` and
 * then wal/ written last, so that a crash leaves a directory without them, which is made anew. (A
 * directory with wal/ but without `current` is not new: STELE_ECORRUPT.) The commit record must
 * have the store's id and generation as in `current`, and the number of the LMDB transaction that
 * holds it: otherwise a file was exchanged or LMDB's newest page is damaged. Then the wal's records
 * above the commit record's wal id are put into the active table, each write with the seq it had; a
 * first id, or a seq, that does not follow is STELE_ECORRUPT. All of it is logged already.
 *
 * Read only: no lock, no wal, no tables, one view per generation; `visible` does not count. A read
 * that begins looks whether `current` is still the same file (follow.c), and otherwise opens the
 * generation that it names now; a generation whose files the writer removed stays open as long as a
 * read needs it. The process registers itself by a lock on `.reader-PID`, which also the writer
 * takes for its own process, since LMDB must not open a file twice in one process.
 *
 * Locks, in the order in which they are taken (the ranks are in base/thread.h):
 *
 *     follow      of read_only: going to another generation. Held while that is opened
 *     write       who has the right to write, who commits, and how that ended. Held for moments
 *     reads       making slots, retired views. Held for moments
 *
 * The wal's own ranks come after all of these. No callback, no log and no input or output under
 * `write` or `reads`. What readers need is published by release stores alone: `view`, `visible`.
 */
#ifndef STI_STORE_STATE_H
#define STI_STORE_STATE_H

#include <stele/store.h>
#include <stele/wal.h>

#include "base/thread.h"
#include "store/apply.h"
#include "store/buckets.h"
#include "store/claim.h"
#include "store/generation.h"
#include "store/lmdb.h"
#include "store/merge.h"
#include "vfs/vfs.h"

#include <stdatomic.h>

#define STI_STORE_LOCK_NAME ".lock"
#define STI_STORE_WAL_NAME  "wal"

enum {
    STI_STORE_TABLES = 2, /* active and frozen */
    STI_STORE_COMMITS = 256,
    STI_STORE_NAMES = 64, /* of buckets, that the writer remembers */
    STI_SLOT_NAMES = 4    /* that a slot does */
};

/* Bucket of the names in a table. */
#define STI_STORE_NAMES_BUCKET ((uint32_t)0)

/* A generation that is open. */
struct sti_store_data {
    struct sti_lmdb *lmdb;
    uint64_t number;
    uint32_t users;              /* views, slots and others; under `reads` */
    uint64_t size;               /* of the file, when it was retired */
    struct sti_store_data *next; /* in the list of old ones */
};

struct sti_store_table {
    struct sti_table table;
    uint32_t views; /* that name it, and a defragmentation; under `reads` */

    /* The writer's. */
    struct sti_table_mark logged; /* the wal goes up to here */

    /* Set when it is frozen. */
    uint64_t seq; /* of its last batch */
    uint32_t next_bucket;
    uint64_t wal_id; /* of the last record then, and its ticket; 0: none */
    stele_wal_ticket ticket;

    struct sti_apply_mark mark;   /* of its commit */
    struct sti_store_table *next; /* that was committed, and is kept for a defragmentation */
};

/* What a read that begins now stands on. Does not change once it is published. */
struct sti_store_view {
    struct sti_store_data *data;
    uint64_t txn_id; /* of LMDB, at least */
    uint32_t count;  /* of tables, newest first; [0] takes writes. 0: read_only */
    struct sti_store_table *tables[STI_STORE_TABLES];
    const struct sti_table *raw[STI_STORE_TABLES]; /* the same, as merges want them */
    struct sti_store_view *next_retired;
};

/* The name that a read, or the writer, looked up last. */
struct sti_store_name {
    uint32_t number; /* 0: none */
    uint32_t len;
    uint8_t bytes[STELE_STORE_BUCKET_MAX];
};

/* A read, or a batch's view. `slot` is NULL as long as a batch's view was not used. */
struct stele_store_read {
    stele_store *s;
    struct sti_store_slot *slot;
    const struct sti_store_view *view; /* that of the slot */
    uint64_t seq;
    bool own; /* the writer's: sees what it writes */
    bool cursor_busy;
    bool cursor_current; /* the slot's cursor was renewed */
    struct sti_store_name name;
};

/* One read at a time. A cache line of its own, since each is written by another thread. */
struct sti_store_slot {
    _Alignas(64) _Atomic bool busy;
    struct sti_store_view *_Atomic view; /* what it keeps; NULL: nothing */
    _Atomic uint64_t began_ns;           /* 0: the read has just begun, or there is none */
    _Atomic uint64_t txn_id;             /* that it sees */
    _Atomic uint64_t reads;              /* that were begun here */
    struct sti_store_data *data;         /* that the next two belong to; NULL: there are none */
    struct sti_lmdb_txn *txn;            /* reset while the slot is free */
    struct sti_lmdb_cursor *cursor;      /* over the data */
    struct sti_store_name names[STI_SLOT_NAMES]; /* the last ones that were found on disk, ... */
    uint64_t name_txn_id;                        /* ... in this transaction of `data` */
    uint64_t begun;                              /* counts reads and batches' views */
    struct stele_store_read read;
    uint64_t told_ns; /* began_ns of the read that reader_old was told about */
    void *memory;     /* what was allocated */
};

/* The one that is open, or that of before_commit. */
struct stele_store_batch {
    stele_store *s;
    struct stele_store_read view;
    struct sti_table_mark start; /* of the active table */
    uint64_t seq;
};

/* Reads of other processes that reader_old was told about. */
struct sti_store_told {
    int64_t pid;
    uint64_t txn_id;
};

/* Attempts to commit are counted; the last that ended says how. */
struct sti_store_attempts {
    uint64_t begun;
    uint64_t ended;
    stele_code code;
    stele_error why;
};

/* Since open; each is added to by whoever it concerns, without an order. */
struct sti_store_counts {
    _Atomic uint64_t commits;
    _Atomic uint64_t batches;
    _Atomic uint64_t durable_batches;
    _Atomic uint64_t puts;
    _Atomic uint64_t deletes;
    _Atomic uint64_t full;
    _Atomic uint64_t defrags;
    _Atomic uint64_t commit_times[STELE_STORE_TIMES];
    _Atomic uint64_t batch_waits[STELE_STORE_TIMES];
    _Atomic uint64_t durable_waits[STELE_STORE_TIMES];
};

/* Committed tables that a defragmentation has to apply as well, the oldest first. */
struct sti_store_kept {
    bool on;
    bool too_much; /* they took too much memory, and are kept no longer */
    struct sti_store_table *first;
    struct sti_store_table *last;
    uint64_t memory;
};

/* When a commit was made. */
struct sti_store_commit {
    uint64_t txn_id; /* 0: none */
    uint64_t at_ns;
};

struct stele_store {
    stele_env env;
    stele_store_options options; /* all set: no zeros that mean defaults */
    char *path;
    struct sti_dir dir;
    struct sti_file lock;
    struct sti_claim claim;
    struct sti_generation current;
    struct sti_file current_file; /* of read_only: that was read last, and */
    _Atomic uint64_t current_id;  /* its id; 0: to be read again */
    struct sti_dir parent;        /* of a temporary store, and */
    char temporary_name[32];      /* its name there; else "" */

    /* Published; readers take no lock. */
    struct sti_store_view *_Atomic view;
    _Atomic uint64_t visible; /* seq of the last batch that ended */
    _Atomic int failed;       /* a stele_code: why the handle refuses to write */
    _Atomic bool no_room;
    _Atomic bool draining; /* the map grows: reads may not begin */
    _Atomic bool map_lost; /* that failed, and they never will */

    struct sti_mutex follow;
    struct sti_mutex write;
    struct sti_cond writable; /* the right to write is free, or lent */
    struct sti_cond wake;     /* the committer has something to do */
    struct sti_cond done;     /* a commit has ended, well or not */
    uint32_t writable_waiters;
    bool batch_open;
    bool writing;    /* somebody has the right: a batch, or who commits */
    bool lent;       /* the batch that has it waits for a commit */
    bool freezing;   /* who commits waits for the right, before others */
    bool committing; /* somebody commits */
    bool due;        /* a limit is reached */
    bool stop;       /* the committer ends */
    bool sweep;      /* the committer is to close what is old */
    bool defragging; /* somebody defragments */
    struct sti_store_kept kept;
    int64_t next_begin; /* ns: a batch waits until then, while a table is committed; 0: none does */
    uint64_t commit_pace;  /* ns that a KiB of a table takes to be committed */
    bool again;            /* the last attempt failed, and its table waits */
    int64_t waiting_since; /* ns, of the oldest write in the active table; 0: none */
    uint64_t committed;    /* seq */
    uint64_t lost;         /* writes that a failure lost */
    stele_error failure;   /* what it was */
    struct sti_store_attempts attempts;
    struct sti_store_commit commits[STI_STORE_COMMITS]; /* the last ones */
    size_t next_commit;
    uint64_t opened_txn_id; /* of the commit that open found, or that a generation began with */
    uint64_t opened_ns;
    bool telling;                /* somebody looks for old readers, and has the next two */
    struct sti_store_told *told; /* sorted */
    size_t told_count;

    /* Of who has the right to write. */
    struct sti_store_table *active;
    uint32_t next_bucket;
    uint64_t wal_expected; /* the id that follows the last append; 0: none was made */
    stele_wal_ticket wal_ticket;
    struct stele_store_batch batch;
    struct stele_store_batch hook_batch;
    struct sti_store_name names[STI_STORE_NAMES];
    uint8_t *record; /* memory to encode into */
    size_t record_size;

    /* Of who commits. */
    struct sti_store_data *data; /* the current one; that of the view */
    struct sti_store_table *frozen;
    struct sti_buckets *buckets; /* as they are in LMDB: numbers, counts, hashes */
    bool garbage;                /* dropped buckets have entries left, perhaps */

    stele_wal *_Atomic wal;         /* NULL: nothing was durable yet, or read_only */
    _Atomic uint64_t wal_committed; /* id; the wal may be trimmed up to it */
    _Atomic uint64_t logged_bytes;  /* since the last trim */

    struct sti_mutex reads;
    struct sti_cond drained;               /* a read ended, or may begin again */
    struct sti_store_slot *_Atomic *slots; /* readers_max of them; never freed before close */
    _Atomic uint32_t slot_count;
    struct sti_store_view *retired;
    struct sti_store_data *old; /* that are not current, and still used */
    _Atomic bool has_old;       /* there is such a one */

    bool has_committer;
    struct sti_thread committer;
    struct sti_store_counts counts;
};

/* ---- options.c ---- */

stele_code sti_store_options_resolve(
        stele_store_options *out, const stele_store_options *in, stele_error *err);

/* Refuse bytes that cannot be: NULL with a length, names and keys over the limits. */
stele_code sti_store_check_name(stele_bytes bucket, stele_error *err);
stele_code sti_store_check_key(stele_bytes key, stele_error *err);
stele_code sti_store_check_value(stele_bytes value, stele_error *err);

/* Put "bucket X: " or "bucket X, key Y: " in front of a message, with what cannot be printed as
 * \xNN, and cut. */
stele_code sti_store_wrap(stele_error *err, stele_code code, stele_bytes bucket, stele_bytes key);
stele_code sti_store_no_bucket(stele_error *err, stele_bytes bucket); /* STELE_ENOTFOUND */

/* ---- view.c ---- */

struct sti_store_table *sti_store_table_new(stele_error *err);

/* Room for a view, to be filled in and published, or freed with sti_free(). */
struct sti_store_view *sti_store_view_new(stele_error *err);

/* Make it current: with these tables, NULL for none. Retires the one before; publish() then frees
 * what it can, which takes its time. */
void sti_store_replace_view(stele_store *s, struct sti_store_view *view,
        struct sti_store_table *active, struct sti_store_table *frozen, uint64_t txn_id)
        STI_EXCLUDES(s->reads);
void sti_store_publish(stele_store *s, struct sti_store_view *view, struct sti_store_table *active,
        struct sti_store_table *frozen, uint64_t txn_id) STI_EXCLUDES(s->reads);

/* Free what no read needs any more. True if something is left. */
bool sti_store_reclaim(stele_store *s) STI_EXCLUDES(s->reads);
void sti_store_free_views(stele_store *s); /* all; no read is open */

/* ---- data.c ---- */

/* Open a generation, which has no user yet; `temporary`: gen-N.tmp, without trees and syncs. */
stele_code sti_store_data_open(struct sti_store_data **out, stele_store *s, uint64_t number,
        bool temporary, stele_error *err);
void sti_store_data_close(struct sti_store_data *d); /* accepts NULL */

/* Use the current one for a while, so that it stays open. */
struct sti_store_data *sti_store_data_use(stele_store *s) STI_EXCLUDES(s->reads);
void sti_store_data_leave(stele_store *s, struct sti_store_data *d) STI_EXCLUDES(s->reads);

/* It is no longer current: close it, and remove its files, when nobody uses it. */
void sti_store_data_retire(stele_store *s, struct sti_store_data *d) STI_EXCLUDES(s->reads);

/* Close those that nobody uses any more. True if something is left. */
bool sti_store_data_reclaim(stele_store *s) STI_EXCLUDES(s->reads);
void sti_store_data_close_all(stele_store *s); /* no read is open, and there is no view */

/* ---- slot.c ---- */

/* Let slots that no read has go from old generations. */
void sti_store_leave_old(stele_store *s);

/* Give a batch's view a slot, and stand it on the current view, if it has none yet. */
stele_code sti_read_ready(struct stele_store_read *read, stele_error *err);

/* Give the slot back, if it has one. */
void sti_read_stop(struct stele_store_read *read);

uint64_t sti_store_reads_open(stele_store *s);

void sti_store_free_slots(stele_store *s);

/* A cursor over the data in the read's snapshot, and giving it back. */
stele_code sti_read_cursor(
        struct stele_store_read *read, struct sti_lmdb_cursor **out, stele_error *err);
void sti_read_cursor_done(struct stele_store_read *read, struct sti_lmdb_cursor *cursor);

/* ---- drain.c ---- */

/* Let no read begin, and wait until none is open: for a while, since who has one may begin another
 * one, or wait for us. False: reads are open, and may begin. Else undrain: let them begin again,
 * or, if the map is lost, fail. */
bool sti_store_drain(stele_store *s) STI_EXCLUDES(s->reads);
void sti_store_undrain(stele_store *s, bool lost) STI_EXCLUDES(s->reads);

/* What a read does that finds the store draining: tell that it is not there, and wait. */
void sti_store_tell_drainer(stele_store *s) STI_EXCLUDES(s->reads);
stele_code sti_store_wait_for_drainer(stele_store *s, stele_error *err) STI_EXCLUDES(s->reads);

stele_code sti_store_fail_lost(stele_error *err);

/* ---- follow.c ---- */

/* Before a read of a handle that only reads: go to the current generation. */
stele_code sti_store_follow(stele_store *s, stele_error *err) STI_EXCLUDES(s->follow);

/* ---- read.c ---- */

/* The number of a bucket as the read sees it; STELE_ENOTFOUND. The read is ready afterwards. */
stele_code sti_read_bucket(
        struct stele_store_read *read, stele_bytes name, uint32_t *number, stele_error *err);

/* ---- batch.c ---- */

/* Begin and end one by who has the right to write, which stays. */
void sti_batch_init(struct stele_store_batch *batch, stele_store *s);
void sti_batch_rollback(struct stele_store_batch *batch);

/* Its writes are visible from now on; false if there are none. */
bool sti_batch_show(struct stele_store_batch *batch);

/* The code and message for a handle that refuses to write; STELE_OK if it does not. */
stele_code sti_store_usable(stele_store *s, stele_error *err);

/* Refuse to write from now on. */
void sti_store_poison(stele_store *s, stele_code code, const stele_error *why);

/* ---- commit.c ---- */

/* Return when what has this seq or less is committed, or garbage was collected if there is no such
 * thing; `lend`: the caller has the right to write. */
stele_code sti_store_commit_upto(stele_store *s, uint64_t seq, bool lend, stele_error *err)
        STI_EXCLUDES(s->write);

/* One commit, by whoever set `committing`. */
stele_code sti_store_commit_once(stele_store *s, stele_error *err) STI_EXCLUDES(s->write);

/* ---- defrag_kept.c ---- */

/* A table that was just committed. */
void sti_store_keep_locked(stele_store *s, struct sti_store_table *t) STI_REQUIRES(s->write)
        STI_EXCLUDES(s->reads);

/* ---- work.c ---- */

stele_code sti_store_work_start(stele_store *s, stele_error *err);
void sti_store_work_stop(stele_store *s);

/* The last read of an old generation has ended, perhaps. */
void sti_store_tell_old(stele_store *s) STI_EXCLUDES(s->write);

/* Nanoseconds for intervals. */
int64_t sti_store_now(const stele_store *s);

/* ---- log.c ---- */

/* Log all that is not yet, the batch included; *ticket is for sti_store_log_wait(), 0: it is
 * durable already. STELE_ETOOBIG: it is more than one record takes. */
stele_code sti_store_log_append(
        struct stele_store_batch *batch, stele_wal_ticket *ticket, stele_error *err);
stele_code sti_store_log_wait(stele_store *s, stele_wal_ticket ticket, stele_error *err);

/* The last id that is durable and contained in the frozen table and below. */
uint64_t sti_store_log_mark(stele_store *s, const struct sti_store_table *frozen);
void sti_store_log_trim(stele_store *s);

/* ---- replay.c ---- */

/* Open the wal if it has been used, and put what is not committed into the active table. */
stele_code sti_store_replay(stele_store *s, stele_error *err);

/* ---- ageing.c ---- */

/* Tell the caller of the store about readers that have become too old. No lock is held. */
void sti_store_tell_readers(stele_store *s) STI_EXCLUDES(s->write);

/* Nanoseconds between two looks; 0: nobody wants to know. */
int64_t sti_store_tell_interval(const stele_store *s);

/* ---- stat.c ---- */

/* Count a time of so many nanoseconds. */
void sti_store_count_time(_Atomic uint64_t *times, uint64_t ns);

/* Add to a counter that only one of many looks at. */
static inline void sti_store_count(_Atomic uint64_t *counter, uint64_t n)
{
    /* Relaxed: for statistics alone. */
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* The same to one that one thread at a time adds to. */
static inline void sti_store_count_own(_Atomic uint64_t *counter, uint64_t n)
{
    /* Relaxed, as above. */
    atomic_store_explicit(
            counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

#endif /* STI_STORE_STATE_H */
