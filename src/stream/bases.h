/* SPDX-License-Identifier: MIT
 *
 * bases.h: which segments a stream has.
 */
#ifndef STI_STREAM_BASES_H
#define STI_STREAM_BASES_H

#include "stream/leftovers.h"

struct sti_bases {
    int64_t *bases; /* rising */
    uint64_t *ids;  /* of the log files; all 0 unless asked for */
    uint64_t *sizes;
    size_t count;
};

/* The logs of a listing that are no leftovers; replaces what the list held.
 * With `stats` each log file's id and size, too: files that vanish meanwhile
 * are left out. */
stele_code sti_bases_read(struct sti_bases *list, struct sti_dir *dir,
        const struct sti_listing *listing, const struct sti_leftovers *leftovers, bool stats,
        stele_error *err);
void sti_bases_free(struct sti_bases *list);

#endif /* STI_STREAM_BASES_H */
