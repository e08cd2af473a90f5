/* SPDX-License-Identifier: MIT */
#include "sim/subsets.h"

#include <stdlib.h>
#include <string.h>

/* In this order. */
enum phase {
    PHASE_ALL_SUBSETS, /* if n is small; then nothing else */
    PHASE_NONE,
    PHASE_ALL,
    PHASE_ALONE,
    PHASE_MISSING,
    PHASE_PREFIX,
    PHASE_SUFFIX,
    PHASE_GROUP_ALONE, /* a file's, or all names, sizes, sectors */
    PHASE_GROUP_MISSING,
    PHASE_RANDOM,
    PHASE_END
};

enum {
    GROUP_NAMES = 0,
    GROUP_SIZES = 1,
    GROUP_WRITES = 2,
    GROUP_FILES = 3
};

static bool in_group(const struct sim_picker *p, size_t i, uint64_t group)
{
    const struct sim_effect *e = sim_cursor_optional(p->cursor, i);

    switch (group) {
    case GROUP_NAMES:
        return e->type != SIM_WRITE && e->type != SIM_SIZE;
    case GROUP_SIZES:
        return e->type == SIM_SIZE;
    case GROUP_WRITES:
        return e->type == SIM_WRITE;
    default:
        return e->file == p->groups[group - GROUP_FILES];
    }
}

void sim_picker_start(struct sim_picker *p, const struct sim_cursor *cursor, size_t n,
        uint32_t exhaustive_max, uint32_t random_count, uint64_t seed)
{
    memset(p, 0, sizeof *p);
    p->cursor = cursor;
    p->n = n;
    p->random = seed;
    p->random_count = random_count;
    p->phase = n <= exhaustive_max ? PHASE_ALL_SUBSETS : PHASE_NONE;
    if (p->phase == PHASE_ALL_SUBSETS) {
        return;
    }
    p->groups = sim_alloc(n * sizeof *p->groups);
    for (size_t i = 0; i < n; i++) {
        uint32_t file = sim_cursor_optional(cursor, i)->file;
        size_t g = 0;

        while (g < p->group_count && p->groups[g] != file) {
            g++;
        }
        if (g == p->group_count) {
            p->groups[p->group_count++] = file;
        }
    }
}

static uint64_t phase_length(const struct sim_picker *p)
{
    switch ((enum phase)p->phase) {
    case PHASE_ALL_SUBSETS:
        return (uint64_t)1 << p->n;
    case PHASE_NONE:
    case PHASE_ALL:
        return 1;
    case PHASE_ALONE:
    case PHASE_MISSING:
    case PHASE_PREFIX:
    case PHASE_SUFFIX:
        return p->n;
    case PHASE_GROUP_ALONE:
    case PHASE_GROUP_MISSING:
        return p->group_count + GROUP_FILES;
    case PHASE_RANDOM:
        return p->random_count;
    case PHASE_END:
        break;
    }
    return 0;
}

/* All masks of n bits in an order that begins with none and all, and then
 * jumps about: each even one is followed by its complement. */
static uint8_t mask_bit(uint64_t i, size_t n, size_t j)
{
    uint64_t mask = (i / 2) * 0x9e3779b1U;

    mask = n > 0 ? mask & (((uint64_t)1 << (n - 1)) - 1) : 0;
    return (uint8_t)(((i % 2 == 0 ? mask : ~mask) >> j) & 1);
}

static uint8_t pick(const struct sim_picker *p, size_t j, unsigned density)
{
    switch ((enum phase)p->phase) {
    case PHASE_ALL_SUBSETS:
        return mask_bit(p->i, p->n, j);
    case PHASE_ALL:
        return 1;
    case PHASE_ALONE:
        return j == p->i;
    case PHASE_MISSING:
        return j != p->i;
    case PHASE_PREFIX:
        return j < p->i;
    case PHASE_SUFFIX:
        return j >= p->i;
    case PHASE_GROUP_ALONE:
        return in_group(p, j, p->i);
    case PHASE_GROUP_MISSING:
        return !in_group(p, j, p->i);
    case PHASE_RANDOM:
        return (sim_mix(p->random + j + 1) >> 8 & 7) < density;
    case PHASE_NONE:
    case PHASE_END:
        break;
    }
    return 0;
}

bool sim_picker_next(struct sim_picker *p, uint8_t *keep)
{
    unsigned density;

    while (p->phase != PHASE_END && p->i >= phase_length(p)) {
        p->i = 0;
        p->phase = p->phase == PHASE_ALL_SUBSETS ? PHASE_END : p->phase + 1;
    }
    if (p->phase == PHASE_END) {
        return false;
    }
    p->random = sim_mix(p->random + 0x9e3779b97f4a7c15ULL);
    density = 1 + (unsigned)(p->random % 7);
    for (size_t j = 0; j < p->n; j++) {
        keep[j] = pick(p, j, density);
    }
    p->i++;
    return true;
}

void sim_picker_end(struct sim_picker *p)
{
    free(p->groups);
    p->groups = NULL;
}

void sim_random_subset(uint8_t *keep, size_t n, uint64_t seed)
{
    unsigned density = (unsigned)(sim_mix(seed) % 9);

    for (size_t j = 0; j < n; j++) {
        keep[j] = (sim_mix(seed + j + 1) >> 8 & 7) < density;
    }
}
