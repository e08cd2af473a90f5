/* SPDX-License-Identifier: MIT
 *
 * anew.c: documents of a type get the keys of its new definition, batch after batch.
 *
 * Each batch leaves everything whole, and whoever goes on after it begins at the first document of
 * the type and finds what is done by its keys. Several may do this at once: each looks in its batch
 * for what there is to do.
 */
#include "base/coding.h"
#include "base/error.h"
#include "docs/apply.h"

enum {
    AT_ONCE = 256, /* documents in a batch, for which writers wait */
    NUMBER_SIZE = 4
};

/* ---- What there is to do. ---- */

struct seeking {
    stele_buf *name;
    bool alone;
    bool pending;
};

static stele_code see_type(void *arg, stele_bytes name, stele_bytes value, stele_error *err)
{
    struct seeking *s = arg;
    struct sti_docs_type_state state = {.number = 0};
    stele_code rc = sti_docs_type_state_get(&state, value, err);

    if (rc != STELE_OK || state.phase == STI_DOCS_WHOLE ||
            (s->alone && state.phase != STI_DOCS_ALONE)) {
        return rc;
    }
    s->pending = true;
    if (s->name != NULL) {
        stele_buf_clear(s->name);
        rc = stele_buf_append(s->name, name, err);
    }
    return rc == STELE_OK ? STELE_END : rc;
}

static stele_code seek_pending(stele_store_read *read, struct seeking *s, stele_error *err)
{
    return stele_store_read_for_each(read, sti_docs_bucket_name(STI_DOCS_TNO), see_type, s, err);
}

stele_code sti_docs_anew_pending(
        stele_store_read *read, stele_buf *name, bool *pending, stele_error *err)
{
    struct seeking s = {.name = name};
    stele_code rc = seek_pending(read, &s, err);

    if (rc == STELE_OK) {
        *pending = s.pending;
    }
    return rc;
}

/* ---- One batch. ---- */

/* Where it is, of which type in which phase. */
struct anew {
    stele_docs *db;
    bool alone;
    stele_buf name;
    uint32_t number;
    enum sti_docs_phase phase;
    stele_buf at; /* in the index, where to go on; empty: at the beginning */
    stele_buf head;
    stele_buf id;
};

/* A document gets its new keys, unless it has them: then it was changed since, or was done before
 * a restart. */
static stele_code fill_one(struct anew *a, struct sti_docs_write *w, stele_error *err)
{
    stele_bytes id = stele_buf_view(&a->id);
    stele_bytes value = stele_nil();
    bool found = false;
    bool has = false;
    bool others = false;
    stele_code rc = sti_docs_read(w->view, STI_DOCS_KDT, id, &value, &found, err);

    if (rc == STELE_OK && found) {
        rc = sti_docs_kept_numbers(value, a->number, &has, &others, err);
    }
    if (rc == STELE_OK && !has) {
        rc = sti_docs_reindex_one(w, id, false, err);
    }
    return rc;
}

/* All documents of the phase have been seen. */
static stele_code end_phase(struct anew *a, struct sti_docs_write *w,
        struct sti_docs_type_state *state, stele_error *err)
{
    state->phase = state->phase == STI_DOCS_CLEARING ? STI_DOCS_WHOLE : STI_DOCS_CLEARING;
    state->old_json = stele_nil();
    return sti_docs_type_state_put(w, stele_buf_view(&a->name), state, err);
}

static stele_code do_some(struct anew *a, struct sti_docs_write *w,
        struct sti_docs_type_state *state, uint64_t *done, stele_error *err)
{
    bool clearing = state->phase == STI_DOCS_CLEARING;
    stele_code rc;

    /* All keys of the number, or the one that each document has. */
    stele_buf_clear(&a->head);
    rc = sti_docs_index_head(state->old_number, 0, &a->head, err);
    a->head.len = rc == STELE_OK && clearing ? (size_t)NUMBER_SIZE : a->head.len;
    for (int i = 0; i < AT_ONCE && rc == STELE_OK; i++) {
        rc = sti_docs_next_document(w, stele_buf_view(&a->head), &a->at, &a->id, err);
        if (rc == STELE_OK) {
            rc = clearing ? sti_docs_index_strip(w, stele_buf_view(&a->id), a->number, err)
                          : fill_one(a, w, err);
        }
        *done += rc == STELE_OK && !clearing ? 1U : 0U;
    }
    return rc == STELE_END ? end_phase(a, w, state, err) : rc;
}

/* How many documents a type has, for those who look at the progress. */
static stele_code count_document(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    uint64_t *count = arg;

    (void)key;
    (void)value;
    (void)err;
    ++*count;
    return STELE_OK;
}

static stele_code count_documents(
        struct anew *a, const struct sti_docs_type_state *state, stele_error *err)
{
    stele_store_range range = {.start = stele_nil()};
    stele_store_read *read = NULL;
    stele_buf end;
    uint64_t count = 0;
    stele_code rc;

    stele_buf_init(&end, SIZE_MAX);
    stele_buf_clear(&a->head);
    rc = sti_docs_index_head(state->old_number, 0, &a->head, err);
    if (rc == STELE_OK) {
        rc = sti_docs_index_head(state->old_number, 1, &end, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_read_begin(&read, a->db, err);
    }
    if (rc == STELE_OK) {
        range.start = stele_buf_view(&a->head);
        range.end = stele_buf_view(&end);
        rc = stele_store_read_range(read, sti_docs_bucket_name(STI_DOCS_IDX), &range,
                count_document, &count, NULL, err);
        stele_store_read_end(read);
    }
    stele_buf_free(&end);
    if (rc == STELE_OK) {
        atomic_store(&a->db->anew_done, 0);
        atomic_store(&a->db->anew_total, count);
    }
    return rc;
}

/* Look for a type that is to be done, and whether it is still the one that was; *more: there is. */
static stele_code choose(
        struct anew *a, struct sti_docs_type_state *state, bool *more, stele_error *err)
{
    struct seeking s = {.name = &a->name, .alone = a->alone};
    stele_store_read *read = NULL;
    stele_code rc = sti_docs_read_begin(&read, a->db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = seek_pending(read, &s, err);
    if (rc == STELE_OK && s.pending) {
        rc = sti_docs_type_state_read(read, stele_buf_view(&a->name), state, err);
        state->old_json = stele_nil();
    }
    stele_store_read_end(read);
    *more = s.pending;
    if (rc == STELE_OK && s.pending && (a->number != state->number || a->phase != state->phase)) {
        a->number = state->number;
        a->phase = state->phase;
        stele_buf_clear(&a->at);
        if (state->phase != STI_DOCS_CLEARING) {
            rc = count_documents(a, state, err);
        }
    }
    return rc;
}

static stele_code step(struct anew *a, bool *more, stele_error *err)
{
    struct sti_docs_write w = {.db = a->db};
    struct sti_docs_type_state state = {.number = 0};
    uint64_t done = 0;
    stele_code rc = choose(a, &state, more, err);

    if (rc != STELE_OK || !*more) {
        return rc;
    }
    rc = sti_docs_write_begin(&w, a->db, err);
    if (rc != STELE_OK) {
        return rc;
    }
    w.lazy = true;
    rc = sti_docs_type_state_read(w.view, stele_buf_view(&a->name), &state, err);
    if (rc == STELE_OK && state.number == a->number && state.phase == a->phase) {
        rc = do_some(a, &w, &state, &done, err);
    }
    rc = sti_docs_write_end(&w, rc, err);
    if (rc == STELE_OK) {
        atomic_fetch_add(&a->db->anew_done, done);
    }
    return rc;
}

stele_code sti_docs_anew_run(stele_docs *db, bool alone, stele_error *err)
{
    struct anew a = {.db = db, .alone = alone};
    bool more = true;
    stele_code rc = STELE_OK;

    stele_buf_init(&a.name, SIZE_MAX);
    stele_buf_init(&a.at, SIZE_MAX);
    stele_buf_init(&a.head, SIZE_MAX);
    stele_buf_init(&a.id, SIZE_MAX);
    while (rc == STELE_OK && more && !atomic_load(&db->worker.stop)) {
        rc = step(&a, &more, err);
    }
    stele_buf_free(&a.name);
    stele_buf_free(&a.at);
    stele_buf_free(&a.head);
    stele_buf_free(&a.id);
    return rc;
}
