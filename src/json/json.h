/* SPDX-License-Identifier: MIT
 *
 * json.h: checking JSON texts, and JSON strings to bytes and back.
 *
 * Reading is jansson's, the same strict reader that the command has: what one
 * part of Stele takes, all of it takes. That reader makes values, and so
 * refuses some texts that are JSON by their grammar:
 *
 *   - numbers beyond a double, such as 1e400 (integers beyond 64 bits pass,
 *     and so do numbers too small for a double);
 *   - escapes of lone surrogates, such as \ud800: they stand for no character;
 *   - the escape \u0000 in the name of a member;
 *   - values more than 2048 deep (JSON_PARSER_MAX_DEPTH), arrays and objects
 *     counted.
 *
 * It also takes memory: some 80 bytes for each byte of the worst text, which
 * is a list of empty objects; and, for the deepest, up to 256 KiB of stack.
 *
 * Encoding writes the same bytes as Go's encoding/json does for a string, with
 * <, >, &, U+2028 and U+2029 escaped, as no library does. That matters where
 * the text is a key: it is looked up by its bytes.
 */
#ifndef STI_JSON_JSON_H
#define STI_JSON_JSON_H

#include <stele/bytes.h>

struct json_t; /* jansson's json_t, for those who include its header */

/* What a text may be, beyond its grammar. */
struct sti_json_rules {
    size_t size_max;  /* in bytes */
    size_t depth_max; /* of arrays and objects within each other; at most the parser's 2048 */
};

/* Is `text` one JSON text, at most size_max bytes long? Names may repeat.
 * STELE_ETOOBIG for the size and the depth, STELE_ENOMEM, and STELE_ECORRUPT
 * for all else, saying how many bytes were read until then. */
stele_code sti_json_check(stele_bytes text, size_t size_max, stele_error *err);

/* The value of a JSON text, to be let go with json_decref(). Stricter than the check above: names
 * within an object differ, and numbers are those of int64_t, where they have neither fraction
 * nor exponent, or finite doubles. Fails as the check does, and leaves `out` then untouched. */
stele_code sti_json_load(stele_bytes text, const struct sti_json_rules *rules, struct json_t **out,
        stele_error *err);

/* What a JSON text that is a string, or null, stands for. */
struct sti_json_string {
    stele_bytes bytes; /* nil if it is null; valid until the string is freed */
    void *owner;
};

/* Fails as sti_json_check() does; STELE_ECORRUPT also for all other values.
 * `out` is set, and to be freed, on success alone. */
stele_code sti_json_string_decode(
        stele_bytes text, size_t size_max, struct sti_json_string *out, stele_error *err);
void sti_json_string_free(struct sti_json_string *string);

/* Append the JSON string of `text`, quotes included. STELE_EINVAL if it is not
 * UTF-8; `out` is then as before. */
stele_code sti_json_string_encode(stele_bytes text, stele_buf *out, stele_error *err);

#endif /* STI_JSON_JSON_H */
