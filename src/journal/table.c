/* SPDX-License-Identifier: MIT */
#include "journal/table.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/coding.h"
#include "base/mutant.h"

enum {
    SLOTS_MIN = 8,
    SPARSE = 8,      /* shrinks with fewer than one key in so many slots */
    RADIX_MIN = 512, /* fewer are sorted by comparing */
    AHEAD = 8        /* keys are all over the memory: fetched so many slots before they are read */
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

static void fetch_ahead(const struct sti_journal_table *t, size_t i)
{
    if (i + AHEAD < t->slot_count) {
        __builtin_prefetch(t->slots[i + AHEAD].key);
    }
}

/* How many bytes all keys begin with, those excepted that have none. */
static size_t common_prefix(const struct sti_journal_table *t)
{
    const struct sti_journal_slot *first = NULL;
    size_t len = 0;

    for (size_t i = 0; i < t->slot_count; i++) {
        const struct sti_journal_slot *slot = &t->slots[i];
        size_t same = 0;

        fetch_ahead(t, i);
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

static void sort_by_comparing(struct sti_journal_ranked *items, size_t count)
{
    if (count > 1) {
        qsort(items, count, sizeof items[0], compare);
    }
}

/* By one byte of the prefix, those that are equal in it staying in order. False: it is the same for
 * all, and nothing is done. */
static bool sort_by_byte(const struct sti_journal_ranked *from, struct sti_journal_ranked *to,
        size_t count, unsigned shift)
{
    size_t at[256] = {0};
    size_t next = 0;

    for (size_t i = 0; i < count; i++) {
        at[(from[i].prefix >> shift) & 0xff]++;
    }
    if (at[(from[0].prefix >> shift) & 0xff] == count) {
        return false;
    }
    for (size_t i = 0; i < 256; i++) {
        size_t here = at[i];

        at[i] = next;
        next += here;
    }
    for (size_t i = 0; i < count; i++) {
        to[at[(from[i].prefix >> shift) & 0xff]++] = from[i];
    }
    return true;
}

/* By the prefixes, from their last byte to the first; and those that have the same by comparing. */
static void sort_by_radix(struct sti_journal_order *o)
{
    struct sti_journal_ranked *from = o->items;
    struct sti_journal_ranked *to = o->items + o->count;
    size_t run = 0;

    for (unsigned shift = 0; shift < 64; shift += 8) {
        if (sort_by_byte(from, to, o->count, shift)) {
            struct sti_journal_ranked *other = from;

            from = to;
            to = other;
        }
    }
    if (from != o->items) {
        memcpy(o->items, from, o->count * sizeof *from);
    }
    for (size_t i = 1; i <= o->count; i++) {
        if (i == o->count || o->items[i].prefix != o->items[run].prefix) {
            sort_by_comparing(o->items + run, i - run);
            run = i;
        }
    }
}

/* Room for all, twice where that is how they are sorted. */
static bool make_room(struct sti_journal_order *o, size_t count)
{
    size_t wanted = count < RADIX_MIN ? count : 2 * count;
    struct sti_journal_ranked *grown;

    if (wanted <= o->capacity) {
        return true;
    }
    grown = sti_realloc(o->items, wanted, sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    o->items = grown;
    o->capacity = wanted;
    return true;
}

bool sti_journal_table_sort(const struct sti_journal_table *t, struct sti_journal_order *out)
{
    size_t skip = common_prefix(t);

    out->count = 0;
    if (!make_room(out, t->count)) {
        return false;
    }
    for (size_t i = 0; i < t->slot_count; i++) {
        fetch_ahead(t, i);
        if (!is_free(&t->slots[i])) {
            out->items[out->count].prefix = prefix_of(&t->slots[i], skip);
            out->items[out->count++].slot = &t->slots[i];
        }
    }
    if (STI_MUTANT(JOURNAL_SNAP_UNSORTED)) {
        return true;
    }
    if (out->count < RADIX_MIN) {
        sort_by_comparing(out->items, out->count);
    } else {
        sort_by_radix(out);
    }
    return true;
}

void sti_journal_order_free(struct sti_journal_order *order)
{
    sti_free(order->items);
    memset(order, 0, sizeof *order);
}
