/* SPDX-License-Identifier: MIT
 *
 * readers.c: who reads, for how long, and what that pins.
 *
 * LMDB's table of readers has a number of a transaction for each, of all processes. Of this one the
 * slots know more.
 */
#include "store/readers.h"

#include "base/alloc.h"
#include "base/env.h"
#include "base/error.h"
#include "store/open.h"

enum {
    CAPACITY_MIN = 16
};

void sti_readers_free(struct sti_readers *r)
{
    sti_free(r->list);
    r->list = NULL;
}

static stele_code add(struct sti_readers *r, const struct sti_reader *reader, stele_error *err)
{
    if (r->count == r->capacity) {
        size_t capacity = r->capacity == 0 ? CAPACITY_MIN : 2 * r->capacity;
        struct sti_reader *list = sti_realloc(r->list, capacity, sizeof *list);

        if (list == NULL) {
            return sti_fail_memory(err, capacity * sizeof *list);
        }
        r->list = list;
        r->capacity = capacity;
    }
    r->list[r->count++] = *reader;
    return STELE_OK;
}

/* ---- Of this process. ---- */

static bool is_current(const struct sti_store_view *current, const struct sti_store_table *table)
{
    for (uint32_t i = 0; current != NULL && i < current->count; i++) {
        if (current->tables[i] == table) {
            return true;
        }
    }
    return false;
}

/* The tables that a retired view keeps, and its data; a view that is not in the list is current, or
 * about to be let go of. */
static void look_locked(stele_store *s, const struct sti_store_view *view, struct sti_reader *out)
{
    const struct sti_store_view *current = atomic_load(&s->view);
    const struct sti_store_view *v = s->retired;

    while (v != NULL && v != view) {
        v = v->next_retired;
    }
    if (v == NULL) {
        return;
    }
    for (uint32_t i = 0; i < v->count; i++) {
        if (!is_current(current, v->tables[i])) {
            out->reader.pinned_memory += sti_table_size(&v->tables[i]->table).memory;
        }
    }
    if (current != NULL && v->data != current->data) {
        out->old_size = v->data->size;
    }
}

static stele_code add_own(struct sti_readers *r, stele_error *err)
{
    stele_store *s = r->s;
    uint32_t count = atomic_load(&s->slot_count);
    uint64_t now = sti_env_monotonic_ns(&s->env);
    stele_code code = STELE_OK;

    for (uint32_t i = 0; i < count && code == STELE_OK; i++) {
        struct sti_store_slot *slot = atomic_load(&s->slots[i]);
        struct sti_reader reader = {
                .reader = {.pid = sti_process_number(), .own = true}, .slot = slot};
        const struct sti_store_view *view;

        sti_mutex_lock(&s->reads);
        view = atomic_load(&slot->view);
        /* Pairs with the store in start(). */
        reader.began_ns = atomic_load_explicit(&slot->began_ns, memory_order_acquire);
        if (view != NULL && reader.began_ns != 0) {
            look_locked(s, view, &reader);
            reader.txn_id = atomic_load_explicit(&slot->txn_id, memory_order_relaxed);
        }
        sti_mutex_unlock(&s->reads);
        if (view != NULL && reader.began_ns != 0) {
            uint64_t age = now > reader.began_ns ? now - reader.began_ns : 0;

            reader.reader.age_ms = (int64_t)(age / 1000000);
            code = add(r, &reader, err);
        }
    }
    return code;
}

/* ---- Of others. ---- */

/* The age of the first commit that a reader does not see. */
static int64_t age_of(stele_store *s, uint64_t txn_id)
{
    int64_t age = 0;

    sti_mutex_lock(&s->write);
    for (size_t i = 0; i < STI_STORE_COMMITS; i++) {
        const struct sti_store_commit *c = &s->commits[i];

        /* Older ones are forgotten: then it is the oldest that is known. */
        if (c->txn_id > txn_id) {
            int64_t ms = (int64_t)((sti_env_monotonic_ns(&s->env) - c->at_ns) / 1000000);

            age = ms > age ? ms : age;
        }
    }
    if (s->opened_txn_id > txn_id) {
        age = -1;
    }
    sti_mutex_unlock(&s->write);
    return age;
}

static stele_code on_reader(void *arg, const struct sti_lmdb_reader *reader, stele_error *err)
{
    struct sti_readers *r = arg;
    struct sti_reader other = {.reader = {.pid = reader->pid}, .txn_id = reader->txn_id};

    if (!reader->active || reader->pid == sti_process_number()) {
        return STELE_OK;
    }
    other.reader.age_ms = age_of(r->s, reader->txn_id);
    return add(r, &other, err);
}

/* ---- All. ---- */

stele_code sti_readers_list(struct sti_readers *out, stele_store *s, stele_error *err)
{
    struct sti_store_data *data;
    stele_code code;

    *out = (struct sti_readers){.s = s};
    code = add_own(out, err);
    if (code != STELE_OK) {
        return code;
    }
    data = sti_store_data_use(s);
    code = sti_lmdb_readers(data->lmdb, on_reader, out, err);
    sti_store_data_leave(s, data);
    return code;
}

stele_code sti_readers_measure(struct sti_readers *r, stele_error *err)
{
    stele_store_read *read = NULL;
    struct sti_lmdb_stat stat;
    stele_code code = stele_store_read_begin(&read, r->s, err);

    code = code == STELE_OK ? sti_lmdb_stat(read->slot->txn, &stat, err) : code;
    for (size_t i = 0; i < r->count && code == STELE_OK; i++) {
        struct sti_reader *reader = &r->list[i];
        uint64_t pages = 0;

        if (reader->old_size != 0) {
            reader->reader.pinned_bytes = reader->old_size;
            continue;
        }
        code = sti_lmdb_free_pages(read->slot->txn, reader->txn_id, &pages, err);
        reader->reader.pinned_bytes = pages * stat.page_size;
    }
    stele_store_read_end(read);
    return code;
}

static int compare_age(const void *a, const void *b)
{
    const struct sti_reader *x = a;
    const struct sti_reader *y = b;

    /* Of unknown age: older than all. */
    if (x->reader.age_ms == y->reader.age_ms) {
        return 0;
    }
    if (x->reader.age_ms < 0 || y->reader.age_ms < 0) {
        return x->reader.age_ms < 0 ? -1 : 1;
    }
    return x->reader.age_ms > y->reader.age_ms ? -1 : 1;
}

stele_code stele_store_readers(stele_store *s,
        stele_code (*each)(void *arg, const stele_store_reader *reader, stele_error *err),
        void *arg, stele_error *err)
{
    struct sti_readers r;
    stele_code code;

    if (s == NULL || each == NULL) {
        return sti_fail(err, STELE_EINVAL, "no store, or nobody to give it to");
    }
    code = sti_readers_list(&r, s, err);
    code = code == STELE_OK ? sti_readers_measure(&r, err) : code;
    if (r.count > 0) {
        qsort(r.list, r.count, sizeof *r.list, compare_age);
    }
    for (size_t i = 0; i < r.count && code == STELE_OK; i++) {
        code = each(arg, &r.list[i].reader, err);
    }
    sti_readers_free(&r);
    return code == STELE_END ? STELE_OK : code;
}

stele_code stele_store_clear_stale(stele_store *s, uint64_t *cleared, stele_error *err)
{
    struct sti_store_data *data;
    uint64_t count = 0;
    stele_code code;

    if (s == NULL) {
        return sti_fail(err, STELE_EINVAL, "no store");
    }
    data = sti_store_data_use(s);
    code = sti_lmdb_clear_stale(data->lmdb, &count, err);
    if (code == STELE_OK && !s->options.read_only) {
        code = sti_claim_remove_dead(&s->claim, &s->dir, err);
    }
    sti_store_data_leave(s, data);
    if (atomic_load(&s->has_old)) {
        sti_store_tell_old(s);
    }
    if (code == STELE_OK && cleared != NULL) {
        *cleared = count;
    }
    return code;
}
