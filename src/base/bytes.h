/* SPDX-License-Identifier: MIT
 *
 * bytes.h: what <stele/bytes.h> needs inside.
 */
#ifndef STI_BASE_BYTES_H
#define STI_BASE_BYTES_H

#include <stele/bytes.h>

/* Whether a view begins within what the buffer holds, and so moves with it. Where the buffer ends
 * another object may begin, which does not. */
static inline bool sti_buf_holds(const stele_buf *buf, stele_bytes bytes)
{
    uintptr_t start = (uintptr_t)buf->data;
    uintptr_t from = (uintptr_t)bytes.data;

    return from >= start && from - start < buf->len;
}

#endif /* STI_BASE_BYTES_H */
