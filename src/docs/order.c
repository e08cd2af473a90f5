/* SPDX-License-Identifier: MIT
 *
 * order.c: the field of one value.
 */
#include "docs/order.h"

#include "base/assert.h"
#include "base/coding.h"
#include "base/error.h"
#include "base/mutant.h"
#include "base/sha256.h"
#include "docs/instant.h"
#include "json/json.h"

enum {
    HASH_SIZE = 16,
    ESCAPE = 0x01,
    ESCAPED_ZERO = 0x01,
    ESCAPED_ESCAPE = 0x02,
    CUT = 0x03
};

_Static_assert(STI_DOCS_FIELD_SIZE_MAX == 1 + STI_DOCS_TEXT_MAX + 2 + HASH_SIZE, "a cut text");

static stele_code put(stele_buf *out, const uint8_t *bytes, size_t len, stele_error *err)
{
    return stele_buf_append(out, stele_bytes_of(bytes, len), err);
}

/* The bits of a double, made unsigned in the order of the numbers. */
static uint64_t ordered_bits(double d)
{
    uint64_t bits;

    memcpy(&bits, &d, sizeof bits);
    return bits >> 63 != 0 && !STI_MUTANT(DOCS_NEGATIVES_UPSIDE_DOWN) ? ~bits
                                                                      : bits | UINT64_C(1) << 63;
}

/* The greatest double that is not above an integer. Near 2^63 doubles are 1,024 apart. */
static double double_below(int64_t i)
{
    double d = (double)i;
    uint64_t bits;

    /* 2^63 itself is no int64_t: the only double with which the comparison cannot be made. */
    if (d >= 0x1p63 || (int64_t)d > i) {
        /* The next one below; d is not 0 here, since that is exact. */
        memcpy(&bits, &d, sizeof bits);
        bits = d > 0 ? bits - 1 : bits + 1;
        memcpy(&d, &bits, sizeof d);
    }
    return d;
}

static stele_code put_number(double d, uint16_t rest, stele_buf *out, stele_error *err)
{
    uint8_t bytes[11] = {STI_DOCS_TAG_NUMBER};

    sti_put_be64(bytes + 1, ordered_bits(d == 0 && !STI_MUTANT(DOCS_ZERO_HAS_A_SIGN) ? 0.0 : d));
    bytes[9] = (uint8_t)(rest >> 8);
    bytes[10] = (uint8_t)rest;
    return put(out, bytes, sizeof bytes, err);
}

static stele_code put_integer(int64_t i, stele_buf *out, stele_error *err)
{
    double d = double_below(i);

    return put_number(
            d, STI_MUTANT(DOCS_INTEGERS_AS_DOUBLES) ? 0 : (uint16_t)(i - (int64_t)d), out, err);
}

static stele_code put_instant(
        const struct sti_docs_instant *instant, stele_buf *out, stele_error *err)
{
    uint8_t bytes[13] = {STI_DOCS_TAG_TIME};

    sti_put_be64(bytes + 1, (uint64_t)instant->seconds + (UINT64_C(1) << 63));
    sti_put_be32(bytes + 9, instant->ns);
    return put(out, bytes, sizeof bytes, err);
}

/* Append bytes of a text, escaped, up to `max` bytes of them; returns in *taken how many of
 * `text` that were. */
static stele_code put_escaped(
        stele_bytes text, size_t max, stele_buf *out, size_t *taken, stele_error *err)
{
    static const uint8_t escapes[2][2] = {{ESCAPE, ESCAPED_ZERO}, {ESCAPE, ESCAPED_ESCAPE}};
    stele_code rc = STELE_OK;
    size_t start = 0;
    size_t at = 0;
    size_t len = 0; /* of what is escaped so far */

    while (rc == STELE_OK && at < text.len) {
        size_t need = text.data[at] <= ESCAPE ? 2 : 1;

        if (need > max - len) {
            break;
        }
        len += need;
        if (need == 2) {
            rc = put(out, text.data + start, at - start, err);
            if (rc == STELE_OK) {
                rc = put(out, escapes[text.data[at]], 2, err);
            }
            start = at + 1;
        }
        at++;
    }
    if (rc == STELE_OK && start < at) {
        rc = put(out, text.data + start, at - start, err);
    }
    *taken = at;
    return rc;
}

stele_code sti_docs_put_text(uint8_t tag, stele_bytes text, stele_buf *out, stele_error *err)
{
    const uint8_t end = 0;
    size_t taken = 0;
    stele_code rc = put(out, &tag, 1, err);

    if (rc == STELE_OK) {
        rc = put_escaped(text, SIZE_MAX, out, &taken, err);
    }
    if (rc == STELE_OK) {
        rc = put(out, &end, 1, err);
    }
    return rc;
}

/* The same, and cut if it is long. */
static stele_code put_short_text(
        uint8_t tag, stele_bytes text, stele_buf *out, bool *cut, stele_error *err)
{
    uint8_t hash[STI_SHA256_SIZE];
    uint8_t end[2 + HASH_SIZE] = {0};
    size_t end_len = 1;
    size_t taken = 0;
    stele_code rc = put(out, &tag, 1, err);

    if (rc == STELE_OK) {
        rc = put_escaped(text, STI_DOCS_TEXT_MAX, out, &taken, err);
    }
    if (rc == STELE_OK && taken < text.len) {
        rc = sti_sha256(&text, 1, hash, err);
        if (rc == STELE_OK) {
            end[0] = ESCAPE;
            end[1] = CUT;
            memcpy(end + 2, hash, HASH_SIZE);
            end_len = sizeof end;
            *cut = true;
        }
    }
    if (rc == STELE_OK) {
        rc = put(out, end, end_len, err);
    }
    return rc;
}

static uint8_t tag_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_NULL:
        return STI_DOCS_TAG_NULL;
    case JSON_FALSE:
        return STI_DOCS_TAG_FALSE;
    case JSON_TRUE:
        return STI_DOCS_TAG_TRUE;
    case JSON_INTEGER:
    case JSON_REAL:
        return STI_DOCS_TAG_NUMBER;
    case JSON_STRING:
        return STI_DOCS_TAG_STRING;
    case JSON_ARRAY:
        return STI_DOCS_TAG_ARRAY;
    case JSON_OBJECT:
        return STI_DOCS_TAG_OBJECT;
    default:
        sti_assert(false);
        return STI_DOCS_TAG_NULL;
    }
}

static stele_bytes string_of(const json_t *value)
{
    return stele_bytes_of(json_string_value(value), json_string_length(value));
}

stele_code sti_docs_put_scalar(const json_t *value, stele_buf *out, stele_error *err)
{
    uint8_t tag = tag_of(value);

    if (json_is_integer(value)) {
        return put_integer(json_integer_value(value), out, err);
    }
    if (json_is_real(value)) {
        return put_number(json_real_value(value), 0, out, err);
    }
    if (json_is_string(value)) {
        return sti_docs_put_text(tag, string_of(value), out, err);
    }
    return put(out, &tag, 1, err);
}

static stele_code put_array_or_object(
        const json_t *value, stele_buf *out, bool *cut, stele_error *err)
{
    stele_buf text;
    stele_code rc;

    stele_buf_init(&text, SIZE_MAX);
    rc = sti_docs_put_composite(value, &text, err);
    if (rc == STELE_OK) {
        rc = put_short_text(tag_of(value), stele_buf_view(&text), out, cut, err);
    }
    stele_buf_free(&text);
    return rc;
}

static stele_code put_loose(const struct sti_docs_collator *collator, const json_t *value,
        stele_buf *out, bool *cut, stele_error *err)
{
    stele_buf key;
    stele_code rc;

    sti_assert(collator != NULL);
    stele_buf_init(&key, SIZE_MAX);
    rc = sti_docs_collator_key(collator, string_of(value), &key, err);
    if (rc == STELE_OK) {
        rc = put_short_text(STI_DOCS_TAG_STRING, stele_buf_view(&key), out, cut, err);
    }
    stele_buf_free(&key);
    return rc;
}

/* The number that a string is, or NULL if it is none. */
static stele_code number_of(stele_bytes text, json_t **number, stele_error *err)
{
    const struct sti_json_rules rules = {.size_max = SIZE_MAX, .depth_max = 0};
    stele_code rc;

    *number = NULL;
    /* The reader takes blanks on both sides, and values of other kinds. */
    if (text.len == 0 || text.data[text.len - 1] < '0' || text.data[text.len - 1] > '9' ||
            (text.data[0] != '-' && (text.data[0] < '0' || text.data[0] > '9'))) {
        return STELE_OK;
    }
    rc = sti_json_load(text, &rules, number, err);
    return rc == STELE_ECORRUPT || rc == STELE_ETOOBIG ? STELE_OK : rc;
}

stele_code sti_docs_order_encode(const struct sti_docs_collator *collator,
        enum sti_docs_order order, const json_t *value, stele_buf *out, bool *cut, stele_error *err)
{
    struct sti_docs_instant instant;
    json_t *number = NULL;
    bool ignored = false;
    stele_code rc = STELE_OK;

    cut = cut == NULL ? &ignored : cut;
    *cut = false;
    if (json_is_string(value) && order == STI_DOCS_ORDER_NUMBER &&
            !STI_MUTANT(DOCS_NUMBER_STRINGS_STAY)) {
        rc = number_of(string_of(value), &number, err);
        value = number == NULL ? value : number;
    }
    if (rc != STELE_OK) {
        return rc;
    }
    if (order == STI_DOCS_ORDER_TIME && sti_docs_instant_of(value, &instant)) {
        rc = put_instant(&instant, out, err);
    } else if (json_is_string(value) && order == STI_DOCS_ORDER_UTF8) {
        rc = put_loose(collator, value, out, cut, err);
    } else if (json_is_string(value)) {
        rc = put_short_text(STI_DOCS_TAG_STRING, string_of(value), out, cut, err);
    } else if (json_is_array(value) || json_is_object(value)) {
        rc = put_array_or_object(value, out, cut, err);
    } else {
        rc = sti_docs_put_scalar(value, out, err);
    }
    json_decref(number);
    return rc;
}

stele_code sti_docs_order_prefix(const struct sti_docs_collator *collator,
        enum sti_docs_order order, stele_bytes text, stele_buf *out, stele_error *err)
{
    const uint8_t tag = STI_DOCS_TAG_STRING;
    size_t taken = 0;
    stele_buf key;
    stele_code rc = STELE_OK;

    stele_buf_init(&key, SIZE_MAX);
    if (order == STI_DOCS_ORDER_UTF8) {
        sti_assert(collator != NULL);
        rc = sti_docs_collator_key(collator, text, &key, err);
        text = stele_buf_view(&key);
    }
    if (rc == STELE_OK) {
        rc = put(out, &tag, 1, err);
    }
    if (rc == STELE_OK) {
        rc = put_escaped(text, STI_DOCS_TEXT_MAX, out, &taken, err);
    }
    if (rc == STELE_OK && taken < text.len) {
        rc = sti_fail(err, STELE_ETOOBIG, "a prefix that takes more than the %d bytes in an index",
                STI_DOCS_TEXT_MAX);
    }
    stele_buf_free(&key);
    return rc;
}
