/* SPDX-License-Identifier: MIT
 *
 * fnv.h: the FNV-1a hash, 64 bits; the key hash of stream indexes.
 */
#ifndef STI_BASE_FNV_H
#define STI_BASE_FNV_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t sti_fnv1a64(const void *data, size_t len)
{
    const uint8_t *p = (const uint8_t *)data;
    uint64_t hash = 0xcbf29ce484222325ULL;

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ p[i]) * 0x100000001b3ULL;
    }
    return hash;
}

#endif /* STI_BASE_FNV_H */
