/* SPDX-License-Identifier: MIT */
#include "stream/above.h"

#include "stream/state.h"

const stele_env *sti_stream_env(const stele_stream *s)
{
    return &s->env;
}

int64_t sti_stream_segment_last(stele_stream *s, int64_t offset)
{
    struct sti_view *view = sti_stream_view(s);
    size_t at = sti_view_find(view, offset);
    int64_t last = INT64_MAX;

    if (view->bases[0] > offset) {
        last = view->bases[0] - 1;
    } else if (at + 1 < view->count) {
        last = view->bases[at + 1] - 1;
    }
    sti_view_unref(view);
    return last;
}
