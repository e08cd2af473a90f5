/* SPDX-License-Identifier: MIT
 *
 * peer_sums.c: what ranges of the log add up to, and where to cut them.
 */
#include "base/error.h"
#include "docs/peer_range.h"

static stele_code walk_begin(struct sti_docs_walk *out, const struct sti_docs_view *view,
        const struct sti_docs_parts *parts, stele_error *err)
{
    *out = (struct sti_docs_walk){.at = parts->from, .end = parts->to};
    return stele_store_cursor_open(&out->sums, view->read, sti_docs_bucket_name(STI_DOCS_AGG), err);
}

/* ---- Sums. ---- */

static stele_code sum_parts(const struct sti_docs_view *view, const struct sti_docs_parts *parts,
        bool hashed, struct sti_docs_aggregate *out, stele_error *err)
{
    struct sti_docs_walk walk;
    uint64_t count = 0;
    stele_code rc = walk_begin(&walk, view, parts, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_docs_walk_on(&walk, UINT64_MAX, &count, err);
    stele_store_cursor_close(walk.sums);
    if (rc == STELE_OK) {
        rc = sti_docs_span_sum(view, &parts->first, hashed, &walk.sum, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_span_sum(view, &parts->last, hashed, &walk.sum, err);
    }
    if (rc == STELE_OK) {
        *out = walk.sum;
    }
    return rc;
}

stele_code sti_docs_view_sum(const struct sti_docs_view *view, stele_bytes low, stele_bytes high,
        struct sti_docs_aggregate *out, stele_error *err)
{
    struct sti_docs_parts parts;

    sti_docs_parts_make(&parts, view, low, high);
    return sum_parts(view, &parts, true, out, err);
}

/* ---- Cuts. ---- */

struct cutting {
    const struct sti_docs_view *view;
    stele_store_cursor *log;
    uint64_t total;
    size_t parts;
    size_t next;     /* the part whose beginning is looked for */
    uint64_t passed; /* entries behind us */
    stele_buf at;
    stele_code (*each)(void *arg, stele_bytes before, stele_bytes at, stele_error *err);
    void *arg;
};

/* The number of the entry with which a part begins. */
static uint64_t wanted(const struct cutting *c)
{
    return c->total / c->parts * c->next + c->total % c->parts * c->next / c->parts;
}

/* The cursor is at the entry that is wanted, and is left there. */
static stele_code give_cut(struct cutting *c, stele_error *err)
{
    stele_bytes key = stele_nil();
    stele_code rc = stele_store_cursor_pair(c->log, &key, NULL, err);

    stele_buf_clear(&c->at);
    rc = rc == STELE_OK ? stele_buf_append(&c->at, key, err) : rc;
    rc = rc == STELE_OK ? stele_store_cursor_prev(c->log, err) : rc;
    rc = rc == STELE_OK ? stele_store_cursor_pair(c->log, &key, NULL, err) : rc;
    if (rc != STELE_OK) {
        return rc;
    }
    if (c->each(c->arg, key, stele_buf_view(&c->at), err) != STELE_OK) {
        /* What each() returned is told by `next`: nobody else goes so far. */
        return STELE_END;
    }
    return stele_store_cursor_next(c->log, err);
}

/* Go over so many entries, which begin at a bound. */
static stele_code cut_within(struct cutting *c, stele_bytes low, uint64_t count, stele_error *err)
{
    uint64_t at = c->passed;
    stele_code rc = STELE_OK;

    c->passed += count;
    if (c->next == c->parts || wanted(c) >= c->passed) {
        return STELE_OK;
    }
    rc = stele_store_cursor_seek(c->log, low, err);
    while (rc == STELE_OK && c->next < c->parts && wanted(c) < c->passed) {
        for (; rc == STELE_OK && at < wanted(c); at++) {
            rc = stele_store_cursor_next(c->log, err);
        }
        rc = rc == STELE_OK ? give_cut(c, err) : rc;
        c->next++;
    }
    return rc;
}

static stele_code cut_seconds(
        struct cutting *c, const struct sti_docs_parts *parts, stele_error *err)
{
    struct sti_docs_walk walk;
    uint64_t first = c->passed;
    uint64_t count = 0;
    stele_code rc = walk_begin(&walk, c->view, parts, err);

    if (rc != STELE_OK) {
        return rc;
    }
    while (rc == STELE_OK && c->next < c->parts && walk.at < walk.end) {
        rc = sti_docs_walk_on(&walk, wanted(c) - first, &count, err);
        c->passed = first + walk.sum.count;
        if (rc == STELE_OK && walk.at < walk.end) {
            uint8_t low[STI_DOCS_VERSION_SIZE];

            sti_docs_version_put(low, (struct sti_docs_version){.seconds = walk.at});
            rc = cut_within(c, stele_bytes_of(low, sizeof low), count, err);
            walk.sum.count += count;
            walk.at++;
        }
    }
    stele_store_cursor_close(walk.sums);
    return rc;
}

static stele_code cut_parts(struct cutting *c, const struct sti_docs_parts *parts, stele_error *err)
{
    struct sti_docs_aggregate sum = {.count = 0};
    stele_code rc = sti_docs_span_sum(c->view, &parts->first, false, &sum, err);

    if (rc == STELE_OK && parts->first.any) {
        rc = cut_within(c, parts->first.low, sum.count, err);
    }
    if (rc == STELE_OK) {
        rc = cut_seconds(c, parts, err);
    }
    if (rc == STELE_OK && parts->last.any && c->next < c->parts) {
        rc = cut_within(c, parts->last.low, c->total - c->passed, err);
    }
    return rc;
}

struct handing {
    stele_code (*each)(void *arg, stele_bytes before, stele_bytes at, stele_error *err);
    void *arg;
    stele_code rc;
};

static stele_code hand_on(void *arg, stele_bytes before, stele_bytes at, stele_error *err)
{
    struct handing *h = arg;

    h->rc = h->each(h->arg, before, at, err);
    return h->rc;
}

stele_code sti_docs_view_cuts(const struct sti_docs_view *view, stele_bytes low, stele_bytes high,
        size_t parts,
        stele_code (*each)(void *arg, stele_bytes before, stele_bytes at, stele_error *err),
        void *arg, stele_error *err)
{
    struct handing h = {.each = each, .arg = arg};
    struct cutting c = {.view = view, .parts = parts, .next = 1, .each = hand_on, .arg = &h};
    struct sti_docs_parts split;
    struct sti_docs_aggregate sum = {.count = 0};
    stele_code rc;

    sti_docs_parts_make(&split, view, low, high);
    rc = sum_parts(view, &split, false, &sum, err);
    if (rc == STELE_OK) {
        rc = stele_store_cursor_open(&c.log, view->read, sti_docs_bucket_name(STI_DOCS_LOG), err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    c.total = sum.count;
    stele_buf_init(&c.at, SIZE_MAX);
    rc = parts > sum.count ? sti_fail(err, STELE_EINVAL, "more parts than entries")
                           : cut_parts(&c, &split, err);
    stele_buf_free(&c.at);
    stele_store_cursor_close(c.log);
    if (rc == STELE_END && h.rc == STELE_OK) {
        return sti_fail(err, STELE_ECORRUPT, "the log has fewer entries than its sums say");
    }
    return rc == STELE_END ? (h.rc == STELE_END ? STELE_OK : h.rc) : rc;
}
