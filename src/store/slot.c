/* SPDX-License-Identifier: MIT
 *
 * slot.c: beginning and ending reads; state.h says why it is consistent.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/env.h"
#include "base/error.h"
#include "store/state.h"

enum {
    LINE = 64,
    BEGAN_LOW_BITS = 16, /* of a time in ns: 66 us */
    STACK_SHIFT = 12     /* stacks of threads differ in these bits */
};

/* Slots are tried from a place that differs between threads, so that each finds its own again. */
static uint32_t hint(void)
{
    char here = 0;
    uint64_t x = (uint64_t)(uintptr_t)&here >> STACK_SHIFT;

    return (uint32_t)(x * UINT64_C(0x9e3779b97f4a7c15) >> 40);
}

static bool take(struct sti_store_slot *slot)
{
    bool free = false;

    /* A look first, since a failed exchange takes the line from its owner. Acquire pairs with the
     * release in put_back(). */
    return !atomic_load_explicit(&slot->busy, memory_order_relaxed) &&
           atomic_compare_exchange_strong_explicit(
                   &slot->busy, &free, true, memory_order_acquire, memory_order_relaxed);
}

static void put_back(struct sti_store_slot *slot)
{
    /* Pairs with take(): the next owner finds the transaction reset. */
    atomic_store_explicit(&slot->busy, false, memory_order_release);
}

static struct sti_store_slot *find(stele_store *s)
{
    /* Pairs with the store in make(). */
    uint32_t count = atomic_load_explicit(&s->slot_count, memory_order_acquire);
    uint32_t start = count == 0 ? 0 : hint() % count;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = start + i < count ? start + i : start + i - count;
        struct sti_store_slot *slot = atomic_load_explicit(&s->slots[at], memory_order_relaxed);

        if (take(slot)) {
            return slot;
        }
    }
    return NULL;
}

/* End its transaction, which no read has. */
static void end_txn(struct sti_store_slot *slot)
{
    sti_lmdb_cursor_close(slot->cursor);
    sti_lmdb_abort(slot->txn);
    slot->cursor = NULL;
    slot->txn = NULL;
}

static void free_slot(struct sti_store_slot *slot)
{
    if (slot != NULL) {
        end_txn(slot);
        sti_free(slot->memory);
    }
}

static struct sti_store_slot *new_slot(stele_error *err)
{
    size_t size = sizeof(struct sti_store_slot) + LINE;
    uint8_t *memory = sti_calloc(1, size);
    struct sti_store_slot *slot;

    if (memory == NULL) {
        (void)sti_fail_memory(err, size);
        return NULL;
    }
    slot = (void *)(memory + (LINE - (uintptr_t)memory % LINE) % LINE);
    slot->memory = memory;
    atomic_init(&slot->busy, true);
    return slot;
}

/* A transaction to be renewed. */
static stele_code begin_txn(
        struct sti_store_slot *slot, struct sti_store_data *data, stele_error *err)
{
    stele_code code = sti_lmdb_begin(&slot->txn, data->lmdb, false, err);

    if (code == STELE_OK) {
        code = sti_lmdb_cursor_open(&slot->cursor, slot->txn, STI_LMDB_DATA, err);
    }
    if (code != STELE_OK) {
        end_txn(slot);
        return code;
    }
    sti_lmdb_reset(slot->txn);
    slot->data = data;
    /* Transactions of another generation have numbers of their own. */
    memset(slot->names, 0, sizeof slot->names);
    return STELE_OK;
}

/* ---- Between generations. ---- */

static void leave(struct sti_store_slot *slot, stele_store *s)
{
    struct sti_store_data *data = slot->data;

    end_txn(slot);
    slot->data = NULL;
    if (data != NULL) {
        sti_store_data_leave(s, data);
    }
}

/* To the data of a view that the slot keeps. */
static stele_code move_to(
        struct sti_store_slot *slot, stele_store *s, struct sti_store_data *data, stele_error *err)
{
    stele_code code;

    leave(slot, s);
    code = begin_txn(slot, data, err);
    if (code == STELE_OK) {
        sti_mutex_lock(&s->reads);
        data->users++;
        sti_mutex_unlock(&s->reads);
    }
    if (atomic_load(&s->has_old)) {
        /* It was the last to use what it left, perhaps. */
        sti_store_tell_old(s);
    }
    return code;
}

static bool is_old(const struct sti_store_slot *slot, stele_store *s)
{
    const struct sti_store_view *current;
    bool old;

    sti_mutex_lock(&s->reads);
    current = atomic_load(&s->view);
    old = slot->data != NULL && (current == NULL || slot->data != current->data);
    sti_mutex_unlock(&s->reads);
    return old;
}

void sti_store_leave_old(stele_store *s)
{
    uint32_t count = atomic_load(&s->slot_count);

    for (uint32_t i = 0; i < count; i++) {
        struct sti_store_slot *slot = atomic_load(&s->slots[i]);

        /* Who has it now sees to that when the read ends. */
        if (take(slot)) {
            if (is_old(slot, s)) {
                leave(slot, s);
            }
            put_back(slot);
        }
    }
}

/* ---- Making. ---- */

/* Its transaction is begun here, so that beginning a read later need not look for a place in LMDB's
 * table of readers; and under the lock, since the map may not be exchanged meanwhile. */
static stele_code add_locked(struct sti_store_slot *slot, stele_store *s, stele_error *err)
        STI_REQUIRES(s->reads)
{
    uint32_t count = atomic_load_explicit(&s->slot_count, memory_order_relaxed);
    stele_code code;

    while (atomic_load(&s->draining)) {
        if (atomic_load(&s->map_lost)) {
            return sti_store_fail_lost(err);
        }
        sti_cond_wait(&s->drained, &s->reads);
        count = atomic_load_explicit(&s->slot_count, memory_order_relaxed);
    }
    if (count >= s->options.readers_max) {
        return STELE_EBUSY;
    }
    code = begin_txn(slot, atomic_load(&s->view)->data, err);
    if (code == STELE_OK) {
        slot->data->users++;
        atomic_store_explicit(&s->slots[count], slot, memory_order_relaxed);
        /* In the one order of all, as is_kept() wants it. */
        atomic_store(&s->slot_count, count + 1);
    }
    return code;
}

/* Another slot, which is ours. */
static stele_code make(struct sti_store_slot **out, stele_store *s, stele_error *err)
{
    struct sti_store_slot *slot = new_slot(err);
    stele_code code;

    if (slot == NULL) {
        return STELE_ENOMEM;
    }
    sti_mutex_lock(&s->reads);
    code = add_locked(slot, s, err);
    sti_mutex_unlock(&s->reads);
    if (code != STELE_OK) {
        free_slot(slot);
        return code != STELE_EBUSY
                       ? code
                       : sti_fail(err, code, "more reads are open than readers_max, %lu",
                                 (unsigned long)s->options.readers_max);
    }
    *out = slot;
    return STELE_OK;
}

/* ---- Begin, end. ---- */

/* Stand the slot on a view and a snapshot that belong together. */
static stele_code stand(
        struct sti_store_slot *slot, stele_store *s, uint64_t *seq, stele_error *err)
{
    for (;;) {
        struct sti_store_view *v = atomic_load(&s->view);
        stele_code code;

        atomic_store(&slot->view, v);
        if (atomic_load(&s->draining)) {
            atomic_store(&slot->view, NULL);
            code = sti_store_wait_for_drainer(s, err);
            if (code != STELE_OK) {
                return code;
            }
            continue;
        }
        if (atomic_load(&s->view) != v) {
            continue;
        }
        if (slot->data != v->data) {
            code = move_to(slot, s, v->data, err);
            if (code != STELE_OK) {
                return code;
            }
        }
        /* Pairs with the store in sti_batch_show(). */
        *seq = atomic_load_explicit(&s->visible, memory_order_acquire);
        code = sti_lmdb_renew(slot->txn, err);
        if (code != STELE_OK) {
            return code;
        }
        if (atomic_load(&s->view) == v) {
            sti_debug_assert(sti_lmdb_txn_id(slot->txn) >= v->txn_id);
            return STELE_OK;
        }
        sti_lmdb_reset(slot->txn);
    }
}

/* A slot that is ours. */
static stele_code find_or_make(struct sti_store_slot **out, stele_store *s, stele_error *err)
{
    struct sti_store_slot *slot = find(s);

    if (slot == NULL) {
        return make(out, s, err);
    }
    *out = slot;
    return STELE_OK;
}

/* The moment, to a tick of the clock, and never 0. The last bits tell reads apart that begin in the
 * same slot at the same tick. */
static uint64_t began_now(struct sti_store_slot *slot, const stele_store *s)
{
    const uint64_t low = (UINT64_C(1) << BEGAN_LOW_BITS) - 1;

    slot->begun++;
    return (sti_env_monotonic_tick_ns(&s->env) & ~low) | (slot->begun % low + 1);
}

/* Begin with a slot; it is given back if that fails. */
static stele_code start(struct stele_store_read *read, struct sti_store_slot *slot, stele_store *s,
        stele_error *err)
{
    stele_code code;

    sti_assert(slot != NULL);
    code = stand(slot, s, &read->seq, err);
    if (code != STELE_OK) {
        atomic_store(&slot->view, NULL);
        put_back(slot);
        if (atomic_load(&s->draining)) {
            sti_store_tell_drainer(s);
        }
        return code;
    }
    /* Relaxed, and released by the second, for the list of readers alone. */
    atomic_store_explicit(&slot->txn_id, sti_lmdb_txn_id(slot->txn), memory_order_relaxed);
    atomic_store_explicit(&slot->began_ns, began_now(slot, s), memory_order_release);
    read->s = s;
    read->slot = slot;
    read->view = atomic_load_explicit(&slot->view, memory_order_relaxed); /* our own */
    read->own = false;
    read->cursor_busy = false;
    read->cursor_current = false;
    read->name.number = 0;
    return STELE_OK;
}

stele_code sti_read_ready(struct stele_store_read *read, stele_error *err)
{
    struct sti_store_slot *slot = NULL;
    uint64_t seq = read->seq;
    stele_code code;

    if (read->slot != NULL) {
        return STELE_OK;
    }
    code = find_or_make(&slot, read->s, err);
    if (code != STELE_OK) {
        return code;
    }
    code = start(read, slot, read->s, err);
    read->seq = seq;
    read->own = true;
    return code;
}

void sti_read_stop(struct stele_store_read *read)
{
    struct sti_store_slot *slot = read->slot;
    stele_store *s = read->s;
    bool left;

    if (slot == NULL) {
        return;
    }
    read->slot = NULL;
    read->view = NULL;
    sti_lmdb_reset(slot->txn);
    /* Relaxed: who finds the next view here sees it, by the store below. */
    atomic_store_explicit(&slot->began_ns, 0, memory_order_relaxed);
    atomic_store(&slot->view, NULL);
    left = atomic_load(&s->has_old) && is_old(slot, s);
    if (left) {
        leave(slot, s);
    }
    put_back(slot);
    if (left) {
        sti_store_tell_old(s);
    }
    if (atomic_load(&s->draining)) {
        sti_store_tell_drainer(s);
    }
}

stele_code stele_store_read_begin(stele_store_read **out, stele_store *s, stele_error *err)
{
    struct sti_store_slot *slot = NULL;
    stele_code code;

    if (out == NULL || s == NULL) {
        return sti_fail(err, STELE_EINVAL, "no store, or no place for the read");
    }
    code = s->options.read_only ? sti_store_follow(s, err) : STELE_OK;
    code = code == STELE_OK ? find_or_make(&slot, s, err) : code;
    if (code == STELE_OK) {
        sti_assert(slot != NULL);
        code = start(&slot->read, slot, s, err);
    }
    if (code != STELE_OK) {
        return sti_wrap(err, code, "begin a read");
    }
    sti_store_count_own(&slot->reads, 1);
    *out = &slot->read;
    return STELE_OK;
}

void stele_store_read_end(stele_store_read *read)
{
    if (read != NULL) {
        sti_assert(!read->own);
        sti_read_stop(read);
    }
}

/* ---- Others. ---- */

uint64_t sti_store_reads_open(stele_store *s)
{
    uint32_t count = atomic_load(&s->slot_count);
    uint64_t open = 0;

    for (uint32_t i = 0; i < count; i++) {
        open += atomic_load(&atomic_load(&s->slots[i])->view) != NULL ? 1U : 0U;
    }
    return open;
}

void sti_store_free_slots(stele_store *s)
{
    uint32_t count = atomic_load(&s->slot_count);

    for (uint32_t i = 0; i < count; i++) {
        struct sti_store_slot *slot = atomic_load(&s->slots[i]);

        leave(slot, s);
        free_slot(slot);
    }
    sti_free((void *)(uintptr_t)s->slots);
    s->slots = NULL;
    atomic_store(&s->slot_count, 0);
}

stele_code sti_read_cursor(
        struct stele_store_read *read, struct sti_lmdb_cursor **out, stele_error *err)
{
    struct sti_store_slot *slot = read->slot;

    if (read->cursor_busy) {
        return sti_lmdb_cursor_open(out, slot->txn, STI_LMDB_DATA, err);
    }
    if (!read->cursor_current) {
        stele_code code = sti_lmdb_cursor_renew(slot->cursor, slot->txn, err);

        if (code != STELE_OK) {
            return code;
        }
        read->cursor_current = true;
    }
    read->cursor_busy = true;
    *out = slot->cursor;
    return STELE_OK;
}

void sti_read_cursor_done(struct stele_store_read *read, struct sti_lmdb_cursor *cursor)
{
    if (cursor != NULL && cursor == read->slot->cursor) {
        read->cursor_busy = false;
    } else {
        sti_lmdb_cursor_close(cursor);
    }
}
