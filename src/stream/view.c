/* SPDX-License-Identifier: MIT
 *
 * view.c: the list of segments that readers see.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "stream/state.h"

stele_code sti_view_new(
        struct sti_view **out, struct sti_segment **segments, size_t count, stele_error *err)
{
    size_t size = sizeof(struct sti_view) + count * sizeof(int64_t);
    struct sti_view *view;

    sti_assert(count > 0);
    view = sti_calloc(1, size);
    if (view == NULL) {
        return sti_fail_memory(err, size);
    }
    view->segments = sti_calloc(count, sizeof(struct sti_segment *));
    if (view->segments == NULL) {
        sti_free(view);
        return sti_fail_memory(err, count * sizeof(struct sti_segment *));
    }
    atomic_init(&view->refs, 1);
    view->count = count;
    for (size_t i = 0; i < count; i++) {
        view->segments[i] = sti_segment_ref(segments[i]);
        view->bases[i] = segments[i]->base;
        /* A segment that readers know already has got its limit, or is the head. */
        if (i + 1 < count && segments[i]->head == NULL && segments[i]->limit == 0) {
            segments[i]->limit = segments[i + 1]->base;
        }
    }
    *out = view;
    return STELE_OK;
}

void sti_view_unref(struct sti_view *view)
{
    if (view == NULL || atomic_fetch_sub_explicit(&view->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < view->count; i++) {
        sti_segment_unref(view->segments[i]);
    }
    sti_free(atomic_load_explicit(&view->times, memory_order_relaxed));
    sti_free(atomic_load_explicit(&view->filters, memory_order_relaxed));
    sti_free(view->segments);
    sti_free(view);
}

struct sti_view *sti_stream_view(stele_stream *s)
{
    struct sti_view *view;

    sti_mutex_lock(&s->view_lock);
    view = s->view;
    (void)atomic_fetch_add_explicit(&view->refs, 1, memory_order_relaxed);
    sti_mutex_unlock(&s->view_lock);
    return view;
}

void sti_stream_swap_view(stele_stream *s, struct sti_view *view)
{
    struct sti_view *old;

    sti_mutex_lock(&s->view_lock);
    old = s->view;
    s->view = view;
    sti_mutex_unlock(&s->view_lock);
    sti_view_unref(old);
}

stele_code sti_stream_set_view(
        stele_stream *s, struct sti_segment **segments, size_t count, stele_error *err)
{
    struct sti_view *view;
    stele_code rc = sti_view_new(&view, segments, count, err);

    if (rc == STELE_OK) {
        sti_stream_swap_view(s, view);
    }
    return rc;
}

size_t sti_view_find(const struct sti_view *view, int64_t offset)
{
    const int64_t *first = view->bases;
    size_t left = view->count;

    /* Without branches that cannot be foretold: the answer is in [first, first + left). */
    while (left > 1) {
        size_t half = left / 2;

        first = first[half] <= offset ? first + half : first;
        left -= half;
    }
    return (size_t)(first - view->bases);
}
