/* SPDX-License-Identifier: MIT
 *
 * base.c: LMDB's trees as the base of a merge.
 *
 * Every key and value is verified when the cursor comes to it, before the merge may give it out.
 */
#include "store/base.h"

#include "base/assert.h"
#include "base/coding.h"
#include "base/error.h"

enum {
    NAME_PREFIX = 'b',
    NAME_KEY_MAX = 1 + STELE_STORE_BUCKET_MAX
};

/* ---- A bucket. ---- */

static stele_code give(struct sti_walk *w, stele_code code, struct sti_item *out, stele_error *err)
{
    if (code == STELE_OK) {
        code = sti_tree_value(&w->tree, &out->value, err);
    }
    if (code == STELE_OK) {
        out->key = w->tree.key;
    }
    return code;
}

static stele_code on_seek(void *arg, stele_bytes key, struct sti_item *out, stele_error *err)
{
    struct sti_walk *w = arg;

    return give(w, sti_tree_seek(&w->tree, key, err), out, err);
}

static stele_code on_before(void *arg, stele_bytes key, struct sti_item *out, stele_error *err)
{
    struct sti_walk *w = arg;
    stele_code code = sti_tree_seek(&w->tree, key, err);

    if (code >= STELE_OK) {
        code = sti_tree_prev(&w->tree, err);
    }
    return give(w, code, out, err);
}

static stele_code on_last(void *arg, struct sti_item *out, stele_error *err)
{
    struct sti_walk *w = arg;

    w->tree.where = STI_TREE_BEHIND;
    return give(w, sti_tree_prev(&w->tree, err), out, err);
}

static stele_code on_next(void *arg, struct sti_item *out, stele_error *err)
{
    struct sti_walk *w = arg;

    return give(w, sti_tree_next(&w->tree, err), out, err);
}

static stele_code on_prev(void *arg, struct sti_item *out, stele_error *err)
{
    struct sti_walk *w = arg;

    return give(w, sti_tree_prev(&w->tree, err), out, err);
}

static const struct sti_base tree_base = {on_seek, on_before, on_last, on_next, on_prev};

stele_code sti_walk_begin(
        struct sti_walk *walk, struct stele_store_read *read, uint32_t bucket, stele_error *err)
{
    stele_code code = sti_read_cursor(read, &walk->raw, err);

    walk->read = read;
    if (code != STELE_OK) {
        walk->raw = NULL;
        return code;
    }
    sti_tree_cursor_init(&walk->tree, walk->raw, bucket);
    sti_merge_init(&walk->merge, read->view->raw, read->view->count, read->seq, read->own, bucket,
            &tree_base, walk);
    return STELE_OK;
}

void sti_walk_end(struct sti_walk *walk)
{
    if (walk->raw != NULL) {
        sti_tree_cursor_free(&walk->tree);
        sti_read_cursor_done(walk->read, walk->raw);
        walk->raw = NULL;
    }
}

/* ---- Names. ---- */

static stele_code give_name(struct sti_names_walk *w, stele_code code, stele_bytes key,
        struct sti_item *out, stele_error *err)
{
    struct sti_bucket bucket;
    stele_bytes name;

    if (code != STELE_OK) {
        return code;
    }
    if (key.len < 1 || key.data[0] != NAME_PREFIX) {
        return STELE_END;
    }
    if (key.len > NAME_KEY_MAX) {
        return sti_fail(err, STELE_ECORRUPT, "the name of a bucket has %zu bytes", key.len - 1);
    }
    name = stele_bytes_of(key.data + 1, key.len - 1);
    code = sti_bucket_find(w->read->slot->txn, name, &bucket, err);
    if (code != STELE_OK) {
        return code;
    }
    sti_put_le32(w->number, bucket.number);
    out->key = name;
    out->value = stele_bytes_of(w->number, sizeof w->number);
    return STELE_OK;
}

static stele_code on_name_seek(void *arg, stele_bytes name, struct sti_item *out, stele_error *err)
{
    struct sti_names_walk *w = arg;
    uint8_t raw[NAME_KEY_MAX];
    stele_bytes key;
    stele_bytes value;
    stele_code code;

    sti_assert(name.len <= STELE_STORE_BUCKET_MAX);
    raw[0] = NAME_PREFIX;
    if (name.len > 0) {
        memcpy(raw + 1, name.data, name.len);
    }
    key = stele_bytes_of(raw, 1 + name.len);
    code = sti_lmdb_cursor_move(w->raw, STI_LMDB_FROM, &key, &value, err);
    return give_name(w, code, key, out, err);
}

static stele_code on_name_next(void *arg, struct sti_item *out, stele_error *err)
{
    struct sti_names_walk *w = arg;
    stele_bytes key = stele_nil();
    stele_bytes value;
    stele_code code = sti_lmdb_cursor_move(w->raw, STI_LMDB_NEXT, &key, &value, err);

    return give_name(w, code, key, out, err);
}

static const struct sti_base names_base = {.seek = on_name_seek, .next = on_name_next};

stele_code sti_names_walk_begin(
        struct sti_names_walk *walk, struct stele_store_read *read, stele_error *err)
{
    stele_code code = sti_lmdb_cursor_open(&walk->raw, read->slot->txn, STI_LMDB_NAMES, err);

    walk->read = read;
    if (code != STELE_OK) {
        walk->raw = NULL;
        return code;
    }
    sti_merge_init(&walk->merge, read->view->raw, read->view->count, read->seq, read->own,
            STI_STORE_NAMES_BUCKET, &names_base, walk);
    return STELE_OK;
}

void sti_names_walk_end(struct sti_names_walk *walk)
{
    sti_lmdb_cursor_close(walk->raw);
    walk->raw = NULL;
}
