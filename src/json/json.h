/* SPDX-License-Identifier: MIT
 *
 * json.h: checking JSON texts, and JSON strings to bytes and back.
 *
 * The checks follow RFC 8259 to the letter and keep nothing: no memory, no
 * recursion, no tree. They are not built on a parser that makes values, since
 * that refuses what is valid JSON and what other programs write: numbers
 * beyond 64 bits or beyond a double, and escapes of lone surrogates.
 *
 * Encoding writes the same bytes as Go's encoding/json does for a string.
 * That matters where the text is a key: it is looked up by its bytes.
 */
#ifndef STI_JSON_JSON_H
#define STI_JSON_JSON_H

#include <stele/bytes.h>

/* Arrays and objects within each other; the limit of Go's decoder too. */
#define STI_JSON_DEPTH_MAX 10000

/* Is `text` one JSON text, at most size_max bytes long and depth_max deep (itself
 * at most STI_JSON_DEPTH_MAX)? Names may repeat. STELE_ETOOBIG for the limits,
 * STELE_ECORRUPT for all else, naming the byte. */
stele_code sti_json_check(stele_bytes text, size_t size_max, size_t depth_max, stele_error *err);

/* Is it UTF-8, without surrogates and over-long forms? */
bool sti_utf8_valid(stele_bytes text);

/* Append the JSON string of `text`, quotes included. STELE_EINVAL if it is not
 * UTF-8; `out` is then as before. */
stele_code sti_json_string_encode(stele_bytes text, stele_buf *out, stele_error *err);

/* A JSON text that is a string, or null. */
struct sti_json_string {
    stele_bytes body; /* between the quotes, borrowed; nil if it is null */
    bool escaped;     /* the body has escapes, else it is the string */
};

/* STELE_ECORRUPT if `text` is anything else. */
stele_code sti_json_string_scan(stele_bytes text, struct sti_json_string *out, stele_error *err);

/* Write the bytes that a scanned string stands for, at most body.len; returns
 * how many. Lone surrogates become U+FFFD. */
size_t sti_json_string_decode(const struct sti_json_string *string, uint8_t *out);

#endif /* STI_JSON_JSON_H */
