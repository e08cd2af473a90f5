/* SPDX-License-Identifier: MIT
 *
 * view.c: publishing what reads stand on, and freeing it when none does any more.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/mutant.h"
#include "store/state.h"

struct sti_store_table *sti_store_table_new(stele_error *err)
{
    struct sti_store_table *t = sti_calloc(1, sizeof *t);

    if (t == NULL) {
        (void)sti_fail_memory(err, sizeof *t);
        return NULL;
    }
    sti_table_init(&t->table);
    return t;
}

struct sti_store_view *sti_store_view_new(stele_error *err)
{
    struct sti_store_view *v = sti_calloc(1, sizeof *v);

    if (v == NULL) {
        (void)sti_fail_memory(err, sizeof *v);
    }
    return v;
}

static void add_table(struct sti_store_view *view, struct sti_store_table *table)
{
    if (table != NULL) {
        view->tables[view->count] = table;
        view->raw[view->count++] = &table->table;
        table->views++;
    }
}

void sti_store_replace_view(stele_store *s, struct sti_store_view *view,
        struct sti_store_table *active, struct sti_store_table *frozen, uint64_t txn_id)
{
    struct sti_store_view *before;

    view->txn_id = txn_id;
    view->data = s->data;
    sti_mutex_lock(&s->reads);
    view->data->users++;
    add_table(view, active);
    add_table(view, frozen);
    before = atomic_exchange(&s->view, view);
    if (before != NULL) {
        before->next_retired = s->retired;
        s->retired = before;
    }
    sti_mutex_unlock(&s->reads);
}

void sti_store_publish(stele_store *s, struct sti_store_view *view, struct sti_store_table *active,
        struct sti_store_table *frozen, uint64_t txn_id)
{
    sti_store_replace_view(s, view, active, frozen, txn_id);
    (void)sti_store_reclaim(s);
}

/* Whether a slot keeps it. A read that stores its pointer after this looked at the slot sees that
 * the view is no longer current: both sides store, and then load, in the one order of all. */
static bool is_kept(stele_store *s, const struct sti_store_view *view)
{
    uint32_t count = atomic_load(&s->slot_count);

    for (uint32_t i = 0; i < count; i++) {
        const struct sti_store_slot *slot = atomic_load(&s->slots[i]);

        if (atomic_load(&slot->view) == view) {
            return true;
        }
    }
    return false;
}

/* Take those that nobody keeps out of the list. */
static struct sti_store_view *take_free_locked(stele_store *s)
{
    struct sti_store_view **at = &s->retired;
    struct sti_store_view *taken = NULL;

    while (*at != NULL) {
        struct sti_store_view *v = *at;

        if (is_kept(s, v) && !STI_MUTANT(STORE_VIEW_FREED_EARLY)) {
            at = &v->next_retired;
            continue;
        }
        *at = v->next_retired;
        v->next_retired = taken;
        taken = v;
        v->data->users--;
        for (uint32_t i = 0; i < v->count; i++) {
            /* Those that are named on are not for us. */
            if (--v->tables[i]->views > 0) {
                v->tables[i] = NULL;
            }
        }
    }
    return taken;
}

static void free_view(struct sti_store_view *v)
{
    for (uint32_t i = 0; i < v->count; i++) {
        if (v->tables[i] != NULL) {
            sti_table_free(&v->tables[i]->table);
            sti_free(v->tables[i]);
        }
    }
    sti_free(v);
}

bool sti_store_reclaim(stele_store *s)
{
    struct sti_store_view *taken;
    bool left;

    sti_mutex_lock(&s->reads);
    taken = take_free_locked(s);
    left = s->retired != NULL;
    sti_mutex_unlock(&s->reads);
    while (taken != NULL) {
        struct sti_store_view *next = taken->next_retired;

        free_view(taken);
        taken = next;
    }
    if (atomic_load(&s->has_old)) {
        left = sti_store_data_reclaim(s) || left;
    }
    return left;
}

void sti_store_free_views(stele_store *s)
{
    struct sti_store_view *last = atomic_exchange(&s->view, NULL);

    if (last != NULL) {
        last->next_retired = s->retired;
        s->retired = last;
    }
    if (s->slots != NULL || s->retired != NULL) {
        bool left = sti_store_reclaim(s);

        sti_assert(!left);
    }
}
