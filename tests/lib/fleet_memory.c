/* SPDX-License-Identifier: MIT
 *
 * fleet_memory.c: a log in memory.
 */
#include "lib/fleet_memory.h"

#include "lib/check.h"

#include <stdlib.h>

static int compare_items(const void *a, const void *b)
{
    const struct fleet_item *x = a;
    const struct fleet_item *y = b;

    return stele_bytes_compare(x->key, y->key);
}

static void settle(struct fleet_memory *m)
{
    if (m->unsorted) {
        qsort(m->items, m->count, sizeof m->items[0], compare_items);
        m->unsorted = false;
        m->summed = 0;
    }
    for (; m->summed < m->count; m->summed++) {
        struct fleet_item *item = &m->items[m->summed];

        if (m->summed == 0) {
            item->before = (struct sti_docs_aggregate){.count = 0};
        } else {
            item->before = item[-1].before;
            sti_docs_aggregate_add_hash(&item->before, item[-1].hash);
        }
    }
}

size_t fleet_memory_place(struct fleet_memory *m, stele_bytes bound)
{
    size_t low = 0;
    size_t high = m->count;

    settle(m);
    if (stele_is_nil(bound)) {
        return m->count;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (stele_bytes_compare(m->items[middle].key, bound) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void fleet_memory_free(struct fleet_memory *m)
{
    for (size_t i = 0; i < m->count; i++) {
        free(m->items[i].bytes);
    }
    free(m->items);
    *m = (struct fleet_memory){.count = 0};
}

static struct fleet_item *make_room(struct fleet_memory *m, size_t place)
{
    if (m->count == m->capacity) {
        m->capacity = m->capacity == 0 ? 16 : 2 * m->capacity;
        m->items = realloc(m->items, m->capacity * sizeof m->items[0]);
        assert_non_null(m->items);
    }
    memmove(&m->items[place + 1], &m->items[place], (m->count - place) * sizeof m->items[0]);
    m->count++;
    m->summed = m->summed < place ? m->summed : place;
    return &m->items[place];
}

static void fill(struct fleet_item *item, stele_bytes entry, stele_bytes key)
{
    item->bytes = malloc(entry.len + key.len);
    assert_non_null(item->bytes);
    if (entry.len > 0) {
        memcpy(item->bytes, entry.data, entry.len);
    }
    memcpy(item->bytes + entry.len, key.data, key.len);
    item->len = entry.len;
    item->key = stele_bytes_of(item->bytes + entry.len, key.len);
}

static struct sti_docs_rank rank_of(const struct fleet_item *item)
{
    struct sti_docs_entry e;
    struct sti_docs_rank rank;

    CHECK_OK(sti_docs_entry_decode(&e, stele_bytes_of(item->bytes, item->len), NULL), NULL);
    rank.version = e.version;
    rank.is_delete = e.is_delete;
    memcpy(rank.hash, item->hash, sizeof rank.hash);
    return rank;
}

bool fleet_memory_add(struct fleet_memory *m, stele_bytes entry)
{
    struct fleet_item item = {.len = 0};
    struct sti_docs_entry e;
    struct sti_docs_rank old;
    struct sti_docs_rank rank;
    stele_buf key;
    size_t place;

    stele_buf_init(&key, SIZE_MAX);
    CHECK_OK(sti_docs_entry_decode(&e, entry, NULL), NULL);
    CHECK_OK(sti_docs_log_key_encode(e.version, e.id, &key, NULL), NULL);
    CHECK_OK(sti_docs_entry_hash(&e, item.hash, NULL), NULL);
    fill(&item, entry, stele_buf_view(&key));
    stele_buf_free(&key);
    place = fleet_memory_place(m, item.key);
    if (place == m->count || !stele_bytes_equal(m->items[place].key, item.key)) {
        *make_room(m, place) = item;
        return true;
    }
    old = rank_of(&m->items[place]);
    rank = rank_of(&item);
    if (sti_docs_rank_compare(&rank, &old) <= 0) {
        free(item.bytes);
        return false;
    }
    free(m->items[place].bytes);
    m->items[place] = item;
    m->summed = m->summed < place ? m->summed : place;
    return true;
}

void fleet_memory_add_raw(
        struct fleet_memory *m, stele_bytes key, const uint8_t hash[STI_DOCS_HASH_SIZE])
{
    struct fleet_item *item = make_room(m, m->count);

    fill(item, stele_nil(), key);
    memcpy(item->hash, hash, STI_DOCS_HASH_SIZE);
    m->unsorted = true;
}

const struct fleet_item *fleet_memory_find(struct fleet_memory *m, stele_bytes key)
{
    size_t place = fleet_memory_place(m, key);

    return place < m->count && stele_bytes_equal(m->items[place].key, key) ? &m->items[place]
                                                                           : NULL;
}

void fleet_memory_trim(struct fleet_memory *m, stele_bytes bound,
        bool (*keep)(void *arg, const struct fleet_item *item), void *arg)
{
    size_t end = fleet_memory_place(m, bound);
    size_t to = 0;

    for (size_t i = 0; i < m->count; i++) {
        if (i >= end || (keep != NULL && keep(arg, &m->items[i]))) {
            m->items[to++] = m->items[i];
        } else {
            free(m->items[i].bytes);
        }
    }
    m->count = to;
    m->summed = 0;
}

bool fleet_memory_equal(struct fleet_memory *a, struct fleet_memory *b)
{
    settle(a);
    settle(b);
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        if (memcmp(a->items[i].hash, b->items[i].hash, STI_DOCS_HASH_SIZE) != 0) {
            return false;
        }
    }
    return a->count == b->count;
}

/* ---- As a set. ---- */

static void add_up_to(const struct fleet_memory *m, size_t place, struct sti_docs_aggregate *out)
{
    *out = (struct sti_docs_aggregate){.count = 0};
    if (place > 0) {
        *out = m->items[place - 1].before;
        sti_docs_aggregate_add_hash(out, m->items[place - 1].hash);
    }
}

static stele_code memory_sum(void *arg, stele_bytes low, stele_bytes high,
        struct sti_docs_aggregate *out, stele_error *err)
{
    struct fleet_memory *m = arg;
    size_t from = fleet_memory_place(m, low);
    size_t to = fleet_memory_place(m, high);
    struct sti_docs_aggregate before;

    (void)err;
    m->sums++;
    add_up_to(m, from, &before);
    add_up_to(m, to < from ? from : to, out);
    sti_docs_aggregate_subtract(out, &before);
    return STELE_OK;
}

static stele_code memory_keys(void *arg, stele_bytes low, stele_bytes high, sti_fleet_key_fn each,
        void *each_arg, stele_error *err)
{
    struct fleet_memory *m = arg;
    size_t to = fleet_memory_place(m, high);
    stele_code rc = STELE_OK;

    for (size_t i = fleet_memory_place(m, low); rc == STELE_OK && i < to; i++) {
        rc = each(each_arg, m->items[i].key, m->items[i].hash, err);
    }
    return rc == STELE_END ? STELE_OK : rc;
}

static stele_code memory_cuts(void *arg, stele_bytes low, stele_bytes high, size_t parts,
        sti_fleet_cut_fn each, void *each_arg, stele_error *err)
{
    struct fleet_memory *m = arg;
    size_t from = fleet_memory_place(m, low);
    size_t count = fleet_memory_place(m, high) - from;
    stele_code rc = STELE_OK;

    for (size_t i = 1; rc == STELE_OK && i < parts; i++) {
        const struct fleet_item *at = &m->items[from + count * i / parts];

        rc = each(each_arg, at[-1].key, at->key, err);
    }
    return rc == STELE_END ? STELE_OK : rc;
}

const struct sti_fleet_set_ops fleet_memory_set = {
        .sum = memory_sum, .keys = memory_keys, .cuts = memory_cuts};
