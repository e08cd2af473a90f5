/* SPDX-License-Identifier: MIT
 *
 * kit.h: JSON values in a line, random numbers, and a type with keys of every kind.
 */
#ifndef DOCS_INDEX_KIT_H
#define DOCS_INDEX_KIT_H

#include "docs/keys.h"
#include "docs/value.h"
#include "lib/check.h"

#include <stdio.h>
#include <stdlib.h>

/* Any JSON value of a text, which ' may stand for " in. */
static inline json_t *json_of(const char *text)
{
    const struct sti_json_rules rules = {.size_max = SIZE_MAX, .depth_max = 2048};
    char *copy = strdup(text);
    json_t *value = NULL;
    stele_error err;

    assert_non_null(copy);
    for (char *c = copy; *c != '\0'; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    CHECK_OK(sti_json_load(stele_str(copy), &rules, &value, &err), &err);
    free(copy);
    return value;
}

/* A value as text, to be freed. */
static inline char *text_of(const json_t *value)
{
    const uint8_t zero = 0;
    stele_buf buf;
    stele_error err;

    stele_buf_init(&buf, SIZE_MAX);
    CHECK_OK(sti_docs_value_print(value, &buf, &err), &err);
    CHECK_OK(stele_buf_append(&buf, stele_bytes_of(&zero, 1), &err), &err);
    return (char *)buf.data;
}

struct random {
    uint64_t state;
};

static inline struct random random_of(uint64_t seed)
{
    return (struct random){seed * 0x9E3779B97F4A7C15ULL + 1};
}

static inline uint64_t random_bits(struct random *r)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return r->state * 0x2545F4914F6CDD1DULL;
}

static inline size_t random_below(struct random *r, size_t bound)
{
    return (size_t)((random_bits(r) >> 11) % bound);
}

static inline int sign_of(int n)
{
    return (n > 0) - (n < 0);
}

#define FIELD(path, order)           \
    {                                \
        path, STI_DOCS_ORDER_##order \
    }

static const struct sti_docs_field kit_mail[] = {FIELD("mail", UTF8)};
static const struct sti_docs_field kit_group[] = {
        FIELD("group", UTF8), FIELD("level", BINARY), FIELD("since", TIME)};
static const struct sti_docs_field kit_tags[] = {FIELD("tags", BINARY), FIELD("seats", BINARY)};
static const struct sti_docs_field kit_city[] = {FIELD("addr/city", UTF8)};
static const struct sti_docs_field kit_raw[] = {FIELD("raw", BINARY)};
static const struct sti_docs_field kit_pair[] = {FIELD("a", BINARY), FIELD("b", NUMBER)};
static const struct sti_docs_key kit_keys[] = {
        {"mail", kit_mail, 1, STI_DOCS_METHOD_UTF8, true, false},
        {"group", kit_group, 3, STI_DOCS_METHOD_UTF8, false, false},
        {"tags", kit_tags, 2, STI_DOCS_METHOD_BINARY, false, true},
        {"city", kit_city, 1, STI_DOCS_METHOD_UTF8, false, false},
        {"raw", kit_raw, 1, STI_DOCS_METHOD_BINARY, false, false},
        {"pair", kit_pair, 2, STI_DOCS_METHOD_BINARY, true, false}};
static const struct sti_docs_type kit_type = {"user", 1, kit_keys, 6, NULL};

enum {
    KIT_MAIL = 1,
    KIT_GROUP,
    KIT_TAGS,
    KIT_CITY,
    KIT_RAW,
    KIT_PAIR
};

/* A collator, and an indexer of the type above with number 7. */
struct kit {
    struct sti_docs_collator *collator;
    struct sti_docs_indexer indexer;
};

static inline void kit_open(struct kit *kit)
{
    stele_error err;

    CHECK_OK(sti_docs_collator_open(&kit->collator, &err), &err);
    CHECK_OK(sti_docs_indexer_init(&kit->indexer, 7, &kit_type, kit->collator, &err), &err);
}

static inline void kit_close(struct kit *kit)
{
    sti_docs_indexer_free(&kit->indexer);
    sti_docs_collator_close(kit->collator);
}

#endif /* DOCS_INDEX_KIT_H */
