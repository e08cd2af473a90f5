/* SPDX-License-Identifier: MIT
 *
 * map.h: a hash map from bytes to a 64-bit value.
 *
 * Keys are copied. A map only grows: entries are not removed one by one.
 * Open addressing with linear probing, at most three quarters full; a slot
 * holds the whole hash, so that probing past other keys and growing never
 * touch their bytes.
 *
 * Keys come from outside, and whoever chooses them must not be able to make
 * them collide, or every look-up would visit all entries. So the hash is
 * SipHash-1-3 under a secret seed. Nothing that a caller can see depends on
 * the seed: a map cannot be iterated.
 *
 * Threads: as for any plain value.
 */
#ifndef STI_BASE_MAP_H
#define STI_BASE_MAP_H

#include <stele/bytes.h>

#include "base/arena.h"

struct sti_bytemap_slot;

struct sti_bytemap {
    struct sti_bytemap_slot *slots;
    size_t slot_count; /* a power of two, or 0 */
    size_t count;      /* of entries */
    uint64_t seed[2];
    struct sti_arena entries;
};

/* Takes no memory yet. */
void sti_bytemap_init(struct sti_bytemap *m, uint64_t seed0, uint64_t seed1);

/* Free the memory, and return to the state after sti_bytemap_init(). */
void sti_bytemap_free(struct sti_bytemap *m);

/* The value of a key, to read or change until the map is freed; NULL if the
 * key is not there. Nil and empty are the same key. */
uint64_t *sti_bytemap_find(const struct sti_bytemap *m, stele_bytes key);

/* The same, but a key that is not there is added with the value 0, and
 * *added says so. STELE_ENOMEM, STELE_ETOOBIG for keys of 4 GiB and more; the
 * map is then as before. */
stele_code sti_bytemap_put(
        struct sti_bytemap *m, stele_bytes key, uint64_t **value, bool *added, stele_error *err);

/* The hash; for tests. */
uint64_t sti_siphash13(const uint64_t seed[2], stele_bytes in);

#endif /* STI_BASE_MAP_H */
