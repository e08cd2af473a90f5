/* SPDX-License-Identifier: MIT
 *
 * wal.h: a write-ahead log of numbered binary records.
 *
 * Records have consecutive ids, are appended durably, read in their order or
 * by id, cut at the end (truncate) and dropped at the front (trim). A log is a
 * directory of segments in one of two formats: Stele's own, and that of the
 * `wal` package of blb, byte for byte. stele-wal(5) has the bytes.
 *
 * Threads: any function on a stele_wal may be called from any thread, at the
 * same time, close excepted. An iterator is for one thread at a time.
 * Any number of threads that append at once share one sync.
 *
 * Durability: stele_wal_append() and stele_wal_truncate() return when what
 * they did survives a power cut. What is read is durable: a record becomes
 * visible with its sync, not before.
 *
 * Failures: after a write or a sync failed the handle refuses to write
 * (STELE_EFAILED) and reads on; reopen it to recover. A full disk
 * (STELE_ENOSPC) does not do that: the log is exactly as before the call,
 * reading and trimming work, and appending works again once there is room.
 */
#ifndef STELE_WAL_H
#define STELE_WAL_H

#include <stele/bytes.h>
#include <stele/env.h>

STELE_BEGIN_DECLS

typedef struct stele_wal stele_wal;
typedef struct stele_wal_iter stele_wal_iter;

/* Largest record of the format `blb`; that of the format `stele` is an option. */
#define STELE_WAL_BLB_RECORD_MAX ((uint32_t)1 << 20)

/* Largest value of the option record_size_max. */
#define STELE_WAL_RECORD_MAX ((uint32_t)1 << 29)

/* One append takes at most so many bytes of records, or one record. */
#define STELE_WAL_BATCH_MAX ((size_t)64 << 20)

typedef struct stele_wal_record {
    uint64_t id;
    stele_bytes data; /* nil and empty are the same: no bytes */
} stele_wal_record;

typedef enum stele_wal_format {
    STELE_WAL_ANY = 0, /* in options: that of the files, `stele` for a new log */
    STELE_WAL_STELE = 1,
    STELE_WAL_BLB = 2
} stele_wal_format;

typedef struct stele_wal_options {
    size_t struct_size;
    const stele_env *env;    /* borrowed until close; NULL: the real world */
    stele_wal_format format; /* STELE_EMISMATCH if the files have another one */
    bool create_dirs;        /* make the directory and its parents */
    bool must_exist;         /* STELE_ENOTFOUND instead of a new log */

    /* Read only, without a lock, beside a writer in any process. Changes
     * nothing. A log that a writer could not open can be read up to the damage. */
    bool read_only;

    /* A segment takes records until it has this size. 0: 64 MiB (stele), 4 MiB
     * (blb). At least 4 KiB for stele, at most 1 GiB. */
    uint64_t segment_size;
    uint32_t record_size_max; /* 0: 64 MiB (stele), 1 MiB (blb, where it is the most) */

    int64_t lock_wait_ms; /* wait so long for the lock: 0 does not, STELE_FOREVER for ever */
    bool no_background;   /* prepare segments inside append, without a thread */
    bool no_map;          /* read with pread also where a map would be faster */
    bool no_recycle;      /* remove trimmed segments instead of using them again */

    /* For stele_wal_recover_dir() and stele_wal_migrate_dir(): report what would be
     * done, and change nothing. */
    bool dry_run;
} stele_wal_options;

STELE_API void stele_wal_options_init_sized(stele_wal_options *opts, size_t struct_size);

static inline void stele_wal_options_init(stele_wal_options *opts)
{
    stele_wal_options_init_sized(opts, sizeof *opts);
}

/* Open or create the log in `dir`. `opts` may be NULL and is copied. On
 * success *out is owned by the caller: stele_wal_close().
 *
 * What a crash left is mended: a torn tail was never acknowledged, and is cut
 * (its bytes go to a quarantine file, and the env's log hears of it). Damage
 * that no crash explains is STELE_ECORRUPT, and nothing is changed: the
 * message names the file, the position and the ids; stele_wal_check_dir() lists
 * all, read_only reads what precedes it. That holds for a record that a later
 * one, a seal or a clean close says was durable, for a missing segment, be it
 * the last, and for gaps. Damage to the very last records before a crash
 * cannot be told from a torn tail. In format `blb` only the manifest that Stele
 * keeps beside the files tells what was durable, up to where the reference has
 * appended since; without one, the last file alone can be torn, and the loss of
 * the last file goes unnoticed.
 *
 * STELE_ENOTFOUND: no such directory (and no create_dirs), or no log in it (and
 * must_exist or read_only) · STELE_EBUSY: another writer; the message names the process ·
 * STELE_EMISMATCH · STELE_ECORRUPT · STELE_EVERSION · STELE_EPERM ·
 * STELE_EINVAL. */
STELE_API STELE_NODISCARD stele_code stele_wal_open(
        stele_wal **out, const char *dir, const stele_wal_options *opts, stele_error *err);

/* The same interface on memory alone: nothing survives close. Trims exactly. Of
 * `opts` (may be NULL) only record_size_max counts. */
STELE_API STELE_NODISCARD stele_code stele_wal_open_memory(
        stele_wal **out, const stele_wal_options *opts, stele_error *err);

/* Make durable what stele_wal_append_async() took, write the mark that tells a clean
 * close, and free. No iterator may be open (STELE_ESTATE, and nothing is done). Any other
 * failure is reported, and the log is gone all the same; what was acknowledged is safe.
 * Accepts NULL. */
STELE_API stele_code stele_wal_close(stele_wal *wal, stele_error *err);

/* ---- Writing. ---- */

/* Append records whose ids follow each other and the last one, and return when
 * all of them are durable. An empty log takes any first id. Threads that append
 * at once need to agree about the ids: see stele_wal_append_next(). Appending
 * none is fine.
 *
 * STELE_ECONFLICT: an id does not follow; the message names the one expected ·
 * STELE_ETOOBIG: a record or the batch is over the limit · STELE_EREADONLY · STELE_ENOSPC ·
 * STELE_EFAILED. Then none of the records is there; after a crash a prefix of
 * them may be, if the failure was not one of the first three. */
STELE_API STELE_NODISCARD stele_code stele_wal_append(
        stele_wal *wal, const stele_wal_record *records, size_t count, stele_error *err);

/* The same, the log giving the ids (those of the records are ignored): from *first_id
 * (may be NULL) on; 1 in an empty log. */
STELE_API STELE_NODISCARD stele_code stele_wal_append_next(stele_wal *wal, const stele_bytes *data,
        size_t count, uint64_t *first_id, stele_error *err);

/* A number that stands for an append, for stele_wal_wait(). Never 0; later appends have
 * larger ones. */
typedef uint64_t stele_wal_ticket;

/* As stele_wal_append(), without waiting: the data is copied, the ids are taken, and the
 * records become durable, and visible, soon (with no_background: at the next
 * wait, append or close). If that fails, stele_wal_wait() says so, and the ids are free again. */
STELE_API STELE_NODISCARD stele_code stele_wal_append_async(stele_wal *wal,
        const stele_wal_record *records, size_t count, stele_wal_ticket *ticket, stele_error *err);

/* Wait until an append is durable. `wait` may be NULL: for ever. The result is that of
 * the append; or STELE_ETIMEDOUT, STELE_ECANCELED, which say nothing about it. Any
 * number of threads may wait for one ticket, also again. */
STELE_API STELE_NODISCARD stele_code stele_wal_wait(
        stele_wal *wal, stele_wal_ticket ticket, const stele_wait *wait, stele_error *err);

/* All appends up to *ticket (0: none) have succeeded and are durable, or have failed. NULL
 * for what is not asked for. */
STELE_API STELE_NODISCARD stele_code stele_wal_durable(
        stele_wal *wal, stele_wal_ticket *ticket, stele_error *err);

/* Forget records after `last_to_keep`; durable on return. Appends that were begun before are
 * finished first. Past the end it does nothing; before the first record it empties
 * the log. If it fails, some of the records may still be there, a prefix of
 * them. Iterators in the part that is gone end with STELE_ESTATE. */
STELE_API STELE_NODISCARD stele_code stele_wal_truncate(
        stele_wal *wal, uint64_t last_to_keep, stele_error *err);

/* Allow records up to `discard_up_to` to go. Format `stele`: every segment goes whose
 * last id is not larger, the current one too. Format `blb`: as the reference, whole
 * files in front of the one that holds `discard_up_to`, never the last one. In memory: exactly
 * those records. Works on a full disk. An emptied log takes any next id. */
STELE_API STELE_NODISCARD stele_code stele_wal_trim(
        stele_wal *wal, uint64_t discard_up_to, stele_error *err);

/* ---- Reading. ---- */

/* The first and the last id that are readable. *empty is true, and *id untouched, if there is
 * no record. */
STELE_API STELE_NODISCARD stele_code stele_wal_first_id(
        stele_wal *wal, uint64_t *id, bool *empty, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_wal_last_id(
        stele_wal *wal, uint64_t *id, bool *empty, stele_error *err);

/* The id that the next append must have, those counted that are not durable yet.
 * *any is true if the log takes any id; *id is then 1. */
STELE_API STELE_NODISCARD stele_code stele_wal_next_id(
        stele_wal *wal, uint64_t *id, bool *any, stele_error *err);

/* Append the data of one record to `out`. Does not scan: the position comes from an index.
 * STELE_ENOTFOUND: no such record (any more, or yet) · STELE_ECORRUPT. */
STELE_API STELE_NODISCARD stele_code stele_wal_read(
        stele_wal *wal, uint64_t id, stele_buf *out, stele_error *err);

/* Iterate from the record with this id, or the first one behind it. Sees what is
 * appended later. STELE_END from next() is no end for good: ask again. */
STELE_API STELE_NODISCARD stele_code stele_wal_iter_open(
        stele_wal_iter **out, stele_wal *wal, uint64_t start, stele_error *err);

/* Go to the next record. *record (may be NULL) is borrowed until the next call on the
 * iterator. STELE_END: no more at present · STELE_ESTATE: the place was truncated or
 * trimmed away · STELE_ECORRUPT: with file, position and the ids that cannot be read;
 * stays there. */
STELE_API STELE_NODISCARD stele_code stele_wal_iter_next(
        stele_wal_iter *it, stele_wal_record *record, stele_error *err);

/* The record that next() last returned; STELE_ESTATE if there is none. */
STELE_API STELE_NODISCARD stele_code stele_wal_iter_record(
        const stele_wal_iter *it, stele_wal_record *record, stele_error *err);

/* What ended the iteration: STELE_OK, also at the end, or the error of next(). */
STELE_API STELE_NODISCARD stele_code stele_wal_iter_error(
        const stele_wal_iter *it, stele_error *err);

/* Free; returns what stele_wal_iter_error() would. Accepts NULL. */
STELE_API stele_code stele_wal_iter_close(stele_wal_iter *it, stele_error *err);

/* ---- Figures. ---- */

#define STELE_WAL_LATENCIES 32

typedef struct stele_wal_stats {
    bool empty;
    uint64_t first_id; /* 0 when empty */
    uint64_t last_id;
    uint64_t segments;       /* that hold, or can take, records */
    uint64_t size;           /* bytes of their headers and records */
    stele_wal_format format; /* STELE_WAL_ANY: in memory */

    /* Since open. */
    uint64_t appends; /* calls that succeeded */
    uint64_t records;
    uint64_t bytes;       /* of data */
    uint64_t syncs;       /* of records: records / syncs is how many shared one */
    uint64_t records_max; /* most of one sync */
    uint64_t bytes_max;
    uint64_t rollovers;
    uint64_t recycled; /* segments that were used again */
    /* How many groups took 2^i to 2^(i+1) microseconds from the write to the end of its sync;
     * the first counts all below 2, the last all above. */
    uint64_t latency[STELE_WAL_LATENCIES];
    bool failed; /* the handle refuses to write */
} stele_wal_stats;

STELE_API STELE_NODISCARD stele_code stele_wal_stat(
        stele_wal *wal, stele_wal_stats *out, stele_error *err);

/* ---- Directories. ----
 *
 * Of `opts` (may be NULL) these use env, format, segment_size, record_size_max, lock_wait_ms and
 * dry_run. A missing directory, or one without a log, is STELE_ENOTFOUND. */

/* Beside a writer; takes no lock. Only the figures above "since open" are set. */
STELE_API STELE_NODISCARD stele_code stele_wal_stat_dir(
        const char *dir, const stele_wal_options *opts, stele_wal_stats *out, stele_error *err);

/* A fault that was found. Strings are valid during the callback only. */
typedef struct stele_wal_fault {
    const char *file;  /* name within the directory */
    int64_t position;  /* byte in the file, -1 if it is the whole of it */
    bool ids_known;    /* the two below are set */
    uint64_t first_id; /* of the records that cannot be read */
    uint64_t last_id;
    stele_code code; /* STELE_ECORRUPT, STELE_EVERSION … */
    const char *text;
} stele_wal_fault;

typedef struct stele_wal_checked {
    uint64_t segments;
    uint64_t records; /* whole ones */
    uint64_t faults;
} stele_wal_checked;

/* Verify every record of every segment, the seals and the manifest. Takes no lock; beside a
 * writer, what it is writing is left out. Returns STELE_ECORRUPT if there were faults; `each`
 * (may be NULL) hears of every one, `out` may be NULL. An unfinished record at the end, as a
 * crash leaves it, is a fault (with no ids); a tail of zeros is none. Nor are files with foreign
 * names: `each` hears of them with the code STELE_OK, and they are not counted. */
STELE_API STELE_NODISCARD stele_code stele_wal_check_dir(const char *dir,
        const stele_wal_options *opts, void (*each)(void *arg, const stele_wal_fault *fault),
        void *arg, stele_wal_checked *out, stele_error *err);

/* What recovery did, told as it happens; any function may be NULL. */
typedef struct stele_wal_recover_events {
    void *arg;
    void (*lost)(void *arg, uint64_t first, uint64_t last); /* ids that the log held, and lost */
    void (*quarantine)(void *arg, const char *file);        /* where cut bytes went */
} stele_wal_recover_events;

typedef struct stele_wal_recovered {
    uint64_t segments;
    uint64_t records;   /* kept */
    uint64_t cut_bytes; /* moved to quarantine */
} stele_wal_recovered;

/* Make a damaged log one that opens: keep the records before the first damage, since ids
 * have no gaps; move all behind it, whole segments too, to quarantine files; make the
 * manifest again. Takes the writer's lock. Durable when it returns; doing it again changes
 * nothing. A crash meanwhile may leave a log that does not open before it is recovered again; no
 * record that it was to keep is lost. */
STELE_API STELE_NODISCARD stele_code stele_wal_recover_dir(const char *dir,
        const stele_wal_options *opts, const stele_wal_recover_events *events,
        stele_wal_recovered *out, stele_error *err);

/* Bring a log into the other format, with the same records. Takes the writer's lock; a crash
 * leaves it in one of the two. STELE_ETOOBIG: a record is too long for `blb` · STELE_ECORRUPT.
 * `segments` and `migrated` (files that were rewritten; may be NULL) count. */
STELE_API STELE_NODISCARD stele_code stele_wal_migrate_dir(const char *dir,
        const stele_wal_options *opts, stele_wal_format format, uint64_t *segments,
        uint64_t *migrated, stele_error *err);

STELE_END_DECLS

#endif /* STELE_WAL_H */
