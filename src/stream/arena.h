/* SPDX-License-Identifier: MIT
 *
 * arena.h: the memory of decoded keys and values.
 */
#ifndef STI_STREAM_ARENA_H
#define STI_STREAM_ARENA_H

#include <stele/codec.h>

#include "base/arena.h"

struct stele_arena {
    struct sti_arena memory;
};

#endif /* STI_STREAM_ARENA_H */
