/* SPDX-License-Identifier: MIT
 *
 * state.h: a journal's handle, and who may do what when.
 *
 * - state is the mutex of the moves between the states: record, stop, clear, snapshot and the
 *   beginning and end of a play take turns, and hold it as long as they last (a play does not).
 * - merge is the mutex of all that changes which files there are while it records: a new log, a
 *   merge, a clear.
 * - commit is group commit (wal/commit.h). Being its leader is the right to write to the newest log
 *   and to put another one in its place.
 *
 * Order: state, merge, then leadership, and commit's mutex for moments. No input or output under
 * commit's mutex. The thread takes merge, never state: so stop() can wait for it. A dump takes
 * merge only when it is not the leader. What is to be logged is noted, and told when no lock is
 * held.
 *
 * How the files change, and why a crash does no harm:
 *
 * - Record: what a crash left is settled (settle.c), durably; then a new log is made, with its
 *   header, synced and named.
 * - Dump: frames go behind the published end of the newest log, into blocks that are there already:
 *   so what was acknowledged in memory alone is not lost to a full disk.
 * - Switch: the next log is made and named first, without a header: it is of no account. Then the
 *   leader ends the newest log with a seal, synced, and writes the header of the next. So a log
 *   with a header says that the one before it is whole.
 * - Merge: the snapshot's number lies between the last log that it merges and the next: it counts
 *   from the moment on at which it has its name, and is whole then. Only when it has been read back
 *   the files that it replaces go, in any order.
 * - Clear: an empty snapshot with a number above all: from then on there is nothing.
 */
#ifndef STI_JOURNAL_STATE_H
#define STI_JOURNAL_STATE_H

#include "base/thread.h"
#include "journal/chain.h"

enum {
    STI_JOURNAL_NOTES = 4,
    STI_JOURNAL_NOTE_SIZE = 384
};

/* The files of a recording. */
struct sti_journal_figures {
    bool has_snap;
    uint64_t snap_number;
    uint64_t snap_size;
    struct sti_journal_end end; /* of the snapshot; as in a chain */
    uint64_t sealed_logs;       /* behind it, without the newest one */
    uint64_t sealed_size;       /* their bytes */
};

struct stele_journal {
    stele_env env;
    stele_journal_options options; /* but for the limit set for good; all set, no zeros that mean
                                      defaults */
    struct sti_dir dir;
    struct sti_commit *commit;
    uint64_t log_max; /* STI_JOURNAL_LOG_MAX; tests lower it before they record */

    /* state */
    struct sti_mutex state_mutex;
    struct sti_file lock; /* held while recording */

    /* A sync of the directory has failed, so files that are not to be seen may be there after a
     * crash. They are superseded, as long as a snapshot says so. */
    _Atomic bool names_in_doubt;

    /* A stele_journal_state. Changed under state's mutex, to and from recording under commit's as
     * well. */
    _Atomic int state;

    /* merge */
    struct sti_mutex merge_mutex;
    uint64_t highest; /* number of a file of ours, while recording */

    /* Leader; not NULL while recording. Its index grows under commit's mutex, with what is pending.
     */
    struct sti_segment *head;
    bool synced; /* what is written for the present batch, is */

    _Atomic int failed;    /* a stele_code: why the handle refuses to record, or STELE_OK */
    char failed_text[256]; /* set before `failed` is, by whoever comes first (commit's mutex) */

    /* commit's mutex, while recording */
    uint64_t next_op;     /* of the next dump, pending ones counted */
    uint64_t tail;        /* where the next frame goes in head, pending ones counted */
    uint64_t durable_end; /* so many bytes of the head are durable; set by the leader */
    uint64_t durable_op;  /* the operations before this one are; set by the leader */
    /* STELE_JOURNAL_STOP: the leader syncs until the operations before this one are durable. */
    _Atomic uint64_t sync_upto;
    struct sti_journal_figures figures;
    uint64_t pending_since; /* no thread: when the first of what is pending was added */

    /* commit's mutex: when to merge */
    uint64_t limit;
    bool merging;
    uint64_t retry_size;  /* after a failure: not before the logs have so many bytes, */
    uint64_t retry_ops;   /* or for the target, so many operations */
    uint64_t play_op_ns;  /* of an operation, by the last play; 0: not known */
    uint64_t merge_op_ns; /* by the last merge */
    stele_journal_stats since_open;

    /* commit's mutex: what is to be logged */
    char notes[STI_JOURNAL_NOTES][STI_JOURNAL_NOTE_SIZE];
    size_t note_count; /* may be larger: so many were not kept */

    /* The thread that merges, and flushes when an interval is over. */
    struct sti_mutex work_mutex; /* STI_RANK_JOURNAL_WORK */
    struct sti_cond work_wake;
    _Atomic bool work_running;
    bool work_stop;
    bool work_interval; /* something is pending since then: */
    int64_t work_since;
    _Atomic bool work_flush;
    _Atomic bool work_merge;
    struct sti_thread work_thread;
};

/* ---- options.c ---- */

/* A copy of the caller's options (may be NULL), with the defaults filled in. STELE_EINVAL. */
stele_code sti_journal_options_copy(
        stele_journal_options *out, const stele_journal_options *in, stele_error *err);

/* ---- fail.c ---- */

/* Make the handle refuse to record from now on; returns `code`. Not under commit's mutex. */
stele_code sti_journal_fail(stele_journal *j, stele_code code, const stele_error *why);
/* The same after a write or sync that left the disk in doubt: then a full disk is STELE_EIO. */
stele_code sti_journal_fail_in_doubt(stele_journal *j, stele_code rc, stele_error *err);
/* STELE_EFAILED with the reason, if so. */
stele_code sti_journal_check_usable(const stele_journal *j, stele_error *err);

/* Keep a line for the log; not under commit's mutex. */
void sti_journal_note(stele_journal *j, const char *format, ...) STELE_PRINTF(2, 3);
/* Log what was noted. Not under any lock. */
void sti_journal_tell(stele_journal *j);

/* ---- journal.c ---- */

/* What a call does while the journal records, and what while it is stopped, under state_mutex;
 * while it plays it is refused. `what` is for the error. */
stele_code sti_journal_by_state(stele_journal *j,
        stele_code (*recording)(stele_journal *j, stele_error *err),
        stele_code (*stopped)(stele_journal *j, stele_error *err), const char *what,
        stele_error *err);

/* ---- log.c: one log, for writing. ---- */

/* Make a file for the log with that number: with blocks, synced and named. With first_op it has a
 * header, else sti_journal_log_begin() is to write it. On failure there is none. */
stele_code sti_journal_log_new(stele_journal *j, uint64_t number, uint64_t first_op,
        struct sti_segment **out, stele_error *err);
/* Remove one that was not begun, and drop it. */
void sti_journal_log_forget(stele_journal *j, struct sti_segment *log);
/* Write the header. */
stele_code sti_journal_log_begin(struct sti_segment *log, uint64_t first_op, stele_error *err);
/* Have blocks up to `to` at least. */
stele_code sti_journal_log_extend(
        stele_journal *j, struct sti_segment *log, uint64_t to, stele_error *err);
/* Write the seal behind the end, of which so many bytes are durable. *end is behind it. */
stele_code sti_journal_log_seal(
        struct sti_segment *log, uint64_t durable, uint64_t *end, stele_error *err);
/* Have nothing behind the published end, durably. */
stele_code sti_journal_log_put_back(stele_journal *j, struct sti_segment *log, stele_error *err);

/* ---- files.c: which files there are. ---- */

/* Sync the directory. A failure leaves names in doubt: files that were removed may come back. */
stele_code sti_journal_sync_names(stele_journal *j, stele_error *err);

/* The next number for a file when `highest` is the largest there is; numbers below it by less than
 * `room` are free as well. */
stele_code sti_journal_new_number(
        const stele_journal *j, uint64_t highest, uint64_t room, uint64_t *out, stele_error *err);
/* Remove a file; what fails is noted, since the next recorder removes what is left over. */
void sti_journal_remove(stele_journal *j, enum sti_journal_name_kind kind, uint64_t number);
/* Remove what a merge of this chain into that snapshot has replaced, and sync the directory. */
void sti_journal_remove_merged(
        stele_journal *j, const struct sti_journal_chain *chain, uint64_t number);

/* ---- settle.c: what a crash left. ---- */

/* With the lock held, and nobody recording: load the chain; put damaged snapshots aside; mend the
 * newest log, or remove it if it is empty; remove what is superseded and unfinished. All of it
 * durable on return. *next_op is what the next log begins with; the chain is the one of before,
 * without what was removed. STELE_ECORRUPT, STELE_EVERSION: nothing has changed. */
stele_code sti_journal_settle(stele_journal *j, struct sti_journal_chain *chain,
        enum sti_journal_depth depth, uint64_t *next_op, stele_error *err);

/* ---- write.c ---- */

extern const struct sti_commit_ops sti_journal_commit_ops;

/* As the leader with nothing pending: what is written becomes durable, if it is not. */
stele_code sti_journal_sync_head(stele_journal *j, stele_error *err);
/* What the next dump builds on is the published end of the head. Under commit's mutex. */
void sti_journal_rebase_locked(stele_journal *j);

/* ---- switch.c ---- */

/* Go on in a new log, if the present one has operations. With STELE_ENOSPC nothing has changed. */
stele_code sti_journal_switch_locked(stele_journal *j, stele_error *err)
        STI_REQUIRES(j->merge_mutex);

/* ---- snapshot.c ---- */

/* While recording: switch, merge, and remove what was merged, unless there is nothing to merge. */
stele_code sti_journal_merge_locked(stele_journal *j, stele_error *err)
        STI_REQUIRES(j->merge_mutex);
/* Merge once, if it is time to. A failure is noted. Then tells. */
void sti_journal_merge_if_wanted(stele_journal *j) STI_EXCLUDES(j->merge_mutex);
/* Whether limit or target ask for a merge. Under commit's mutex. */
bool sti_journal_wants_merge_locked(const stele_journal *j);
/* What a play of so many operations is estimated to take. Under commit's mutex. */
uint64_t sti_journal_estimate_ns_locked(const stele_journal *j, uint64_t ops);

/* ---- record.c, stop.c ---- */

/* Set what a recording counts, from a settled chain. */
void sti_journal_figures_of(struct sti_journal_figures *out, const struct sti_journal_chain *chain);
stele_code sti_journal_stop_locked(stele_journal *j, stele_error *err) STI_REQUIRES(j->state_mutex);

/* ---- work.c ---- */

stele_code sti_journal_work_start(stele_journal *j, stele_error *err);
/* Waits until nothing is to be done, a merge that is wanted included. */
void sti_journal_work_stop(stele_journal *j);
void sti_journal_work_flush(stele_journal *j);
void sti_journal_work_merge(stele_journal *j);
/* Something is pending from now on. */
void sti_journal_work_pending(stele_journal *j);

#endif /* STI_JOURNAL_STATE_H */
