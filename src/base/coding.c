/* SPDX-License-Identifier: MIT
 *
 * coding.c: varints.
 */
#include "base/coding.h"

size_t sti_varint_put(uint8_t out[STI_VARINT_MAX], int64_t v)
{
    uint64_t zigzag = ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
    size_t n = 0;

    while (zigzag >= 0x80) {
        out[n++] = (uint8_t)(zigzag | 0x80);
        zigzag >>= 7;
    }
    out[n++] = (uint8_t)zigzag;
    return n;
}

/* As in Go, a number may be padded with zero bits (80 00 is 0), and ten bytes
 * that all announce another one are an input that ends too early. */
int sti_varint_get(const uint8_t *in, size_t len, int64_t *v)
{
    uint64_t zigzag = 0;

    for (unsigned i = 0; i < len; i++) {
        if (i == STI_VARINT_MAX) {
            return -1;
        }
        if (in[i] < 0x80) {
            if (i == STI_VARINT_MAX - 1 && in[i] > 1) {
                return -1; /* The tenth byte has room for one bit. */
            }
            zigzag |= (uint64_t)in[i] << (7 * i);
            zigzag = (zigzag >> 1) ^ (0 - (zigzag & 1));
            memcpy(v, &zigzag, sizeof *v);
            return (int)i + 1;
        }
        zigzag |= (uint64_t)(in[i] & 0x7F) << (7 * i);
    }
    return 0;
}
