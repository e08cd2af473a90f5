/* SPDX-License-Identifier: MIT
 *
 * listing.h: the logs, snapshots and unfinished snapshots that a directory has.
 */
#ifndef STI_JOURNAL_LISTING_H
#define STI_JOURNAL_LISTING_H

#include "journal/names.h"
#include "vfs/vfs.h"

struct sti_journal_listed {
    enum sti_journal_name_kind kind;
    uint64_t number;
};

/* By number, then kind. Zero-initialised is empty. */
struct sti_journal_listing {
    struct sti_journal_listed *items;
    size_t count;
    size_t capacity;
    size_t leftovers; /* names of STI_JOURNAL_NAME_LEFTOVER */
};

/* Read it anew. */
stele_code sti_journal_listing_read(
        struct sti_journal_listing *list, struct sti_dir *dir, stele_error *err);
void sti_journal_listing_free(struct sti_journal_listing *list);
bool sti_journal_listing_equal(
        const struct sti_journal_listing *a, const struct sti_journal_listing *b);

#endif /* STI_JOURNAL_LISTING_H */
