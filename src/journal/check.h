/* SPDX-License-Identifier: MIT
 *
 * check.h: what a check of a directory finds, before it is told.
 *
 * Beside a recorder a fault may be a change that is under way. So a directory with faults is looked
 * at once more, and only what is found when nothing has changed is told.
 */
#ifndef STI_JOURNAL_CHECK_H
#define STI_JOURNAL_CHECK_H

#include "journal/chain.h"

/* A log that is whole as far as it goes. */
struct sti_journal_extent {
    uint64_t number;
    uint64_t end;
    uint64_t next_op;
};

/* One look at a directory. Zero-initialised. */
struct sti_journal_look {
    struct sti_dir *dir;
    bool no_map;
    struct sti_journal_listing listing;
    stele_error *faults; /* owned; with file and position; one for a file */
    size_t fault_count;
    size_t fault_capacity;
    struct sti_journal_extent *extents; /* owned */
    size_t extent_count;
    uint64_t snapshots;
    uint64_t logs;
    uint64_t ops;
    struct sti_journal_chain chain;
    bool vanished; /* a file that was listed is gone */
};

/* Look at every file by itself, then at the chain. Failures are those of looking, not faults. */
stele_code sti_journal_look_at(
        struct sti_journal_look *look, struct sti_dir *dir, bool no_map, stele_error *err);
void sti_journal_look_free(struct sti_journal_look *look);

#endif /* STI_JOURNAL_CHECK_H */
