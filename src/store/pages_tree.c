/* SPDX-License-Identifier: MIT
 *
 * pages_tree.c: a walk over one tree: pages, nodes, keys, and what belongs to values.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "store/pages_walk.h"

enum {
    HEAD = 16,
    TREE_SIZE = 48,
    NODE_HEAD = 8,
    BRANCH = 1,
    LEAF = 2,
    OVERFLOW = 4,
    NODE_BIG = 1,
    NODE_TREE = 2,
    INTEGER_KEYS = 8
};

#define NO_PAGE UINT64_MAX

/* Mark `count` pages as used or free; false if any was before, or is none. */
static bool mark(
        struct sti_pages_walk *w, uint64_t page, uint64_t count, uint64_t from, const char *what)
{
    if (page < 2 || page > w->last || count == 0 || count > w->last - page + 1) {
        sti_pages_fault(w, from, "it names page %llu as %s, which cannot be",
                (unsigned long long)page, what);
        return false;
    }
    for (uint64_t i = page; i < page + count; i++) {
        if ((w->seen[i / 8] >> i % 8 & 1) != 0) {
            sti_pages_fault(w, from, "it names page %llu as %s, which is in use already",
                    (unsigned long long)i, what);
            return false;
        }
        w->seen[i / 8] |= (uint8_t)(1U << i % 8);
    }
    return true;
}

/* ---- One page. ---- */

static const uint8_t *node_of(const struct sti_pages_level *l, size_t i)
{
    return l->page + sti_pages_get16(l->page + HEAD + 2 * i);
}

static size_t value_size(const uint8_t *node)
{
    return sti_pages_get32(node);
}

static bool is_big(const uint8_t *node)
{
    return (sti_pages_get16(node + 4) & NODE_BIG) != 0;
}

static size_t node_size(const uint8_t *node, bool branch)
{
    size_t key = sti_pages_get16(node + 6);

    if (branch) {
        return NODE_HEAD + key;
    }
    return NODE_HEAD + key + (is_big(node) ? 8 : value_size(node));
}

/* Every node lies between `upper` and the end of the page, and together they fill it, each at an
 * even place: so none overlaps another, and the index is right. */
static bool nodes_fit(struct sti_pages_walk *w, const struct sti_pages_level *l, bool branch)
{
    size_t upper = sti_pages_get16(l->page + 14);
    size_t sum = 0;

    for (size_t i = 0; i < l->count; i++) {
        size_t at = sti_pages_get16(l->page + HEAD + 2 * i);
        size_t size;

        if (at < upper || at % 2 != 0 || at + NODE_HEAD > w->page_size) {
            sti_pages_fault(w, l->number, "entry %zu of its index is damaged", i);
            return false;
        }
        size = node_size(node_of(l, i), branch);
        if (size > w->page_size - at || sti_pages_get16(node_of(l, i) + 6) > STI_PAGES_KEY_MAX) {
            sti_pages_fault(w, l->number, "node %zu reaches behind its end", i);
            return false;
        }
        sum += size + (size & 1);
    }
    if (sum != w->page_size - upper) {
        sti_pages_fault(
                w, l->number, "its nodes have %zu bytes instead of %zu", sum, w->page_size - upper);
        return false;
    }
    return true;
}

/* Read a page of a tree into the next level. False: a fault, or (*code) an error. */
static bool enter(struct sti_pages_walk *w, uint64_t number, uint64_t from, stele_code *code,
        stele_error *err)
{
    struct sti_pages_level *l = &w->levels[w->depth];
    bool branch = w->depth + 1 < w->found.depth;
    size_t lower;
    size_t upper;

    if (!mark(w, number, 1, from, "part of a tree")) {
        return false;
    }
    if ((number + 1) * w->page_size > w->file_size) {
        sti_pages_fault(w, from, "page %llu of a tree is behind the end of the file",
                (unsigned long long)number);
        return false;
    }
    *code = sti_file_read(&w->file, number * w->page_size, l->page, w->page_size, err);
    if (*code != STELE_OK) {
        return false;
    }
    w->result.used++;
    w->found.count[branch ? 0 : 1]++;
    lower = sti_pages_get16(l->page + 12);
    upper = sti_pages_get16(l->page + 14);
    l->number = number;
    l->next = 0;
    if (sti_pages_get64(l->page) != number ||
            sti_pages_get16(l->page + 10) != (branch ? BRANCH : LEAF)) {
        sti_pages_fault(w, number, "its head is not that of a %s page", branch ? "branch" : "leaf");
        return false;
    }
    if (lower < HEAD || lower % 2 != 0 || lower > upper || upper > w->page_size) {
        sti_pages_fault(w, number, "the bounds in its head are damaged");
        return false;
    }
    l->count = (lower - HEAD) / 2;
    if (l->count < (branch ? 2U : 1U)) {
        sti_pages_fault(w, number, "it has too few nodes");
        return false;
    }
    if (!nodes_fit(w, l, branch)) {
        return false;
    }
    w->depth++;
    return true;
}

/* ---- Keys. ---- */

static int compare(
        const struct sti_pages_walk *w, const struct sti_pages_key *a, const uint8_t *b, size_t len)
{
    size_t common = a->len < len ? a->len : len;
    int order;

    if (w->free_list) {
        uint64_t x = sti_pages_get64(a->bytes);
        uint64_t y = sti_pages_get64(b);

        return x < y ? -1 : x > y;
    }
    order = memcmp(a->bytes, b, common);
    return order != 0 ? order : (a->len < len ? -1 : a->len > len);
}

static void keep(struct sti_pages_key *out, const uint8_t *bytes, size_t len)
{
    out->set = true;
    out->len = len;
    memcpy(out->bytes, bytes, len);
}

static bool length_fits(struct sti_pages_walk *w, const struct sti_pages_level *l, size_t i)
{
    if (w->free_list && sti_pages_get16(node_of(l, i) + 6) != 8) {
        sti_pages_fault(w, l->number, "key %zu is no number of a transaction", i);
        return false;
    }
    return true;
}

static bool separates(struct sti_pages_walk *w, const struct sti_pages_level *l, size_t i)
{
    const uint8_t *node = node_of(l, i);
    size_t len = sti_pages_get16(node + 6);

    if (i == 0) {
        return true; /* The first key of a branch is not looked at. */
    }
    if (!length_fits(w, l, i)) {
        return false;
    }
    if (w->key.set && compare(w, &w->key, node + NODE_HEAD, len) >= 0) {
        sti_pages_fault(w, l->number, "key %zu is not greater than those before it", i);
        return false;
    }
    keep(&w->bound, node + NODE_HEAD, len);
    return true;
}

static bool ascends(struct sti_pages_walk *w, const struct sti_pages_level *l, size_t i)
{
    const uint8_t *node = node_of(l, i);
    size_t len = sti_pages_get16(node + 6);

    if (!length_fits(w, l, i)) {
        return false;
    }
    if ((w->key.set && compare(w, &w->key, node + NODE_HEAD, len) >= 0) ||
            (w->bound.set && compare(w, &w->bound, node + NODE_HEAD, len) > 0)) {
        sti_pages_fault(w, l->number, "key %zu is out of order", i);
        return false;
    }
    keep(&w->key, node + NODE_HEAD, len);
    return true;
}

/* ---- Values. ---- */

static stele_code take_overflow(struct sti_pages_walk *w, const struct sti_pages_level *l,
        const uint8_t *node, stele_error *err)
{
    uint64_t first = sti_pages_get64(node + NODE_HEAD + sti_pages_get16(node + 6));
    uint64_t count = (HEAD - 1 + (uint64_t)value_size(node)) / w->page_size + 1;
    uint8_t head[HEAD];
    stele_code code;

    /* A value that became shorter keeps its pages: the head has how many there are. */
    if (first < 2 || first > w->last || (first + count) * w->page_size > w->file_size) {
        sti_pages_fault(w, l->number, "a value is in pages that are not there");
        return STELE_OK;
    }
    code = sti_file_read(&w->file, first * w->page_size, head, sizeof head, err);
    if (code != STELE_OK) {
        return code;
    }
    if (sti_pages_get64(head) != first || sti_pages_get16(head + 10) != OVERFLOW ||
            sti_pages_get32(head + 12) < count) {
        sti_pages_fault(w, first, "its head is not that of a value's pages");
        return STELE_OK;
    }
    count = sti_pages_get32(head + 12);
    if (mark(w, first, count, l->number, "part of a value")) {
        w->result.used += count;
        w->found.count[2] += count;
    }
    return STELE_OK;
}

/* A list of free pages that stands at `at` of the file. */
static stele_code take_free(struct sti_pages_walk *w, const struct sti_pages_level *l, uint64_t at,
        size_t size, stele_error *err)
{
    uint64_t *list = size % 8 == 0 ? sti_malloc(size) : NULL;
    uint64_t count = 0;
    stele_code code;

    if (size % 8 != 0 || size == 0) {
        sti_free(list);
        sti_pages_fault(w, l->number, "a list of free pages has %zu bytes", size);
        return STELE_OK;
    }
    if (list == NULL) {
        return sti_fail_memory(err, size);
    }
    code = sti_file_read(&w->file, at, list, size, err);
    count = code == STELE_OK ? list[0] : 0;
    if (count >= size / 8) {
        sti_pages_fault(w, l->number, "a list of free pages is longer than its place");
        count = 0;
    }
    for (uint64_t i = 1; i <= count; i++) {
        if (i > 1 && list[i] >= list[i - 1]) {
            sti_pages_fault(w, l->number, "a list of free pages does not descend");
            break;
        }
        if (mark(w, list[i], 1, l->number, "free")) {
            w->result.free++;
        }
    }
    sti_free(list);
    return code;
}

static stele_code take_leaf_node(
        struct sti_pages_walk *w, const struct sti_pages_level *l, size_t i, stele_error *err)
{
    const uint8_t *node = node_of(l, i);
    size_t key_size = sti_pages_get16(node + 6);
    uint16_t flags = sti_pages_get16(node + 4);
    uint64_t at = l->number * w->page_size + (uint64_t)(node - l->page) + NODE_HEAD + key_size;
    stele_code code = STELE_OK;

    w->found.entries++;
    if (!ascends(w, l, i)) {
        return STELE_OK;
    }
    if (w->free_list && sti_pages_get64(node + NODE_HEAD) > w->txn_id) {
        sti_pages_fault(w, l->number, "a list of free pages is of a later transaction");
    }
    if (flags == NODE_TREE && !w->free_list && value_size(node) == TREE_SIZE && !w->second_known) {
        w->second_known = true;
        sti_pages_decode_tree(&w->second, node + NODE_HEAD + key_size);
        return STELE_OK;
    }
    if (flags != 0 && flags != NODE_BIG) {
        sti_pages_fault(w, l->number, "node %zu has the flags %x", i, flags);
        return STELE_OK;
    }
    if (flags == NODE_BIG) {
        uint64_t faults = w->result.faults;

        at = sti_pages_get64(node + NODE_HEAD + key_size) * w->page_size + HEAD;
        code = take_overflow(w, l, node, err);
        if (code != STELE_OK || w->result.faults != faults) {
            return code;
        }
    }
    return w->free_list ? take_free(w, l, at, value_size(node), err) : code;
}

/* ---- Trees. ---- */

static uint64_t child_of(const uint8_t *node)
{
    return sti_pages_get32(node) | (uint64_t)sti_pages_get16(node + 4) << 32;
}

static stele_code step(struct sti_pages_walk *w, stele_error *err)
{
    struct sti_pages_level *l = &w->levels[w->depth - 1];
    stele_code code = STELE_OK;
    size_t i = l->next;

    if (i == l->count) {
        w->depth--;
        return STELE_OK;
    }
    l->next++;
    if (w->depth == w->found.depth) {
        return take_leaf_node(w, l, i, err);
    }
    if (separates(w, l, i)) {
        (void)enter(w, child_of(node_of(l, i)), l->number, &code, err);
    }
    return code;
}

/* Of the three, what the tree says against what there is. */
static void compare_figures(
        struct sti_pages_walk *w, const struct sti_pages_tree *said, uint64_t from)
{
    const struct sti_pages_tree *found = &w->found;

    if (said->count[0] != found->count[0] || said->count[1] != found->count[1] ||
            said->count[2] != found->count[2]) {
        sti_pages_fault(w, from,
                "a tree has %llu, %llu and %llu pages instead of %llu, %llu and %llu",
                (unsigned long long)found->count[0], (unsigned long long)found->count[1],
                (unsigned long long)found->count[2], (unsigned long long)said->count[0],
                (unsigned long long)said->count[1], (unsigned long long)said->count[2]);
    }
    if (said->entries != found->entries) {
        sti_pages_fault(w, from, "a tree has %llu entries instead of %llu",
                (unsigned long long)found->entries, (unsigned long long)said->entries);
    }
}

stele_code sti_pages_walk_tree(struct sti_pages_walk *w, const struct sti_pages_tree *tree,
        uint64_t from, stele_error *err)
{
    stele_code code = STELE_OK;

    if (tree->flags != (w->free_list ? INTEGER_KEYS : 0) || tree->depth > STI_PAGES_LEVELS_MAX ||
            (tree->root == NO_PAGE) != (tree->depth == 0)) {
        sti_pages_fault(w, from, "the head of a tree is damaged");
        return STELE_OK;
    }
    w->found = (struct sti_pages_tree){.depth = tree->depth};
    w->key.set = false;
    w->bound.set = false;
    w->depth = 0;
    if (tree->depth > 0) {
        (void)enter(w, tree->root, from, &code, err);
    }
    while (code == STELE_OK && w->depth > 0) {
        code = step(w, err);
    }
    if (code == STELE_OK) {
        compare_figures(w, tree, from);
    }
    return code;
}
