/* SPDX-License-Identifier: MIT
 *
 * stream.h: a log of messages with offsets, keys and times.
 *
 * A stream is a directory of segments. Messages get consecutive offsets, are
 * read in their order, and can be found by offset, key and time. Format and
 * behaviour are klevdb's, byte for byte, once a stream is closed or
 * recovered; stele-stream(5) has the bytes.
 *
 * Threads: any function on a stele_stream may be called from any thread, at
 * the same time, close excepted. Reads never wait for a publish or a sync.
 *
 * Durability: publish survives the death of the process when it returns, and
 * a power cut after the next stele_stream_sync() (or at once with auto_sync).
 * Deletions, and everything built on them, are durable when they return.
 *
 * After a write or a sync failed, the handle refuses to write (STELE_EFAILED)
 * and reads on; reopen it to recover. A full disk (STELE_ENOSPC) does not do
 * that: nothing of the call was kept, reading and trimming work, and
 * publishing works again once there is room.
 */
#ifndef STELE_STREAM_H
#define STELE_STREAM_H

#include <stele/bytes.h>
#include <stele/env.h>

STELE_BEGIN_DECLS

typedef struct stele_stream stele_stream;

/* Offsets that stand for a place. Other negative offsets are STELE_EOFFSET. */
#define STELE_OFFSET_OLDEST  ((int64_t)-2) /* the smallest that is still there */
#define STELE_OFFSET_NEWEST  ((int64_t)-1) /* consume: the next to be published; get: the last */
#define STELE_OFFSET_INVALID ((int64_t)-3) /* of a message that is none */

/* Largest key and value of a message, together. */
#define STELE_MESSAGE_SIZE_MAX ((size_t)64 << 20)

/* Versions of the segment format. */
typedef enum stele_stream_version {
    STELE_STREAM_VERSION_DEFAULT = 0, /* in options: the last */
    STELE_STREAM_V1 = 1,
    STELE_STREAM_V2 = 2,
    STELE_STREAM_VLAST = STELE_STREAM_V2
} stele_stream_version;

typedef struct stele_message {
    int64_t offset;  /* set by the stream; publish ignores it, but stele_stream_publish_offsets() */
    stele_time time; /* microseconds since 1970; 0 in publish: now */
    stele_bytes key; /* may be nil */
    stele_bytes value; /* nil marks the key as deleted, for compaction */
} stele_message;

/* A message that stands for none: its offset is STELE_OFFSET_INVALID. */
static inline stele_message stele_message_invalid(void)
{
    stele_message m;
    m.offset = STELE_OFFSET_INVALID;
    m.time = 0;
    m.key = stele_nil();
    m.value = stele_nil();
    return m;
}

/* ---- Messages that were read. ----
 *
 * A container that calls fill with messages, replacing what it held. Keys
 * and values are not copied: they lie in the stream's files, and stay valid
 * and unchanged until the container is filled again, cleared or freed, also
 * after the messages were deleted, the segment was trimmed or rewritten, and
 * the stream was closed. Until then the container keeps those files' space.
 * Using one container again and again is the fast way to read.
 *
 * Threads: filling is for one thread at a time; a filled container may be
 * read from many. */
typedef struct stele_messages stele_messages;

STELE_API STELE_NODISCARD stele_code stele_messages_new(stele_messages **out, stele_error *err);
STELE_API void stele_messages_free(stele_messages *ms); /* accepts NULL */

STELE_API size_t stele_messages_count(const stele_messages *ms);

/* The message at an index below the count; NULL for others. */
STELE_API const stele_message *stele_messages_at(const stele_messages *ms, size_t index);

/* Drop all messages, and let go of the files. */
STELE_API void stele_messages_clear(stele_messages *ms);

/* Copy keys and values into the container's own memory, and let go of the
 * files. On failure the container is as before. */
STELE_API STELE_NODISCARD stele_code stele_messages_own(stele_messages *ms, stele_error *err);

/* ---- Sets of offsets. ----
 *
 * Kept as bitmaps of ranges: a million neighbours take 128 KiB.
 * Threads: as for any plain value. */
typedef struct stele_offsets stele_offsets;

STELE_API STELE_NODISCARD stele_code stele_offsets_new(stele_offsets **out, stele_error *err);
STELE_API void stele_offsets_free(stele_offsets *set); /* accepts NULL */

/* Negative offsets are STELE_EOFFSET. Adding twice is adding once. */
STELE_API STELE_NODISCARD stele_code stele_offsets_add(
        stele_offsets *set, int64_t offset, stele_error *err);
STELE_API void stele_offsets_remove(stele_offsets *set, int64_t offset);
STELE_API bool stele_offsets_has(const stele_offsets *set, int64_t offset);
STELE_API uint64_t stele_offsets_count(const stele_offsets *set);
STELE_API void stele_offsets_clear(stele_offsets *set);

/* The smallest offset in the set that is >= from, else
 * STELE_OFFSET_INVALID. Iterate with from = 0, then last + 1. */
STELE_API int64_t stele_offsets_next(const stele_offsets *set, int64_t from);

/* ---- Opening. ---- */

typedef struct stele_stream_options {
    size_t struct_size;
    const stele_env *env; /* borrowed until close; NULL: the real world */

    bool create_dirs; /* make the directory and its parents */
    bool read_only;   /* takes a shared lock: refused while a writer is there */
    bool live;        /* read only, without a lock, beside a writer in any process */

    bool key_index;  /* needed by get, offset and consume by key */
    bool time_index; /* needed by get and offset by time */
    /* Take both of the above from the files, where those tell; the options
     * then count for new streams and format v1 without an index only. */
    bool index_auto;

    bool auto_sync;   /* publish returns when its messages would survive a power cut */
    int64_t rollover; /* start a new segment when the log file is larger; <= 0: 1 MiB */

    bool check;   /* verify the newest segment first, and refuse a damaged one */
    bool recover; /* keep what is whole of the newest segment, see stele_stream_recover_dir() */

    stele_stream_version new_segments; /* format of new segments */
    bool keep_rewrite_version;         /* deleting keeps a segment's format */
    bool eager_migrate;                /* bring all segments to new_segments at open */

    /* Wait so long for the lock: 0 does not wait, STELE_FOREVER does for ever. */
    int64_t lock_wait_ms;
    bool no_map;        /* write with pwrite also where a map would be faster */
    bool no_background; /* do housekeeping inside publish, without a thread */

    /* For stele_stream_recover_dir() and stele_stream_migrate_dir(): report what
     * would be done, and change nothing. */
    bool dry_run;
} stele_stream_options;

STELE_API void stele_stream_options_init_sized(stele_stream_options *opts, size_t struct_size);

/* All defaults: a writer without indexes, in an existing directory. */
static inline void stele_stream_options_init(stele_stream_options *opts)
{
    stele_stream_options_init_sized(opts, sizeof *opts);
}

/* Open or create the stream in `dir`. `opts` may be NULL and is copied. On
 * success *out is owned by the caller: stele_stream_close().
 *
 * A torn or preallocated tail of the newest segment, as a crash leaves it,
 * is cut (its bytes go to a quarantine file beside it), and so are segments
 * behind one that was torn before it was sealed: nothing there was durable; leftovers of crashed
 * deletions are removed; an index that does not fit its log is rebuilt.
 * Offsets that were ever seen are not given again. A read-only open does all
 * that in memory only.
 *
 * STELE_ENOTFOUND: no such directory (and no create_dirs) · STELE_EBUSY: a
 * lock is held; the message names the process · STELE_EMISMATCH: the files
 * have other indexes · STELE_ECORRUPT: `check` found damage, or damage where
 * no crash explains it · STELE_EVERSION · STELE_EPERM · STELE_EINVAL. */
STELE_API STELE_NODISCARD stele_code stele_stream_open(
        stele_stream **out, const char *dir, const stele_stream_options *opts, stele_error *err);

/* Wake blocked consumers with STELE_ECLOSED, wait until they have left,
 * sync, and free. Reports a failed sync; the stream is gone either way.
 * What a container holds stays valid. Accepts NULL. */
STELE_API stele_code stele_stream_close(stele_stream *s, stele_error *err);

/* ---- Writing. ---- */

/* Append messages: all become visible at once, or none is kept. They get the
 * offsets from *next_offset - count on. After a crash a prefix of them may
 * remain. Publishing none is fine.
 *
 * Durability: see the top. STELE_ETOOBIG: key and value over the limit, with
 * nothing published · STELE_EREADONLY · STELE_ENOSPC · STELE_EFAILED.
 * `next_offset` may be NULL. An empty key or value reads back as nil: the
 * formats cannot tell them apart. */
STELE_API STELE_NODISCARD stele_code stele_stream_publish(stele_stream *s,
        const stele_message *messages, size_t count, int64_t *next_offset, stele_error *err);

/* The same if `expected` is the next offset, else STELE_ECONFLICT and nothing
 * is published. */
STELE_API STELE_NODISCARD stele_code stele_stream_publish_at(stele_stream *s, int64_t expected,
        const stele_message *messages, size_t count, int64_t *next_offset, stele_error *err);

/* The same with the offsets that the messages have, as in the log that they come from: ascending,
 * and none below the next offset, else STELE_EOFFSET and nothing is published. What lies between is
 * as if it had been deleted. With new_segments of version 1, where a segment is named after its
 * first message, a gap at the start of a segment waits until those before it are sealed. */
STELE_API STELE_NODISCARD stele_code stele_stream_publish_offsets(stele_stream *s,
        const stele_message *messages, size_t count, int64_t *next_offset, stele_error *err);

/* The offset that the next message will get. */
STELE_API STELE_NODISCARD stele_code stele_stream_next_offset(
        stele_stream *s, int64_t *next_offset, stele_error *err);

/* Make durable what was published; messages below *durable_offset (may be
 * NULL) survive a power cut. */
STELE_API STELE_NODISCARD stele_code stele_stream_sync(
        stele_stream *s, int64_t *durable_offset, stele_error *err);

/* ---- Reading. ----
 *
 * count_max below 1 is STELE_EINVAL. Offsets: those at the top; one below the
 * oldest, or of a deleted message, starts at the next one there; the next
 * offset gives no messages; one beyond is STELE_EOFFSET. *next_offset is where
 * to go on, and larger than `offset` unless there is nothing more. A call may
 * return fewer messages than there are. Damage in the middle of the stream
 * is STELE_ECORRUPT for calls that meet it, and no others. */

STELE_API STELE_NODISCARD stele_code stele_stream_consume(stele_stream *s, int64_t offset,
        int64_t count_max, stele_messages *out, int64_t *next_offset, stele_error *err);

/* Only messages with this key (nil and empty are the same key).
 * *next_offset is one past the last returned, or the next to be published
 * when no more are there. STELE_ENOINDEX. */
STELE_API STELE_NODISCARD stele_code stele_stream_consume_by_key(stele_stream *s, stele_bytes key,
        int64_t offset, int64_t count_max, stele_messages *out, int64_t *next_offset,
        stele_error *err);

/* As above, but where there is nothing yet, wait for a publish. Ends with
 * STELE_ETIMEDOUT, STELE_ECANCELED, or STELE_ECLOSED by stele_stream_close(). `wait`
 * may be NULL: for ever. On a live handle a poll every 20 ms sees the
 * writer's messages. */
STELE_API STELE_NODISCARD stele_code stele_stream_consume_wait(stele_stream *s, int64_t offset,
        int64_t count_max, const stele_wait *wait, stele_messages *out, int64_t *next_offset,
        stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_stream_consume_by_key_wait(stele_stream *s,
        stele_bytes key, int64_t offset, int64_t count_max, const stele_wait *wait,
        stele_messages *out, int64_t *next_offset, stele_error *err);

/* One message: by offset (or STELE_OFFSET_OLDEST, _NEWEST). STELE_ENOTFOUND:
 * deleted or trimmed; STELE_EOFFSET: not published yet, or the stream is empty. */
STELE_API STELE_NODISCARD stele_code stele_stream_get(
        stele_stream *s, int64_t offset, stele_messages *out, stele_error *err);

/* The newest message with the key. STELE_ENOTFOUND, STELE_ENOINDEX. */
STELE_API STELE_NODISCARD stele_code stele_stream_get_by_key(
        stele_stream *s, stele_bytes key, stele_messages *out, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_stream_offset_by_key(
        stele_stream *s, stele_bytes key, int64_t *offset, stele_error *err);

/* The first message whose index time (its time, or that of an earlier message
 * if that was later) is not before `start`. STELE_ENOTFOUND: all are before;
 * STELE_ENOINDEX. *time (may be NULL) is the message's own. */
STELE_API STELE_NODISCARD stele_code stele_stream_get_by_time(
        stele_stream *s, stele_time start, stele_messages *out, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_stream_offset_by_time(
        stele_stream *s, stele_time start, int64_t *offset, stele_time *time, stele_error *err);

/* What a message takes up in a new segment, index item included, in bytes. */
STELE_API STELE_NODISCARD stele_code stele_stream_size(
        stele_stream *s, const stele_message *message, int64_t *size, stele_error *err);

typedef struct stele_stream_stats {
    int64_t segments;
    int64_t messages;
    int64_t size;        /* bytes of logs and indexes, as after a clean close */
    int64_t oldest;      /* first offset, STELE_OFFSET_INVALID when empty */
    int64_t next_offset; /* the next to be published */
    int64_t segments_v1; /* segments in format v1 (empty ones count as new_segments) */
    bool key_index;
    bool time_index;
} stele_stream_stats;

STELE_API STELE_NODISCARD stele_code stele_stream_stat(
        stele_stream *s, stele_stream_stats *out, stele_error *err);

/* The directory, and whether this handle writes. Borrowed until close. */
STELE_API const char *stele_stream_dir(const stele_stream *s);
STELE_API bool stele_stream_is_read_only(const stele_stream *s);

/* Let go of maps and indexes of segments that were not read for so long. */
STELE_API STELE_NODISCARD stele_code stele_stream_gc(
        stele_stream *s, int64_t unused_for_ms, stele_error *err);

/* ---- Deleting. ---- */

/* What was deleted. Set the first two, or leave them NULL; the calls add to
 * them, and to the numbers: start from zeros. */
typedef struct stele_deleted {
    stele_messages *messages; /* the messages themselves, borrowed as by consume */
    stele_offsets *offsets;   /* their offsets */
    int64_t count;
    int64_t size; /* bytes in log and index */
} stele_deleted;

/* Delete messages of the one segment that holds the lowest of the offsets
 * (others stay: see stele_stream_delete_multi()). Offsets that are not there
 * are passed over; a lowest offset before the first segment is
 * STELE_ENOTFOUND. Durable when it returns. `deleted` may be NULL. */
STELE_API STELE_NODISCARD stele_code stele_stream_delete(
        stele_stream *s, const stele_offsets *offsets, stele_deleted *deleted, stele_error *err);

/* Called between the segments, without any lock; a failure ends the work and
 * is returned by it. */
typedef struct stele_backoff {
    stele_code (*pause)(void *arg, stele_error *err);
    void *arg;
} stele_backoff;

/* A pause() that sleeps: `arg` is a stele_backoff_wait_arg. Ends with
 * STELE_ECANCELED when the token is triggered. */
typedef struct stele_backoff_wait_arg {
    int64_t wait_ms;
    stele_cancel *cancel; /* may be NULL */
} stele_backoff_wait_arg;

STELE_API STELE_NODISCARD stele_code stele_backoff_wait(void *arg, stele_error *err);

/* Delete all of the offsets, segment by segment. `backoff` may be NULL. On
 * failure `deleted` says what was done before. */
STELE_API STELE_NODISCARD stele_code stele_stream_delete_multi(stele_stream *s,
        const stele_offsets *offsets, const stele_backoff *backoff, stele_deleted *deleted,
        stele_error *err);

/* Find what a trim or compaction would remove, and add it to `out`. `wait`
 * (may be NULL) ends the search: STELE_ETIMEDOUT, STELE_ECANCELED.
 *
 *   age      messages at the start, up to the first that is later than `before`
 *   count    the oldest, so that count_max remain
 *   offset   those below `before`
 *   size     the oldest, so that less than `size` bytes remain
 *   updates  messages whose key comes again, up to the first later than `before`
 *   deletes  first messages of their key that have no value, likewise
 *
 * Messages without key are never updates or deletes. Memory for the last two
 * is in proportion to the number of keys. */
STELE_API STELE_NODISCARD stele_code stele_stream_find_by_age(stele_stream *s, stele_time before,
        const stele_wait *wait, stele_offsets *out, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_stream_find_by_count(stele_stream *s, int64_t count_max,
        const stele_wait *wait, stele_offsets *out, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_stream_find_by_offset(stele_stream *s, int64_t before,
        const stele_wait *wait, stele_offsets *out, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_stream_find_by_size(stele_stream *s, int64_t size,
        const stele_wait *wait, stele_offsets *out, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_stream_find_updates(stele_stream *s, stele_time before,
        const stele_wait *wait, stele_offsets *out, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_stream_find_deletes(stele_stream *s, stele_time before,
        const stele_wait *wait, stele_offsets *out, stele_error *err);

/* Find, then delete within one segment. `wait` and `deleted` may be NULL.
 * On a full disk, trims drop whole segments only. */
STELE_API STELE_NODISCARD stele_code stele_stream_trim_by_age(stele_stream *s, stele_time before,
        const stele_wait *wait, stele_deleted *deleted, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_stream_trim_by_count(stele_stream *s, int64_t count_max,
        const stele_wait *wait, stele_deleted *deleted, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_stream_trim_by_offset(stele_stream *s, int64_t before,
        const stele_wait *wait, stele_deleted *deleted, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_stream_trim_by_size(stele_stream *s, int64_t size,
        const stele_wait *wait, stele_deleted *deleted, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_stream_compact_updates(stele_stream *s,
        stele_time before, const stele_wait *wait, stele_deleted *deleted, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_stream_compact_deletes(stele_stream *s,
        stele_time before, const stele_wait *wait, stele_deleted *deleted, stele_error *err);

/* Find, then delete in all segments. */
STELE_API STELE_NODISCARD stele_code stele_stream_trim_by_age_multi(stele_stream *s,
        stele_time before, const stele_wait *wait, const stele_backoff *backoff,
        stele_deleted *deleted, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_stream_trim_by_count_multi(stele_stream *s,
        int64_t count_max, const stele_wait *wait, const stele_backoff *backoff,
        stele_deleted *deleted, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_stream_trim_by_offset_multi(stele_stream *s,
        int64_t before, const stele_wait *wait, const stele_backoff *backoff,
        stele_deleted *deleted, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_stream_trim_by_size_multi(stele_stream *s, int64_t size,
        const stele_wait *wait, const stele_backoff *backoff, stele_deleted *deleted,
        stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_stream_compact_updates_multi(stele_stream *s,
        stele_time before, const stele_wait *wait, const stele_backoff *backoff,
        stele_deleted *deleted, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_stream_compact_deletes_multi(stele_stream *s,
        stele_time before, const stele_wait *wait, const stele_backoff *backoff,
        stele_deleted *deleted, stele_error *err);

/* Updates older than `age_us`, then deletes older than twice that, then
 * stele_stream_gc(0). */
STELE_API STELE_NODISCARD stele_code stele_stream_compact(stele_stream *s, int64_t age_us,
        const stele_wait *wait, const stele_backoff *backoff, stele_deleted *deleted,
        stele_error *err);

/* ---- Copies and repair. ---- */

typedef struct stele_stream_copied {
    int64_t segments;
    int64_t messages;
    int64_t bytes; /* of logs and indexes */
} stele_stream_copied;

/* Copy the stream as it is now into `target` (made if missing), while it is
 * read and written; the copy is read back and verified, and durable, before
 * this returns. `target` must hold no stream (files with other names do not
 * matter), or an earlier copy of this one that shares a message with it,
 * which is brought up to date: else STELE_EEXIST. `out` may be NULL. */
STELE_API STELE_NODISCARD stele_code stele_stream_backup(
        stele_stream *s, const char *target, stele_stream_copied *out, stele_error *err);

/* The functions below work on a directory. Of `opts` (may be NULL) they use
 * env, key_index, time_index, index_auto and lock_wait_ms. A missing
 * directory is STELE_ENOTFOUND. */

/* Beside a writer; takes no lock. */
STELE_API STELE_NODISCARD stele_code stele_stream_stat_dir(const char *dir,
        const stele_stream_options *opts, stele_stream_stats *out, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_stream_backup_dir(const char *dir, const char *target,
        const stele_stream_options *opts, stele_stream_copied *out, stele_error *err);

/* A fault that was found. Strings are valid during the callback only. */
typedef struct stele_stream_fault {
    const char *file; /* name within the directory */
    int64_t position; /* byte in the file, -1 if it is the whole of it */
    stele_code code;  /* STELE_ECORRUPT, STELE_EVERSION, STELE_EMISMATCH… */
    const char *text;
} stele_stream_fault;

typedef struct stele_stream_checked {
    int64_t segments;
    int64_t messages; /* whole ones */
    int64_t faults;
} stele_stream_checked;

/* Verify every segment (`head_only`: the newest), log, index and side file.
 * Takes no lock; beside a writer, what it is writing is left out. Returns
 * STELE_ECORRUPT if there were faults; `each` (may be NULL) hears of every
 * one, `out` may be NULL. A zero tail, a missing index and a bare header are no
 * faults. Nor are files with foreign names: `each` hears of them with the code
 * STELE_OK, and they are not counted. */
STELE_API STELE_NODISCARD stele_code stele_stream_check_dir(const char *dir,
        const stele_stream_options *opts, bool head_only,
        void (*each)(void *arg, const stele_stream_fault *fault), void *arg,
        stele_stream_checked *out, stele_error *err);

/* What recovery did, told as it happens; any function may be NULL. */
typedef struct stele_stream_recover_events {
    void *arg;
    void (*lost)(void *arg, int64_t first, int64_t last); /* offsets that are gone */
    void (*quarantine)(void *arg, const char *file);      /* where cut bytes went */
} stele_stream_recover_events;

typedef struct stele_stream_recovered {
    int64_t segments;
    int64_t messages;  /* kept */
    int64_t cut_bytes; /* moved to quarantine, or an empty tail that was dropped */
} stele_stream_recovered;

/* Keep every whole message of every segment, also behind damage; move the
 * rest to quarantine files; rebuild indexes; remove leftovers. Takes the
 * writer's lock. Durable when it returns; doing it again changes nothing. */
STELE_API STELE_NODISCARD stele_code stele_stream_recover_dir(const char *dir,
        const stele_stream_options *opts, const stele_stream_recover_events *events,
        stele_stream_recovered *out, stele_error *err);

/* Rewrite every segment that is not in `version` yet. Takes the writer's
 * lock; a crash leaves each segment in one of the two. `migrated` (may be
 * NULL) counts them. */
STELE_API STELE_NODISCARD stele_code stele_stream_migrate_dir(const char *dir,
        const stele_stream_options *opts, stele_stream_version version, int64_t *segments,
        int64_t *migrated, stele_error *err);

STELE_END_DECLS

#endif /* STELE_STREAM_H */
