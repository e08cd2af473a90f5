/* SPDX-License-Identifier: MIT
 *
 * readers.c: who reads, for how long, and what that pins.
 *
 * LMDB's table of readers has a number of a transaction for each, of all processes. Of this one the
 * slots know more.
 */
#include "base/alloc.h"
#include "base/env.h"
#include "base/error.h"
#include "store/open.h"

struct list {
    stele_store *s;
    struct sti_lmdb_txn *txn; /* to look at free pages with */
    uint32_t page_size;
    stele_store_reader *readers;
    uint64_t *since; /* the transaction that each sees */
    size_t count;
    size_t capacity;
};

static void free_list(struct list *l)
{
    sti_free(l->readers);
    sti_free(l->since);
}

static stele_code grow(struct list *l, size_t capacity, stele_error *err)
{
    stele_store_reader *readers = sti_realloc(l->readers, capacity, sizeof *readers);
    uint64_t *since;

    if (readers == NULL) {
        return sti_fail_memory(err, capacity * sizeof *readers);
    }
    l->readers = readers;
    since = sti_realloc(l->since, capacity, sizeof *since);
    if (since == NULL) {
        return sti_fail_memory(err, capacity * sizeof *since);
    }
    l->since = since;
    l->capacity = capacity;
    return STELE_OK;
}

static stele_code add(
        struct list *l, const stele_store_reader *reader, uint64_t since, stele_error *err)
{
    stele_code code = l->count < l->capacity
                              ? STELE_OK
                              : grow(l, l->capacity == 0 ? 16 : 2 * l->capacity, err);

    if (code == STELE_OK) {
        l->since[l->count] = since;
        l->readers[l->count++] = *reader;
    }
    return code;
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

/* The tables that a retired view keeps; a view that is not in the list is current, or about to be
 * let go of. */
static uint64_t pinned_memory_locked(stele_store *s, const struct sti_store_view *view)
{
    const struct sti_store_view *current = atomic_load(&s->view);
    const struct sti_store_view *v = s->retired;
    uint64_t bytes = 0;

    while (v != NULL && v != view) {
        v = v->next_retired;
    }
    for (uint32_t i = 0; v != NULL && i < v->count; i++) {
        if (!is_current(current, v->tables[i])) {
            bytes += sti_table_size(&v->tables[i]->table).memory;
        }
    }
    return bytes;
}

static stele_code add_own(struct list *l, stele_error *err)
{
    stele_store *s = l->s;
    uint32_t count = atomic_load(&s->slot_count);
    uint64_t now = sti_env_monotonic_ns(&s->env);
    stele_code code = STELE_OK;

    for (uint32_t i = 0; i < count && code == STELE_OK; i++) {
        struct sti_store_slot *slot = atomic_load(&s->slots[i]);
        const struct sti_store_view *view;
        /* Relaxed: a figure. */
        uint64_t began = atomic_load_explicit(&slot->began_ns, memory_order_relaxed);
        stele_store_reader r = {.pid = sti_process_number(), .own = true};
        uint64_t txn_id = 0;

        sti_mutex_lock(&s->reads);
        view = atomic_load(&slot->view);
        if (view != NULL) {
            r.pinned_memory = pinned_memory_locked(s, view);
            txn_id = atomic_load_explicit(&slot->txn_id, memory_order_relaxed);
        }
        sti_mutex_unlock(&s->reads);
        if (view != NULL && txn_id != 0) {
            r.age_ms = now > began ? (int64_t)((now - began) / 1000000) : 0;
            code = add(l, &r, txn_id, err);
        }
    }
    return code;
}

/* ---- Of others. ---- */

/* The age of the first commit that a reader does not see. */
static int64_t age_of(stele_store *s, uint64_t txn_id)
{
    int64_t age = -1;

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
    struct list *l = arg;
    stele_store_reader r = {.pid = reader->pid};

    if (!reader->active || reader->pid == sti_process_number()) {
        return STELE_OK;
    }
    r.age_ms = age_of(l->s, reader->txn_id);
    return add(l, &r, reader->txn_id, err);
}

/* ---- All. ---- */

static stele_code fill_in(struct list *l, stele_error *err)
{
    stele_code code = STELE_OK;

    for (size_t i = 0; i < l->count && code == STELE_OK; i++) {
        uint64_t pages = 0;

        code = sti_lmdb_free_pages(l->txn, l->since[i], &pages, err);
        l->readers[i].pinned_bytes = pages * l->page_size;
    }
    return code;
}

static int compare_age(const void *a, const void *b)
{
    const stele_store_reader *x = a;
    const stele_store_reader *y = b;

    /* Of unknown age: older than all. */
    if (x->age_ms == y->age_ms) {
        return 0;
    }
    if (x->age_ms < 0 || y->age_ms < 0) {
        return x->age_ms < 0 ? -1 : 1;
    }
    return x->age_ms > y->age_ms ? -1 : 1;
}

stele_code stele_store_readers(stele_store *s,
        stele_code (*each)(void *arg, const stele_store_reader *reader, stele_error *err),
        void *arg, stele_error *err)
{
    struct list l = {.s = s};
    stele_store_read *read = NULL;
    struct sti_lmdb_stat stat;
    stele_code code;

    if (s == NULL || each == NULL) {
        return sti_fail(err, STELE_EINVAL, "no store, or nobody to give it to");
    }
    code = add_own(&l, err);
    code = code == STELE_OK ? stele_store_read_begin(&read, s, err) : code;
    if (code == STELE_OK) {
        code = sti_lmdb_readers(read->view->data->lmdb, on_reader, &l, err);
    }
    if (code == STELE_OK) {
        l.txn = read->slot->txn;
        code = sti_lmdb_stat(l.txn, &stat, err);
        l.page_size = code == STELE_OK ? stat.page_size : 0;
        code = code == STELE_OK ? fill_in(&l, err) : code;
    }
    stele_store_read_end(read);
    if (l.count > 0) {
        qsort(l.readers, l.count, sizeof *l.readers, compare_age);
    }
    for (size_t i = 0; i < l.count && code == STELE_OK; i++) {
        code = each(arg, &l.readers[i], err);
    }
    free_list(&l);
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
        code = sti_store_remove_dead(s, err);
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
