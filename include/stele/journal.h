/* SPDX-License-Identifier: MIT
 *
 * journal.h: the operations on a structure in memory, logged and replayed.
 *
 * A program keeps its state in memory, in whatever structure it likes, and gives every change to a
 * journal: put, delete, clear, configuration. After a restart it plays the journal and has the
 * state again. Logs that have grown too big are merged with the newest snapshot into a new
 * snapshot, in the background, while recording goes on in a new log. A journal is a
 * directory; the scheme is that of god's `persistence` package, the bytes are Stele's own:
 * stele-journal(5).
 *
 * What operations mean, for the merge and for whoever plays them:
 *
 *     put     key, value                the plain key has this value
 *     put     key, subkey, value        the tree `key` has this value under this subkey
 *     delete  key                       the plain key is gone
 *     delete  key, subkey               the subkey of the tree is gone
 *     clear   key                       the tree is gone; the plain key of this name stays
 *     clear   (key nil)                 all plain keys and all trees are gone
 *     config  (key nil), settings       these are the settings of the whole, instead of earlier
 * ones config  key, settings             these are the settings of `key`, instead of earlier ones
 *
 * Plain keys and trees are separate name spaces. A subkey that is nil is absent, one that is empty
 * is a subkey. Nil and empty keys and values are kept apart, too. Configuration stays for ever,
 * also when everything is cleared.
 *
 * States: a handle is stopped, recording, or playing.
 *
 *     stopped    --record-->  recording  --stop-->  stopped
 *     stopped    --play---->  playing    --(the end)-->  stopped
 *
 * Any other move is STELE_ESTATE, and changes nothing.
 *
 * Threads: any function on a stele_journal may be called from any thread at the same time, close
 * excepted; but not from within the function that play() calls. Any number of threads that dump at
 * once share one sync.
 *
 * Processes: one records; a second recorder is refused. Any number of others play, stat and check
 * beside it, without a lock.
 *
 * Failures: after a write or a sync failed the handle refuses to record (STELE_EFAILED) until it
 * is closed and opened again. A full disk (STELE_ENOSPC) does not do that: the journal is as before
 * the call, and dumping works again once there is room. (Blocks are made sure of before dump()
 * returns. On a file system that cannot promise them, a full disk that loses what was dumped, and
 * not made durable yet, counts as a failed write.) A merge that fails is tried again later; until
 * one succeeds the old files stay.
 */
#ifndef STELE_JOURNAL_H
#define STELE_JOURNAL_H

#include <stele/bytes.h>
#include <stele/env.h>

STELE_BEGIN_DECLS

typedef struct stele_journal stele_journal;

/* The most that an operation may have in bytes: key, subkey, value and settings together, the
 * lengths of the settings counted. */
#define STELE_JOURNAL_OP_MAX ((size_t)64 << 20)

/* ---- Operations. ---- */

typedef enum stele_journal_kind {
    STELE_JOURNAL_PUT = 1,
    STELE_JOURNAL_DELETE = 2,
    STELE_JOURNAL_CLEAR = 3,
    STELE_JOURNAL_CONFIG = 4
} stele_journal_kind;

/* One entry of a configuration. Neither is nil. */
typedef struct stele_journal_setting {
    stele_bytes name;
    stele_bytes value;
} stele_journal_setting;

/* As a timestamp given to dump(): the time of the call. */
#define STELE_JOURNAL_NOW INT64_MIN

typedef struct stele_journal_op {
    stele_journal_kind kind;
    /* The caller's, kept as it is; microseconds since 1970 by convention. Only "play until" looks
     * at it. */
    int64_t timestamp;
    stele_bytes key;
    stele_bytes subkey; /* put and delete alone */
    stele_bytes value;  /* put alone */
    /* config alone: names that differ from each other, in any order; played in the order of their
     * bytes. */
    const stele_journal_setting *settings;
    size_t setting_count;
} stele_journal_op;

/* ---- Opening. ---- */

typedef enum stele_journal_durability {
    /* dump() returns when the operation survives a power cut. */
    STELE_JOURNAL_EACH = 0,
    /* dump() returns at once. Operations are in memory until the next interval, then survive a
     * power cut: a crash of the process or of the system loses what was dumped since. */
    STELE_JOURNAL_INTERVAL = 1,
    /* dump() returns at once. Operations are written when some have gathered, and synced by
     * stele_journal_sync(), stop(), a merge or close(). What was written survives the process,
     * what was synced survives a power cut. */
    STELE_JOURNAL_STOP = 2
} stele_journal_durability;

typedef struct stele_journal_options {
    size_t struct_size;
    const stele_env *env; /* borrowed until close; NULL: the real world */
    bool create_dirs;     /* make the directory and its parents */

    /* When the logs that are newer than the newest snapshot have more bytes than this, they are
     * merged with it into a new one. 0: never by itself. See stele_journal_limit(). */
    uint64_t limit;

    /* Merge often enough that play() takes no longer than this, as far as merging can
     * help: the time is estimated from how fast this handle has played, or else merged. 0: no
     * target. With `limit`, whichever comes first. */
    int64_t replay_target_ms;

    stele_journal_durability durability;
    int64_t interval_ms; /* STELE_JOURNAL_INTERVAL; 0: 100 ms */

    int64_t lock_wait_ms; /* wait so long for the lock: 0 does not, STELE_FOREVER for ever */
    /* No thread: merges are done by the dump() that finds the limit exceeded; there are no
     * intervals, what is pending is synced when the interval is over at a later dump(). */
    bool no_background;
    bool no_map; /* read with pread also where a map would be faster */
} stele_journal_options;

STELE_API void stele_journal_options_init_sized(stele_journal_options *opts, size_t struct_size);

static inline void stele_journal_options_init(stele_journal_options *opts)
{
    stele_journal_options_init_sized(opts, sizeof *opts);
}

/* A handle on the journal in `dir`, stopped. Reads and changes nothing yet, but for making the
 * directory. `opts` may be NULL and is copied. On success *out is owned by the caller:
 * stele_journal_close().
 *
 * STELE_ENOTFOUND: no such directory, and no create_dirs · STELE_EPERM · STELE_EINVAL: an option,
 * or dir is no directory. */
STELE_API STELE_NODISCARD stele_code stele_journal_open(
        stele_journal **out, const char *dir, const stele_journal_options *opts, stele_error *err);

/* Stop, if it is recording, and free. What stop() would report is reported; the handle is gone all
 * the same. Accepts NULL. */
STELE_API stele_code stele_journal_close(stele_journal *journal, stele_error *err);

/* Change the option `limit`; while recording, the next dump() looks at it. */
STELE_API STELE_NODISCARD stele_code stele_journal_limit(
        stele_journal *journal, uint64_t limit, stele_error *err);

typedef enum stele_journal_state {
    STELE_JOURNAL_STOPPED = 0,
    STELE_JOURNAL_RECORDING = 1,
    STELE_JOURNAL_PLAYING = 2
} stele_journal_state;

/* The state at the moment of the call. NULL is stopped. */
STELE_API stele_journal_state stele_journal_get_state(const stele_journal *journal);
STELE_API bool stele_journal_is_recording(const stele_journal *journal);

/* ---- Recording. ---- */

/* Begin to record, in a new log behind those that are there. What a crash left is mended first: a
 * torn tail was never acknowledged, goes to a quarantine file and is cut, and the env's log hears
 * of it; unfinished and superseded files are removed.
 *
 * STELE_ESTATE: not stopped · STELE_EBUSY: another recorder; the message names the process ·
 * STELE_ECORRUPT, STELE_EVERSION: the newest log is damaged, or a file is missing, so that what is
 * recorded could not be played later; nothing has changed. A snapshot's operations, and those of
 * older logs, are not read here: play them before, as programs do, or check · STELE_ENOSPC ·
 * STELE_EPERM · STELE_EFAILED · STELE_ETOOBIG: no number is left for a file. */
STELE_API STELE_NODISCARD stele_code stele_journal_record(stele_journal *journal, stele_error *err);

/* Log one operation. What has survived when it returns: see stele_journal_durability.
 *
 * STELE_ESTATE: not recording · STELE_EINVAL: not a proper operation · STELE_ETOOBIG ·
 * STELE_ENOSPC · STELE_EFAILED. Then it is not in the journal; after a crash it may be, if
 * the failure was not one of the first three. */
STELE_API STELE_NODISCARD stele_code stele_journal_dump(
        stele_journal *journal, const stele_journal_op *op, stele_error *err);

/* Log several, with nothing of other threads between them: all or none. After a crash a prefix may
 * be left. */
STELE_API STELE_NODISCARD stele_code stele_journal_dump_many(
        stele_journal *journal, const stele_journal_op *ops, size_t count, stele_error *err);

/* As stele_journal_dump(), and it survives a power cut when this returns, whatever the option
 * says. */
STELE_API STELE_NODISCARD stele_code stele_journal_dump_durable(
        stele_journal *journal, const stele_journal_op *op, stele_error *err);

/* All that was dumped before survives a power cut when this returns. STELE_ESTATE: not recording.
 */
STELE_API STELE_NODISCARD stele_code stele_journal_sync(stele_journal *journal, stele_error *err);

/* End the recording: waits for dumps that are under way and for merges that are, or that the limit
 * asks for; makes durable what was dumped, and gives the lock back. Stopped already: nothing to do.
 * STELE_ESTATE: it is playing. After any other failure it is stopped all the same; what was
 * acknowledged as durable is. */
STELE_API STELE_NODISCARD stele_code stele_journal_stop(stele_journal *journal, stele_error *err);

/* Forget everything: all snapshots and logs. While stopped or recording, and in the same state
 * afterwards; recording goes on in a new log. A crash leaves the journal as it was, or empty; on a
 * full disk, where there is no room to make sure of that, it may leave a state that the
 * journal once had. Durable on return. Files in quarantine stay: they hold what recovery has cut.
 * Takes the lock, when stopped.
 *
 * STELE_ESTATE: it is playing · STELE_EBUSY · STELE_ENOSPC · STELE_EIO, STELE_EPERM: it may be
 * cleared; while recording, the handle fails if that is in doubt · STELE_EFAILED. */
STELE_API STELE_NODISCARD stele_code stele_journal_clear(stele_journal *journal, stele_error *err);

/* Merge now, and wait for it: afterwards there is one snapshot, and, when recording, one log.
 * While stopped or recording. Written, synced, renamed, the directory synced, read back; only then
 * the old files go. Takes the lock, when stopped. A journal with nothing but a snapshot (or
 * nothing at all) is left as it is.
 *
 * STELE_ENOSPC, STELE_EIO, STELE_ECORRUPT, STELE_ENOMEM: nothing is lost, and recording goes on,
 * unless the newest log could not be ended: STELE_EFAILED from then on · STELE_ESTATE: it is
 * playing · STELE_EBUSY.
 * Memory: in proportion to the keys that live. */
STELE_API STELE_NODISCARD stele_code stele_journal_snapshot(
        stele_journal *journal, stele_error *err);

/* ---- Playing. ---- */

/* Gets each operation in its order; what it points at is borrowed for the call. A failure ends the
 * play, which returns it; STELE_END ends it well. */
typedef stele_code (*stele_journal_operate)(
        void *arg, const stele_journal_op *op, stele_error *err);

/* A moment in the history of the journal. Both limits hold. */
typedef struct stele_journal_until {
    size_t struct_size;
    uint64_t count; /* so many operations were dumped since the journal was new or cleared */
    int64_t time;   /* end before the first operation with a later timestamp */
} stele_journal_until;

STELE_API void stele_journal_until_init_sized(stele_journal_until *until, size_t struct_size);

/* No limit at all. */
static inline void stele_journal_until_init(stele_journal_until *until)
{
    stele_journal_until_init_sized(until, sizeof *until);
}

#define STELE_JOURNAL_NAME_SIZE 64

typedef struct stele_journal_played {
    uint64_t ops;          /* that were operated, those of the snapshot counted */
    uint64_t snapshot_ops; /* of them */
    /* What was played is the state after so many operations; "until" this count gives it again. */
    uint64_t count;
    int64_t latest; /* the largest timestamp of those; INT64_MIN if there is none */
    /* (Both stay as they are at the start, 0 and INT64_MIN, until the snapshot was operated whole.)
     */
    char snapshot[STELE_JOURNAL_NAME_SIZE]; /* name of the one that was used; "": none */
    /* A newer snapshot was damaged: this is the one before, with its logs. */
    bool fell_back;
    /* The newest log ends in something unfinished, as a crash leaves it, or as a recorder is about
     * to write it. */
    bool torn;
    char torn_file[STELE_JOURNAL_NAME_SIZE];
    uint64_t torn_position;
    uint64_t torn_bytes;
} stele_journal_played;

/* Operate the newest valid snapshot, then every log newer than it. `played` may be NULL; it is set
 * on failures as well, as far as it came. Nothing on disk changes, and no lock is taken.
 *
 * STELE_ESTATE: not stopped · STELE_ECORRUPT: with file and position; what precedes the
 * damage was operated, but nothing of a snapshot that is damaged · STELE_EVERSION · the failure of
 * `operate`. */
STELE_API STELE_NODISCARD stele_code stele_journal_play(stele_journal *journal,
        stele_journal_operate operate, void *arg, stele_journal_played *played, stele_error *err);

/* The same, up to a moment. STELE_ENOTFOUND: it is earlier than the newest snapshot, whose count
 * and time the message names; nothing was operated. A moment behind the end is the end. */
STELE_API STELE_NODISCARD stele_code stele_journal_play_until(stele_journal *journal,
        const stele_journal_until *until, stele_journal_operate operate, void *arg,
        stele_journal_played *played, stele_error *err);

/* ---- Figures. ---- */

typedef struct stele_journal_stats {
    uint64_t count;     /* operations that were dumped since the journal was new or cleared */
    uint64_t snapshots; /* files */
    uint64_t logs;
    uint64_t snapshot_ops;    /* in the newest snapshot */
    uint64_t snapshot_count;  /* operations that it stands for */
    uint64_t snapshot_size;   /* bytes */
    int64_t snapshot_latest;  /* the largest timestamp in it; INT64_MIN without one */
    stele_time snapshot_time; /* when it was made; 0 without one */
    uint64_t log_ops;         /* in the logs behind it */
    uint64_t log_size;        /* bytes */
    int64_t replay_ms;        /* what play() is estimated to take; -1: not known */

    /* Since open. */
    uint64_t dumps; /* operations */
    uint64_t syncs;
    uint64_t merges;
    uint64_t merge_failures;
    uint64_t merge_last_ns; /* how long the last one took */
    bool failed;            /* the handle refuses to record */
} stele_journal_stats;

STELE_API STELE_NODISCARD stele_code stele_journal_stat(
        stele_journal *journal, stele_journal_stats *out, stele_error *err);

/* ---- Directories. ----
 *
 * Beside a recorder, without a lock, changing nothing. Of `opts` (may be NULL) these use env and
 * no_map. A missing directory is STELE_ENOTFOUND. */

/* Only the figures above "since open" are set; replay_ms is -1. */
STELE_API STELE_NODISCARD stele_code stele_journal_stat_dir(const char *dir,
        const stele_journal_options *opts, stele_journal_stats *out, stele_error *err);

/* A fault that was found. Strings are valid during the callback only. */
typedef struct stele_journal_fault {
    const char *file; /* name within the directory */
    int64_t position; /* byte in the file, -1 if it is the whole of it */
    stele_code code;
    const char *text;
} stele_journal_fault;

typedef struct stele_journal_checked {
    uint64_t snapshots; /* files */
    uint64_t logs;
    uint64_t ops; /* whole ones, in all of them */
    uint64_t faults;
} stele_journal_checked;

/* Verify every operation of every snapshot and log, superseded ones too, and that nothing is
 * missing between them. Returns the code of the first fault, STELE_ECORRUPT or STELE_EVERSION;
 * `each` (may be NULL) hears of every one, `out` may be NULL. An unfinished operation at the end of
 * the newest log is a fault; a tail of zeros, unfinished and superseded files, and foreign names
 * are none (`note`, which may be NULL, hears of those). */
STELE_API STELE_NODISCARD stele_code stele_journal_check_dir(const char *dir,
        const stele_journal_options *opts,
        void (*each)(void *arg, const stele_journal_fault *fault),
        void (*note)(void *arg, const char *file, const char *text), void *arg,
        stele_journal_checked *out, stele_error *err);

STELE_END_DECLS

#endif /* STELE_JOURNAL_H */
