/* SPDX-License-Identifier: MIT
 *
 * merge.h: one bucket, as tables above a base show it: in order, without duplicates.
 *
 * Of each key the newest table that knows it decides: a deletion hides what is
 * below, and a table in which the bucket was dropped hides all that is below
 * it. The base is anything with a cursor over keys and values: the store's
 * tree on disk, a list in a test.
 *
 * A merge takes no memory and no lock. Its first table may be the writer's own:
 * then it is used by the writer alone, and sees what was written since, also
 * in the middle of a walk. A rollback ends the walk.
 */
#ifndef STI_STORE_MERGE_H
#define STI_STORE_MERGE_H

#include "store/table.h"

enum {
    STI_MERGE_TABLES = 8,
    STI_MERGE_SOURCES = STI_MERGE_TABLES + 1
};

struct sti_item {
    stele_bytes key;
    stele_bytes value;
};

/* A cursor of the base over one bucket. Each function gives the key where the
 * cursor is then, and its value: the key is valid until the cursor goes on,
 * the value as long as the owner of the merge promises. STELE_END if there is
 * none; any other code ends the walk. */
struct sti_base {
    stele_code (*seek)(void *arg, stele_bytes key, struct sti_item *out, stele_error *err);
    /* The last key below `key`. */
    stele_code (*before)(void *arg, stele_bytes key, struct sti_item *out, stele_error *err);
    stele_code (*last)(void *arg, struct sti_item *out, stele_error *err);
    /* From the key where it is. */
    stele_code (*next)(void *arg, struct sti_item *out, stele_error *err);
    stele_code (*prev)(void *arg, struct sti_item *out, stele_error *err);
};

struct sti_merge {
    struct sti_cursor cursors[STI_MERGE_TABLES]; /* newest first */
    uint32_t table_count;
    const struct sti_base *base; /* NULL: there is none */
    void *arg;
    uint32_t bucket;
    bool own;
    uint64_t changes; /* of the own table, when its cursor was placed */

    /* Sets of sources, a bit for each: the tables, and behind them the base. */
    uint32_t visible; /* no drop hides them */
    uint32_t live;    /* of these, the ones that are at a key: items[] has it */
    uint32_t at;      /* of these, the ones that are at the key of the item */
    bool placed;      /* is there an item? */
    bool backwards;   /* the others are before the item, not behind it */
    struct sti_item items[STI_MERGE_SOURCES];
    struct sti_item item;
};

/* Over tables, newest first (at most STI_MERGE_TABLES), at a seq. All that is
 * given must outlive the merge; the array of tables need not. */
void sti_merge_init(struct sti_merge *m, const struct sti_table *const *tables, uint32_t count,
        uint64_t seq, bool own, uint32_t bucket, const struct sti_base *base, void *arg);

/* Go to an item: the first one whose key is not below `key`, the last one
 * below it, the last one of all, the next, the one before. STELE_END if there
 * is none, or what the base gave; then the merge is at no item, and has to be
 * placed anew. The item is in m->item; its key is valid until the merge goes
 * on. */
stele_code sti_merge_seek(struct sti_merge *m, stele_bytes key, stele_error *err);
stele_code sti_merge_before(struct sti_merge *m, stele_bytes key, stele_error *err);
stele_code sti_merge_last(struct sti_merge *m, stele_error *err);
stele_code sti_merge_next(struct sti_merge *m, stele_error *err); /* at an item only */
stele_code sti_merge_prev(struct sti_merge *m, stele_error *err); /* at an item only */

/* What tables, newest first, know of a key; STI_ABSENT: ask the base. */
enum sti_found sti_merge_get(const struct sti_table *const *tables, uint32_t count, uint64_t seq,
        uint32_t bucket, stele_bytes key, stele_bytes *value);

#endif /* STI_STORE_MERGE_H */
