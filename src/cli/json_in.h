/* SPDX-License-Identifier: MIT
 *
 * json_in.h: JSON objects as input: a line each, with the names that output
 * has.
 *
 * A caller parses a line, says which fields there may be, and takes them one
 * by one. What is missing or null is "not given". Every failure but a lack of
 * memory is STELE_EINVAL and names the field; the number of the line is up to
 * who reads the lines.
 */
#ifndef STI_CLI_JSON_IN_H
#define STI_CLI_JSON_IN_H

#include "cli/option.h"

struct sti_object {
    void *root; /* the JSON value */
};

/* Free it also after a failure. */
stele_code sti_object_parse(stele_bytes line, struct sti_object *out, stele_error *err);
void sti_object_free(struct sti_object *o);

/* Fields with other names are refused. Of bytes, both names have to be given:
 * "key" and "key_b64". */
stele_code sti_object_only(
        const struct sti_object *o, const char *const *names, size_t count, stele_error *err);

/* Bytes: from NAME as they are, or from NAME_b64, decoded; both are an error.
 * Nil if there are none. Valid until the object is freed; what was decoded is
 * in out->owned and has to be freed, also after a failure. */
stele_code sti_object_bytes(
        const struct sti_object *o, const char *name, struct sti_data *out, stele_error *err);

/* A string without NUL, for words that have a meaning. NULL if there is none; valid until the
 * object is freed. */
stele_code sti_object_word(
        const struct sti_object *o, const char *name, const char **out, stele_error *err);

/* An object whose values are strings: from NAME as they are, or from NAME_b64, names and values
 * decoded; both are an error. Valid until the object is freed, and to be freed, also after a
 * failure. */
struct sti_pair {
    struct sti_data name;
    struct sti_data value;
};

struct sti_pairs {
    bool given;
    struct sti_pair *items;
    size_t count;
};

stele_code sti_object_pairs(
        const struct sti_object *o, const char *name, struct sti_pairs *out, stele_error *err);
void sti_pairs_free(struct sti_pairs *pairs);

/* A whole number within 64 bits. */
stele_code sti_object_integer(
        const struct sti_object *o, const char *name, struct sti_number *out, stele_error *err);

/* RFC 3339, or whole microseconds since 1970. */
stele_code sti_object_time(
        const struct sti_object *o, const char *name, struct sti_number *out, stele_error *err);

#endif /* STI_CLI_JSON_IN_H */
