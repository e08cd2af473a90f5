/* SPDX-License-Identifier: MIT
 *
 * chain.h: which files make up a journal: a snapshot and the logs behind it, without a gap.
 *
 * The newest snapshot counts whose bytes are whole and behind which no operation is missing. Older
 * snapshots and logs are superseded: a merge or a clear removes them once its snapshot was read
 * back; while they are there, they stand in for a snapshot that is damaged: if they reach just up
 * to where that one ends, or else a log goes on behind it where they end. Otherwise operations are
 * missing.
 */
#ifndef STI_JOURNAL_CHAIN_H
#define STI_JOURNAL_CHAIN_H

#include "journal/file.h"
#include "journal/listing.h"

struct sti_journal_chain {
    struct sti_journal_file snap;  /* closed: there is none */
    struct sti_journal_end end;    /* of the snapshot; all 0 (latest INT64_MIN) without one */
    struct sti_journal_file *logs; /* owned, ascending; each goes on where the one before ends */
    size_t log_count;
    /* How many of them come up to the newest one that has a header. Those behind it are prepared,
     * or were never begun; of those before it, each without a header (first_op 0) has no operation.
     */
    size_t begun_count;
    /* What is there besides: superseded logs and snapshots, unfinished ones, all by number. */
    struct sti_journal_listed *old;
    size_t old_count;
    /* Snapshots newer than `snap` that are damaged, by number; `bad_why` says what the newest one
     * has. */
    struct sti_journal_listed *bad;
    size_t bad_count;
    stele_error bad_why;
    uint64_t bad_first_op; /* what the newest one stands for ends before this; 0: not known */
    uint64_t highest;      /* largest number of any of our names; 0: none */
    bool verified;         /* every byte of the snapshot was */
    stele_error gap;       /* STI_CHAIN_PLAYED: what is wrong behind the last log; or STELE_OK */
    bool no_map;
};

enum sti_journal_depth {
    STI_CHAIN_VERIFIED, /* the snapshot is read from end to end */
    STI_CHAIN_SHALLOW, /* its header and end alone, unless that matters: there are other candidates,
                          or superseded files */
    STI_CHAIN_PLAYED   /* as VERIFIED; and where operations are missing between files, those in
                          front of the gap are a chain, too */
};

/* Opens the files, and begins anew if one is gone meanwhile, or the directory has changed when
 * something seems to be wrong: a recorder has merged. Logs are looked into no further than their
 * header, so what is missing within one is found when it is read; but after falling back to an
 * older snapshot they are, up to the newest. That one is not mapped, since a recorder may make its
 * file shorter. STELE_ECORRUPT: no snapshot is whole and complete, or operations are missing
 * between files (but see STI_CHAIN_PLAYED); the message names the file and the operations. A
 * journal without files is an empty chain.
 */
stele_code sti_journal_chain_load(struct sti_journal_chain *c, struct sti_dir *dir,
        enum sti_journal_depth depth, bool no_map, stele_error *err);
void sti_journal_chain_free(struct sti_journal_chain *c);

/* The number of the operation that ends log `i`: the first one of the next log that has a header.
 * UINT64_MAX: it is the newest. */
uint64_t sti_journal_chain_limit(const struct sti_journal_chain *c, size_t i);

/* What the newest log holds, by wal's scan: where it ends, whether it is torn, sealed or damaged.
 * Other logs are ended by the first operation of the next one. Fills the segment's index, as a seal
 * needs it. */
stele_code sti_journal_log_scan(
        struct sti_journal_file *log, struct sti_scan *out, stele_error *err);

#endif /* STI_JOURNAL_CHAIN_H */
