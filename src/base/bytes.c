/* SPDX-License-Identifier: MIT
 *
 * bytes.c: comparing views, growing buffers.
 */
#include "base/bytes.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"

enum {
    BUF_CAPACITY_MIN = 64
};

bool stele_bytes_equal(stele_bytes a, stele_bytes b)
{
    if (a.len != b.len || stele_is_nil(a) != stele_is_nil(b)) {
        return false;
    }
    return a.len == 0 || memcmp(a.data, b.data, a.len) == 0;
}

int stele_bytes_compare(stele_bytes a, stele_bytes b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);

    if (order != 0) {
        return order < 0 ? -1 : 1;
    }
    if (a.len != b.len) {
        return a.len < b.len ? -1 : 1;
    }
    /* Here both are nil or empty, or both are neither. */
    return (int)stele_is_nil(b) - (int)stele_is_nil(a);
}

void stele_buf_init(stele_buf *buf, size_t limit)
{
    buf->data = NULL;
    buf->len = 0;
    buf->capacity = 0;
    buf->limit = limit;
}

/* Make room for `need` bytes in all, at most the limit. Doubling keeps the
 * cost of many small additions linear. */
static stele_code reserve(stele_buf *buf, size_t need, stele_error *err)
{
    size_t capacity = buf->capacity < BUF_CAPACITY_MIN ? BUF_CAPACITY_MIN : buf->capacity;
    uint8_t *data;

    if (buf->data != NULL && need <= buf->capacity) {
        return STELE_OK;
    }
    while (capacity < need) {
        capacity = capacity > SIZE_MAX / 2 ? SIZE_MAX : capacity * 2;
    }
    if (capacity > buf->limit) {
        capacity = buf->limit;
    }
    data = sti_realloc(buf->data, capacity, 1);
    if (data == NULL) {
        (void)sti_fail_memory(err, capacity);
        return STELE_ENOMEM;
    }
    buf->data = data;
    buf->capacity = capacity;
    return STELE_OK;
}

stele_code stele_buf_append(stele_buf *buf, stele_bytes bytes, stele_error *err)
{
    bool own = sti_buf_holds(buf, bytes);
    size_t at = own ? (size_t)(bytes.data - buf->data) : 0;
    stele_code code;

    sti_assert(buf->len <= buf->limit);
    if (bytes.data == NULL && bytes.len > 0) {
        return sti_fail(err, STELE_EINVAL, "no data, but a length of %zu bytes", bytes.len);
    }
    if (bytes.len > buf->limit - buf->len) {
        return sti_fail(err, STELE_ETOOBIG, "%zu bytes do not fit behind %zu of at most %zu",
                bytes.len, buf->len, buf->limit);
    }
    code = reserve(buf, buf->len + bytes.len, err);
    if (code != STELE_OK) {
        return code;
    }
    if (bytes.len > 0) {
        /* A view of the buffer itself has moved with it. */
        const uint8_t *source = own ? buf->data + at : bytes.data;

        memcpy(buf->data + buf->len, source, bytes.len);
        buf->len += bytes.len;
    }
    return STELE_OK;
}

void stele_buf_clear(stele_buf *buf)
{
    buf->len = 0;
}

void stele_buf_free(stele_buf *buf)
{
    sti_free(buf->data);
    stele_buf_init(buf, buf->limit);
}
