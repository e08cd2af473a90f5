/* SPDX-License-Identifier: MIT
 *
 * tree.c: reading logical keys.
 *
 * A cursor is at an entry of LMDB that holds a value; `layer` and `path` say how its layer was
 * reached. Leaving a layer at its end, the cursor looks up the link that led there and goes on from
 * it, so that one LMDB cursor suffices. The bound on levels ends what a damaged link could begin.
 */
#include "store/tree.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"

enum {
    PAGE_SHIFT = 12, /* pages are larger where the system's are: then a part is fetched at a time */
    CACHE_LINE = 64
};

/* What an entry is to the cursor that meets it. */
enum found {
    FOUND_VALUE,
    FOUND_LINK,
    FOUND_OUTSIDE /* another layer, or none */
};

static stele_bytes chunk_of(stele_bytes rest)
{
    return stele_bytes_of(rest.data, rest.len < STI_KEY_CHUNK ? rest.len : STI_KEY_CHUNK);
}

static stele_bytes behind_chunk(stele_bytes rest)
{
    return stele_bytes_of(rest.data + STI_KEY_CHUNK, rest.len - STI_KEY_CHUNK);
}

stele_code sti_tree_get(struct sti_lmdb_txn *txn, uint32_t bucket, stele_bytes key,
        stele_bytes *value, stele_error *err)
{
    uint64_t layer = STI_LAYER_TOP;
    stele_bytes rest = key;
    stele_bytes stored;
    struct sti_key raw;
    stele_code code;

    while (rest.len > STI_KEY_CHUNK) {
        sti_key_link(&raw, bucket, layer, chunk_of(rest));
        code = sti_lmdb_get(txn, STI_LMDB_DATA, sti_key_view(&raw), &stored, err);
        if (code == STELE_OK) {
            code = sti_link_decode(&layer, sti_key_view(&raw), stored, err);
        }
        if (code != STELE_OK) {
            return code;
        }
        rest = behind_chunk(rest);
    }
    sti_key_value(&raw, bucket, layer, rest);
    code = sti_lmdb_get(txn, STI_LMDB_DATA, sti_key_view(&raw), &stored, err);
    return code == STELE_OK ? sti_value_open(value, bucket, key, stored, err) : code;
}

/* ---- Cursors. ---- */

void sti_tree_cursor_init(
        struct sti_tree_cursor *cursor, struct sti_lmdb_cursor *raw, uint32_t bucket)
{
    *cursor = (struct sti_tree_cursor){.raw = raw, .bucket = bucket, .where = STI_TREE_BEFORE};
}

void sti_tree_cursor_free(struct sti_tree_cursor *cursor)
{
    sti_free(cursor->layer);
    sti_free(cursor->path);
    cursor->layer = NULL;
    cursor->path = NULL;
}

static uint64_t layer_of(const struct sti_tree_cursor *c)
{
    return c->level == 0 ? STI_LAYER_TOP : c->layer[c->level];
}

static stele_code make_room(struct sti_tree_cursor *c, stele_error *err)
{
    const size_t path_size = (size_t)STI_KEY_LEVELS * STI_KEY_CHUNK;

    if (c->path != NULL) {
        return STELE_OK;
    }
    if (c->layer == NULL) {
        c->layer = sti_calloc(STI_KEY_LEVELS, sizeof *c->layer);
    }
    if (c->layer != NULL) {
        c->path = sti_malloc(path_size);
    }
    return c->path == NULL ? sti_fail_memory(err, path_size) : STELE_OK;
}

static stele_code lose(struct sti_tree_cursor *c, stele_code code)
{
    c->where = STI_TREE_BEFORE;
    c->level = 0;
    return code;
}

static stele_code fail_structure(stele_error *err, const char *what)
{
    return sti_fail(err, STELE_ECORRUPT, "a long key's layers are damaged: %s", what);
}

/* Go down one level through the link that `chunk` and `link` are. */
static stele_code descend(
        struct sti_tree_cursor *c, stele_bytes chunk, stele_bytes link, stele_error *err)
{
    struct sti_key raw;
    uint64_t layer;
    stele_code code = make_room(c, err);

    if (code != STELE_OK) {
        return code;
    }
    sti_key_link(&raw, c->bucket, layer_of(c), chunk);
    code = sti_link_decode(&layer, sti_key_view(&raw), link, err);
    if (code != STELE_OK) {
        return code;
    }
    if (c->level + 1 >= STI_KEY_LEVELS) {
        return fail_structure(err, "there are too many");
    }
    memcpy(c->path + c->level * STI_KEY_CHUNK, chunk.data, STI_KEY_CHUNK);
    c->links++;
    c->level++;
    c->layer[c->level] = layer;
    return STELE_OK;
}

/* Most entries are values of the top layer, for which nothing else needs to be looked at. */
static bool take_top(struct sti_tree_cursor *c, stele_bytes key, stele_bytes stored)
{
    if (c->level != 0 || !sti_key_is_top_value(key, c->bucket)) {
        return false;
    }
    c->where = STI_TREE_AT;
    c->stored = stored;
    c->key = stele_bytes_of(key.data + STI_KEY_TOP_PREFIX, key.len - STI_KEY_TOP_PREFIX);
    return true;
}

/* What the entry is that the LMDB cursor has come to; a value becomes that of the cursor. */
static stele_code look(struct sti_tree_cursor *c, stele_bytes key, stele_bytes stored,
        struct sti_key_parts *parts, enum found *found, stele_error *err)
{
    size_t above = c->level * STI_KEY_CHUNK;

    if (take_top(c, key, stored)) {
        *found = FOUND_VALUE;
        return STELE_OK;
    }
    /* The prefix may be damaged to anything: then it is outside, or no key at all. */
    if (!sti_key_parse(key, parts)) {
        struct sti_key prefix;

        sti_key_layer(&prefix, c->bucket, layer_of(c));
        if (key.len < prefix.len || memcmp(key.data, prefix.bytes, prefix.len) != 0) {
            *found = FOUND_OUTSIDE;
            return STELE_OK;
        }
        return sti_fail(err, STELE_ECORRUPT, "an entry has a key of no known form");
    }
    if (parts->bucket != c->bucket || parts->layer != layer_of(c)) {
        *found = FOUND_OUTSIDE;
        return STELE_OK;
    }
    if (parts->is_link) {
        *found = FOUND_LINK;
        return STELE_OK;
    }
    if (above + parts->chunk.len > STELE_STORE_KEY_MAX) {
        return fail_structure(err, "a key is longer than may be");
    }
    *found = FOUND_VALUE;
    c->stored = stored;
    c->key = parts->chunk;
    if (c->level > 0) {
        memcpy(c->path + above, parts->chunk.data, parts->chunk.len);
        c->key = stele_bytes_of(c->path, above + parts->chunk.len);
    }
    return STELE_OK;
}

/* Put the LMDB cursor at the first entry of the present layer, or at its last one. */
static stele_code enter(struct sti_tree_cursor *c, bool forward, stele_bytes *key,
        stele_bytes *stored, stele_error *err)
{
    struct sti_key raw;
    stele_bytes at;
    stele_code code;

    sti_key_layer(&raw, c->bucket, layer_of(c));
    if (!forward) {
        sti_key_behind(&raw);
    }
    at = sti_key_view(&raw);
    code = sti_lmdb_cursor_move(c->raw, STI_LMDB_FROM, &at, stored, err);
    if (!forward && code >= STELE_OK) {
        code = sti_lmdb_cursor_move(
                c->raw, code == STELE_END ? STI_LMDB_LAST : STI_LMDB_PREV, &at, stored, err);
    }
    if (code == STELE_OK) {
        *key = at;
    }
    return code;
}

/* Leave the present layer for the one above, and go on from the link. */
static stele_code ascend(struct sti_tree_cursor *c, bool forward, stele_bytes *key,
        stele_bytes *stored, stele_error *err)
{
    struct sti_key raw;
    stele_bytes at;
    stele_code code;

    c->level--;
    sti_key_link(&raw, c->bucket, layer_of(c),
            stele_bytes_of(c->path + c->level * STI_KEY_CHUNK, STI_KEY_CHUNK));
    at = sti_key_view(&raw);
    code = sti_lmdb_cursor_move(c->raw, STI_LMDB_AT, &at, stored, err);
    if (code == STELE_END) {
        return fail_structure(err, "a link is missing");
    }
    if (code == STELE_OK) {
        code = sti_lmdb_cursor_move(
                c->raw, forward ? STI_LMDB_NEXT : STI_LMDB_PREV, &at, stored, err);
    }
    if (code == STELE_OK) {
        *key = at;
    }
    return code;
}

/* From the entry that the LMDB cursor is at, or none (STELE_END), go on to the nearest value. */
static stele_code settle(struct sti_tree_cursor *c, bool forward, stele_code code, stele_bytes key,
        stele_bytes stored, stele_error *err)
{
    bool entered = false;

    for (;;) {
        struct sti_key_parts parts;
        enum found found = FOUND_OUTSIDE;

        if (code == STELE_OK) {
            code = look(c, key, stored, &parts, &found, err);
        }
        if (code < STELE_OK) {
            return lose(c, code);
        }
        if (found == FOUND_VALUE) {
            c->where = STI_TREE_AT;
            return STELE_OK;
        }
        if (found == FOUND_LINK) {
            code = descend(c, parts.chunk, stored, err);
            entered = true;
            code = code == STELE_OK ? enter(c, forward, &key, &stored, err) : code;
            continue;
        }
        if (entered) {
            return lose(c, fail_structure(err, "a link leads to an empty layer"));
        }
        if (c->level == 0) {
            c->where = forward ? STI_TREE_BEHIND : STI_TREE_BEFORE;
            return STELE_END;
        }
        code = ascend(c, forward, &key, &stored, err);
    }
}

/* Down to the layer in which the key ends, as far as the links lead; *rest is what remains of it,
 * more than a chunk if they lead no further. */
static stele_code follow(struct sti_tree_cursor *c, stele_bytes *rest, stele_error *err)
{
    while (rest->len > STI_KEY_CHUNK) {
        struct sti_key raw;
        stele_bytes key;
        stele_bytes stored;
        stele_code code;

        sti_key_link(&raw, c->bucket, layer_of(c), chunk_of(*rest));
        key = sti_key_view(&raw);
        code = sti_lmdb_cursor_move(c->raw, STI_LMDB_AT, &key, &stored, err);
        if (code == STELE_END) {
            return STELE_OK;
        }
        if (code == STELE_OK) {
            code = descend(c, chunk_of(*rest), stored, err);
        }
        if (code != STELE_OK) {
            return code;
        }
        *rest = behind_chunk(*rest);
    }
    return STELE_OK;
}

stele_code sti_tree_seek(struct sti_tree_cursor *cursor, stele_bytes key, stele_error *err)
{
    stele_bytes rest = key;
    stele_bytes raw_key;
    stele_bytes stored = stele_nil();
    struct sti_key raw;
    stele_code code;

    cursor->level = 0;
    code = follow(cursor, &rest, err);
    if (code != STELE_OK) {
        return lose(cursor, code);
    }
    if (rest.len > STI_KEY_CHUNK) {
        /* Without that link: behind the place where it would be. */
        sti_key_link(&raw, cursor->bucket, layer_of(cursor), chunk_of(rest));
    } else {
        sti_key_value(&raw, cursor->bucket, layer_of(cursor), rest);
    }
    raw_key = sti_key_view(&raw);
    code = sti_lmdb_cursor_move(cursor->raw, STI_LMDB_FROM, &raw_key, &stored, err);
    return settle(cursor, true, code, raw_key, stored, err);
}

/* A walk comes by all entries of a page, which lie in it in no order. Fetching all of it at once
 * waits for memory once, and not at every entry. */
static void fetch_page(struct sti_tree_cursor *c, stele_bytes key)
{
    uintptr_t page = (uintptr_t)key.data >> PAGE_SHIFT;

    if (page != c->page) {
        const uint8_t *start =
                key.data - ((uintptr_t)key.data & (((uintptr_t)1 << PAGE_SHIFT) - 1));

        for (size_t at = 0; at < (size_t)1 << PAGE_SHIFT; at += CACHE_LINE) {
            __builtin_prefetch(start + at);
        }
        c->page = page;
    }
}

static stele_code step(struct sti_tree_cursor *c, bool forward, stele_error *err)
{
    stele_bytes key = stele_nil();
    stele_bytes stored = stele_nil();
    stele_code code;

    if (c->where == STI_TREE_AT) {
        code = sti_lmdb_cursor_move(
                c->raw, forward ? STI_LMDB_NEXT : STI_LMDB_PREV, &key, &stored, err);
        if (code == STELE_OK) {
            fetch_page(c, key);
            if (take_top(c, key, stored)) {
                return STELE_OK;
            }
        }
    } else if (forward == (c->where == STI_TREE_BEHIND)) {
        return STELE_END;
    } else {
        c->level = 0;
        code = enter(c, forward, &key, &stored, err);
    }
    return settle(c, forward, code, key, stored, err);
}

stele_code sti_tree_next(struct sti_tree_cursor *cursor, stele_error *err)
{
    return step(cursor, true, err);
}

stele_code sti_tree_prev(struct sti_tree_cursor *cursor, stele_error *err)
{
    return step(cursor, false, err);
}

stele_code sti_tree_value(
        const struct sti_tree_cursor *cursor, stele_bytes *value, stele_error *err)
{
    sti_assert(cursor->where == STI_TREE_AT);
    return sti_value_open(value, cursor->bucket, cursor->key, cursor->stored, err);
}
