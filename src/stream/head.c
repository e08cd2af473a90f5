/* SPDX-License-Identifier: MIT
 *
 * head.c: the index of the newest segment, which grows while it is read.
 *
 * Items lie in chunks that never move, so a reader needs no lock: it looks at
 * the items below the published count only, and those are complete. The key
 * table may already know newer items; a reader follows the chain of older
 * items with the same hash until it is below the count that it saw. A table
 * that became too small is replaced, and kept for those who still read it.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "stream/state.h"

#include <string.h>

enum {
    FIRST_SLOTS = 4096
};

/* The chunk of an ordinal, and its place in there. */
static unsigned chunk_of(uint64_t ordinal, uint64_t *place)
{
    uint64_t n = ordinal + STI_HEAD_FIRST;
    unsigned k = 63U - (unsigned)__builtin_clzll(n) - STI_HEAD_FIRST_LOG2;

    *place = n - ((uint64_t)STI_HEAD_FIRST << k);
    return k;
}

static struct sti_head_table *new_table(uint64_t slots)
{
    struct sti_head_table *table;

    table = sti_calloc(1, sizeof *table + slots * sizeof table->slots[0]);
    if (table != NULL) {
        table->mask = slots - 1;
    }
    return table;
}

stele_code sti_head_new(struct sti_head **out, struct sti_index_params params, stele_error *err)
{
    struct sti_head *head = sti_calloc(1, sizeof *head);

    if (head == NULL) {
        return sti_fail_memory(err, sizeof *head);
    }
    head->params = params;
    head->item_size = sti_index_item_size(params);
    if (params.keys) {
        struct sti_head_table *table = new_table(FIRST_SLOTS);

        if (table == NULL) {
            sti_free(head);
            return sti_fail_memory(err, FIRST_SLOTS * sizeof(uint32_t));
        }
        atomic_store_explicit(&head->table, table, memory_order_relaxed);
    }
    *out = head;
    return STELE_OK;
}

void sti_head_free(struct sti_head *head)
{
    struct sti_head_table *table;

    if (head == NULL) {
        return;
    }
    table = atomic_load_explicit(&head->table, memory_order_relaxed);
    while (table != NULL) {
        struct sti_head_table *older = table->older;

        sti_free(table);
        table = older;
    }
    for (int k = 0; k < STI_HEAD_CHUNKS; k++) {
        sti_free(atomic_load_explicit(&head->chunks[k], memory_order_relaxed));
        sti_free(atomic_load_explicit(&head->before[k], memory_order_relaxed));
    }
    sti_free(head);
}

static uint64_t hash_of(const struct sti_head *head, uint64_t ordinal)
{
    return sti_item_hash(sti_head_item(head, ordinal), head->item_size);
}

static uint64_t slot_of(const struct sti_head_table *table, uint64_t hash)
{
    return (hash * 0x9e3779b97f4a7c15ULL >> 20) & table->mask;
}

/* Make `ordinal` the newest item of its hash; returns the newest before (1 +
 * ordinal), or 0. The store is a release: it pairs with the reader's load,
 * who then sees the item and its link to the one before. */
static void table_put(const struct sti_head *head, struct sti_head_table *table, uint64_t ordinal,
        uint64_t hash, uint32_t *before)
{
    uint64_t slot = slot_of(table, hash);
    uint32_t there;

    for (;;) {
        there = atomic_load_explicit(&table->slots[slot], memory_order_relaxed);
        if (there == 0 || hash_of(head, there - 1) == hash) {
            break;
        }
        slot = (slot + 1) & table->mask;
    }
    if (before != NULL) {
        *before = there;
    }
    atomic_store_explicit(&table->slots[slot], (uint32_t)ordinal + 1, memory_order_release);
}

static stele_code grow_table(struct sti_head *head, uint64_t items, stele_error *err)
{
    struct sti_head_table *old = atomic_load_explicit(&head->table, memory_order_relaxed);
    struct sti_head_table *table;
    uint64_t slots = old->mask + 1;

    while (slots < 2 * items) {
        slots *= 2;
    }
    if (slots == old->mask + 1) {
        return STELE_OK;
    }
    table = new_table(slots);
    if (table == NULL) {
        return sti_fail_memory(err, slots * sizeof(uint32_t));
    }
    for (uint64_t i = 0; i < head->written; i++) {
        table_put(head, table, i, hash_of(head, i), NULL);
    }
    table->older = old;
    /* Pairs with the load in sti_head_find(). */
    atomic_store_explicit(&head->table, table, memory_order_release);
    return STELE_OK;
}

static stele_code reserve_chunk(struct sti_head *head, unsigned k, stele_error *err)
{
    uint64_t items = (uint64_t)STI_HEAD_FIRST << k;

    if (atomic_load_explicit(&head->chunks[k], memory_order_relaxed) == NULL) {
        uint8_t *chunk = sti_calloc(items, head->item_size);

        if (chunk == NULL) {
            return sti_fail_memory(err, items * head->item_size);
        }
        atomic_store_explicit(&head->chunks[k], chunk, memory_order_relaxed);
    }
    if (head->params.keys && atomic_load_explicit(&head->before[k], memory_order_relaxed) == NULL) {
        uint32_t *before = sti_calloc(items, sizeof *before);

        if (before == NULL) {
            return sti_fail_memory(err, items * sizeof *before);
        }
        atomic_store_explicit(&head->before[k], before, memory_order_relaxed);
    }
    return STELE_OK;
}

stele_code sti_head_reserve(struct sti_head *head, uint64_t count, stele_error *err)
{
    uint64_t total;
    uint64_t place;
    unsigned first;
    unsigned last;

    if (__builtin_add_overflow(head->written, count, &total) || total >= UINT32_MAX) {
        return sti_fail(err, STELE_ETOOBIG, "more than %lu messages in one segment",
                (unsigned long)UINT32_MAX);
    }
    if (count == 0) {
        return STELE_OK;
    }
    first = chunk_of(head->written, &place);
    last = chunk_of(total - 1, &place);
    for (unsigned k = first; k <= last; k++) {
        stele_code rc = reserve_chunk(head, k, err);

        if (rc != STELE_OK) {
            return rc;
        }
    }
    return head->params.keys ? grow_table(head, total, err) : STELE_OK;
}

void sti_head_add(struct sti_head *head, const struct sti_index_item *item)
{
    uint64_t place;
    unsigned k = chunk_of(head->written, &place);
    uint8_t *chunk = atomic_load_explicit(&head->chunks[k], memory_order_relaxed);

    sti_index_item_put(chunk + place * head->item_size, head->params, item);
    if (head->params.keys) {
        struct sti_head_table *table = atomic_load_explicit(&head->table, memory_order_relaxed);
        uint32_t *links = atomic_load_explicit(&head->before[k], memory_order_relaxed);

        table_put(head, table, head->written, item->hash, &links[place]);
    }
    head->written++;
}

void sti_head_set(struct sti_head *head, uint64_t ordinal, const uint8_t *item)
{
    uint64_t place;
    unsigned k = chunk_of(ordinal, &place);

    memcpy(atomic_load_explicit(&head->chunks[k], memory_order_relaxed) + place * head->item_size,
            item, head->item_size);
}

uint64_t sti_head_before(const struct sti_head *head, uint64_t ordinal)
{
    uint64_t place;
    unsigned k = chunk_of(ordinal, &place);
    uint32_t there = atomic_load_explicit(&head->before[k], memory_order_relaxed)[place];

    return there == 0 ? UINT64_MAX : (uint64_t)there - 1;
}

uint64_t sti_head_find(const struct sti_head *head, uint64_t hash, uint64_t limit)
{
    struct sti_head_table *table = atomic_load_explicit(&head->table, memory_order_acquire);
    uint64_t slot = slot_of(table, hash);
    uint64_t ordinal = UINT64_MAX;

    for (;;) {
        uint32_t there = atomic_load_explicit(&table->slots[slot], memory_order_acquire);

        if (there == 0) {
            return UINT64_MAX;
        }
        if (hash_of(head, there - 1) == hash) {
            ordinal = there - 1;
            break;
        }
        slot = (slot + 1) & table->mask;
    }
    while (ordinal != UINT64_MAX && ordinal >= limit) {
        ordinal = sti_head_before(head, ordinal);
    }
    return ordinal;
}

stele_code sti_head_copy(
        const struct sti_head *head, uint64_t count, uint8_t **out, stele_error *err)
{
    uint8_t *all = sti_calloc(count, head->item_size);
    uint64_t done = 0;

    if (all == NULL) {
        return sti_fail_memory(err, count * head->item_size);
    }
    for (unsigned k = 0; done < count; k++) {
        uint64_t items = (uint64_t)STI_HEAD_FIRST << k;
        uint64_t n = count - done < items ? count - done : items;
        const uint8_t *chunk = atomic_load_explicit(&head->chunks[k], memory_order_relaxed);

        memcpy(all + done * head->item_size, chunk, n * head->item_size);
        done += n;
    }
    *out = all;
    return STELE_OK;
}
