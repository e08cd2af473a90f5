/* SPDX-License-Identifier: MIT
 *
 * bytes.h: views of bytes, and the one growable buffer of the library.
 *
 * A stele_bytes borrows: it never owns what it points at, is passed by value,
 * and is valid for as long as the function that returned it says.
 *
 * Nil and empty are different values, here and on disk:
 *
 *            data       len   meaning
 *     nil    NULL       0     absent (a message without key, a deletion)
 *     empty  not NULL   0     present, and zero bytes long
 *
 * A NULL data with a non-zero len is a programming error (STELE_EINVAL).
 */
#ifndef STELE_BYTES_H
#define STELE_BYTES_H

#include <stele/error.h>

#include <string.h>

STELE_BEGIN_DECLS

typedef struct stele_bytes {
    const uint8_t *data;
    size_t len;
} stele_bytes;

static inline stele_bytes stele_bytes_of(const void *data, size_t len)
{
    stele_bytes b;
    b.data = (const uint8_t *)data;
    b.len = len;
    return b;
}

static inline stele_bytes stele_nil(void)
{
    return stele_bytes_of(NULL, 0);
}

static inline stele_bytes stele_empty(void)
{
    return stele_bytes_of("", 0);
}

/* The bytes of a C string, without its terminator; nil for NULL. */
static inline stele_bytes stele_str(const char *s)
{
    return s == NULL ? stele_nil() : stele_bytes_of(s, strlen(s));
}

static inline bool stele_is_nil(stele_bytes b)
{
    return b.data == NULL;
}

/* Equal length and equal bytes; nil equals only nil. */
STELE_API bool stele_bytes_equal(stele_bytes a, stele_bytes b);

/* Bytewise order, shorter first on a common prefix; nil sorts before empty. */
STELE_API int stele_bytes_compare(stele_bytes a, stele_bytes b);

/* A buffer that grows up to `limit` bytes, then fails with STELE_ETOOBIG.
 * Set by stele_buf_init(); its fields are read-only to callers. A nil buffer
 * (never appended to, or set so) differs from an empty one, as above. */
typedef struct stele_buf {
    uint8_t *data;
    size_t len;
    size_t capacity;
    size_t limit;
} stele_buf;

STELE_API void stele_buf_init(stele_buf *buf, size_t limit);

/* Add bytes at the end. STELE_ETOOBIG beyond the limit, STELE_ENOMEM; the
 * buffer is then as before. Adding nil or empty bytes makes a nil buffer an
 * empty one. */
STELE_API STELE_NODISCARD stele_code stele_buf_append(
        stele_buf *buf, stele_bytes bytes, stele_error *err);

/* Empty, keeping the memory. */
STELE_API void stele_buf_clear(stele_buf *buf);

/* Free the memory and return to the state after stele_buf_init(). */
STELE_API void stele_buf_free(stele_buf *buf);

static inline stele_bytes stele_buf_view(const stele_buf *buf)
{
    return stele_bytes_of(buf->data, buf->len);
}

STELE_END_DECLS

#endif /* STELE_BYTES_H */
