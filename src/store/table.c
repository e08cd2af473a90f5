/* SPDX-License-Identifier: MIT */
#include "store/table.h"

#include "base/alloc.h"
#include "base/assert.h"

void sti_table_init(struct sti_table *t)
{
    memset(t, 0, sizeof *t);
    atomic_init(&t->least, UINT32_MAX);
}

void sti_table_free(struct sti_table *t)
{
    sti_arena_free(&t->arena);
    sti_table_init(t);
}

/* ---- Writing. ---- */

/* Count for others: no order is needed, since they are for limits and
 * statistics alone. */
static void count(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, value, memory_order_relaxed);
}

static uint64_t counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* An entry, with room for `len` bytes behind it at *version, and its key. */
static struct sti_entry *entry_new(struct sti_table *t, uint32_t bucket, stele_bytes key,
        size_t len, struct sti_version **version)
{
    size_t at = sizeof(struct sti_entry) + key.len;
    struct sti_entry *e;
    void *behind;

    at = (at + _Alignof(struct sti_version) - 1) & ~(_Alignof(struct sti_version) - 1);
    e = sti_arena_alloc(&t->arena, at + len, _Alignof(struct sti_version));
    if (e == NULL) {
        return NULL;
    }
    atomic_init(&e->newest, NULL);
    e->bucket = bucket;
    e->key_len = (uint32_t)key.len;
    if (key.len > 0) {
        memcpy(e->key, key.data, key.len);
    }
    behind = (uint8_t *)e + at;
    *version = behind;
    return e;
}

/* Make a version the newest of its key and the last of the table. */
static void show(struct sti_table *t, struct sti_version *v)
{
    struct sti_entry *e = v->entry;

    /* Relaxed: our own. */
    v->older = atomic_load_explicit(&e->newest, memory_order_relaxed);
    /* Pairs with the load in sti_visible(). */
    atomic_store_explicit(&e->newest, v, memory_order_release);
    /* Pairs with the loads in sti_table_written(). */
    atomic_store_explicit(t->last == NULL ? &t->first : &t->last->later, v, memory_order_release);
    t->last = v;
    t->changes++;
    count(&t->writes, v->number);
    count(&t->bytes, counted(&t->bytes) + e->key_len + v->value_len);
    count(&t->memory, t->arena.memory);
}

/* Before the write is shown: who may see it sees this. */
static void lower_least(struct sti_table *t, uint32_t bucket)
{
    /* Relaxed: the writer's own, and whoever gives its seq to readers releases it. */
    if (bucket < atomic_load_explicit(&t->least, memory_order_relaxed)) {
        atomic_store_explicit(&t->least, bucket, memory_order_relaxed);
    }
}

static stele_code write_version(struct sti_table *t, enum sti_write_kind kind, uint64_t seq,
        uint32_t bucket, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct sti_nodes *tree = kind == STI_WRITE_DROP ? &t->drops : &t->keys;
    struct sti_probe probe = sti_probe_of(bucket, key);
    struct sti_place at = sti_nodes_seek(tree, &probe);
    size_t len = sizeof(struct sti_version) + value.len;
    struct sti_version *v = NULL;
    struct sti_entry *e;

    sti_assert(key.len <= STI_TABLE_KEY_MAX);
    sti_assert(value.len <= STI_TABLE_VALUE_MAX);
    sti_debug_assert(t->last == NULL || t->last->seq <= seq);
    if (at.found) {
        e = sti_place_entry(&at);
        v = sti_arena_alloc(&t->arena, len, _Alignof(struct sti_version));
    } else {
        e = entry_new(t, bucket, key, len, &v);
    }
    if (v == NULL) {
        return sti_fail_memory(err, len + key.len);
    }
    atomic_init(&v->later, NULL);
    v->entry = e;
    v->seq = seq;
    v->number = counted(&t->writes) + 1;
    v->value_len = (uint32_t)value.len;
    v->kind = kind;
    if (value.len > 0) {
        memcpy(v->value, value.data, value.len);
    }
    if (!at.found && !sti_nodes_insert(tree, &t->arena, &at, e)) {
        return sti_fail_memory(err, sizeof(struct sti_node));
    }
    lower_least(t, bucket);
    show(t, v);
    return STELE_OK;
}

stele_code sti_table_put(struct sti_table *t, uint64_t seq, uint32_t bucket, stele_bytes key,
        stele_bytes value, stele_error *err)
{
    return write_version(t, STI_WRITE_PUT, seq, bucket, key, value, err);
}

stele_code sti_table_delete(
        struct sti_table *t, uint64_t seq, uint32_t bucket, stele_bytes key, stele_error *err)
{
    return write_version(t, STI_WRITE_DELETE, seq, bucket, key, stele_nil(), err);
}

stele_code sti_table_drop(struct sti_table *t, uint64_t seq, uint32_t bucket, stele_error *err)
{
    return write_version(t, STI_WRITE_DROP, seq, bucket, stele_nil(), stele_nil(), err);
}

/* ---- The order of writing. ---- */

struct sti_table_mark sti_table_mark(const struct sti_table *t)
{
    struct sti_table_mark mark = {t->last, counted(&t->writes), counted(&t->bytes)};

    return mark;
}

void sti_table_rollback(struct sti_table *t, const struct sti_table_mark *mark)
{
    _Atomic(struct sti_version *) *end = mark->last == NULL ? &t->first : &mark->last->later;
    struct sti_version *v = atomic_load_explicit(end, memory_order_relaxed); /* our own */

    while (v != NULL) {
        /* Each takes one from its key, where all of them are in front. */
        const struct sti_version *newest =
                atomic_load_explicit(&v->entry->newest, memory_order_relaxed);

        sti_debug_assert(newest->number > mark->writes);
        /* Pairs with the load in sti_visible(). */
        atomic_store_explicit(&v->entry->newest, newest->older, memory_order_release);
        v = atomic_load_explicit(&v->later, memory_order_relaxed);
    }
    /* Relaxed: there is nothing behind it that a reader would have to see. */
    atomic_store_explicit(end, NULL, memory_order_relaxed);
    t->last = mark->last;
    t->changes++;
    count(&t->writes, mark->writes);
    count(&t->bytes, mark->bytes);
}

bool sti_table_written(
        const struct sti_table *t, uint64_t seq, struct sti_table_mark *mark, struct sti_write *out)
{
    /* Pairs with the store in show(). */
    struct sti_version *v = atomic_load_explicit(
            mark->last == NULL ? &t->first : &mark->last->later, memory_order_acquire);

    if (v == NULL || v->seq > seq) {
        return false;
    }
    out->kind = (enum sti_write_kind)v->kind;
    out->seq = v->seq;
    out->bucket = v->entry->bucket;
    out->key = sti_entry_key(v->entry);
    out->value = v->kind == STI_WRITE_PUT ? stele_bytes_of(v->value, v->value_len) : stele_nil();
    mark->last = v;
    mark->writes = v->number;
    mark->bytes += out->key.len + v->value_len;
    return true;
}

/* ---- Reading. ---- */

uint64_t sti_table_drop_number(const struct sti_table *t, uint64_t seq, uint32_t bucket)
{
    struct sti_probe probe = {.bucket = bucket};
    const struct sti_entry *e = sti_nodes_find(&t->drops, &probe);
    const struct sti_version *v = e == NULL ? NULL : sti_visible(e, seq);

    return v == NULL ? 0 : v->number;
}

bool sti_table_dropped(const struct sti_table *t, uint64_t seq, uint32_t bucket)
{
    return sti_table_drop_number(t, seq, bucket) > 0;
}

enum sti_found sti_table_get(const struct sti_table *t, uint64_t seq, uint32_t bucket,
        stele_bytes key, stele_bytes *value)
{
    struct sti_probe probe = sti_probe_of(bucket, key);
    const struct sti_entry *e;
    const struct sti_version *v;
    uint64_t dropped;

    /* Relaxed: see lower_least(). */
    if (bucket < atomic_load_explicit(&t->least, memory_order_relaxed)) {
        return STI_ABSENT;
    }
    e = sti_nodes_find(&t->keys, &probe);
    v = e == NULL ? NULL : sti_visible(e, seq);
    dropped = sti_table_drop_number(t, seq, bucket);
    if (v == NULL || v->number < dropped) {
        return dropped > 0 ? STI_DELETED : STI_ABSENT;
    }
    if (v->kind == STI_WRITE_DELETE) {
        return STI_DELETED;
    }
    *value = stele_bytes_of(v->value, v->value_len);
    return STI_PRESENT;
}

struct sti_table_size sti_table_size(const struct sti_table *t)
{
    struct sti_table_size size = {counted(&t->writes), counted(&t->bytes), counted(&t->memory)};

    return size;
}
