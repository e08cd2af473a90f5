/* SPDX-License-Identifier: MIT
 *
 * read.c: one key, ranges, names and counts of a read.
 */
#include "base/coding.h"
#include "base/error.h"
#include "base/fnv.h"
#include "store/base.h"

/* ---- Buckets. ---- */

static bool has_name(const struct sti_store_name *n, stele_bytes name)
{
    return n->number != 0 && n->len == name.len && memcmp(n->bytes, name.data, name.len) == 0;
}

static void keep_name(struct sti_store_name *n, stele_bytes name, uint32_t number)
{
    n->number = number;
    n->len = (uint32_t)name.len;
    memcpy(n->bytes, name.data, name.len);
}

/* The slot remembers some from read to read, until there is another commit. */
static stele_code find_stored(
        struct sti_store_slot *slot, stele_bytes name, uint32_t *number, stele_error *err)
{
    uint64_t txn_id = sti_lmdb_txn_id(slot->txn);
    struct sti_store_name *known = &slot->names[sti_fnv1a64(name.data, name.len) % STI_SLOT_NAMES];
    struct sti_bucket bucket;
    stele_code code;

    if (slot->name_txn_id != txn_id) {
        for (size_t i = 0; i < STI_SLOT_NAMES; i++) {
            slot->names[i].number = 0;
        }
        slot->name_txn_id = txn_id;
    }
    if (has_name(known, name)) {
        *number = known->number;
        return STELE_OK;
    }
    code = sti_bucket_find(slot->txn, name, &bucket, err);
    if (code == STELE_OK) {
        *number = bucket.number;
        keep_name(known, name, bucket.number);
    }
    return code;
}

static stele_code find_bucket(
        struct stele_store_read *read, stele_bytes name, uint32_t *number, stele_error *err)
{
    const struct sti_store_view *v = read->view;
    stele_bytes value;

    switch (sti_merge_get(v->raw, v->count, read->seq, STI_STORE_NAMES_BUCKET, name, &value)) {
    case STI_PRESENT:
        *number = sti_get_le32(value.data);
        return STELE_OK;
    case STI_DELETED:
        return STELE_ENOTFOUND;
    case STI_ABSENT:
        break;
    }
    return find_stored(read->slot, name, number, err);
}

stele_code sti_read_bucket(
        struct stele_store_read *read, stele_bytes name, uint32_t *number, stele_error *err)
{
    struct sti_store_name *n = &read->name;
    stele_code code = sti_read_ready(read, err);

    if (code != STELE_OK) {
        return code;
    }
    if (has_name(n, name)) {
        *number = n->number;
        return STELE_OK;
    }
    code = sti_store_check_name(name, err);
    if (code != STELE_OK) {
        return code;
    }
    code = find_bucket(read, name, number, err);
    if (code == STELE_ENOTFOUND) {
        return sti_store_no_bucket(err, name);
    }
    if (code != STELE_OK) {
        return sti_store_wrap(err, code, name, stele_nil());
    }
    keep_name(n, name, *number);
    return STELE_OK;
}

static stele_code begin(
        struct stele_store_read *read, stele_bytes bucket, uint32_t *number, stele_error *err)
{
    return read == NULL ? sti_fail(err, STELE_EINVAL, "no read")
                        : sti_read_bucket(read, bucket, number, err);
}

/* ---- Get. ---- */

static stele_code get(struct stele_store_read *read, uint32_t number, stele_bytes key,
        stele_bytes *value, stele_error *err)
{
    const struct sti_store_view *v = read->view;

    switch (sti_merge_get(v->raw, v->count, read->seq, number, key, value)) {
    case STI_PRESENT:
        return STELE_OK;
    case STI_DELETED:
        return STELE_ENOTFOUND;
    case STI_ABSENT:
        break;
    }
    return sti_tree_get(read->slot->txn, number, key, value, err);
}

/* A nil key is the empty one. */
static stele_bytes not_nil(stele_bytes key)
{
    return key.data == NULL ? stele_empty() : key;
}

stele_code stele_store_read_get(stele_store_read *read, stele_bytes bucket, stele_bytes key,
        stele_bytes *value, stele_error *err)
{
    stele_bytes found = stele_nil();
    uint32_t number = 0;
    stele_code code;

    if (value == NULL) {
        return sti_fail(err, STELE_EINVAL, "no place for the value");
    }
    code = begin(read, bucket, &number, err);
    code = code == STELE_OK ? sti_store_check_key(key, err) : code;
    if (code != STELE_OK) {
        return code;
    }
    code = get(read, number, key, &found, err);
    if (code == STELE_ENOTFOUND) {
        code = sti_fail(err, code, "there is no such key");
    }
    if (code != STELE_OK) {
        return sti_store_wrap(err, code, bucket, not_nil(key));
    }
    *value = found;
    return STELE_OK;
}

/* ---- Ranges. ---- */

struct ranging {
    const stele_store_range *range;
    stele_store_pair_fn each;
    void *arg;
    uint64_t count;
};

/* Whether a key is still before the end, in the direction of the walk. */
static bool is_inside(const stele_store_range *r, stele_bytes key)
{
    if (r->reverse) {
        return stele_bytes_compare(key, not_nil(r->start)) >= 0;
    }
    return r->to_end || stele_bytes_compare(key, r->end) < 0;
}

static stele_code go_to_start(struct sti_merge *m, const stele_store_range *r, stele_error *err)
{
    if (!r->reverse) {
        return sti_merge_seek(m, r->start, err);
    }
    return r->to_end ? sti_merge_last(m, err) : sti_merge_before(m, r->end, err);
}

static stele_code walk_range(
        struct sti_merge *m, struct ranging *g, bool *callers, stele_error *err)
{
    const stele_store_range *r = g->range;
    stele_code code = go_to_start(m, r, err);

    *callers = false;
    while (code == STELE_OK && is_inside(r, m->item.key)) {
        g->count++;
        *callers = true;
        code = g->each(g->arg, m->item.key, m->item.value, err);
        if (code != STELE_OK || g->count == r->limit) {
            return code;
        }
        *callers = false;
        code = r->reverse ? sti_merge_prev(m, err) : sti_merge_next(m, err);
    }
    return code;
}

static stele_code range_bucket(struct stele_store_read *read, stele_bytes bucket, uint32_t number,
        struct ranging *g, stele_error *err)
{
    struct sti_walk walk;
    bool callers = false;
    stele_code code = sti_walk_begin(&walk, read, number, err);

    if (code == STELE_OK) {
        code = walk_range(&walk.merge, g, &callers, err);
    }
    sti_walk_end(&walk);
    if (code == STELE_END) {
        return STELE_OK;
    }
    return code == STELE_OK || callers ? code : sti_store_wrap(err, code, bucket, stele_nil());
}

/* A single key. */
static stele_code range_one(struct stele_store_read *read, stele_bytes bucket, uint32_t number,
        struct ranging *g, stele_error *err)
{
    stele_bytes key = not_nil(g->range->start);
    stele_bytes value = stele_nil();
    stele_code code = get(read, number, key, &value, err);

    if (code == STELE_ENOTFOUND) {
        return STELE_OK;
    }
    if (code != STELE_OK) {
        return sti_store_wrap(err, code, bucket, key);
    }
    g->count = 1;
    code = g->each(g->arg, key, value, err);
    return code == STELE_END ? STELE_OK : code;
}

stele_code stele_store_read_range(stele_store_read *read, stele_bytes bucket,
        const stele_store_range *range, stele_store_pair_fn each, void *arg, uint64_t *count,
        stele_error *err)
{
    struct ranging g = {.range = range, .each = each, .arg = arg};
    uint32_t number = 0;
    stele_code code;

    if (range == NULL || each == NULL) {
        return sti_fail(err, STELE_EINVAL, "no range, or nobody to give it to");
    }
    code = begin(read, bucket, &number, err);
    code = code == STELE_OK ? sti_store_check_key(range->start, err) : code;
    code = code == STELE_OK ? sti_store_check_key(range->end, err) : code;
    if (code != STELE_OK) {
        return code;
    }
    if (!range->to_end && range->end.len == 0) {
        code = range_one(read, bucket, number, &g, err);
    } else {
        code = range_bucket(read, bucket, number, &g, err);
    }
    if (code == STELE_OK && count != NULL) {
        *count = g.count;
    }
    return code;
}

stele_code stele_store_read_for_each(stele_store_read *read, stele_bytes bucket,
        stele_store_pair_fn each, void *arg, stele_error *err)
{
    const stele_store_range all = {.to_end = true};

    return stele_store_read_range(read, bucket, &all, each, arg, NULL, err);
}

/* ---- Names and counts. ---- */

stele_code stele_store_read_buckets(stele_store_read *read,
        stele_code (*each)(void *arg, stele_bytes bucket, stele_error *err), void *arg,
        stele_error *err)
{
    struct sti_names_walk walk;
    stele_code code;

    if (read == NULL || each == NULL) {
        return sti_fail(err, STELE_EINVAL, "no read, or nobody to give it to");
    }
    code = sti_read_ready(read, err);
    if (code != STELE_OK) {
        return code;
    }
    code = sti_names_walk_begin(&walk, read, err);
    if (code == STELE_OK) {
        code = sti_merge_seek(&walk.merge, stele_nil(), err);
    }
    while (code == STELE_OK) {
        code = each(arg, walk.merge.item.key, err);
        code = code == STELE_OK ? sti_merge_next(&walk.merge, err) : code;
    }
    sti_names_walk_end(&walk);
    return code == STELE_END ? STELE_OK : code;
}

/* Add what a table changes: each key counts in the newest table that knows it. */
static stele_code count_table(struct stele_store_read *read, uint32_t number, uint32_t index,
        uint64_t *keys, stele_error *err)
{
    const struct sti_store_view *v = read->view;
    stele_code code = STELE_OK;
    struct sti_cursor c;
    bool more;

    sti_cursor_init(&c, v->raw[index], read->seq);
    more = sti_cursor_seek(&c, number, stele_nil());
    for (; code == STELE_OK && more && c.entry->bucket == number; more = sti_cursor_next(&c)) {
        stele_bytes key = sti_entry_key(c.entry);
        stele_bytes value;

        /* A newer one counts it. */
        if (sti_merge_get(v->raw, index, read->seq, number, key, &value) != STI_ABSENT) {
            continue;
        }
        code = sti_tree_get(read->slot->txn, number, key, &value, err);
        if (code == STELE_OK) {
            *keys -= c.version->kind == STI_WRITE_PUT ? 0U : 1U;
        } else if (code == STELE_ENOTFOUND) {
            *keys += c.version->kind == STI_WRITE_PUT ? 1U : 0U;
            code = STELE_OK;
        }
    }
    return code;
}

stele_code stele_store_read_count(
        stele_store_read *read, stele_bytes bucket, uint64_t *keys, stele_error *err)
{
    struct sti_bucket stored;
    uint64_t count = 0;
    uint32_t number = 0;
    stele_code code;

    if (keys == NULL) {
        return sti_fail(err, STELE_EINVAL, "no place for the count");
    }
    code = begin(read, bucket, &number, err);
    if (code != STELE_OK) {
        return code;
    }
    code = sti_bucket_find(read->slot->txn, bucket, &stored, err);
    if (code == STELE_OK && stored.number == number) {
        count = stored.keys;
    }
    code = code == STELE_ENOTFOUND ? STELE_OK : code;
    for (uint32_t i = 0; i < read->view->count && code == STELE_OK; i++) {
        code = count_table(read, number, i, &count, err);
    }
    if (code != STELE_OK) {
        return sti_store_wrap(err, code, bucket, stele_nil());
    }
    *keys = count;
    return STELE_OK;
}
