/* SPDX-License-Identifier: MIT
 *
 * wal.h: the facade of the module: what a handle is, on files or in memory.
 *
 * The public functions check their arguments and call through a table. Journal and store use
 * the public interface, and the parts that stand on single files: format.h, commit.h, segment.h and
 * what listing.h has of quarantine, by way of this header.
 */
#ifndef STI_WAL_WAL_H
#define STI_WAL_WAL_H

#include <stele/wal.h>

#include "wal/commit.h"
#include "wal/format.h"
#include "wal/listing.h"
#include "wal/segment.h"

struct sti_wal_ops {
    stele_code (*close)(stele_wal *w, stele_error *err);
    /* Arguments are checked: no data that is NULL with a length, sizes within the limits; count
     * may be 0. `records` NULL: the log gives the ids, *first_id (may be NULL) says which. With
     * `ticket` it does not wait. */
    stele_code (*append)(stele_wal *w, const stele_wal_record *records, const stele_bytes *data,
            size_t count, uint64_t *first_id, stele_wal_ticket *ticket, stele_error *err);
    stele_code (*wait)(
            stele_wal *w, stele_wal_ticket ticket, const stele_wait *wait, stele_error *err);
    stele_wal_ticket (*durable)(stele_wal *w);
    stele_code (*truncate)(stele_wal *w, uint64_t last_to_keep, stele_error *err);
    stele_code (*trim)(stele_wal *w, uint64_t discard_up_to, stele_error *err);
    void (*bounds)(stele_wal *w, uint64_t *first, uint64_t *last, bool *empty);
    void (*next_id)(stele_wal *w, uint64_t *id, bool *any);
    stele_code (*read)(stele_wal *w, uint64_t id, stele_buf *out, stele_error *err);
    stele_code (*iter_open)(stele_wal_iter **out, stele_wal *w, uint64_t start, stele_error *err);
    stele_code (*stat)(stele_wal *w, stele_wal_stats *out, stele_error *err);
};

struct stele_wal {
    const struct sti_wal_ops *ops;
    uint32_t record_max;
    bool read_only;
};

/* ---- wal.c ---- */

/* A copy of the caller's options (may be NULL), checked as far as the format does not matter.
 * STELE_EINVAL. */
stele_code sti_wal_options_copy(
        stele_wal_options *out, const stele_wal_options *in, stele_error *err);
/* Fill in the defaults that depend on the format, which is known now, and check them:
 * segment_size and record_size_max. STELE_EINVAL. */
stele_code sti_wal_options_resolve(
        stele_wal_options *opts, stele_wal_format format, stele_error *err);

/* An iterator of either kind begins with this. */
struct sti_wal_iter_ops {
    stele_code (*next)(stele_wal_iter *it, stele_wal_record *record, stele_error *err);
    void (*close)(stele_wal_iter *it);
};

struct stele_wal_iter {
    const struct sti_wal_iter_ops *ops;
    bool has_record;
    stele_wal_record record;
    stele_error error; /* code STELE_OK: none */
};

#endif /* STI_WAL_WAL_H */
