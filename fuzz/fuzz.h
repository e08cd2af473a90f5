/* SPDX-License-Identifier: MIT
 *
 * fuzz.h: what the fuzz targets share.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that holds for every input. */
#define fuzz_require(condition)                                                           \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            (void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                      \
        }                                                                                 \
    } while (0)

/* The input, from which each target takes what it needs; zeros at its end. */
struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

static inline unsigned fuzz_byte(struct fuzz_input *in)
{
    if (in->size == 0) {
        return 0;
    }
    in->size--;
    return *in->data++;
}

static inline unsigned fuzz_u16(struct fuzz_input *in)
{
    unsigned low = fuzz_byte(in);

    return low | fuzz_byte(in) << 8;
}

/* The next bytes, at most `len`, in memory of their own: a sanitizer sees
 * each byte that is read beyond them. To be freed. */
static inline uint8_t *fuzz_bytes(struct fuzz_input *in, size_t len, size_t *got)
{
    uint8_t *copy;

    *got = len < in->size ? len : in->size;
    copy = calloc(*got == 0 ? 1 : *got, 1);
    fuzz_require(copy != NULL);
    for (size_t i = 0; i < *got; i++) {
        copy[i] = in->data[i];
    }
    in->data += *got;
    in->size -= *got;
    return copy;
}

#endif /* FUZZ_FUZZ_H */
