/* SPDX-License-Identifier: MIT
 *
 * arena.h: many small pieces of memory that are freed all at once.
 *
 * Memory comes in chunks that double from 4 KiB up to 1 MiB; a piece that
 * does not fit into such a chunk gets one of its own. Pieces never move.
 */
#ifndef STI_BASE_ARENA_H
#define STI_BASE_ARENA_H

#include <stddef.h>

struct sti_arena_chunk;

/* Zero-initialised is empty. */
struct sti_arena {
    struct sti_arena_chunk *chunks; /* the one in use first */
    size_t used;                    /* bytes of the first chunk */
    size_t next_size;               /* of the next chunk; 0 at the start */
    size_t memory;                  /* bytes of all chunks */
};

/* Memory at a multiple of `align`, a power of two up to that of max_align_t;
 * NULL when there is none. A size of 0 gives a valid pointer. */
void *sti_arena_alloc(struct sti_arena *arena, size_t size, size_t align);

/* Drop every piece, and keep one chunk of at most 1 MiB for the next ones. */
void sti_arena_reset(struct sti_arena *arena);

/* Drop every piece and all memory. */
void sti_arena_free(struct sti_arena *arena);

#endif /* STI_BASE_ARENA_H */
