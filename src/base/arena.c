/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdint.h>

enum {
    CHUNK_SIZE_MIN = 4096,
    CHUNK_SIZE_MAX = 1 << 20
};

struct sti_arena_chunk {
    struct sti_arena_chunk *next;
    size_t size; /* of data */
    max_align_t data[];
};

static struct sti_arena_chunk *chunk_new(struct sti_arena *arena, size_t size)
{
    struct sti_arena_chunk *chunk;

    if (size > SIZE_MAX - sizeof *chunk) {
        return NULL;
    }
    chunk = sti_malloc(sizeof *chunk + size);
    if (chunk != NULL) {
        chunk->next = NULL;
        chunk->size = size;
        arena->memory += size;
    }
    return chunk;
}

/* A piece too large to share a chunk goes behind the one in use, whose rest
 * stays usable. */
static void *alloc_alone(struct sti_arena *arena, size_t size)
{
    struct sti_arena_chunk *chunk = chunk_new(arena, size);

    if (chunk == NULL) {
        return NULL;
    }
    if (arena->chunks == NULL) {
        arena->chunks = chunk;
        arena->used = size;
    } else {
        chunk->next = arena->chunks->next;
        arena->chunks->next = chunk;
    }
    return chunk->data;
}

void *sti_arena_alloc(struct sti_arena *arena, size_t size, size_t align)
{
    struct sti_arena_chunk *chunk = arena->chunks;
    size_t at;

    sti_debug_assert(align != 0 && align <= _Alignof(max_align_t) && (align & (align - 1)) == 0);
    if (chunk != NULL) {
        at = (arena->used + align - 1) & ~(align - 1);
        if (at <= chunk->size && size <= chunk->size - at) {
            arena->used = at + size;
            return (uint8_t *)chunk->data + at;
        }
    }
    if (arena->next_size == 0) {
        arena->next_size = CHUNK_SIZE_MIN;
    }
    if (size > arena->next_size / 4) {
        return alloc_alone(arena, size);
    }
    chunk = chunk_new(arena, arena->next_size);
    if (chunk == NULL) {
        return NULL;
    }
    if (arena->next_size < CHUNK_SIZE_MAX) {
        arena->next_size *= 2;
    }
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->used = size;
    return chunk->data;
}

static void free_chunks(struct sti_arena_chunk *chunk)
{
    while (chunk != NULL) {
        struct sti_arena_chunk *next = chunk->next;

        sti_free(chunk);
        chunk = next;
    }
}

void sti_arena_reset(struct sti_arena *arena)
{
    struct sti_arena_chunk *first = arena->chunks;

    if (first == NULL) {
        return;
    }
    if (first->size > CHUNK_SIZE_MAX) {
        sti_arena_free(arena);
        return;
    }
    free_chunks(first->next);
    first->next = NULL;
    arena->used = 0;
    arena->memory = first->size;
}

void sti_arena_free(struct sti_arena *arena)
{
    free_chunks(arena->chunks);
    arena->chunks = NULL;
    arena->used = 0;
    arena->next_size = 0;
    arena->memory = 0;
}
