/* SPDX-License-Identifier: MIT
 *
 * readers.h: the list of readers, of this process and of others.
 */
#ifndef STI_STORE_READERS_H
#define STI_STORE_READERS_H

#include "store/state.h"

struct sti_reader {
    stele_store_reader reader; /* pinned_bytes is not filled in */
    uint64_t txn_id;           /* that it sees */
    struct sti_store_slot *slot;
    uint64_t began_ns; /* of a slot */
    uint64_t old_size; /* it pins an old generation's file, of so many bytes; else 0 */
};

struct sti_readers {
    stele_store *s;
    struct sti_reader *list;
    size_t count;
    size_t capacity;
};

/* All that there are now. To be freed, also on failure. */
stele_code sti_readers_list(struct sti_readers *out, stele_store *s, stele_error *err);
void sti_readers_free(struct sti_readers *r);

/* Fill in pinned_bytes of all in the list, by a read of its own. */
stele_code sti_readers_measure(struct sti_readers *r, stele_error *err);

#endif /* STI_STORE_READERS_H */
