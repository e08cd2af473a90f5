/* SPDX-License-Identifier: MIT
 *
 * fuzz_docs_order.c: the bytes of two values sort as the values do.
 *
 * The first byte says what the rest is: two numbers (integers or doubles, 8 bytes each), two
 * strings of any bytes, the first as long as two bytes say, or two JSON values with a zero byte
 * between them, of which the order of the field is in the first byte too.
 */
#include "docs/keys.h"
#include "docs/order.h"
#include "docs/value.h"
#include "fuzz.h"

#include <string.h>

static struct sti_docs_collator *collator; /* opened by the first input, and never closed */

static int sign_of(int n)
{
    return (n > 0) - (n < 0);
}

static stele_buf encode(enum sti_docs_order order, const json_t *value)
{
    stele_buf buf;

    stele_buf_init(&buf, SIZE_MAX);
    fuzz_require(sti_docs_order_encode(collator, order, value, &buf, NULL, NULL) == STELE_OK);
    fuzz_require(buf.len > 0);
    fuzz_require(buf.len <= STI_DOCS_FIELD_SIZE_MAX);
    return buf;
}

/* The order of the fields of two values. Neither is the beginning of the other, and each is told
 * from what follows it. */
static int compare(enum sti_docs_order order, const json_t *a, const json_t *b)
{
    stele_buf x = encode(order, a);
    stele_buf y = encode(order, b);
    size_t common = x.len < y.len ? x.len : y.len;
    struct sti_docs_index_parts parts;
    stele_buf key;
    int c = sign_of(stele_bytes_compare(stele_buf_view(&x), stele_buf_view(&y)));

    fuzz_require(c == 0 || memcmp(x.data, y.data, common) != 0);
    stele_buf_init(&key, SIZE_MAX);
    fuzz_require(sti_docs_index_head(1, 1, &key, NULL) == STELE_OK);
    fuzz_require(stele_buf_append(&key, stele_buf_view(&x), NULL) == STELE_OK);
    fuzz_require(stele_buf_append(&key, stele_buf_view(&y), NULL) == STELE_OK);
    fuzz_require(stele_buf_append(&key, stele_bytes_of("\1id", 3), NULL) == STELE_OK);
    fuzz_require(sti_docs_index_split(stele_buf_view(&key), &parts, NULL) == STELE_OK);
    fuzz_require(parts.field_count == 2);
    fuzz_require(stele_bytes_equal(parts.id, stele_str("id")));
    stele_buf_free(&key);
    stele_buf_free(&x);
    stele_buf_free(&y);
    return c;
}

/* The order of an integer and a double that is finite. */
static int compare_mixed(int64_t i, double d)
{
    int64_t whole;

    if (d >= 9223372036854775808.0) {
        return -1;
    }
    if (d < -9223372036854775808.0) {
        return 1;
    }
    whole = (int64_t)d;
    if (i != whole) {
        return i < whole ? -1 : 1;
    }
    return (d < (double)whole) - (d > (double)whole);
}

static int compare_numbers(const json_t *a, const json_t *b)
{
    json_int_t i = json_integer_value(a);
    json_int_t j = json_integer_value(b);
    double x = json_real_value(a);
    double y = json_real_value(b);

    if (json_is_integer(a) && json_is_integer(b)) {
        return (i > j) - (i < j);
    }
    if (json_is_integer(a)) {
        return compare_mixed(i, y);
    }
    return json_is_integer(b) ? -compare_mixed(j, x) : (x > y) - (x < y);
}

/* NULL if it is a double that is not finite. */
static json_t *take_number(struct fuzz_input *in, bool integer)
{
    uint64_t bits = 0;
    double d;

    for (int i = 0; i < 8; i++) {
        bits = bits << 8 | fuzz_byte(in);
    }
    memcpy(&d, &bits, sizeof d);
    return integer ? json_integer((json_int_t)bits) : json_real(d);
}

static void two_numbers(struct fuzz_input *in, unsigned how)
{
    json_t *a = take_number(in, (how & 4) != 0);
    json_t *b = take_number(in, (how & 8) != 0);

    if (a != NULL && b != NULL) {
        fuzz_require(compare(STI_DOCS_ORDER_BINARY, a, b) == compare_numbers(a, b));
    }
    json_decref(a);
    json_decref(b);
}

static void two_strings(struct fuzz_input *in)
{
    size_t first = fuzz_u16(in);
    size_t lens[2];
    uint8_t *texts[2];
    json_t *values[2];
    int expected;
    int c;

    for (size_t i = 0; i < 2; i++) {
        texts[i] = fuzz_bytes(in, i == 0 ? first : SIZE_MAX, &lens[i]);
        values[i] = json_stringn_nocheck((const char *)texts[i], lens[i]);
        fuzz_require(values[i] != NULL);
    }
    c = compare(STI_DOCS_ORDER_BINARY, values[0], values[1]);
    expected = sign_of(stele_bytes_compare(
            stele_bytes_of(texts[0], lens[0]), stele_bytes_of(texts[1], lens[1])));
    fuzz_require((c == 0) == (expected == 0));
    /* No text of 240 bytes is cut. */
    if (lens[0] <= 240 && lens[1] <= 240) {
        fuzz_require(c == expected);
    }
    for (size_t i = 0; i < 2; i++) {
        json_decref(values[i]);
        free(texts[i]);
    }
}

static void two_values(struct fuzz_input *in, enum sti_docs_order order)
{
    const struct sti_json_rules rules = {.size_max = SIZE_MAX, .depth_max = 2048};
    const uint8_t *end = in->size == 0 ? NULL : memchr(in->data, 0, in->size);
    size_t first = end == NULL ? in->size : (size_t)(end - in->data);
    stele_bytes texts[2] = {stele_bytes_of(in->data, first), stele_empty()};
    json_t *values[2] = {NULL, NULL};

    if (end != NULL) {
        texts[1] = stele_bytes_of(end + 1, in->size - first - 1);
    }
    for (size_t i = 0; i < 2; i++) {
        (void)sti_json_load(texts[i], &rules, &values[i], NULL);
    }
    if (values[0] != NULL && values[1] != NULL) {
        int c = compare(order, values[0], values[1]);

        fuzz_require(compare(order, values[1], values[0]) == -c);
        fuzz_require(compare(order, values[0], values[0]) == 0);
        if (order == STI_DOCS_ORDER_BINARY && json_is_number(values[0]) &&
                json_is_number(values[1])) {
            fuzz_require(c == compare_numbers(values[0], values[1]));
        } else if (json_equal(values[0], values[1])) {
            fuzz_require(c == 0);
        }
    }
    json_decref(values[0]);
    json_decref(values[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned how = fuzz_byte(&in);

    if (collator == NULL) {
        fuzz_require(sti_docs_collator_open(&collator, NULL) == STELE_OK);
    }
    switch (how & 3) {
    case 0:
        two_numbers(&in, how);
        break;
    case 1:
        two_strings(&in);
        break;
    default:
        two_values(&in, (enum sti_docs_order)(how >> 2 & 3));
    }
    return 0;
}
