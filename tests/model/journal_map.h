/* SPDX-License-Identifier: MIT
 *
 * journal_map.h: a plain map that operations are applied to.
 *
 * Keys and subkeys are drawn from a fixed number of names, so the map is an array. It keeps
 * copies of all bytes, and knows nothing of files.
 */
#ifndef TESTS_MODEL_JOURNAL_MAP_H
#define TESTS_MODEL_JOURNAL_MAP_H

#include <stele/journal.h>

enum {
    JMAP_KEYS = 40, /* the first is nil, the second empty */
    JMAP_SUBS = 12, /* the first is empty */
    JMAP_NAME = 24
};

struct jmap_item {
    bool there;
    bool nil;
    size_t len;
    uint8_t *bytes; /* owned */
};

struct jmap {
    struct jmap_item plain[JMAP_KEYS];
    struct jmap_item trees[JMAP_KEYS][JMAP_SUBS];
    struct jmap_item configs[JMAP_KEYS]; /* the first is that of the whole */
};

/* Key and subkey number i; written to `name`, which it may point to. */
stele_bytes jmap_key(uint32_t i, char name[JMAP_NAME]);
stele_bytes jmap_sub(uint32_t i, char name[JMAP_NAME]);

void jmap_init(struct jmap *map);
void jmap_free(struct jmap *map);

/* False if the operation has a name that is none of these. */
bool jmap_apply(struct jmap *map, const stele_journal_op *op);

/* As after jmap_init(), but that configuration stays if `keep_config`. */
void jmap_clear(struct jmap *map, bool keep_config);

void jmap_copy(struct jmap *to, const struct jmap *from);

/* NULL if they are equal, else what differs. */
const char *jmap_difference(const struct jmap *a, const struct jmap *b);

/* How many operations a snapshot of it has. */
uint64_t jmap_count(const struct jmap *map);

#endif /* TESTS_MODEL_JOURNAL_MAP_H */
