/* SPDX-License-Identifier: MIT
 *
 * model.h: writes as a list that is searched from its end.
 */
#ifndef TESTS_UNIT_STORE_TABLE_MODEL_H
#define TESTS_UNIT_STORE_TABLE_MODEL_H

#include "lib/check.h"
#include "store/table.h"

struct model {
    struct sti_write *writes; /* keys and values are copies */
    size_t count;
    size_t capacity;
};

void model_free(struct model *m);
void model_add(struct model *m, enum sti_write_kind kind, uint64_t seq, uint32_t bucket,
        stele_bytes key, stele_bytes value);
void model_cut(struct model *m, size_t count);

/* The write from number `from` on, up to `to`, that decides what a seq sees at
 * a key: NULL if there is none. */
const struct sti_write *model_see(const struct model *m, size_t from, size_t to, uint64_t seq,
        uint32_t bucket, stele_bytes key);

/* The puts, and if asked for the deletions, that a seq sees, in key order; to
 * be freed. Drops are not among them. */
const struct sti_write **model_list(
        const struct model *m, size_t from, size_t to, uint64_t seq, bool deletions, size_t *count);

/* The order of (bucket, key). */
int model_compare(uint32_t bucket_a, stele_bytes a, uint32_t bucket_b, stele_bytes b);

/* ---- Random writes. ---- */

struct random {
    uint64_t state;
};

struct random random_of(uint64_t seed);
uint64_t random_below(struct random *r, uint64_t limit);

#define MODEL_KEY_MAX ((size_t)32 << 10)

/* A key that is often equal to an earlier one, and shares beginnings with
 * others: short ones of few letters, numbers behind a long text, every length
 * around a limit. The bytes are in `space`, MODEL_KEY_MAX long. */
stele_bytes random_key(struct random *r, uint8_t *space);

/* Some bytes; in `space` of 300. */
stele_bytes random_value(struct random *r, uint8_t *space);

#endif /* TESTS_UNIT_STORE_TABLE_MODEL_H */
