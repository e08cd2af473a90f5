/* SPDX-License-Identifier: MIT
 *
 * split.c: a key of the index taken apart, which shows that fields say themselves where they end.
 */
#include "base/coding.h"
#include "base/error.h"
#include "docs/keys.h"
#include "docs/order.h"

/* Bytes of the text at the start of `in`, its end included; 0 if it does not end. */
static size_t text_len(stele_bytes in)
{
    size_t at = 0;

    while (at < in.len && in.data[at] != 0) {
        if (in.data[at] != 1) {
            at++;
        } else if (at + 1 < in.len && in.data[at + 1] == 3) {
            return in.len - at < 18 ? 0 : at + 18;
        } else if (at + 1 < in.len && (in.data[at + 1] == 1 || in.data[at + 1] == 2)) {
            at += 2;
        } else {
            return 0;
        }
    }
    return at < in.len ? at + 1 : 0;
}

/* Bytes of the field at the start of in.len > 0 bytes; 0 if there is none. */
static size_t field_len(stele_bytes in)
{
    size_t len;

    switch (in.data[0]) {
    case STI_DOCS_TAG_NULL:
    case STI_DOCS_TAG_FALSE:
    case STI_DOCS_TAG_TRUE:
        return 1;
    case STI_DOCS_TAG_NUMBER:
        return in.len < 11 ? 0 : 11;
    case STI_DOCS_TAG_TIME:
        return in.len < 13 ? 0 : 13;
    case STI_DOCS_TAG_STRING:
    case STI_DOCS_TAG_ARRAY:
    case STI_DOCS_TAG_OBJECT:
        len = text_len(stele_bytes_of(in.data + 1, in.len - 1));
        return len == 0 ? 0 : len + 1;
    default:
        return 0;
    }
}

stele_code sti_docs_index_split(stele_bytes key, struct sti_docs_index_parts *out, stele_error *err)
{
    struct sti_docs_index_parts parts = {.claim_len = STI_DOCS_INDEX_HEAD};

    if (key.len < STI_DOCS_INDEX_HEAD) {
        return sti_fail(err, STELE_ECORRUPT, "an index key of %zu bytes", key.len);
    }
    parts.type_number = sti_get_be32(key.data);
    parts.number = (uint16_t)(key.data[4] << 8 | key.data[5]);
    while (parts.claim_len < key.len && key.data[parts.claim_len] != STI_DOCS_TAG_END) {
        size_t len =
                field_len(stele_bytes_of(key.data + parts.claim_len, key.len - parts.claim_len));

        if (len == 0) {
            return sti_fail(err, STELE_ECORRUPT, "an index key whose field at %zu is none",
                    parts.claim_len);
        }
        parts.claim_len += len;
        parts.field_count++;
    }
    parts.claim_len++; /* the 01 */
    if (parts.claim_len >= key.len || key.len - parts.claim_len > STI_DOCS_ID_MAX) {
        return sti_fail(err, STELE_ECORRUPT, "an index key of %zu bytes without an id", key.len);
    }
    parts.id = stele_bytes_of(key.data + parts.claim_len, key.len - parts.claim_len);
    *out = parts;
    return STELE_OK;
}
