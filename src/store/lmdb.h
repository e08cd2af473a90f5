/* SPDX-License-Identifier: MIT
 *
 * lmdb.h: an LMDB environment with two trees, as the store uses it.
 *
 * Nothing else knows LMDB's header (lmdb_raw.h). A transaction and a cursor are LMDB's own objects
 * behind other names, so that nothing is added to a call but its error.
 *
 * The main tree has the data, since its root is in each transaction at hand; the second one, the
 * names of buckets and what belongs to a commit. The second's own entry is in the main tree, behind
 * every key of ours: no bucket has the number 0xffffffff.
 *
 * Rules of LMDB that callers keep:
 * - One process opens a directory once at a time. Its locks belong to the process, and closing one
 *   handle would drop those of another.
 * - A write transaction belongs to the thread that began it. A read transaction moves between
 *   threads (MDB_NOTLS), for one at a time; reset and renewed it keeps its entry in the table of
 *   readers.
 * - What a read transaction returned is valid until it is reset or aborted; in a write
 *   transaction until the next write.
 * - Cursors of a write transaction are gone when it ends; those of a read transaction are closed by
 *   hand, before it is aborted.
 * - LMDB trusts its pages. A damaged one may end the process.
 *
 * A full disk must be an error, not a signal, and must be told apart from a broken one:
 * - The table of readers is a map of lock.mdb, which LMDB makes without blocks: on a full disk a
 *   reader that comes to a new page of it would be killed. So its blocks are reserved before LMDB
 *   opens it.
 * - LMDB gives EIO for a write that took fewer bytes, which is what a disk does that becomes full.
 *   So after EIO from a commit it is tried whether there is room for a MiB. If not, it was a full
 *   disk. Should it have been both, going on does no harm: no page of an aborted transaction is
 *   referred to, and each is written anew before one is.
 *
 * Errors: MDB_MAP_FULL and what means that the map is too small become STELE_ETOOBIG, and
 * sti_lmdb_resize() helps. A full disk is STELE_ENOSPC: the transaction is gone, and the next may
 * be tried. STELE_EBUSY: more readers than readers_max. Anything else from a commit means that the
 * environment must not be written to any more.
 */
#ifndef STI_STORE_LMDB_H
#define STI_STORE_LMDB_H

#include <stele/bytes.h>
#include <stele/env.h>

struct sti_lmdb;
struct sti_lmdb_txn;    /* an MDB_txn */
struct sti_lmdb_cursor; /* an MDB_cursor */

enum sti_lmdb_tree {
    STI_LMDB_DATA,
    STI_LMDB_NAMES
};

/* Longest key. */
#define STI_LMDB_KEY_MAX 511

struct sti_lmdb_options {
    const stele_env *env; /* for files beside LMDB's; NULL: the real world */
    const char *path;     /* a directory that is there */
    bool create;          /* an empty environment in it; else both trees must be there */
    bool read_only;
    bool later; /* only the meta pages are looked at; sti_lmdb_trees() does the rest */
    bool no_sync;
    uint64_t map_hint;    /* bytes to reserve if more than the usual; 0: none */
    uint32_t readers_max; /* of all processes; 0: 4,096 */
};

/* STELE_ENOTFOUND · STELE_ECORRUPT · STELE_EVERSION · STELE_EPERM · STELE_ENOSPC · STELE_ENOMEM:
 * not even a map of the size of the file can be had. */
stele_code sti_lmdb_open(
        struct sti_lmdb **out, const struct sti_lmdb_options *options, stele_error *err);

/* After an open with `later`, when its pages have been looked at (pages.h): the trees are open in
 * this read transaction, and in later ones if it is committed instead of aborted. */
stele_code sti_lmdb_trees(struct sti_lmdb *env, struct sti_lmdb_txn *txn, stele_error *err);

/* After an open with `later` of an environment without trees: make one in this write transaction,
 * and use it; again if that is aborted. While there is no second tree, the first takes entries at
 * its end (STI_LMDB_APPEND). */
stele_code sti_lmdb_make_tree(
        struct sti_lmdb *env, struct sti_lmdb_txn *txn, enum sti_lmdb_tree tree, stele_error *err);

/* Whether later commits sync, whatever was said at open. */
stele_code sti_lmdb_set_sync(struct sti_lmdb *env, bool on, stele_error *err);

/* No transaction may be open. Accepts NULL. */
void sti_lmdb_close(struct sti_lmdb *env);

/* Make everything durable, also with no_sync. */
stele_code sti_lmdb_sync(struct sti_lmdb *env, stele_error *err);

/* Whether a failure means that the map is full, and not that the file is too large for its file
 * system. */
static inline bool sti_lmdb_is_map_full(stele_code code, const stele_error *why)
{
    return code == STELE_ETOOBIG && why->sys_errno == 0;
}

/* A larger size that the map can have, if nobody takes the address space meanwhile: up to twice
 * what it is. STELE_ENOMEM. */
stele_code sti_lmdb_larger(struct sti_lmdb *env, uint64_t *size, stele_error *err);

/* Another size of the map; rounded up to whole pages, and to what the file needs. No transaction
 * may be open in this process, reset ones aside, which are renewed afterwards. STELE_EFAILED: there
 * is no map any more; the environment can be closed, and nothing else. */
stele_code sti_lmdb_resize(struct sti_lmdb *env, uint64_t size, stele_error *err);

/* ---- Transactions. ---- */

stele_code sti_lmdb_begin(
        struct sti_lmdb_txn **out, struct sti_lmdb *env, bool write, stele_error *err);

/* Frees the transaction, also on failure. */
stele_code sti_lmdb_commit(struct sti_lmdb_txn *txn, stele_error *err);

/* Accepts NULL. */
void sti_lmdb_abort(struct sti_lmdb_txn *txn);

/* Of a read transaction: end its snapshot and keep the object; take a new one. A renewal that
 * failed leaves it reset. */
void sti_lmdb_reset(struct sti_lmdb_txn *txn);
stele_code sti_lmdb_renew(struct sti_lmdb_txn *txn, stele_error *err);

/* Of a read transaction the number of the one that wrote what it sees; of a write transaction its
 * own. */
uint64_t sti_lmdb_txn_id(const struct sti_lmdb_txn *txn);

/* ---- Entries. ---- */

/* *value is borrowed. STELE_ENOTFOUND, without a message. */
stele_code sti_lmdb_get(struct sti_lmdb_txn *txn, enum sti_lmdb_tree tree, stele_bytes key,
        stele_bytes *value, stele_error *err);

/* Put, or replace. */
stele_code sti_lmdb_put(struct sti_lmdb_txn *txn, enum sti_lmdb_tree tree, stele_bytes key,
        stele_bytes value, stele_error *err);

/* STELE_ENOTFOUND, without a message. */
stele_code sti_lmdb_delete(
        struct sti_lmdb_txn *txn, enum sti_lmdb_tree tree, stele_bytes key, stele_error *err);

stele_code sti_lmdb_cursor_open(struct sti_lmdb_cursor **out, struct sti_lmdb_txn *txn,
        enum sti_lmdb_tree tree, stele_error *err);

/* Use a cursor of a read transaction that was closed or renewed since with `txn`. */
stele_code sti_lmdb_cursor_renew(
        struct sti_lmdb_cursor *cursor, struct sti_lmdb_txn *txn, stele_error *err);
void sti_lmdb_cursor_close(struct sti_lmdb_cursor *cursor); /* accepts NULL */

enum sti_lmdb_move {
    STI_LMDB_FIRST,
    STI_LMDB_LAST,
    STI_LMDB_NEXT, /* of a cursor that is nowhere: first */
    STI_LMDB_PREV, /* of a cursor that is nowhere: last */
    STI_LMDB_AT,   /* the key given */
    STI_LMDB_FROM  /* the first that is not less than the key given */
};

/* Both are borrowed. `key` is what AT and FROM look for, and replaced by what was found. STELE_END,
 * without a message: there is none, and both are untouched. */
stele_code sti_lmdb_cursor_move(struct sti_lmdb_cursor *cursor, enum sti_lmdb_move move,
        stele_bytes *key, stele_bytes *value, stele_error *err);

enum sti_lmdb_put {
    STI_LMDB_NEW,     /* STELE_EEXIST, without a message, if the key is there: *old is its value,
                       * and the cursor is at it */
    STI_LMDB_REPLACE, /* the entry the cursor is at, which has this key */
    STI_LMDB_APPEND   /* the key is greater than all others */
};

/* Put an entry with room for `len` bytes, which the caller fills in before any other call. `old`
 * may be NULL for other than NEW. */
stele_code sti_lmdb_cursor_reserve(struct sti_lmdb_cursor *cursor, enum sti_lmdb_put how,
        stele_bytes key, size_t len, uint8_t **room, stele_bytes *old, stele_error *err);

/* Delete the entry that the cursor is at. NEXT then goes to the one behind it. */
stele_code sti_lmdb_cursor_delete(struct sti_lmdb_cursor *cursor, stele_error *err);

/* ---- Figures. ---- */

struct sti_lmdb_stat {
    uint64_t entries; /* of the data */
    uint64_t names;   /* of the other tree */
    uint64_t depth;   /* of the data */
    uint32_t page_size;
    uint64_t pages; /* of the file */
    uint64_t map_size;
    uint64_t txn_id; /* of the last commit */
};

stele_code sti_lmdb_stat(struct sti_lmdb_txn *txn, struct sti_lmdb_stat *out, stele_error *err);

/* Bytes of the file, as of the last commit. */
uint64_t sti_lmdb_size(struct sti_lmdb *env);

/* How many pages are free, by what a read transaction sees; of those that were freed by
 * transactions from `since` on (0: all). Costs a step for each transaction that freed some. */
stele_code sti_lmdb_free_pages(
        struct sti_lmdb_txn *txn, uint64_t since, uint64_t *pages, stele_error *err);

struct sti_lmdb_reader {
    int64_t pid;
    bool active;     /* else reset, and txn_id is 0 */
    uint64_t txn_id; /* that it sees */
};

/* Every entry of the table of readers, of all processes. */
stele_code sti_lmdb_readers(struct sti_lmdb *env,
        stele_code (*each)(void *arg, const struct sti_lmdb_reader *reader, stele_error *err),
        void *arg, stele_error *err);

/* Clear entries of processes that are no more. */
stele_code sti_lmdb_clear_stale(struct sti_lmdb *env, uint64_t *cleared, stele_error *err);

#endif /* STI_STORE_LMDB_H */
