/* SPDX-License-Identifier: MIT
 *
 * type.h: the definition of a type of documents, and its form as JSON.
 *
 * A document says by its member "@type" what it is; the definition of that type says by which
 * keys it is indexed. Its form as JSON is normative, since peers compare hashes of it:
 *
 *     {"name":"user","keys":[{"name":"mail","fields":["mail"],"method":"utf8","unique":true}],
 *      "version":3}
 *
 * without blanks, members in this order, strings as Go writes them (json/json.h), `unique` only
 * when true, and null for no keys at all. The hash of the type is the SHA-256 of that text and a
 * line feed. The reference passes over members that it does not know; ours stand behind its own
 * and are left out where they say nothing, so that its definitions keep their hashes:
 *
 *     in a key      "array":true        a field that is an array indexes each of its elements
 *                   "orders":["…",…]    the order of each field, where the method is not that
 *                                       of all of them
 *     in the type   "expiry":"a/b"      the field with the time at which a document expires
 *
 * "utf8", "int", "binary" and "" are methods of the reference ("int" and "" do there what
 * "binary" does), "number" and "time" are ours; a reference takes the latter for "binary" too.
 * All of this is a pure function of its arguments.
 */
#ifndef STI_DOCS_TYPE_H
#define STI_DOCS_TYPE_H

#include <stele/bytes.h>

enum {
    STI_DOCS_NAME_MAX = 255,          /* bytes of the name of a type or a key, at least 1 */
    STI_DOCS_PATH_MAX = 1024,         /* bytes of the path of a field, at least 1 */
    STI_DOCS_FIELD_MAX = 16,          /* fields of a key, at least 1 */
    STI_DOCS_KEY_MAX = 64,            /* keys of a type */
    STI_DOCS_TYPE_SIZE_MAX = 1 << 23, /* bytes of a definition as JSON, more than any can have */
    STI_DOCS_TYPE_HASH_SIZE = 32
};

/* How the values of a field are ordered and held equal. */
enum sti_docs_order {
    STI_DOCS_ORDER_BINARY, /* numbers as numbers, strings by their bytes */
    STI_DOCS_ORDER_UTF8,   /* strings loosely: case, width and accents do not count */
    STI_DOCS_ORDER_NUMBER, /* strings that are numbers count as those */
    STI_DOCS_ORDER_TIME    /* strings that are times, numbers of seconds since 1970 */
};

/* The "method" of a key, as it is written. */
enum sti_docs_method {
    STI_DOCS_METHOD_DEFAULT, /* "" */
    STI_DOCS_METHOD_BINARY,
    STI_DOCS_METHOD_INT,
    STI_DOCS_METHOD_UTF8,
    STI_DOCS_METHOD_NUMBER,
    STI_DOCS_METHOD_TIME
};

/* Strings end with a zero byte, hold none before it, and are UTF-8. */
struct sti_docs_field {
    const char *path;          /* "a/b/0" */
    enum sti_docs_order order; /* what counts, whatever the method of the key */
};

struct sti_docs_key {
    const char *name;
    const struct sti_docs_field *fields;
    size_t field_count;
    enum sti_docs_method method; /* of the text alone: the fields have their orders */
    bool unique;
    bool array;
};

struct sti_docs_type {
    const char *name;
    int64_t version;
    const struct sti_docs_key *keys;
    size_t key_count;
    const char *expiry; /* path of a field; NULL: documents do not expire */
};

/* The order of fields whose key has this method and says no more. */
enum sti_docs_order sti_docs_method_order(enum sti_docs_method method);

/* Whether the definition keeps to the limits: STELE_EINVAL, naming the key, if not. */
stele_code sti_docs_type_check(const struct sti_docs_type *type, stele_error *err);

/* A copy that is the caller's, to be freed below. Fails as the check does, or with
 * STELE_ENOMEM. */
stele_code sti_docs_type_copy(
        struct sti_docs_type **out, const struct sti_docs_type *type, stele_error *err);
void sti_docs_type_free(struct sti_docs_type *type);

/* From JSON. STELE_EINVAL for what is no definition, naming the key at fault; STELE_ENOMEM. */
stele_code sti_docs_type_parse(struct sti_docs_type **out, stele_bytes json, stele_error *err);

/* The same of one that was stored, or comes from elsewhere: STELE_ECORRUPT for what is none. */
stele_code sti_docs_type_read(struct sti_docs_type **out, stele_bytes json, stele_error *err);

/* Append the definition as JSON, without the line feed. The type is checked before. */
stele_code sti_docs_type_write(const struct sti_docs_type *type, stele_buf *out, stele_error *err);

/* Its hash. The type is checked before. */
stele_code sti_docs_type_hash(
        const struct sti_docs_type *type, uint8_t out[STI_DOCS_TYPE_HASH_SIZE], stele_error *err);

#endif /* STI_DOCS_TYPE_H */
