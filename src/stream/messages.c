/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "stream/state.h"

#include <string.h>

enum {
    FIRST_CAPACITY = 16
};

stele_code stele_messages_new(stele_messages **out, stele_error *err)
{
    stele_messages *ms;

    if (out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no place for the container");
    }
    ms = sti_calloc(1, sizeof *ms);
    if (ms == NULL) {
        return sti_fail_memory(err, sizeof *ms);
    }
    *out = ms;
    return STELE_OK;
}

static void unpin(stele_messages *ms, size_t from)
{
    for (size_t i = from; i < ms->pin_count; i++) {
        sti_map_unref(ms->pins[i]);
    }
    if (ms->pin_count > from) {
        ms->pin_count = from;
    }
}

void sti_messages_reset(stele_messages *ms)
{
    ms->count = 0;
    if (ms->pin_count > 1) {
        unpin(ms, 1);
    }
    if (ms->own != NULL) {
        sti_free(ms->own);
        ms->own = NULL;
    }
}

void sti_messages_trim(stele_messages *ms)
{
    if (ms->count == 0) {
        unpin(ms, 0);
    }
}

void stele_messages_clear(stele_messages *ms)
{
    sti_messages_reset(ms);
    unpin(ms, 0);
}

void stele_messages_free(stele_messages *ms)
{
    if (ms != NULL) {
        stele_messages_clear(ms);
        sti_free(ms->items);
        sti_free(ms->pins);
        sti_free(ms);
    }
}

size_t stele_messages_count(const stele_messages *ms)
{
    return ms->count;
}

const stele_message *stele_messages_at(const stele_messages *ms, size_t index)
{
    return index < ms->count ? &ms->items[index] : NULL;
}

stele_code sti_messages_reserve(stele_messages *ms, size_t count, stele_error *err)
{
    size_t capacity = ms->capacity == 0 ? FIRST_CAPACITY : ms->capacity;
    stele_message *items;

    if (count <= ms->capacity) {
        return STELE_OK;
    }
    while (capacity < count) {
        if (capacity > SIZE_MAX / 2) {
            return sti_fail_memory(err, SIZE_MAX);
        }
        capacity *= 2;
    }
    items = sti_realloc(ms->items, capacity, sizeof *items);
    if (items == NULL) {
        return sti_fail_memory(err, capacity * sizeof *items);
    }
    ms->items = items;
    ms->capacity = capacity;
    return STELE_OK;
}

stele_code sti_messages_pin(stele_messages *ms, struct sti_map *map, stele_error *err)
{
    if (STI_MUTANT(BORROWED_NOT_KEPT) ||
            (ms->pin_count > 0 && ms->pins[ms->pin_count - 1] == map)) {
        return STELE_OK;
    }
    if (ms->count == 0) {
        unpin(ms, 0);
    }
    if (ms->pin_count == ms->pin_capacity) {
        size_t capacity = ms->pin_capacity == 0 ? 4 : 2 * ms->pin_capacity;
        struct sti_map **pins = sti_realloc(ms->pins, capacity, sizeof(struct sti_map *));

        if (pins == NULL) {
            return sti_fail_memory(err, capacity * sizeof(struct sti_map *));
        }
        ms->pins = pins;
        ms->pin_capacity = capacity;
    }
    ms->pins[ms->pin_count++] = sti_map_ref(map);
    return STELE_OK;
}

/* Copy bytes to *at and move it on; nil stays nil. */
static stele_bytes move_bytes(uint8_t **at, stele_bytes from)
{
    stele_bytes to = stele_nil();

    if (from.len > 0) {
        memcpy(*at, from.data, from.len);
        to = stele_bytes_of(*at, from.len);
        *at += from.len;
    }
    return to;
}

stele_code stele_messages_own(stele_messages *ms, stele_error *err)
{
    size_t total = 0;
    uint8_t *own;
    uint8_t *at;

    for (size_t i = 0; i < ms->count; i++) {
        total += ms->items[i].key.len + ms->items[i].value.len;
    }
    own = sti_malloc(total);
    if (own == NULL) {
        return sti_fail_memory(err, total);
    }
    at = own;
    for (size_t i = 0; i < ms->count; i++) {
        ms->items[i].key = move_bytes(&at, ms->items[i].key);
        ms->items[i].value = move_bytes(&at, ms->items[i].value);
    }
    unpin(ms, 0);
    sti_free(ms->own);
    ms->own = own;
    return STELE_OK;
}
