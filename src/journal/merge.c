/* SPDX-License-Identifier: MIT
 *
 * merge.c: operations in, those that still count out.
 *
 * Keys are all over the memory, and each look-up would wait for it twice: for the slot, and for the
 * bytes of the key. So operations wait in a ring while what they need is fetched, and are applied
 * in their order some steps later.
 */
#include "journal/merge.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/map.h"
#include "base/mutant.h"
#include "journal/table.h"

enum {
    RING = 32, /* a power of two, more than APPLY */
    /* How many operations behind the newest one each step is done. */
    FETCH_KEY = 6,
    FETCH_SUBKEY = 12,
    APPLY = 18,
    GIVE_AHEAD = 16 /* slots are fetched so long before they are given, operations half of it */
};

/* An operation that waits. */
struct waiting {
    stele_journal_kind kind;
    stele_bytes key;
    stele_bytes subkey;
    stele_bytes encoded;
    uint64_t hash; /* of the key */
    uint64_t subhash;
};

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
    struct waiting ring[RING];
    uint64_t added;   /* operations; of them */
    uint64_t applied; /* these are in the tables */
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
static stele_code put_into(struct sti_journal_merge *m, struct sti_journal_table *t, uint64_t hash,
        stele_bytes key, stele_bytes encoded, uint64_t *added, stele_error *err)
{
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
static bool remove_from(
        struct sti_journal_merge *m, struct sti_journal_table *t, uint64_t hash, stele_bytes key)
{
    struct sti_journal_slot *slot = sti_journal_table_find(t, hash, key);

    if (slot == NULL) {
        return false;
    }
    let_go(m, slot);
    sti_journal_table_remove(t, slot);
    return true;
}

/* ---- Trees. ---- */

static struct tree *find_tree(const struct sti_journal_merge *m, const struct waiting *w)
{
    struct sti_journal_slot *slot = sti_journal_table_find(&m->trees, w->hash, w->key);

    return slot != NULL ? slot->item.object : NULL;
}

/* With its slot. */
static void drop_tree(struct sti_journal_merge *m, const struct waiting *w)
{
    struct sti_journal_slot *slot = sti_journal_table_find(&m->trees, w->hash, w->key);
    struct tree *tree;

    if (slot == NULL) {
        return;
    }
    tree = slot->item.object;
    m->in_trees -= tree->subkeys.count;
    drop_table(m, &tree->subkeys);
    sti_free(tree);
    sti_journal_table_remove(&m->trees, slot);
}

static struct tree *add_tree(struct sti_journal_merge *m, const struct waiting *w)
{
    struct tree *tree = sti_calloc(1, sizeof *tree + w->key.len);
    struct sti_journal_slot *slot;
    stele_bytes own = w->key;

    if (tree == NULL) {
        return NULL;
    }
    if (own.data != NULL) {
        memcpy(tree->key, own.data, own.len);
        own.data = tree->key;
    }
    slot = sti_journal_table_add(&m->trees, w->hash, own);
    if (slot == NULL) {
        sti_free(tree);
        return NULL;
    }
    slot->item.object = tree;
    return tree;
}

static stele_code put_subkey(struct sti_journal_merge *m, const struct waiting *w, stele_error *err)
{
    struct tree *tree = find_tree(m, w);

    if (tree == NULL) {
        tree = add_tree(m, w);
    }
    if (tree == NULL) {
        return sti_fail_memory(err, sizeof *tree + w->key.len);
    }
    return put_into(m, &tree->subkeys, w->subhash, w->subkey, w->encoded, &m->in_trees, err);
}

static void delete_subkey(struct sti_journal_merge *m, const struct waiting *w)
{
    struct tree *tree = find_tree(m, w);

    if (tree == NULL) {
        return;
    }
    m->in_trees -= remove_from(m, &tree->subkeys, w->subhash, w->subkey) ? 1 : 0;
    if (tree->subkeys.count == 0) {
        drop_tree(m, w);
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

static stele_code put(struct sti_journal_merge *m, const struct waiting *w, stele_error *err)
{
    uint64_t ignored = 0;

    return stele_is_nil(w->subkey)
                   ? put_into(m, &m->plain, w->hash, w->key, w->encoded, &ignored, err)
                   : put_subkey(m, w, err);
}

static void remove_key(struct sti_journal_merge *m, const struct waiting *w)
{
    if (stele_is_nil(w->subkey)) {
        (void)remove_from(m, &m->plain, w->hash, w->key);
    } else {
        delete_subkey(m, w);
    }
}

static void clear(struct sti_journal_merge *m, const struct waiting *w)
{
    if (stele_is_nil(w->key)) {
        drop_table(m, &m->plain);
        if (!STI_MUTANT(JOURNAL_CLEAR_LEAVES_TREES)) {
            drop_trees(m);
        }
        if (STI_MUTANT(JOURNAL_CLEAR_TAKES_CONFIG)) {
            drop_table(m, &m->configs);
        }
    } else {
        drop_tree(m, w);
        if (STI_MUTANT(JOURNAL_CLEAR_TAKES_PLAIN)) {
            (void)remove_from(m, &m->plain, w->hash, w->key);
        }
    }
}

static stele_code configure(struct sti_journal_merge *m, const struct waiting *w, stele_error *err)
{
    uint64_t ignored = 0;

    if (STI_MUTANT(JOURNAL_CONFIG_ADDED) && w->encoded.data[w->encoded.len - 1] == 0) {
        return STELE_OK;
    }
    if (!stele_is_nil(w->key)) {
        return put_into(m, &m->configs, w->hash, w->key, w->encoded, &ignored, err);
    }
    return take(m, &m->whole, w->key, w->encoded) ? STELE_OK : sti_fail_memory(err, w->encoded.len);
}

static stele_code apply(struct sti_journal_merge *m, const struct waiting *w, stele_error *err)
{
    switch (w->kind) {
    case STELE_JOURNAL_PUT:
        return put(m, w, err);
    case STELE_JOURNAL_DELETE:
        remove_key(m, w);
        return STELE_OK;
    case STELE_JOURNAL_CLEAR:
        clear(m, w);
        return STELE_OK;
    case STELE_JOURNAL_CONFIG:
        return configure(m, w, err);
    default:
        sti_unreachable();
    }
}

/* Apply all but the newest `but` of those that wait. */
static stele_code apply_all(struct sti_journal_merge *m, uint64_t but, stele_error *err)
{
    stele_code rc = STELE_OK;

    while (m->added - m->applied > but && rc == STELE_OK) {
        rc = apply(m, &m->ring[m->applied++ % RING], err);
    }
    return rc;
}

/* ---- Fetching ahead. ---- */

static void fetch_slot(const struct sti_journal_merge *m, const struct waiting *w)
{
    sti_journal_table_fetch_slot(stele_is_nil(w->subkey) ? &m->plain : &m->trees, w->hash);
}

static void fetch_key(const struct sti_journal_merge *m, const struct waiting *w)
{
    const struct tree *tree;

    if (stele_is_nil(w->subkey)) {
        sti_journal_table_fetch_key(&m->plain, w->hash);
        return;
    }
    tree = find_tree(m, w);
    if (tree != NULL) {
        sti_journal_table_fetch_slot(&tree->subkeys, w->subhash);
    }
}

static void fetch_subkey(const struct sti_journal_merge *m, const struct waiting *w)
{
    const struct tree *tree = stele_is_nil(w->subkey) ? NULL : find_tree(m, w);

    if (tree != NULL) {
        sti_journal_table_fetch_key(&tree->subkeys, w->subhash);
    }
}

static void fetch_ahead(const struct sti_journal_merge *m)
{
    uint64_t newest = m->added - 1;

    fetch_slot(m, &m->ring[newest % RING]);
    if (newest >= FETCH_KEY) {
        fetch_key(m, &m->ring[(newest - FETCH_KEY) % RING]);
    }
    if (newest >= FETCH_SUBKEY) {
        fetch_subkey(m, &m->ring[(newest - FETCH_SUBKEY) % RING]);
    }
}

stele_code sti_journal_merge_add(struct sti_journal_merge *m, const stele_journal_op *op,
        stele_bytes encoded, stele_error *err)
{
    struct waiting *w = &m->ring[m->added++ % RING];

    sti_assert(encoded.len <= UINT32_MAX);
    w->kind = op->kind;
    w->key = op->key;
    w->subkey = op->subkey;
    w->encoded = encoded;
    w->hash = sti_siphash13(m->seed, op->key);
    w->subhash = stele_is_nil(op->subkey) ? 0 : sti_siphash13(m->seed, op->subkey);
    if (m->copies) {
        return apply_all(m, 0, err);
    }
    fetch_ahead(m);
    return apply_all(m, APPLY, err);
}

stele_code sti_journal_merge_settle(struct sti_journal_merge *m, stele_error *err)
{
    return apply_all(m, 0, err);
}

/* ---- Operations out. ---- */

uint64_t sti_journal_merge_count(const struct sti_journal_merge *m)
{
    sti_assert(m->applied == m->added);
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
        if (i + GIVE_AHEAD < g->order.count) {
            __builtin_prefetch(g->order.items[i + GIVE_AHEAD / 2].slot->item.encoded);
            __builtin_prefetch(g->order.items[i + GIVE_AHEAD].slot);
        }
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
    stele_code rc;

    sti_assert(m->applied == m->added);
    rc = m->whole.item.encoded != NULL ? give_slot(&g, &m->whole, err) : STELE_OK;

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
