/* SPDX-License-Identifier: MIT */
#include "stream/arena.h"

void *stele_arena_alloc(stele_arena *arena, size_t size)
{
    return arena == NULL ? NULL : sti_arena_alloc(&arena->memory, size, _Alignof(max_align_t));
}
