/* SPDX-License-Identifier: MIT
 *
 * nodes.h: an ordered set of keys that grows under readers who take no lock.
 *
 * A B+tree of nodes with 15 slots. Keys are (bucket, bytes), in the order of
 * the bucket's number and then of the bytes, shorter first. Entries are never
 * removed, and all memory comes from an arena that outlives every reader.
 *
 * One thread writes at a time. What readers rely on:
 *
 *   - The slots of a node are filled one after the other and never written
 *     again. Their order is one word, `order`: the number of slots in use, and
 *     for each position which slot stands there. An insertion writes the next
 *     free slot and then publishes a new order with one store. A reader that
 *     has the old order has a whole node, without the new key.
 *   - A node never changes its range [low, high). A full node is replaced by
 *     two new ones; it keeps its content as it was at that moment, for readers
 *     who are inside. So whoever starts at the root meets, on any way down,
 *     every key that was there when it started; cursors may stand in a node
 *     that was replaced long ago.
 *   - The parent first takes the new right half as a further child, then puts
 *     the left half into the place of the node that was full. In between that
 *     node serves for both. A reader that sees the left half, but went by an
 *     order that does not have the right one yet, sees that the order has
 *     changed and looks again.
 *
 * All keys of a node begin with the bytes that `low` and `high` have in
 * common. A slot holds, as an integer, the eight bytes after these, so that a
 * search in a node rarely reads a key.
 */
#ifndef STI_STORE_NODES_H
#define STI_STORE_NODES_H

#include <stele/bytes.h>

#include "base/arena.h"

#include <stdatomic.h>

enum {
    STI_NODE_SLOTS = 15
};

struct sti_version; /* table.c knows what hangs on a key */

struct sti_entry {
    _Atomic(struct sti_version *) newest;
    uint32_t bucket;
    uint32_t key_len;
    uint8_t key[];
};

struct sti_node {
    _Atomic uint64_t order; /* bits 0 to 3: slots in use; 4 more for each position */
    struct sti_entry *low;  /* NULL: from the first key */
    struct sti_entry *high; /* NULL: up to the last */
    uint32_t skip;          /* bytes that all keys have in common, bucket included */
    uint32_t level;         /* 0: a leaf */
    uint64_t windows[STI_NODE_SLOTS];
    struct sti_entry *keys[STI_NODE_SLOTS]; /* inner: where the child's range begins, or NULL */
    _Atomic(struct sti_node *) children[];  /* inner: STI_NODE_SLOTS of them */
};

/* Zero-initialised is empty. */
struct sti_nodes {
    _Atomic(struct sti_node *) root; /* NULL: empty */
    struct sti_node *finger;         /* the writer's: a leaf in the tree that was used last */
};

/* A key to look for. */
struct sti_probe {
    uint32_t bucket;
    const uint8_t *key; /* may be NULL if empty */
    size_t len;
};

/* A place between or at keys: a position in a leaf, by the order that the leaf
 * had. `leaf` is NULL in an empty tree. */
struct sti_place {
    struct sti_node *leaf;
    uint64_t order;
    uint32_t position; /* may be behind the last one */
    bool found;        /* the key that was looked for stands there */
};

static inline uint32_t sti_order_count(uint64_t order)
{
    return (uint32_t)(order & 15);
}

static inline uint32_t sti_order_slot(uint64_t order, uint32_t position)
{
    return (uint32_t)(order >> (4 + 4 * position)) & 15;
}

static inline struct sti_entry *sti_place_entry(const struct sti_place *at)
{
    return at->leaf->keys[sti_order_slot(at->order, at->position)];
}

static inline stele_bytes sti_entry_key(const struct sti_entry *e)
{
    return stele_bytes_of(e->key, e->key_len);
}

static inline struct sti_probe sti_probe_of(uint32_t bucket, stele_bytes key)
{
    return (struct sti_probe){bucket, key.data, key.len};
}

static inline struct sti_probe sti_probe_entry(const struct sti_entry *e)
{
    return (struct sti_probe){e->bucket, e->key, e->key_len};
}

/* NULL if the key is not there. Any thread. */
struct sti_entry *sti_nodes_find(const struct sti_nodes *tree, const struct sti_probe *probe);

/* The place of the first key that is not below `probe`: it may be behind the
 * last one of its leaf. Any thread. */
struct sti_place sti_nodes_lower(const struct sti_nodes *tree, const struct sti_probe *probe);

/* The place of the first key that is not below `probe`, in the leaf that has
 * the last key below it: so position - 1 is that key, unless there is none.
 * NULL stands for a key above all. Any thread. */
struct sti_place sti_nodes_before(const struct sti_nodes *tree, const struct sti_probe *probe);

/* The first place of all. Any thread. */
struct sti_place sti_nodes_first(const struct sti_nodes *tree);

/* As sti_nodes_lower(), faster where the last one was: for the writer. */
struct sti_place sti_nodes_seek(struct sti_nodes *tree, const struct sti_probe *probe);

/* Put an entry at its place, which sti_nodes_seek() gave for its key, without
 * finding it, since the tree last changed. Visible to others at once. False
 * without memory; the tree is then as before. */
bool sti_nodes_insert(struct sti_nodes *tree, struct sti_arena *arena, const struct sti_place *at,
        struct sti_entry *entry);

#endif /* STI_STORE_NODES_H */
