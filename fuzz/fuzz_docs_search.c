/* SPDX-License-Identifier: MIT
 *
 * fuzz_docs_search.c: what a search finds among the keys of a document.
 *
 * The first byte has flags. The rest is a document, the fields of the search, the field with
 * bounds, two bounds and a prefix, each up to a zero byte; what is empty is absent. A document is
 * found if and only if its fields have the bytes that were asked for, and its bounded field is
 * between the bounds.
 */
#include "docs/order.h"
#include "docs/plan.h"
#include "docs/value.h"
#include "fuzz.h"

#include <string.h>

enum {
    DOCUMENT,
    MATCH,
    FIELD,
    LOW,
    HIGH,
    PREFIX,
    PARTS
};

#define FIELDS(name, ...) static const struct sti_docs_field name[] = {__VA_ARGS__}

FIELDS(field_a, {"a", STI_DOCS_ORDER_BINARY}, {"b", STI_DOCS_ORDER_BINARY},
        {"c/0", STI_DOCS_ORDER_BINARY});
FIELDS(field_u, {"u", STI_DOCS_ORDER_UTF8}, {"n", STI_DOCS_ORDER_NUMBER});
FIELDS(field_t, {"t", STI_DOCS_ORDER_TIME});
FIELDS(field_e, {"e", STI_DOCS_ORDER_BINARY}, {"f", STI_DOCS_ORDER_UTF8});
static const struct sti_docs_key type_keys[] = {
        {"a", field_a, 3, STI_DOCS_METHOD_BINARY, false, false},
        {"ab", field_a, 2, STI_DOCS_METHOD_BINARY, true, false},
        {"u", field_u, 2, STI_DOCS_METHOD_UTF8, false, false},
        {"t", field_t, 1, STI_DOCS_METHOD_TIME, true, false},
        {"e", field_e, 2, STI_DOCS_METHOD_BINARY, false, true}};
static const struct sti_docs_type type = {"t", 1, type_keys, 5, NULL};

static struct sti_docs_collator *collator; /* opened by the first input, and never closed */
static struct sti_docs_indexer indexer;

static stele_buf encode(enum sti_docs_order order, const json_t *value)
{
    stele_buf buf;

    stele_buf_init(&buf, SIZE_MAX);
    fuzz_require(sti_docs_order_encode(collator, order, value, &buf, NULL, NULL) == STELE_OK);
    return buf;
}

/* The order of two values as a field has it. */
static int compare(enum sti_docs_order order, const json_t *a, const json_t *b)
{
    stele_buf x = encode(order, a);
    stele_buf y = encode(order, b);
    int c = stele_bytes_compare(stele_buf_view(&x), stele_buf_view(&y));

    stele_buf_free(&x);
    stele_buf_free(&y);
    return c;
}

static unsigned kind_of(enum sti_docs_order order, const json_t *value)
{
    stele_buf x = encode(order, value);
    unsigned tag = x.data[0];

    stele_buf_free(&x);
    return tag == STI_DOCS_TAG_TRUE ? STI_DOCS_TAG_FALSE : tag;
}

static bool begins(enum sti_docs_order order, const json_t *value, stele_bytes prefix)
{
    stele_buf x = encode(order, value);
    stele_buf y;
    bool yes;

    stele_buf_init(&y, SIZE_MAX);
    fuzz_require(sti_docs_order_prefix(collator, order, prefix, &y, NULL) == STELE_OK);
    yes = y.len <= x.len && memcmp(x.data, y.data, y.len) == 0;
    stele_buf_free(&x);
    stele_buf_free(&y);
    return yes;
}

static const json_t *field_of(const json_t *document, const char *text)
{
    struct sti_docs_path path;
    const json_t *value;

    fuzz_require(sti_docs_path_compile(&path, text, NULL) == STELE_OK);
    value = sti_docs_path_find(&path, document);
    sti_docs_path_free(&path);
    return value;
}

static bool in_bounds(
        const struct sti_docs_search *search, enum sti_docs_order order, const json_t *value)
{
    const json_t *bound = search->low == NULL ? search->high : search->low;
    int c;

    if (!stele_is_nil(search->prefix)) {
        return begins(order, value, search->prefix);
    }
    if (kind_of(order, value) != kind_of(order, bound)) {
        return false;
    }
    if (search->low != NULL) {
        c = compare(order, value, search->low);
        if (c < 0 || (c == 0 && search->low_open)) {
            return false;
        }
    }
    c = search->high == NULL ? -1 : compare(order, value, search->high);
    return c < 0 || (c == 0 && !search->high_open);
}

/* Whether a document is to be found, for a key that has no arrays. */
static bool matches(const struct sti_docs_search *search, const struct sti_docs_key *key,
        const json_t *document)
{
    size_t count = json_object_size(search->match);
    const json_t *value;

    for (size_t i = 0; i < count; i++) {
        value = field_of(document, key->fields[i].path);
        if (value == NULL || compare(key->fields[i].order, value,
                                     json_object_get(search->match, key->fields[i].path)) != 0) {
            return false;
        }
    }
    if (search->bound_field == NULL) {
        return count > 0 || field_of(document, key->fields[0].path) != NULL;
    }
    value = field_of(document, search->bound_field);
    return value != NULL && in_bounds(search, key->fields[count].order, value);
}

static bool inside(const struct sti_docs_plan *plan, stele_bytes key)
{
    return stele_bytes_compare(key, stele_buf_view(&plan->start)) >= 0 &&
           stele_bytes_compare(key, stele_buf_view(&plan->end)) < 0;
}

static void check(const struct sti_docs_search *search, const json_t *document)
{
    struct sti_docs_index_keys keys = {.items = NULL};
    struct sti_docs_plan plan;
    size_t found = 0;

    if (sti_docs_plan_make(&plan, &indexer, search, NULL) != STELE_OK) {
        return;
    }
    fuzz_require(sti_docs_index_keys_fill(&keys, &indexer, document, stele_str("id"), true, NULL) ==
                 STELE_OK);
    for (size_t i = 0; i < keys.count; i++) {
        fuzz_require(
                i == 0 || stele_bytes_compare(keys.items[i - 1].bytes, keys.items[i].bytes) < 0);
        if (inside(&plan, keys.items[i].bytes)) {
            fuzz_require(keys.items[i].number == plan.number);
            found++;
        }
    }
    if (plan.key == NULL) {
        fuzz_require(found == 1);
    } else if (!plan.key->array) {
        fuzz_require(found == (matches(search, plan.key, document) ? 1 : 0));
    } else {
        fuzz_require(found <= 1 || plan.may_repeat);
    }
    sti_docs_index_keys_free(&keys);
    sti_docs_plan_free(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct sti_json_rules rules = {.size_max = SIZE_MAX, .depth_max = 100};
    struct fuzz_input in = {data, size};
    unsigned flags = fuzz_byte(&in);
    struct sti_docs_search search = {.low_open = flags & 1, .high_open = flags >> 1 & 1};
    json_t *values[PARTS] = {NULL};
    char *texts[PARTS];

    if (collator == NULL) {
        fuzz_require(sti_docs_collator_open(&collator, NULL) == STELE_OK);
        fuzz_require(sti_docs_indexer_init(&indexer, 1, &type, collator, NULL) == STELE_OK);
    }
    for (size_t i = 0; i < PARTS; i++) {
        const uint8_t *end = in.size == 0 ? NULL : memchr(in.data, 0, in.size);
        size_t len;

        texts[i] =
                (char *)fuzz_bytes(&in, end == NULL ? in.size : (size_t)(end - in.data) + 1, &len);
        texts[i] = realloc(texts[i], len + 1);
        fuzz_require(texts[i] != NULL);
        texts[i][len] = '\0';
        (void)sti_json_load(stele_str(texts[i]), &rules, &values[i], NULL);
    }
    search.match = values[MATCH];
    search.bound_field = texts[FIELD][0] == '\0' ? NULL : texts[FIELD];
    search.low = values[LOW];
    search.high = values[HIGH];
    /* Strings are UTF-8 where they come from JSON, and so is a prefix. */
    if (json_is_string(values[PREFIX])) {
        search.prefix = stele_bytes_of(
                json_string_value(values[PREFIX]), json_string_length(values[PREFIX]));
    }
    if (json_is_object(values[DOCUMENT])) {
        check(&search, values[DOCUMENT]);
    }
    for (size_t i = 0; i < PARTS; i++) {
        json_decref(values[i]);
        free(texts[i]);
    }
    return 0;
}
