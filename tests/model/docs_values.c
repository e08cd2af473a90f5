/* SPDX-License-Identifier: MIT
 *
 * docs_values.c: the table of values.
 *
 * A loose index holds strings by `fold`, whose bytes sort here as the letters do: blanks, then
 * punctuation, digits, letters.
 */
#include "model/docs_values.h"

#include <stdio.h>
#include <string.h>

enum kind {
    NOTHING,
    BOOLEAN,
    NUMBER,
    STRING,
    TIME,
    ARRAY,
    OBJECT
};

#define X50  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X600 X50 X50 X50 X50 X50 X50 X50 X50 X50 X50 X50 X50

struct value {
    const char *json;
    enum kind kind;
    int rank;   /* among numbers, booleans, arrays or objects */
    int number; /* the rank of a string that is a number; 0: none */
    int time;   /* that of what is a time; 0: none */
    const char *raw;
    const char *fold;
    size_t raw_len; /* if not that of a C string */
    int count;      /* of elements */
    int elements[DOCS_ELEMENTS];
};

enum {
    FIRST_PLAIN = 1000,
    PLAIN_NUMBER = 100, /* ranks of the integers that are not in the table */
    PLAIN_TIME = 100,
    RANK_FAR = 1000
};

static const struct value values[] = {
        {.json = "null", .kind = NOTHING},
        {.json = "false", .kind = BOOLEAN, .rank = 0},
        {.json = "true", .kind = BOOLEAN, .rank = 1},
        {.json = "-1e300", .kind = NUMBER, .rank = 1},
        {.json = "-2.5", .kind = NUMBER, .rank = 2, .time = 1},
        {.json = "0", .kind = NUMBER, .rank = 3, .time = 2},
        {.json = "-0.0", .kind = NUMBER, .rank = 3, .time = 2},
        {.json = "1", .kind = NUMBER, .rank = 4, .time = 3},
        {.json = "1.0", .kind = NUMBER, .rank = 4, .time = 3},
        {.json = "1e0", .kind = NUMBER, .rank = 4, .time = 3},
        {.json = "2", .kind = NUMBER, .rank = 5, .time = 4},
        {.json = "9007199254740992", .kind = NUMBER, .rank = RANK_FAR, .time = RANK_FAR + 1},
        {.json = "9007199254740993", .kind = NUMBER, .rank = RANK_FAR + 1, .time = RANK_FAR + 2},
        {.json = "1e300", .kind = NUMBER, .rank = RANK_FAR + 2},
        {.json = "\"\"", .kind = STRING, .raw = "", .fold = ""},
        {.json = "\"1\"", .kind = STRING, .number = 4, .raw = "1", .fold = "1"},
        {.json = "\"-2.5\"", .kind = STRING, .number = 2, .raw = "-2.5", .fold = "-2.5"},
        {.json = "\"1e0\"", .kind = STRING, .number = 4, .raw = "1e0", .fold = "1e0"},
        {.json = "\" 1\"", .kind = STRING, .raw = " 1", .fold = " 1"},
        {.json = "\"a\"", .kind = STRING, .raw = "a", .fold = "a"},
        {.json = "\"A\"", .kind = STRING, .raw = "A", .fold = "a"},
        {.json = "\"\\u00e4\"", .kind = STRING, .raw = "\xc3\xa4", .fold = "a"},
        {.json = "\"\xc3\x84\"", .kind = STRING, .raw = "\xc3\x84", .fold = "a"},
        {.json = "\"a\\u0000\"", .kind = STRING, .raw = "a", .raw_len = 2, .fold = "a"},
        {.json = "\"a\\u0001\"", .kind = STRING, .raw = "a\1", .fold = "a"},
        {.json = "\"ab\"", .kind = STRING, .raw = "ab", .fold = "ab"},
        {.json = "\"AB\"", .kind = STRING, .raw = "AB", .fold = "ab"},
        {.json = "\"b\"", .kind = STRING, .raw = "b", .fold = "b"},
        {.json = "\"ss\"", .kind = STRING, .raw = "ss", .fold = "ss"},
        {.json = "\"\xc3\x9f\"", .kind = STRING, .raw = "\xc3\x9f", .fold = "ss"},
        {.json = "\"" X600 "\"", .kind = STRING, .raw = X600, .fold = X600},
        {.json = "\"1970-01-01T00:00:01Z\"",
                .kind = STRING,
                .time = 3,
                .raw = "1970-01-01T00:00:01Z",
                .fold = "1970-01-01t00:00:01z"},
        {.json = "\"1970-01-01T01:00:01+01:00\"",
                .kind = STRING,
                .time = 3,
                .raw = "1970-01-01T01:00:01+01:00",
                .fold = "1970-01-01t01:00:01+01:00"},
        {.json = "\"2024-05-05 05:05:05.5z\"",
                .kind = STRING,
                .time = RANK_FAR,
                .raw = "2024-05-05 05:05:05.5z",
                .fold = "2024-05-05 05:05:05.5z"},
        {.json = "[]", .kind = ARRAY, .rank = 0, .count = 0},
        {.json = "[null,1]", .kind = ARRAY, .rank = 1, .count = 2, .elements = {0, 7}},
        {.json = "[1,1.0,2]", .kind = ARRAY, .rank = 2, .count = 3, .elements = {7, 8, 10}},
        {.json = "[2]", .kind = ARRAY, .rank = 3, .count = 1, .elements = {10}},
        {.json = "[\"a\",\"A\",\"b\"]",
                .kind = ARRAY,
                .rank = 4,
                .count = 3,
                .elements = {19, 20, 27}},
        {.json = "{\"x\":1}", .kind = OBJECT, .rank = 0},
};

bool docs_values_are_whole(void)
{
    return sizeof values / sizeof values[0] == DOCS_VALUES_SPECIAL &&
           strcmp(values[27].json, "\"b\"") == 0 && strcmp(values[10].json, "2") == 0 &&
           strcmp(values[20].json, "\"A\"") == 0;
}

const char *docs_value_json(int value, char out[DOCS_VALUE_TEXT_SIZE])
{
    if (value < DOCS_VALUES_SPECIAL) {
        (void)snprintf(out, DOCS_VALUE_TEXT_SIZE, "%s", values[value].json);
    } else {
        (void)snprintf(out, DOCS_VALUE_TEXT_SIZE, "%d", FIRST_PLAIN + value);
    }
    return out;
}

/* What an index of this order takes a value for. */
static struct value held(enum sti_docs_order order, int value)
{
    struct value v = {.json = "", .kind = NUMBER, .rank = PLAIN_NUMBER + value};

    if (value < DOCS_VALUES_SPECIAL) {
        v = values[value];
    } else {
        v.time = PLAIN_TIME + value;
    }
    if (order == STI_DOCS_ORDER_NUMBER && v.kind == STRING && v.number > 0) {
        v.kind = NUMBER;
        v.rank = v.number;
    } else if (order == STI_DOCS_ORDER_TIME && v.time > 0) {
        v.kind = TIME;
        v.rank = v.time;
    }
    return v;
}

static size_t raw_len(const struct value *v)
{
    return v->raw_len > 0 ? v->raw_len : strlen(v->raw);
}

static int compare_raw(const struct value *a, const struct value *b)
{
    return stele_bytes_compare(
            stele_bytes_of(a->raw, raw_len(a)), stele_bytes_of(b->raw, raw_len(b)));
}

int docs_value_compare(enum sti_docs_order order, int a, int b)
{
    struct value x = held(order, a);
    struct value y = held(order, b);

    if (x.kind != y.kind) {
        return x.kind < y.kind ? -1 : 1;
    }
    if (x.kind != STRING) {
        return (x.rank > y.rank) - (x.rank < y.rank);
    }
    return order == STI_DOCS_ORDER_UTF8 ? strcmp(x.fold, y.fold) : compare_raw(&x, &y);
}

bool docs_value_same_kind(enum sti_docs_order order, int a, int b)
{
    return held(order, a).kind == held(order, b).kind;
}

const char *docs_value_text(int value)
{
    bool has_one = value < DOCS_VALUES_SPECIAL && values[value].kind == STRING &&
                   values[value].raw_len == 0 && values[value].raw[0] != '\0' &&
                   strlen(values[value].raw) < sizeof X600 - 1;

    return has_one ? values[value].raw : NULL;
}

bool docs_value_has_prefix(enum sti_docs_order order, int value, int prefix)
{
    struct value v = held(order, value);
    const struct value *p = &values[prefix];

    if (v.kind != STRING) {
        return false;
    }
    if (order == STI_DOCS_ORDER_UTF8) {
        return strncmp(v.fold, p->fold, strlen(p->fold)) == 0;
    }
    return raw_len(&v) >= raw_len(p) && memcmp(v.raw, p->raw, raw_len(p)) == 0;
}

int docs_value_elements(int value, int out[DOCS_ELEMENTS])
{
    if (value >= DOCS_VALUES_SPECIAL || values[value].kind != ARRAY) {
        return -1;
    }
    memcpy(out, values[value].elements, sizeof values[value].elements);
    return values[value].count;
}
