/* SPDX-License-Identifier: MIT */
#include "sim/seen.h"

#include <stdlib.h>

/* Where a key is, or would be put. */
static uint64_t *slot_of(const struct sim_seen *s, uint64_t key)
{
    size_t at = (size_t)key & (s->room - 1);

    while (s->slots[at] != 0 && s->slots[at] != key) {
        at = (at + 1) & (s->room - 1);
    }
    return &s->slots[at];
}

static void grow(struct sim_seen *s)
{
    struct sim_seen grown = {NULL, s->room == 0 ? 1024 : s->room * 2, s->count};

    grown.slots = sim_alloc(grown.room * sizeof *grown.slots);
    for (size_t i = 0; i < s->room; i++) {
        if (s->slots[i] != 0) {
            *slot_of(&grown, s->slots[i]) = s->slots[i];
        }
    }
    free(s->slots);
    *s = grown;
}

bool sim_seen_has(const struct sim_seen *s, uint64_t key)
{
    key = key == 0 ? 1 : key;
    return s->count > 0 && *slot_of(s, key) == key;
}

bool sim_seen_add(struct sim_seen *s, uint64_t key)
{
    uint64_t *slot;

    key = key == 0 ? 1 : key;
    if (s->count * 2 >= s->room) {
        grow(s);
    }
    slot = slot_of(s, key);
    if (*slot == key) {
        return false;
    }
    *slot = key;
    s->count++;
    return true;
}

void sim_seen_free(struct sim_seen *s)
{
    free(s->slots);
    *s = (struct sim_seen){NULL, 0, 0};
}

static uint64_t add_note(uint64_t hash, const struct sim_note *n)
{
    return sim_mix(
            hash + sim_mix(n->value + sim_mix(n->what * 2U + (n->kind == SIM_ACK ? 1U : 0U))));
}

uint64_t *sim_notes_hashes(const struct sim_notes *notes, uint64_t start)
{
    uint64_t *hashes = sim_alloc((notes->count + 1) * sizeof *hashes);

    hashes[0] = start;
    for (size_t i = 0; i < notes->count; i++) {
        hashes[i + 1] = add_note(hashes[i], &notes->list[i]);
    }
    return hashes;
}

uint64_t sim_notes_hash(const struct sim_notes *notes, uint64_t start)
{
    for (size_t i = 0; i < notes->count; i++) {
        start = add_note(start, &notes->list[i]);
    }
    return start;
}
