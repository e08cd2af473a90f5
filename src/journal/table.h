/* SPDX-License-Identifier: MIT
 *
 * table.h: a hash table of keys that point elsewhere, with removal.
 *
 * Open addressing with linear probing, at most three quarters full; what follows a removed slot
 * moves up, so that there are no tombstones, and a table that has become nearly empty shrinks. A
 * slot holds the whole hash, which the caller calculates: other keys are not touched on the way.
 */
#ifndef STI_JOURNAL_TABLE_H
#define STI_JOURNAL_TABLE_H

#include <stele/bytes.h>

struct sti_journal_slot {
    uint64_t hash;
    const uint8_t *key; /* NULL: nil; not owned */

    /* What the table is about; not looked at. All NULL: the slot is free. */
    union {
        const uint8_t *encoded;
        void *object;
    } item;

    uint32_t key_len;
    uint32_t len; /* of `encoded` */
};

/* Zero-initialised is empty. */
struct sti_journal_table {
    struct sti_journal_slot *slots;
    size_t slot_count; /* a power of two, or 0 */
    size_t count;
};

/* Frees the slots alone, not what they point at. */
void sti_journal_table_free(struct sti_journal_table *t);

static inline stele_bytes sti_journal_slot_key(const struct sti_journal_slot *slot)
{
    return stele_bytes_of(slot->key, slot->key_len);
}

/* NULL: it is not there. Nil and empty differ. Slots move with the next change of the table. */
struct sti_journal_slot *sti_journal_table_find(
        const struct sti_journal_table *t, uint64_t hash, stele_bytes key);

/* A slot for a key that is not there; the caller sets its item at once. Keys are shorter than 4
 * GiB. NULL: no memory, the table is as before. */
struct sti_journal_slot *sti_journal_table_add(
        struct sti_journal_table *t, uint64_t hash, stele_bytes key);

/* Have the processor fetch what a look-up will need: first the slot, later, when that is there, the
 * bytes of the key. Hints, which change nothing. */
void sti_journal_table_fetch_slot(const struct sti_journal_table *t, uint64_t hash);
void sti_journal_table_fetch_key(const struct sti_journal_table *t, uint64_t hash);

void sti_journal_table_remove(struct sti_journal_table *t, struct sti_journal_slot *slot);

/* The slots by ascending keys. */
struct sti_journal_order {
    struct sti_journal_ranked {
        uint64_t prefix; /* of the keys, as a number, behind what they have in common */
        const struct sti_journal_slot *slot;
    } * items;

    size_t count;
    size_t capacity; /* kept for the next table; more than count: to sort them */
};

/* False: no memory. */
bool sti_journal_table_sort(const struct sti_journal_table *t, struct sti_journal_order *out);
void sti_journal_order_free(struct sti_journal_order *order);

#endif /* STI_JOURNAL_TABLE_H */
