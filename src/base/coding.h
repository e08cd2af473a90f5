/* SPDX-License-Identifier: MIT
 *
 * coding.h: integers to bytes and back, at any alignment.
 *
 * Disk formats are written field by field with these. No struct is ever
 * copied to or from a file: padding, alignment and byte order stay out.
 * sti_put_be64() writes big endian, sti_put_le64() little endian.
 */
#ifndef STI_BASE_CODING_H
#define STI_BASE_CODING_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if !defined(__BYTE_ORDER__) || \
        (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ && __BYTE_ORDER__ != __ORDER_BIG_ENDIAN__)
#error "unknown byte order"
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define STI_SWAP_BE32(v) __builtin_bswap32(v)
#define STI_SWAP_BE64(v) __builtin_bswap64(v)
#define STI_SWAP_LE32(v) (v)
#define STI_SWAP_LE64(v) (v)
#else
#define STI_SWAP_BE32(v) (v)
#define STI_SWAP_BE64(v) (v)
#define STI_SWAP_LE32(v) __builtin_bswap32(v)
#define STI_SWAP_LE64(v) __builtin_bswap64(v)
#endif

static inline void sti_put_be32(uint8_t *out, uint32_t v)
{
    v = STI_SWAP_BE32(v);
    memcpy(out, &v, sizeof v);
}

static inline uint32_t sti_get_be32(const uint8_t *in)
{
    uint32_t v;

    memcpy(&v, in, sizeof v);
    return STI_SWAP_BE32(v);
}

static inline void sti_put_be64(uint8_t *out, uint64_t v)
{
    v = STI_SWAP_BE64(v);
    memcpy(out, &v, sizeof v);
}

static inline uint64_t sti_get_be64(const uint8_t *in)
{
    uint64_t v;

    memcpy(&v, in, sizeof v);
    return STI_SWAP_BE64(v);
}

static inline void sti_put_le32(uint8_t *out, uint32_t v)
{
    v = STI_SWAP_LE32(v);
    memcpy(out, &v, sizeof v);
}

static inline uint32_t sti_get_le32(const uint8_t *in)
{
    uint32_t v;

    memcpy(&v, in, sizeof v);
    return STI_SWAP_LE32(v);
}

static inline void sti_put_le64(uint8_t *out, uint64_t v)
{
    v = STI_SWAP_LE64(v);
    memcpy(out, &v, sizeof v);
}

static inline uint64_t sti_get_le64(const uint8_t *in)
{
    uint64_t v;

    memcpy(&v, in, sizeof v);
    return STI_SWAP_LE64(v);
}

/* Zig-zag LEB128, as Go's binary.Varint. */
#define STI_VARINT_MAX 10

/* Write 1 to 10 bytes; returns how many. */
size_t sti_varint_put(uint8_t out[STI_VARINT_MAX], int64_t v);

/* Read one from the start of `in`. Returns the bytes taken, 0 if `in` ends
 * too early, and -1 if the number is over-long or does not fit. */
int sti_varint_get(const uint8_t *in, size_t len, int64_t *v);

#endif /* STI_BASE_CODING_H */
