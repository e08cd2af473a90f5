/* SPDX-License-Identifier: MIT */
#include "store/nodes.h"

#include "base/assert.h"
#include "base/coding.h"

enum {
    /* A node that was made by a split has to take 7 keys before it is split. */
    LEVELS_MAX = 24,
    BUCKET_LEN = 4, /* of the bytes that order a key */
    WINDOW_LEN = 8
};

/* The writer's way from the root to a leaf. */
struct way {
    struct sti_node *nodes[LEVELS_MAX]; /* by level */
    uint32_t positions[LEVELS_MAX];     /* of the node below */
    uint32_t levels;
};

/* What one slot is made of. */
struct item {
    struct sti_entry *key;
    struct sti_node *child;
    uint64_t window; /* in the node where the item was */
};

/* ---- Keys. ---- */

/* The first 8 of n bytes as a number, zeros behind them. */
static inline uint64_t load8(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    if (n >= WINDOW_LEN) {
        return sti_get_be64(p);
    }
    if (n >= 4) {
        v = (uint64_t)sti_get_be32(p + n - 4) << (8 * (WINDOW_LEN - n));
        return (uint64_t)sti_get_be32(p) << 32 | (v & UINT32_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        v |= (uint64_t)p[i] << (56 - 8 * i);
    }
    return v;
}

/* The 8 bytes behind the first `skip` ones of (bucket, key). */
static inline uint64_t window_of(const struct sti_probe *p, uint32_t skip)
{
    if (skip >= BUCKET_LEN) {
        size_t at = skip - BUCKET_LEN;

        return at >= p->len ? 0 : load8(p->key + at, p->len - at);
    }
    return (uint64_t)p->bucket << (32 + 8 * skip) | load8(p->key, p->len) >> (32 - 8 * skip);
}

static uint64_t window_of_entry(const struct sti_entry *e, uint32_t skip)
{
    struct sti_probe p = {0};

    if (e == NULL) {
        return 0;
    }
    p = sti_probe_entry(e);
    return window_of(&p, skip);
}

/* The sign of entry - probe, given that the first `skip` bytes are equal. */
static inline int compare(const struct sti_entry *e, const struct sti_probe *p, uint32_t skip)
{
    size_t at = skip >= BUCKET_LEN ? skip - BUCKET_LEN : 0;
    size_t common = e->key_len < p->len ? e->key_len : p->len;
    int c;

    if (e->bucket != p->bucket) {
        return e->bucket < p->bucket ? -1 : 1;
    }
    if (at < common) {
        c = memcmp(e->key + at, p->key + at, common - at);
        if (c != 0) {
            return c;
        }
    }
    return (e->key_len > p->len) - (e->key_len < p->len);
}

/* How many bytes every key from a to b begins with; NULL is no bound. */
static uint32_t common_len(const struct sti_entry *a, const struct sti_entry *b)
{
    uint32_t len = 0;

    if (a == NULL || b == NULL) {
        return 0;
    }
    if (a->bucket != b->bucket) {
        return (uint32_t)__builtin_clz(a->bucket ^ b->bucket) / 8;
    }
    while (len < a->key_len && len < b->key_len && a->key[len] == b->key[len]) {
        len++;
    }
    return BUCKET_LEN + len;
}

/* ---- Searching in one node. ---- */

/* How many keys are below the probe, or with `or_equal` not above it. The key
 * in the first place of an inner node counts in any case: its child takes
 * what is below all others. */
static inline uint32_t rank_of(
        const struct sti_node *node, uint64_t order, const struct sti_probe *probe, bool or_equal)
{
    uint64_t window = window_of(probe, node->skip);
    uint32_t count = sti_order_count(order);
    uint32_t least = node->level > 0 ? 1 : 0;
    uint32_t low = 0;
    uint32_t high = 0;

    /* The slots in use are the first ones: no need to go by the order here. */
    for (uint32_t i = 0; i < count; i++) {
        low += node->windows[i] < window;
        high += node->windows[i] <= window;
    }
    low = low < least ? least : low;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int c = compare(node->keys[sti_order_slot(order, middle)], probe, node->skip);

        if (c < 0 || (or_equal && c == 0)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The child that has the probe, or with `before` the last key below it. */
static inline struct sti_node *child_of(
        const struct sti_node *node, const struct sti_probe *probe, bool before)
{
    struct sti_node *child;
    uint64_t order;
    uint64_t again;

    do {
        uint32_t position;

        /* Pairs with publish(). */
        order = atomic_load_explicit(&node->order, memory_order_acquire);
        position = probe == NULL ? sti_order_count(order) - 1
                                 : rank_of(node, order, probe, !before) - 1;
        /* Pairs with the store of a left half in adopt(): whoever sees it, sees
         * the order with the right half, too. */
        child = atomic_load_explicit(
                &node->children[sti_order_slot(order, position)], memory_order_acquire);
        /* Relaxed: the load above comes before it. */
        again = atomic_load_explicit(&node->order, memory_order_relaxed);
    } while (order != again);
    return child;
}

static inline struct sti_node *leaf_of(
        const struct sti_nodes *tree, const struct sti_probe *probe, bool before)
{
    /* Pairs with the stores of sti_nodes_insert() and adopt(). */
    struct sti_node *node = atomic_load_explicit(&tree->root, memory_order_acquire);

    while (node != NULL && node->level > 0) {
        node = child_of(node, probe, before);
    }
    return node;
}

static inline struct sti_place place_in(struct sti_node *leaf, const struct sti_probe *probe)
{
    struct sti_place at = {.leaf = leaf};

    if (leaf != NULL) {
        at.order = atomic_load_explicit(&leaf->order, memory_order_acquire); /* publish() */
        at.position =
                probe == NULL ? sti_order_count(at.order) : rank_of(leaf, at.order, probe, false);
    }
    return at;
}

/* Whether the key at the place is the one that was looked for. */
static inline bool is_at(const struct sti_place *at, const struct sti_probe *probe)
{
    return at->position < sti_order_count(at->order) &&
           compare(sti_place_entry(at), probe, at->leaf->skip) == 0;
}

/* ---- For readers. ---- */

struct sti_place sti_nodes_lower(const struct sti_nodes *tree, const struct sti_probe *probe)
{
    struct sti_place at = place_in(leaf_of(tree, probe, false), probe);

    at.found = at.leaf != NULL && is_at(&at, probe);
    return at;
}

struct sti_place sti_nodes_before(const struct sti_nodes *tree, const struct sti_probe *probe)
{
    return place_in(leaf_of(tree, probe, true), probe);
}

struct sti_place sti_nodes_first(const struct sti_nodes *tree)
{
    const struct sti_probe least = {0};

    return sti_nodes_lower(tree, &least);
}

struct sti_entry *sti_nodes_find(const struct sti_nodes *tree, const struct sti_probe *probe)
{
    struct sti_place at = sti_nodes_lower(tree, probe);

    return at.found ? sti_place_entry(&at) : NULL;
}

/* ---- For the writer. ---- */

/* Is the probe behind all keys of the finger's leaf, and in its range? */
static bool is_behind_finger(const struct sti_nodes *tree, const struct sti_probe *probe)
{
    const struct sti_node *leaf = tree->finger;
    uint64_t order;

    if (leaf == NULL) {
        return false;
    }
    order = atomic_load_explicit(&leaf->order, memory_order_relaxed); /* the writer's own */
    return compare(leaf->keys[sti_order_slot(order, sti_order_count(order) - 1)], probe, 0) < 0 &&
           (leaf->high == NULL || compare(leaf->high, probe, 0) > 0);
}

struct sti_place sti_nodes_seek(struct sti_nodes *tree, const struct sti_probe *probe)
{
    struct sti_place at;

    if (is_behind_finger(tree, probe)) {
        at = place_in(tree->finger, NULL);
    } else {
        at = sti_nodes_lower(tree, probe);
    }
    return at;
}

static struct sti_node *node_new(
        struct sti_arena *arena, uint32_t level, struct sti_entry *low, struct sti_entry *high)
{
    struct sti_node *node;
    size_t size = sizeof *node + (level > 0 ? STI_NODE_SLOTS * sizeof node->children[0] : 0);

    node = sti_arena_alloc(arena, size, _Alignof(struct sti_node));
    if (node != NULL) {
        atomic_init(&node->order, 0);
        node->low = low;
        node->high = high;
        node->skip = common_len(low, high);
        node->level = level;
    }
    return node;
}

static void set_slot(struct sti_node *node, uint32_t slot, const struct item *item)
{
    node->windows[slot] = item->window;
    node->keys[slot] = item->key;
    if (node->level > 0) {
        atomic_init(&node->children[slot], item->child);
    }
}

/* Give an item the next free slot, and show it in its place. */
static void publish(struct sti_node *node, uint32_t position, const struct item *item)
{
    uint64_t order = atomic_load_explicit(&node->order, memory_order_relaxed); /* our own */
    uint32_t slot = sti_order_count(order);
    uint32_t shift = 4 + 4 * position;
    uint64_t below = order & (((uint64_t)1 << shift) - 1);
    uint64_t above = order >> shift << shift;

    sti_debug_assert(slot < STI_NODE_SLOTS);
    sti_debug_assert(position <= slot);
    set_slot(node, slot, item);
    order = above << 4 | (uint64_t)slot << shift | below;
    /* Pairs with the loads of child_of() and place_in(): whoever sees the new
     * order sees what is in the slot. */
    atomic_store_explicit(&node->order, order + 1, memory_order_release);
}

/* Fill a node that nobody sees yet. */
static void fill(struct sti_node *node, const struct item *items, uint32_t count, uint32_t skip)
{
    uint64_t order = count;

    for (uint32_t i = 0; i < count; i++) {
        struct item item = items[i];

        if (node->skip != skip) {
            item.window = window_of_entry(item.key, node->skip);
        }
        set_slot(node, i, &item);
        order |= (uint64_t)i << (4 + 4 * i);
    }
    atomic_store_explicit(&node->order, order, memory_order_relaxed); /* seen by way of a parent */
}

/* How many of the items of a full node, and one that is added at `position`,
 * go into the left half. Where keys come in order, it stays full. */
static uint32_t cut_of(uint32_t position)
{
    return position == STI_NODE_SLOTS ? position : (STI_NODE_SLOTS + 1) / 2;
}

/* Divide a full node and a further item, at `position`, between two new nodes.
 * `left` replaces the child in front of that position. */
static bool split(struct sti_arena *arena, const struct sti_node *node, uint32_t position,
        const struct item *added, struct sti_node *left, struct sti_node *halves[2])
{
    uint64_t order = atomic_load_explicit(&node->order, memory_order_relaxed); /* our own */
    uint32_t cut = cut_of(position);
    struct item items[STI_NODE_SLOTS + 1];

    for (uint32_t i = 0; i <= STI_NODE_SLOTS; i++) {
        if (i == position) {
            items[i] = *added;
        } else {
            uint32_t slot = sti_order_slot(order, i < position ? i : i - 1);

            items[i].key = node->keys[slot];
            items[i].window = node->windows[slot];
            items[i].child = NULL;
            if (node->level > 0) {
                items[i].child = atomic_load_explicit(
                        &node->children[slot], memory_order_relaxed); /* our own */
            }
        }
    }
    if (left != NULL) {
        items[position - 1].child = left;
    }
    halves[0] = node_new(arena, node->level, node->low, items[cut].key);
    halves[1] = node_new(arena, node->level, items[cut].key, node->high);
    if (halves[0] == NULL || halves[1] == NULL) {
        return false;
    }
    fill(halves[0], items, cut, node->skip);
    fill(halves[1], items + cut, STI_NODE_SLOTS + 1 - cut, node->skip);
    return true;
}

static struct way way_to(const struct sti_nodes *tree, const struct sti_probe *probe)
{
    struct sti_node *node = atomic_load_explicit(&tree->root, memory_order_relaxed); /* our own */
    struct way way;

    way.levels = node->level + 1;
    sti_assert(way.levels < LEVELS_MAX);
    way.nodes[node->level] = node;
    while (node->level > 0) {
        /* Relaxed: nobody else writes. */
        uint64_t order = atomic_load_explicit(&node->order, memory_order_relaxed);
        uint32_t position = rank_of(node, order, probe, true) - 1;

        way.positions[node->level] = position;
        node = atomic_load_explicit(
                &node->children[sti_order_slot(order, position)], memory_order_relaxed);
        way.nodes[node->level] = node;
    }
    return way;
}

static struct item item_of(const struct sti_node *parent, struct sti_node *child)
{
    struct item item = {child->low, child, window_of_entry(child->low, parent->skip)};

    return item;
}

/* Put two halves into the parent of the node that they replace. */
static void adopt(struct sti_node *parent, uint32_t position, struct sti_node *halves[2])
{
    uint64_t order = atomic_load_explicit(&parent->order, memory_order_relaxed); /* our own */
    struct item item = item_of(parent, halves[1]);

    publish(parent, position + 1, &item);
    /* Pairs with the load in child_of(). */
    atomic_store_explicit(
            &parent->children[sti_order_slot(order, position)], halves[0], memory_order_release);
}

static bool grow(struct sti_nodes *tree, struct sti_arena *arena, struct sti_node *halves[2])
{
    struct sti_node *root = node_new(arena, halves[0]->level + 1, NULL, NULL);
    struct item items[2];

    if (root == NULL) {
        return false;
    }
    items[0] = item_of(root, halves[0]);
    items[1] = item_of(root, halves[1]);
    fill(root, items, 2, root->skip);
    /* Pairs with the load in leaf_of(). */
    atomic_store_explicit(&tree->root, root, memory_order_release);
    return true;
}

/* The leaf is full. Halves are made bottom up, unseen by anyone, until a node
 * has room for them. */
static bool insert_splitting(
        struct sti_nodes *tree, struct sti_arena *arena, uint32_t position, const struct item *item)
{
    struct sti_probe probe = sti_probe_entry(item->key);
    struct way way = way_to(tree, &probe);
    struct sti_node *halves[2] = {NULL, NULL};
    struct sti_node *leaf;
    uint32_t level;

    if (!split(arena, way.nodes[0], position, item, NULL, halves)) {
        return false;
    }
    leaf = position < cut_of(position) ? halves[0] : halves[1];
    for (level = 1; level < way.levels; level++) {
        struct sti_node *parent = way.nodes[level];
        struct item right = item_of(parent, halves[1]);

        if (sti_order_count(atomic_load_explicit(&parent->order, memory_order_relaxed)) <
                STI_NODE_SLOTS) {
            adopt(parent, way.positions[level], halves);
            break;
        }
        if (!split(arena, parent, way.positions[level] + 1, &right, halves[0], halves)) {
            return false;
        }
    }
    if (level == way.levels && !grow(tree, arena, halves)) {
        return false;
    }
    tree->finger = leaf;
    return true;
}

/* The first entry of all. */
static bool plant(struct sti_nodes *tree, struct sti_arena *arena, const struct item *item)
{
    struct sti_node *leaf = node_new(arena, 0, NULL, NULL);

    if (leaf == NULL) {
        return false;
    }
    fill(leaf, item, 1, leaf->skip);
    tree->finger = leaf;
    /* Pairs with the load in leaf_of(). */
    atomic_store_explicit(&tree->root, leaf, memory_order_release);
    return true;
}

bool sti_nodes_insert(struct sti_nodes *tree, struct sti_arena *arena, const struct sti_place *at,
        struct sti_entry *entry)
{
    struct item item = {entry, NULL, window_of_entry(entry, at->leaf == NULL ? 0 : at->leaf->skip)};

    sti_debug_assert(!at->found);
    if (at->leaf == NULL) {
        return plant(tree, arena, &item);
    }
    if (sti_order_count(at->order) == STI_NODE_SLOTS) {
        return insert_splitting(tree, arena, at->position, &item);
    }
    publish(at->leaf, at->position, &item);
    tree->finger = at->leaf;
    return true;
}
