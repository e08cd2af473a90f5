/* SPDX-License-Identifier: MIT
 *
 * fleet_memory.h: a log in memory, as reconciliation and the core of a fleet see one.
 *
 * A sorted array, with what stands before each place added up: everything is as simple as it can
 * be, and fast to read. Failures end the test.
 */
#ifndef TESTS_LIB_FLEET_MEMORY_H
#define TESTS_LIB_FLEET_MEMORY_H

#include "fleet/set.h"

struct fleet_item {
    uint8_t *bytes; /* of the entry; the key behind it */
    size_t len;
    stele_bytes key;
    uint8_t hash[STI_DOCS_HASH_SIZE];
    struct sti_docs_aggregate before;
};

/* Zero-initialised is empty. */
struct fleet_memory {
    struct fleet_item *items;
    size_t count;
    size_t capacity;
    size_t summed; /* so many have `before` */
    bool unsorted;
    unsigned sums; /* how many ranges were added up */
};

void fleet_memory_free(struct fleet_memory *m);

/* As a database does: of two entries with the same key the one of the higher rank stays. Whether
 * anything changed. The entry is valid. */
bool fleet_memory_add(struct fleet_memory *m, stele_bytes entry);
/* With a hash that is not that of the entry, and no entry; the key is not there yet. Cheap. */
void fleet_memory_add_raw(
        struct fleet_memory *m, stele_bytes key, const uint8_t hash[STI_DOCS_HASH_SIZE]);

/* NULL: it is not there. */
const struct fleet_item *fleet_memory_find(struct fleet_memory *m, stele_bytes key);
/* Drop what is below a bound, but what `keep` (may be NULL) says. */
void fleet_memory_trim(struct fleet_memory *m, stele_bytes bound,
        bool (*keep)(void *arg, const struct fleet_item *item), void *arg);

bool fleet_memory_equal(struct fleet_memory *a, struct fleet_memory *b);

/* For reading; `arg` is the memory. */
extern const struct sti_fleet_set_ops fleet_memory_set;

/* The place of the first item at or above a bound; nil: the end of all. */
size_t fleet_memory_place(struct fleet_memory *m, stele_bytes bound);

#endif /* TESTS_LIB_FLEET_MEMORY_H */
