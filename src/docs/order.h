/* SPDX-License-Identifier: MIT
 *
 * order.h: JSON values as bytes that sort as the values do.
 *
 * A field of an index key is a tag and what the tag says:
 *
 * | tag | kind | then |
 * | --- | --- | --- |
 * | 10 | null |  |
 * | 18, 19 | false, true |  |
 * | 20 | number | 8 BE: the greatest double that is not above it, its bits made unsigned in the
 * order of the numbers · 2 BE: what an integer is above that double, 0 to 1,023 | | 28 | string |
 * text | | 30 | time | 8 BE: seconds since 1970, plus 2^63 · 4 BE: nanoseconds | | 38 | array |
 * text: the fields of its elements, and 01 | | 40 | object | text: name and field of each member,
 * in the order of the names' bytes, and 01 |
 *
 * Text is its bytes, 00 written 01 01 and 01 written 01 02, and then 00. If that takes more than
 * 480 bytes without the 00, as many whole ones as fit stand there, and then, instead of the 00,
 * 01 03 and the first 16 bytes of the SHA-256 of the whole. Within the text of an array or object
 * no text is cut, and an array or object is its tag and what its text would be, but not as a text.
 *
 * So each field says itself where it ends, and none can pass for another and a beginning of the
 * next: a text that others go on from sorts before them. Values that are equal have equal bytes,
 * and others differ (but for collisions of SHA-256). The bytes compare as the values, but for
 * texts that are cut and agree in all that is kept of them: those sort by their hashes. Numbers
 * are equal whether written 1, 1.0 or 1e0, and 0 is -0.0. 01 alone, which is no tag, can end a
 * row of fields and sorts before a further one.
 *
 * The order of a field changes how some values count:
 *
 * - "binary": all as above; strings sort by their bytes.
 * - "utf8": the text of a string is its key by the collator.
 * - "number": a string that is a number by the grammar of JSON, without blanks around it, and one
 *   that a document could hold (an integer of int64_t, a finite double), counts as that number.
 * - "time": a string that is a time as RFC 3339 has it counts as that instant, with at most nine
 *   digits of a fraction; a leap second, which can only be at 23:59:60 UTC, as the second after
 *   it; "T" and "Z" may be small, and a blank may stand for the "T". A number counts as seconds
 *   since 1970, rounded to nanoseconds, if they are fewer than 2^63.
 *
 * All else stays what it is. All functions here are pure.
 */
#ifndef STI_DOCS_ORDER_H
#define STI_DOCS_ORDER_H

#include "docs/collate.h"
#include "docs/type.h"

#include <jansson.h>

enum {
    STI_DOCS_TEXT_MAX = 480,                          /* bytes of a text in a field */
    STI_DOCS_FIELD_SIZE_MAX = STI_DOCS_TEXT_MAX + 19, /* bytes of a field */
    STI_DOCS_TAG_END = 0x01,
    STI_DOCS_TAG_NULL = 0x10,
    STI_DOCS_TAG_FALSE = 0x18,
    STI_DOCS_TAG_TRUE = 0x19,
    STI_DOCS_TAG_NUMBER = 0x20,
    STI_DOCS_TAG_STRING = 0x28,
    STI_DOCS_TAG_TIME = 0x30,
    STI_DOCS_TAG_ARRAY = 0x38,
    STI_DOCS_TAG_OBJECT = 0x40,
    STI_DOCS_TAG_ABOVE = 0xff /* above every tag */
};

/* Append the field of a value. `cut` says whether it was; NULL: not asked for. The collator may be
 * NULL if the order is not "utf8". STELE_ETOOBIG beyond the buffer's limit, STELE_ENOMEM, and
 * STELE_ENOTSUP if the system refuses SHA-256; the buffer may have become longer then. */
stele_code sti_docs_order_encode(const struct sti_docs_collator *collator,
        enum sti_docs_order order, const json_t *value, stele_buf *out, bool *cut,
        stele_error *err);

/* Append what the fields of all strings begin with that begin with this one, which is UTF-8; with
 * the collator, all whose keys begin with its key. STELE_ETOOBIG if it would be cut. */
stele_code sti_docs_order_prefix(const struct sti_docs_collator *collator,
        enum sti_docs_order order, stele_bytes text, stele_buf *out, stele_error *err);

/* The parts of fields, for order.c and composite.c. */
stele_code sti_docs_put_scalar(const json_t *value, stele_buf *out, stele_error *err);
stele_code sti_docs_put_text(uint8_t tag, stele_bytes text, stele_buf *out, stele_error *err);

/* Append the fields and ends of an array or object, without its tag and without the 00: the text
 * of the table above. */
stele_code sti_docs_put_composite(const json_t *value, stele_buf *out, stele_error *err);

#endif /* STI_DOCS_ORDER_H */
