/* SPDX-License-Identifier: MIT */
#include "base/assert.h"
#include "store/table.h"

void sti_cursor_init(struct sti_cursor *c, const struct sti_table *t, uint64_t seq)
{
    memset(c, 0, sizeof *c);
    c->table = t;
    c->seq = seq;
}

/* The number of the drop that hides older versions of a bucket. Buckets come
 * one after the other: the last answer is kept. */
static uint64_t dropped_at(struct sti_cursor *c, uint32_t bucket)
{
    if (!c->dropped_known || c->dropped_bucket != bucket) {
        c->dropped = sti_table_drop_number(c->table, c->seq, bucket);
        c->dropped_bucket = bucket;
        c->dropped_known = true;
    }
    return c->dropped;
}

/* Is there something to see where the cursor stands? */
static bool take(struct sti_cursor *c)
{
    const struct sti_entry *e = sti_place_entry(&c->place);
    const struct sti_version *v = sti_visible(e, c->seq);

    if (v == NULL || v->number < dropped_at(c, e->bucket)) {
        return false;
    }
    c->entry = e;
    c->version = v;
    return true;
}

/* From the place on, itself included, to the first key with a version. */
static bool forwards(struct sti_cursor *c)
{
    c->entry = NULL;
    c->version = NULL;
    while (c->place.leaf != NULL) {
        struct sti_probe probe;

        for (; c->place.position < sti_order_count(c->place.order); c->place.position++) {
            if (take(c)) {
                return true;
            }
        }
        if (c->place.leaf->high == NULL) {
            break;
        }
        probe = sti_probe_entry(c->place.leaf->high);
        c->place = sti_nodes_lower(&c->table->keys, &probe);
    }
    return false;
}

/* From the place on, itself excluded. */
static bool backwards(struct sti_cursor *c)
{
    c->entry = NULL;
    c->version = NULL;
    while (c->place.leaf != NULL) {
        struct sti_probe probe;

        while (c->place.position > 0) {
            c->place.position--;
            if (take(c)) {
                return true;
            }
        }
        if (c->place.leaf->low == NULL) {
            break;
        }
        probe = sti_probe_entry(c->place.leaf->low);
        c->place = sti_nodes_before(&c->table->keys, &probe);
    }
    return false;
}

bool sti_cursor_seek(struct sti_cursor *c, uint32_t bucket, stele_bytes key)
{
    struct sti_probe probe = sti_probe_of(bucket, key);

    c->dropped_known = false;
    c->place = sti_nodes_lower(&c->table->keys, &probe);
    return forwards(c);
}

bool sti_cursor_before(struct sti_cursor *c, uint32_t bucket, stele_bytes key)
{
    struct sti_probe probe = sti_probe_of(bucket, key);

    c->dropped_known = false;
    c->place = sti_nodes_before(&c->table->keys, &probe);
    return backwards(c);
}

bool sti_cursor_last(struct sti_cursor *c)
{
    c->dropped_known = false;
    c->place = sti_nodes_before(&c->table->keys, NULL);
    return backwards(c);
}

bool sti_cursor_next(struct sti_cursor *c)
{
    sti_debug_assert(c->entry != NULL);
    c->place.position++;
    return forwards(c);
}

bool sti_cursor_prev(struct sti_cursor *c)
{
    sti_debug_assert(c->entry != NULL);
    return backwards(c);
}
