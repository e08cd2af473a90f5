/* SPDX-License-Identifier: MIT
 *
 * find.c: what a trim or a compaction would remove.
 *
 * The finders read the stream from its oldest message up to the end that it
 * had when they began, in batches, and look at `wait` between the batches.
 * What they find is kept apart until the end: a search that fails adds
 * nothing to the caller's set.
 */
#include "stream/find.h"

#include "base/env.h"
#include "base/error.h"
#include "base/map.h"
#include "base/thread.h"
#include "stream/above.h"
#include "stream/offsets.h"

enum {
    BATCH_SIZE = 1024
};

/* A search, and what the finders remember from message to message. */
struct search {
    stele_stream *s;
    int64_t bound;    /* a time, count, offset or size */
    int64_t left;     /* how much is to be found still: messages or bytes */
    int64_t overhead; /* size of a message without key and value */
    struct sti_bytemap keys;
    stele_offsets *found;
};

/* Look at one message. STELE_END ends the search, a failure fails it. */
typedef stele_code (*visit_fn)(struct search *search, const stele_message *m, stele_error *err);

static stele_code check_wait(const stele_wait *wait, int64_t deadline_ns, stele_error *err)
{
    if (wait == NULL) {
        return STELE_OK;
    }
    if (sti_cancel_triggered(wait->cancel)) {
        return sti_fail(err, STELE_ECANCELED, "canceled while searching the stream");
    }
    if (deadline_ns != INT64_MAX && sti_monotonic_now_ns() >= deadline_ns) {
        return sti_fail(err, STELE_ETIMEDOUT, "out of time while searching the stream");
    }
    return STELE_OK;
}

static stele_code visit_batch(struct search *search, visit_fn visit, const stele_messages *batch,
        int64_t end, stele_error *err)
{
    size_t count = stele_messages_count(batch);

    for (size_t i = 0; i < count; i++) {
        const stele_message *m = stele_messages_at(batch, i);
        stele_code rc;

        if (m->offset >= end) {
            return STELE_END;
        }
        rc = visit(search, m, err);
        if (rc != STELE_OK) {
            return rc;
        }
    }
    return STELE_OK;
}

/* Visit the messages below `end`, in order. */
static stele_code visit_all(struct search *search, visit_fn visit, int64_t end,
        const stele_wait *wait, stele_error *err)
{
    int64_t deadline_ns = sti_wait_deadline(wait);
    int64_t offset = STELE_OFFSET_OLDEST;
    stele_messages *batch = NULL;
    stele_code rc = stele_messages_new(&batch, err);

    while (rc == STELE_OK && offset < end) {
        int64_t next = offset;

        rc = stele_stream_consume(search->s, offset, BATCH_SIZE, batch, &next, err);
        if (rc != STELE_OK || next <= offset) {
            break;
        }
        offset = next;
        rc = visit_batch(search, visit, batch, end, err);
        if (rc == STELE_OK && offset < end) {
            rc = check_wait(wait, deadline_ns, err);
        }
    }
    stele_messages_free(batch);
    return rc == STELE_END ? STELE_OK : rc;
}

/* Run a search, and add what it finds to `out`. */
static stele_code run(struct search *search, visit_fn visit, const stele_wait *wait,
        stele_offsets *out, stele_error *err)
{
    int64_t end = 0;
    stele_code rc;

    if (wait != NULL && sti_cancel_triggered(wait->cancel)) {
        return sti_fail(err, STELE_ECANCELED, "canceled before searching the stream");
    }
    sti_bytemap_init(&search->keys, sti_env_random64(sti_stream_env(search->s)),
            sti_env_random64(sti_stream_env(search->s)));
    search->found = NULL;
    rc = stele_offsets_new(&search->found, err);
    if (rc == STELE_OK) {
        rc = stele_stream_next_offset(search->s, &end, err);
    }
    if (rc == STELE_OK) {
        rc = visit_all(search, visit, end, wait, err);
    }
    if (rc == STELE_OK) {
        rc = sti_offsets_merge(out, search->found, err);
    }
    stele_offsets_free(search->found);
    sti_bytemap_free(&search->keys);
    return rc;
}

static stele_code need_handles(const stele_stream *s, const stele_offsets *out, stele_error *err)
{
    if (s == NULL || out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no stream, or no set for the offsets");
    }
    return STELE_OK;
}

/* ---- The oldest messages. ---- */

static stele_code visit_age(struct search *search, const stele_message *m, stele_error *err)
{
    if (m->time > search->bound) {
        return STELE_END;
    }
    return stele_offsets_add(search->found, m->offset, err);
}

stele_code stele_stream_find_by_age(stele_stream *s, stele_time before, const stele_wait *wait,
        stele_offsets *out, stele_error *err)
{
    struct search search = {.s = s, .bound = before};
    stele_code rc = need_handles(s, out, err);

    return rc == STELE_OK ? run(&search, visit_age, wait, out, err) : rc;
}

static stele_code visit_count(struct search *search, const stele_message *m, stele_error *err)
{
    if (search->left == 0) {
        return STELE_END;
    }
    search->left--;
    return stele_offsets_add(search->found, m->offset, err);
}

stele_code stele_stream_find_by_count(stele_stream *s, int64_t count_max, const stele_wait *wait,
        stele_offsets *out, stele_error *err)
{
    struct search search = {.s = s, .bound = count_max};
    stele_stream_stats stats;
    stele_code rc = need_handles(s, out, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (count_max < 0) {
        return sti_fail(err, STELE_EINVAL, "cannot keep %lld messages", (long long)count_max);
    }
    rc = stele_stream_stat(s, &stats, err);
    if (rc != STELE_OK || stats.messages <= count_max) {
        return rc;
    }
    search.left = stats.messages - count_max;
    return run(&search, visit_count, wait, out, err);
}

static stele_code visit_offset(struct search *search, const stele_message *m, stele_error *err)
{
    if (search->bound != STELE_OFFSET_NEWEST && m->offset >= search->bound) {
        return STELE_END;
    }
    return stele_offsets_add(search->found, m->offset, err);
}

stele_code stele_stream_find_by_offset(stele_stream *s, int64_t before, const stele_wait *wait,
        stele_offsets *out, stele_error *err)
{
    struct search search = {.s = s, .bound = before};
    stele_code rc = need_handles(s, out, err);

    if (rc != STELE_OK || before == STELE_OFFSET_OLDEST) {
        return rc;
    }
    if (before < 0 && before != STELE_OFFSET_NEWEST) {
        return sti_fail(err, STELE_EOFFSET, "offset %lld is none", (long long)before);
    }
    return run(&search, visit_offset, wait, out, err);
}

/* `left` is the size of what is not found yet; it has to get below the bound. */
static stele_code visit_size(struct search *search, const stele_message *m, stele_error *err)
{
    int64_t size = search->overhead + (int64_t)m->key.len + (int64_t)m->value.len;

    if (search->left < search->bound) {
        return STELE_END;
    }
    search->left = search->left > size ? search->left - size : 0;
    return stele_offsets_add(search->found, m->offset, err);
}

stele_code stele_stream_find_by_size(
        stele_stream *s, int64_t size, const stele_wait *wait, stele_offsets *out, stele_error *err)
{
    struct search search = {.s = s, .bound = size};
    const stele_message bare = stele_message_invalid();
    stele_stream_stats stats;
    stele_code rc = need_handles(s, out, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (size < 0) {
        return sti_fail(err, STELE_EINVAL, "cannot keep %lld bytes", (long long)size);
    }
    rc = stele_stream_stat(s, &stats, err);
    if (rc != STELE_OK || stats.size < size) {
        return rc;
    }
    rc = stele_stream_size(s, &bare, &search.overhead, err);
    if (rc != STELE_OK) {
        return rc;
    }
    search.left = stats.size;
    return run(&search, visit_size, wait, out, err);
}

/* ---- Updates and deletes. ---- */

/* Messages without key have nothing in common, and are left alone. */
static stele_code visit_update(struct search *search, const stele_message *m, stele_error *err)
{
    uint64_t *last;
    bool added;
    stele_code rc;

    if (m->time > search->bound) {
        return STELE_END;
    }
    if (m->key.len == 0) {
        return STELE_OK;
    }
    rc = sti_bytemap_put(&search->keys, m->key, &last, &added, err);
    if (rc == STELE_OK && !added) {
        rc = stele_offsets_add(search->found, (int64_t)*last, err);
    }
    if (rc == STELE_OK) {
        *last = (uint64_t)m->offset;
    }
    return rc;
}

stele_code stele_stream_find_updates(stele_stream *s, stele_time before, const stele_wait *wait,
        stele_offsets *out, stele_error *err)
{
    struct search search = {.s = s, .bound = before};
    stele_code rc = need_handles(s, out, err);

    return rc == STELE_OK ? run(&search, visit_update, wait, out, err) : rc;
}

/* A message without value only says that the key is gone. It can go itself
 * once nothing older with this key is left that it would have to hide. */
static stele_code visit_delete(struct search *search, const stele_message *m, stele_error *err)
{
    uint64_t *ignored;
    bool added;
    stele_code rc;

    if (m->time > search->bound) {
        return STELE_END;
    }
    if (m->key.len == 0) {
        return STELE_OK;
    }
    rc = sti_bytemap_put(&search->keys, m->key, &ignored, &added, err);
    if (rc == STELE_OK && added && m->value.len == 0) {
        rc = stele_offsets_add(search->found, m->offset, err);
    }
    return rc;
}

stele_code stele_stream_find_deletes(stele_stream *s, stele_time before, const stele_wait *wait,
        stele_offsets *out, stele_error *err)
{
    struct search search = {.s = s, .bound = before};
    stele_code rc = need_handles(s, out, err);

    return rc == STELE_OK ? run(&search, visit_delete, wait, out, err) : rc;
}

/* ---- Deleting what was found. ---- */

static stele_code find_for_delete(stele_stream *s, sti_finder find, int64_t bound,
        const stele_wait *wait, stele_offsets **out, stele_error *err)
{
    stele_offsets *found = NULL;
    stele_code rc;

    if (s == NULL) {
        return sti_fail(err, STELE_EINVAL, "no stream");
    }
    if (stele_stream_is_read_only(s)) {
        return sti_fail(err, STELE_EREADONLY, "%s: opened read-only", stele_stream_dir(s));
    }
    rc = stele_offsets_new(&found, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = find(s, bound, wait, found, err);
    if (rc != STELE_OK) {
        stele_offsets_free(found);
        return rc;
    }
    *out = found;
    return STELE_OK;
}

stele_code sti_find_delete(stele_stream *s, sti_finder find, int64_t bound, const stele_wait *wait,
        stele_deleted *deleted, stele_error *err)
{
    stele_offsets *found = NULL;
    stele_code rc = find_for_delete(s, find, bound, wait, &found, err);

    if (rc == STELE_OK) {
        rc = stele_stream_delete(s, found, deleted, err);
    }
    stele_offsets_free(found);
    return rc;
}

stele_code sti_find_delete_multi(stele_stream *s, sti_finder find, int64_t bound,
        const stele_wait *wait, const stele_backoff *backoff, stele_deleted *deleted,
        stele_error *err)
{
    stele_offsets *found = NULL;
    stele_code rc = find_for_delete(s, find, bound, wait, &found, err);

    if (rc == STELE_OK) {
        rc = stele_stream_delete_multi(s, found, backoff, deleted, err);
    }
    stele_offsets_free(found);
    return rc;
}
