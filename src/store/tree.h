/* SPDX-License-Identifier: MIT
 *
 * tree.h: logical keys and values in LMDB's main tree: get, cursor, put, delete.
 *
 * Borrowed bytes are LMDB's, and valid as long as it says (lmdb.h).
 */
#ifndef STI_STORE_TREE_H
#define STI_STORE_TREE_H

#include "store/keys.h"
#include "store/lmdb.h"
#include "store/value.h"

/* The value of a key; its checksum holds. STELE_ENOTFOUND, without a message · STELE_ECORRUPT. */
stele_code sti_tree_get(struct sti_lmdb_txn *txn, uint32_t bucket, stele_bytes key,
        stele_bytes *value, stele_error *err);

/* ---- Cursors. ---- */

enum sti_tree_where {
    STI_TREE_BEFORE, /* the first key */
    STI_TREE_AT,
    STI_TREE_BEHIND /* the last key */
};

/* A place among the keys of a bucket. Fields are private, but the four below. */
struct sti_tree_cursor {
    struct sti_lmdb_cursor *raw; /* borrowed */
    uint32_t bucket;
    enum sti_tree_where where;
    stele_bytes key;    /* where is AT; borrowed until the cursor moves, and not verified */
    stele_bytes stored; /* the value in its envelope */
    uintptr_t page;     /* that is on its way to the cache */
    uint64_t links;     /* that it went down through: on the way from first to last, all of them */

    size_t level;    /* how many layers the key is below the top one */
    uint64_t *layer; /* of each level; NULL as long as no key had more than one chunk */
    uint8_t *path;   /* their chunks, one behind the other */
};

/* `raw` is a cursor over the main tree, and the tree cursor's own while it is used. */
void sti_tree_cursor_init(
        struct sti_tree_cursor *cursor, struct sti_lmdb_cursor *raw, uint32_t bucket);

/* Free the memory; `raw` is the caller's. */
void sti_tree_cursor_free(struct sti_tree_cursor *cursor);

/* The first key that is not less. STELE_END, without a message: there is none, and `where` is
 * BEHIND (of next: likewise; of prev: BEFORE). STELE_ECORRUPT · STELE_ENOMEM: the place is lost,
 * and `where` is BEFORE. */
stele_code sti_tree_seek(struct sti_tree_cursor *cursor, stele_bytes key, stele_error *err);

/* From BEFORE: the first; from BEHIND: the last. */
stele_code sti_tree_next(struct sti_tree_cursor *cursor, stele_error *err);
stele_code sti_tree_prev(struct sti_tree_cursor *cursor, stele_error *err);

/* The value of a cursor that is AT. Verifies key and value: neither may be given out before. */
stele_code sti_tree_value(
        const struct sti_tree_cursor *cursor, stele_bytes *value, stele_error *err);

/* ---- Writing. ---- */

struct sti_tree_writer {
    struct sti_lmdb_cursor *raw; /* of a write transaction */
    uint64_t next_layer;         /* number of the next new layer; counts up */
};

/* What a write found in its place. */
struct sti_tree_old {
    bool there;
    struct sti_value_mark mark;
};

stele_code sti_tree_put(struct sti_tree_writer *writer, uint32_t bucket, stele_bytes key,
        stele_bytes value, struct sti_value_mark *mark, struct sti_tree_old *old, stele_error *err);

/* A key that is not there is no error. */
stele_code sti_tree_delete(struct sti_tree_writer *writer, uint32_t bucket, stele_bytes key,
        struct sti_tree_old *old, stele_error *err);

/* Delete up to *budget LMDB entries of a bucket, whatever they are; counts *budget down, and *done
 * is whether none is left. */
stele_code sti_tree_clear(struct sti_tree_writer *writer, uint32_t bucket, uint64_t *budget,
        bool *done, stele_error *err);

#endif /* STI_STORE_TREE_H */
