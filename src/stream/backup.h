/* SPDX-License-Identifier: MIT
 *
 * backup.h: copying segments into another directory, and bringing a copy up to date.
 *
 * A target may hold an earlier copy: a stream whose every message is either
 * the source's message of that offset, or one that the source has no more.
 * At least one must be the source's. Anything else is not touched.
 *
 * Files are written under temporary names, synced and renamed; those that
 * are right already stay. What the source has no more goes last. The copy is
 * read back before it counts.
 */
#ifndef STI_STREAM_BACKUP_H
#define STI_STREAM_BACKUP_H

#include "stream/index_format.h"
#include "vfs/vfs.h"

struct sti_backup_segment {
    int64_t base;
    uint64_t len;         /* bytes of the log, up to the end of a whole message */
    const uint8_t *items; /* its index, or NULL: it is made from the log */
    uint64_t count;       /* of the items */
};

/* What to copy. read() gives `len` bytes of a segment's log, from `at` on;
 * they must not change while the copy is made. */
struct sti_backup_source {
    const struct sti_backup_segment *segments; /* by rising base; the last has the next offset */
    size_t count;
    int64_t next_offset;
    struct sti_index_params params;
    stele_code (*read)(
            void *arg, size_t segment, uint64_t at, uint8_t *out, size_t len, stele_error *err);
    void *arg;
};

/* STELE_EEXIST: the target holds something else. STELE_ECORRUPT: a log of the
 * source is damaged, or the copy is not what was written. `out` may be NULL. */
stele_code sti_backup_run(const stele_env *env, const struct sti_backup_source *source,
        const char *target, stele_stream_copied *out, stele_error *err);

#endif /* STI_STREAM_BACKUP_H */
