/* SPDX-License-Identifier: MIT
 *
 * keys.c: the keys of a document, key by key of its type.
 *
 * Each field of a key has a list of values, already encoded, sorted, and each once. As encoded
 * fields sort by themselves, whatever follows them, running through all combinations with the last
 * field fastest gives the keys in ascending order and each once.
 */
#include "docs/keys.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/coding.h"
#include "base/error.h"
#include "base/mutant.h"
#include "docs/order.h"

/* One encoded value of a field. */
struct entry {
    stele_bytes bytes; /* in the list's; while those grow, a length alone */
    bool null;
};

/* The values of one field. */
struct list {
    stele_buf bytes;
    struct entry *entries;
    size_t count;
};

/* The fields of one key, as far as they are there. */
struct row {
    struct list lists[STI_DOCS_FIELD_MAX];
    size_t count;
};

stele_code sti_docs_indexer_init(struct sti_docs_indexer *out, uint32_t type_number,
        const struct sti_docs_type *type, const struct sti_docs_collator *collator,
        stele_error *err)
{
    struct sti_docs_indexer indexer = {
            .type_number = type_number, .type = type, .collator = collator};
    size_t key_count = type == NULL ? 0 : type->key_count;
    size_t count = 0;

    for (size_t k = 0; k < key_count; k++) {
        count += type->keys[k].field_count;
    }
    indexer.paths = sti_calloc(count, sizeof *indexer.paths);
    if (indexer.paths == NULL) {
        return sti_fail_memory(err, count * sizeof *indexer.paths);
    }
    for (size_t k = 0; k < key_count; k++) {
        for (size_t f = 0; f < type->keys[k].field_count; f++) {
            stele_code rc = sti_docs_path_compile(
                    &indexer.paths[indexer.path_count], type->keys[k].fields[f].path, err);

            if (rc != STELE_OK) {
                sti_docs_indexer_free(&indexer);
                return rc;
            }
            indexer.path_count++;
        }
    }
    *out = indexer;
    return STELE_OK;
}

void sti_docs_indexer_free(struct sti_docs_indexer *indexer)
{
    for (size_t i = 0; i < indexer->path_count; i++) {
        sti_docs_path_free(&indexer->paths[i]);
    }
    sti_free(indexer->paths);
    *indexer = (struct sti_docs_indexer){.type_number = 0};
}

stele_code sti_docs_index_head(
        uint32_t type_number, uint16_t number, stele_buf *out, stele_error *err)
{
    uint8_t head[STI_DOCS_INDEX_HEAD];

    sti_put_be32(head, type_number);
    head[4] = (uint8_t)(number >> 8);
    head[5] = (uint8_t)number;
    return stele_buf_append(out, stele_bytes_of(head, sizeof head), err);
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;

    return stele_bytes_compare(x->bytes, y->bytes);
}

/* In ascending order, and each once. */
static void sort_list(struct list *list)
{
    const uint8_t *at = list->bytes.data;
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        list->entries[i].bytes.data = at;
        at += list->entries[i].bytes.len;
    }
    if (list->count > 1) {
        qsort(list->entries, list->count, sizeof *list->entries, compare_entries);
    }
    for (size_t i = 0; i < list->count; i++) {
        if (kept == 0 || compare_entries(&list->entries[kept - 1], &list->entries[i]) != 0) {
            list->entries[kept++] = list->entries[i];
        }
    }
    list->count = kept;
}

static stele_code add_value(struct list *list, const struct sti_docs_indexer *indexer,
        enum sti_docs_order order, const json_t *value, stele_error *err)
{
    struct entry *entry = &list->entries[list->count];
    size_t at = list->bytes.len;
    stele_code rc = sti_docs_order_encode(indexer->collator, order, value, &list->bytes, NULL, err);

    if (rc == STELE_OK) {
        *entry = (struct entry){.null = json_is_null(value)};
        entry->bytes.len = list->bytes.len - at;
        list->count++;
    }
    return rc;
}

/* The list of one field, whose value is there. */
static stele_code fill_list(struct list *list, const struct sti_docs_indexer *indexer,
        const struct sti_docs_key *key, size_t field, const json_t *value, stele_error *err)
{
    bool elements = key->array && json_is_array(value);
    size_t count = elements ? json_array_size(value) : 1;
    stele_code rc = STELE_OK;

    stele_buf_init(&list->bytes, SIZE_MAX);
    list->entries = sti_calloc(count, sizeof *list->entries);
    if (list->entries == NULL) {
        return sti_fail_memory(err, count * sizeof *list->entries);
    }
    for (size_t i = 0;
            i + (STI_MUTANT(DOCS_ARRAY_AS_ONE) && count > 1 ? 1 : 0) < count && rc == STELE_OK;
            i++) {
        rc = add_value(list, indexer, key->fields[field].order,
                elements ? json_array_get(value, i) : value, err);
    }
    if (rc == STELE_OK) {
        sort_list(list);
    }
    return rc;
}

static void free_row(struct row *row)
{
    for (size_t i = 0; i < row->count; i++) {
        stele_buf_free(&row->lists[i].bytes);
        sti_free(row->lists[i].entries);
    }
}

/* The lists of a key's fields, up to the first that is missing. The row is to be freed in any
 * case. */
static stele_code fill_row(struct row *row, const struct sti_docs_indexer *indexer,
        const struct sti_docs_key *key, const struct sti_docs_path *paths, const json_t *document,
        stele_error *err)
{
    stele_code rc = STELE_OK;

    row->count = 0;
    while (rc == STELE_OK && row->count < key->field_count) {
        const json_t *value = sti_docs_path_find(&paths[row->count], document);

        if (value == NULL || (key->array && json_is_array(value) && json_array_size(value) == 0)) {
            break;
        }
        row->lists[row->count] = (struct list){.count = 0};
        rc = fill_list(&row->lists[row->count], indexer, key, row->count, value, err);
        row->count++;
    }
    return rc;
}

/* How many combinations there are, 0 for too many of them or of their bytes. */
static size_t combinations(const struct row *row, size_t id_len, size_t bytes_before)
{
    uint64_t count = 1; /* a list has fewer than 2^32 values */
    uint64_t size = STI_DOCS_INDEX_HEAD + 1 + id_len;

    for (size_t i = 0; i < row->count; i++) {
        const struct list *list = &row->lists[i];
        size_t longest = 0;

        for (size_t e = 0; e < list->count; e++) {
            size_t len = list->entries[e].bytes.len;

            longest = len > longest ? len : longest;
        }
        size += longest;
        count *= list->count;
        if (count > STI_DOCS_COMBINATIONS_MAX) {
            return 0;
        }
    }
    return count * size > STI_DOCS_KEYS_SIZE_MAX - bytes_before ? 0 : (size_t)count;
}

/* Room for `more` items. */
static stele_code reserve(struct sti_docs_index_keys *keys, size_t more, stele_error *err)
{
    size_t capacity = keys->capacity == 0 ? 16 : keys->capacity;
    struct sti_docs_index_key *items;

    while (capacity < keys->count + more) {
        capacity *= 2;
    }
    if (capacity == keys->capacity) {
        return STELE_OK;
    }
    items = sti_realloc(keys->items, capacity, sizeof *items);
    if (items == NULL) {
        return sti_fail_memory(err, capacity * sizeof *items);
    }
    keys->items = items;
    keys->capacity = capacity;
    return STELE_OK;
}

/* One key, of the entries that `chosen` says. Until all are there, an item's bytes have a length
 * alone, as the buffer still moves. */
static stele_code put_key(struct sti_docs_index_keys *keys, const struct row *row,
        const size_t *chosen, stele_bytes head, stele_bytes id, stele_error *err)
{
    static const uint8_t end = STI_DOCS_TAG_END;
    struct sti_docs_index_key *item = &keys->items[keys->count];
    size_t before = keys->bytes.len;
    stele_code rc = stele_buf_append(&keys->bytes, head, err);

    *item = (struct sti_docs_index_key){.unique = true};
    for (size_t i = 0; i < row->count && rc == STELE_OK; i++) {
        rc = stele_buf_append(&keys->bytes, row->lists[i].entries[chosen[i]].bytes, err);
        item->unique = item->unique &&
                       (!row->lists[i].entries[chosen[i]].null || STI_MUTANT(DOCS_NULL_IS_UNIQUE));
    }
    if (rc == STELE_OK) {
        rc = stele_buf_append(&keys->bytes, stele_bytes_of(&end, 1), err);
        item->claim_len = keys->bytes.len - before;
    }
    if (rc == STELE_OK) {
        rc = stele_buf_append(&keys->bytes, id, err);
    }
    if (rc == STELE_OK) {
        item->bytes.len = keys->bytes.len - before;
        keys->count++;
    }
    return rc;
}

/* The next combination, the last field fastest; false behind the last one. */
static bool advance(const struct row *row, size_t *chosen)
{
    for (size_t i = row->count; i > 0; i--) {
        if (++chosen[i - 1] < row->lists[i - 1].count) {
            return true;
        }
        chosen[i - 1] = 0;
    }
    return false;
}

/* All combinations of a row. key == NULL: the entry. */
static stele_code put_row(struct sti_docs_index_keys *keys, const struct row *row,
        const struct sti_docs_key *key, stele_bytes head, stele_bytes id, stele_error *err)
{
    size_t chosen[STI_DOCS_FIELD_MAX] = {0};
    stele_code rc;

    do {
        rc = put_key(keys, row, chosen, head, id, err);
        if (rc == STELE_OK) {
            struct sti_docs_index_key *item = &keys->items[keys->count - 1];

            item->complete = key == NULL || row->count == key->field_count;
            item->unique = item->unique && key != NULL && key->unique &&
                           (item->complete || STI_MUTANT(DOCS_PART_IS_UNIQUE));
            item->number = (uint16_t)(head.data[4] << 8 | head.data[5]);
        }
    } while (rc == STELE_OK && advance(row, chosen));
    return rc;
}

/* The keys of one key of the type, the number-th from 1. */
static stele_code fill_key(struct sti_docs_index_keys *keys, const struct sti_docs_indexer *indexer,
        size_t number, const struct sti_docs_path *paths, const json_t *document, stele_bytes id,
        bool skip_excess, stele_error *err)
{
    const struct sti_docs_key *key = &indexer->type->keys[number - 1];
    uint8_t head[STI_DOCS_INDEX_HEAD];
    struct row row;
    size_t count = 1;
    stele_code rc = fill_row(&row, indexer, key, paths, document, err);

    if (rc == STELE_OK && row.count > 0) {
        count = combinations(&row, id.len, keys->bytes.len);
        sti_put_be32(head, indexer->type_number);
        head[4] = (uint8_t)(number >> 8);
        head[5] = (uint8_t)number;
        if (count > 0) {
            rc = reserve(keys, count, err);
            if (rc == STELE_OK) {
                rc = put_row(keys, &row, key, stele_bytes_of(head, sizeof head), id, err);
            }
        }
    }
    if (rc == STELE_OK && count == 0 && !skip_excess) {
        rc = sti_fail(err, STELE_ETOOBIG,
                "key %s: the document has more than %d index keys, or %d MiB of them", key->name,
                STI_DOCS_COMBINATIONS_MAX, STI_DOCS_KEYS_SIZE_MAX >> 20);
    }
    keys->skipped += rc == STELE_OK && count == 0 ? 1 : 0;
    free_row(&row);
    return rc;
}

static stele_code fill_all(struct sti_docs_index_keys *keys, const struct sti_docs_indexer *indexer,
        const json_t *document, stele_bytes id, bool skip_excess, stele_error *err)
{
    const struct row none = {.count = 0};
    const struct sti_docs_path *paths = indexer->paths;
    size_t key_count = document == NULL || indexer->type == NULL ? 0 : indexer->type->key_count;
    uint8_t head[STI_DOCS_INDEX_HEAD] = {0};
    stele_code rc = reserve(keys, 1, err);

    sti_put_be32(head, indexer->type_number);
    if (rc == STELE_OK) {
        rc = put_row(keys, &none, NULL, stele_bytes_of(head, sizeof head), id, err);
    }
    for (size_t k = 0; k < key_count && rc == STELE_OK; k++) {
        rc = fill_key(keys, indexer, k + 1, paths, document, id, skip_excess, err);
        paths += indexer->type->keys[k].field_count;
    }
    return rc;
}

stele_code sti_docs_index_keys_add(struct sti_docs_index_keys *keys,
        const struct sti_docs_indexer *indexer, const json_t *document, stele_bytes id,
        bool skip_excess, stele_error *err)
{
    const uint8_t *at;
    stele_code rc;

    sti_debug_assert(id.len > 0);
    sti_debug_assert(id.len <= STI_DOCS_ID_MAX);
    rc = fill_all(keys, indexer, document, id, skip_excess, err);
    if (rc != STELE_OK) {
        keys->count = 0;
        keys->skipped = 0;
        return rc;
    }
    at = keys->bytes.data;
    for (size_t i = 0; i < keys->count; i++) {
        keys->items[i].bytes.data = at;
        at += keys->items[i].bytes.len;
    }
    return STELE_OK;
}

stele_code sti_docs_index_keys_fill(struct sti_docs_index_keys *keys,
        const struct sti_docs_indexer *indexer, const json_t *document, stele_bytes id,
        bool skip_excess, stele_error *err)
{
    keys->bytes.limit = SIZE_MAX;
    stele_buf_clear(&keys->bytes);
    keys->count = 0;
    keys->skipped = 0;
    return sti_docs_index_keys_add(keys, indexer, document, id, skip_excess, err);
}

void sti_docs_index_keys_free(struct sti_docs_index_keys *keys)
{
    stele_buf_free(&keys->bytes);
    sti_free(keys->items);
    *keys = (struct sti_docs_index_keys){.items = NULL};
}
