/* SPDX-License-Identifier: MIT
 *
 * table.h: an ordered table of writes in memory, with a version for each.
 *
 * A key, in a bucket, has the versions that were written to it, newest first.
 * Each has the seq of its batch. A reader has a seq, too, and sees of each key
 * the newest version that is not above it: so what it sees does not change,
 * whatever is written meanwhile. A deletion is a version like any other. To
 * drop a bucket hides everything of it that was written before, in this table
 * and in all below.
 *
 * Threads: one writes at a time. Any number read, without locks and without
 * waiting, as long as their seq was given to them by something that the writer
 * released after the last write of that seq (the store publishes it with a
 * release store). The writer may read its own writes with a seq that is not
 * published yet. Nothing is freed before the table is: keys and values that
 * were read stay valid until then.
 */
#ifndef STI_STORE_TABLE_H
#define STI_STORE_TABLE_H

#include "store/nodes.h"

#define STI_TABLE_KEY_MAX   ((size_t)32 << 10)
#define STI_TABLE_VALUE_MAX ((size_t)1 << 30)

enum sti_write_kind {
    STI_WRITE_PUT,
    STI_WRITE_DELETE,
    STI_WRITE_DROP /* of a bucket */
};

enum sti_found {
    STI_ABSENT,  /* the table does not know: ask the one below */
    STI_PRESENT, /* there is a value */
    STI_DELETED  /* nothing, whatever is below */
};

struct sti_version {
    struct sti_version *older;           /* of the same key */
    _Atomic(struct sti_version *) later; /* the next one that was written to the table */
    struct sti_entry *entry;
    uint64_t seq;
    uint64_t number; /* writes come in this order, also within a batch */
    uint32_t value_len;
    uint32_t kind; /* enum sti_write_kind */
    uint8_t value[];
};

struct sti_table {
    struct sti_nodes keys;
    struct sti_nodes drops; /* of buckets: an empty key for each */
    struct sti_arena arena;
    _Atomic(struct sti_version *) first;
    struct sti_version *last;
    uint64_t changes; /* counts writes and rollbacks; never goes back */
    _Atomic uint64_t writes;
    _Atomic uint64_t bytes;  /* keys and values of these */
    _Atomic uint64_t memory; /* bytes that the arena took, at the last write */
    _Atomic uint32_t least;  /* no write is to a bucket below; in a table without any, to none */
};

void sti_table_init(struct sti_table *t);
void sti_table_free(struct sti_table *t);

/* ---- For the writer. ---- */

/* Write: key and value are copied. Seqs never fall. Sizes are within the
 * limits above. STELE_ENOMEM, and the table is as before. */
stele_code sti_table_put(struct sti_table *t, uint64_t seq, uint32_t bucket, stele_bytes key,
        stele_bytes value, stele_error *err);
stele_code sti_table_delete(
        struct sti_table *t, uint64_t seq, uint32_t bucket, stele_bytes key, stele_error *err);
stele_code sti_table_drop(struct sti_table *t, uint64_t seq, uint32_t bucket, stele_error *err);

/* A moment between two writes. Zero-initialised is that before the first. */
struct sti_table_mark {
    struct sti_version *last;
    uint64_t writes;
    uint64_t bytes;
};

struct sti_table_mark sti_table_mark(const struct sti_table *t);

/* Take back what was written since. No reader's seq may reach it, now or
 * later; it may be given to other writes. Memory is not given back. */
void sti_table_rollback(struct sti_table *t, const struct sti_table_mark *mark);

/* ---- For all. ---- */

enum sti_found sti_table_get(const struct sti_table *t, uint64_t seq, uint32_t bucket,
        stele_bytes key, stele_bytes *value);

/* Was the bucket dropped in this table? */
bool sti_table_dropped(const struct sti_table *t, uint64_t seq, uint32_t bucket);

/* How many writes there are, how many bytes their keys and values have, and
 * the memory that the table takes. */
struct sti_table_size {
    uint64_t writes;
    uint64_t bytes;
    uint64_t memory;
};

struct sti_table_size sti_table_size(const struct sti_table *t);

/* One write; views into the table. */
struct sti_write {
    enum sti_write_kind kind;
    uint64_t seq;
    uint32_t bucket;
    stele_bytes key;
    stele_bytes value; /* nil, but for a put */
};

/* The next write after a mark, in the order of writing, if there is one whose
 * seq is not above `seq`; the mark goes on by one. */
bool sti_table_written(const struct sti_table *t, uint64_t seq, struct sti_table_mark *mark,
        struct sti_write *out);

/* ---- Cursors, for all. ---- */

/* Goes over keys in order, of all buckets, as they are at a seq. Deletions are
 * there as well; what a dropped bucket had before is not. The writer's own
 * cursor sees what was written before it was placed last. */
struct sti_cursor {
    const struct sti_table *table;
    uint64_t seq;
    struct sti_place place;
    const struct sti_entry *entry;     /* NULL: not at a key */
    const struct sti_version *version; /* never a drop */
    uint64_t dropped;                  /* number of the drop of ... */
    uint32_t dropped_bucket;           /* ... this bucket; 0: none */
    bool dropped_known;
};

void sti_cursor_init(struct sti_cursor *c, const struct sti_table *t, uint64_t seq);

/* Go to the first key that is not below (bucket, key). False: there is none.
 * This holds for all of these, and then the cursor is at no key. */
bool sti_cursor_seek(struct sti_cursor *c, uint32_t bucket, stele_bytes key);

/* Go to the last key below (bucket, key), or to the last one of all. */
bool sti_cursor_before(struct sti_cursor *c, uint32_t bucket, stele_bytes key);
bool sti_cursor_last(struct sti_cursor *c);

/* Go on from the key where the cursor is. */
bool sti_cursor_next(struct sti_cursor *c);
bool sti_cursor_prev(struct sti_cursor *c);

/* ---- Inside. ---- */

/* The version of an entry that a seq sees, NULL if none. */
static inline const struct sti_version *sti_visible(const struct sti_entry *e, uint64_t seq)
{
    /* Pairs with the stores of show() and of a rollback. */
    const struct sti_version *v = atomic_load_explicit(&e->newest, memory_order_acquire);

    while (v != NULL && v->seq > seq) {
        v = v->older;
    }
    return v;
}

/* The number of the newest drop of a bucket, 0 if there is none. */
uint64_t sti_table_drop_number(const struct sti_table *t, uint64_t seq, uint32_t bucket);

#endif /* STI_STORE_TABLE_H */
