/* SPDX-License-Identifier: MIT
 *
 * bbolt_tree.c: collecting elements into pages, level by level.
 */
#include "store/bbolt_tree.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"

enum {
    BRANCH_COUNT_MIN = 2
};

/* An element on its way to a level. */
struct arrival {
    struct sti_bbolt_item item;
    stele_bytes key;
    stele_bytes value;
};

void sti_bbolt_tree_free(struct sti_bbolt_tree *t)
{
    for (unsigned i = 0; i < STI_BBOLT_DEPTH_MAX; i++) {
        sti_free(t->levels[i].items);
        sti_free(t->levels[i].bytes);
    }
    sti_free(t->keys[0]);
    sti_free(t->keys[1]);
    memset(t, 0, sizeof *t);
}

/* ---- One level. ---- */

static uint64_t page_size_of(const struct sti_bbolt_collect *level)
{
    return STI_BBOLT_HEAD + (uint64_t)STI_BBOLT_ELEMENT * level->count + level->len;
}

static uint64_t size_of(const struct arrival *a)
{
    return STI_BBOLT_ELEMENT + (uint64_t)a->key.len + a->value.len;
}

/* Room for one more item, and so many more bytes. */
static stele_code reserve(struct sti_bbolt_collect *level, size_t len, stele_error *err)
{
    if (level->count == level->capacity) {
        uint32_t capacity = level->capacity == 0 ? 16 : level->capacity * 2;
        void *items = sti_realloc(level->items, capacity, sizeof *level->items);

        if (items == NULL) {
            return sti_fail_memory(err, capacity * sizeof *level->items);
        }
        level->items = items;
        level->capacity = capacity;
    }
    if (len > level->bytes_capacity - level->len) {
        /* A level holds a page, or three keys: far from any overflow. */
        size_t capacity = (level->len + len) * 2;
        void *bytes = sti_realloc(level->bytes, capacity, 1);

        if (bytes == NULL) {
            return sti_fail_memory(err, capacity);
        }
        level->bytes = bytes;
        level->bytes_capacity = capacity;
    }
    return STELE_OK;
}

static stele_code append(struct sti_bbolt_collect *level, const struct arrival *a, stele_error *err)
{
    stele_code rc = reserve(level, a->key.len + a->value.len, err);

    if (rc != STELE_OK) {
        return rc;
    }
    memcpy(level->bytes + level->len, a->key.data, a->key.len);
    level->len += a->key.len;
    if (a->value.len > 0) {
        memcpy(level->bytes + level->len, a->value.data, a->value.len);
        level->len += a->value.len;
    }
    level->items[level->count] = a->item;
    level->count++;
    return STELE_OK;
}

/* ---- From level to level. ---- */

/* Write the first `count` elements of a level as a page. *up is what leads to it; its key is in
 * `key`. The others stay. */
static stele_code write_page(struct sti_bbolt_collect *level, bool leaf, uint32_t count,
        struct sti_bbolt_output *o, uint8_t *key, struct arrival *up, stele_error *err)
{
    size_t len = level->len;
    struct sti_bbolt_items items = {
            .kind = leaf ? STI_BBOLT_KIND_LEAF : STI_BBOLT_KIND_BRANCH,
            .items = level->items,
            .count = count,
    };
    stele_code rc;

    for (uint32_t i = count; i < level->count; i++) {
        len -= (size_t)level->items[i].key_len + level->items[i].value_len;
    }
    items.bytes = stele_bytes_of(level->bytes, len);
    *up = (struct arrival){.value = stele_nil()};
    rc = sti_bbolt_output_page(o, &items, &up->item.child, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (count > 0) {
        up->item.key_len = level->items[0].key_len;
        memcpy(key, level->bytes, up->item.key_len);
        up->key = stele_bytes_of(key, up->item.key_len);
        memmove(level->bytes, level->bytes + len, level->len - len);
        memmove(level->items, level->items + count, (level->count - count) * sizeof *level->items);
    }
    level->len -= len;
    level->count -= count;
    level->pages++;
    return STELE_OK;
}

static bool is_full(const struct sti_bbolt_collect *level, bool leaf, const struct arrival *a,
        uint32_t page_size)
{
    if (level->count < (leaf ? 1 : BRANCH_COUNT_MIN + 1)) {
        return false;
    }
    return page_size_of(level) + size_of(a) > page_size;
}

/* Put an element into the level `from`, and into those above what follows from it. */
static stele_code put(struct sti_bbolt_tree *t, struct sti_bbolt_output *o, unsigned from,
        struct arrival a, stele_error *err)
{
    unsigned free_key = a.key.data == t->keys[0] ? 1 : 0;

    for (unsigned i = from; i < STI_BBOLT_DEPTH_MAX; i++) {
        struct sti_bbolt_collect *level = &t->levels[i];
        bool full = is_full(level, i == 0, &a, o->page_size);
        struct arrival up = {.value = stele_nil()};
        stele_code rc = STELE_OK;

        if (full) {
            rc = write_page(level, i == 0, i == 0 ? level->count : level->count - 1, o,
                    t->keys[free_key], &up, err);
        }
        if (rc == STELE_OK) {
            rc = append(level, &a, err);
        }
        if (rc != STELE_OK || !full) {
            return rc;
        }
        a = up;
        free_key = 1 - free_key;
    }
    /* Each level has half of the pages of the one below, at most. */
    sti_unreachable();
}

/* A leaf of one element, whose value is not copied. */
static stele_code put_alone(struct sti_bbolt_tree *t, struct sti_bbolt_output *o,
        const struct arrival *a, stele_error *err)
{
    struct sti_bbolt_items items = {
            .kind = STI_BBOLT_KIND_LEAF,
            .items = &a->item,
            .count = 1,
            .bytes = a->key,
            .more = a->value,
    };
    struct sti_bbolt_collect *leaves = &t->levels[0];
    struct arrival up = {.value = stele_nil()};
    stele_code rc = STELE_OK;

    if (leaves->count > 0) {
        rc = write_page(leaves, true, leaves->count, o, t->keys[0], &up, err);
        if (rc == STELE_OK) {
            rc = put(t, o, 1, up, err);
        }
    }
    if (rc != STELE_OK) {
        return rc;
    }
    up = (struct arrival){.key = a->key, .item = {.key_len = a->item.key_len}};
    rc = sti_bbolt_output_page(o, &items, &up.item.child, err);
    if (rc == STELE_OK) {
        leaves->pages++;
        rc = put(t, o, 1, up, err);
    }
    return rc;
}

stele_code sti_bbolt_tree_put(struct sti_bbolt_tree *t, struct sti_bbolt_output *o, stele_bytes key,
        stele_bytes value, bool bucket, stele_error *err)
{
    const struct arrival a = {
            .item = {.key_len = (uint32_t)key.len,
                    .value_len = (uint32_t)value.len,
                    .bucket = bucket},
            .key = key,
            .value = value,
    };

    sti_assert(key.len > 0);
    sti_assert(key.len <= STI_BBOLT_KEY_MAX);
    sti_assert(value.len <= STI_BBOLT_VALUE_MAX);
    for (unsigned i = 0; i < 2; i++) {
        if (t->keys[i] == NULL) {
            t->keys[i] = sti_malloc(STI_BBOLT_KEY_MAX);
        }
        if (t->keys[i] == NULL) {
            return sti_fail_memory(err, STI_BBOLT_KEY_MAX);
        }
    }
    if (STI_BBOLT_HEAD + size_of(&a) > o->page_size) {
        return put_alone(t, o, &a, err);
    }
    return put(t, o, 0, a, err);
}

/* ---- The end of a tree. ---- */

static void make_empty(struct sti_bbolt_tree *t)
{
    for (unsigned i = 0; i < STI_BBOLT_DEPTH_MAX; i++) {
        t->levels[i].count = 0;
        t->levels[i].len = 0;
        t->levels[i].pages = 0;
    }
}

bool sti_bbolt_tree_fits(const struct sti_bbolt_tree *t, size_t size)
{
    return t->levels[0].pages == 0 && page_size_of(&t->levels[0]) <= size;
}

size_t sti_bbolt_tree_take(struct sti_bbolt_tree *t, uint8_t *out)
{
    const struct sti_bbolt_collect *leaves = &t->levels[0];
    const struct sti_bbolt_items items = {
            .kind = STI_BBOLT_KIND_LEAF,
            .items = leaves->items,
            .count = leaves->count,
    };
    size_t size = sti_bbolt_items_encode(out, &items, 0, 0);

    if (leaves->len > 0) {
        memcpy(out + size, leaves->bytes, leaves->len);
        size += leaves->len;
    }
    make_empty(t);
    return size;
}

stele_code sti_bbolt_tree_finish(
        struct sti_bbolt_tree *t, struct sti_bbolt_output *o, uint64_t *root, stele_error *err)
{
    for (unsigned i = 0; i < STI_BBOLT_DEPTH_MAX; i++) {
        struct sti_bbolt_collect *level = &t->levels[i];
        struct arrival up = {.value = stele_nil()};
        stele_code rc;

        if (i > 0 && level->pages == 0 && level->count == 1) {
            *root = level->items[0].child;
            make_empty(t);
            return STELE_OK;
        }
        if (i == 0 && level->pages > 0 && level->count == 0) {
            /* The last entry had a leaf of its own. */
            continue;
        }
        rc = write_page(level, i == 0, level->count, o, t->keys[0], &up, err);
        if (rc == STELE_OK && level->pages == 1) {
            *root = up.item.child;
            make_empty(t);
            return STELE_OK;
        }
        if (rc == STELE_OK) {
            rc = put(t, o, i + 1, up, err);
        }
        if (rc != STELE_OK) {
            return rc;
        }
    }
    sti_unreachable();
}
