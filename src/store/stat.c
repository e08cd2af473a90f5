/* SPDX-License-Identifier: MIT
 *
 * stat.c: sizes, readers and statistics.
 */
#include "base/env.h"
#include "base/error.h"
#include "store/state.h"

void sti_store_count_time(_Atomic uint64_t *times, uint64_t ns)
{
    uint64_t us = ns / 1000;
    unsigned slot = 0;

    for (; us > 1 && slot < STELE_STORE_TIMES - 1; us >>= 1) {
        slot++;
    }
    sti_store_count(&times[slot], 1);
}

/* ---- Sizes. ---- */

static stele_code look(
        stele_store_read *read, struct sti_lmdb_stat *stat, uint64_t *free_pages, stele_error *err)
{
    stele_code code = sti_lmdb_stat(read->slot->txn, stat, err);

    if (code == STELE_OK && free_pages != NULL) {
        code = sti_lmdb_free_pages(read->slot->txn, 0, free_pages, err);
    }
    return code;
}

static stele_code look_once(
        stele_store *s, struct sti_lmdb_stat *stat, uint64_t *free_pages, stele_error *err)
{
    stele_store_read *read = NULL;
    stele_code code = stele_store_read_begin(&read, s, err);

    code = code == STELE_OK ? look(read, stat, free_pages, err) : code;
    stele_store_read_end(read);
    return code;
}

stele_code stele_store_size(stele_store *s, uint64_t *size, stele_error *err)
{
    struct sti_lmdb_stat stat;
    stele_code code;

    if (s == NULL || size == NULL) {
        return sti_fail(err, STELE_EINVAL, "no store, or no place for the size");
    }
    code = look_once(s, &stat, NULL, err);
    if (code == STELE_OK) {
        *size = stat.pages * stat.page_size;
    }
    return code;
}

stele_code stele_store_size_in_use(stele_store *s, uint64_t *size, stele_error *err)
{
    struct sti_lmdb_stat stat;
    uint64_t free_pages = 0;
    stele_code code;

    if (s == NULL || size == NULL) {
        return sti_fail(err, STELE_EINVAL, "no store, or no place for the size");
    }
    code = look_once(s, &stat, &free_pages, err);
    if (code == STELE_OK) {
        *size = (stat.pages - free_pages) * stat.page_size;
    }
    return code;
}

uint64_t stele_store_open_reads(stele_store *s)
{
    return s == NULL ? 0 : sti_store_reads_open(s);
}

/* ---- Statistics. ---- */

static stele_code add_bucket(
        void *arg, stele_bytes name, const struct sti_bucket *bucket, stele_error *err)
{
    stele_store_stats *out = arg;

    (void)name;
    (void)err;
    out->buckets++;
    out->keys += bucket->keys;
    out->bytes += bucket->bytes;
    return STELE_OK;
}

/* Relaxed, all of them: figures that need not agree. */
static uint64_t counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void copy_counts(stele_store *s, stele_store_stats *out)
{
    const struct sti_store_counts *c = &s->counts;
    uint32_t slots = atomic_load(&s->slot_count);

    out->commits = counted(&c->commits);
    out->batches = counted(&c->batches);
    out->durable_batches = counted(&c->durable_batches);
    out->puts = counted(&c->puts);
    out->deletes = counted(&c->deletes);
    out->full = counted(&c->full);
    out->defrags = counted(&c->defrags);
    for (uint32_t i = 0; i < slots; i++) {
        out->reads += counted(&atomic_load(&s->slots[i])->reads);
    }
    for (size_t i = 0; i < STELE_STORE_TIMES; i++) {
        out->commit_times[i] = counted(&c->commit_times[i]);
        out->batch_waits[i] = counted(&c->batch_waits[i]);
        out->durable_waits[i] = counted(&c->durable_waits[i]);
    }
    out->open_reads = sti_store_reads_open(s);
    out->failed = atomic_load(&s->failed) != STELE_OK;
    out->no_room = atomic_load(&s->no_room);
}

static stele_code stat_read(stele_store_read *read, stele_store_stats *out, stele_error *err)
{
    const struct sti_store_view *v = read->view;
    struct sti_lmdb_stat stat;
    uint64_t free_pages = 0;
    stele_code code = look(read, &stat, &free_pages, err);

    code = code == STELE_OK ? sti_bucket_each(read->slot->txn, add_bucket, out, err) : code;
    if (code != STELE_OK) {
        return code;
    }
    out->size = stat.pages * stat.page_size;
    out->size_in_use = (stat.pages - free_pages) * stat.page_size;
    out->map_size = stat.map_size;
    out->generation = v->data->number;
    out->tables = v->count;
    for (uint32_t i = 0; i < v->count; i++) {
        struct sti_table_size size = sti_table_size(v->raw[i]);

        out->table_bytes += size.memory;
        out->waiting_writes += size.writes;
    }
    return STELE_OK;
}

stele_code stele_store_stat(stele_store *s, stele_store_stats *out, stele_error *err)
{
    stele_store_stats stats = {.buckets = 0};
    stele_store_read *read = NULL;
    stele_wal_stats wal;
    stele_code code;

    if (s == NULL || out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no store, or no place for the figures");
    }
    copy_counts(s, &stats);
    code = stele_store_read_begin(&read, s, err);
    code = code == STELE_OK ? stat_read(read, &stats, err) : code;
    stele_store_read_end(read);
    if (code == STELE_OK && atomic_load(&s->wal) != NULL) {
        code = stele_wal_stat(atomic_load(&s->wal), &wal, err);
        stats.wal_size = code == STELE_OK ? wal.size : 0;
    }
    if (code == STELE_OK) {
        *out = stats;
    }
    return code;
}
