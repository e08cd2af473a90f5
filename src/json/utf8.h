/* SPDX-License-Identifier: MIT
 *
 * utf8.h: where a character of UTF-8 ends.
 */
#ifndef STI_JSON_UTF8_H
#define STI_JSON_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Length of the UTF-8 sequence at the start of len > 0 bytes; 0 if there is
 * none. The ranges of the second byte shut out over-long forms, surrogates
 * and what lies beyond U+10FFFF. */
static inline size_t sti_json_utf8_len(const uint8_t *in, size_t len)
{
    uint8_t low = 0x80;
    uint8_t high = 0xBF;
    size_t need;

    if (in[0] < 0x80) {
        return 1;
    }
    if (in[0] >= 0xC2 && in[0] <= 0xDF) {
        need = 2;
    } else if (in[0] >= 0xE0 && in[0] <= 0xEF) {
        need = 3;
        low = in[0] == 0xE0 ? 0xA0 : low;
        high = in[0] == 0xED ? 0x9F : high;
    } else if (in[0] >= 0xF0 && in[0] <= 0xF4) {
        need = 4;
        low = in[0] == 0xF0 ? 0x90 : low;
        high = in[0] == 0xF4 ? 0x8F : high;
    } else {
        return 0;
    }
    if (len < need || in[1] < low || in[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < need; i++) {
        if ((in[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return need;
}

#endif /* STI_JSON_UTF8_H */
