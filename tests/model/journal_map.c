/* SPDX-License-Identifier: MIT */
#include "model/journal_map.h"

#include "sim/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Names. ---- */

stele_bytes jmap_key(uint32_t i, char name[JMAP_NAME])
{
    if (i < 2) {
        return i == 0 ? stele_nil() : stele_empty();
    }
    (void)snprintf(name, JMAP_NAME, "%.*s%u", (int)(i % 7), "key-of-", i);
    return stele_str(name);
}

stele_bytes jmap_sub(uint32_t i, char name[JMAP_NAME])
{
    if (i == 0) {
        return stele_empty();
    }
    (void)snprintf(name, JMAP_NAME, "%u%.*s", i, (int)(i % 5), "-sub");
    return stele_str(name);
}

static bool is_same(stele_bytes a, stele_bytes b)
{
    return stele_is_nil(a) == stele_is_nil(b) && a.len == b.len &&
           (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static uint32_t find_key(stele_bytes key)
{
    char name[JMAP_NAME];
    uint32_t i = 0;

    while (i < JMAP_KEYS && !is_same(jmap_key(i, name), key)) {
        i++;
    }
    return i;
}

static uint32_t find_sub(stele_bytes sub)
{
    char name[JMAP_NAME];
    uint32_t i = 0;

    while (i < JMAP_SUBS && !is_same(jmap_sub(i, name), sub)) {
        i++;
    }
    return i;
}

/* ---- Items. ---- */

static void drop(struct jmap_item *item)
{
    free(item->bytes);
    *item = (struct jmap_item){.there = false};
}

static void set(struct jmap_item *item, stele_bytes value)
{
    drop(item);
    item->there = true;
    item->nil = stele_is_nil(value);
    item->len = value.len;
    item->bytes = sim_alloc(value.len + 1);
    if (value.len > 0) {
        memcpy(item->bytes, value.data, value.len);
    }
}

static void put_part(struct jmap_item *item, stele_bytes part)
{
    uint64_t len = part.len;

    item->bytes = sim_realloc(item->bytes, item->len + sizeof len + part.len);
    memcpy(item->bytes + item->len, &len, sizeof len);
    if (part.len > 0) {
        memcpy(item->bytes + item->len + sizeof len, part.data, part.len);
    }
    item->len += sizeof len + part.len;
}

/* The setting with the smallest name that is larger than `last`; NULL if there is none. */
static const stele_journal_setting *next_setting(
        const stele_journal_op *op, const stele_journal_setting *last)
{
    const stele_journal_setting *next = NULL;

    for (size_t i = 0; i < op->setting_count; i++) {
        const stele_journal_setting *s = &op->settings[i];

        if ((last == NULL || stele_bytes_compare(s->name, last->name) > 0) &&
                (next == NULL || stele_bytes_compare(s->name, next->name) < 0)) {
            next = s;
        }
    }
    return next;
}

static void set_config(struct jmap_item *item, const stele_journal_op *op)
{
    const stele_journal_setting *s = NULL;

    set(item, stele_empty());
    while ((s = next_setting(op, s)) != NULL) {
        put_part(item, s->name);
        put_part(item, s->value);
    }
}

/* ---- Maps. ---- */

void jmap_init(struct jmap *map)
{
    memset(map, 0, sizeof *map);
}

static void drop_tree(struct jmap *map, uint32_t key)
{
    for (uint32_t i = 0; i < JMAP_SUBS; i++) {
        drop(&map->trees[key][i]);
    }
}

void jmap_clear(struct jmap *map, bool keep_config)
{
    for (uint32_t i = 0; i < JMAP_KEYS; i++) {
        drop(&map->plain[i]);
        drop_tree(map, i);
        if (!keep_config) {
            drop(&map->configs[i]);
        }
    }
}

void jmap_free(struct jmap *map)
{
    jmap_clear(map, false);
}

bool jmap_apply(struct jmap *map, const stele_journal_op *op)
{
    uint32_t key = find_key(op->key);
    uint32_t sub = stele_is_nil(op->subkey) ? 0 : find_sub(op->subkey);
    struct jmap_item *item;

    if (key == JMAP_KEYS || sub == JMAP_SUBS) {
        return false;
    }
    item = stele_is_nil(op->subkey) ? &map->plain[key] : &map->trees[key][sub];
    switch (op->kind) {
    case STELE_JOURNAL_PUT:
        set(item, op->value);
        return true;
    case STELE_JOURNAL_DELETE:
        drop(item);
        return true;
    case STELE_JOURNAL_CLEAR:
        if (stele_is_nil(op->key)) {
            jmap_clear(map, true);
        } else {
            drop_tree(map, key);
        }
        return true;
    case STELE_JOURNAL_CONFIG:
        set_config(&map->configs[key], op);
        return true;
    default:
        return false;
    }
}

static void copy_items(struct jmap_item *to, const struct jmap_item *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        drop(&to[i]);
        if (from[i].there) {
            set(&to[i], from[i].nil ? stele_nil() : stele_bytes_of(from[i].bytes, from[i].len));
        }
    }
}

void jmap_copy(struct jmap *to, const struct jmap *from)
{
    copy_items(to->plain, from->plain, JMAP_KEYS);
    copy_items(to->configs, from->configs, JMAP_KEYS);
    for (uint32_t i = 0; i < JMAP_KEYS; i++) {
        copy_items(to->trees[i], from->trees[i], JMAP_SUBS);
    }
}

static bool are_same(const struct jmap_item *a, const struct jmap_item *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (a[i].there != b[i].there || a[i].nil != b[i].nil || a[i].len != b[i].len ||
                (a[i].len > 0 && memcmp(a[i].bytes, b[i].bytes, a[i].len) != 0)) {
            return false;
        }
    }
    return true;
}

const char *jmap_difference(const struct jmap *a, const struct jmap *b)
{
    if (!are_same(a->plain, b->plain, JMAP_KEYS)) {
        return "plain keys differ";
    }
    for (uint32_t i = 0; i < JMAP_KEYS; i++) {
        if (!are_same(a->trees[i], b->trees[i], JMAP_SUBS)) {
            return "a tree differs";
        }
    }
    return are_same(a->configs, b->configs, JMAP_KEYS) ? NULL : "settings differ";
}

static uint64_t count_items(const struct jmap_item *items, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        sum += items[i].there ? 1U : 0U;
    }
    return sum;
}

uint64_t jmap_count(const struct jmap *map)
{
    uint64_t sum = count_items(map->plain, JMAP_KEYS) + count_items(map->configs, JMAP_KEYS);

    for (uint32_t i = 0; i < JMAP_KEYS; i++) {
        sum += count_items(map->trees[i], JMAP_SUBS);
    }
    return sum;
}
