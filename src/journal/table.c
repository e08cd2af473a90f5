/* SPDX-License-Identifier: MIT */
#include "journal/table.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/coding.h"
#include "base/mutant.h"

enum {
    SLOTS_MIN = 8,
    SPARSE = 8 /* shrinks with fewer than one key in so many slots */
};

static bool is_free(const struct sti_journal_slot *slot)
{
    return slot->item.encoded == NULL;
}

void sti_journal_table_free(struct sti_journal_table *t)
{
    sti_free(t->slots);
    memset(t, 0, sizeof *t);
}

static bool has_key(const struct sti_journal_slot *slot, uint64_t hash, stele_bytes key)
{
    return slot->hash == hash && slot->key_len == key.len &&
           (stele_bytes_equal(sti_journal_slot_key(slot), key) ||
                   (STI_MUTANT(JOURNAL_NIL_IS_EMPTY) && key.len == 0));
}

struct sti_journal_slot *sti_journal_table_find(
        const struct sti_journal_table *t, uint64_t hash, stele_bytes key)
{
    size_t mask = t->slot_count - 1;

    if (t->count == 0) {
        return NULL;
    }
    /* There is always a free slot: that is what ends the search. */
    for (size_t at = (size_t)hash & mask; !is_free(&t->slots[at]); at = (at + 1) & mask) {
        if (has_key(&t->slots[at], hash, key)) {
            return &t->slots[at];
        }
    }
    return NULL;
}

void sti_journal_table_fetch_slot(const struct sti_journal_table *t, uint64_t hash)
{
    if (t->count > 0) {
        __builtin_prefetch(&t->slots[(size_t)hash & (t->slot_count - 1)]);
    }
}

void sti_journal_table_fetch_key(const struct sti_journal_table *t, uint64_t hash)
{
    size_t mask = t->slot_count - 1;

    if (t->count == 0) {
        return;
    }
    for (size_t at = (size_t)hash & mask; !is_free(&t->slots[at]); at = (at + 1) & mask) {
        if (t->slots[at].hash == hash) {
            __builtin_prefetch(t->slots[at].key);
            return;
        }
    }
}

static struct sti_journal_slot *free_slot(
        struct sti_journal_slot *slots, size_t slot_count, uint64_t hash)
{
    size_t at = (size_t)hash & (slot_count - 1);

    while (!is_free(&slots[at])) {
        at = (at + 1) & (slot_count - 1);
    }
    return &slots[at];
}

static bool resize(struct sti_journal_table *t, size_t slot_count)
{
    struct sti_journal_slot *slots = sti_calloc(slot_count, sizeof *slots);

    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < t->slot_count; i++) {
        if (!is_free(&t->slots[i])) {
            *free_slot(slots, slot_count, t->slots[i].hash) = t->slots[i];
        }
    }
    sti_free(t->slots);
    t->slots = slots;
    t->slot_count = slot_count;
    return true;
}

struct sti_journal_slot *sti_journal_table_add(
        struct sti_journal_table *t, uint64_t hash, stele_bytes key)
{
    struct sti_journal_slot *slot;

    sti_assert(key.len <= UINT32_MAX);
    if (t->count >= t->slot_count / 4 * 3 &&
            !resize(t, t->slot_count == 0 ? (size_t)SLOTS_MIN : 2 * t->slot_count)) {
        return NULL;
    }
    slot = free_slot(t->slots, t->slot_count, hash);
    slot->hash = hash;
    slot->key = key.data;
    slot->key_len = (uint32_t)key.len;
    t->count++;
    return slot;
}

void sti_journal_table_remove(struct sti_journal_table *t, struct sti_journal_slot *slot)
{
    size_t mask = t->slot_count - 1;
    size_t hole = (size_t)(slot - t->slots);

    for (size_t at = (hole + 1) & mask; !is_free(&t->slots[at]); at = (at + 1) & mask) {
        size_t home = (size_t)t->slots[at].hash & mask;

        /* It may move into the hole unless that lies in front of where it belongs. */
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            t->slots[hole] = t->slots[at];
            hole = at;
        }
    }
    memset(&t->slots[hole], 0, sizeof t->slots[hole]);
    t->count--;
    if (t->slot_count > SLOTS_MIN && t->count < t->slot_count / SPARSE) {
        (void)resize(t, t->slot_count / 2); /* it works as large as it is, too */
    }
}

/* ---- In order. ---- */

/* How many bytes all keys begin with, those excepted that have none. */
static size_t common_prefix(const struct sti_journal_table *t)
{
    const struct sti_journal_slot *first = NULL;
    size_t len = 0;

    for (size_t i = 0; i < t->slot_count; i++) {
        const struct sti_journal_slot *slot = &t->slots[i];
        size_t same = 0;

        if (is_free(slot) || slot->key_len == 0) {
            continue;
        }
        if (first == NULL) {
            first = slot;
            len = slot->key_len;
        }
        len = slot->key_len < len ? slot->key_len : len;
        while (same < len && slot->key[same] == first->key[same]) {
            same++;
        }
        len = same;
    }
    return len;
}

/* Of the bytes behind what all keys begin with: most keys differ there, so that few have to be
 * looked at again. */
static uint64_t prefix_of(const struct sti_journal_slot *slot, size_t skip)
{
    uint8_t bytes[8] = {0};

    if (slot->key_len > skip) {
        size_t len = slot->key_len - skip;

        memcpy(bytes, slot->key + skip, len < sizeof bytes ? len : sizeof bytes);
    }
    return sti_get_be64(bytes);
}

static int compare(const void *a, const void *b)
{
    const struct sti_journal_ranked *x = a;
    const struct sti_journal_ranked *y = b;

    if (x->prefix != y->prefix) {
        return x->prefix < y->prefix ? -1 : 1;
    }
    return stele_bytes_compare(sti_journal_slot_key(x->slot), sti_journal_slot_key(y->slot));
}

bool sti_journal_table_sort(const struct sti_journal_table *t, struct sti_journal_order *out)
{
    size_t skip = common_prefix(t);

    out->count = 0;
    if (t->count > out->capacity) {
        struct sti_journal_ranked *grown = sti_realloc(out->items, t->count, sizeof *grown);

        if (grown == NULL) {
            return false;
        }
        out->items = grown;
        out->capacity = t->count;
    }
    for (size_t i = 0; i < t->slot_count; i++) {
        if (!is_free(&t->slots[i])) {
            out->items[out->count].prefix = prefix_of(&t->slots[i], skip);
            out->items[out->count++].slot = &t->slots[i];
        }
    }
    if (out->count > 1 && !STI_MUTANT(JOURNAL_SNAP_UNSORTED)) {
        qsort(out->items, out->count, sizeof out->items[0], compare);
    }
    return true;
}

void sti_journal_order_free(struct sti_journal_order *order)
{
    sti_free(order->items);
    memset(order, 0, sizeof *order);
}
