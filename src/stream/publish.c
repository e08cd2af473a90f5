/* SPDX-License-Identifier: MIT
 *
 * publish.c: appending messages, and making them durable.
 *
 * Under write_lock messages are encoded behind the tail's end; then one
 * release store of the head's item count lets readers see all of them. With
 * auto_sync that store waits for a sync, which concurrent callers share: one
 * of them (the leader) waits for others to join (base/gather.h), and then
 * syncs for all that was written by then.
 *
 * When a write fails, what reached the file is cut off again, durably, before
 * anything else is written there: a shorter message written over it could
 * otherwise make its whole successors reappear after a crash. If that fails
 * too, the handle stops writing.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"
#include "stream/state.h"

#include <inttypes.h>

/* Bytes that the messages need; refuses what no format can hold. */
static stele_code measure(stele_stream_version version, const stele_message *messages, size_t count,
        size_t *total, stele_error *err)
{
    size_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        const stele_message *m = &messages[i];

        if ((m->key.data == NULL && m->key.len > 0) ||
                (m->value.data == NULL && m->value.len > 0)) {
            return sti_fail(err, STELE_EINVAL, "message %zu: bytes without data", i);
        }
        if (m->key.len > STELE_MESSAGE_SIZE_MAX ||
                m->value.len > STELE_MESSAGE_SIZE_MAX - m->key.len) {
            return sti_fail(err, STELE_ETOOBIG,
                    "message %zu: key and value are larger than %zu bytes together", i,
                    STELE_MESSAGE_SIZE_MAX);
        }
        if (__builtin_add_overflow(
                    sum, sti_message_size(version, m->key.len, m->value.len), &sum)) {
            return sti_fail(err, STELE_ETOOBIG, "too much to publish at once");
        }
    }
    *total = sum;
    return STELE_OK;
}

static stele_code reserve_buffer(struct sti_tail *t, size_t len, stele_error *err)
{
    uint8_t *buffer;

    if (len <= t->buffer_len) {
        return STELE_OK;
    }
    buffer = sti_realloc(t->buffer, len, 1);
    if (buffer == NULL) {
        return sti_fail_memory(err, len);
    }
    t->buffer = buffer;
    t->buffer_len = len;
    return STELE_OK;
}

/* What is appended. */
struct batch {
    const stele_message *messages;
    size_t count;
    bool given; /* the messages have their offsets */
};

static void encode(uint8_t *out, const struct sti_tail *t, const struct batch *b, stele_time now)
{
    stele_stream_version version = t->seg->version;

    for (size_t i = 0; i < b->count; i++) {
        const stele_message *m = &b->messages[i];

        sti_message_put(out, version, b->given ? m->offset : t->next + (int64_t)i,
                m->time != 0 ? m->time : now, m->key, m->value);
        out += sti_message_size(version, m->key.len, m->value.len);
    }
}

/* Take back what a failed write may have left behind the end. */
static void cut_back(stele_stream *s, stele_code rc, stele_error *err)
{
    struct sti_tail *t = &s->tail;

    t->changed = true;
    if (STI_MUTANT(FULL_DISK_POISONS)) {
        (void)sti_stream_fail(s, rc, err);
        return;
    }
    if (STI_MUTANT(POSITION_DRIFTS)) {
        t->end += STI_V1_OVERHEAD;
        return;
    }
    if (STI_MUTANT(APPEND_AFTER_FAILURE)) {
        return;
    }
    if (sti_file_truncate(&t->log, t->end, NULL) != STELE_OK ||
            sti_file_sync(&t->log, true, NULL) != STELE_OK) {
        (void)sti_stream_fail(s, rc, err);
        return;
    }
    t->allocated = t->end;
}

static stele_code write_bytes(
        stele_stream *s, const struct batch *b, size_t total, stele_time now, stele_error *err)
{
    struct sti_tail *t = &s->tail;
    stele_code rc;

    if (t->mapped) {
        struct sti_map *map = atomic_load_explicit(&t->seg->map, memory_order_relaxed);

        sti_debug_assert(map->len - t->end >= total);
        encode(map->data + t->end, t, b, now);
        return STELE_OK;
    }
    rc = reserve_buffer(t, total, err);
    if (rc != STELE_OK) {
        return rc;
    }
    encode(t->buffer, t, b, now);
    rc = sti_file_write(&t->log, t->end, t->buffer, total, err);
    if (rc != STELE_OK) {
        cut_back(s, rc, err);
    } else if (t->end + total > t->allocated) {
        t->allocated = t->end + total;
    }
    return rc;
}

static void add_items(struct sti_tail *t, const struct batch *b, stele_time now)
{
    struct sti_head *head = t->seg->head;

    for (size_t i = 0; i < b->count; i++) {
        stele_message m = b->messages[i];
        struct sti_index_item item;

        m.offset = b->given ? m.offset : t->next;
        m.time = m.time != 0 ? m.time : now;
        sti_index_item_of(&item, head->params, &m, t->end, t->time);
        sti_head_add(head, &item);
        t->end += sti_message_size(t->seg->version, m.key.len, m.value.len);
        t->time = head->params.times ? item.time : 0;
        t->next = m.offset + 1;
    }
}

/* A segment of format v1 is named after its first message. Not of a handle that only reads. */
static bool must_roll(const stele_stream *s, const struct batch *b)
{
    const struct sti_segment *seg = s->tail.seg;

    if (seg == NULL) {
        return false;
    }
    if (seg->head->written > 0) {
        return s->tail.end > (uint64_t)s->opts.rollover;
    }
    return b->given && seg->version == STELE_STREAM_V1 && b->messages[0].offset != seg->base &&
           !STI_MUTANT(GIVEN_NOT_AT_BASE);
}

/* Where the segment begins that a batch needs: at what the one before leaves as the next offset,
 * but a segment of version 1 at its first message. */
static int64_t new_base(const stele_stream *s, const struct batch *b)
{
    return b->given && s->opts.new_segments == STELE_STREAM_V1 ? b->messages[0].offset
                                                               : s->tail.next;
}

/* After a crash a gap between segments that were not sealed looks like messages that were lost, and
 * what is behind it like what must not be kept. So all before a gap is sealed first, in order. */
static bool must_settle(stele_stream *s, const struct batch *b)
{
    return s->work.way != STI_WORK_INLINE && new_base(s, b) != s->tail.next &&
           !STI_MUTANT(GAP_NOT_SEALED);
}

static stele_code roll(stele_stream *s, const struct batch *b, stele_error *err)
{
    int64_t base = new_base(s, b);
    stele_code rc;

    if (s->work.way != STI_WORK_INLINE && !must_settle(s, b)) {
        return sti_work_roll(s, base, err);
    }
    rc = sti_work_unmark(s, err);
    rc = rc != STELE_OK ? rc : sti_tail_roll(s, base, err);
    if (rc == STELE_OK) {
        atomic_store(&s->work.sealed, base);
    }
    return rc;
}

/* Until a batch may begin a new segment, if it has to. The lock is let go meanwhile. */
static stele_code await_roll(stele_stream *s, const struct batch *b, stele_error *err)
        STI_REQUIRES(s->write_lock)
{
    stele_code rc = STELE_OK;

    while (rc == STELE_OK && b->count > 0 && must_roll(s, b)) {
        bool paused = !sti_work_may_roll(s);

        if (!paused && (!must_settle(s, b) || sti_work_idle(s))) {
            break;
        }
        sti_mutex_unlock(&s->write_lock);
        if (paused) {
            sti_work_wait_to_roll(s);
        } else {
            rc = sti_work_drain(s, err);
        }
        sti_mutex_lock(&s->write_lock);
    }
    return rc;
}

static stele_code check_offsets(const struct sti_tail *t, const struct batch *b, stele_error *err)
{
    int64_t next = t->next;

    if (!b->given) {
        return next <= INT64_MAX - (int64_t)b->count
                       ? STELE_OK
                       : sti_fail(err, STELE_ETOOBIG, "no offsets are left");
    }
    for (size_t i = 0; i < b->count; i++) {
        bool late = b->messages[i].offset < next && !STI_MUTANT(GIVEN_OFFSETS_UNCHECKED);

        if (late || b->messages[i].offset == INT64_MAX) {
            return sti_fail(err, STELE_EOFFSET,
                    "message %zu: offset %" PRId64 ", the next one is %" PRId64, i,
                    b->messages[i].offset, next);
        }
        next = b->messages[i].offset + 1;
    }
    return STELE_OK;
}

static stele_code append(stele_stream *s, const struct batch *b, stele_error *err)
{
    struct sti_tail *t = &s->tail;
    const stele_message *messages = b->messages;
    size_t count = b->count;
    stele_time now = 0;
    size_t total = 0;
    stele_code rc = check_offsets(t, b, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (must_roll(s, b)) {
        rc = roll(s, b, err);
        if (rc != STELE_OK) {
            return rc;
        }
    }
    rc = measure(t->seg->version, messages, count, &total, err);
    rc = rc != STELE_OK ? rc : sti_head_reserve(t->seg->head, count, err);
    rc = rc != STELE_OK ? rc : sti_tail_room(s, total, err);
    if (rc != STELE_OK) {
        return rc;
    }
    for (size_t i = 0; i < count && now == 0; i++) {
        now = messages[i].time == 0 ? sti_env_now(&s->env) : 0;
    }
    rc = write_bytes(s, b, total, now, err);
    if (rc == STELE_OK) {
        add_items(t, b, now);
        t->dirty = true;
        t->changed = true;
    }
    return rc;
}

static stele_code publish(stele_stream *s, int64_t expected, const struct batch *b,
        int64_t *next_offset, stele_error *err)
{
    size_t count = b->count;
    int64_t next;
    stele_code rc;

    sti_work_throttle(s);
    sti_mutex_lock(&s->write_lock);
    rc = await_roll(s, b, err);
    rc = rc != STELE_OK ? rc : sti_stream_writable(s, err);
    if (rc == STELE_OK && expected >= 0 && expected != s->tail.next &&
            !STI_MUTANT(EXPECTED_IGNORED)) {
        rc = sti_fail(err, STELE_ECONFLICT, "the next offset is %" PRId64 ", not %" PRId64,
                s->tail.next, expected);
    }
    if (rc == STELE_OK && count > 0) {
        rc = append(s, b, err);
    }
    next = s->tail.next;
    if (rc == STELE_OK && (!s->opts.auto_sync || STI_MUTANT(ACK_BEFORE_SYNC))) {
        sti_tail_publish(s);
    }
    sti_mutex_unlock(&s->write_lock);
    if (rc == STELE_OK && s->opts.auto_sync && count > 0 && !STI_MUTANT(ACK_BEFORE_SYNC)) {
        rc = sti_stream_commit(s, next, err);
    }
    if (rc == STELE_OK) {
        sti_stream_wake(s);
        if (next_offset != NULL) {
            *next_offset = next;
        }
    }
    return rc;
}

stele_code stele_stream_publish(stele_stream *s, const stele_message *messages, size_t count,
        int64_t *next_offset, stele_error *err)
{
    if (s == NULL || (messages == NULL && count > 0)) {
        return sti_fail(err, STELE_EINVAL, "nothing to publish, or nowhere");
    }
    return publish(s, -1, &(struct batch){messages, count, false}, next_offset, err);
}

stele_code stele_stream_publish_offsets(stele_stream *s, const stele_message *messages,
        size_t count, int64_t *next_offset, stele_error *err)
{
    if (s == NULL || (messages == NULL && count > 0)) {
        return sti_fail(err, STELE_EINVAL, "nothing to publish, or nowhere");
    }
    return publish(s, -1, &(struct batch){messages, count, true}, next_offset, err);
}

stele_code stele_stream_publish_at(stele_stream *s, int64_t expected, const stele_message *messages,
        size_t count, int64_t *next_offset, stele_error *err)
{
    if (s == NULL || (messages == NULL && count > 0)) {
        return sti_fail(err, STELE_EINVAL, "nothing to publish, or nowhere");
    }
    if (expected < 0) {
        return sti_fail(err, STELE_EOFFSET, "offset %" PRId64 " is not one to expect", expected);
    }
    return publish(s, expected, &(struct batch){messages, count, false}, next_offset, err);
}

/* ---- Group commit. ---- */

/* What the leader is to sync. */
struct commit {
    struct sti_segment *seg;
    uint64_t written;
    int64_t next;
    bool dirty;
    bool name_pending;
    size_t waiting; /* threads that wait for it */
    int64_t began_ns;
};

/* Become the leader, unless somebody is, or segments before the tail's are
 * not sealed yet (*unsealed is where they end). */
static bool lead(stele_stream *s, struct commit *c, int64_t *unsealed)
{
    bool mine = false;

    *unsealed = -1;
    sti_mutex_lock(&s->write_lock);
    sti_mutex_lock(&s->sync_lock);
    if (s->work.way != STI_WORK_INLINE && atomic_load(&s->work.sealed) < s->tail.seg->base) {
        *unsealed = s->tail.seg->base;
    } else if (!s->syncing) {
        s->syncing = true;
        mine = true;
        c->waiting = sti_gather_take(&s->gather);
        s->syncing_next = s->tail.next;
        c->seg = sti_segment_ref(s->tail.seg);
        c->written = c->seg->head->written;
        c->next = s->tail.next;
        c->dirty = s->tail.dirty;
        c->name_pending = s->tail.name_pending;
        s->tail.dirty = false;
        s->tail.name_pending = false;
    }
    sti_mutex_unlock(&s->sync_lock);
    sti_mutex_unlock(&s->write_lock);
    return mine;
}

/* The leader's work. The tail's file cannot change hands meanwhile: whoever
 * wants that waits until nobody syncs (sti_tail_hold()). */
static stele_code sync_for_all(stele_stream *s, const struct commit *c, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (c->dirty && !STI_MUTANT(PUBLISH_NOT_SYNCED)) {
        rc = sti_file_sync(&s->tail.log, true, err);
    }
    if (rc == STELE_OK && c->name_pending && !STI_MUTANT(NAME_NOT_SYNCED)) {
        rc = sti_dir_sync(&s->dir, err);
    }
    if (rc != STELE_OK && !STI_MUTANT(SYNC_FAILURE_RETRIED)) {
        rc = sti_stream_fail(s, rc, err);
    }
    if (rc == STELE_OK) {
        if (s->opts.auto_sync) {
            sti_head_publish(c->seg->head, c->written);
            atomic_store_explicit(&s->next, c->next, memory_order_release);
        }
        atomic_store(&s->durable, c->next);
    }
    return rc;
}

/* Sealing has synced what the caller waits for: its names are left to sync. */
static stele_code take_sealed(stele_stream *s, int64_t upto, stele_error *err)
{
    stele_code rc = sti_work_wait_sealed(s, upto, err);
    int64_t durable = atomic_load(&s->durable);

    rc = rc != STELE_OK ? rc : sti_dir_sync(&s->dir, err);
    if (rc != STELE_OK) {
        return sti_stream_fail(s, rc, err);
    }
    while (durable < upto && !atomic_compare_exchange_weak(&s->durable, &durable, upto)) {
    }
    return STELE_OK;
}

static void wait_for_leader_locked(stele_stream *s, int64_t upto) STI_REQUIRES(s->sync_lock)
{
    while ((s->syncing || s->gather.gatherer != NULL) && atomic_load(&s->durable) < upto) {
        sti_cond_wait(&s->sync_cond, &s->sync_lock);
    }
}

/* Wait for those who are about to publish; true: then lead, or try to. */
static bool gather_locked(stele_stream *s) STI_REQUIRES(s->sync_lock)
{
    bool other = false;
    bool late = false;
    int64_t deadline;

    switch (sti_gather_begin(&s->gather, &deadline)) {
    case STI_GATHER_GO:
        return true;
    case STI_GATHER_YIELD:
        sti_mutex_unlock(&s->sync_lock);
        sti_thread_yield();
        sti_mutex_lock(&s->sync_lock);
        return true;
    case STI_GATHER_WAIT:
        break;
    }
    s->gather.gatherer = &other;
    while (!late && !other) {
        late = !sti_cond_wait_until(&s->sync_cond, &s->sync_lock, deadline);
    }
    if (!other) {
        s->gather.gatherer = NULL;
        sti_gather_missed(&s->gather);
    }
    return !other;
}

/* Whether to lead, or try to. *counted: `upto` is known to those who gather. */
static bool wait_for_turn(stele_stream *s, int64_t upto, bool *counted)
{
    bool mine;

    sti_mutex_lock(&s->sync_lock);
    if (!*counted && upto > s->syncing_next) {
        *counted = true;
        s->gather.waiting++;
        mine = sti_gather_takes_over(&s->gather);
    } else {
        mine = false;
    }
    if (!mine && (s->syncing || s->gather.gatherer != NULL)) {
        wait_for_leader_locked(s, upto);
    } else if (!mine) {
        mine = gather_locked(s);
    }
    sti_mutex_unlock(&s->sync_lock);
    return mine;
}

/* Nobody leads whom those could wait for that slept while somebody gathered. */
static void wake_waiters(stele_stream *s)
{
    sti_mutex_lock(&s->sync_lock);
    sti_cond_broadcast(&s->sync_cond);
    sti_mutex_unlock(&s->sync_lock);
}

static void sync_has_ended(stele_stream *s, const struct commit *c)
{
    sti_mutex_lock(&s->sync_lock);
    sti_gather_done(&s->gather, c->waiting, c->began_ns);
    sti_mutex_unlock(&s->sync_lock);
}

stele_code sti_stream_commit(stele_stream *s, int64_t upto, stele_error *err)
{
    stele_code rc = STELE_OK;
    bool counted = false;

    while (rc == STELE_OK && atomic_load(&s->durable) < upto) {
        struct commit c;
        int64_t unsealed;

        if (atomic_load(&s->failed) != STELE_OK) {
            return sti_stream_writable(s, err);
        }
        if (!wait_for_turn(s, upto, &counted)) {
            continue;
        }
        if (lead(s, &c, &unsealed)) {
            c.began_ns = sti_monotonic_now_ns();
            rc = sync_for_all(s, &c, err);
            sti_segment_unref(c.seg);
            sync_has_ended(s, &c);
            sti_tail_release(s);
        } else if (unsealed >= 0) {
            wake_waiters(s);
            rc = take_sealed(s, unsealed < upto ? unsealed : upto, err);
        }
    }
    return rc;
}

stele_code stele_stream_sync(stele_stream *s, int64_t *durable_offset, stele_error *err)
{
    int64_t upto;
    stele_code rc;

    if (s == NULL) {
        return sti_fail(err, STELE_EINVAL, "no stream");
    }
    if (s->mode != STI_MODE_WRITER) {
        return stele_stream_next_offset(s, durable_offset != NULL ? durable_offset : &upto, err);
    }
    sti_mutex_lock(&s->write_lock);
    upto = s->tail.next;
    rc = sti_stream_writable(s, err);
    sti_mutex_unlock(&s->write_lock);
    if (STI_MUTANT(SYNC_DOES_NOTHING)) {
        atomic_store(&s->durable, upto);
    }
    rc = rc != STELE_OK ? rc : sti_stream_commit(s, upto, err);
    if (rc == STELE_OK && durable_offset != NULL) {
        *durable_offset = atomic_load(&s->durable);
    }
    return rc;
}
