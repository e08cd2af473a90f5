/* SPDX-License-Identifier: MIT */
#include "journal/merge.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/map.h"
#include "journal/table.h"

struct tree {
    struct sti_journal_table subkeys; /* never empty, but for a moment */
    uint8_t key[];                    /* a copy: the operation that named it first may be gone */
};

struct sti_journal_merge {
    uint64_t seed[2];
    bool copies;
    struct sti_journal_slot whole; /* settings of the whole; no encoding: none */
    struct sti_journal_table configs;
    struct sti_journal_table plain;
    struct sti_journal_table trees; /* their objects are struct tree */
    uint64_t in_trees;              /* subkeys of all of them */
};

stele_code sti_journal_merge_new(
        struct sti_journal_merge **out, const uint64_t seed[2], bool copies, stele_error *err)
{
    struct sti_journal_merge *m = sti_calloc(1, sizeof *m);

    if (m == NULL) {
        return sti_fail_memory(err, sizeof *m);
    }
    memcpy(m->seed, seed, sizeof m->seed);
    m->copies = copies;
    *out = m;
    return STELE_OK;
}

/* ---- One key. ---- */

/* Let go of what a slot points at. */
static void let_go(const struct sti_journal_merge *m, struct sti_journal_slot *slot)
{
    if (m->copies) {
        sti_free(slot->item.object);
    }
    slot->item.encoded = NULL;
}

static void drop_table(const struct sti_journal_merge *m, struct sti_journal_table *t)
{
    for (size_t i = 0; i < t->slot_count && m->copies; i++) {
        let_go(m, &t->slots[i]);
    }
    sti_journal_table_free(t);
}

/* Have the slot point at an encoding that has its key there, or at a copy of it. */
static bool take(const struct sti_journal_merge *m, struct sti_journal_slot *slot, stele_bytes key,
        stele_bytes encoded)
{
    const uint8_t *bytes = encoded.data;

    if (m->copies) {
        uint8_t *copy = sti_malloc(encoded.len);

        if (copy == NULL) {
            return false;
        }
        memcpy(copy, encoded.data, encoded.len);
        bytes = copy;
        let_go(m, slot);
    }
    slot->key = key.data == NULL ? NULL : bytes + (key.data - encoded.data);
    slot->item.encoded = bytes;
    slot->len = (uint32_t)encoded.len;
    return true;
}

/* Put one into a table; *added: the key is new. */
static stele_code put_into(struct sti_journal_merge *m, struct sti_journal_table *t,
        stele_bytes key, stele_bytes encoded, uint64_t *added, stele_error *err)
{
    uint64_t hash = sti_siphash13(m->seed, key);
    struct sti_journal_slot *slot = sti_journal_table_find(t, hash, key);
    bool found = slot != NULL;

    if (!found) {
        slot = sti_journal_table_add(t, hash, key);
    }
    if (slot == NULL || !take(m, slot, key, encoded)) {
        return sti_fail_memory(err, encoded.len);
    }
    *added += found ? 0 : 1;
    return STELE_OK;
}

/* False: it was not there. */
static bool remove_from(struct sti_journal_merge *m, struct sti_journal_table *t, stele_bytes key)
{
    struct sti_journal_slot *slot = sti_journal_table_find(t, sti_siphash13(m->seed, key), key);

    if (slot == NULL) {
        return false;
    }
    let_go(m, slot);
    sti_journal_table_remove(t, slot);
    return true;
}

/* ---- Trees. ---- */

static struct sti_journal_slot *find_tree(const struct sti_journal_merge *m, stele_bytes key)
{
    return sti_journal_table_find(&m->trees, sti_siphash13(m->seed, key), key);
}

static void drop_tree(struct sti_journal_merge *m, struct sti_journal_slot *slot)
{
    struct tree *tree = slot->item.object;

    m->in_trees -= tree->subkeys.count;
    drop_table(m, &tree->subkeys);
    sti_free(tree);
    sti_journal_table_remove(&m->trees, slot);
}

static struct tree *add_tree(struct sti_journal_merge *m, stele_bytes key)
{
    struct tree *tree = sti_calloc(1, sizeof *tree + key.len);
    struct sti_journal_slot *slot;
    stele_bytes own = key;

    if (tree == NULL) {
        return NULL;
    }
    if (key.data != NULL) {
        memcpy(tree->key, key.data, key.len);
        own.data = tree->key;
    }
    slot = sti_journal_table_add(&m->trees, sti_siphash13(m->seed, key), own);
    if (slot == NULL) {
        sti_free(tree);
        return NULL;
    }
    slot->item.object = tree;
    return tree;
}

static stele_code put_subkey(struct sti_journal_merge *m, const stele_journal_op *op,
        stele_bytes encoded, stele_error *err)
{
    struct sti_journal_slot *slot = find_tree(m, op->key);
    struct tree *tree = slot != NULL ? slot->item.object : add_tree(m, op->key);

    if (tree == NULL) {
        return sti_fail_memory(err, sizeof *tree + op->key.len);
    }
    return put_into(m, &tree->subkeys, op->subkey, encoded, &m->in_trees, err);
}

static void delete_subkey(struct sti_journal_merge *m, const stele_journal_op *op)
{
    struct sti_journal_slot *slot = find_tree(m, op->key);
    struct tree *tree;

    if (slot == NULL) {
        return;
    }
    tree = slot->item.object;
    m->in_trees -= remove_from(m, &tree->subkeys, op->subkey) ? 1 : 0;
    if (tree->subkeys.count == 0) {
        drop_tree(m, slot);
    }
}

static void drop_trees(struct sti_journal_merge *m)
{
    for (size_t i = 0; i < m->trees.slot_count; i++) {
        struct tree *tree = m->trees.slots[i].item.object;

        if (tree != NULL) {
            drop_table(m, &tree->subkeys);
            sti_free(tree);
        }
    }
    sti_journal_table_free(&m->trees);
    m->in_trees = 0;
}

/* ---- Operations in. ---- */

static void clear(struct sti_journal_merge *m, stele_bytes key)
{
    struct sti_journal_slot *slot;

    if (stele_is_nil(key)) {
        drop_table(m, &m->plain);
        drop_trees(m);
        return;
    }
    slot = find_tree(m, key);
    if (slot != NULL) {
        drop_tree(m, slot);
    }
}

stele_code sti_journal_merge_add(struct sti_journal_merge *m, const stele_journal_op *op,
        stele_bytes encoded, stele_error *err)
{
    uint64_t ignored = 0;

    sti_assert(encoded.len <= UINT32_MAX);
    switch (op->kind) {
    case STELE_JOURNAL_PUT:
        return stele_is_nil(op->subkey) ? put_into(m, &m->plain, op->key, encoded, &ignored, err)
                                        : put_subkey(m, op, encoded, err);
    case STELE_JOURNAL_DELETE:
        if (stele_is_nil(op->subkey)) {
            (void)remove_from(m, &m->plain, op->key);
        } else {
            delete_subkey(m, op);
        }
        return STELE_OK;
    case STELE_JOURNAL_CLEAR:
        clear(m, op->key);
        return STELE_OK;
    case STELE_JOURNAL_CONFIG:
        if (!stele_is_nil(op->key)) {
            return put_into(m, &m->configs, op->key, encoded, &ignored, err);
        }
        return take(m, &m->whole, op->key, encoded) ? STELE_OK : sti_fail_memory(err, encoded.len);
    default:
        sti_unreachable();
    }
}

/* ---- Operations out. ---- */

uint64_t sti_journal_merge_count(const struct sti_journal_merge *m)
{
    return (m->whole.item.encoded != NULL ? 1 : 0) + (uint64_t)m->configs.count +
           (uint64_t)m->plain.count + m->in_trees;
}

struct giving {
    stele_code (*each)(void *arg, stele_bytes encoded, stele_error *err);
    void *arg;
    struct sti_journal_order order; /* of keys */
    struct sti_journal_order trees;
};

static stele_code give_slot(
        const struct giving *g, const struct sti_journal_slot *slot, stele_error *err)
{
    return g->each(g->arg, stele_bytes_of(slot->item.encoded, slot->len), err);
}

static stele_code give_table(struct giving *g, const struct sti_journal_table *t, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (!sti_journal_table_sort(t, &g->order)) {
        return sti_fail_memory(err, t->count * sizeof g->order.items[0]);
    }
    for (size_t i = 0; i < g->order.count && rc == STELE_OK; i++) {
        rc = give_slot(g, g->order.items[i].slot, err);
    }
    return rc;
}

static stele_code give_trees(
        struct giving *g, const struct sti_journal_table *trees, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (!sti_journal_table_sort(trees, &g->trees)) {
        return sti_fail_memory(err, trees->count * sizeof g->trees.items[0]);
    }
    for (size_t i = 0; i < g->trees.count && rc == STELE_OK; i++) {
        const struct tree *tree = g->trees.items[i].slot->item.object;

        rc = give_table(g, &tree->subkeys, err);
    }
    return rc;
}

stele_code sti_journal_merge_each(struct sti_journal_merge *m,
        stele_code (*each)(void *arg, stele_bytes encoded, stele_error *err), void *arg,
        stele_error *err)
{
    struct giving g = {.each = each, .arg = arg};
    stele_code rc = m->whole.item.encoded != NULL ? give_slot(&g, &m->whole, err) : STELE_OK;

    rc = rc != STELE_OK ? rc : give_table(&g, &m->configs, err);
    rc = rc != STELE_OK ? rc : give_table(&g, &m->plain, err);
    rc = rc != STELE_OK ? rc : give_trees(&g, &m->trees, err);
    sti_journal_order_free(&g.order);
    sti_journal_order_free(&g.trees);
    return rc;
}

void sti_journal_merge_free(struct sti_journal_merge *m)
{
    if (m == NULL) {
        return;
    }
    let_go(m, &m->whole);
    drop_table(m, &m->configs);
    drop_table(m, &m->plain);
    drop_trees(m);
    sti_free(m);
}
