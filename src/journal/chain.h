/* SPDX-License-Identifier: MIT
 *
 * chain.h: which files make up a journal: a snapshot and the logs behind it, without a gap.
 *
 * The newest snapshot counts whose bytes are whole and behind which no operation is missing. Older
 * snapshots and logs are superseded: a merge or a clear removes them once its snapshot was read
 * back; while they are there, they stand in for a snapshot that is damaged.
 */
#ifndef STI_JOURNAL_CHAIN_H
#define STI_JOURNAL_CHAIN_H

#include "journal/file.h"

struct sti_journal_listed {
    enum sti_journal_name_kind kind;
    uint64_t number;
};

struct sti_journal_chain {
    struct sti_journal_file snap;  /* closed: there is none */
    struct sti_journal_end end;    /* of the snapshot; all 0 (latest INT64_MIN) without one */
    struct sti_journal_file *logs; /* owned, ascending; each goes on where the one before ends */
    size_t log_count;
    /* What is there besides: superseded logs and snapshots, unfinished ones, all by number. */
    struct sti_journal_listed *old;
    size_t old_count;
    /* Snapshots newer than `snap` that are damaged; `bad_why` says what the newest one has. */
    struct sti_journal_listed *bad;
    size_t bad_count;
    stele_error bad_why;
    uint64_t highest; /* largest number of any of our names; 0: none */
};

enum sti_journal_depth {
    STI_CHAIN_VERIFIED, /* the snapshot is read from end to end */
    STI_CHAIN_SHALLOW /* its header and end alone, unless that matters: there are other candidates,
                         or superseded files */
};

/* Opens all files before it looks into any, and begins anew if one is gone meanwhile (a recorder
 * has merged). STELE_ECORRUPT: no snapshot is whole and complete, or operations are missing between
 * files; the message names the file and the operations. A journal without files is an empty chain.
 */
stele_code sti_journal_chain_load(struct sti_journal_chain *c, struct sti_dir *dir,
        enum sti_journal_depth depth, bool no_map, stele_error *err);
void sti_journal_chain_free(struct sti_journal_chain *c);

/* What the newest log holds, by wal's scan: where it ends, whether it is torn, sealed or damaged.
 * Other logs are ended by the first operation of the next one. */
stele_code sti_journal_log_scan(
        struct sti_journal_file *log, struct sti_scan *out, stele_error *err);

#endif /* STI_JOURNAL_CHAIN_H */
