/* SPDX-License-Identifier: MIT
 *
 * memory.c: a log in memory: the twin of one on files, for tests and models.
 *
 * One mutex protects all. An iterator copies the record that it is at, so that what it lends
 * outlives a truncation.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/thread.h"
#include "wal/wal.h"

#include <inttypes.h>
#include <string.h>

struct item {
    uint8_t *data; /* owned; NULL without bytes */
    size_t len;
};

struct memory;

struct memory_iter {
    struct stele_wal_iter base; /* first: wal.h */
    struct memory *log;
    struct memory_iter *next_iter;
    uint64_t next; /* id */
    bool begun;    /* `next` follows a record that was given out */
    bool lost;     /* its place was truncated away, or taken by a log that began anew */
    uint8_t *copy;
    size_t capacity;
};

struct memory {
    struct stele_wal base; /* first: wal.h */
    struct sti_mutex mutex;
    struct item *items; /* a ring */
    size_t capacity;
    size_t first; /* index of the oldest */
    size_t count;
    uint64_t first_id; /* of the oldest */
    uint64_t size;     /* bytes of data that are held */
    stele_wal_ticket given;
    struct memory_iter *iters;
    stele_wal_stats stats; /* the part since open */
};

static struct memory *memory_of(stele_wal *w)
{
    return (struct memory *)(void *)w;
}

static struct item *item_at(const struct memory *m, size_t i) STI_REQUIRES(m->mutex)
{
    return &m->items[(m->first + i) % m->capacity];
}

static void drop(struct memory *m, struct item *item) STI_REQUIRES(m->mutex)
{
    m->size -= item->len;
    sti_free(item->data);
    item->data = NULL;
    item->len = 0;
}

static void drop_last(struct memory *m) STI_REQUIRES(m->mutex)
{
    drop(m, item_at(m, m->count - 1));
    m->count--;
}

/* ---- Writing. ---- */

static stele_code reserve(struct memory *m, size_t count, stele_error *err) STI_REQUIRES(m->mutex)
{
    size_t capacity = m->capacity < 16 ? 16 : m->capacity;
    struct item *items;

    if (count > SIZE_MAX / 4 - m->count) {
        return sti_fail_memory(err, SIZE_MAX);
    }
    if (m->count + count <= m->capacity) {
        return STELE_OK;
    }
    while (capacity < m->count + count) {
        capacity *= 2;
    }
    items = sti_calloc(capacity, sizeof *items);
    if (items == NULL) {
        return sti_fail_memory(err, capacity * sizeof *items);
    }
    for (size_t i = 0; i < m->count; i++) {
        items[i] = *item_at(m, i);
    }
    sti_free(m->items);
    m->items = items;
    m->capacity = capacity;
    m->first = 0;
    return STELE_OK;
}

static stele_code push(struct memory *m, stele_bytes data, stele_error *err) STI_REQUIRES(m->mutex)
{
    struct item *item = item_at(m, m->count);
    uint8_t *copy = NULL;

    if (data.len > 0) {
        copy = sti_malloc(data.len);
        if (copy == NULL) {
            return sti_fail_memory(err, data.len);
        }
        memcpy(copy, data.data, data.len);
    }
    item->data = copy;
    item->len = data.len;
    m->size += data.len;
    m->count++;
    return STELE_OK;
}

/* The id that the first record gets; refuses one that does not follow. */
static stele_code take_id(struct memory *m, const stele_wal_record *records, size_t count,
        uint64_t *id, stele_error *err) STI_REQUIRES(m->mutex)
{
    bool any = m->count == 0;
    uint64_t next = any ? 1 : m->first_id + m->count;

    if (records != NULL && count > 0) {
        if (!any && records[0].id != next) {
            return sti_fail(err, STELE_ECONFLICT,
                    "id %" PRIu64 " does not follow; expected %" PRIu64, records[0].id, next);
        }
        next = records[0].id;
    }
    if (count > UINT64_MAX - next) {
        return sti_fail(err, STELE_ECONFLICT, "no ids are left");
    }
    *id = next;
    return STELE_OK;
}

/* A log that is empty may begin anew anywhere, where nothing follows what was given out. */
static void begin_anew(struct memory *m, uint64_t id) STI_REQUIRES(m->mutex)
{
    for (struct memory_iter *it = m->iters; it != NULL; it = it->next_iter) {
        it->lost = it->lost || (it->begun && it->next != id);
    }
    m->first_id = id;
}

static void count_append(struct memory *m, size_t count, uint64_t bytes) STI_REQUIRES(m->mutex)
{
    m->stats.appends++;
    m->stats.records += count;
    m->stats.bytes += bytes;
}

static stele_code append_locked(struct memory *m, const stele_wal_record *records,
        const stele_bytes *data, size_t count, uint64_t *id, stele_error *err)
        STI_REQUIRES(m->mutex)
{
    size_t before = m->count;
    uint64_t size = m->size;
    stele_code rc = take_id(m, records, count, id, err);

    rc = rc != STELE_OK ? rc : reserve(m, count, err);
    for (size_t i = 0; i < count && rc == STELE_OK; i++) {
        rc = push(m, records != NULL ? records[i].data : data[i], err);
    }
    if (rc != STELE_OK) {
        while (m->count > before) {
            drop_last(m);
        }
        return rc;
    }
    if (before == 0 && count > 0) {
        begin_anew(m, *id);
    }
    if (count > 0) {
        count_append(m, count, m->size - size);
    }
    return STELE_OK;
}

static stele_code memory_append(stele_wal *w, const stele_wal_record *records,
        const stele_bytes *data, size_t count, uint64_t *first_id, stele_wal_ticket *ticket,
        stele_error *err)
{
    struct memory *m = memory_of(w);
    uint64_t id = 0;
    stele_code rc;

    sti_mutex_lock(&m->mutex);
    rc = append_locked(m, records, data, count, &id, err);
    if (rc == STELE_OK) {
        m->given++;
        if (ticket != NULL) {
            *ticket = m->given;
        }
        if (first_id != NULL) {
            *first_id = id;
        }
    }
    sti_mutex_unlock(&m->mutex);
    return rc;
}

static stele_wal_ticket memory_durable(stele_wal *w)
{
    struct memory *m = memory_of(w);
    stele_wal_ticket given;

    sti_mutex_lock(&m->mutex);
    given = m->given;
    sti_mutex_unlock(&m->mutex);
    return given;
}

static stele_code memory_wait(
        stele_wal *w, stele_wal_ticket ticket, const stele_wait *wait, stele_error *err)
{
    (void)wait;
    if (ticket > memory_durable(w)) {
        return sti_fail(err, STELE_EINVAL, "no append has the ticket %" PRIu64, ticket);
    }
    return STELE_OK;
}

static stele_code memory_truncate(stele_wal *w, uint64_t last_to_keep, stele_error *err)
{
    struct memory *m = memory_of(w);
    uint64_t next;
    uint64_t cut;

    (void)err;
    sti_mutex_lock(&m->mutex);
    next = m->first_id + m->count;
    if (m->count > 0 && last_to_keep < next - 1) {
        cut = last_to_keep < m->first_id ? m->first_id : last_to_keep + 1;
        while (m->count > 0 && m->first_id + m->count - 1 > last_to_keep) {
            drop_last(m);
        }
        for (struct memory_iter *it = m->iters; it != NULL; it = it->next_iter) {
            it->lost = it->lost || (it->next > cut && it->next <= next);
        }
    }
    sti_mutex_unlock(&m->mutex);
    return STELE_OK;
}

static stele_code memory_trim(stele_wal *w, uint64_t discard_up_to, stele_error *err)
{
    struct memory *m = memory_of(w);

    (void)err;
    sti_mutex_lock(&m->mutex);
    while (m->count > 0 && m->first_id <= discard_up_to) {
        drop(m, item_at(m, 0));
        m->first = (m->first + 1) % m->capacity;
        m->first_id++;
        m->count--;
    }
    sti_mutex_unlock(&m->mutex);
    return STELE_OK;
}

/* ---- Reading. ---- */

static void memory_bounds(stele_wal *w, uint64_t *first, uint64_t *last, bool *empty)
{
    struct memory *m = memory_of(w);

    sti_mutex_lock(&m->mutex);
    *empty = m->count == 0;
    *first = m->first_id;
    *last = m->first_id + m->count - 1;
    sti_mutex_unlock(&m->mutex);
}

static void memory_next_id(stele_wal *w, uint64_t *id, bool *any)
{
    struct memory *m = memory_of(w);

    sti_mutex_lock(&m->mutex);
    *any = m->count == 0;
    *id = *any ? 1 : m->first_id + m->count;
    sti_mutex_unlock(&m->mutex);
}

static stele_code memory_read(stele_wal *w, uint64_t id, stele_buf *out, stele_error *err)
{
    struct memory *m = memory_of(w);
    stele_code rc;

    sti_mutex_lock(&m->mutex);
    if (m->count == 0 || id < m->first_id || id - m->first_id >= m->count) {
        rc = sti_fail(err, STELE_ENOTFOUND, "no record with id %" PRIu64, id);
    } else {
        const struct item *item = item_at(m, (size_t)(id - m->first_id));

        rc = stele_buf_append(
                out, item->len > 0 ? stele_bytes_of(item->data, item->len) : stele_empty(), err);
    }
    sti_mutex_unlock(&m->mutex);
    return rc;
}

static stele_code lend(
        struct memory_iter *it, const struct item *item, stele_bytes *out, stele_error *err)
{
    if (item->len > it->capacity) {
        uint8_t *copy = sti_realloc(it->copy, item->len, 1);

        if (copy == NULL) {
            return sti_fail_memory(err, item->len);
        }
        it->copy = copy;
        it->capacity = item->len;
    }
    if (item->len == 0) {
        *out = stele_empty();
        return STELE_OK;
    }
    memcpy(it->copy, item->data, item->len);
    *out = stele_bytes_of(it->copy, item->len);
    return STELE_OK;
}

static stele_code next_locked(struct memory *m, struct memory_iter *it, stele_wal_record *record,
        stele_error *err) STI_REQUIRES(m->mutex)
{
    stele_code rc;

    if (it->lost) {
        return sti_fail(err, STELE_ESTATE, "record %" PRIu64 " was truncated away", it->next);
    }
    if (m->count == 0) {
        return STELE_END;
    }
    if (it->next < m->first_id) {
        if (it->begun) {
            return sti_fail(err, STELE_ESTATE, "record %" PRIu64 " was trimmed away", it->next);
        }
        it->next = m->first_id;
    }
    if (it->next - m->first_id >= m->count) {
        return STELE_END;
    }
    rc = lend(it, item_at(m, (size_t)(it->next - m->first_id)), &record->data, err);
    if (rc == STELE_OK) {
        record->id = it->next++;
        it->begun = true;
    }
    return rc;
}

static stele_code memory_next(stele_wal_iter *iter, stele_wal_record *record, stele_error *err)
{
    struct memory_iter *it = (struct memory_iter *)(void *)iter;
    struct memory *m = it->log;
    stele_code rc;

    sti_mutex_lock(&m->mutex);
    rc = next_locked(m, it, record, err);
    sti_mutex_unlock(&m->mutex);
    return rc;
}

static void memory_iter_close(stele_wal_iter *iter)
{
    struct memory_iter *it = (struct memory_iter *)(void *)iter;
    struct memory *m = it->log;
    struct memory_iter **link = &m->iters;

    sti_mutex_lock(&m->mutex);
    while (*link != it) {
        link = &(*link)->next_iter;
    }
    *link = it->next_iter;
    sti_mutex_unlock(&m->mutex);
    sti_free(it->copy);
    sti_free(it);
}

static const struct sti_wal_iter_ops memory_iter_ops = {memory_next, memory_iter_close};

static stele_code memory_iter_open(
        stele_wal_iter **out, stele_wal *w, uint64_t start, stele_error *err)
{
    struct memory *m = memory_of(w);
    struct memory_iter *it = sti_calloc(1, sizeof *it);

    if (it == NULL) {
        return sti_fail_memory(err, sizeof *it);
    }
    it->base.ops = &memory_iter_ops;
    it->log = m;
    it->next = start;
    sti_mutex_lock(&m->mutex);
    it->next_iter = m->iters;
    m->iters = it;
    sti_mutex_unlock(&m->mutex);
    *out = &it->base;
    return STELE_OK;
}

static stele_code memory_stat(stele_wal *w, stele_wal_stats *out, stele_error *err)
{
    struct memory *m = memory_of(w);

    (void)err;
    sti_mutex_lock(&m->mutex);
    *out = m->stats;
    out->empty = m->count == 0;
    out->first_id = out->empty ? 0 : m->first_id;
    out->last_id = out->empty ? 0 : m->first_id + m->count - 1;
    out->segments = 1;
    out->size = m->size;
    out->format = STELE_WAL_ANY;
    sti_mutex_unlock(&m->mutex);
    return STELE_OK;
}

/* ---- Opening and closing. ---- */

static stele_code memory_close(stele_wal *w, stele_error *err)
{
    struct memory *m = memory_of(w);

    sti_mutex_lock(&m->mutex);
    if (m->iters != NULL) {
        sti_mutex_unlock(&m->mutex);
        return sti_fail(err, STELE_ESTATE, "an iterator is open");
    }
    while (m->count > 0) {
        drop_last(m);
    }
    sti_mutex_unlock(&m->mutex);
    sti_mutex_destroy(&m->mutex);
    sti_free(m->items);
    sti_free(m);
    return STELE_OK;
}

static const struct sti_wal_ops memory_ops = {
        .close = memory_close,
        .append = memory_append,
        .wait = memory_wait,
        .durable = memory_durable,
        .truncate = memory_truncate,
        .trim = memory_trim,
        .bounds = memory_bounds,
        .next_id = memory_next_id,
        .read = memory_read,
        .iter_open = memory_iter_open,
        .stat = memory_stat,
};

stele_code stele_wal_open_memory(stele_wal **out, const stele_wal_options *opts, stele_error *err)
{
    stele_wal_options resolved;
    struct memory *m;
    stele_code rc;

    if (out == NULL) {
        return sti_fail(err, STELE_EINVAL, "nowhere to put the log");
    }
    rc = sti_wal_options_copy(&resolved, opts, err);
    if (rc != STELE_OK) {
        return rc;
    }
    m = sti_calloc(1, sizeof *m);
    if (m == NULL) {
        return sti_fail_memory(err, sizeof *m);
    }
    rc = sti_mutex_init(&m->mutex, STI_RANK_WAL_COMMIT, err);
    resolved.segment_size = 0;
    rc = rc != STELE_OK ? rc : sti_wal_options_resolve(&resolved, STELE_WAL_STELE, err);
    if (rc != STELE_OK) {
        sti_free(m);
        return rc;
    }
    m->base.ops = &memory_ops;
    m->base.record_max = resolved.record_size_max;
    *out = &m->base;
    return STELE_OK;
}
