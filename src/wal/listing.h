/* SPDX-License-Identifier: MIT
 *
 * listing.h: the files of a log's directory, and bytes that go to quarantine in it.
 */
#ifndef STI_WAL_LISTING_H
#define STI_WAL_LISTING_H

#include "vfs/vfs.h"
#include "wal/names.h"

struct sti_wal_listed {
    enum sti_wal_name_kind kind;
    uint64_t number; /* of a segment */
    char name[STI_WAL_NAME_SIZE];
};

/* By kind, then number. Zero-initialised is empty. */
struct sti_wal_listing {
    struct sti_wal_listed *items;
    size_t count;
    size_t capacity;
};

/* Foreign names are left out. */
stele_code sti_wal_listing_read(
        struct sti_wal_listing *list, struct sti_dir *dir, stele_error *err);
void sti_wal_listing_free(struct sti_wal_listing *list);
/* Where the names of a kind begin, and *count, how many there are. */
const struct sti_wal_listed *sti_wal_listing_of(
        const struct sti_wal_listing *list, enum sti_wal_name_kind kind, size_t *count);

/* Copy [at, end) of the file `name`, which is open as `from`, into a quarantine file, durably (file
 * and name). `out` gets its name. If the very same bytes are there from a try that crashed, that
 * file is used; other content under the name moves the number in it up. */
stele_code sti_wal_quarantine(struct sti_dir *dir, struct sti_file *from, const char *name,
        uint64_t at, uint64_t end, char out[STI_WAL_NAME_SIZE], stele_error *err);

/* Rename a whole file into quarantine, durably. Needs no space. */
stele_code sti_wal_quarantine_file(
        struct sti_dir *dir, const char *name, char out[STI_WAL_NAME_SIZE], stele_error *err);

#endif /* STI_WAL_LISTING_H */
