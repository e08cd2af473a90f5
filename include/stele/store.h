/* SPDX-License-Identifier: MIT
 *
 * store.h: ordered buckets of keys, with batches of writes and readers that never wait.
 *
 * Writes go, in batches, into an ordered table in memory, and are seen by every read that begins
 * after their batch ended. In the background full or old tables are committed to LMDB, each in one
 * transaction. A batch that wants to be durable is appended to the store's own write-ahead log
 * first, sharing one sync with all who wait at that moment. The interface is that of etcd's
 * `backend` package; the bytes on disk are Stele's own: stele-store(5). A store is a directory.
 *
 * Buckets have names of 1 to 255 bytes; keys have 0 to 32,768 bytes and are in the order of their
 * bytes; values have at most 1 GiB. Nil and empty keys and values are the same.
 *
 * Threads: any function may be called from any thread at the same time, close excepted. A batch
 * or a read may move between threads, but is for one at a time.
 *
 * Processes: one writes, and holds the lock. Any number of others open the store read_only and see
 * what is committed: at most a batch interval behind, never a part of a batch. Within one process a
 * directory is opened once at a time (STELE_EBUSY): share the handle.
 *
 * Durability: a batch that ended survives a power cut once it is committed (batch_limit,
 * batch_interval_ms, stele_store_commit()), or when stele_store_batch_end_durable() returns.
 * Whatever survives is a prefix of the batches.
 *
 * Failures: a commit or a sync that failed makes the store refuse to write (STELE_EFAILED); what
 * was read before can be read on; waiting writes are lost, and the error says how many. No space
 * (STELE_ENOSPC) does not do that: waiting writes stay in memory and can be read, new batches are
 * refused once about 4 times batch_limit wait, and all goes on when there is room again.
 *
 * Damage: a checksum over bucket, key and value is compared whenever a value is read:
 * STELE_ECORRUPT comes instead of bytes that were not put. stele_store_check_dir() also finds what
 * vanished.
 */
#ifndef STELE_STORE_H
#define STELE_STORE_H

#include <stele/bytes.h>
#include <stele/env.h>

STELE_BEGIN_DECLS

typedef struct stele_store stele_store;
typedef struct stele_store_batch stele_store_batch;
typedef struct stele_store_read stele_store_read;
typedef struct stele_store_cursor stele_store_cursor;
typedef struct stele_store_snapshot stele_store_snapshot;

#define STELE_STORE_BUCKET_MAX 255
#define STELE_STORE_KEY_MAX    ((size_t)32 << 10)
#define STELE_STORE_VALUE_MAX  ((size_t)1 << 30)

/* A reader that is open: of this process, or of another one. */
typedef struct stele_store_reader {
    int64_t pid;
    int64_t age_ms;         /* of another process: of the first commit that it does not see; 0: it
                             * sees all; -1: that was before open */
    uint64_t pinned_bytes;  /* of the file, which cannot be used again while it is there */
    uint64_t pinned_memory; /* bytes of tables that were committed since; of this process alone */
    bool own;               /* of this process */
} stele_store_reader;

typedef struct stele_store_options {
    size_t struct_size;
    const stele_env *env; /* borrowed until close; NULL: the real world. Files are real ones */
    bool create_dirs;     /* make the directory and its parents */
    bool must_exist;      /* STELE_ENOTFOUND instead of a new store */

    /* Read what is committed, beside a writer in another process. Batches are STELE_EREADONLY. */
    bool read_only;

    uint32_t batch_interval_ms; /* commit what waits for so long; 0: 100 */
    uint32_t batch_limit;       /* commit so many waiting writes; 0: 10,000 */

    /* A hint: address space that is reserved for the file, if more than 1 TiB. It costs no memory
     * and no disk. Where less can be had the map grows when it must. 0: no hint. */
    uint64_t map_size;

    int64_t lock_wait_ms; /* wait so long for the lock: 0 does not, STELE_FOREVER for ever */

    bool no_sync;       /* a power cut may leave a store that does not open */
    bool no_background; /* no thread: who ends a batch commits when limit or interval is reached */

    uint32_t readers_max; /* reads at a time, of all processes; 0: 4,096 */

    /* Called in the thread that commits (any that asks for it, or that of the store), before each
     * commit that has writes, with a batch whose writes become part of it; must not end it, nor
     * wait for another one or for a commit. A failure is returned by the commit, and nothing is
     * committed or lost. */
    stele_code (*before_commit)(void *arg, stele_store_batch *batch, stele_error *err);
    void *before_commit_arg;

    /* Told about each reader once, when its age passes the limit, without a lock held: by the
     * store's thread, some time later, or without one by who commits. Readers of dead processes are
     * cleared before. Those of other processes that are in a file which a defragmentation replaced
     * are not seen. */
    int64_t reader_age_max_ms; /* 0: no limit */
    void (*reader_old)(void *arg, const stele_store_reader *reader);
    void *reader_old_arg;
} stele_store_options;

STELE_API void stele_store_options_init_sized(stele_store_options *opts, size_t struct_size);

/* The default configuration. */
static inline void stele_store_options_init(stele_store_options *opts)
{
    stele_store_options_init_sized(opts, sizeof *opts);
}

/* Open or create the store in `dir`. `opts` may be NULL (the defaults) and is copied. On success
 * *out is owned by the caller: stele_store_close().
 *
 * STELE_ENOTFOUND: no such directory (and no create_dirs), or no store in it (and must_exist or
 * read_only) · STELE_EBUSY: another writer, whose process the message names; or this process has
 * the directory open · STELE_ECORRUPT · STELE_EVERSION · STELE_EPERM · STELE_ENOSPC ·
 * STELE_EINVAL. */
STELE_API STELE_NODISCARD stele_code stele_store_open(
        stele_store **out, const char *dir, const stele_store_options *opts, stele_error *err);

/* A new store in a new directory below `parent` (NULL: /tmp), removed with all that is in it by
 * close: for tests. 0 for the defaults of the other two. */
STELE_API STELE_NODISCARD stele_code stele_store_open_temporary(stele_store **out,
        const char *parent, uint32_t batch_interval_ms, uint32_t batch_limit, stele_error *err);

/* Commit what waits, and free. No batch, read, cursor or snapshot may be open (STELE_ESTATE, and
 * nothing is done). Any other failure is reported, and the store is gone all the same. Accepts
 * NULL. */
STELE_API stele_code stele_store_close(stele_store *s, stele_error *err);

/* Borrowed until close. */
STELE_API const char *stele_store_dir(const stele_store *s);
STELE_API bool stele_store_is_read_only(const stele_store *s);

/* Commit every batch that has ended, and return when that is durable. Waits for the batch that is
 * open: who has it calls stele_store_batch_commit() instead. */
STELE_API STELE_NODISCARD stele_code stele_store_commit(stele_store *s, stele_error *err);

/* ---- Writing. ----
 *
 * One batch at a time. Its writes are seen by reads that begin after it ended, all at once, and
 * before that by its own view. Everything given is copied.
 *
 * STELE_ENOTFOUND: no such bucket · STELE_EINVAL: a name of 0 or more than 255 bytes ·
 * STELE_ETOOBIG: key or value over the limit · STELE_ENOSPC · STELE_EFAILED ·
 * STELE_ENOMEM: then the call did nothing, and the batch goes on. */

/* Begin; waits for the batch that is open. `wait` may be NULL: for ever. STELE_ETIMEDOUT,
 * STELE_ECANCELED, STELE_ECLOSED · STELE_EREADONLY · STELE_EFAILED · STELE_ENOSPC: too many writes
 * wait for room on the disk. */
STELE_API STELE_NODISCARD stele_code stele_store_batch_begin(
        stele_store_batch **out, stele_store *s, const stele_wait *wait, stele_error *err);

/* Make a bucket; one that is there stays as it is. */
STELE_API STELE_NODISCARD stele_code stele_store_batch_create_bucket(
        stele_store_batch *batch, stele_bytes bucket, stele_error *err);

/* Delete a bucket and all that is in it. STELE_ENOTFOUND. */
STELE_API STELE_NODISCARD stele_code stele_store_batch_delete_bucket(
        stele_store_batch *batch, stele_bytes bucket, stele_error *err);

STELE_API STELE_NODISCARD stele_code stele_store_batch_put(stele_store_batch *batch,
        stele_bytes bucket, stele_bytes key, stele_bytes value, stele_error *err);

/* The same, faster where keys ascend. They need not. */
STELE_API STELE_NODISCARD stele_code stele_store_batch_put_seq(stele_store_batch *batch,
        stele_bytes bucket, stele_bytes key, stele_bytes value, stele_error *err);

/* A key that is not there is no error. */
STELE_API STELE_NODISCARD stele_code stele_store_batch_delete(
        stele_store_batch *batch, stele_bytes bucket, stele_bytes key, stele_error *err);

/* A read that sees the batch's own writes up to each call, for get, range, for_each and cursors.
 * It belongs to the batch: it is not ended, and what it returned is valid until the batch ends. */
STELE_API stele_store_read *stele_store_batch_view(stele_store_batch *batch);

/* End it: its writes become visible. Frees it, also on failure: then none of them is there. */
STELE_API STELE_NODISCARD stele_code stele_store_batch_end(
        stele_store_batch *batch, stele_error *err);

/* The same, and return when it survives a power cut, with all before it; threads share a sync.
 * STELE_ENOSPC: it has ended and is visible, but waits in memory for room on the disk, or for what
 * else the message says.
 * STELE_EFAILED: nobody knows whether it will survive. */
STELE_API STELE_NODISCARD stele_code stele_store_batch_end_durable(
        stele_store_batch *batch, stele_error *err);

/* Make the writes of the batch so far visible, commit them with all before them, and go on with
 * the batch. What its view returned is no longer valid. */
STELE_API STELE_NODISCARD stele_code stele_store_batch_commit(
        stele_store_batch *batch, stele_error *err);

/* The same, and end the batch; frees it, also on failure. */
STELE_API STELE_NODISCARD stele_code stele_store_batch_commit_and_stop(
        stele_store_batch *batch, stele_error *err);

/* End without the writes since the last stele_store_batch_commit(), and free. Accepts NULL. */
STELE_API void stele_store_batch_abort(stele_store_batch *batch);

/* ---- Reading. ----
 *
 * A read sees every batch that had ended when it began, and nothing later. Beginning one copies
 * nothing and waits for nobody. Whatever it returns stays valid until it ends. A read that stays
 * open keeps the file from using space again: stele_store_readers().
 *
 * STELE_ENOTFOUND: no such bucket, or no such key · STELE_ECORRUPT: with bucket and key. */

STELE_API STELE_NODISCARD stele_code stele_store_read_begin(
        stele_store_read **out, stele_store *s, stele_error *err);

/* Frees it. Its cursors must be closed. Accepts NULL. */
STELE_API void stele_store_read_end(stele_store_read *read);

/* *value is not nil, also where nil was put. */
STELE_API STELE_NODISCARD stele_code stele_store_read_get(stele_store_read *read,
        stele_bytes bucket, stele_bytes key, stele_bytes *value, stele_error *err);

/* A result other than STELE_OK ends the walk; STELE_END ends it as a success. */
typedef stele_code (*stele_store_pair_fn)(
        void *arg, stele_bytes key, stele_bytes value, stele_error *err);

/* What a range has. Zeros: the single key "". */
typedef struct stele_store_range {
    stele_bytes start; /* the first key */
    stele_bytes end;   /* the first one behind; nil or empty: the key `start` alone */
    bool to_end;       /* up to the last key of the bucket; `end` does not count */
    bool reverse;      /* from the last to the first */
    uint64_t limit;    /* so many at most; 0: all */
} stele_store_range;

/* In key order; for_each: the whole bucket. An empty range is no error. `count` (may be NULL): how
 * many were given to each(). */
STELE_API STELE_NODISCARD stele_code stele_store_read_range(stele_store_read *read,
        stele_bytes bucket, const stele_store_range *range, stele_store_pair_fn each, void *arg,
        uint64_t *count, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_store_read_for_each(stele_store_read *read,
        stele_bytes bucket, stele_store_pair_fn each, void *arg, stele_error *err);

/* Every bucket, in the order of the names. */
STELE_API STELE_NODISCARD stele_code stele_store_read_buckets(stele_store_read *read,
        stele_code (*each)(void *arg, stele_bytes bucket, stele_error *err), void *arg,
        stele_error *err);

/* How many keys a bucket has; costs a step for each write that waits. */
STELE_API STELE_NODISCARD stele_code stele_store_read_count(
        stele_store_read *read, stele_bytes bucket, uint64_t *keys, stele_error *err);

/* A place in a bucket, before the first pair at the beginning. */
STELE_API STELE_NODISCARD stele_code stele_store_cursor_open(
        stele_store_cursor **out, stele_store_read *read, stele_bytes bucket, stele_error *err);
STELE_API void stele_store_cursor_close(stele_store_cursor *cursor); /* accepts NULL */

/* Go to the first pair whose key is not less than `key`; to the first, the last, the next, the one
 * before. STELE_END: there is none; going back from the end is allowed. */
STELE_API STELE_NODISCARD stele_code stele_store_cursor_seek(
        stele_store_cursor *cursor, stele_bytes key, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_store_cursor_first(
        stele_store_cursor *cursor, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_store_cursor_last(
        stele_store_cursor *cursor, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_store_cursor_next(
        stele_store_cursor *cursor, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_store_cursor_prev(
        stele_store_cursor *cursor, stele_error *err);

/* The pair that the cursor is at. STELE_ESTATE: it is at none. Either may be NULL. The key is valid
 * until the cursor moves or is closed, the value until the read ends. */
STELE_API STELE_NODISCARD stele_code stele_store_cursor_pair(
        const stele_store_cursor *cursor, stele_bytes *key, stele_bytes *value, stele_error *err);

/* ---- Hash. ---- */

typedef struct stele_store_hash_options {
    size_t struct_size;
    /* True: the pair does not count. NULL: all do. */
    bool (*ignore)(void *arg, stele_bytes bucket, stele_bytes key);
    void *ignore_arg;
    bool names_only; /* the names of the buckets alone */
} stele_store_hash_options;

STELE_API void stele_store_hash_options_init_sized(
        stele_store_hash_options *opts, size_t struct_size);

static inline void stele_store_hash_options_init(stele_store_hash_options *opts)
{
    stele_store_hash_options_init_sized(opts, sizeof *opts);
}

/* A list of pairs for `ignore_arg`, with stele_store_ignore_listed() for `ignore`. Borrowed. */
typedef struct stele_store_ignore_key {
    stele_bytes bucket;
    stele_bytes key;
} stele_store_ignore_key;

typedef struct stele_store_ignore_list {
    const stele_store_ignore_key *keys;
    size_t count;
} stele_store_ignore_list;

STELE_API bool stele_store_ignore_listed(void *arg, stele_bytes bucket, stele_bytes key);

/* CRC-32C over, for each bucket in the order of the names, its name, then key and value of each
 * pair in key order: that of the reference. Of what a read that begins now sees, or `read`. `opts`
 * may be NULL: everything counts. */
STELE_API STELE_NODISCARD stele_code stele_store_hash(
        stele_store *s, const stele_store_hash_options *opts, uint32_t *out, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_store_read_hash(stele_store_read *read,
        const stele_store_hash_options *opts, uint32_t *out, stele_error *err);

/* ---- Snapshots. ----
 *
 * A consistent copy as one stream of bytes, with checksums and a hash of all at the end. */

typedef struct stele_store_snapshot_options {
    size_t struct_size;
    const stele_wait *wait; /* may be NULL; ends with STELE_ETIMEDOUT, STELE_ECANCELED */
    bool zstd;              /* as one frame of zstd, which its own tools unpack as well */
    int zstd_level;         /* 1 to 19; 0: 3 */
} stele_store_snapshot_options;

STELE_API void stele_store_snapshot_options_init_sized(
        stele_store_snapshot_options *opts, size_t struct_size);

static inline void stele_store_snapshot_options_init(stele_store_snapshot_options *opts)
{
    stele_store_snapshot_options_init_sized(opts, sizeof *opts);
}

/* stele_store_commit(), and a snapshot of that. */
STELE_API STELE_NODISCARD stele_code stele_store_snapshot_open(
        stele_store_snapshot **out, stele_store *s, stele_error *err);

/* How many bytes it has, before compression. */
STELE_API uint64_t stele_store_snapshot_size(const stele_store_snapshot *snapshot);

/* Give all of it to write(), verified, in pieces; may be done again. `written` and `opts` may be
 * NULL. */
STELE_API STELE_NODISCARD stele_code stele_store_snapshot_write(stele_store_snapshot *snapshot,
        const stele_store_snapshot_options *opts, stele_write_fn write, void *arg,
        uint64_t *written, stele_error *err);

/* Write it to a file, which is read back and verified, and is there whole and durable or not at
 * all. STELE_EEXIST. */
STELE_API STELE_NODISCARD stele_code stele_store_snapshot_save(stele_store_snapshot *snapshot,
        const char *path, const stele_store_snapshot_options *opts, uint64_t *written,
        stele_error *err);
STELE_API void stele_store_snapshot_close(stele_store_snapshot *snapshot); /* accepts NULL */

/* What a snapshot holds, once it was read to its end and verified. */
typedef struct stele_store_contents {
    uint64_t buckets;
    uint64_t keys;
    uint64_t bytes; /* of keys and values */
} stele_store_contents;

/* Verify a snapshot, compressed or not: read to its end, which nothing may follow. `out` may be
 * NULL. STELE_ECORRUPT · STELE_EVERSION. */
STELE_API STELE_NODISCARD stele_code stele_store_snapshot_verify(
        stele_read_fn read, void *arg, stele_store_contents *out, stele_error *err);

/* Make a store in `dir` of a snapshot: whole and durable, or none. Of `opts` (may be NULL) it uses
 * env, create_dirs and lock_wait_ms; `out` may be NULL. STELE_EEXIST: a store is there ·
 * STELE_ECORRUPT · STELE_EVERSION · STELE_EBUSY · STELE_ENOSPC. */
STELE_API STELE_NODISCARD stele_code stele_store_restore(const char *dir, stele_read_fn read,
        void *arg, const stele_store_options *opts, stele_store_contents *out, stele_error *err);

/* ---- Sizes, readers, defragmentation. ---- */

/* Bytes of the file; how many of those are in use; how many reads are open in this process. */
STELE_API STELE_NODISCARD stele_code stele_store_size(
        stele_store *s, uint64_t *size, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_store_size_in_use(
        stele_store *s, uint64_t *size, stele_error *err);
STELE_API uint64_t stele_store_open_reads(stele_store *s);

/* Every reader of every process, the oldest first. */
STELE_API STELE_NODISCARD stele_code stele_store_readers(stele_store *s,
        stele_code (*each)(void *arg, const stele_store_reader *reader, stele_error *err),
        void *arg, stele_error *err);

/* Clear readers that dead processes left; the writer does so by itself. `cleared` may be NULL. */
STELE_API STELE_NODISCARD stele_code stele_store_clear_stale(
        stele_store *s, uint64_t *cleared, stele_error *err);

/* Commit, then copy what is used into a new file while reads and writes go on, and put it in the
 * place of the old one; durable when it returns. Reads that are open keep the old file until they
 * end. Every checksum is verified on the way. Waits for commits, and like them for the batch that
 * is open: not to be called by who has it. `wait` (may be NULL) ends it: STELE_ETIMEDOUT,
 * STELE_ECANCELED.
 *
 * STELE_EBUSY: another defragmentation, or writes come faster than they can be copied ·
 * STELE_ENOSPC · STELE_ECORRUPT · STELE_EREADONLY. Whatever fails, the store is as before; only if
 * nobody knows which of the two files a power cut would leave it refuses to write (STELE_EFAILED).
 * `before` and `after` (may be NULL) are sizes. */
STELE_API STELE_NODISCARD stele_code stele_store_defrag(stele_store *s, const stele_wait *wait,
        uint64_t *before, uint64_t *after, stele_error *err);

/* ---- Statistics. ---- */

#define STELE_STORE_TIMES 32

typedef struct stele_store_stats {
    /* Of what is committed. */
    uint64_t buckets;
    uint64_t keys;
    uint64_t bytes; /* of keys and values */
    uint64_t size;  /* of the file */
    uint64_t size_in_use;
    uint64_t map_size;
    uint64_t generation; /* of the file, from 1: counts defragmentations */
    uint64_t wal_size;   /* bytes of the log of durable batches */

    /* Of this process, now. */
    uint64_t open_reads;
    uint64_t tables; /* in memory, that one included which takes writes */
    uint64_t table_bytes;
    uint64_t waiting_writes; /* that are not committed */

    /* Since open. */
    uint64_t commits;
    uint64_t batches;
    uint64_t durable_batches;
    uint64_t puts;
    uint64_t deletes;
    uint64_t reads;
    uint64_t full; /* commits that found no room */
    uint64_t defrags;
    /* How many took 2^i to 2^(i+1) us; the first counts all below 2, the last all above. */
    uint64_t commit_times[STELE_STORE_TIMES];
    uint64_t batch_waits[STELE_STORE_TIMES];   /* of a batch for another one */
    uint64_t durable_waits[STELE_STORE_TIMES]; /* of a durable end */

    bool failed;  /* the handle refuses to write */
    bool no_room; /* the last commit found no room on the disk, or in the address space */
} stele_store_stats;

STELE_API STELE_NODISCARD stele_code stele_store_stat(
        stele_store *s, stele_store_stats *out, stele_error *err);

/* ---- Verification. ---- */

/* A fault that was found. Pointers are valid during the callback only. */
typedef struct stele_store_fault {
    const char *file;   /* name within the directory */
    int64_t position;   /* byte in the file, -1 if it is not known */
    stele_bytes bucket; /* nil if it is not known */
    stele_bytes key;    /* nil if it is not known; what is damaged may be the key itself */
    stele_code code;    /* STELE_ECORRUPT, STELE_EVERSION … or STELE_OK: a note, and no fault */
    const char *text;
} stele_store_fault;

typedef struct stele_store_checked {
    uint64_t buckets;
    uint64_t keys;  /* whole ones */
    uint64_t pages; /* of the file, that were looked at */
    uint64_t faults;
} stele_store_checked;

typedef void (*stele_store_fault_fn)(void *arg, const stele_store_fault *fault);

/* Read every value of what is committed and compare its checksum, and the counts and hashes of the
 * buckets, while the store is in use. Returns the code of the first fault, STELE_ECORRUPT or
 * STELE_EVERSION; `each` (may be NULL) hears of every one, `out` and `wait` may be NULL. */
STELE_API STELE_NODISCARD stele_code stele_store_scrub(stele_store *s, const stele_wait *wait,
        stele_store_fault_fn each, void *arg, stele_store_checked *out, stele_error *err);

/* The functions below work on a directory, beside the process that writes, unless that is this one
 * (STELE_EBUSY). Of `opts` (may be NULL) they use env. STELE_ENOTFOUND: no store. LMDB trusts its
 * pages: check goes over each before LMDB sees it. scrub_dir does not, and a damaged page may end
 * the process: run it in one of its own. */

/* stele_store_scrub() of what is committed. */
STELE_API STELE_NODISCARD stele_code stele_store_scrub_dir(const char *dir,
        const stele_store_options *opts, stele_store_fault_fn each, void *arg,
        stele_store_checked *out, stele_error *err);

/* That, and every page: each is used once, by the trees or the list of free ones; and the log of
 * durable batches, where an unfinished record at the end, as a crash leaves it, is a fault. Where
 * pages are damaged the contents are not looked at. Foreign and left-over files are no faults:
 * `each` hears of them with the code STELE_OK. */
STELE_API STELE_NODISCARD stele_code stele_store_check_dir(const char *dir,
        const stele_store_options *opts, stele_store_fault_fn each, void *arg,
        stele_store_checked *out, stele_error *err);

/* ---- bbolt files. ---- */

typedef struct stele_store_bbolt_options {
    size_t struct_size;
    const stele_wait *wait; /* may be NULL; ends with STELE_ETIMEDOUT, STELE_ECANCELED */
    bool atomic;            /* import: in one batch, all or nothing; takes memory for all of it */
    uint32_t page_size;     /* export: 512 to 65,536, a power of two; 0: 4,096 */
    bool sha256;            /* export: append the hash, as etcd's `snapshot save` does */
} stele_store_bbolt_options;

STELE_API void stele_store_bbolt_options_init_sized(
        stele_store_bbolt_options *opts, size_t struct_size);

static inline void stele_store_bbolt_options_init(stele_store_bbolt_options *opts)
{
    stele_store_bbolt_options_init_sized(opts, sizeof *opts);
}

/* Put all that a bbolt file holds (etcd's member/snap/db, or what its `snapshot save` writes), and
 * return when that is durable. Buckets are made; other keys stay. The file is verified first, and
 * nothing is put if it is damaged. After another failure a part may have been put, unless `atomic`.
 * `opts` and `out` may be NULL. STELE_ENOTSUP: nested buckets · STELE_ECORRUPT · STELE_EVERSION ·
 * STELE_ETOOBIG: a name or value over the limits · STELE_ENOTFOUND · STELE_EBUSY: the file is
 * locked. */
STELE_API STELE_NODISCARD stele_code stele_store_import_bbolt(stele_store *s, const char *path,
        const stele_store_bbolt_options *opts, stele_store_contents *out, stele_error *err);

/* Write what a read that begins now sees as a bbolt file, which is read back and verified, and is
 * there whole and durable or not at all. `opts` and `out` may be NULL. STELE_EEXIST ·
 * STELE_ENOTSUP: a key that bbolt cannot have (""). */
STELE_API STELE_NODISCARD stele_code stele_store_export_bbolt(stele_store *s, const char *path,
        const stele_store_bbolt_options *opts, stele_store_contents *out, stele_error *err);

STELE_END_DECLS

#endif /* STELE_STORE_H */
