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
 * A state of the data has a sequence number, seq: each batch that ends gets the next one. What is
 * committed is the state at one seq, and the commit record (buckets.h) has that seq. Above it, in
 * memory, lie tables (table.h): the active one takes writes, up to 4 frozen ones wait to be
 * committed. Each entry of a table has its batch's seq. A read at seq q merges the newest versions
 * with seq <= q of all tables and LMDB's entries.
 *
 * A write. stele_store_batch_begin() takes the right to write: a flag under `write` (a batch may
 * move between threads, so that it is no mutex which is held meanwhile). Puts and deletes go into
 * the active table with seq = visible + 1, which no reader sees yet; the batch's view reads at that
 * seq. End stores `visible` = seq with release order, gives the right back, and wakes the committer
 * if batch_limit is reached. Abort takes the versions with that seq back out of the table, and the
 * seq is used again. Bucket numbers are given when a bucket is made, and never again; the names
 * with their versions are entries of the table, under bucket 0.
 *
 * A durable end. Still with the right to write, and before `visible` moves, all that was written
 * since the last logged place (`logged`: a table and a position in it; through frozen tables that
 * are not committed) is encoded as a record of the wal, since what survives must be a prefix of the
 * batches: it has the writes of batches that did not ask for durability, too, each with its seq.
 * The record goes to stele_wal_append_async() with the id that follows; then `logged` moves, the
 * batch becomes visible, and the right to write is given back. Only then the caller waits for its
 * ticket, beside others: that is the shared sync. More than RECORD_MAX bytes become several records
 * of which the last is marked, and a replay ends at the last mark. The wait fails with no space:
 * all appends that were pending have failed, ids are free again. The first to see it, under `log`,
 * moves `logged` back to what is known to be durable. An append that came between has an id that
 * does not follow, gets STELE_ECONFLICT, does the same, and encodes again: so no record ever stands
 * behind a hole. Any other failure poisons the store.
 *
 * A commit. One thread, the committer, does all LMDB write transactions (LMDB's write lock belongs
 * to a thread); stele_store_commit() asks it and waits. It:
 *   1. takes the right to write, calls before_commit with a batch, ends that, freezes the active
 *      table (seq S, last wal id W whose writes all have seq <= S), publishes a view with an empty
 *      active table, and gives the right back: no input or output in between;
 *   2. applies the oldest frozen table, all of it sorted, in one LMDB transaction (apply.h), with
 *      seq, W, counts and hashes in the commit record; that commit is LMDB's two syncs;
 *   3. publishes a view without that table and with the new LMDB transaction's number, retires the
 *      old view, and trims the wal to W. A crash between 2 and 3 leaves records that are in LMDB
 *      already: replay passes over writes whose seq is not above that of the commit record.
 * While frozen tables wait, writers go on in the active one. With more than 4 frozen ones (a commit
 * takes longer than 4 tables take to fill) batch_begin waits if commits succeed, and gives
 * STELE_ENOSPC if the last found no room.
 *
 * A full disk. A commit that found no room has changed nothing (LMDB aborts; its pages are free as
 * before): the table stays frozen, `no_room` is set, and the committer tries again each interval
 * and whenever it is asked. MDB_MAP_FULL is another thing (STELE_ETOOBIG of the layer below): the
 * map is grown by sti_lmdb_resize() once all reads of this process have ended; beginning a read
 * waits meanwhile. It can only happen where less than 1 TiB could be reserved. Any other failed
 * commit poisons: `failed` is set, views stay as they are, waiting writes can be read on until
 * close, and every call that would write says how many are lost.
 *
 * A read begins (at most 100 ns, waits for nobody): it takes a free slot (one compare-and-swap,
 * starting where this thread found one the last time), then
 *     v = view; slot.view = v; q = visible; renew the slot's LMDB transaction; view == v? else
 * again The slot's pointer keeps the view and all that it names from being freed. Why this is
 * consistent: the view was current after the renewal, so every commit that the LMDB snapshot can
 * hold is one of a table that was frozen in v or before, all of whose seqs are <= q, since q was
 * loaded after v. If the snapshot is newer than v.txn_id, a frozen table of v is in it already, and
 * lies above it as well with equal contents; so begin need not wait for the committer to publish,
 * it would only have to if q were older. sti_lmdb_txn_id() < v.txn_id cannot be; it is asserted. A
 * view of another generation than the slot's transaction belongs to makes the slot begin a new one
 * (slow path). Slots are never freed before close. Each has a cursor of its own over the tree,
 * renewed at the first use: threads share neither transactions nor cursors.
 *
 * Ending a read stores NULL to slot.view with release order, after resetting the LMDB transaction,
 * and frees the slot. The committer frees a retired view once no slot points at it; tables and
 * generations are counted by the views that name them.
 *
 * Defragmentation (one at a time, in the caller's thread) never stops anybody:
 *   1. under `commit` it notes where commits are, and from then on committed tables are kept for it
 *      (STELE_EBUSY, and nothing is changed, if they take more than KEPT_MAX bytes);
 *   2. it copies the tree, in key order, from a read of its own into gen-(N+1).tmp: several LMDB
 *      transactions without sync, keys appended;
 *   3. it applies the kept tables in order; while it does, others are added, fewer each time;
 *   4. with one left at most it takes `commit`, which holds up the committer alone; applies it,
 *      syncs, renames gen-(N+1).tmp to gen-(N+1), syncs the directory, replaces `current` (that is
 *      the moment), and publishes a view of the new generation.
 * Reads that are open keep their view, and with it the old generation's environment; the last view
 * that names it closes it and removes gen-N. Readers of other processes look at `current` when they
 * begin (by its inode and size), reopen if it changed, and keep an environment whose files have
 * been removed as long as a read needs it.
 *   A crash before `current` was replaced leaves gen-(N+1) or .tmp, which the next open removes;
 * after it gen-N. The wal is trimmed only for commits of the generation that `current` names.
 *
 * Open: lock; leftovers removed; `current` read. None: a new generation is made, `current` written
 * last, so that a crash leaves a directory without `current`, which is made anew. (A directory with
 * gen-N and a wal but without `current` is not new: STELE_ECORRUPT.) The commit record must have
 * the store's id and generation as in `current`, and the number of the LMDB transaction that holds
 * it: otherwise a file was exchanged or LMDB's newest page is damaged. Then the wal's records above
 * the commit record's wal id are put into a table, each write with the seq it had, up to the last
 * whole batch; a first id that does not follow is STELE_ECORRUPT. `logged` is the end of that
 * table: it is durable already.
 *
 * Read only: no lock, no wal, no tables, one view per LMDB transaction number; `visible` does not
 * count. The process registers itself by a lock on `.reader-PID`, which also the writer takes for
 * its own process, since LMDB must not open a file twice in one process.
 *
 * Check, of a directory: sti_pages_newest() before LMDB sees the file (again, if a writer was just
 * writing); LMDB is opened with `later`, and a read transaction pins what it sees;
 * sti_pages_check() of its number (STELE_EBUSY: take another one); with no fault sti_lmdb_trees()
 * in that transaction, the buckets, and each entry with its checksum against counts and hashes. So
 * LMDB never follows a damaged page, and no process of its own is needed.
 *
 * Locks, in the order in which they are taken (the ranks are in base/thread.h):
 *
 *     defrag      one defragmentation at a time
 *     commit      the right to do an LMDB write transaction, and the list of kept tables; held
 *                 during one
 *     write       who has the right to write; the active table's limits; freezing. Held for moments
 *     log         `logged`, and the id of the next record. Held during encoding and append_async
 *     reads       making slots, retired views, generations. Held for moments
 *
 * The wal's own ranks come after all of these. No callback, no log and no input or output under
 * `write` or `reads`. What readers need is published by release stores alone: `view`, `visible`.
 */
#ifndef STI_STORE_STATE_H
#define STI_STORE_STATE_H

#include <stele/store.h>
#include <stele/wal.h>

#include "base/thread.h"
#include "store/buckets.h"
#include "store/generation.h"
#include "store/lmdb.h"
#include "vfs/vfs.h"

#include <stdatomic.h>

struct sti_table; /* table.h */

enum {
    STI_STORE_FROZEN_MAX = 4
};

/* A generation that is open. Counted by the views that name it. */
struct sti_store_generation {
    uint64_t number;
    struct sti_lmdb *lmdb;
    _Atomic uint32_t views;
    bool retired; /* another one is current: remove its files when it is closed */
};

/* What a read that begins now stands on. Does not change once it is published. */
struct sti_store_view {
    struct sti_store_generation *generation;
    uint64_t txn_id; /* of LMDB, at least */
    /* Newest first; [0] takes writes. NULL behind the last. */
    struct sti_table *tables[1 + STI_STORE_FROZEN_MAX + 1];
    struct sti_store_view *next_retired;
};

/* One read at a time. A cache line of its own, since each is written by another thread. */
struct sti_store_slot {
    _Alignas(64) _Atomic bool busy;
    struct sti_store_view *_Atomic view; /* what it keeps; NULL: nothing */
    uint64_t seq;
    uint64_t began_ns;
    struct sti_store_generation *generation; /* that txn belongs to; may be retired, and is then
                                              * let go of by the next begin, or by the committer */
    struct sti_lmdb_txn *txn;                /* reset while the slot is free */
    struct sti_lmdb_cursor *cursor;          /* renewed at the first use of a read */
};

/* How far the wal goes, or will go when what is pending is durable. */
struct sti_store_logged {
    uint64_t id;     /* of the last record */
    uint64_t seq;    /* of the last batch in it */
    uint64_t ticket; /* of its append */
};

struct stele_store {
    stele_env env;
    stele_store_options options; /* all set: no zeros that mean defaults */
    char *path;
    struct sti_dir dir;
    struct sti_file lock;
    struct sti_file process_lock; /* .reader-PID */
    struct sti_generation current;
    stele_wal *wal; /* NULL: read_only */

    /* Published; readers take no lock. */
    struct sti_store_view *_Atomic view;
    _Atomic uint64_t visible; /* seq of the last batch that ended */
    _Atomic int failed;       /* a stele_code: why the handle refuses to write */
    _Atomic bool no_room;

    struct sti_mutex defrag;

    struct sti_mutex commit;
    struct sti_buckets *buckets; /* as they are in LMDB: numbers, counts, hashes */

    struct sti_mutex write;
    struct sti_cond writable; /* the right to write is free, or tables are fewer */
    bool writing;             /* a batch is open */
    uint64_t waiting_since;   /* monotonic ns of the oldest write that waits; 0: none */
    struct sti_cond wake;     /* the committer */
    struct sti_cond done;     /* a commit has ended, well or not */
    bool commit_wanted;
    bool stop;

    struct sti_mutex log;
    struct sti_store_logged logged;
    struct sti_store_logged durable;

    struct sti_mutex reads;
    struct sti_store_slot **slots; /* never freed before close */
    _Atomic size_t slot_count;
    struct sti_store_view *retired;

    struct sti_thread committer;
    stele_store_stats stats;
};

#endif /* STI_STORE_STATE_H */
