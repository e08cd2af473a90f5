/* SPDX-License-Identifier: MIT
 *
 * tree_write.c: putting and deleting logical keys.
 */
#include "base/coding.h"
#include "base/error.h"
#include "store/tree.h"

static stele_bytes chunk_of(stele_bytes key, size_t level)
{
    return stele_bytes_of(key.data + level * STI_KEY_CHUNK, STI_KEY_CHUNK);
}

/* The levels above the one in which a key ends: an empty last chunk is none, but of the key "". */
static size_t links_of(stele_bytes key)
{
    return key.len == 0 ? 0 : (key.len - 1) / STI_KEY_CHUNK;
}

static stele_bytes last_chunk(stele_bytes key)
{
    size_t before = links_of(key) * STI_KEY_CHUNK;

    return before == 0 ? key : stele_bytes_of(key.data + before, key.len - before);
}

/* The layer behind a link, which is made if it is not there. */
static stele_code reach(struct sti_tree_writer *w, uint32_t bucket, uint64_t *layer,
        stele_bytes chunk, stele_error *err)
{
    struct sti_key raw;
    stele_bytes old;
    uint8_t *room;
    stele_code code;

    sti_key_link(&raw, bucket, *layer, chunk);
    code = sti_lmdb_cursor_reserve(
            w->raw, STI_LMDB_NEW, sti_key_view(&raw), STI_LINK_SIZE, &room, &old, err);
    if (code == STELE_EEXIST) {
        return sti_link_decode(layer, sti_key_view(&raw), old, err);
    }
    if (code != STELE_OK) {
        return code;
    }
    *layer = w->next_layer++;
    sti_link_encode(room, sti_key_view(&raw), *layer);
    return STELE_OK;
}

stele_code sti_tree_put(struct sti_tree_writer *writer, uint32_t bucket, stele_bytes key,
        stele_bytes value, struct sti_value_mark *mark, struct sti_tree_old *old, stele_error *err)
{
    uint64_t layer = STI_LAYER_TOP;
    struct sti_tree_old found = {.there = false};
    stele_bytes before;
    struct sti_key raw;
    uint8_t *room;
    stele_code code;

    for (size_t i = 0; i < links_of(key); i++) {
        code = reach(writer, bucket, &layer, chunk_of(key, i), err);
        if (code != STELE_OK) {
            return code;
        }
    }
    sti_key_value(&raw, bucket, layer, last_chunk(key));
    code = sti_lmdb_cursor_reserve(writer->raw, STI_LMDB_NEW, sti_key_view(&raw),
            STI_VALUE_HEAD + value.len, &room, &before, err);
    if (code == STELE_EEXIST) {
        found.there = true;
        code = sti_value_mark(&found.mark, before, err);
        if (code == STELE_OK) {
            code = sti_lmdb_cursor_reserve(writer->raw, STI_LMDB_REPLACE, sti_key_view(&raw),
                    STI_VALUE_HEAD + value.len, &room, NULL, err);
        }
    }
    if (code != STELE_OK) {
        return code;
    }
    mark->crc = sti_value_crc(bucket, key, value);
    mark->len = value.len;
    sti_value_head(room, mark->crc);
    if (value.len > 0) {
        memcpy(room + STI_VALUE_HEAD, value.data, value.len);
    }
    *old = found;
    return STELE_OK;
}

/* Whether a layer has an entry. */
static stele_code is_empty(
        struct sti_tree_writer *w, uint32_t bucket, uint64_t layer, bool *empty, stele_error *err)
{
    struct sti_key raw;
    stele_bytes key;
    stele_bytes stored;
    stele_code code;

    sti_key_layer(&raw, bucket, layer);
    key = sti_key_view(&raw);
    code = sti_lmdb_cursor_move(w->raw, STI_LMDB_FROM, &key, &stored, err);
    if (code < STELE_OK) {
        return code;
    }
    *empty = code == STELE_END || key.len < raw.len || memcmp(key.data, raw.bytes, raw.len) != 0;
    return STELE_OK;
}

/* Delete an LMDB entry. STELE_END, without a message: it is not there. */
static stele_code delete_entry(struct sti_tree_writer *w, const struct sti_key *raw,
        struct sti_value_mark *mark, stele_error *err)
{
    stele_bytes key = sti_key_view(raw);
    stele_bytes stored;
    stele_code code = sti_lmdb_cursor_move(w->raw, STI_LMDB_AT, &key, &stored, err);

    if (code == STELE_OK && mark != NULL) {
        code = sti_value_mark(mark, stored, err);
    }
    return code == STELE_OK ? sti_lmdb_cursor_delete(w->raw, err) : code;
}

/* Delete the links to layers that the deletion of `key` has emptied, from the lowest up. */
static stele_code prune(struct sti_tree_writer *w, uint32_t bucket, stele_bytes key,
        const uint64_t *layers, stele_error *err)
{
    for (size_t level = links_of(key); level > 0; level--) {
        struct sti_key raw;
        bool empty = false;
        stele_code code = is_empty(w, bucket, layers[level], &empty, err);

        if (code != STELE_OK || !empty) {
            return code;
        }
        sti_key_link(&raw, bucket, layers[level - 1], chunk_of(key, level - 1));
        code = delete_entry(w, &raw, NULL, err);
        if (code == STELE_END) {
            return sti_fail(err, STELE_ECORRUPT, "a link of a long key is missing");
        }
        if (code != STELE_OK) {
            return code;
        }
    }
    return STELE_OK;
}

stele_code sti_tree_delete(struct sti_tree_writer *writer, uint32_t bucket, stele_bytes key,
        struct sti_tree_old *old, stele_error *err)
{
    uint64_t layers[STI_KEY_LEVELS] = {STI_LAYER_TOP};
    struct sti_tree_old found = {.there = false};
    struct sti_key raw;
    stele_code code;

    *old = found;
    for (size_t i = 0; i < links_of(key); i++) {
        stele_bytes at;
        stele_bytes stored;

        sti_key_link(&raw, bucket, layers[i], chunk_of(key, i));
        at = sti_key_view(&raw);
        code = sti_lmdb_cursor_move(writer->raw, STI_LMDB_AT, &at, &stored, err);
        if (code == STELE_END) {
            return STELE_OK;
        }
        if (code == STELE_OK) {
            code = sti_link_decode(&layers[i + 1], at, stored, err);
        }
        if (code != STELE_OK) {
            return code;
        }
    }
    sti_key_value(&raw, bucket, layers[links_of(key)], last_chunk(key));
    code = delete_entry(writer, &raw, &found.mark, err);
    if (code != STELE_OK) {
        return code == STELE_END ? STELE_OK : code;
    }
    found.there = true;
    *old = found;
    return prune(writer, bucket, key, layers, err);
}

stele_code sti_tree_clear(struct sti_tree_writer *writer, uint32_t bucket, uint64_t *budget,
        bool *done, stele_error *err)
{
    uint8_t prefix[4];

    sti_put_be32(prefix, bucket);
    for (;;) {
        stele_bytes key = stele_bytes_of(prefix, sizeof prefix);
        stele_bytes stored;
        stele_code code = sti_lmdb_cursor_move(writer->raw, STI_LMDB_FROM, &key, &stored, err);

        if (code < STELE_OK) {
            return code;
        }
        if (code == STELE_END || key.len < sizeof prefix ||
                memcmp(key.data, prefix, sizeof prefix) != 0) {
            *done = true;
            return STELE_OK;
        }
        if (*budget == 0) {
            *done = false;
            return STELE_OK;
        }
        code = sti_lmdb_cursor_delete(writer->raw, err);
        if (code != STELE_OK) {
            return code;
        }
        --*budget;
    }
}
