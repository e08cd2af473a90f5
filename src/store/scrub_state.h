/* SPDX-License-Identifier: MIT
 *
 * scrub_state.h: what the parts of a scrub know of each other.
 */
#ifndef STI_STORE_SCRUB_STATE_H
#define STI_STORE_SCRUB_STATE_H

#include "store/buckets.h"
#include "store/scrub.h"

/* Numbers of buckets that were met, in the order of their names. */
struct sti_scrub_numbers {
    uint32_t *list;
    size_t count;
    size_t capacity;
};

struct sti_scrub {
    struct sti_faults *faults;
    struct sti_lmdb_txn *txn;
    const struct sti_deadline *deadline;
    char file[STI_DATA_NAME_SIZE];
    bool has_commit; /* the record is whole */
    struct sti_commit_record commit;
    struct sti_scrub_numbers live;
    struct sti_scrub_numbers garbage;
    uint64_t hash;    /* of the buckets */
    uint64_t entries; /* of LMDB's main tree, that belong to something */
};

/* Tell a fault of a bucket, or of a key in it. */
void sti_scrub_tell(struct sti_scrub *s, stele_bytes bucket, stele_bytes key, stele_code code,
        const char *text);

/* Tell it if it is one; other codes are returned. */
stele_code sti_scrub_take(struct sti_scrub *s, stele_bytes bucket, stele_bytes key, stele_code code,
        const stele_error *why, stele_error *err);

/* Every entry of a bucket, compared with what its record says. */
stele_code sti_scrub_bucket(struct sti_scrub *s, struct sti_lmdb_cursor *raw, stele_bytes name,
        const struct sti_bucket *bucket, stele_error *err);

#endif /* STI_STORE_SCRUB_STATE_H */
