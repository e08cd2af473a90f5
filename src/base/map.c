/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include "base/alloc.h"
#include "base/coding.h"
#include "base/error.h"

enum {
    SLOTS_MIN = 64
};

struct entry {
    uint64_t value;
    uint32_t len;
    uint8_t key[];
};

/* Free if `entry` is NULL. */
struct sti_bytemap_slot {
    uint64_t hash;
    struct entry *entry;
};

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

uint64_t sti_siphash13(const uint64_t seed[2], stele_bytes in)
{
    uint64_t v[4] = {
            seed[0] ^ 0x736f6d6570736575ULL,
            seed[1] ^ 0x646f72616e646f6dULL,
            seed[0] ^ 0x6c7967656e657261ULL,
            seed[1] ^ 0x7465646279746573ULL,
    };
    size_t whole = in.len & ~(size_t)7;
    uint64_t last = (uint64_t)in.len << 56;

    for (size_t i = 0; i < whole; i += 8) {
        uint64_t word = sti_get_le64(in.data + i);

        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (size_t i = whole; i < in.len; i++) {
        last |= (uint64_t)in.data[i] << (8 * (i - whole));
    }
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void sti_bytemap_init(struct sti_bytemap *m, uint64_t seed0, uint64_t seed1)
{
    *m = (struct sti_bytemap){.seed = {seed0, seed1}};
}

void sti_bytemap_free(struct sti_bytemap *m)
{
    sti_free(m->slots);
    sti_arena_free(&m->entries);
    sti_bytemap_init(m, m->seed[0], m->seed[1]);
}

/* The slot of a key, or the free one where it belongs. There is always a
 * free one: that is what ends the search. */
static struct sti_bytemap_slot *slot_of(const struct sti_bytemap *m, uint64_t hash, stele_bytes key)
{
    size_t mask = m->slot_count - 1;

    for (size_t at = (size_t)hash & mask;; at = (at + 1) & mask) {
        struct sti_bytemap_slot *slot = &m->slots[at];

        if (slot->entry == NULL) {
            return slot;
        }
        if (slot->hash == hash && slot->entry->len == key.len &&
                (key.len == 0 || memcmp(slot->entry->key, key.data, key.len) == 0)) {
            return slot;
        }
    }
}

static stele_code grow(struct sti_bytemap *m, stele_error *err)
{
    struct sti_bytemap bigger = *m;

    if (m->slot_count > SIZE_MAX / 2 / sizeof *m->slots) {
        return sti_fail_memory(err, SIZE_MAX);
    }
    bigger.slot_count = m->slot_count == 0 ? SLOTS_MIN : m->slot_count * 2;
    bigger.slots = sti_calloc(bigger.slot_count, sizeof *bigger.slots);
    if (bigger.slots == NULL) {
        return sti_fail_memory(err, bigger.slot_count * sizeof *bigger.slots);
    }
    for (size_t i = 0; i < m->slot_count; i++) {
        size_t at = (size_t)m->slots[i].hash & (bigger.slot_count - 1);

        if (m->slots[i].entry == NULL) {
            continue;
        }
        while (bigger.slots[at].entry != NULL) {
            at = (at + 1) & (bigger.slot_count - 1);
        }
        bigger.slots[at] = m->slots[i];
    }
    sti_free(m->slots);
    *m = bigger;
    return STELE_OK;
}

uint64_t *sti_bytemap_find(const struct sti_bytemap *m, stele_bytes key)
{
    struct sti_bytemap_slot *slot;

    if (m->count == 0) {
        return NULL;
    }
    slot = slot_of(m, sti_siphash13(m->seed, key), key);
    return slot->entry == NULL ? NULL : &slot->entry->value;
}

stele_code sti_bytemap_put(
        struct sti_bytemap *m, stele_bytes key, uint64_t **value, bool *added, stele_error *err)
{
    uint64_t hash = sti_siphash13(m->seed, key);
    struct sti_bytemap_slot *slot;
    struct entry *entry;
    size_t size;
    stele_code rc;

    if (m->slot_count != 0) {
        slot = slot_of(m, hash, key);
        if (slot->entry != NULL) {
            *value = &slot->entry->value;
            *added = false;
            return STELE_OK;
        }
    }
    if (key.len > UINT32_MAX || key.len > SIZE_MAX - sizeof *entry) {
        return sti_fail(err, STELE_ETOOBIG, "a key of %zu bytes", key.len);
    }
    if (m->count >= m->slot_count / 4 * 3) {
        rc = grow(m, err);
        if (rc != STELE_OK) {
            return rc;
        }
    }
    size = offsetof(struct entry, key) + key.len;
    entry = sti_arena_alloc(&m->entries, size, _Alignof(struct entry));
    if (entry == NULL) {
        return sti_fail_memory(err, size);
    }
    entry->value = 0;
    entry->len = (uint32_t)key.len;
    if (key.len != 0) {
        memcpy(entry->key, key.data, key.len);
    }
    slot = slot_of(m, hash, key);
    slot->hash = hash;
    slot->entry = entry;
    m->count++;
    *value = &entry->value;
    *added = true;
    return STELE_OK;
}
