/* SPDX-License-Identifier: MIT
 *
 * defrag_kept.c: committed tables that are kept, since a copy is being made that lacks them.
 */
#include "base/alloc.h"
#include "store/defrag.h"

/* Those who write faster than can be copied would fill all memory. */
#define KEPT_MAX ((uint64_t)1 << 30)

void sti_store_keep_locked(stele_store *s, struct sti_store_table *t)
{
    struct sti_store_kept *k = &s->kept;

    if (!k->on || k->too_much) {
        return;
    }
    sti_mutex_lock(&s->reads);
    t->views++;
    sti_mutex_unlock(&s->reads);
    t->next = NULL;
    if (k->last == NULL) {
        k->first = t;
    } else {
        k->last->next = t;
    }
    k->last = t;
    k->memory += sti_table_size(&t->table).memory;
    k->too_much = k->memory > KEPT_MAX;
}

void sti_store_kept_begin(stele_store *s)
{
    sti_mutex_lock(&s->write);
    s->kept = (struct sti_store_kept){.on = true};
    sti_mutex_unlock(&s->write);
}

struct sti_store_table *sti_store_kept_first(stele_store *s)
{
    struct sti_store_table *t;

    sti_mutex_lock(&s->write);
    t = s->kept.first;
    sti_mutex_unlock(&s->write);
    return t;
}

void sti_store_kept_done(stele_store *s)
{
    struct sti_store_table *t;
    bool last;

    sti_mutex_lock(&s->write);
    t = s->kept.first;
    s->kept.first = t->next;
    s->kept.last = t->next == NULL ? NULL : s->kept.last;
    s->kept.memory -= sti_table_size(&t->table).memory;
    sti_mutex_unlock(&s->write);
    sti_mutex_lock(&s->reads);
    last = --t->views == 0;
    sti_mutex_unlock(&s->reads);
    if (last) {
        sti_table_free(&t->table);
        sti_free(t);
    }
}

void sti_store_kept_end(stele_store *s)
{
    sti_mutex_lock(&s->write);
    s->kept.on = false;
    sti_mutex_unlock(&s->write);
    while (sti_store_kept_first(s) != NULL) {
        sti_store_kept_done(s);
    }
}
