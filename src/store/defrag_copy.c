/* SPDX-License-Identifier: MIT
 *
 * defrag_copy.c: one environment's entries, in order, into another one that is empty.
 *
 * Entries are copied as they are, in LMDB's own order, so that each is appended and pages become
 * full. In this order the layers of long keys (keys.h) come apart from what their keys begin with:
 * so a value in the top layer is verified as it is copied, and all keys behind a link when the link
 * is. What is copied is counted against the record of the bucket.
 *
 * It is done in many small transactions, each of which remembers where it began, in case that the
 * map turns out to be too small; and what was written is synced again and again, so that those who
 * write to the same disk do not have to wait for all of it at once.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "store/defrag.h"
#include "store/tree.h"

enum {
    ASK_ENTRIES = 512
};

#define CHUNK_BYTES ((uint64_t)2 << 20) /* of a transaction */
#define SYNC_BYTES  ((uint64_t)4 << 20) /* that may wait for the disk */

/* How far it has come. */
struct place {
    size_t bucket; /* index */
    size_t len;    /* the next key is not less than this */
    uint8_t key[STI_LMDB_KEY_MAX];
    uint64_t keys; /* of the bucket, so far */
    uint64_t hash;
};

struct copy {
    struct sti_lmdb *to;
    struct sti_lmdb_txn *from;
    const struct sti_buckets *buckets;
    const struct sti_go_on *go_on;
    struct sti_lmdb_cursor *cursor; /* of `from` */
    struct sti_lmdb_cursor *behind; /* another one, for what is behind links */
    struct place place;
    uint64_t unsynced;

    struct sti_lmdb_cursor *out; /* of the transaction */
};

/* ---- Verifying. ---- */

static bool begins_with(stele_bytes key, stele_bytes prefix)
{
    return key.len >= prefix.len && memcmp(key.data, prefix.data, prefix.len) == 0;
}

/* Every key that begins with the chunk of a link in the top layer. */
static stele_code verify_behind(
        struct copy *c, uint32_t bucket, stele_bytes chunk, stele_error *err)
{
    struct sti_tree_cursor at;
    stele_bytes value;
    stele_code code;

    sti_tree_cursor_init(&at, c->behind, bucket);
    code = sti_tree_seek(&at, chunk, err);
    while (code == STELE_OK && begins_with(at.key, chunk)) {
        code = sti_tree_value(&at, &value, err);
        code = code == STELE_OK ? sti_tree_next(&at, err) : code;
    }
    sti_tree_cursor_free(&at);
    return code == STELE_END ? STELE_OK : code;
}

static stele_code verify_link(struct copy *c, const struct sti_key_parts *parts, stele_bytes key,
        stele_bytes stored, stele_error *err)
{
    uint64_t layer;
    stele_code code = sti_link_decode(&layer, key, stored, err);

    if (code == STELE_OK && parts->layer == STI_LAYER_TOP) {
        code = verify_behind(c, parts->bucket, parts->chunk, err);
    }
    return code;
}

static stele_code verify(
        struct copy *c, struct place *p, stele_bytes key, stele_bytes stored, stele_error *err)
{
    struct sti_key_parts parts;
    struct sti_value_mark mark;
    stele_bytes value;
    stele_code code;

    if (!sti_key_parse(key, &parts)) {
        return sti_fail(err, STELE_ECORRUPT, "LMDB has a key that is none of ours");
    }
    if (parts.is_link) {
        return verify_link(c, &parts, key, stored, err);
    }
    code = parts.layer == STI_LAYER_TOP
                   ? sti_value_open(&value, parts.bucket, parts.chunk, stored, err)
                   : STELE_OK;
    code = code == STELE_OK ? sti_value_mark(&mark, stored, err) : code;
    if (code == STELE_OK) {
        p->keys++;
        p->hash += sti_value_hash(&mark);
    }
    return code;
}

/* ---- Entries. ---- */

static stele_code copy_entry(
        struct copy *c, struct place *p, stele_bytes key, stele_bytes stored, stele_error *err)
{
    uint8_t *room = NULL;
    stele_code code = verify(c, p, key, stored, err);

    if (code == STELE_OK) {
        code = sti_lmdb_cursor_reserve(c->out, STI_LMDB_APPEND, key, stored.len, &room, NULL, err);
    }
    if (code == STELE_OK) {
        memcpy(room, stored.data,
                STI_MUTANT(STORE_DEFRAG_CUTS_VALUES) ? stored.len / 2 : stored.len);
        /* The smallest key that is larger: this one, and a zero byte. */
        memcpy(p->key, key.data, key.len);
        p->key[key.len] = 0;
        p->len = key.len + 1;
    }
    return code;
}

static void go_to_bucket(const struct copy *c, struct place *p, size_t index)
{
    p->bucket = index;
    p->keys = 0;
    p->hash = 0;
    if (index < c->buckets->count) {
        sti_put_be32(p->key, c->buckets->list[index].bucket.number);
        p->len = sizeof(uint32_t);
    }
}

/* All of the bucket was copied. */
static stele_code end_bucket(const struct copy *c, struct place *p, stele_error *err)
{
    const struct sti_named_bucket *b = &c->buckets->list[p->bucket];

    if (p->keys != b->bucket.keys || p->hash != b->bucket.hash) {
        stele_code code = sti_fail(err, STELE_ECORRUPT,
                "there are %llu keys instead of %llu, or their hash differs",
                (unsigned long long)p->keys, (unsigned long long)b->bucket.keys);

        return sti_store_wrap(err, code, b->name, stele_nil());
    }
    go_to_bucket(c, p, p->bucket + 1);
    return STELE_OK;
}

/* Go on from a place, until enough is in the transaction or all is done. */
static stele_code copy_some(struct copy *c, struct place *p, uint64_t *bytes, stele_error *err)
{
    enum sti_lmdb_move move = STI_LMDB_FROM;
    stele_code code = STELE_OK;
    uint64_t entries = 0;

    while (code == STELE_OK && p->bucket < c->buckets->count && *bytes < CHUNK_BYTES) {
        uint32_t number = c->buckets->list[p->bucket].bucket.number;
        stele_bytes key = stele_bytes_of(p->key, p->len);
        stele_bytes stored;

        code = sti_lmdb_cursor_move(c->cursor, move, &key, &stored, err);
        move = STI_LMDB_NEXT;
        if (code == STELE_END ||
                (code == STELE_OK && (key.len < 4 || sti_get_be32(key.data) != number))) {
            code = end_bucket(c, p, err);
            move = STI_LMDB_FROM;
        } else if (code == STELE_OK) {
            code = copy_entry(c, p, key, stored, err);
            *bytes += key.len + stored.len;
            if (code == STELE_OK && ++entries % ASK_ENTRIES == 0) {
                code = c->go_on->ask(c->go_on->arg, err);
            }
        }
    }
    return code;
}

/* ---- Transactions. ---- */

bool sti_defrag_grow(struct sti_lmdb *lmdb, stele_code *code, stele_error *err)
{
    uint64_t size = 0;

    if (!sti_lmdb_is_map_full(*code, err)) {
        return false;
    }
    *code = sti_lmdb_larger(lmdb, &size, err);
    *code = *code == STELE_OK ? sti_lmdb_resize(lmdb, size, err) : *code;
    return *code == STELE_OK;
}

static stele_code copy_chunk(struct copy *c, uint64_t *bytes, stele_error *err)
{
    struct place p = c->place;
    struct sti_lmdb_txn *txn;
    stele_code code = sti_lmdb_begin(&txn, c->to, true, err);

    *bytes = 0;
    if (code != STELE_OK) {
        return code;
    }
    code = sti_lmdb_make_tree(c->to, txn, STI_LMDB_DATA, err);
    code = code == STELE_OK ? sti_lmdb_cursor_open(&c->out, txn, STI_LMDB_DATA, err) : code;
    code = code == STELE_OK ? copy_some(c, &p, bytes, err) : code;
    if (code != STELE_OK) {
        sti_lmdb_abort(txn);
        return code;
    }
    code = sti_lmdb_commit(txn, err);
    if (code == STELE_OK) {
        c->place = p;
    }
    return code;
}

/* Names, and the commit record of the copy. */
static stele_code write_records(struct copy *c, uint64_t generation, stele_error *err)
{
    struct sti_commit_record record = c->buckets->commit;
    struct sti_lmdb_txn *txn;
    stele_code code = sti_lmdb_begin(&txn, c->to, true, err);

    if (code != STELE_OK) {
        return code;
    }
    code = sti_lmdb_make_tree(c->to, txn, STI_LMDB_DATA, err);
    code = code == STELE_OK ? sti_lmdb_make_tree(c->to, txn, STI_LMDB_NAMES, err) : code;
    for (size_t i = 0; i < c->buckets->count && code == STELE_OK; i++) {
        const struct sti_named_bucket *b = &c->buckets->list[i];

        code = sti_bucket_write(txn, b->name, &b->bucket, err);
    }
    record.generation = generation;
    record.next_layer = STI_MUTANT(STORE_DEFRAG_LAYERS_ANEW) ? 1 : record.next_layer;
    code = code == STELE_OK ? sti_commit_record_write(txn, &record, err) : code;
    if (code != STELE_OK) {
        sti_lmdb_abort(txn);
        return code;
    }
    return sti_lmdb_commit(txn, err);
}

static stele_code copy_all(struct copy *c, uint64_t generation, stele_error *err)
{
    stele_code code = STELE_OK;

    go_to_bucket(c, &c->place, 0);
    while (code == STELE_OK && c->place.bucket < c->buckets->count) {
        uint64_t bytes = 0;

        do {
            code = copy_chunk(c, &bytes, err);
        } while (code != STELE_OK && sti_defrag_grow(c->to, &code, err));
        c->unsynced += bytes;
        if (code == STELE_OK && c->unsynced >= SYNC_BYTES) {
            c->unsynced = 0;
            code = sti_lmdb_sync(c->to, err);
        }
        code = code == STELE_OK ? c->go_on->ask(c->go_on->arg, err) : code;
    }
    if (code == STELE_OK) {
        do {
            code = write_records(c, generation, err);
        } while (code != STELE_OK && sti_defrag_grow(c->to, &code, err));
    }
    return code;
}

stele_code sti_defrag_copy(struct sti_lmdb *to, struct sti_lmdb_txn *from,
        const struct sti_buckets *buckets, uint64_t generation, const struct sti_go_on *go_on,
        stele_error *err)
{
    struct copy c = {.to = to, .from = from, .buckets = buckets, .go_on = go_on};
    stele_code code = sti_lmdb_cursor_open(&c.cursor, from, STI_LMDB_DATA, err);

    code = code == STELE_OK ? sti_lmdb_cursor_open(&c.behind, from, STI_LMDB_DATA, err) : code;
    code = code == STELE_OK ? copy_all(&c, generation, err) : code;
    sti_lmdb_cursor_close(c.cursor);
    sti_lmdb_cursor_close(c.behind);
    return code;
}
