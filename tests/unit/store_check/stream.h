/* SPDX-License-Identifier: MIT
 *
 * stream.h: a stream of bytes in memory, written in pieces of any size and read in others.
 */
#ifndef TESTS_UNIT_STORE_CHECK_STREAM_H
#define TESTS_UNIT_STORE_CHECK_STREAM_H

#include <stele/env.h>

struct stream {
    uint8_t *bytes;
    size_t len;
    size_t at; /* of reading */
};

stele_code stream_write(void *arg, const void *data, size_t len, stele_error *err);
stele_code stream_read(void *arg, void *data, size_t len, size_t *got, stele_error *err);
void stream_rewind(struct stream *s);
void stream_free(struct stream *s);

#endif /* TESTS_UNIT_STORE_CHECK_STREAM_H */
