/* SPDX-License-Identifier: MIT
 *
 * stream.c: bytes in memory.
 */
#include "stream.h"

#include "lib/check.h"

#include <stdlib.h>

enum {
    PIECE = 1021
};

stele_code stream_write(void *arg, const void *data, size_t len, stele_error *err)
{
    struct stream *s = arg;
    uint8_t *bytes = realloc(s->bytes, s->len + len + 1);

    (void)err;
    assert_non_null(bytes);
    memcpy(bytes + s->len, data, len);
    s->bytes = bytes;
    s->len += len;
    return STELE_OK;
}

stele_code stream_read(void *arg, void *data, size_t len, size_t *got, stele_error *err)
{
    struct stream *s = arg;
    size_t n = len < PIECE ? len : PIECE;

    (void)err;
    n = n < s->len - s->at ? n : s->len - s->at;
    if (n > 0) {
        memcpy(data, s->bytes + s->at, n);
    }
    s->at += n;
    *got = n;
    return STELE_OK;
}

void stream_rewind(struct stream *s)
{
    s->at = 0;
}

void stream_free(struct stream *s)
{
    free(s->bytes);
    *s = (struct stream){.bytes = NULL};
}
